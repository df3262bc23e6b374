"""Bugs planted in the path to the desktop brokers from outside: the simulation must find each of them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import pytest

from engine import correlation
from engine.correlation import Matcher
from engine.domain.commands import SubmitOrder
from engine.domain.errors import OutcomeUnknown
from engine.domain.evidence import Evidence
from engine.domain.order import OrderReport, OrderState
from engine.gateways.easyths.router import EasythsRouter
from engine.gateways.huatai.router import HuataiRouter
from engine.readings import Readings
from engine.runtime.outbox import Outbox


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
def resent_to_easyths() -> Iterator[None]:
    """An order whose outcome is unknown is sent again."""
    yield from _twice(EasythsRouter)


@contextlib.contextmanager
def resent_to_huatai() -> Iterator[None]:
    """As the vendor's page says: after 30 s send again."""
    yield from _twice(HuataiRouter)


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
        patch.setattr(correlation, "_speaks_against_absence", lambda *_: False)
        patch.setattr(Matcher, "_undone", at_once)
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


Plant = Callable[[], AbstractContextManager[None]]
MUTANTS: dict[str, tuple[str, Plant, str]] = {
    "easyths: resend": ("easyths", resent_to_easyths, "I5 duplicated"),
    "easyths: claims believed": ("easyths", claims_believed, "I7"),
    "easyths: absent at once": ("easyths", absent_at_once, "I7"),
    "huatai: resend": ("huatai", resent_to_huatai, "I5 duplicated"),
    "huatai: claims believed": ("huatai", claims_believed, "I7"),
    "huatai: executions counted anew": ("huatai", executions_counted_anew, "I3"),
}
"""Name -> gateway, how it is planted, what the accusation begins with."""
