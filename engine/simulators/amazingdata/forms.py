"""The forms of an answer that nobody could observe, each a setting (contracts/amazingdata.md 6).

The first word of each is the main form of the examples; the others are the ``also_accept`` ones.
"""

from typing import Any, Literal

from msgspec import Struct

from engine.simulators.amazingdata.messages import envelope
from engine.simulators.faults import Answer


class Forms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the platform's answers look like."""

    errors: Literal["envelope", "detail", "status_200"] = "envelope"
    """``{"code", "message", "data"}`` under the status, ``{"detail"}`` under it, or the envelope under HTTP 200."""
    broken: Literal["envelope", "text", "proxy"] = "envelope"
    """A server fault: JSON 500, plain text 500, a proxy's 502 page."""
    dates: Literal["dashed", "digits", "timestamp", "sdk"] = "dashed"
    """Of bars; ``timestamp`` joins with T, ``sdk`` names the column ``kline_time`` and adds ``code``."""
    labels: Literal["start", "end"] = "start"
    """Which end of its interval a minute bar is labelled by."""
    calendar: Literal["digits", "integers", "dashed"] = "digits"
    codes: Literal["strings", "objects"] = "strings"
    no_data: Literal["absent", "empty"] = "absent"
    suspended: Literal["absent", "nulls", "flat"] = "absent"
    volume: Literal["integer", "float"] = "integer"
    futures: Literal["full", "nulls", "absent", "amount"] = "full"
    """``settle`` and ``open_interest`` given, null, or left out; ``amount`` adds the turnover."""
    chart: Literal["triples", "numbers"] = "triples"
    progress: Literal["percent", "fraction"] = "percent"
    finance: Literal["by_code", "flat", "lower", "several", "integers"] = "by_code"
    """Records by code or as one list, lower-case names, parent-company rows as well, dates as integers."""
    created: Literal[200, 201] = 200
    """HTTP status of a created SDK configuration."""

    def failure(self, status: int, text: str) -> tuple[int, Any]:
        """HTTP status and body of a refusal."""
        if self.errors == "detail":
            return status, {"detail": text}
        return (200 if self.errors == "status_200" else status), envelope(status, text)

    def fault(self, text: str, encode: Any) -> Answer:
        """The answer of a server that broke."""
        if self.broken == "text":
            return Answer.of(500, "text/plain; charset=utf-8", b"Internal Server Error")
        if self.broken == "proxy":
            return Answer.of(502, "text/html", b"<html><body>502 Bad Gateway</body></html>")
        status, body = self.failure(500, text)
        return Answer.of(status, "application/json", encode(body))
