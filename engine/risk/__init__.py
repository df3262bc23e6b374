"""The risk gate: a checker and one limit a file (DESIGN, decision 15)."""

from engine.risk.checker import RiskChecker
from engine.risk.cost import worst_case_cost
from engine.risk.limit import Limit
from engine.risk.profiles import PROFILES, limits_for
from engine.risk.rules import RULES
from engine.risk.view import RiskView
from engine.risk.what_if import WhatIf, what_if

__all__ = [
    "PROFILES", "RULES", "Limit", "RiskChecker", "RiskView", "WhatIf", "limits_for", "what_if", "worst_case_cost",
]  # fmt: skip
