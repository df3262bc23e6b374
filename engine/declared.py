"""What a strategy declares in ``on_start``: series of indicators, conditions on them, and what to call when one holds.

Declarations about the bars of one instrument make a ``Stream``: nodes in the order they were made, so that each comes
after what it is made of. A node is worked out in one of two ways that give the same bits: bar by bar (``steps``: live,
and the event mode of a backtest) or for many bars at once (``work_out``: its column mode). Equal declarations are one
node.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.indicators.indicator import NAN
from engine.series import FIELDS, BarSeries, Condition, Field, Node, Series

Step = Callable[[Bar], None]
Handler = Callable[[Bar], Any]
Function = Callable[[Any, Any], Any]
"""Of two values, or of two columns."""


class Stream:
    """All that is declared about the bars of one instrument, of one length or of any (0)."""

    def __init__(self, instrument: InstrumentId, interval_ns: int, adjuster: Any = None) -> None:
        self.instrument = instrument
        self.interval_ns = interval_ns
        self.adjuster = adjuster
        """Makes of raw bars those that are taken (``data.adjusting.Adjuster``); None: they are taken as they come."""
        self.bar: Bar | None = None
        """The latest bar taken."""
        self.raw: Bar | None = None
        """What it was made of; kept where there is an adjuster."""
        self.row: Callable[[], int] | None = None
        """In column mode: the row of the latest bar published; -1 for one of an earlier batch."""
        self.fields = {name: Field(self, name) for name in FIELDS}
        self.triggers: list[tuple[Condition, Handler]] = []
        self.steps: list[Step] = []
        self._works: list[Callable[[int], None]] = []
        self._nodes: list[Node] = []
        self._known: dict[Any, list[Any]] = {}

    def indicator(
        self, name: str, inputs: Sequence[Series], settings: tuple[Any, ...], named: dict[str, Any], kind: Any
    ) -> list[Series]:
        """The series an indicator gives, one an output."""
        key = (name, tuple(map(_key, inputs)), settings, tuple(sorted(named.items())))
        found = self._known.get(key)
        if found is None:
            try:
                indicator = kind(*settings, **named)
            except TypeError as error:
                raise ConfigError(f"{name}: {str(error).partition('.')[2] or error}") from error
            found = self._known[key] = [Series(self, NAN) for _ in kind.outputs]
            self._add(found, _step(indicator, inputs, found), _work(indicator, inputs, found))
        return found

    def reckoned(self, function: Function, one: Series, other: Series) -> Series:
        """``function`` of two series at each bar."""
        key = (function, _key(one), _key(other))
        found = self._known.get(key)
        if found is None:
            made = Series(self, NAN)
            found = self._known[key] = [made]

            def step(bar: Bar) -> None:
                made.now = function(_read(one, bar), _read(other, bar))

            self._add(found, step, _pairwise(made, function, one, other))
        return cast(Series, found[0])

    def condition(self, function: Function, one: Node, other: Node, needs: Series | None) -> Condition:
        """Whether ``function`` of two series, or of two conditions, holds at each bar."""
        made = Condition(self, _holds(function, one, other), needs)
        self._nodes.append(made)
        self._works.append(_pairwise(made, function, one, other))
        return made

    def _add(self, nodes: list[Any], step: Step, work: Callable[[int], None]) -> None:
        self._nodes += nodes
        self.steps.append(step)
        self._works.append(work)

    def work_out(self, columns: Any) -> None:
        """Every node for the rows of a batch (``data.columns.Columns``)."""
        if self.adjuster is not None:
            columns = self.adjuster.columns(columns)
        for name, field in self.fields.items():
            field.column = getattr(columns, name)
        count = len(columns.ts_ns)
        with np.errstate(all="ignore"):
            for work in self._works:
                work(count)

    def leave(self) -> None:
        """The batch is over: keep what was true at its last row."""
        for node in (*self.fields.values(), *self._nodes):
            if node.column is not None and len(node.column):
                node.now = node.column[-1].item()


class Declarations:
    """What one strategy has declared."""

    def __init__(self) -> None:
        self.streams: dict[tuple[InstrumentId, int], Stream] = {}
        self.adjuster: Callable[[InstrumentId], Any] = lambda _instrument: None
        """Gives each stream its own; a backtest with corporate actions sets it."""
        self.closed = False
        """The strategy has started: it can declare nothing more."""

    def bars(self, instrument: InstrumentId, interval_ns: int) -> BarSeries:
        self._open("self.bars_of")
        stream = self.streams.get((instrument, interval_ns))
        if stream is None:
            stream = self.streams[instrument, interval_ns] = Stream(instrument, interval_ns, self.adjuster(instrument))
        return BarSeries(stream)

    def when(self, condition: Condition, handler: Handler) -> None:
        self._open("self.when")
        if not isinstance(condition, Condition) or condition.stream is None:
            raise ConfigError("self.when takes a condition, as in self.when(fast.crosses_above(slow), self.enter)")
        condition.stream.triggers.append((condition, handler))

    def close(self) -> tuple[InstrumentId, ...]:
        """The strategy has started. Gives the instruments it has declared anything about."""
        self.closed = True
        return tuple(dict.fromkeys(instrument for instrument, _ in self.streams))

    def _open(self, what: str) -> None:
        if self.closed:
            raise ConfigError(f"{what} belongs in on_start: what a strategy declares is fixed once it runs")


def _key(node: Node) -> Any:
    return ("constant", node.now) if node.stream is None else id(node)


def _read(node: Node, bar: Bar) -> Any:
    return getattr(bar, node.name) if isinstance(node, Field) else node.now


def _latest(node: Node) -> Any:
    """Its value bar by bar."""
    if isinstance(node, Condition):
        return node.holds()
    return node.value if isinstance(node, Field) else node.now


def _holds(function: Function, one: Node, other: Node) -> Callable[[], bool]:
    """Asked at every bar of some streams: a series that is worked out is read where it stands."""
    if not isinstance(one, Field | Condition) and other.stream is None and isinstance(other, Series):
        bound = other.now
        return lambda: bool(function(one.now, bound))
    if not any(isinstance(node, Field | Condition) for node in (one, other)):
        return lambda: bool(function(one.now, other.now))
    return lambda: bool(function(_latest(one), _latest(other)))


def _pairwise(made: Node, function: Function, one: Node, other: Node) -> Callable[[int], None]:
    def work(_count: int) -> None:
        made.column = function(_column(one), _column(other))

    return work


def _column(node: Node) -> Any:
    if node.stream is None:
        return node.holds() if isinstance(node, Condition) else node.now
    return node.column


def _step(indicator: Any, inputs: Sequence[Series], outputs: list[Series]) -> Step:
    """One bar: the everyday cases in the fewest steps, as this is done at every bar of a live run."""
    update = indicator.update
    if len(outputs) > 1:

        def step(bar: Bar) -> None:
            for output, now in zip(outputs, update(*[_read(node, bar) for node in inputs]), strict=True):
                output.now = now

        return step
    (made,) = outputs
    first = inputs[0]
    if len(inputs) == 1 and isinstance(first, Field) and first.name == "close":

        def step(bar: Bar) -> None:
            made.now = update(bar.close)

    elif len(inputs) == 2 and not any(isinstance(node, Field) for node in inputs):
        second = inputs[1]

        def step(bar: Bar) -> None:
            made.now = update(first.now, second.now)

    else:

        def step(bar: Bar) -> None:
            made.now = update(*[_read(node, bar) for node in inputs])

    return step


def _work(indicator: Any, inputs: Sequence[Series], outputs: list[Series]) -> Callable[[int], None]:
    def work(count: int) -> None:
        columns = [_filled(node, count) for node in inputs]
        found = indicator.column(*columns)
        for output, column in zip(outputs, found if isinstance(found, tuple) else (found,), strict=True):
            output.column = column

    return work


def _filled(node: Series, count: int) -> NDArray[np.float64]:
    return np.full(count, node.now) if node.stream is None else node.column
