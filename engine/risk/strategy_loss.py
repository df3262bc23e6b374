"""What a strategy may lose in a day before it may only reduce (RELIABILITY 4.1, row 23: 1 % of the account)."""

from decimal import Decimal
from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.errors import DataError
from engine.domain.events import KillLevel
from engine.domain.ids import EXTERNAL
from engine.domain.verdict import Denial
from engine.risk.limit import Finding, Limit, Subject, refuse_unless_positive
from engine.risk.view import RiskView


class StrategyLoss(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``percent`` of the account's worth as first sampled that day; realised and marked, fees taken off. From there on
    only orders that reduce the account's position pass, and the strategy is latched REDUCE."""

    name: ClassVar[str] = "strategy_loss"
    counts_open_orders: ClassVar[bool] = True
    monitors: ClassVar[bool] = True
    percent: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        refuse_unless_positive("percent", self.percent)

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
            "LOSS", f"day loss exceeded: {order.strategy} lost {-won} (cap {self.percent}% of {equity}); reduce only"
        )

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        try:
            won, equity = self._won(order, view, now_ns), self._equity(order, view, now_ns)
        except DataError as error:
            return f"{error}, cap {self.percent}%"
        return f"{order.strategy} won {won} today, may lose {self.percent}% of {equity}"

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        if subject.strategy == EXTERNAL:
            return None
        try:
            won = self._won(subject, view, now_ns)
            if won >= 0:
                return None
            equity = self._equity(subject, view, now_ns)
        except DataError:
            return None
        if -won * 100 < self.percent * equity:
            return None
        cause = f"day loss {-won} of {subject.strategy} is {self.percent}% of {equity} or more"
        return Finding(KillLevel.REDUCE, f"strategy:{subject.strategy}", cause)

    @staticmethod
    def _won(subject: Subject, view: RiskView, now_ns: int) -> Decimal:
        """Raises: DataError: a price or a rate is not known."""
        if view.profit is None:
            raise LookupError("profit is not counted")
        return view.profit.of_strategy(subject.strategy, subject.account, now_ns)

    @staticmethod
    def _equity(subject: Subject, view: RiskView, now_ns: int) -> Decimal:
        """The day's first sample, else what the account is worth now. Raises: DataError: a rate is not known."""
        known = None if view.profit is None else view.profit.worth.get(subject.account)
        return known[1] if known is not None else view.valuation.of(subject.account, now_ns).equity
