"""What a gateway is given instead of reaching for it: time, chance, secrets and the network."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
from msgspec import Struct

from engine.clock import Clock
from engine.entropy import Entropy


class Surroundings(Struct, frozen=True, kw_only=True):
    """``environ`` holds the secrets; ``transport`` makes the HTTP transport (None: httpx's own)."""

    clock: Clock
    entropy: Entropy
    environ: Mapping[str, str] = {}
    transport: Callable[[], httpx.AsyncBaseTransport] | None = None
    note: Callable[[str, Mapping[str, Any]], None] = lambda _event, _fields: None
    """Structured log line: event name and fields; secrets never in either."""
