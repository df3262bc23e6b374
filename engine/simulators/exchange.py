"""The one market behind every simulated face: listed instruments, prices that move at clock marks, accounts.

It has no task and no clock of its own: whoever holds a clock calls ``advance(now_ns)`` and it works off every mark up
to then. Prices therefore depend on the seed, the marks and what was done to the market, never on who asked when. All
that is done to it from outside (trades' pressure, an operator's price, a listing, a restart) is kept as a list of
``Intervention``; origin, seed and that list are the whole state, so a restarted process finds the same prices.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS
from engine.entropy import Entropy
from engine.simulators.accounts import Account
from engine.simulators.boards import Board, Course, Hours, Standing
from engine.simulators.chronicle import Chronicle
from engine.simulators.prices import FLOOR, PriceSource, Replay, Walk

BARS_KEPT = 9000
"""Bars a stock keeps: 31 days of 288 (contracts/virtual_market.md 4)."""

Listener = Callable[[Bar | Quote | Trade], None]


class Listing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One instrument as it is listed: price at the origin, in its own currency; ``volatility`` is a fraction."""

    code: str
    name: str
    price: float
    industry: str = "科技"
    volatility: float = 0.02
    tick: float = 0.0
    """Price step of a board's listing; 0 is the board's own table."""

    def __post_init__(self) -> None:
        if not self.price >= FLOOR:
            raise ValueError(f"the price of {self.code} must be at least {FLOOR}, not {self.price}")


class Intervention(Struct, frozen=True, kw_only=True):
    """Something done to the market from outside, after the mark that came last."""

    ts_ns: int
    kind: Literal["pressure", "price", "list", "delist", "restart"]
    code: str = ""
    amount: float = 0.0
    listing: Listing | None = None


class Stock:
    """The running state of one listed instrument; ``chronicle`` and ``board`` are those of a board's listing."""

    board: Board | None = None
    chronicle: Chronicle | None = None
    tick: Callable[[float], float] | None = None
    touch: tuple[float, float] | None = None
    """Best bid and ask after the last mark; None where quotes lie around the price."""

    def __init__(self, listing: Listing, source: PriceSource, price: float, listed_day: int | None) -> None:
        self.listing = listing
        self.source = source
        self.price = price
        self.previous_close = 0.0
        self.listed_day = listed_day
        self.pressure = 0.0
        self.bars: deque[Bar] = deque(maxlen=BARS_KEPT)


