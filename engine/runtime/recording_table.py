"""``[recording]`` of a config."""

from typing import Annotated

from msgspec import Meta, Struct


class RecordingTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a live or paper run keeps for ``replay``; backtests keep nothing, they can be run again."""

    enabled: bool = True
    max_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 500
    """Of all recordings in the run's data folder; the oldest are removed to keep below it."""
