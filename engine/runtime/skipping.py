"""Replay by columns: only the instants at which something happens are played, the others are left out.

Something happens where a trigger fires, a timer or a sample of the equity is due, or a waiting order can fill or
expire. What is played there is what ``replay.play`` plays, in the same order and with the same objects; indicators were
worked out for a whole batch before, by the arithmetic they have bar by bar; and what is asked for in between, the
latest price of an instrument or the value of an indicator, is looked up when it is asked for. So decisions, and with
them the journal and its digest, are those of the run that looks at every bar.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.asking import NextBarRequest
from engine.bus import Bus
from engine.data.columns import Columns
from engine.declared import Stream
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.hearing import Calls
from engine.matching.resting import NEVER_NS
from engine.matching.waiting import Waiting
from engine.portfolio import Portfolio
from engine.runner import StrategyRunner
from engine.runtime.replay import Merged, Stage
from engine.seat import Handler, Seat

Call = Callable[[Bar], Any]


def needs_every_bar(bus: Bus, portfolio: Portfolio, runner: StrategyRunner) -> str:
    """Why a run can not leave bars out; nothing if it can."""
    for seat in runner.seats.values():
        if seat.hears_bars:
            return f"strategy {seat.name} has an on_bar, which hears every bar; declare triggers with self.when instead"
    if portfolio.futures:
        return "futures are margined and settled by the price of every bar"
    if bus.subscribers(Bar) != (portfolio.on_bar, runner.on_bar):
        return "a limit of [risk] looks at the price of every bar"
    return ""


def _plain(column: Any) -> Any:
    """A column whose items are read one by one as what Python itself has; one from afar may lie anywhere in memory."""
    array: Any = np.require(column, requirements=("C", "A"))
    return memoryview(array)


class _Line:
    """The bars of one instrument in the batch at hand."""

    def __init__(self, name: InstrumentId, interval_ns: int, published: Sequence[int]) -> None:
        self.name = name
        self.interval_ns = interval_ns
        self.places: Sequence[int] | None = None
        """The row in the batch of each of them; None if the batch is theirs alone."""
        self.ts_ns: Sequence[int] = ()
        self.prices: tuple[Any, Any, Any] = (np.empty(0), np.empty(0), np.empty(0))
        self.columns: tuple[Sequence[float], ...] = ()
        self._published = published
        self._made: tuple[int, Bar] | None = None

    def load(self, columns: Columns, places: Any) -> None:
        self.places = None if places is None else _plain(places)
        self.ts_ns = _plain(columns.ts_ns)
        self.prices = (columns.open, columns.high, columns.low)
        rows = (columns.open, columns.high, columns.low, columns.close, columns.volume)
        self.columns = tuple([_plain(row) for row in rows])
        self._made = None

    def unload(self) -> None:
        self.ts_ns, self.places, self._made = (), None, None

    def row(self) -> int:
        """Of its latest bar that was published; -1 for none of this batch."""
        published = self._published[0]
        return (min(published, len(self.ts_ns)) if self.places is None else bisect_left(self.places, published)) - 1

    def row_from(self, place: int) -> int:
        """Its first row at or after a row of the batch; the number of its rows if there is none."""
        return min(place, len(self.ts_ns)) if self.places is None else bisect_left(self.places, place)

    def place(self, row: int, end: int) -> int:
        """The row in the batch; ``end`` where it has no such row."""
        if row >= len(self.ts_ns):
            return end
        return row if self.places is None else self.places[row]

    def bar(self, row: int) -> Bar:
        made = self._made
        if made is None or made[0] != row:
            opens, highs, lows, closes, volumes = self.columns
            one = Bar(
                self.name, self.ts_ns[row], opens[row], highs[row], lows[row], closes[row], volumes[row],
                self.interval_ns,
            )  # fmt: skip
            made = self._made = (row, one)
        return made[1]


class _Latest(dict[InstrumentId, Any]):
    """The latest price of each instrument, looked up when somebody asks."""

    def __init__(self, lines: dict[InstrumentId, _Line], published: Sequence[int]) -> None:
        super().__init__()
        self._lines = lines
        self._published = published
        self._asked: dict[InstrumentId, int] = {}
        self._known: dict[InstrumentId, int] = {}

    def get(self, name: InstrumentId, default: Any = None) -> Any:
        published = self._published[0]
        if self._asked.get(name) != published:
            self._asked[name] = published
            line = self._lines.get(name)
            if line is not None:
                row = line.row()
                if row >= 0 and row != self._known.get(name, -1):
                    self._known[name] = row
                    super().__setitem__(name, line.bar(row))
        return super().get(name, default)

    def __setitem__(self, name: InstrumentId, event: Any) -> None:
        """A price that came by itself: it holds until the next bar."""
        line = self._lines.get(name)
        if line is not None:
            self._known[name] = line.row()
        super().__setitem__(name, event)

    def __getitem__(self, name: InstrumentId) -> Any:
        self.get(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        # A price that was known stays known.
        return super().__contains__(name) or self.get(name) is not None  # type: ignore[arg-type]

    def pin(self) -> None:
        """The batch is over: keep the last bar of each, and count rows anew."""
        for name in self._lines:
            self.get(name)
        self._known.clear()
        self._asked.clear()


class Skipper:
    """One a run; ``play`` takes batch after batch."""

    def __init__(
        self, stage: Stage, names: Sequence[tuple[InstrumentId, int]], core: Any, waiting: Waiting, way: Any = None
    ) -> None:
        """``names``: instrument and length of bar of each source; ``way``: ``compiled_way.compiled``."""
        self._skip = None if way is None or stage.show != way.show else way.skip
        self._stage = stage
        self._runner: StrategyRunner = core.runner
        self._waiting = waiting
        self._published = array("q", [0])
        """How many rows of the batch were published; the lines and the latest prices look here."""
        self._lines = [_Line(name, interval_ns, self._published) for name, interval_ns in names]
        self._by_name = {line.name: line for line in self._lines}
        self._latest = _Latest(self._by_name, self._published)
        core.portfolio.marks.read_from(self._latest)
        self._seats = list(core.runner.seats.values())
        self._declared: dict[InstrumentId, list[tuple[Seat, list[Stream], list[Calls]]]] = {}
        self._rows: list[int] = []
        self._calls: list[tuple[Seat, Call, Handler]] = []
        """Whose, how it hears a bar, and what of the strategy's is then called."""
        self._wakes: dict[int, tuple[int, Any]] = {}

    def start(self) -> None:
        """The strategies have declared."""
        for line in self._lines:
            self._declared[line.name] = self._runner.declared(line.name)
            for _, streams, _ in self._declared[line.name]:
                for stream in streams:
                    stream.row = line.row

    def play(self, batch: Merged) -> None:
        """Play what happens in a batch, then stand behind its last bar."""
        stage = self._stage
        self._load(batch)
        times: Sequence[int] = _plain(batch.ts_ns)
        ends = None if batch.ends is None else batch.ends.tolist()
        sources = None if batch.source is None else batch.source.tolist()
        stage.turn(times[0])
        if ends is None or sources is None:
            self._play_alone(times)
        else:
            self._play_instants(times, ends, sources)
        count = len(times)
        self._published[0] = count
        stage.clock.now_ns = times[count - 1]
        self._latest.pin()
        self._published[0] = 0
        for line in self._lines:
            line.unload()
            for _, streams, _ in self._declared[line.name]:
                for stream in streams:
                    stream.leave()

    def _load(self, batch: Merged) -> None:
        """Work every declaration out, and list what fires in the order it is called."""
        rows, calls = [], []
        self._published[0] = 0
        self._wakes.clear()
        for number, columns in batch.taken:
            line = self._lines[number]
            places = None if batch.source is None else np.flatnonzero(batch.source == number)
            line.load(columns, places)
            for seat, streams, some in self._declared[line.name]:
                for stream, listed in zip(streams, some, strict=True):
                    stream.work_out(columns)
                    for (condition, call), (_, handler) in zip(listed, stream.triggers, strict=True):
                        fired = np.flatnonzero(condition.column)
                        rows.append(fired if places is None else places[fired])
                        calls.append((seat, call, handler))
        if not rows:
            self._rows, self._calls = [], []
            return
        whole = np.concatenate(rows)
        order = np.argsort(whole, kind="stable")
        self._rows = whole[order].tolist()
        which = np.repeat(np.arange(len(calls)), [len(one) for one in rows])[order]
        self._calls = [calls[k] for k in which.tolist()]

    def _play_alone(self, times: Sequence[int]) -> None:
        """A batch of one source: each row is an instant of its own."""
        stage, (line,), count, published = self._stage, self._lines, len(times), self._published
        due, resting, show, taps, awaits = stage.due, stage.resting, stage.show, self._runner.taps, self._anybody_awaits
        rows, calls, name, fires, skip = self._rows, self._calls, line.name, len(self._rows), self._skip
        called, place, known_due, due_row = 0, 0, -1, 0
        while True:
            if skip is not None:
                called, place, due_row = skip(
                    self, published, times, line.columns, rows, calls, due, stage.turn, self._runner.after_call,
                    self._seats, taps, name, line.interval_ns, called, place, count,
                )  # fmt: skip
            elif due[0] != known_due or due_row < place:
                known_due = due[0]
                due_row = bisect_left(times, known_due, place)
            stop = min(rows[called] if called < fires else count, due_row)
            if resting and stop > place:
                waiting = resting.get(name)
                # Nearly all that wait take the next bar: for them there is nothing to look for.
                stop = place if waiting and waiting[0].limit is None else min(stop, self._wake(place, count))
            stop = self._sooner(stop, place, count)
            if stop >= count:
                return
            self._arrive(times, stop)
            place = stop + 1
            if name in resting:
                show(line.bar(stop))
            if taps or awaits():
                called = self._publish(stop, place, called, None)
                continue
            published[0] = place
            while called < fires and rows[called] < place:
                calls[called][1](line.bar(stop))
                called += 1

    def _play_instants(self, times: Sequence[int], ends: list[int], sources: list[int]) -> None:
        """A batch of several sources: the rows of an instant end at one of ``ends``."""
        stage, lines, count, taps = self._stage, self._lines, len(times), self._runner.taps
        due, resting, show, rows, fires = stage.due, stage.resting, stage.show, self._rows, len(self._rows)
        called, place, known_due, due_row = 0, 0, -1, 0
        while True:
            if due[0] != known_due or due_row < place:
                known_due = due[0]
                due_row = bisect_left(times, known_due, place)
            stop = min(rows[called] if called < fires else count, due_row)
            if resting and stop > place:
                stop = min(stop, self._wake(place, count))
            stop = self._sooner(stop, place, count)
            if stop >= count:
                return
            instant = bisect_right(ends, stop)
            start, place = (ends[instant - 1] if instant else 0), ends[instant]
            self._arrive(times, start)
            if resting:
                for row in range(start, place):
                    line = lines[sources[row]]
                    if line.name in resting:
                        show(line.bar(line.row_from(row)))
            if (called < fires and rows[called] < place) or taps or self._anybody_awaits():
                called = self._publish(start, place, called, sources)

    def _sooner(self, stop: int, place: int, count: int) -> int:
        """``stop``, or an earlier row at which a strategy awaits a bar or somebody listens after the strategies."""
        for seat in self._seats:
            if seat.waiting_for is not None:
                stop = min(stop, self._awaited(seat, place, count))
        for name in self._runner.taps:
            line = self._by_name[name]
            stop = min(stop, line.place(line.row_from(place), count))
        return stop

    def _arrive(self, times: Sequence[int], start: int) -> None:
        """Stand before the first row of an instant; what is due by then is done."""
        clock = self._stage.clock
        self._published[0] = start
        if start:
            clock.now_ns = times[start - 1]
        ts_ns = times[start]
        if ts_ns >= self._stage.due[0]:
            self._stage.turn(ts_ns)
        clock.now_ns = ts_ns

    def _publish(self, start: int, place: int, called: int, sources: list[int] | None) -> int:
        """The bars of an instant, to who awaits one and to what fires at it."""
        rows, calls, fires, taps = self._rows, self._calls, len(self._rows), self._runner.taps
        for row in range(start, place):
            self._published[0] = row + 1
            line = self._lines[sources[row] if sources is not None else 0]
            first, bar = called, None
            while called < fires and rows[called] == row:
                called += 1
            if self._anybody_awaits():
                bar = line.bar(line.row())
                for seat, _, _ in self._declared[line.name]:
                    self._runner.offer(seat, bar)
                    for other, call, _ in calls[first:called]:
                        if other is seat:
                            call(bar)
            elif called > first:
                bar = line.bar(line.row())
                for _, call, _ in calls[first:called]:
                    call(bar)
            tap = taps.get(line.name)
            if tap is not None:
                tap(line.bar(line.row()))
        return called

    def _anybody_awaits(self) -> bool:
        for seat in self._seats:  # noqa: SIM110 - a generator costs more than the question
            if seat.waiting_for is not None:
                return True
        return False

    def _wake(self, place: int, count: int) -> int:
        """The first row from ``place`` on at which the venue may do something."""
        nearest = count
        for name, orders in self._stage.resting.items():
            line = self._by_name.get(name)
            if line is None:
                continue
            for order in orders:
                if order.limit is None or not order.told or order.canceled_ns != NEVER_NS:
                    # It takes what comes, or is told of by the next bar; one too early does nothing to it.
                    nearest = min(nearest, line.place(line.row_from(place), count))
                    continue
                known = self._wakes.get(order.number)
                if known is None or known[0] < place or known[1] is not order.limit:
                    row = self._waiting.next_row(
                        order, line.row_from(place), line.ts_ns, line.interval_ns, line.prices
                    )  # fmt: skip
                    known = self._wakes[order.number] = (line.place(row, count), order.limit)
                nearest = min(nearest, known[0])
        return nearest

    def _awaited(self, seat: Seat, place: int, count: int) -> int:
        asked = seat.waiting_for
        line = self._by_name.get(asked.instrument) if isinstance(asked, NextBarRequest) else None
        return count if line is None else line.place(line.row_from(place), count)


CALLERS = frozenset({Skipper._play_alone.__code__})
"""What calls handlers with nothing of the runner's in between, where it is compiled."""
