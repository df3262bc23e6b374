"""Orders and cancels a minute (RELIABILITY 4.1, row 16: 60 an account)."""

from typing import ClassVar

from engine.domain.timestamps import MINUTE_NS
from engine.risk.rate import Count, RateLimit


class OrdersPerMinute(RateLimit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sliding window of 60 s."""

    name: ClassVar[str] = "orders_per_minute"
    span_ns: ClassVar[int] = MINUTE_NS
    span: ClassVar[str] = "60s"
    cap: Count = 60
