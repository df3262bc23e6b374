"""Asks every limit in order; the first that says no denies the order (RELIABILITY 4.1)."""

import hashlib
from collections.abc import Callable, Container, Sequence
from types import FunctionType

import msgspec

from engine.domain.commands import SubmitOrder
from engine.domain.errors import SluiceError
from engine.domain.verdict import Denial, Verdict
from engine.risk.everyday import everyday
from engine.risk.limit import Limit
from engine.risk.view import RiskView

PREFIX = "limit check failed: "

FAILURES = (ArithmeticError, LookupError, ValueError, TypeError, AttributeError, SluiceError)
"""What a limit may raise on data it did not expect. It denies, and is counted: three of them halt (RELIABILITY 4.5)."""


Check = Callable[[SubmitOrder, RiskView, int], Denial | None]


class RiskChecker:
    """One an engine. Cancels are never shown to it (DESIGN, decision 14)."""

    def __init__(self, limits: Sequence[Limit], view: RiskView) -> None:
        """Puts the counters the limits read into ``view``: make it before the first event, replayed ones included."""
        self.limits = tuple(limits)
        self.view = view
        self.errors = 0
        """How often a limit raised instead of answering."""
        self.limits_hash = hashlib.sha256(
            msgspec.json.encode([(limit.name, limit) for limit in self.limits], order="deterministic")
        ).hexdigest()
        self.limits_id = self.limits_hash[:12]
        """What records say of it."""
        for limit in self.limits:
            limit.prepare(view)
        self._first_no = _in_turn([limit.check for limit in self.limits])
        self.passes = everyday(self.limits, view)
        """The shortcut for everyday orders; None where these limits have none."""

    def check(self, order: SubmitOrder, now_ns: int) -> Denial | None:
        """The first limit's no, its reason starting ``limit check failed: ``; None if all pass."""
        first_no, passes = self._first_no, self.passes
        try:
            if passes is not None and passes(order, now_ns) is not None:
                return None
        except FAILURES:
            pass  # No answer: which limit says no to such an order, they tell themselves.
        try:
            denial = first_no(order, self.view, now_ns)
        except FAILURES as error:
            self.errors += 1
            return _failed(self._culprit(order, now_ns), error)
        return None if denial is None else Denial(denial.code, PREFIX + denial.reason)

    def check_only(self, names: Container[str], order: SubmitOrder, now_ns: int) -> Denial | None:
        """``check`` by the limits of these names alone, for what is no order and only comes to one at worst."""
        for limit in self.limits:
            if limit.name not in names:
                continue
            try:
                denial = limit.check(order, self.view, now_ns)
            except FAILURES as error:
                self.errors += 1
                return _failed(limit, error)
            if denial is not None:
                return Denial(denial.code, PREFIX + denial.reason)
        return None

    def _culprit(self, order: SubmitOrder, now_ns: int) -> Limit:
        """The limit that raised: asking changes nothing, so they are asked again."""
        for limit in self.limits:
            try:
                limit.check(order, self.view, now_ns)
            except FAILURES:
                return limit
        return self.limits[-1]

    def explain(self, order: SubmitOrder, now_ns: int) -> list[Verdict]:
        """Every limit's answer, in order. Counts nothing and denies nothing."""
        verdicts = []
        for limit in self.limits:
            try:
                verdict = limit.explain(order, self.view, now_ns)
            except FAILURES as error:
                denial = _failed(limit, error)
                verdict = Verdict(check=limit.name, passed=False, figures="", code=denial.code, reason=denial.reason)
            else:
                if not verdict.passed:
                    verdict = msgspec.structs.replace(verdict, reason=PREFIX + verdict.reason)
            verdicts.append(verdict)
        return verdicts


def _in_turn(checks: Sequence[Check]) -> Check:
    """All checks as one, which stops at the first no; each call in code of its own, where it is fast."""
    if not checks:
        return lambda _order, _view, _now_ns: None
    if len(checks) == 1:
        return checks[0]
    if len(checks) >= 4:
        return _four_in_turn(checks)
    first, rest = checks[0], _in_turn(checks[1:])

    def check(order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        denial = first(order, view, now_ns)
        return rest(order, view, now_ns) if denial is None else denial

    return FunctionType(check.__code__.replace(), check.__globals__, check.__name__, None, check.__closure__)


def _four_in_turn(checks: Sequence[Check]) -> Check:
    (first, second, third, fourth), rest = checks[:4], _in_turn(checks[4:])

    def check(order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        denial = first(order, view, now_ns)
        if denial is None:
            denial = second(order, view, now_ns)
        if denial is None:
            denial = third(order, view, now_ns)
        if denial is None:
            denial = fourth(order, view, now_ns)
        return rest(order, view, now_ns) if denial is None else denial

    return FunctionType(check.__code__.replace(), check.__globals__, check.__name__, None, check.__closure__)


def _failed(limit: Limit, error: Exception) -> Denial:
    return Denial("RISK_ERROR", f"{PREFIX}{limit.name} could not be judged: {type(error).__name__}: {error}")
