"""Planted bugs in how evidence is judged: believed too soon, counted twice, dropped, told to nobody."""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from engine import correlation, outcomes
from engine.correlation import Matcher
from engine.domain.events import Fill
from engine.domain.evidence import TERMINAL, Evidence, OrderState
from engine.domain.order import Order, OrderReport
from engine.domain.timestamps import SECOND_NS
from engine.gateways.futu import lives
from engine.gateways.futu.lives import Lives
from engine.gateways.futu.reader import AccountReader
from engine.judge import Judge
from engine.portfolio import Portfolio
from engine.readings import Readings
from engine.runtime.evidence import SEEK_EVERY_NS, EvidenceSeeker
from engine.runtime.outbox import Outbox
from engine.runtime.wiring import Core


@contextlib.contextmanager
def unknown_closed_by_a_timer() -> Iterator[None]:
    """After some seconds without an answer an order is taken for not placed (RELIABILITY 0, 1)."""
    alert = EvidenceSeeker._alert

    def close(self: EvidenceSeeker, unknown: list[Any]) -> None:
        now_ns = self._clock.now_ns
        for client_id in unknown:
            order = self._manager.orders[client_id]
            if now_ns - order.sent_ns > 4 * SECOND_NS:
                self._publish(
                    OrderReport(
                        account=self._router.account,
                        client_id=client_id,
                        kind=Evidence.ABSENT,
                        ts_ns=now_ns,
                        reason="timed out",
                    )
                )
        alert(self, [name for name in unknown if name in self._manager.working])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EvidenceSeeker, "_alert", close)
        yield


@contextlib.contextmanager
def claims_believed() -> Iterator[None]:
    """Failure and time-out are refusals, as the answer's words have it."""
    tell = Outbox._tell_all

    def refused(self: Outbox, orders: Any, kind: Evidence, reason: str, proof: Any) -> None:
        tell(self, orders, Evidence.REJECT if kind is Evidence.AMBIGUOUS else kind, reason, proof)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outbox, "_tell_all", refused)
        yield


@contextlib.contextmanager
def absent_at_once() -> Iterator[None]:
    """One look without a row is taken for absence, whatever money and holdings say, however soon."""

    def at_once(_self: Matcher, order: Any, snapshot: Any, _sheet: Any, _doubt: str) -> Sequence[OrderReport]:
        if order.state is not OrderState.UNKNOWN:
            return ()
        return (correlation.report_on(order, snapshot, Evidence.ABSENT, reason="not there"),)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(correlation, "speaks_against_absence", lambda *_: False)
        patch.setattr(Matcher, "_undone", at_once)
        yield


@contextlib.contextmanager
def cut_off_is_not_sent() -> Iterator[None]:
    """What the last life sent without hearing an answer counts as never sent."""
    crashed = {**outcomes._CRASHED, OrderState.PENDING_NEW: (Evidence.SEND_FAILED, "not sent")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcomes, "_CRASHED", crashed)
        yield


@contextlib.contextmanager
def cut_off_waits_for_its_answer() -> Iterator[None]:
    """What the last life sent without hearing an answer goes on waiting for one."""
    crashed = {OrderState.QUEUED: outcomes._CRASHED[OrderState.QUEUED]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcomes, "_CRASHED", crashed)
        yield


@contextlib.contextmanager
def executions_counted_anew() -> Iterator[None]:
    """Each reading's executions are new ones."""
    executions = Readings._executions

    def anew(self: Readings, order: Any, numbers: Any, snapshot: Any, sheet: Any) -> Iterator[OrderReport]:
        for report in executions(self, order, numbers, snapshot, sheet):
            yield msgspec.structs.replace(report, fill_id=f"{report.fill_id}@{snapshot.as_of_ns}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Readings, "_executions", anew)
        yield


@contextlib.contextmanager
def pushed_fills_not_told_apart() -> Iterator[None]:
    """A fill that is pushed or read again is another one."""
    numbers = itertools.count()
    name = lives._fill_id
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lives, "_fill_id", lambda fill: f"{name(fill)}#{next(numbers)}")
        yield


