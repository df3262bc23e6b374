"""The journal read for a report: executions, equity samples, denials, ends of orders, incidents."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
from msgspec import Struct

from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import (
    EquitySampled,
    JournalRecord,
    LatchSet,
    OrderDenied,
    OrderSent,
    OrderSubmitted,
    PositionAdjusted,
    RunEnded,
    RunStarted,
    StrategyStopped,
)
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order import Evidence, Order, OrderReport, OrderState
from engine.domain.reconciled import ReconcileEnded
from engine.runtime.rings import uncollected
from engine.runtime.run_data import instruments_of_run

_PLAIN = frozenset({Evidence.RISK_OK, Evidence.SEND, Evidence.FILL})
# Reading a member off its class is slow in Python 3.11, and these are read for every order of a run.
_ACK, _FILL, _BUY = Evidence.ACK, Evidence.FILL, Side.BUY
_NOTHING = (0, ZERO, ZERO)


class Execution(Struct, frozen=True, kw_only=True, gc=False):
    """What one piece of evidence executed. ``quantity`` is signed, + bought; ``value`` is positive for a buy."""

    ts_ns: int
    account: AccountId
    strategy: StrategyId
    instrument: InstrumentId
    client_id: ClientOrderId
    quantity: int
    value: Decimal
    fee: Decimal
    shown_price: float
    """``price``, as charts and lists have it."""

    @property
    def price(self) -> Decimal:
        """Per unit, multiplier included; 0 where no quantity moved."""
        return self.value / self.quantity if self.quantity else ZERO


class Decided(Struct, frozen=True, kw_only=True, gc=False):
    """The moment an order was decided on, and the price then known, where the journal has it (a live run's does)."""

    ts_ns: int
    reference: Decimal | None
    arrived_ns: int
    """When the venue acknowledged it, else when it was sent; 0: neither is known."""


class Incident(Struct, frozen=True, kw_only=True, gc=False):
    """Something a person should know of: a latch, a stopped strategy, a failed reconciliation, an adjustment."""

    ts_ns: int
    kind: str
    text: str


class _Trace(Struct):
    """One order; kept as plain sums until evidence comes that needs the join of ``domain.order``."""

    request: SubmitOrder
    reference: Decimal | None
    arrived_ns: int = 0
    order: Order | None = None
    reports: list[OrderReport] = []
    filled: str | None = None
    """Id of the first fill; nearly every order has one."""
    seen: set[str] | None = None
    """Of all fills, where there are more."""
    sent: bool = False
    acked: bool = False
    cum: int = 0
    value: Decimal = ZERO
    fee: Decimal = ZERO

    @property
    def state(self) -> OrderState:
        if self.order is not None:
            return self.order.state
        if self.cum:
            return OrderState.FILLED if self.cum >= self.request.quantity else OrderState.PARTIAL
        if self.acked:
            return OrderState.WORKING
        return OrderState.PENDING_NEW if self.sent else OrderState.QUEUED

    def apply(self, report: OrderReport) -> tuple[int, Decimal, Decimal]:
        """Quantity, price x quantity and fee that the evidence adds to the order; mostly positive, less for a bust."""
        kind = report.kind
        if self.order is not None or kind not in _PLAIN:
            return self._join(report)
        if kind is not _FILL:
            self.reports.append(report)
            self.sent = self.sent or kind is not Evidence.RISK_OK
            return _NOTHING
        self.sent = True
        if self.filled is not None and not self._is_new(report.fill_id):
            return _NOTHING
        self.reports.append(report)
        quantity = report.quantity
        value, fee = (report.price or ZERO) * quantity, report.fee or ZERO
        if self.filled is None:
            self.filled, self.cum, self.value, self.fee = report.fill_id, quantity, value, fee
        else:
            self.cum, self.value, self.fee = self.cum + quantity, self.value + value, self.fee + fee
        return quantity, value, fee

    def acknowledge(self, report: OrderReport) -> None:
        """``apply`` of an ACK, while nothing needs the join."""
        self.reports.append(report)
        self.sent = True
        if not self.acked:
            self.acked, self.arrived_ns = True, report.ts_ns

    def _join(self, report: OrderReport) -> tuple[int, Decimal, Decimal]:
        order = self.order
        if order is None:
            self.order = order = Order(self.request)
            for kind in (Evidence.RISK_OK, Evidence.SEND):
                if self.sent or kind is Evidence.RISK_OK:
                    order.apply(OrderReport(account=report.account, kind=kind, ts_ns=self.request.ts_ns))
            for before in self.reports:
                order.apply(before)
            self.reports.clear()
        order.apply(report)
        quantity, value, fee = order.cum - self.cum, order.value - self.value, order.fee - self.fee
        self.cum, self.value, self.fee = order.cum, order.value, order.fee
        return quantity, value, fee

    def _is_new(self, fill_id: str) -> bool:
        seen = self.seen
        if seen is None:
            seen = self.seen = {self.filled or ""}
        known = fill_id in seen
        seen.add(fill_id)
        return not known


class Reading:
    """Everything of a journal that a report is made of.

    Args:
        records: ``Journal.records()``, or any (number, record) in order.
        instruments: for multipliers; default: as the run itself defined them; an instrument in neither has 1.
    """

    def __init__(
        self,
        records: Iterable[tuple[int, JournalRecord]],
        instruments: Mapping[InstrumentId, Instrument] | None = None,
    ) -> None:
        self.runs: list[RunStarted] = []
        self.executions: list[Execution] = []
        self.adjustments: list[PositionAdjusted] = []
        self.samples: dict[AccountId, list[tuple[int, Decimal]]] = {}
        self.denials: dict[str, list[OrderDenied]] = {}
        self.incidents: list[Incident] = []
        self.first_ns = self.last_ns = 0
        self._traces: dict[ClientOrderId, _Trace] = {}
        self.instruments = dict(instruments or {})
        """What is known of what was traded."""
        with uncollected():
            self._read_all(records)

    def _read_all(self, records: Iterable[tuple[int, JournalRecord]]) -> None:
        traces, last_ns = self._traces, 0
        for _, record in records:
            # Nearly all records of a run are of these three types.
            if isinstance(record, OrderReport):
                trace = traces.get(record.client_id)
                if trace is None:
                    pass
                elif record.kind is _ACK and trace.order is None:
                    trace.acknowledge(record)
                else:
                    self._execute(trace, record)
            elif isinstance(record, OrderSubmitted):
                baseline = record.baseline
                traces[record.client_id] = _Trace(record.order, None if baseline is None else baseline.price)
            elif isinstance(record, OrderSent):
                if (trace := traces.get(record.client_id)) is not None:
                    trace.sent = True
                    trace.arrived_ns = record.ts_ns
            else:
                self._read(record)
            ts_ns = record.ts_ns
            if ts_ns > last_ns:
                last_ns = ts_ns
                self.first_ns = self.first_ns or ts_ns
        self.last_ns = last_ns

    @property
    def orders(self) -> dict[str, int]:
        """How many orders are in which state now, denied ones too; most first."""
        counts = Counter(trace.state.value for trace in self._traces.values())
        denied = sum(len(group) for group in self.denials.values())
        if denied:
            counts[OrderState.DENIED.value] += denied
        return dict(counts.most_common())

    def state_of(self, client_id: ClientOrderId) -> OrderState | None:
        """Where an order stands at the end; None: it never passed our checks, or is not in the journal."""
        trace = self._traces.get(client_id)
        return None if trace is None else trace.state

    def decided(self, client_id: ClientOrderId) -> Decided | None:
        """When and at what price an order was decided on; None as for ``state_of``."""
        trace = self._traces.get(client_id)
        if trace is None:
            return None
        return Decided(ts_ns=trace.request.ts_ns, reference=trace.reference, arrived_ns=trace.arrived_ns)

    def multiplier(self, instrument: InstrumentId) -> int:
        """1 where nothing is known of the instrument."""
        known = self.instruments.get(instrument)
        return known.multiplier if known is not None else 1

    def _read(self, record: JournalRecord) -> None:
        match record:
            case EquitySampled():
                self.samples.setdefault(record.account, []).append((record.ts_ns, record.equity))
            case OrderDenied():
                self.denials.setdefault(record.code, []).append(record)
            case PositionAdjusted():
                self.adjustments.append(record)
                self._tell(record.ts_ns, "adjusted", _adjusted_text(record))
            case LatchSet():
                self._tell(record.ts_ns, "latch", f"{record.level.name} {record.scope}: {record.cause}")
            case StrategyStopped():
                self._tell(record.ts_ns, "stopped", f"{record.strategy}: {record.reason}")
            case ReconcileEnded():
                if not record.ok:
                    self._tell(record.ts_ns, "reconcile", f"{record.account}: {record.text}")
            case RunStarted():
                self._begin(record)
            case RunEnded():
                pass

    def _begin(self, run: RunStarted) -> None:
        self.runs.append(run)
        try:
            defined = instruments_of_run(run.settings)
        except msgspec.ValidationError as why:
            self._tell(run.ts_ns, "data", f"the run's instruments can not be read: {why}")
            return
        self.instruments = {**defined, **self.instruments}

    def _execute(self, trace: _Trace, report: OrderReport) -> None:
        quantity, value, fee = trace.apply(report)
        if not quantity and not value and not fee:
            return
        request = trace.request
        name = request.instrument
        known, side = self.instruments.get(name), request.side
        if known is not None and known.multiplier != 1:
            value *= known.multiplier
        if side is not _BUY and side.sign < 0:
            quantity, value = -quantity, -value
        self.executions.append(
            Execution(
                ts_ns=report.ts_ns, account=request.account, strategy=request.strategy, instrument=name,
                client_id=request.client_id, quantity=quantity, value=value, fee=fee,
                shown_price=float(value / quantity) if quantity else 0.0,
            )
        )  # fmt: skip

    def _tell(self, ts_ns: int, kind: str, text: str) -> None:
        self.incidents.append(Incident(ts_ns=ts_ns, kind=kind, text=text))


def _adjusted_text(record: PositionAdjusted) -> str:
    moved = f"{record.quantity:+d} {record.instrument}" if record.quantity else ""
    cash = f"cash {record.cash.normalize():+f} {record.currency}".rstrip() if record.cash else ""
    return f"{record.account}: {', '.join(part for part in (moved, cash) if part)} ({record.reason})"
