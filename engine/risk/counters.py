"""Families of counters, one member a scope key: what the rate limits read."""

from collections.abc import Hashable

from engine.domain.commands import SubmitOrder
from engine.risk.scopes import SCOPE_KEYS, Scope
from engine.risk.windows import DayCounter, SlidingWindow


class RateCounter:
    """Orders and cancels in the last ``span_ns``, by scope."""

    __slots__ = ("_cap", "_key", "_span_ns", "_windows")

    def __init__(self, scope: Scope, span_ns: int, cap: int) -> None:
        self._key = SCOPE_KEYS[scope]
        self._span_ns = span_ns
        self._cap = cap
        self._windows: dict[Hashable, SlidingWindow] = {}

    def add(self, order: SubmitOrder, ts_ns: int) -> None:
        key = self._key(order.strategy, order.account, order.instrument)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = SlidingWindow(self._span_ns, self._cap)
        window.add(ts_ns)

    def count(self, order: SubmitOrder, now_ns: int) -> int:
        window = self._windows.get(self._key(order.strategy, order.account, order.instrument))
        return window.count(now_ns) if window is not None else 0


class DayRateCounter:
    """Orders and cancels of the trading day, by scope and market: each market has its own day."""

    __slots__ = ("_days", "_key")

    def __init__(self, scope: Scope) -> None:
        self._key = SCOPE_KEYS[scope]
        self._days: dict[Hashable, DayCounter] = {}

    def add(self, order: SubmitOrder, market: str, day: int) -> None:
        key = (self._key(order.strategy, order.account, order.instrument), market)
        counter = self._days.get(key)
        if counter is None:
            counter = self._days[key] = DayCounter()
        counter.add(day)

    def count(self, order: SubmitOrder, market: str, day: int) -> int:
        counter = self._days.get((self._key(order.strategy, order.account, order.instrument), market))
        return counter.count(day) if counter is not None else 0
