"""Rate limits: as the venue really counts, and as its document reads (contracts/virtual_market.md 5)."""

import ipaddress
import re
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

from engine.domain.timestamps import MINUTE_NS

WINDOW_NS = MINUTE_NS
SHIPPED_WHITELIST = ("127.0.0.1", "192.168.1.0/24", "10.8.0.0/24")

RateLimits = Literal["shared", "separate", "off"]


class Rule(NamedTuple):
    name: str
    pattern: re.Pattern[str]
    limit: int
    """Accepted calls in 60 s."""
    by_user: bool
    """Where the limits are separate: counted by user, as the document reads, not by address."""


RULES = (
    Rule("auth", re.compile(r"^/api/auth/.*"), 10, False),
    Rule("trade", re.compile(r"^/api/v1/trade/.*"), 30, True),
    Rule("details", re.compile(r"^/api/v1/stock/[^/]+/details$"), 5, False),
    Rule("general", re.compile(r"^/api/.*"), 60, False),
)


def rule_of(path: str) -> Rule | None:
    """The first rule that matches; None for pages, which are not counted."""
    return next((rule for rule in RULES if rule.pattern.match(path)), None)


class RateLimiter:
    """Sliding windows of 60 s of accepted calls; a refused call is not counted.

    ``shared``: one window an address; each rule compares the whole number of calls in it with its own limit.
    ``separate``: a window for each rule and address (for trades: and user).
    """

    def __init__(self, mode: RateLimits, whitelist: Sequence[str] = ()) -> None:
        self._mode = mode
        self._exempt = [ipaddress.ip_network(entry) for entry in whitelist]
        self._windows: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
        self.refused = 0

    def allows(self, path: str, address: str, user: str | None, now_ns: int) -> bool:
        """Count a call, or refuse it.

        Args:
            user: chat id of a valid token; without one trades are counted by address in either mode.
        """
        rule = rule_of(path)
        if rule is None or self._mode == "off" or self._is_exempt(address):
            return True
        if self._mode == "shared":
            window = self._windows[("", address)]
        else:
            window = self._windows[(rule.name, f"user {user}" if rule.by_user and user else address)]
        while window and now_ns - window[0] >= WINDOW_NS:
            window.popleft()
        if len(window) >= rule.limit:
            self.refused += 1
            return False
        window.append(now_ns)
        return True

    def _is_exempt(self, address: str) -> bool:
        if not self._exempt:
            return False
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._exempt)
