"""Asks every limit in order; the first that says no denies the order (RELIABILITY 4.1)."""

import hashlib
from collections.abc import Sequence

import msgspec

from engine.domain.commands import SubmitOrder
from engine.domain.errors import SluiceError
from engine.domain.verdict import Denial, Verdict
from engine.risk.limit import Limit
from engine.risk.view import RiskView

PREFIX = "limit check failed: "

FAILURES = (ArithmeticError, LookupError, ValueError, TypeError, AttributeError, SluiceError)
"""What a limit may raise on data it did not expect. It denies, and is counted: three of them halt (RELIABILITY 4.5)."""


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
        for limit in self.limits:
            limit.prepare(view)
        self._checks = tuple(limit.check for limit in self.limits)

    def check(self, order: SubmitOrder, now_ns: int) -> Denial | None:
        """The first limit's no, its reason starting ``limit check failed: ``; None if all pass."""
        view = self.view
        at = -1
        try:
            for at, check in enumerate(self._checks):  # noqa: B007
                denial = check(order, view, now_ns)
                if denial is not None:
                    return Denial(denial.code, PREFIX + denial.reason)
        except FAILURES as error:
            self.errors += 1
            return _failed(self.limits[at], error)
        return None

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


def _failed(limit: Limit, error: Exception) -> Denial:
    return Denial("RISK_ERROR", f"{PREFIX}{limit.name} could not be judged: {type(error).__name__}: {error}")
