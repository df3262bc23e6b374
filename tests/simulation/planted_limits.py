"""Planted bugs in the limits: what is reserved, what is counted, and which price is believed."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from engine.domain.evidence import TERMINAL
from engine.execution import OrderManager
from engine.risk.max_position import MaxPosition
from engine.risk.price_collar import PriceCollar
from engine.risk.sane_price import SanePrice
from engine.risk.view import RiskView


@contextlib.contextmanager
def reserved_when_sent() -> Iterator[None]:
    """Between the check and the reservation others are let in: what is reserved is reserved when it leaves."""
    waiting: dict[str, Any] = {}
    reserve, mark = RiskView.on_submitted, OrderManager.mark_sent

    def later(self: RiskView, event: Any) -> None:
        waiting[event.order.client_id] = event

    def now(self: OrderManager, client_id: Any, request_hash: str = "") -> int:
        event = waiting.pop(client_id, None)
        if event is not None:
            reserve(self._view, event)
        return mark(self, client_id, request_hash)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RiskView, "on_submitted", later)
        patch.setattr(OrderManager, "mark_sent", now)
        yield


@contextlib.contextmanager
def room_never_freed() -> Iterator[None]:
    """What an order that ended without a fill had reserved stays reserved."""
    changed = RiskView.on_order_changed

    def kept(self: RiskView, order: Any) -> None:
        if order.state not in TERMINAL or order.cum:
            changed(self, order)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RiskView, "on_order_changed", kept)
        yield


@contextlib.contextmanager
def old_prices_believed() -> Iterator[None]:
    """The last price is the price, however old."""
    check = PriceCollar.check

    def trusting(self: PriceCollar, order: Any, view: Any, now_ns: int) -> Any:
        denial = check(self, order, view, now_ns)
        return None if denial is not None and denial.code == "STALE_DATA" else denial

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PriceCollar, "check", trusting)
        yield


@contextlib.contextmanager
def position_cap_off() -> Iterator[None]:
    """A position may become as large as it likes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MaxPosition, "check", lambda *_: None)
        yield


@contextlib.contextmanager
def jumps_believed() -> Iterator[None]:
    """The last price is the price, wherever it came from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SanePrice, "check", lambda *_: None)
        yield
