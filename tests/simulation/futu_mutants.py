"""Bugs planted in the Futu path from outside: the simulation must find each of them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import pytest

from engine.domain.commands import SubmitOrder
from engine.domain.errors import OutcomeUnknown
from engine.domain.order import OrderReport
from engine.gateways.futu.lives import Lives
from engine.gateways.futu.router import FutuRouter
from engine.runtime.outbox import Outbox


@contextlib.contextmanager
def resend_on_timeout() -> Iterator[None]:
    """An order whose outcome is unknown is sent again, trusting the gateway's memory of its key."""
    once = FutuRouter.submit

    async def twice(self: FutuRouter, orders: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        try:
            return await once(self, orders, body)
        except OutcomeUnknown:
            return await once(self, orders, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FutuRouter, "submit", twice)
        yield


@contextlib.contextmanager
def lost_cancels_forgotten() -> Iterator[None]:
    """Nobody asks again for a withdrawal whose answer was lost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outbox, "_ask_again", lambda _self: None)
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


MUTANTS: dict[str, tuple[Callable[[], AbstractContextManager[None]], int, str]] = {
    "resend on time-out": (resend_on_timeout, 3, "I5 duplicated"),
    "lost cancels forgotten": (lost_cancels_forgotten, 3, "I7"),
    "totals and fills": (totals_and_fills, 1, "I3 duplicated"),
}
"""Name -> how to plant it, a seed that is known to find it, and the promise it breaks."""
