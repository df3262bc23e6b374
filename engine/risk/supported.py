"""What the account's router can do (RELIABILITY 3.4; 4.1, row 4): undeclared is unsupported, and denied."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class Supported(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: the sheet is ``RiskView.capabilities`` of the account."""

    name: ClassVar[str] = "supported"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        sheet = view.capabilities.get(order.account)
        if sheet is None:
            return Denial("UNSUPPORTED", f"account {order.account} has declared no capabilities")
        if order.type not in sheet.order_types:
            return Denial("UNSUPPORTED", f"{sheet.gateway} takes no {order.type} orders")
        if order.side not in sheet.sides:
            return Denial("UNSUPPORTED", f"{sheet.gateway} takes no {order.side} orders")
        if order.tif not in sheet.tifs:
            return Denial("UNSUPPORTED", f"{sheet.gateway} takes no time in force {order.tif}")
        return None

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        sheet = view.capabilities.get(order.account)
        if sheet is None:
            return f"nothing declared for account {order.account}"
        has = [",".join(sorted(words)) for words in (sheet.order_types, sheet.sides, sheet.tifs)]
        return f"{order.type} {order.side} {order.tif}; {sheet.gateway} has {has[0]}; {has[1]}; {has[2]}"
