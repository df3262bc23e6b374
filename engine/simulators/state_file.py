"""A simulator's memory on disk: one JSON file, replaced whole after each change."""

from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from engine.domain.errors import ConfigError
from engine.domain.timestamps import format_time


class Saved(Protocol):
    """What a state file holds."""

    @property
    def saved_ns(self) -> int:
        """When it was written."""
        ...


S = TypeVar("S", bound=Saved)


def read_state_file(path: str | None, kind: type[S], now_ns: int, what: str) -> S | None:
    """The state of an earlier life; None where there is none yet, or no path.

    Args:
        kind: the msgspec struct it holds. what: whose state it is, in words, as ``the virtual market``.

    Raises:
        ConfigError: the file is none of this kind, or the clock shows a time before it was written.
    """
    if path is None or not Path(path).exists():
        return None
    try:
        state = msgspec.json.decode(Path(path).read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no state of {what} ({error}); delete it to begin anew") from None
    if now_ns < state.saved_ns:
        raise ConfigError(
            f"{path} was written at {format_time(state.saved_ns)}, after the clock's {format_time(now_ns)}; "
            "start the clock later, or delete the file to begin anew"
        )
    return state


def write_state_file(path: str, state: Saved) -> None:
    """A crash leaves the old file or the new one.

    Raises:
        ConfigError: it can not be written there.
    """
    target = Path(path)
    fresh = target.with_name(target.name + ".new")
    try:
        fresh.write_bytes(msgspec.json.encode(state))
        fresh.replace(target)
    except OSError as error:
        raise ConfigError(f"{path} can not be written ({error}); give state_path a place that can") from None
