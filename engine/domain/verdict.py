"""What a check says of an order: nothing, or why not; and, when asked to explain itself, with which figures."""

from msgspec import Struct


class Denial(Struct, frozen=True, gc=False):
    """Why an order may not leave. ``reason`` reads ``rate limit exceeded: 3 orders in the last 60s (cap 3)``."""

    code: str
    reason: str


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """One check's answer for one order, passed or not."""

    check: str
    passed: bool
    figures: str
    """What was compared with what, for people: ``quantity 300, lot 100``."""
    code: str = ""
    reason: str = ""
