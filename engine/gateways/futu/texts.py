"""What a refusal's words say of trying again: later, and when; or never (contracts/futu.md 2.3, 7.2, 8).

Status and ret_type decide whether something was done; words only decide about the wait. The texts of most limits are
not published, so a text we do not know means never.
"""

import enum
import re

from msgspec import Struct

from engine.domain.timestamps import SECOND_NS

FREQUENCY_WAIT_NS = 30 * SECOND_NS
"""The official frequency limits count 30 s (contract 8)."""
RATE_WAIT_NS = 60 * SECOND_NS
"""``max_orders_per_minute`` slides over 60 s (contract 7.2)."""
RETRY_MAX_NS = 60 * SECOND_NS
TIMEOUT_CODES = frozenset({"100012"})
"""Backend codes that mean: outcome unknown (contract 6.3)."""
NOT_UNLOCKED = "-401"
NOT_CHANGEABLE = "10003"

_PREFIX = re.compile(r"\A\s*\[err_code=(-?\w+)\]\s*")
_WINDOW = re.compile(r"in the last (\d{1,4})\s*s\b|in (\d{1,4})s\b", re.ASCII)
_FREQUENCY = re.compile(r"频率|frequen", re.IGNORECASE)


class LimitKind(enum.StrEnum):
    """The layers of contract 7.2, by the reason words of its metrics."""

    RATE = "rate"
    FREQUENCY = "frequency"
    HOURS = "hours"
    DAILY = "daily"
    PER_ORDER = "per_order"
    MARKET = "market"
    SYMBOL = "symbol"
    SIDE = "side"
    FORBIDDEN = "forbidden"
    OTHER = "other"


class Limit(Struct, frozen=True):
    """One refusal by a limit. ``retry_after_ns`` None: never, this order can not pass."""

    kind: LimitKind
    retry_after_ns: int | None

    @property
    def later(self) -> bool:
        return self.retry_after_ns is not None


_WORDS = (
    (LimitKind.RATE, ("rate limit",)),
    (LimitKind.DAILY, ("daily",)),
    (LimitKind.PER_ORDER, ("order value", "per-order", "per_order", "max_order_value")),
    (LimitKind.HOURS, ("hours", "time window")),
    (LimitKind.MARKET, ("market",)),
    (LimitKind.SYMBOL, ("symbol",)),
    (LimitKind.SIDE, ("side",)),
)


def limit_from_text(status: int, text: str, retry_after_ns: int | None = None) -> Limit | None:
    """The limit a 403 or 429 speaks of; None for another status. ``retry_after_ns``: the header's, if there was one."""
    if status not in (403, 429):
        return None
    words = text.lower()
    if status == 403 and words.strip() == "forbidden":
        return Limit(LimitKind.FORBIDDEN, None)
    kind = next((kind for kind, marks in _WORDS if any(mark in words for mark in marks)), LimitKind.OTHER)
    if kind is not LimitKind.RATE:
        # An unknown 429 with a delay of its own says by that that it will pass.
        return Limit(kind, retry_after_ns if kind is LimitKind.OTHER and status == 429 else None)
    if retry_after_ns is None:
        found = _WINDOW.search(words)
        seconds = int(found[1] or found[2]) if found else RATE_WAIT_NS // SECOND_NS
        retry_after_ns = min(max(seconds, 1) * SECOND_NS, RETRY_MAX_NS)
    return Limit(kind, retry_after_ns)


def frequency_wait_ns(text: str) -> int | None:
    """How long to wait after an upstream frequency refusal, which comes as a business failure; None if it is none."""
    return FREQUENCY_WAIT_NS if _FREQUENCY.search(text) else None


def code_from_text(text: str) -> str:
    """The backend's code in front of a failure's sentence; empty where it says ``none`` or nothing."""
    found = _PREFIX.match(text)
    return "" if found is None or found[1] == "none" else found[1]


def sentence_from_text(text: str) -> str:
    """The first line of the sentence behind the code."""
    lines = _PREFIX.sub("", text).strip().splitlines()
    return lines[0].strip() if lines else ""
