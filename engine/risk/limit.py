"""What every limit is: a frozen struct of its own settings that answers for one order (DESIGN, decision 15)."""

from decimal import Decimal
from functools import cache
from typing import ClassVar, Protocol

from msgspec import Struct

from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel, PressNoted
from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.timestamps import duration_ns
from engine.domain.verdict import Denial, Verdict
from engine.risk.view import RiskView


class Subject(Protocol):
    """Whom a finding is about: an order, a fill."""

    @property
    def strategy(self) -> StrategyId: ...

    @property
    def account(self) -> AccountId: ...

    @property
    def instrument(self) -> InstrumentId: ...


class Finding(Struct, frozen=True, gc=False):
    """What a limit sees after the fact (RELIABILITY 4.2, 4.3). ``level`` RUN: a person is told, nothing is latched."""

    level: KillLevel
    scope: str
    cause: str
    key: str = ""
    """What it is about besides its scope: another key is another finding."""
    press: PressNoted | None = None
    """To be journaled with it, where it counts towards a later one."""


class Limit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One limit. ``check`` decides; ``figures`` tells the same numbers to people; neither changes anything."""

    name: ClassVar[str] = ""
    """Its key in ``RULES`` and in the config's ``[risk.<name>]``."""
    counts_open_orders: ClassVar[bool] = False
    """Whether every order asks it what open orders may still do: then that is counted as they change."""

    monitors: ClassVar[bool] = False
    """Whether it also judges what has happened: then ``finding`` is asked after each order, cancel and fill."""

    def prepare(self, view: RiskView) -> None:
        """Ask the view to keep the counters this limit reads; called once, before the first event."""

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        """Why the order may not leave, or None. O(1)."""
        raise NotImplementedError

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        """What is compared with what."""
        raise NotImplementedError

    def finding(self, subject: Subject, view: RiskView, now_ns: int) -> Finding | None:
        """What should be latched or told, now that something happened. O(1); the same finding again is no news."""
        return None

    def explain(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Verdict:
        """The answer of ``check`` with its figures, whether it passes or not."""
        denial = self.check(order, view, now_ns)
        return Verdict(
            check=self.name,
            passed=denial is None,
            figures=self.figures(order, view, now_ns),
            code=denial.code if denial is not None else "",
            reason=denial.reason if denial is not None else "",
        )


@cache
def span_ns(text: str) -> int:
    """A setting such as ``"3s"`` in nanoseconds, read once.

    Raises:
        ValueError: no duration.
    """
    return duration_ns(text)


def refuse_unless_duration(key: str, text: str, most: str) -> None:
    """A setting that must be a duration of at most ``most``.

    Raises:
        ValueError: it is not.
    """
    try:
        length_ns = span_ns(text)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    if length_ns > span_ns(most):
        raise ValueError(f"{key}: {text!r} is more than {most}")


def refuse_unless_positive(key: str, value: Decimal) -> None:
    """A setting that must be a finite number above 0.

    Raises:
        ValueError: it is not.
    """
    if not value.is_finite() or value <= 0:
        raise ValueError(f"{key} must be a finite number above 0, not {value}")


def refuse_unless_rising(lower: str, low: Decimal | int, higher: str, high: Decimal | int) -> None:
    """Two settings of which the first may not be above the second.

    Raises:
        ValueError: it is.
    """
    if low > high:
        raise ValueError(f"{lower} {low} is above {higher} {high}")
