"""A core that plays algos, over a venue that does what the test says, and that can be killed and started again."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.clock import ReplayClock
from engine.context import Context
from engine.domain.account import CancelScope, Capabilities
from engine.domain.algos import AlgoChanged
from engine.domain.commands import OrderType, SubmitOrder, TimeInForce
from engine.domain.events import Alert, Fill, OrderDenied, OrderEvent, OrderSubmitted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, Quote, Trade
from engine.domain.order import TERMINAL, Evidence, Order, OrderReport, Proof
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.execution import CancelWanted
from engine.journal.memory import MemoryJournal
from engine.markets.free import Free
from engine.risk.limit import Limit
from engine.runtime.wiring import Core, join
from engine.strategy import Strategy

NAME = InstrumentId("CY.VSM")
ACCOUNT = AccountId("a")
START_NS = 1_000 * MINUTE_NS
PLAIN = frozenset({OrderType.MARKET, OrderType.LIMIT})


class Writes(Strategy):
    """Does nothing; writes down what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        self.heard.append(event)

    def on_fill(self, fill: Fill) -> None:
        self.heard.append(fill)

    def on_algo(self, event: AlgoChanged) -> None:
        self.heard.append(event)

    def on_quote(self, quote: Quote) -> None:
        """Hears prices, as a strategy that trades does."""


