"""What the broker behind the simulated client remembers, on disk: one JSON file, replaced whole after each change.

The account alone: its orders, deals, holdings, money and subscriptions. Sessions and what stands in the client's window
are lost when the process ends, as they are when the real server ends.
"""

from msgspec import Struct

from engine.simulators.counter_state import CounterState, Keeps, read_kept
from engine.simulators.huatai.statements import Subscription


class State(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that seed, settings and clock do not say already. ``numbers`` counts those drawn for what is no order."""

    saved_ns: int
    requests: int
    numbers: int
    counter: CounterState
    subscriptions: list[Subscription]


def read_state(settings: Keeps, now_ns: int) -> State | None:
    """The state of an earlier life; None where there is none yet.

    Raises:
        ConfigError: the file is no state of this simulator or does not fit its settings, or the clock shows a time
            before it was written.
    """
    return read_kept(settings, State, now_ns, "the HT simulator")
