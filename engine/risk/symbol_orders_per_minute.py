"""Orders and cancels of one symbol a minute (RELIABILITY 4.1, row 16: 10)."""

from typing import ClassVar

from engine.domain.timestamps import MINUTE_NS
from engine.risk.rate import Count, RateLimit
from engine.risk.scopes import Scope


class SymbolOrdersPerMinute(RateLimit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As ``orders_per_minute``, for each symbol of an account."""

    name: ClassVar[str] = "symbol_orders_per_minute"
    span_ns: ClassVar[int] = MINUTE_NS
    span: ClassVar[str] = "60s"
    cap: Count = 10
    scope: Scope = Scope.SYMBOL
