"""No order while the engine, its journal, its account or the session is not ready (RELIABILITY 4.1, row 2)."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class NotReady(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: what is not ready is said by the runtime (``RiskView.readiness``)."""

    name: ClassVar[str] = "not_ready"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        reason = view.readiness.reason(order)
        return None if reason is None else Denial("NOT_READY", f"not ready: {reason}")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        standing = "; ".join(f"{scope}: {why}" for scope, why in view.readiness.not_ready.items())
        return standing or ("ready" if view.readiness.reason(order) is None else "journal not healthy")
