"""Orders and cancels a second (RELIABILITY 4.1, row 16: 5 an account; 4.3: never above 240)."""

from typing import Annotated, ClassVar

from msgspec import Meta

from engine.domain.timestamps import SECOND_NS
from engine.risk.rate import RateLimit


class OrdersPerSecond(RateLimit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """300 a second is high-frequency trading to the exchanges (RELIABILITY 4.3): config can not go near it."""

    name: ClassVar[str] = "orders_per_second"
    span_ns: ClassVar[int] = SECOND_NS
    span: ClassVar[str] = "1s"
    cap: Annotated[int, Meta(ge=1, le=240)] = 5
