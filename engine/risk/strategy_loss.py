"""What a strategy may lose in a day before it may only reduce (RELIABILITY 4.1, row 23: 1 % of the account)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.events import KillLevel
from engine.domain.ids import EXTERNAL
from engine.risk.day_loss import DayLoss
from engine.risk.day_profit import DayProfit
from engine.risk.limit import Finding, Subject
from engine.risk.view import RiskView


class StrategyLoss(DayLoss, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Realised and marked, fees taken off. From ``percent`` on the strategy is latched REDUCE."""

    name: ClassVar[str] = "strategy_loss"
    percent: Decimal = Decimal(1)

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        part = None if subject.strategy == EXTERNAL else self.part(subject, view, now_ns)
        if part is None or part[0] * 100 < self.percent * part[1]:
            return None
        loss, equity = part
        cause = f"day loss {loss} of {subject.strategy} is {self.percent}% of {equity} or more"
        return Finding(KillLevel.REDUCE, f"strategy:{subject.strategy}", cause)

    def _won(self, subject: Subject, profit: DayProfit, now_ns: int) -> Decimal:
        return profit.of_strategy(subject.strategy, subject.account, now_ns)

    def _whose(self, subject: Subject) -> str:
        return subject.strategy