@contextlib.contextmanager
def totals_and_fills() -> Iterator[None]:
    """Fills are worked out from rising totals where they are pushed as well: counted twice."""
    risen = Lives._risen

    def both(self: Lives, *rest: object) -> None:
        self._derives = True
        try:
            risen(self, *rest)  # type: ignore[arg-type]
        finally:
            self._derives = not self._account

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lives, "_risen", both)
        yield


@contextlib.contextmanager
def inferred_fills_added() -> Iterator[None]:
    """What a row's total infers is one more fill; the real one comes on top of it."""
    record = Order._record

    def added(self: Order, kind: Evidence, report: OrderReport) -> bool:
        kept = record(self, kind, report)
        rows = (Evidence.WORKING, Evidence.CANCELED, Evidence.EXPIRED)
        if kept and kind in rows and report.cum > self.cum:
            price = report.price or self.price
            if price is not None:
                self._fills[f"inferred@{report.cum}"] = (report.cum - self.cum, price, outcomes.ZERO)
        return kept

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Order, "_record", added)
        yield


@contextlib.contextmanager
def fills_after_the_end_dropped() -> Iterator[None]:
    """An order that is over fills no more: what is told of it is thrown away."""
    report_before = Judge.on_report

    def deaf(self: Judge, report: OrderReport) -> None:
        order = self.orders.get(report.client_id)
        if order is None or order.state not in TERMINAL or not (report.kind is Evidence.FILL or report.cum):
            report_before(self, report)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "on_report", deaf)
        yield


@contextlib.contextmanager
def fills_told_once_only() -> Iterator[None]:
    """After a lost connection nobody reads what was executed meanwhile: the cursor is lost."""

    async def none(_self: AccountReader) -> list[Any]:
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AccountReader, "fills", none)
        yield


@contextlib.contextmanager
def fills_not_journaled() -> Iterator[None]:
    """Fills are booked and told, and not written down."""
    join = Judge._join
    taken = Judge._taken

    def unwritten(self: Judge, order: Order, report: OrderReport) -> None:
        written = self._record
        if report.kind is Evidence.FILL or report.cum:
            self._record = lambda _record: 0
        try:
            join(self, order, report)
        finally:
            self._record = written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "_join", unwritten)
        patch.setattr(Judge, "_taken", taken)
        yield


@contextlib.contextmanager
def fills_relived_twice() -> Iterator[None]:
    """The journal's fills are booked twice after a restart."""
    relive = Core.relive

    def twice(self: Core, event: Any) -> None:
        relive(self, event)
        if isinstance(event, Fill):
            relive(self, event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Core, "relive", twice)
        yield


@contextlib.contextmanager
def seeker_dies_unseen() -> Iterator[None]:
    """Who looks for evidence ends at the first reading that fails, and nobody notices."""

    async def mortal(self: EvidenceSeeker) -> None:
        period_ns = self._router.capabilities().snapshot_period_ns
        read_ns = self._clock.now_ns
        while True:
            await self._clock.sleep(SEEK_EVERY_NS)
            if self._unknown() or self._clock.now_ns - read_ns >= period_ns:
                if await self.look() is None:
                    return
                read_ns = self._clock.now_ns

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EvidenceSeeker, "run", mortal)
        yield


@contextlib.contextmanager
def fills_booked_twice() -> Iterator[None]:
    """The books hear every fill twice."""
    heard = Portfolio.on_fill

    def twice(self: Portfolio, fill: Fill) -> None:
        heard(self, fill)
        heard(self, fill)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Portfolio, "on_fill", twice)
        yield


@contextlib.contextmanager
def fees_forgotten() -> Iterator[None]:
    """A venue that says no fees takes none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "_fee", lambda *_: outcomes.ZERO)
        patch.setattr(Judge, "_cost", lambda *_: outcomes.ZERO)
        yield


@contextlib.contextmanager
def ended_orders_stay_open() -> Iterator[None]:
    """What did not fill of an order that is over counts as able to fill."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Order, "leaves", property(lambda order: max(0, order.quantity - order.cum)))
        yield
