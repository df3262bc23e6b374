"""What the broker behind the simulated client remembers, on disk: one JSON file, replaced whole after each change.

The account alone: its orders, deals, holdings and money, its conditions and its loans. The operations and their ids are
lost when the process ends, as they are when the real server ends; what one of them had not done by then is not done.
"""

from msgspec import Struct

from engine.simulators.counter_state import CounterState, Keeps, read_kept
from engine.simulators.easyths.conditions import Condition
from engine.simulators.easyths.repo import Loan, Repo


class State(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that seed, settings and clock do not say already."""

    saved_ns: int
    requests: int
    counter: CounterState
    conditions: list[Condition]
    loans: list[Loan]
    selected: Repo


def read_state(settings: Keeps, now_ns: int) -> State | None:
    """The state of an earlier life; None where there is none yet.

    Raises:
        ConfigError: the file is no state of this simulator or does not fit its settings, or the clock shows a time
            before it was written.
    """
    return read_kept(settings, State, now_ns, "the EasyTHS simulator")
