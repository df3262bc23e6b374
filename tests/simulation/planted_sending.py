"""Planted bugs in how orders leave: sent again, sent too soon, sent too many, kept back for ever."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import pytest

from engine.chaos.disk import SimJournal
from engine.domain.commands import SubmitOrder
from engine.domain.errors import OutcomeUnknown
from engine.domain.events import LatchSet, OrderSent
from engine.domain.evidence import Evidence
from engine.domain.order import OrderReport, OrderState
from engine.execution import OrderManager
from engine.gateways.easyths.router import EasythsRouter
from engine.gateways.futu.router import FutuRouter
from engine.gateways.huatai.router import HuataiRouter
from engine.gateways.virtual_market.router import VirtualMarketRouter
from engine.journal import written
from engine.judge import Judge
from engine.net.rest import Answer, RestClient
from engine.runtime.live import LiveRun
from engine.runtime.outbox import Outbox
from engine.runtime.pace import Pace
from engine.runtime.reconciling import Reconciling
from engine.runtime.wiring import Core


def _twice(kind: type[Any]) -> Iterator[None]:
    once = kind.submit

    async def twice(self: Any, orders: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        try:
            found: Sequence[OrderReport] = await once(self, orders, body)
        except OutcomeUnknown:
            found = await once(self, orders, body)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "submit", twice)
        yield


@contextlib.contextmanager
def resent_to_the_market() -> Iterator[None]:
    """An order whose outcome is unknown is sent again (RELIABILITY 0, 2)."""
    yield from _twice(VirtualMarketRouter)


@contextlib.contextmanager
def resent_to_futu() -> Iterator[None]:
    """Again, trusting the gateway's memory of the order's key."""
    yield from _twice(FutuRouter)


@contextlib.contextmanager
def resent_to_easyths() -> Iterator[None]:
    """Again, to a client that answers time-out and has placed it."""
    yield from _twice(EasythsRouter)


@contextlib.contextmanager
def resent_to_huatai() -> Iterator[None]:
    """As the vendor's page says: after 30 s send again."""
    yield from _twice(HuataiRouter)


@contextlib.contextmanager
def retried_by_the_client() -> Iterator[None]:
    """The HTTP client repeats a POST whose connection was lost, as clients with kept connections do."""
    once = RestClient._send

    async def again(self: RestClient, client: Any, request: Any, name: str) -> Answer:
        try:
            return await once(self, client, request, name)
        except OutcomeUnknown:
            return await once(self, client, request, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RestClient, "_send", again)
        yield


@contextlib.contextmanager
def sent_again_after_a_restart() -> Iterator[None]:
    """What the last life sent without hearing an answer, the next one sends first of all."""
    recover = Reconciling.at_start

    async def eager(self: Reconciling, account: Any, deadline_ns: int) -> None:
        router = self._boxes[account].router
        for order in self._core.manager.undecided(account):
            with contextlib.suppress(Exception):
                await router.submit([order.request], router.encode([order.request]))
        await recover(self, account, deadline_ns)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Reconciling, "at_start", eager)
        yield


@contextlib.contextmanager
def send_before_intent() -> Iterator[None]:
    """Nobody waits for intent and send marker to be durable; they are written with the next full group."""

    async def at_once(self: Any, seq: int) -> None:
        """Not waiting."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written, "URGENT", frozenset())
        patch.setattr(SimJournal, "durable", at_once)
        yield


@contextlib.contextmanager
def marker_not_awaited() -> Iterator[None]:
    """The intent is durable, the send marker is written behind the first byte."""
    mark = OrderManager.mark_sent

    def unnumbered(self: OrderManager, client_id: Any, request_hash: str = "") -> int:
        mark(self, client_id, request_hash)
        return 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(written, "URGENT", written.URGENT - {OrderSent})
        patch.setattr(OrderManager, "mark_sent", unnumbered)
        yield


@contextlib.contextmanager
def pace_off() -> Iterator[None]:
    """Rates are counted when orders are decided and not when they leave."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pace, "wait_ns", lambda _self, _order, _now_ns: 0)
        yield


@contextlib.contextmanager
def rates_forgotten_by_a_restart() -> Iterator[None]:
    """A new life begins with empty rate counters."""
    recover = LiveRun._recover

    def afresh(self: LiveRun) -> bool:
        fresh = recover(self)
        self.pace._windows.clear()
        for rate in self.core.view.rates.values():
            rate._windows.clear()
        return fresh

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LiveRun, "_recover", afresh)
        yield


@contextlib.contextmanager
def last_look_blind_to_latches() -> Iterator[None]:
    """What stood in line when everything was stopped leaves all the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outbox, "_latched", lambda _self, _order: False)
        yield


@contextlib.contextmanager
def latch_cleared_by_a_restart() -> Iterator[None]:
    """Latches are not taken over from the journal."""
    relive = Core.relive

    def without(self: Core, event: Any) -> None:
        if not isinstance(event, LatchSet):
            relive(self, event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Core, "relive", without)
        yield


@contextlib.contextmanager
def latch_not_journaled() -> Iterator[None]:
    """A latch is told, and not written down."""

    def told(self: Judge, level: Any, scope: str, cause: str, who: str, ts_ns: int = 0) -> None:
        self._publish(LatchSet(level=level, scope=scope, cause=cause, who=who, ts_ns=ts_ns or self._clock.now_ns))
        self.cancel_scope(scope, who)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "latch", told)
        yield


@contextlib.contextmanager
def stop_without_draining() -> Iterator[None]:
    """Asked to stop, the engine stops; what is under way is nobody's."""

    async def at_once(_self: LiveRun) -> None:
        """Not draining."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LiveRun, "_drain", at_once)
        yield


@contextlib.contextmanager
def sender_dies_unseen() -> Iterator[None]:
    """An account's sender ends at the first order of unknown outcome, and nobody notices."""
    tell, send_next = Outbox._tell_all, Outbox._send_next
    dead: list[Outbox] = []

    def last_words(self: Outbox, orders: Any, kind: Evidence, reason: str, proof: Any) -> None:
        tell(self, orders, kind, reason, proof)
        if kind is Evidence.AMBIGUOUS:
            dead.append(self)

    async def perhaps(self: Outbox, senders: Any) -> bool:
        if self in dead:
            await anyio.sleep_forever()
        return await send_next(self, senders)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outbox, "_tell_all", last_words)
        patch.setattr(Outbox, "_send_next", perhaps)
        yield


@contextlib.contextmanager
def client_ids_begin_again() -> Iterator[None]:
    """A new life numbers its orders from the first."""
    start = LiveRun._start_strategies

    def from_one(self: LiveRun, fresh: bool) -> None:
        self.core.manager.orders_made.clear()
        start(self, fresh)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LiveRun, "_start_strategies", from_one)
        yield


@contextlib.contextmanager
def cancel_taken_for_done() -> Iterator[None]:
    """An order counts as withdrawn as soon as its withdrawal is asked for."""
    ask = Judge.on_cancel

    def done(self: Judge, command: Any) -> None:
        ask(self, command)
        order = self.working.get(command.client_id)
        if order is not None and order.state is OrderState.PENDING_CANCEL:
            self.on_report(
                OrderReport(
                    account=order.request.account,
                    client_id=command.client_id,
                    kind=Evidence.CANCELED,
                    ts_ns=self._clock.now_ns,
                )
            )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "on_cancel", done)
        yield


@contextlib.contextmanager
def lost_cancels_forgotten() -> Iterator[None]:
    """Nobody asks again for a withdrawal whose answer was lost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outbox, "_ask_again", lambda _self: None)
        yield
