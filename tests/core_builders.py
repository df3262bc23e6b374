"""Builders for tests of the core alone: no gateway, no loop, a clock that is moved by hand."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from engine.clock import ReplayClock
from engine.domain.account import AccountSnapshot, Balance, Capabilities, PositionRow
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.events import Alert, OrderDenied, OrderDisputed, OrderSubmitted, ReplaceRejected
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.market import Quote
from engine.domain.timestamps import HOUR_NS, SECOND_NS
from engine.journal.memory import MemoryJournal
from engine.markets.free import Free
from engine.risk.limit import Limit
from engine.runtime.wiring import Core, join

ACCOUNT = AccountId("game")
STOCKS = (InstrumentId("CY.VSM"), InstrumentId("DL.VSM"))
LAG_NS = 3 * SECOND_NS


def a_command(number: int = 1, **terms: Any) -> SubmitOrder:
    fields: dict[str, Any] = {
        "client_id": ClientOrderId(f"s-{number}"),
        "account": ACCOUNT,
        "strategy": StrategyId("s"),
        "instrument": STOCKS[0],
        "side": Side.BUY,
        "quantity": 10,
        "ts_ns": 0,
        "type": OrderType.MARKET,
        **terms,
    }
    return SubmitOrder(**fields)


class Nowhere:
    """A venue that takes everything and answers nothing."""

    def on_submitted(self, event: Any) -> None: ...

    def on_cancel_wanted(self, event: Any) -> None: ...

    def on_replace_wanted(self, event: Any) -> None: ...


class Desk:
    """A joined core with one account at a venue that gives no ids back; ``heard`` is what a screen would show."""

    def __init__(self, limits: Sequence[Limit] = (), *, quoted: bool = True, **sheet: Any) -> None:
        self.clock = ReplayClock(HOUR_NS)
        self.heard: list[Any] = []
        terms: dict[str, Any] = {"order_types": frozenset(OrderType), "max_lag_ns": LAG_NS, **sheet}
        self.core = Core(
            clock=self.clock,
            journal=MemoryJournal(),
            instruments={
                name: Instrument(id=name, kind=InstrumentKind.GAME, market="free", currency="COIN") for name in STOCKS
            },
            books={"free": Free()},
            limits=limits,
            sheets={ACCOUNT: Capabilities(gateway="here", **terms)},
            outside=lambda *_: None,
            note=lambda *_: None,
        )
        self.core.portfolio.open_account(ACCOUNT, "COIN", Decimal(100_000))
        join(
            self.core, Nowhere(), keep_history=False, subscriptions=lambda _event: None,
            watchers=[(kind, self.heard.append) for kind in (Alert, OrderDenied, OrderDisputed, ReplaceRejected)],
        )  # fmt: skip
        for name in STOCKS if quoted else ():
            self.core.bus.publish(Quote(name, self.clock.now_ns, 40.0, 40.0))

    def reborn(self, *, old: bool = False, **sheet: Any) -> "Desk":
        """The next life of the same account, from this one's journal; it has seen no price yet.

        ``old``: the journal was written by an engine that kept no price with an order's baseline.
        """
        life = Desk(quoted=False, **sheet)
        life.clock.now_ns = self.clock.now_ns
        records = [record for _, record in self.core.journal.records()]
        if old:
            records = [_priceless(record) for record in records]
        life.core.manager.recover(records, life.core.relive)
        return life

    def send(self, number: int, **terms: Any) -> None:
        """Decide an order and mark it sent, a second later each."""
        self.decide(number, **terms)
        self.mark(number)

    def decide(self, number: int, **terms: Any) -> None:
        self.core.bus.publish(a_command(number, ts_ns=self.clock.now_ns, **terms))

    def mark(self, number: int) -> None:
        self.clock.now_ns += SECOND_NS
        self.core.manager.mark_sent(ClientOrderId(f"s-{number}"))

    def state(self, number: int) -> str:
        return str(self.core.manager.orders[ClientOrderId(f"s-{number}")].state)

    def cum(self, number: int) -> int:
        return self.core.manager.orders[ClientOrderId(f"s-{number}")].cum


def _priceless(record: Any) -> Any:
    if not isinstance(record, OrderSubmitted) or record.baseline is None:
        return record
    return msgspec.structs.replace(record, baseline=msgspec.structs.replace(record.baseline, price=None))


def a_reading(desk: Desk, *, cash: int | None = None, after_ns: int = 10 * SECOND_NS, **held: int) -> AccountSnapshot:
    """The account ``after_ns`` from now: ``CY=10`` is ten of CY.VSM."""
    desk.clock.now_ns += after_ns
    return AccountSnapshot(
        account=ACCOUNT,
        as_of_ns=desk.clock.now_ns,
        ts_ns=desk.clock.now_ns,
        positions=tuple(PositionRow(instrument=InstrumentId(f"{c}.VSM"), quantity=n) for c, n in held.items()),
        balances=None if cash is None else (Balance(currency="COIN", total=Decimal(cash), available=Decimal(cash)),),
    )
