"""A strategy's hands: everything it may do to the world."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from engine.asking import Ask, CallRequest
from engine.clock import Clock
from engine.declared import Declarations
from engine.domain.algos import Algo, SubmitAlgo
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
from engine.domain.events import SubscriptionRequested
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instructions import (
    Action,
    CancelConditions,
    ConditionBuy,
    ReverseRepo,
    StopLossProfit,
    SubmitInstruction,
    SubscribeIpo,
)  # fmt: skip
from engine.domain.instrument import Instrument
from engine.domain.market import DataKind
from engine.domain.money import exact
from engine.domain.order import Order
from engine.domain.timestamps import duration_ns
from engine.history import Bars, History
from engine.portfolio import Portfolio
from engine.ports import StatementTable, StatementView
from engine.series import BarSeries
from engine.terms import as_int, order_fields, refuse_unless_sound, whole

# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_MARKET, _LIMIT, _DAY, _AUTO = OrderType.MARKET, OrderType.LIMIT, TimeInForce.DAY, Offset.AUTO


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
    state: Any = None


class Desk(Protocol):
    """What the runner lends a context: timers, subscriptions of its own, the clock, the orders."""

    clock: Clock

    def working(self, strategy: StrategyId) -> Sequence[Order]: ...

    def add_timer(self, strategy: StrategyId, name: str, spec: Any, callback: Callable[..., Any] | None) -> None: ...

    def note(self, strategy: StrategyId, text: str, fields: Mapping[str, Any]) -> None: ...


class Context:
    """Everything a strategy may do to the world; one a strategy."""

    __slots__ = ("__dict__", "__weakref__", "orders_made")

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
        bar_interval_ns: int = 0,
        orders_made: int = 0,
        instructions_made: int = 0,
        algos_made: int = 0,
        submit: Callable[[SubmitOrder], object] | None = None,
        plain: Callable[[SubmitOrder, Instrument], object] | None = None,
        hand: Callable[["Context"], Any] | None = None,
        statements: StatementTable | None = None,
    ) -> None:
        """``submit``: where orders go, if not by ``publish``; ``plain``: where those of ``plain`` go, if not there;
        ``hand``: gives what stands in for ``plain`` and ``position`` (``runtime.compiled_way``);
        ``orders_made``, ``instructions_made``, ``algos_made``: numbers already given away."""
        self.strategy = strategy
        self.account = account
        self.instruments = tuple(instruments)
        self.catalogue = catalogue
        self.orders_made = orders_made
        self.instructions_made = instructions_made
        self.algos_made = algos_made
        self._publish = publish
        self._submit = send = submit or publish
        self._plain = plain or (lambda order, _instrument: send(order))
        self._portfolio = portfolio
        self._history = history
        self._desk = desk
        self.clock = desk.clock
        self._queries = queries
        self._statements = statements
        self.bar_interval_ns = bar_interval_ns
        """Which bars ``on_bar`` wants; 0 takes those the source has."""
        self.mains: Mapping[str, InstrumentId] = {}
        """Product -> its main contract now."""
        self.id_prefix = id_prefix or f"{strategy}-"
        self.declared = Declarations()
        if hand is not None:
            self.plain, self.position = hand(self)  # type: ignore[method-assign]

    @property
    def now_ns(self) -> int:
        return self.clock.now_ns

    def submit(
        self,
        side: Side,
        instrument: str,
        quantity: int,
        price: float | Decimal | None = None,
        *,
        type: OrderType | None = None,  # noqa: A002 - the field's word, and users write it
        stop_price: float | Decimal | None = None,
        tif: TimeInForce = _DAY,
        offset: Offset = _AUTO,
        group: str = "",
        **words: Any,
    ) -> ClientOrderId:
        """Make one order and hand it to the risk gate; its fate comes as events.

        Args:
            words: ``terms.WORDS``.

        Raises:
            ConfigError: the instrument is not known, or the words do not go together.
        """
        if words:
            order = self.an_order(side, instrument, quantity, price, offset, stop_price=stop_price, tif=tif, **words)
            self.orders_made += 1
            self._submit(order)
            return order.client_id
        if price is None and type is None and stop_price is None and tif is _DAY and offset is _AUTO and not group:
            return self.plain(side, instrument, quantity)
        spec = self.known(instrument)
        self.orders_made += 1
        client_id = ClientOrderId(f"{self.id_prefix}{self.orders_made}")
        self._submit(
            SubmitOrder(
                client_id=client_id, account=self.account, strategy=self.strategy, instrument=spec.id, side=side,
                quantity=as_int(quantity), ts_ns=self.clock.now_ns,
                type=type or (_MARKET if price is None else _LIMIT),
                price=None if price is None else spec.round_price(price),
                stop_price=None if stop_price is None else spec.round_price(stop_price),
                tif=tif, offset=offset, group=group,
            )
        )  # fmt: skip
        return client_id

    def plain(self, side: Side, instrument: str, quantity: int) -> ClientOrderId:
        """``submit`` of an order that says nothing else: at the market, for the day."""
        spec = self.catalogue.get(instrument) or self.known(instrument)  # type: ignore[call-overload]
        number = self.orders_made = self.orders_made + 1
        # A NewType is a call, and words that say what is so anyway take as long to hand over as all the others; this is
        # done for every order of a replay.
        client_id: ClientOrderId = f"{self.id_prefix}{number}"  # type: ignore[assignment]
        send = self._plain
        if quantity.__class__ is not int:
            quantity = as_int(quantity)
        send(
            SubmitOrder(
                client_id=client_id, account=self.account, strategy=self.strategy, instrument=spec.id, side=side,
                quantity=quantity, ts_ns=self.clock.now_ns,
            ),
            spec,
        )  # fmt: skip
        return client_id

    def an_order(
        self,
        side: Side,
        instrument: str,
        quantity: int,
        price: float | Decimal | None = None,
        offset: Offset = _AUTO,
        **words: Any,
    ) -> SubmitOrder:
        """The order that words describe, with the number that comes next; it goes nowhere yet."""
        spec = self.known(instrument)
        return SubmitOrder(
            client_id=ClientOrderId(f"{self.id_prefix}{self.orders_made + 1}"),
            account=self.account,
            strategy=self.strategy,
            instrument=spec.id,
            side=side,
            quantity=whole(quantity),
            ts_ns=self.now_ns,
            offset=offset,
            **order_fields(spec, price, words, self.now_ns),
        )

    def known(self, instrument: str) -> Instrument:
        """The instrument; a ConfigError where there is none of that id."""
        spec = self.catalogue.get(InstrumentId(instrument))
        if spec is None:
            raise ConfigError(f"{self.strategy}: {instrument!r} is not known; add it to config/instruments.toml")
        return spec

    def play(self, algo: Algo, side: Side, instrument: str, quantity: int) -> ClientOrderId:
        """Have the engine play a parent; its fate comes as ``AlgoChanged`` to ``on_algo``."""
        spec, quantity = self.known(instrument), whole(quantity)
        refuse_unless_sound(algo, self.strategy)
        self.algos_made += 1
        client_id = ClientOrderId(f"{self.id_prefix}a{self.algos_made}")
        self._publish(
            SubmitAlgo(
                client_id=client_id, account=self.account, strategy=self.strategy, instrument=spec.id, side=side,
                quantity=quantity, ts_ns=self.now_ns, algo=algo,
            )
        )  # fmt: skip
        return client_id

    def cancel(self, client_id: ClientOrderId) -> None:
        self._publish(CancelOrder(client_id=client_id, ts_ns=self.clock.now_ns, who=self.strategy))

    def replace(self, client_id: ClientOrderId, quantity: int, price: float | Decimal | None) -> None:
        """
        Raises:
            ConfigError: the quantity is no whole number.
        """
        quantity = whole(quantity)
        order = next((o for o in self._desk.working(self.strategy) if o.request.client_id == client_id), None)
        if order is None:
            return
        spec = self.catalogue[order.request.instrument]
        limit = order.price if price is None else spec.round_price(price)
        self._publish(ReplaceOrder(client_id=client_id, ts_ns=self.clock.now_ns, quantity=quantity, price=limit))

    def liquidate(self) -> tuple[ClientOrderId, ...]:
        """Sell everything the account holds in one request, where the venue has such a command."""
        held = self._portfolio.accounts[self.account].positions
        group = f"{self.id_prefix}g{self.orders_made + 1}"
        chosen = [(i, p.quantity) for i, p in held.items() if p.quantity > 0]
        return tuple(self.submit(Side.SELL, i, q, type=OrderType.LIQUIDATE, group=group) for i, q in chosen)

    def instruct(self, action: Action, instrument: str = "") -> ClientOrderId:
        """Ask the broker for what is no order; its fate comes as ``InstructionReport`` to ``on_instruction``.

        Raises:
            ConfigError: the instrument is not known.
        """
        if instrument:
            self.known(instrument)
        refuse_unless_sound(action, self.strategy)
        self.instructions_made += 1
        client_id = ClientOrderId(f"{self.id_prefix}i{self.instructions_made}")
        self._publish(
            SubmitInstruction(
                client_id=client_id, account=self.account, strategy=self.strategy, action=action,
                ts_ns=self.clock.now_ns, instrument=InstrumentId(instrument),
            )
        )  # fmt: skip
        return client_id

    def condition_buy(
        self, instrument: str, target_price: float | Decimal, quantity: int, expire_days: int = 30
    ) -> ClientOrderId:
        spec = self.catalogue.get(InstrumentId(instrument))
        price = exact(target_price) if spec is None else spec.round_price(target_price)
        return self.instruct(ConditionBuy(target_price=price, quantity=quantity, expire_days=expire_days), instrument)

    def stop_loss_profit(
        self,
        instrument: str,
        stop_loss_percent: float | Decimal,
        stop_profit_percent: float | Decimal,
        quantity: int,
        expire_days: int = 30,
    ) -> ClientOrderId:
        action = StopLossProfit(
            stop_loss_percent=exact(stop_loss_percent),
            stop_profit_percent=exact(stop_profit_percent),
            quantity=quantity,
            expire_days=expire_days,
        )
        return self.instruct(action, instrument)

    def cancel_conditions(self, instrument: str, side: Side | str) -> ClientOrderId:
        return self.instruct(CancelConditions(side=Side(side)), instrument)

    def reverse_repo(self, instrument: str, amount: int) -> ClientOrderId:
        return self.instruct(ReverseRepo(amount=amount), instrument)

    def subscribe_ipo(self) -> ClientOrderId:
        return self.instruct(SubscribeIpo())

    def working_orders(self, instrument: str | None = None) -> tuple[WorkingOrder, ...]:
        return tuple(
            WorkingOrder(
                client_id=o.request.client_id, instrument=o.request.instrument, side=o.request.side,
                quantity=o.quantity, cum=o.cum, leaves=o.leaves, price=o.price, state=o.state,
            )
            for o in self._desk.working(self.strategy)
            if instrument is None or o.request.instrument == instrument
        )  # fmt: skip

    def main(self, product: str) -> InstrumentId | None:
        """The main contract of a futures product at this moment; None before the first is known."""
        return self.mains.get(product.upper())

    def statements(self) -> StatementView:
        """Financial statements as they are known at this moment: what is announced later can not be seen.

        Raises:
            ConfigError: the run has none.
        """
        if self._statements is None:
            raise ConfigError("this run has no financial statements; fetch some into its catalog: data statements")
        return self._statements.as_of(self.now_ns)

    def position(self, instrument: str) -> int:
        return self._portfolio.strategy_quantity(self.strategy, instrument)  # type: ignore[arg-type]

    def sellable(self, instrument: str) -> int:
        return self._portfolio.sellable(self.account, InstrumentId(instrument), self.clock.now_ns)

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
        self.known(instrument)
        self._publish(
            SubscriptionRequested(
                strategy=self.strategy,
                instrument=InstrumentId(instrument),
                kind=DataKind(kind),
                interval_ns=duration_ns(interval) if interval else 0,
            )
        )

    def bars(self, instrument: str, interval: str | int = 0) -> BarSeries:
        """Subscribes them, and gives their series.

        Raises:
            ConfigError: the instrument is not known; the strategy runs already.
        """
        interval_ns = duration_ns(interval) if interval else self.bar_interval_ns
        found = self.declared.bars(InstrumentId(instrument), interval_ns)
        self.subscribe(instrument, DataKind.BAR, interval_ns)
        return found

    def query(self, gateway: str, route: str, args: Mapping[str, str]) -> Ask:
        if self._queries is None:
            raise ConfigError(f"{self.strategy}: there is no gateway {gateway!r} to ask in this run")
        return Ask(CallRequest(self._queries, (gateway, route, args)))

    def add_timer(self, name: str, spec: Any, callback: Callable[..., Any] | None) -> None:
        self._desk.add_timer(self.strategy, name, spec, callback)

    def note(self, text: str, fields: Mapping[str, Any]) -> None:
        self._desk.note(self.strategy, text, fields)
