"""Mainland instruments on a board of the one market: they follow their path, minute by minute or second by second."""

from datetime import date
from math import floor

from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.domain.timestamps import MINUTE_NS
from engine.simulators.boards import Board
from engine.simulators.china import ChinaSessions, day_of, days, midnight_ns, minute_starts, minutes_into
from engine.simulators.chronicle import Chronicle
from engine.simulators.exchange import Exchange, Listing, Stock
from engine.simulators.past import Path, closes, minutes
from engine.simulators.prices import Figures

CHINA_BOARD = "china"


class Follow:
    """A price source that plays an instrument's path day by day, pushed aside by trades and by an operator's price.

    A push wears off: half of it in about half an hour, all of it by the next day's open. ``touched`` are the days
    (ordinals) on which the price was not the path's.
    """

    kept = 0.977
    """The part of a push that is left a minute later."""

    def __init__(self, path: Path, seed: int, origin_ns: int) -> None:
        self.path = path
        self.seed = seed
        self.touched: set[int] = set()
        self._day = 0
        self._columns: tuple[list[float], ...] = ()
        self._open(day_of(origin_ns))
        self._at = minutes_into(origin_ns, path.minutes)
        self._push = 0.0
        self._told = self.price_at_start()
        """The price this source left the stock with; another one was set by somebody."""

    def price_at_start(self) -> float:
        """The price where the source stands: of the running minute, or the last close."""
        if days().is_open(self._day) and self._at > 0:
            return self._price(self._at)
        return float(closes(self.path, self.seed, [days().before(self._day)])[0])

    def next(self, mark_ns: int, price: float, bounds: tuple[float, float], drift: float) -> Figures | None:
        day = day_of(mark_ns - 1)
        if day != self._day:
            self._open(day)
            self._at = 0.0
            self._push = 0.0
        start, end = self._at, minutes_into(mark_ns, self.path.minutes)
        if end <= start:
            return None
        self._at = end
        if price != self._told:
            self._push = price / self._told - 1
        before, after = self._push, (self._push + drift) * self.kept ** (end - start)
        self._push = after = 0.0 if abs(after) < 1e-7 else after
        if before or after:
            self.touched.add(day)
        corners = [self._price(place) for place in _corners(start, end)]
        opened, close = self._pushed(self._price(start), before), self._pushed(corners[-1], after)
        high = max(opened, close, self._pushed(max(corners), max(before, after)))
        low = min(opened, close, self._pushed(min(corners), min(before, after)))
        self._told = close
        return Figures(opened, high, low, close, float(self._volume(end) - self._volume(start)))

    def _open(self, day: int) -> None:
        made = minutes(self.path, self.seed, [day], [days().before(day)])
        self._columns = tuple(column[0].tolist() for column in made[:5])
        self._day = day

    def _price(self, place: float) -> float:
        """Open, one extreme, the other, close: a minute's way at its thirds."""
        opens, highs, lows, ends, _ = self._columns
        minute = min(floor(place), self.path.minutes - 1)
        part = place - minute
        rising = ends[minute] >= opens[minute]
        first, second = (lows[minute], highs[minute]) if rising else (highs[minute], lows[minute])
        points = (opens[minute], first, second, ends[minute])
        leg = min(int(part * 3), 2)
        raw = points[leg] + (points[leg + 1] - points[leg]) * (part * 3 - leg)
        return round(round(raw / self.path.tick) * self.path.tick, 4)

    def _volume(self, place: float) -> int:
        volumes = self._columns[4]
        whole = floor(place)
        running = int(volumes[whole] * (place - whole)) if whole < len(volumes) else 0
        return int(sum(volumes[:whole])) + running

    def _pushed(self, price: float, push: float) -> float:
        if not push:
            return price
        return round(max(1, round(price * (1 + push) / self.path.tick)) * self.path.tick, 4)