class House:
    """One life of the engine; ``again()`` gives the next, from the same journal."""

    def __init__(
        self,
        *,
        limits: tuple[Limit, ...] = (),
        journal: MemoryJournal | None = None,
        clock: ReplayClock | None = None,
        lot: int = 1,
        sheet: dict[str, Any] | None = None,
        held: int = 0,
    ) -> None:
        self.terms: dict[str, Any] = {"limits": limits, "lot": lot, "sheet": sheet, "held": held}
        self.clock = clock or ReplayClock(START_NS)
        self.journal = journal or MemoryJournal()
        self.alerts: list[Alert] = []
        self.sent: list[SubmitOrder] = []
        """What reached the venue in this life."""
        self.asked: list[ClientOrderId] = []
        """Cancels that reached it."""
        self.answers: Callable[[SubmitOrder], None] = lambda _order: None
        self.withdraws: Callable[[Order], None] = lambda _order: None
        fields: dict[str, Any] = {
            "order_types": PLAIN, "tifs": frozenset({TimeInForce.DAY, TimeInForce.GTC}), "echoes_client_id": True,
            "cancel_scope": CancelScope.ORDER, **(sheet or {}),
        }  # fmt: skip
        self.core = core = Core(
            clock=self.clock,
            journal=self.journal,
            instruments={NAME: Instrument(id=NAME, currency="COIN", lot=lot)},
            books={"free": Free(commission=Decimal(0))},
            limits=limits,
            sheets={ACCOUNT: Capabilities(gateway="venue", **fields)},
            outside=lambda *_: None,
            note=lambda *_: None,
        )
        core.portfolio.open_account(ACCOUNT, "COIN", Decimal(1_000_000))
        join(core, self, keep_history=True, subscriptions=self._subscribe, watchers=[(Alert, self.alerts.append)])
        fresh = self.journal.next_seq == 1
        if not fresh:
            core.manager.recover([record for _, record in self.journal.records()], core.relive)
        self.strategy = Writes()
        context = Context(
            strategy=StrategyId("s"), account=ACCOUNT, instruments=(NAME,), catalogue=core.instruments,
            publish=core.bus.publish, portfolio=core.portfolio, history=core.history, desk=core.runner,
            orders_made=core.manager.orders_made.get(StrategyId("s"), 0),
            algos_made=core.algos.made.get(StrategyId("s"), 0),
        )  # fmt: skip
        core.runner.seat(StrategyId("s"), self.strategy, context)

    def start(self) -> "House":
        self.core.runner.start()
        self.core.algos.resume()
        return self

    def again(self) -> "House":
        """Killed and started anew: all that is left is the journal."""
        return House(journal=self.journal, clock=self.clock, **self.terms)

    def _subscribe(self, event: Any) -> None:
        self.core.runner.listen(event.strategy, event.kind, event.instrument, 0)

    # --- the venue ----------------------------------------------------------------------------------------------------

    def on_submitted(self, event: OrderSubmitted) -> None:
        self.core.manager.mark_sent(event.client_id)
        self.sent.append(event.order)
        self.answers(event.order)

    def on_cancel_wanted(self, event: CancelWanted) -> None:
        self.asked.append(event.order.request.client_id)
        self.withdraws(event.order)

    def on_replace_wanted(self, event: Any) -> None:
        raise AssertionError("nothing here replaces")

    def report(self, client_id: str, kind: Evidence, **terms: Any) -> None:
        self.core.manager.on_report(
            OrderReport(
                account=ACCOUNT, client_id=ClientOrderId(client_id), kind=kind, ts_ns=self.clock.now_ns, **terms
            )
        )

    def ack(self, client_id: str) -> None:
        self.report(client_id, Evidence.ACK, venue_id=VenueOrderId(f"v{client_id}"))

    def fill(self, client_id: str, quantity: int, price: str = "10") -> None:
        number = sum(isinstance(record, OrderReport) for _, record in self.journal.records())
        self.report(
            client_id, Evidence.FILL, quantity=quantity, price=Decimal(price), fee=Decimal(0), fill_id=f"f{number}"
        )  # fmt: skip

    def canceled(self, client_id: str) -> None:
        self.report(client_id, Evidence.CANCELED)

    def unknown(self, client_id: str) -> None:
        self.report(client_id, Evidence.AMBIGUOUS, reason="no answer")

    def absent(self, client_id: str, proof: Proof = Proof.INFERRED) -> None:
        self.report(client_id, Evidence.ABSENT, proof=proof, reason="not there")

    def takes_all(self) -> "House":
        """From now on the venue accepts everything, fills market orders, and withdraws what it is asked to."""

        def answer(order: SubmitOrder) -> None:
            self.ack(order.client_id)
            if order.type is OrderType.MARKET:
                self.fill(order.client_id, order.quantity)

        self.answers = answer
        self.withdraws = lambda order: self.canceled(order.request.client_id)
        return self

    # --- the world ----------------------------------------------------------------------------------------------------

    def quote(self, bid: float, ask: float | None = None) -> None:
        self.clock.now_ns += SECOND_NS
        self.core.bus.publish(Quote(NAME, self.clock.now_ns, bid, bid if ask is None else ask, 100, 100))

    def bar(self, open_: float, high: float, low: float, close: float, volume: float = 1_000) -> None:
        self.wait(MINUTE_NS)
        self.core.bus.publish(Bar(NAME, self.clock.now_ns, open_, high, low, close, volume))

    def trade(self, price: float, size: float) -> None:
        self.clock.now_ns += SECOND_NS
        self.core.bus.publish(Trade(NAME, self.clock.now_ns, price, size))

    def wait(self, span_ns: int) -> None:
        """Let time pass; timers fire at their moments."""
        end_ns = self.clock.now_ns + span_ns
        runner = self.core.runner
        while runner.next_due_ns <= end_ns:
            self.clock.now_ns = max(self.clock.now_ns, runner.next_due_ns)
            runner.fire_due(self.clock.now_ns)
        self.clock.now_ns = end_ns

    # --- readers ------------------------------------------------------------------------------------------------------

    @property
    def orders(self) -> list[str]:
        """What reached the venue: ``id type side quantity @price``."""
        return [
            f"{o.client_id} {o.type} {o.side} {o.quantity}" + (f" @{o.price}" if o.price is not None else "")
            for o in self.sent
        ]

    @property
    def words(self) -> list[str]:
        """What the strategy heard."""
        return [_word(event) for event in self.strategy.heard]

    def position(self) -> int:
        return self.core.portfolio.strategy_quantity(StrategyId("s"), NAME)

    def open_orders(self) -> list[Order]:
        return [order for order in self.core.manager.orders.values() if order.state not in TERMINAL]


def _word(event: Any) -> str:
    if isinstance(event, Fill):
        return f"fill {event.client_id} {event.quantity}"
    if isinstance(event, AlgoChanged):
        return f"{event.name} {event.state} {event.filled}/{event.quantity}"
    return f"{type(event).__name__} {event.client_id}"


def a_house(**terms: Any) -> House:
    """Started, with one price heard."""
    house = House(**terms).start()
    house.quote(10.0)
    return house
