"""What an account may lose in a day: 2 %, then it may only reduce; 3 %, then all is cancelled (RELIABILITY 4.1, 23)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel
from engine.risk.day_loss import DayLoss
from engine.risk.day_profit import DayProfit
from engine.risk.limit import Finding, Subject, refuse_unless_positive, refuse_unless_rising
from engine.risk.view import RiskView


class AccountLoss(DayLoss, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All the account's holdings, whoever's, realised and marked. From ``percent`` on it is latched REDUCE, from
    ``cancel_percent`` on CANCEL."""

    name: ClassVar[str] = "account_loss"
    percent: Decimal = Decimal(2)
    cancel_percent: Decimal = Decimal(3)

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_unless_positive("cancel_percent", self.cancel_percent)
        refuse_unless_rising("percent", self.percent, "cancel_percent", self.cancel_percent)

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        return f"{super().figures(order, view, now_ns)} (cancels all at {self.cancel_percent}%)"

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        part = self.part(subject, view, now_ns)
        if part is None:
            return None
        loss, equity = part
        for percent, level in ((self.cancel_percent, KillLevel.CANCEL), (self.percent, KillLevel.REDUCE)):
            if loss * 100 >= percent * equity:
                cause = f"day loss {loss} is {percent}% of {equity} or more"
                return Finding(level, f"account:{subject.account}", cause)
        return None

    def _won(self, subject: Subject, profit: DayProfit, now_ns: int) -> Decimal:
        return profit.of_account(subject.account, now_ns)

    def _whose(self, subject: Subject) -> str:
        return f"account {subject.account}"
