"""A mainland broker's counter: what the desktop clients of contracts/easyths.md and contracts/ht.md talk to.

The true books, without a wire: orders are checked here and go on to the ``Floor``. Rules are those of ``ChinaA``.
Orders given on a trading day before 09:15, from 09:25 to 09:30 and over lunch wait at the counter; after the close it
takes none. The opening auction's price shows at the first step of the exchange, which is when its deals are told;
nothing matches in the closing auction but at its end.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.ids import AccountId, ClientOrderId, StrategyId
from engine.domain.money import exact
from engine.domain.timestamps import HOUR_NS, MINUTE_NS
from engine.markets.china_a import ChinaA
from engine.markets.china_boards import Phase
from engine.simulators.china import day_of, days, midnight_ns
from engine.simulators.chronicle import mixed
from engine.simulators.counter_books import (
    DEFAULT_SHARES,
    Books,
    CounterAccount,
    Deal,
    Entrust,
    EntrustStatus,
    Funds,
    Holding,
    Opening,
    Share,
    Source,
)
from engine.simulators.counter_floor import NOT_CONTINUOUS, CounterPace, Floor, Listener
from engine.simulators.counter_matching import STRATEGIES, View
from engine.simulators.counter_state import CounterState, enter, market_of_its_own, state_of, steps_of, take_up
from engine.simulators.exchange import Exchange

__all__ = [
    "DEFAULT_SHARES",
    "STRATEGIES",
    "Counter",
    "CounterAccount",
    "CounterPace",
    "CounterRefusal",
    "Deal",
    "Entrust",
    "EntrustStatus",
    "Funds",
    "Holding",
    "Opening",
    "Share",
    "View",
]

UNKNOWN_CODE = "证券代码不存在"
CLOSED = "非交易时间，不允许委托"
BAD_QUANTITY = "委托数量不合法"
BAD_PRICE = "委托价格不合法"
BAD_ORDER = "委托不合法"
BY_RULE = {"LOT": BAD_QUANTITY, "MAX_QTY": "委托数量超过单笔上限", "PRICE_RULE": "委托价格不是最小价差的整数倍"}
"""Code of the rule book's denial -> what the counter says."""
OUTSIDE_LIMITS = "委托价格超出涨跌停价格范围"
NO_STRATEGY = "不支持该市价委托类型"
NO_MONEY = "资金不足"
NO_SHARES = "可用股份不足"
ENDED_ALREADY = "委托单状态错误不能撤单"
AUCTION_FIXED = "集合竞价阶段不允许撤单"

NUMBER_FIRST = 1_000_000_000
"""Contract numbers begin somewhere above it."""
AFTERNOON_NS = 14 * HOUR_NS
"""An hour before the close."""


