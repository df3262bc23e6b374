"""The simulator's memory on disk: one JSON file, replaced whole after each booking."""

from pathlib import Path

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.domain.timestamps import format_time
from engine.simulators.accounts import Account
from engine.simulators.exchange import Intervention
from engine.simulators.virtual_market.logins import Login


class State(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that seed and clock do not say already."""

    seed: int
    origin_ns: int
    saved_ns: int
    secret: str
    requests: int
    interventions: list[Intervention]
    logins: list[Login]
    accounts: list[Account]


def read_state(path: str | None, now_ns: int) -> State | None:
    """The state of an earlier life; None where there is none yet.

    Raises:
        ConfigError: the file is no state of this simulator, or the clock shows a time before it was written.
    """
    if path is None or not Path(path).exists():
        return None
    try:
        state = msgspec.json.decode(Path(path).read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no state of the virtual market ({error}); delete it to begin anew") from None
    if now_ns < state.saved_ns:
        raise ConfigError(
            f"{path} was written at {format_time(state.saved_ns)}, after the clock's {format_time(now_ns)}; "
            "start the clock later, or delete the file to begin anew"
        )
    return state


def write_state(path: str, state: State) -> None:
    """A crash leaves the old file or the new one."""
    target = Path(path)
    fresh = target.with_name(target.name + ".new")
    fresh.write_bytes(msgspec.json.encode(state))
    fresh.replace(target)
