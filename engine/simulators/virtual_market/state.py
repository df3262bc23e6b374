"""The simulator's memory on disk: one JSON file, replaced whole after each booking."""

from msgspec import Struct

from engine.simulators.accounts import Account
from engine.simulators.exchange import Intervention
from engine.simulators.state_file import read_state_file
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
    return read_state_file(path, State, now_ns, "the virtual market")
