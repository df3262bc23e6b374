"""What an account may lose in a day: 2 %, then it may only reduce; 3 %, then all is cancelled (RELIABILITY 4.1, 23)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.errors import DataError
from engine.domain.events import KillLevel
from engine.domain.verdict import Denial
from engine.risk.limit import Finding, Limit, Subject, refuse_unless_positive, refuse_unless_rising
from engine.risk.view import RiskView


class AccountLoss(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Percents of the account's worth as first sampled that day; all its holdings, whoever's, realised and marked. From
    ``percent`` on only orders that reduce pass, and the account is latched REDUCE; from ``cancel_percent`` on it is
    latched CANCEL."""

    name: ClassVar[str] = "account_loss"
    counts_open_orders: ClassVar[bool] = True
    monitors: ClassVar[bool] = True
    percent: Decimal = Decimal(2)
    cancel_percent: Decimal = Decimal(3)

    def __post_init__(self) -> None:
        refuse_unless_positive("percent", self.percent)
        refuse_unless_positive("cancel_percent", self.cancel_percent)
        refuse_unless_rising("percent", self.percent, "cancel_percent", self.cancel_percent)

    def prepare(self, view: RiskView) -> None:
        view.count_profit()

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if view.reduces(order):
            return None
        try:
            won = self._won(order, view, now_ns)
            if won >= 0:
                return None
            equity = self._equity(order, view, now_ns)
        except DataError as error:
            return Denial("STALE_DATA", f"day loss not known: {error}")
        if -won * 100 < self.percent * equity:
            return None
        return Denial(
            "LOSS",
            f"day loss exceeded: account {order.account} lost {-won} (cap {self.percent}% of {equity}); reduce only",
        )

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        try:
            won, equity = self._won(order, view, now_ns), self._equity(order, view, now_ns)
        except DataError as error:
            return f"{error}, cap {self.percent}%"
        return f"account won {won} today, may lose {self.percent}% of {equity} (cancels all at {self.cancel_percent}%)"

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        try:
            won = self._won(subject, view, now_ns)
            if won >= 0:
                return None
            equity = self._equity(subject, view, now_ns)
        except DataError:
            return None
        for percent, level in ((self.cancel_percent, KillLevel.CANCEL), (self.percent, KillLevel.REDUCE)):
            if -won * 100 >= percent * equity:
                cause = f"day loss {-won} is {percent}% of {equity} or more"
                return Finding(level, f"account:{subject.account}", cause)
        return None

    @staticmethod
    def _won(subject: Subject, view: RiskView, now_ns: int) -> Decimal:
        """Raises: DataError: a price or a rate is not known."""
        if view.profit is None:
            raise LookupError("profit is not counted")
        return view.profit.of_account(subject.account, now_ns)

    @staticmethod
    def _equity(subject: Subject, view: RiskView, now_ns: int) -> Decimal:
        """The day's first sample, else what the account is worth now. Raises: DataError: a rate is not known."""
        known = None if view.profit is None else view.profit.worth.get(subject.account)
        return known[1] if known is not None else view.valuation.of(subject.account, now_ns).equity
