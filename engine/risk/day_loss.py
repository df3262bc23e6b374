"""What may be lost in a day: what the limits of a strategy and of an account share (RELIABILITY 4.1, row 23)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.errors import DataError
from engine.domain.verdict import Denial
from engine.risk.day_profit import DayProfit
from engine.risk.limit import Limit, Subject, refuse_unless_positive
from engine.risk.view import RiskView


class DayLoss(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``percent`` of the account's worth as first sampled that day; from there on only orders that reduce pass."""

    counts_open_orders: ClassVar[bool] = True
    monitors: ClassVar[bool] = True
    percent: Decimal

    def __post_init__(self) -> None:
        refuse_unless_positive("percent", self.percent)

    def prepare(self, view: RiskView) -> None:
        view.count_profit()

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        if view.reduces(order):
            return None
        try:
            loss = self._lost(order, view, now_ns)
            if loss <= 0:
                return None
            equity = self._equity(order, view, now_ns)
        except DataError as error:
            return Denial("STALE_DATA", f"day loss not known: {error}")
        if loss * 100 < self.percent * equity:
            return None
        whose = self._whose(order)
        return Denial("LOSS", f"day loss exceeded: {whose} lost {loss} (cap {self.percent}% of {equity}); reduce only")

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        try:
            loss, equity = self._lost(order, view, now_ns), self._equity(order, view, now_ns)
        except DataError as error:
            return f"{error}, cap {self.percent}%"
        return f"{self._whose(order)} won {-loss} today, may lose {self.percent}% of {equity}"

    def part(self, subject: Subject, view: RiskView, now_ns: int) -> tuple[Decimal, Decimal] | None:
        """What was lost today, and what it is measured against; None: nothing was, or nobody can say."""
        try:
            loss = self._lost(subject, view, now_ns)
            return None if loss <= 0 else (loss, self._equity(subject, view, now_ns))
        except DataError:
            return None

    def _lost(self, subject: Subject, view: RiskView, now_ns: int) -> Decimal:
        """Below 0 where it was won. Raises: DataError: a price or a rate is not known."""
        if view.profit is None:
            raise LookupError("profit is not counted")
        return -self._won(subject, view.profit, now_ns)

    def _equity(self, subject: Subject, view: RiskView, now_ns: int) -> Decimal:
        """The day's first sample, else what the account is worth now. Raises: DataError: a rate is not known."""
        known = None if view.profit is None else view.profit.worth.get(subject.account)
        return known[1] if known is not None else view.valuation.of(subject.account, now_ns).equity

    def _won(self, subject: Subject, profit: DayProfit, now_ns: int) -> Decimal:
        raise NotImplementedError

    def _whose(self, subject: Subject) -> str:
        raise NotImplementedError
