"""The gateway's own limit layers on trade writes (contracts/futu.md 7.2), counted as one daemon counts them."""

import math
from collections import defaultdict, deque
from typing import Any, Literal

from engine.domain.timestamps import DAY_NS, MINUTE_NS, datetime_from_ns
from engine.simulators.futu.codes import CHANGE, MARKET_WORDS, SIDE_WORDS
from engine.simulators.futu.envelope import Denied
from engine.simulators.futu.keys import Key

PREFIX = "limit check failed: "
Statuses = Literal["modern", "page"]
Texts = Literal["full", "short"]


class Counters:
    """Orders in the last 60 s and value of the UTC day, by key; lost on a restart."""

    def __init__(self) -> None:
        self._writes: defaultdict[str, deque[int]] = defaultdict(deque)
        self._values: dict[str, tuple[int, float]] = {}

    def writes(self, key_id: str, now_ns: int) -> int:
        """Trade writes the door let in during the last 60 s: place, change and cancel."""
        window = self._writes[key_id]
        while window and now_ns - window[0] >= MINUTE_NS:
            window.popleft()
        return len(window)

    def count_write(self, key_id: str, now_ns: int) -> None:
        self._writes[key_id].append(now_ns)

    def daily(self, key_id: str, now_ns: int) -> float:
        """Value of the orders of this UTC day."""
        day, value = self._values.get(key_id, (0, 0.0))
        return value if day == now_ns // DAY_NS else 0.0

    def add_daily(self, key_id: str, value: float, now_ns: int) -> None:
        self._values[key_id] = (now_ns // DAY_NS, self.daily(key_id, now_ns) + value)


class LimitLayers:
    """Checks one write against its key.

    Args:
        timezone: the daemon's, for ``hours_window``. statuses: ``modern`` (since 1.4.36: 403 for lists and order value)
            or ``page`` (429 for all). texts: ``short`` leaves the numbers out, as clients read since 1.4.106.
    """

    def __init__(self, counters: Counters, *, timezone: str, statuses: Statuses, texts: Texts) -> None:
        self.counters = counters
        self._timezone = timezone
        self._statuses = statuses
        self._texts = texts

    def at_the_door(self, key: Key, now_ns: int) -> None:
        """Rate, then hours, before the body is read: a malformed order uses up rate too.

        Raises:
            Denied: 429.
        """
        cap, count = key.limits.max_orders_per_minute, self.counters.writes(key.id, now_ns)
        if cap is not None and count >= cap:
            raise self._denied(429, "rate limit exceeded", f": {count} orders in the last 60s (cap {cap})", "rate")
        window = key.limits.hours_window
        if window is not None and not in_window(window, now_ns, self._timezone):
            raise self._denied(429, "outside hours window", f" {window}", "hours")
        self.counters.count_write(key.id, now_ns)

    def place(self, key: Key, body: dict[str, Any], symbol: str, now_ns: int) -> float:
        """Lists, order value, daily value; gives back what the order adds to the day.

        Raises:
            Denied: 403 or 429.
        """
        self._market(key, body)
        limits = key.limits
        if limits.allowed_symbols is not None and symbol not in limits.allowed_symbols:
            raise self._denied(403, "symbol not allowed", "", "symbol")
        side = SIDE_WORDS.get(body["trd_side"], "?")
        if limits.allowed_trd_sides is not None and side not in limits.allowed_trd_sides:
            raise self._denied(403, "trade side not allowed", "", "side")
        value = self._value(key, body)
        current, cap = self.counters.daily(key.id, now_ns), limits.max_daily_value
        if cap is not None and current + value > cap:
            figures = f" {current + value:.2f} > {cap:.2f} (current={current:.2f} + order={value:.2f})"
            raise self._denied(429, "daily value", figures, "daily")
        return value

    def modify(self, key: Key, body: dict[str, Any]) -> None:
        """The market, and the value of a change; symbol and side are not looked at.

        Raises:
            Denied: 403 or 429.
        """
        self._market(key, body)
        if body["modify_order_op"] == CHANGE:
            self._value(key, body)

    def _market(self, key: Key, body: dict[str, Any]) -> None:
        allowed = key.limits.allowed_markets
        if allowed is not None and MARKET_WORDS.get(body["header"]["trd_market"]) not in allowed:
            raise self._denied(403, "market not allowed", "", "market")

    def _value(self, key: Key, body: dict[str, Any]) -> float:
        """Quantity times price; 0 where there is no price, as with market orders."""
        price, cap = body.get("price") or 0.0, key.limits.max_order_value
        value = float(body.get("qty", 0.0)) * price
        if cap is not None and (not math.isfinite(value) or value < 0):
            raise self._denied(403, "order value", f" {value:.2f} is no value", "per_order")
        if cap is not None and value > cap:
            raise self._denied(403, "order value", f" {value:.2f} > {cap:.2f}", "per_order")
        return value

    def _denied(self, status: int, head: str, figures: str, reason: str) -> Denied:
        text = head + figures if self._texts == "full" else head
        return Denied(429 if self._statuses == "page" else status, PREFIX + text, reason=reason)


def in_window(spec: str, now_ns: int, timezone: str) -> bool:
    """Whether an instant lies in ``09:30-16:00``, the end left out; a window may cross midnight."""
    start, _, end = spec.partition("-")
    moment = datetime_from_ns(now_ns, timezone).strftime("%H:%M:%S")
    first, last = f"{start.strip():0>5}:00", f"{end.strip():0>5}:00"
    if first <= last:
        return first <= moment < last
    return moment >= first or moment < last