def _corners(start: float, end: float) -> list[float]:
    """Where the way turns between two places, and the end itself."""
    first, last = floor(start * 3) + 1, floor(end * 3)
    return [third / 3 for third in range(first, last + 1) if start < third / 3 < end] + [end]


class PathChronicle(Chronicle):
    """The minutes of an instrument that follows its path: the path's, but for days on which it was pushed aside."""

    def __init__(self, instrument: InstrumentId, follow: Follow, origin_ns: int, sessions: ChinaSessions) -> None:
        path = follow.path
        super().__init__(
            instrument,
            seed=follow.seed,
            price=follow.price_at_start(),
            volatility=path.volatility,
            origin_ns=origin_ns,
            sessions=sessions,
            tick=lambda _: path.tick,
        )
        self.follow = follow
        self._heard_ns = origin_ns

    def hear(self, step: Bar) -> None:
        super().hear(step)
        self._heard_ns = step.ts_ns

    def minutes(self, after_ns: int, until_ns: int) -> list[Bar]:
        known_ns = -(-self._heard_ns // MINUTE_NS) * MINUTE_NS
        wanted = days().between(day_of(after_ns), min(day_of(until_ns), day_of(known_ns - 1)))
        found = [bar for day in wanted for bar in self._bars(day)]
        return [bar for bar in found if after_ns < bar.ts_ns <= min(until_ns, known_ns)]

    def close_before(self, day: date) -> float:
        before = days().before(day.toordinal())
        if before in self.follow.touched:
            return self._bars(before)[-1].close
        return float(closes(self.follow.path, self.follow.seed, [before])[0])

    def walked(self, day: int) -> dict[int, Bar]:
        """What the exchange brought on a day, by label; of the minute of the origin only the part since."""
        start, end = midnight_ns(day), midnight_ns(day + 1)
        heard = [*self._walked, *([] if self._forming is None else [self._forming])]
        return {bar.ts_ns: bar for bar in heard if start < bar.ts_ns <= end}

    def _bars(self, day: int) -> list[Bar]:
        path = self.follow.path
        made = minutes(path, self.follow.seed, [day], [days().before(day)])
        columns = [column[0].tolist() for column in made[:5]]
        ends = [midnight_ns(day) + (start + 1) * MINUTE_NS for start in minute_starts(path.minutes)]
        bars = [Bar(self.instrument, end, *figures) for end, *figures in zip(ends, *columns, strict=True)]
        if day == day_of(self._heard_ns - 1) or day in self.follow.touched:
            origin_end = -(-self.origin_ns // MINUTE_NS) * MINUTE_NS
            walked = self.walked(day)
            bars = [walked.get(bar.ts_ns, bar) if bar.ts_ns > origin_end else bar for bar in bars]
        return bars


def china_board(exchange: Exchange, now_ns: int, *, interval_ns: int = MINUTE_NS) -> Board:
    """The mainland's board of a market; opened now where it was not."""
    found = exchange.board(CHINA_BOARD)
    if found is None:
        found = Board(name=CHINA_BOARD, sessions=ChinaSessions(), tick=lambda _: 0.01, interval_ns=interval_ns)
        exchange.add_board(found, now_ns)
    return found


def list_china(exchange: Exchange, board: Board, code: str, name: str, path: Path, now_ns: int) -> Stock:
    """List an instrument that follows its path; one that is listed already stays as it is.

    Args:
        board: one whose sessions are ``ChinaSessions``. code: the whole id, as ``600000.SH``.
    """
    assert isinstance(board.sessions, ChinaSessions)
    follow = Follow(path, exchange.seed, now_ns)
    price = follow.price_at_start()
    listing = Listing(code=code, name=name, price=price, volatility=path.volatility, tick=path.tick)
    chronicle = PathChronicle(InstrumentId(code), follow, now_ns, board.sessions)
    return exchange.list_on(board, listing, now_ns, source=follow, chronicle=chronicle)
