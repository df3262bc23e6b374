"""What a token may do (RELIABILITY 6)."""

import enum


class Scope(enum.StrEnum):
    READ = "read"
    """See everything but secrets."""
    TRADE = "trade"
    """Place and withdraw orders by hand."""
    RISK_SET = "risk:set"
    """Raise kill levels, stop a strategy and start it again, change its parameters, reconcile."""
    RISK_RESET = "risk:reset"
    """Let go: lower kill levels, accept differences, resolve orders."""
    ADMIN = "admin"
    """Has every other scope; kept for what changes a run itself."""


ALL = frozenset(Scope)
