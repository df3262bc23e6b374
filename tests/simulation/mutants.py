"""Bugs planted from outside, for the length of a ``with`` block: the simulation must find each of them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest

from engine.chaos.disk import SimJournal
from engine.domain.commands import SubmitOrder
from engine.domain.errors import OutcomeUnknown
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import SECOND_NS
from engine.gateways.virtual_market.router import VirtualMarketRouter
from engine.journal import sqlite
from engine.runtime.evidence import EvidenceSeeker


@contextlib.contextmanager
def resend_on_timeout() -> Iterator[None]:
    """An order whose outcome is unknown is sent again (RELIABILITY 0, 2)."""
    once = VirtualMarketRouter.submit

    async def twice(self: VirtualMarketRouter, orders: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        try:
            return await once(self, orders, body)
        except OutcomeUnknown:
            return await once(self, orders, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VirtualMarketRouter, "submit", twice)
        yield


@contextlib.contextmanager
def send_before_intent() -> Iterator[None]:
    """Nobody waits for intent and send marker to be durable; they are written with the next full group."""

    async def at_once(self: Any, seq: int) -> None:
        """Not waiting."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "URGENT", frozenset())
        patch.setattr(SimJournal, "durable", at_once)
        yield


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


MUTANTS: dict[str, tuple[Callable[[], AbstractContextManager[None]], int, str]] = {
    "resend on time-out": (resend_on_timeout, 7002, "I5 duplicated"),
    "send before intent": (send_before_intent, 7000, "I4"),
    "UNKNOWN closed by a timer": (unknown_closed_by_a_timer, 7001, "I7"),
}
"""Name -> how to plant it, a seed that is known to find it, and the promise it breaks."""
