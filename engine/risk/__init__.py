"""The risk gate: a checker and one limit a file (DESIGN, decision 15)."""

from engine.risk.checker import RiskChecker
from engine.risk.cost import worst_case_cost
from engine.risk.limit import Limit
from engine.risk.profiles import PROFILES, limits_for
from engine.risk.rules import RULES
from engine.risk.view import RiskView

__all__ = ["PROFILES", "RULES", "Limit", "RiskChecker", "RiskView", "limits_for", "worst_case_cost"]
