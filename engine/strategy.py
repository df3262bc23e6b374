"""What a strategy is (``Strategy``) and what it can do (``Context``, its hands)."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from engine.domain.commands import (
    CancelOrder,
    Offset,
    OrderType,
    ReplaceOrder,
    Side,
    SubmitOrder,
    TimeInForce,
)
from engine.domain.errors import ConfigError
from engine.domain.events import Fill, OrderDenied, OrderEvent, SubscriptionRequested, TimerFired
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, DataKind, FeedStatus, OrderBook, Quote, Trade
from engine.domain.order import Order
from engine.domain.timestamps import duration_ns
from engine.history import Bars, History
from engine.params import fill_parameters
from engine.portfolio import Portfolio

Handled = Coroutine[Any, Any, None] | None
"""What a handler gives back: nothing (``def``) or a coroutine (``async def``)."""


class WorkingOrder(Struct, frozen=True, kw_only=True, gc=False):
    """One order of the strategy that may still fill, as it stood when it was asked for."""

    client_id: ClientOrderId
    instrument: InstrumentId
    side: Side
    quantity: int
    cum: int
    leaves: int
    price: Decimal | None
    state: str


class Recovered(Struct, frozen=True, kw_only=True):
    """What a strategy gets after a restart: act on this, not on what it remembers having sent."""

    positions: Mapping[InstrumentId, int]
    working: Sequence[WorkingOrder]


class SleepRequest(Struct, frozen=True):
    duration_ns: int


class NextBarRequest(Struct, frozen=True):
    instrument: InstrumentId


class CallRequest(Struct, frozen=True):
    function: Callable[..., Any]
    args: tuple[Any, ...]


class Ask:
    """The only thing an ``async def`` handler may await: a request its runner understands."""

    __slots__ = ("request",)

    def __init__(self, request: Any) -> None:
        self.request = request

    def __await__(self) -> Any:
        answer = yield self.request
        return answer


class Desk(Protocol):
    """What the runner lends a context: timers, subscriptions of its own, the clock, the orders."""

    @property
    def now_ns(self) -> int: ...

    def working(self, strategy: StrategyId) -> Sequence[Order]: ...

    def add_timer(self, strategy: StrategyId, name: str, spec: Any, callback: Callable[..., Any] | None) -> None: ...

    def note(self, strategy: StrategyId, text: str, fields: Mapping[str, Any]) -> None: ...


class Context:
    """Everything a strategy may do to the world; one a strategy."""

    def __init__(
        self,
        *,
        strategy: StrategyId,
        account: AccountId,
        instruments: Sequence[InstrumentId],
        catalogue: Mapping[InstrumentId, Instrument],
        publish: Callable[[Any], None],
        portfolio: Portfolio,
        history: History,
        desk: Desk,
        queries: Callable[[str, str, Mapping[str, str]], Any] | None = None,
        id_prefix: str = "",
        orders_made: int = 0,
    ) -> None:
        self.strategy = strategy
        self.account = account
        self.instruments = tuple(instruments)
        self.catalogue = catalogue
        self.orders_made = orders_made
        self._publish = publish
        self._portfolio = portfolio
        self._history = history
        self._desk = desk
        self._queries = queries
        self._prefix = id_prefix or f"{strategy}-"

    @property
    def now_ns(self) -> int:
        return self._desk.now_ns

    def submit(
        self,
        side: Side,
        instrument: str,
        quantity: int,
        price: float | Decimal | None = None,
        *,
        type: OrderType | None = None,  # noqa: A002 - the field's word, and users write it
        stop_price: float | Decimal | None = None,
        tif: TimeInForce = TimeInForce.DAY,
        offset: Offset = Offset.AUTO,
        group: str = "",
    ) -> ClientOrderId:
        """Make one order and hand it to the risk gate; its fate comes as events.

        Raises:
            ConfigError: the instrument is not known.
        """
        spec = self.catalogue.get(instrument)  # type: ignore[call-overload]
        if spec is None:
            raise ConfigError(f"{self.strategy}: {instrument!r} is not known; add it to config/instruments.toml")
        self.orders_made += 1
        client_id = ClientOrderId(f"{self._prefix}{self.orders_made}")
        self._publish(
            SubmitOrder(
                client_id=client_id,
                account=self.account,
                strategy=self.strategy,
                instrument=spec.id,
                side=side,
                quantity=quantity,
                ts_ns=self._desk.now_ns,
                type=type or (OrderType.MARKET if price is None else OrderType.LIMIT),
                price=None if price is None else spec.round_price(price),
                stop_price=None if stop_price is None else spec.round_price(stop_price),
                tif=tif,
                offset=offset,
                group=group,
            )
        )
        return client_id

    def cancel(self, client_id: ClientOrderId) -> None:
        self._publish(CancelOrder(client_id=client_id, ts_ns=self._desk.now_ns, who=self.strategy))

    def replace(self, client_id: ClientOrderId, quantity: int, price: float | Decimal | None) -> None:
        order = next((o for o in self._desk.working(self.strategy) if o.request.client_id == client_id), None)
        if order is None:
            return
        spec = self.catalogue[order.request.instrument]
        limit = order.price if price is None else spec.round_price(price)
        self._publish(ReplaceOrder(client_id=client_id, ts_ns=self._desk.now_ns, quantity=quantity, price=limit))

    def liquidate(self) -> tuple[ClientOrderId, ...]:
        """Sell everything the account holds in one request, where the venue has such a command."""
        held = self._portfolio.accounts[self.account].positions
        group = f"{self._prefix}g{self.orders_made + 1}"
        chosen = [(i, p.quantity) for i, p in held.items() if p.quantity > 0]
        return tuple(self.submit(Side.SELL, i, q, type=OrderType.LIQUIDATE, group=group) for i, q in chosen)

    def working_orders(self, instrument: str | None = None) -> tuple[WorkingOrder, ...]:
        return tuple(
            WorkingOrder(
                client_id=o.request.client_id,
                instrument=o.request.instrument,
                side=o.request.side,
                quantity=o.quantity,
                cum=o.cum,
                leaves=o.leaves,
                price=o.price,
                state=o.state,
            )
            for o in self._desk.working(self.strategy)
            if instrument is None or o.request.instrument == instrument
        )

    def position(self, instrument: str) -> int:
        return self._portfolio.strategy_quantity(self.strategy, InstrumentId(instrument))

    def sellable(self, instrument: str) -> int:
        return self._portfolio.sellable(self.account, InstrumentId(instrument), self._desk.now_ns)

    def cash(self, currency: str | None = None) -> Decimal:
        book = self._portfolio.accounts[self.account]
        return book.available_cash(currency or book.currency)

    def equity(self) -> Decimal:
        return self._portfolio.equity(self.account)

    def mark(self, instrument: str) -> float | None:
        return self._portfolio.marks.get(InstrumentId(instrument))

    def history(self, instrument: str, n: int, interval: str | int = 0) -> Bars:
        return self._history.last(InstrumentId(instrument), n, duration_ns(interval) if interval else 0)

    def subscribe(self, instrument: str, kind: DataKind, interval: str | int = 0) -> None:
        if instrument not in self.catalogue:
            raise ConfigError(f"{self.strategy}: {instrument!r} is not known; add it to config/instruments.toml")
        self._publish(
            SubscriptionRequested(
                strategy=self.strategy,
                instrument=InstrumentId(instrument),
                kind=DataKind(kind),
                interval_ns=duration_ns(interval) if interval else 0,
            )
        )

    def query(self, gateway: str, route: str, args: Mapping[str, str]) -> Ask:
        if self._queries is None:
            raise ConfigError(f"{self.strategy}: there is no gateway {gateway!r} to ask in this run")
        return Ask(CallRequest(self._queries, (gateway, route, args)))

    def add_timer(self, name: str, spec: Any, callback: Callable[..., Any] | None) -> None:
        self._desk.add_timer(self.strategy, name, spec, callback)

    def note(self, text: str, fields: Mapping[str, Any]) -> None:
        self._desk.note(self.strategy, text, fields)


class Every(Struct, frozen=True):
    """Fires at whole multiples of the period since midnight UTC."""

    period_ns: int


class DailyAt(Struct, frozen=True):
    """Fires once a calendar day at a wall-clock time of a zone."""

    hour: int
    minute: int
    second: int
    tz: str


class Strategy:
    """Write one file, subclass this, override the handlers you need; each may be ``def`` or ``async def``.

    The same file runs in backtest, replay, paper and live. A handler hears what it caused itself only after it
    returned. An ``async def`` handler may await ``sleep``, ``next_bar``, ``call`` and ``query``, and nothing else;
    while it waits, only this strategy's later events wait with it.
    """

    ctx: Context

    def __init__(self, **parameters: Any) -> None:
        for name, value in fill_parameters(type(self), parameters).items():
            setattr(self, name, value)

    # --- handlers ----------------------------------------------------------------------------------------------------

    def on_start(self) -> Handled:
        """Once, before any event."""

    def on_bar(self, bar: Bar) -> Handled:
        """A bar ended."""

    def on_quote(self, quote: Quote) -> Handled:
        """Best bid and ask."""

    def on_trade(self, trade: Trade) -> Handled:
        """A print on the market."""

    def on_book(self, book: OrderBook) -> Handled:
        """The market's order book."""

    def on_order(self, event: OrderEvent | OrderDenied) -> Handled:
        """Something happened to one of this strategy's orders; ``event.state`` is where it stands."""

    def on_fill(self, fill: Fill) -> Handled:
        """One of this strategy's orders filled, in part or in full."""

    def on_timer(self, timer: TimerFired) -> Handled:
        """A timer without a function of its own is due."""

    def on_feed(self, status: FeedStatus) -> Handled:
        """A feed connected, went stale or was lost."""

    def on_recovered(self, snapshot: Recovered) -> Handled:
        """After ``on_start`` of a restarted run: what is held and what still works."""

    def on_stop(self) -> Handled:
        """Last; orders made here are denied."""

    # --- orders ------------------------------------------------------------------------------------------------------

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        """The instruments config gave this strategy."""
        return self.ctx.instruments

    @property
    def now_ns(self) -> int:
        """This moment, nanoseconds UTC: the event's time in replay, the clock's in live."""
        return self.ctx.now_ns

    def buy(self, instrument: str, quantity: int, price: float | Decimal | None = None, **terms: Any) -> ClientOrderId:
        """Buy: at market, or at ``price`` or better. Terms: ``type stop_price tif offset``."""
        return self.ctx.submit(Side.BUY, instrument, quantity, price, **terms)

    def sell(self, instrument: str, quantity: int, price: float | Decimal | None = None, **terms: Any) -> ClientOrderId:
        """Sell what is held: at market, or at ``price`` or better."""
        return self.ctx.submit(Side.SELL, instrument, quantity, price, **terms)

    def sell_short(self, instrument: str, quantity: int, price: float | None = None, **terms: Any) -> ClientOrderId:
        """Sell what is not held, where the venue allows it."""
        return self.ctx.submit(Side.SELL_SHORT, instrument, quantity, price, **terms)

    def buy_back(self, instrument: str, quantity: int, price: float | None = None, **terms: Any) -> ClientOrderId:
        """Cover a short sale."""
        return self.ctx.submit(Side.BUY_BACK, instrument, quantity, price, **terms)

    def buy_all_in(self, instrument: str) -> ClientOrderId | None:
        """Spend all cash in one request, where the venue has such a command; None if not one unit can be paid."""
        mark = self.ctx.mark(instrument)
        worst = int(self.cash() / Decimal(repr(mark))) if mark else 0
        return self.ctx.submit(Side.BUY, instrument, worst, type=OrderType.ALL_IN) if worst > 0 else None

    def sell_all(self, instrument: str) -> ClientOrderId | None:
        """Sell all that may be sold, sized by the venue; None if nothing may."""
        worst = self.ctx.sellable(instrument)
        return self.ctx.submit(Side.SELL, instrument, worst, type=OrderType.SELL_ALL) if worst > 0 else None

    def liquidate(self) -> tuple[ClientOrderId, ...]:
        """Sell everything the account holds in one request, where the venue has such a command."""
        return self.ctx.liquidate()

    def order_target(self, instrument: str, target: int, price: float | None = None) -> ClientOrderId | None:
        """Buy or sell what is missing to hold ``target``, counting what already works; None if nothing is."""
        working = sum(o.side.sign * o.leaves for o in self.ctx.working_orders(instrument))
        missing = target - self.position(instrument) - working
        if missing == 0:
            return None
        return self.ctx.submit(Side.BUY if missing > 0 else Side.SELL, instrument, abs(missing), price)

    def cancel(self, client_id: ClientOrderId) -> None:
        """Ask the venue to withdraw an order; no limit ever refuses this."""
        self.ctx.cancel(client_id)

    def cancel_all(self, instrument: str | None = None) -> None:
        """``cancel`` for every working order of this strategy, of one instrument or of all."""
        for order in self.ctx.working_orders(instrument):
            self.ctx.cancel(order.client_id)

    def replace(self, client_id: ClientOrderId, quantity: int, price: float | Decimal | None = None) -> None:
        """Change the price, or lower the quantity, where the venue can; ``on_order`` tells."""
        self.ctx.replace(client_id, quantity, price)

    # --- what is ------------------------------------------------------------------------------------------------------

    def position(self, instrument: str) -> int:
        """What this strategy's own fills add up to."""
        return self.ctx.position(instrument)

    def sellable(self, instrument: str) -> int:
        """What the account may sell now: settled, and not promised to another order."""
        return self.ctx.sellable(instrument)

    def cash(self, currency: str | None = None) -> Decimal:
        """The account's cash less what working orders may cost."""
        return self.ctx.cash(currency)

    def equity(self) -> Decimal:
        """The account's worth at the latest marks, in its base currency."""
        return self.ctx.equity()

    def working_orders(self, instrument: str | None = None) -> tuple[WorkingOrder, ...]:
        """This strategy's orders that may still fill, undecided ones included."""
        return self.ctx.working_orders(instrument)

    def history(self, instrument: str, n: int, interval: str | int = 0) -> Bars:
        """The last ``n`` ended bars as read-only numpy views, oldest first; fewer if there are not so many yet."""
        return self.ctx.history(instrument, n, interval)

    # --- asking for more ----------------------------------------------------------------------------------------------

    def subscribe(self, instrument: str, kind: DataKind | str = DataKind.BAR, interval: str | int = 0) -> None:
        """Ask for market data besides what the handlers imply; in ``on_start`` or later."""
        self.ctx.subscribe(instrument, DataKind(kind), interval)

    def every(self, period: str, function: Callable[..., Any] | None = None, *, name: str = "") -> None:
        """Call ``function()`` at whole multiples of ``period`` (UTC), or ``on_timer`` if none is given."""
        self.ctx.add_timer(name or f"every {period}", Every(duration_ns(period)), function)

    def at(self, time: str, function: Callable[..., Any] | None = None, *, tz: str, name: str = "") -> None:
        """Call ``function()`` each day at ``"14:55"`` or ``"14:55:30"`` in zone ``tz``, or ``on_timer``."""
        parts = [int(part) for part in time.split(":")] if time.replace(":", "").isdigit() else []
        if len(parts) not in (2, 3) or parts[0] > 23 or max(parts[1:]) > 59:
            raise ConfigError(f"at({time!r}): write hours and minutes, as in '14:55'")
        hour, minute, second = (*parts, 0)[:3]
        self.ctx.add_timer(name or f"at {time}", DailyAt(hour, minute, second, tz), function)

    def sleep(self, duration: str) -> Ask:
        """``await self.sleep("30s")`` in an ``async def`` handler."""
        return Ask(SleepRequest(duration_ns(duration)))

    def next_bar(self, instrument: str) -> Ask:
        """``bar = await self.next_bar(instrument)``: that bar comes here instead of to ``on_bar``."""
        return Ask(NextBarRequest(InstrumentId(instrument)))

    def call(self, function: Callable[..., Any], *args: Any) -> Ask:
        """``answer = await self.call(f, ...)``: the door to the outside (HTTP, files, slow work).

        ``f`` may be ``def`` (runs in a thread) or ``async def``; the answer is recorded, so that replay repeats it.
        What ``f`` raises is raised here as ``RuntimeError``.
        """
        return Ask(CallRequest(function, args))

    def query(self, gateway: str, route: str, **args: str) -> Ask:
        """``answer = await self.query("virtual_market", "ranking", limit="3")``: any reading route of a gateway."""
        return self.ctx.query(gateway, route, args)

    def log(self, text: str, **fields: Any) -> None:
        """One structured line, with this strategy's name and the event's time."""
        self.ctx.note(text, fields)