class CounterRefusal(Exception):
    """The counter refuses at entry: nothing was done. Its text is what the client's window shows."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Counter:
    """One account at one broker.

    Args:
        shares: what it trades; a code the exchange lists already is traded at that price.
        seed: of numbers and partial fills. interval_ns: distance of price steps, where it opens the mainland's board.
        state: of an earlier life, whose seed holds; ``resume`` has to follow.

    Raises:
        ConfigError: the account holds something that is none of the shares.
    """

    def __init__(
        self,
        exchange: Exchange,
        account: CounterAccount,
        *,
        seed: int,
        now_ns: int,
        shares: tuple[Share, ...] = DEFAULT_SHARES,
        pace: CounterPace | None = None,
        rules: ChinaA | None = None,
        interval_ns: int = MINUTE_NS,
        state: CounterState | None = None,
    ) -> None:
        self.keep: Callable[[], None] | None = None
        """Writes ``state`` somewhere, called after what changed the books; None: nobody keeps them."""
        self.exchange = exchange
        self.account = account
        self.pace = CounterPace() if pace is None else pace
        self.rules = ChinaA() if rules is None else rules
        self.shares = shares
        self._by_code = {share.code: share for share in shares}
        self._by_code6 = {share.code6: share for share in shares}
        self.seed = seed if state is None else state.seed
        self._interval_ns = interval_ns
        self._number = NUMBER_FIRST + mixed(self.seed, 11) % 1_000_000_000
        self._serial = (0, 0)
        exchange.advance(now_ns)
        if state is None:
            enter(exchange, shares, now_ns, interval_ns)
        else:
            now_ns = state.stood_ns
            exchange = market_of_its_own(exchange, shares, now_ns, interval_ns, state.steps)
        self.books = Books(account, self._by_code, self.rules)
        self._floor = Floor(exchange, self.books, shares, self.rules, self.pace, self.seed, now_ns)
        if state is not None:
            self._number, self._serial = state.number, state.serial
            take_up(state, self.books, self._floor, self._by_code)

    # An earlier life

    def state(self) -> CounterState:
        """All that a later life goes on with."""
        return state_of(
            self.account.user,
            self.seed,
            self.books,
            self._floor,
            number=self._number,
            serial=self._serial,
        )

    def resume(self, now_ns: int, waits_until_ns: int = 0) -> None:
        """Live through the time since the state was written, then stand in the market of now; once, with all listeners.

        Orders met the market in that time as if the counter had been there. Only the part of it in which something
        could happen is lived through, and what came since the last afternoon, for best bid and ask are those of the
        last move.

        Args:
            waits_until_ns: until when a listener waits for a price.
        """
        market, mine = self.exchange, self._floor.exchange
        self.exchange = mine
        last_ns = min(now_ns, max([waits_until_ns, *(ts_ns for ts_ns, *_ in self._floor.due)]))
        lull_ns = midnight_ns(days().before(day_of(now_ns))) + AFTERNOON_NS
        if max(last_ns, mine.origin_ns) < lull_ns:
            self.advance(last_ns)
            mine = self.exchange = market_of_its_own(market, self.shares, lull_ns, self._interval_ns, {})
            self._floor.stand_in(mine)
        self.advance(now_ns)
        steps = steps_of(self._floor)
        at_ns = now_ns // self._interval_ns * self._interval_ns
        enter(market, self.shares, at_ns, self._interval_ns, steps)
        self.exchange = market
        self._floor.stand_in(market)

    def remember(self) -> None:
        """Have what changed written, where somebody keeps it."""
        if self.books.changed and self.keep is not None and not self._floor.busy:
            self.books.changed = False
            self.keep()

    # Time

    def advance(self, now_ns: int) -> None:
        """Work off everything due up to and including ``now_ns``; a time already passed changes nothing."""
        # A listener acts within a step of the exchange: nobody may move on before all have heard of that step.
        if not self._floor.stepping:
            self.exchange.advance(now_ns)
            self._floor.work(now_ns)
            self.remember()

    def next_due_ns(self) -> int:
        """When something may happen next: a step of the exchange, or an order's own event."""
        mark_ns, due_ns = self.exchange.next_mark_ns(), self._floor.next_due_ns()
        return mark_ns if due_ns is None else min(mark_ns, due_ns)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` at each step of each share's price, after the orders met it; gives back how to stop.

        A listener may place and cancel.
        """
        self._floor.listeners.append(listener)
        return lambda: self._floor.listeners.remove(listener)

    def day(self, now_ns: int) -> int:
        """The trading day of an instant (ordinal): of a closed day the next one."""
        return self.rules.trading_day(now_ns)

    # Prices

    def share(self, code: str) -> Share | None:
        """A share by six digits or by the exchange's code; None: the counter does not know it."""
        return self._by_code.get(code) or self._by_code6.get(code)

    def last(self, share: Share) -> Decimal:
        """The last price, as of the last ``advance``."""
        return exact(self._floor.views[share.code].last).quantize(share.tick)

    def view(self, share: Share) -> View:
        """Best bid and ask and last price, as of the last ``advance``."""
        return self._floor.views[share.code]

    def previous_close(self, share: Share, now_ns: int) -> float:
        """The close before the trading day of an instant."""
        stock = self.exchange.stock(share.code)
        assert stock is not None
        if stock.chronicle is None:
            return stock.previous_close or stock.price
        return stock.chronicle.close_before(date.fromordinal(self.day(now_ns)))

    def limits(self, share: Share, now_ns: int) -> tuple[Decimal, Decimal]:
        """Lowest and highest price of the trading day."""
        band = self.rules.price_band(share.instrument, self.previous_close(share, now_ns), now_ns)
        assert band is not None
        return exact(band[0]).quantize(share.tick), exact(band[1]).quantize(share.tick)

    # Reading; all of it as of now_ns

    def entrusts(self, now_ns: int, days: int = 1) -> list[Entrust]:
        """Orders of the last calendar days, today's included, in the order they came."""
        self.advance(now_ns)
        first = self.day(now_ns) - days + 1
        return [entrust for entrust in self.books.entrusts if entrust.day >= first]

    def live(self, now_ns: int) -> list[Entrust]:
        """Orders that have not ended, in the order they came."""
        self.advance(now_ns)
        return list(self.books.live)

    def deals(self, now_ns: int, days: int = 1) -> list[Deal]:
        """Fills of the last calendar days, today's included, in the order they came."""
        self.advance(now_ns)
        first = self.day(now_ns) - days + 1
        return [deal for deal in self.books.deals if deal.day >= first]

    def holdings(self, now_ns: int) -> list[Holding]:
        """What is held, by code; nothing that is sold out."""
        self.advance(now_ns)
        return self.books.holdings(self._lasts(), self.day(now_ns))

    def funds(self, now_ns: int) -> Funds:
        self.advance(now_ns)
        return self.books.funds(self._lasts(), self.day(now_ns))

    # Orders

    def place(
        self,
        code: str,
        side: Side,
        quantity: int,
        price: Decimal | None,
        now_ns: int,
        *,
        strategy: int = 0,
        source: Source = "client",
        request: int = 0,
    ) -> Entrust:
        """Enter an order.

        Args:
            code: six digits, or the exchange's code. price: of a limit order; of a market order it is not looked at.
            strategy: 1 to 6 for a market order (contracts/easyths.md 3), 0 for a limit order.
            request: number of the request that caused it, for tests.

        Raises:
            CounterRefusal: it is not taken.
        """
        self.advance(now_ns)
        share = self.share(code)
        if share is None:
            raise CounterRefusal(f"{UNKNOWN_CODE}：{code}")
        day = self.day(now_ns)
        self._check_hours(share, strategy, now_ns)
        low, high = self.limits(share, now_ns)
        self._check(share, side, quantity, None if strategy else price, strategy, day)
        if not strategy and price is not None and not low <= price <= high:
            raise CounterRefusal(f"{OUTSIDE_LIMITS}：{low}至{high}")
        worst = high if side is Side.BUY else low
        entrust = Entrust(
            number=self._number + 1 + mixed(self.seed, 13, len(self.books.entrusts)) % 37,
            serial=self._serial[1] + 1 if self._serial[0] == day else 1,
            ts_ns=now_ns,
            day=day,
            share=share,
            side=side,
            quantity=quantity,
            price=None if strategy else price,
            strategy=strategy,
            source=source,
            request=request,
            updated_ns=now_ns,
            limit=worst if strategy or price is None else price,
        )
        needed, free = self.books.reserve(entrust), self.books.cash - self.books.frozen()
        if side is Side.BUY and needed > free:
            raise CounterRefusal(f"{NO_MONEY}：可用{free:.2f}，需要{needed:.2f}")
        self._number, self._serial = entrust.number, (day, entrust.serial)
        self.books.open(entrust)
        self._floor.take(entrust, now_ns)
        self.remember()
        return entrust

    def cancel(self, entrust: Entrust, now_ns: int) -> None:
        """Ask for the rest of an order to be withdrawn; it stays live until the exchange says so, and may fill before.

        A second asking changes nothing.

        Raises:
            CounterRefusal: it has ended, or this is an auction's time without cancels.
        """
        self.advance(now_ns)
        if entrust.is_final:
            raise CounterRefusal(f"{ENDED_ALREADY}：{entrust.number}")
        if self.rules.phase(now_ns) in {Phase.OPENING_FIXED, Phase.CLOSING_AUCTION}:
            raise CounterRefusal(AUCTION_FIXED)
        if entrust.status is not EntrustStatus.CANCEL_ASKED:
            self._floor.ask_back(entrust, now_ns)
            self.remember()

    def reject(self, entrust: Entrust, reason: str, now_ns: int) -> None:
        """Play an exchange that refuses an order after it was accepted (废单); one with fills or at its end stays."""
        self.advance(now_ns)
        self._floor.reject(entrust, reason, now_ns)
        self.remember()

    # Checks at entry

    def _check_hours(self, share: Share, strategy: int, now_ns: int) -> None:
        if self.rules.takes_from_ns(now_ns) is None:
            raise CounterRefusal(CLOSED)
        if strategy and strategy not in STRATEGIES[share.market]:
            raise CounterRefusal(f"{NO_STRATEGY}：{strategy}")
        if strategy and self.rules.phase(now_ns) is not Phase.CONTINUOUS:
            raise CounterRefusal(NOT_CONTINUOUS)

    def _check(self, share: Share, side: Side, quantity: int, price: Decimal | None, strategy: int, day: int) -> None:
        if not strategy and (price is None or price <= 0):
            raise CounterRefusal(BAD_PRICE)
        sellable = self.books.sellable(share.code, day)
        if quantity <= 0:
            raise CounterRefusal(f"{BAD_QUANTITY}：{quantity}")
        if side is Side.SELL and quantity > sellable:
            raise CounterRefusal(f"{NO_SHARES}：可用{sellable}，需要{quantity}")
        order = SubmitOrder(
            client_id=ClientOrderId(""),
            account=AccountId(self.account.user),
            strategy=StrategyId(""),
            instrument=share.instrument.id,
            side=side,
            quantity=quantity,
            ts_ns=0,
            type=OrderType.MARKET if strategy else OrderType.LIMIT,
            price=price,
        )
        denial = self.rules.form(order, share.instrument, sellable)
        if denial is not None:
            raise CounterRefusal(f"{BY_RULE.get(denial.code, BAD_ORDER)}：{share.code6}")

    def _lasts(self) -> dict[str, Decimal]:
        return {share.code: self.last(share) for share in self.shares}
