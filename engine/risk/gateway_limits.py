"""The gateway's own limits, mirrored on our side where it lets us know them: our denial comes first (issue B)."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class GatewayLimits(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: the limits are those of the account's router (``RiskView.foresees``), if it has any."""

    name: ClassVar[str] = "gateway_limits"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        foresee = view.foresees.get(order.account)
        if foresee is None:
            return None
        denial = foresee(order)
        return None if denial is None else Denial(denial.code, denial.reason.removeprefix("limit check failed: "))

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return "mirrored" if order.account in view.foresees else "the gateway tells no limits of its own"