class Exchange:
    """A market of several stocks and accounts.

    Args:
        listings: what is listed at the origin.
        seed: of the price walks; each code has its own stream, so that one more listing moves no other price.
        origin_ns: the moment before which nothing happened; prices are walked from there at the first ``advance``.
        hours: when marks count; marks in closed hours bring nothing.
        interval_ns: distance of the marks, on the UTC grid.
        volatility_scale: step of the walk at one mark = the listing's volatility times this.
        replay: code -> bars to play instead of a walk. replay_by, gapless: see ``prices.Replay``.
        half_spread: distance of the pushed bid and ask from the price, in price units.
        interventions: of an earlier life of this market.
    """

    pressure_per_share = 2e-8
    """Push of one share on the next step, a fraction; it halves with each mark."""

    def __init__(
        self,
        listings: Iterable[Listing],
        *,
        seed: int,
        origin_ns: int,
        hours: Hours,
        interval_ns: int = 5 * MINUTE_NS,
        volatility_scale: float = 0.2,
        replay: Mapping[str, Sequence[Bar]] | None = None,
        replay_by: Literal["mark", "time"] = "mark",
        gapless: bool = True,
        half_spread: float = 0.0,
        venue: str = "VSM",
        interventions: Sequence[Intervention] = (),
    ) -> None:
        self.seed = seed
        self.origin_ns = origin_ns
        self.interval_ns = interval_ns
        self.venue = venue
        self.half_spread = half_spread
        self.accounts: dict[str, Account] = {}
        self.interventions: list[Intervention] = list(interventions)
        self._hours = hours
        self._volatility_scale = volatility_scale
        self._replay = dict(replay or {})
        self._replay_by = replay_by
        self._gapless = gapless
        self._entropy = Entropy(seed)
        self._pending = deque(self.interventions)
        self._main = Course(None, hours, interval_ns, origin_ns)
        self._courses = [self._main]
        self._listeners: list[Listener] = []
        self._stocks: dict[str, Stock] = {}
        for listing in listings:
            self._list(listing, None)

    # Reading

    @property
    def stocks(self) -> list[Stock]:
        """Listed stocks, by code, without those of boards."""
        return [self._stocks[code] for code in sorted(self._stocks) if self._stocks[code].board is None]

    @property
    def listed(self) -> list[Stock]:
        """Listed stocks, by code, those of every board included."""
        return [self._stocks[code] for code in sorted(self._stocks)]

    def stock(self, code: str) -> Stock | None:
        return self._stocks.get(code)

    def instrument(self, code: str) -> InstrumentId:
        stock = self._stocks.get(code)
        return InstrumentId(code if stock is not None and stock.board is not None else f"{code}.{self.venue}")

    def code_of(self, instrument: str) -> str:
        """The code of an instrument id; where nothing of that name is listed, the id less its last part."""
        stock = self._stocks.get(instrument)
        return instrument if stock is not None and stock.board is not None else instrument.rpartition(".")[0]

    def board(self, name: str) -> Board | None:
        """The board of that name, where it was added."""
        return next((c.board for c in self._courses if c.board is not None and c.board.name == name), None)

    def is_open(self, ts_ns: int) -> bool:
        return self._hours.is_open(ts_ns)

    def next_mark_ns(self) -> int:
        """The mark that ``advance`` has not reached yet; it may lie in closed hours."""
        return min(course.next_mark for course in self._courses)

    def quote(self, code: str, ts_ns: int) -> Quote:
        """Best bid and ask around the one price there is; 1000 shares on each side where there is a spread."""
        stock, half = self._stocks[code], self.half_spread
        price = stock.price
        if stock.touch is not None:
            return Quote(self.instrument(code), ts_ns, *stock.touch, 1000.0, 1000.0)
        size = 1000.0 if half else 0.0
        bid, ask = round(max(FLOOR, price - half), 4), round(price + half, 4)
        return Quote(instrument=self.instrument(code), ts_ns=ts_ns, bid=bid, ask=ask, bid_size=size, ask_size=size)

    # Moving on

    def advance(self, now_ns: int) -> None:
        """Work off every mark up to and including ``now_ns``; a time already passed changes nothing."""
        while self._pending and self._pending[0].ts_ns <= now_ns:
            change = self._pending.popleft()
            self._tick_until(change.ts_ns)
            self._apply(change)
        self._tick_until(now_ns)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each quote, trade and bar as it happens; gives back how to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @property
    def listening(self) -> int:
        """How many listeners there are."""
        return len(self._listeners)

    def add_board(self, board: Board, now_ns: int) -> None:
        """Open a board: nothing moves on it before ``now_ns``.

        Raises:
            ValueError: there is one of that name.
        """
        if self.board(board.name) is not None:
            raise ValueError(f"there is a board {board.name} already")
        self._courses.append(Course(board, board.sessions, board.interval_ns, now_ns))

    def list_on(
        self,
        board: Board,
        listing: Listing,
        now_ns: int,
        *,
        source: PriceSource | None = None,
        chronicle: Chronicle | None = None,
        standing: Standing | None = None,
    ) -> Stock:
        """List an instrument on a board at its price; one that is listed already stays as it is.

        Without ``source`` and ``chronicle`` prices walk, and a past is made up that ends at the listed price.

        A board's listings are not part of ``interventions``: whoever adds the board lists them again, with the
        ``standing`` they had, from which they walk on by other chance; what nobody walked is a time without steps.
        """
        found = self._stocks.get(listing.code)
        if found is not None:
            return found
        seed = self.seed if board.seed is None else board.seed
        rng = Entropy(seed).stream(f"walk/{listing.code}" + (f"/{standing.ts_ns}" if standing else ""))
        price = standing.price if standing else listing.price
        part = board.interval_ns / (5 * MINUTE_NS)
        sigma = listing.volatility * board.volatility_scale
        tick = (lambda _: listing.tick) if listing.tick else board.tick
        walk = Walk(listing.price, sigma, rng, tick=tick, part=part)
        stock = Stock(listing, source or walk, price, None)
        stock.board, stock.tick = board, tick
        stock.touch = standing.touch if standing else (round(price - tick(price), 4), price)
        stock.chronicle = chronicle or Chronicle(
            InstrumentId(listing.code),
            seed=seed,
            price=price,
            volatility=listing.volatility,
            origin_ns=now_ns,
            sessions=board.sessions,
            tick=tick,
        )
        if standing and standing.previous_close:
            stock.previous_close, stock.listed_day = standing.previous_close, board.sessions.trading_day(standing.ts_ns)
        if standing:
            walk.fine = standing.fine
            stock.chronicle.resume(standing)
        self._stocks[listing.code] = stock
        course = next(course for course in self._courses if course.board is board)
        course.codes = sorted([*course.codes, listing.code])
        return stock

    # What is done to the market

    def press(self, code: str, shares: int, now_ns: int) -> None:
        """A trade pushes the coming steps a little; the price of now stays (contracts/virtual_market.md 4)."""
        self._intervene(Intervention(ts_ns=now_ns, kind="pressure", code=code, amount=float(shares)))

    def print_trade(self, code: str, price: float, size: int, now_ns: int) -> None:
        """Tell listeners of an execution between accounts and the market."""
        self._tell(Trade(instrument=self.instrument(code), ts_ns=now_ns, price=price, size=float(size)))

    def set_price(self, code: str, price: float, now_ns: int) -> None:
        """An operator sets a price between marks; no bar is made."""
        self._intervene(Intervention(ts_ns=now_ns, kind="price", code=code, amount=price))

    def list_stock(self, listing: Listing, now_ns: int) -> None:
        self._intervene(Intervention(ts_ns=now_ns, kind="list", code=listing.code, listing=listing))

    def delist(self, code: str, now_ns: int) -> None:
        """Take a stock off the list; accounts keep their lots of it."""
        self._intervene(Intervention(ts_ns=now_ns, kind="delist", code=code))

    def restart(self, now_ns: int) -> None:
        """The server restarts: a second bar with the date of the last mark, previous closes are lost (contract 4)."""
        self._intervene(Intervention(ts_ns=now_ns, kind="restart"))

    # Inside

    def _intervene(self, change: Intervention) -> None:
        self.advance(change.ts_ns)
        stock = self._stocks.get(change.code)
        if stock is None or stock.board is None:
            self.interventions.append(change)
        self._apply(change)

    def _apply(self, change: Intervention) -> None:
        match change.kind:
            case "pressure":
                self._stocks[change.code].pressure += change.amount * self.pressure_per_share
            case "price":
                self._touch(self._stocks[change.code], change.amount)
                self._stocks[change.code].price = change.amount
                self._tell(self.quote(change.code, change.ts_ns))
            case "list":
                assert change.listing is not None
                self._list(change.listing, self._hours.trading_day(change.ts_ns))
            case "delist":
                del self._stocks[change.code]
            case "restart":
                if self._hours.is_open(change.ts_ns):
                    self._tick(self._main, change.ts_ns // self.interval_ns * self.interval_ns)
                for stock in self.stocks:
                    stock.previous_close = stock.price

    def _list(self, listing: Listing, day: int | None) -> None:
        bars = self._replay.get(listing.code)
        source: PriceSource
        if bars:
            source = Replay(bars, by=self._replay_by, gapless=self._gapless)
            price = bars[0].open
        else:
            rng = self._entropy.stream(f"walk/{listing.code}")
            source = Walk(listing.price, listing.volatility * self._volatility_scale, rng)
            price = listing.price
        self._stocks[listing.code] = Stock(listing, source, price, day)

    def _tick_until(self, now_ns: int) -> None:
        while True:
            course = min(self._courses, key=_next_mark) if len(self._courses) > 1 else self._main
            mark = course.next_mark
            if mark > now_ns:
                return
            course.next_mark += course.interval_ns
            if course.hours.is_open(mark):
                self._tick(course, mark)

    def _tick(self, course: Course, mark_ns: int) -> None:
        stocks = self.stocks if course.board is None else [self._stocks[code] for code in course.codes]
        day = course.hours.trading_day(mark_ns)
        if day != course.day:
            course.day = day
            for stock in stocks:
                if stock.listed_day != day:
                    stock.previous_close = stock.price
        moved = [(stock.listing.code, bar) for stock in stocks if (bar := self._move(stock, mark_ns))]
        for code, bar in moved if self._listeners else ():
            self._tell(self.quote(code, mark_ns))
            self._tell(Trade(instrument=bar.instrument, ts_ns=mark_ns, price=bar.close, size=bar.volume))
            self._tell(bar)

    def _move(self, stock: Stock, mark_ns: int) -> Bar | None:
        figures = stock.source.next(mark_ns, stock.price, self._bounds(stock), stock.pressure)
        stock.pressure *= 0.5
        if figures is None:
            return None
        interval_ns = self.interval_ns if stock.board is None else stock.board.interval_ns
        bar = Bar(self.instrument(stock.listing.code), mark_ns, *figures, interval_ns)
        self._touch(stock, bar.close)
        stock.price = bar.close
        stock.bars.append(bar)
        if stock.chronicle is not None:
            stock.chronicle.hear(bar)
        return bar

    def _touch(self, stock: Stock, price: float) -> None:
        """A price that rose is the ask, one that fell the bid; one that stayed leaves both."""
        if stock.tick is None or price == stock.price:
            return
        step = stock.tick(price)
        low = price - step if price > stock.price else price
        stock.touch = (round(low, 4), round(low + step, 4))

    def _bounds(self, stock: Stock) -> tuple[float, float]:
        """Within 50 % of the price an hour ago and 100 % of the previous close (contracts/virtual_market.md 4).

        A board's stay within 9 % of the close before: no daily limit of any exchange is reached.
        """
        if stock.board is not None:
            anchor = stock.previous_close or stock.listing.price
            return anchor * 0.91, anchor * 1.09
        steps = max(1, HOUR_NS // self.interval_ns)
        hour_ago = stock.bars[-steps].close if len(stock.bars) >= steps else stock.price
        highest = hour_ago * 1.5
        if stock.previous_close:
            highest = min(highest, stock.previous_close * 2)
        return max(FLOOR, hour_ago * 0.5), max(FLOOR, highest)

    def _tell(self, event: Bar | Quote | Trade) -> None:
        for listener in tuple(self._listeners):
            listener(event)


def _next_mark(course: Course) -> int:
    return course.next_mark


def origin_before(now_ns: int, history_days: int, utc_offset_ns: int) -> int:
    """The local midnight ``history_days`` before the day of ``now_ns``: a start that two processes agree on."""
    return (now_ns + utc_offset_ns) // DAY_NS * DAY_NS - utc_offset_ns - history_days * DAY_NS
