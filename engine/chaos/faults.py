"""What goes wrong in a run, as data: drawn from a seed, printed, kept in a file, shrunk to what matters.

The kinds follow the rows of the fault matrix (RELIABILITY 5.1) that fit a request-and-answer market: N1 refused, N2 cut
in the question, N3 cut before the answer, N4 cut or truncated within it, N5 slow or late, N6 done after our deadline
(a late answer, or a server that books and then stays silent), N12 and N13 by the server, N18 black holes; and P1, the
crash of a simulated process at any of its seams.
"""

from collections.abc import Sequence
from enum import Enum

import msgspec
from msgspec import Struct

from engine.chaos.mishaps import Mishap, mishap_name
from engine.simulators.faults import Fault as ServerKind
from engine.simulators.faults import Trigger
from engine.simulators.futu import AnswerFault as AnswerKind
from engine.simulators.futu import PushFault as PushKind


class FaultKind(Enum):
    """What the network does to one connection."""

    REFUSE = "refuse"  # N1: nobody listens
    UNREACHABLE = "unreachable"  # N18: the connect is never answered
    CUT_REQUEST = "cut_request"  # N2: reset after so many bytes of the question
    CUT_ANSWER = "cut_answer"  # N3 (0 bytes), N4: the server has done its work
    TRUNCATE_ANSWER = "truncate_answer"  # N4: a clean end in the middle
    STALL_ANSWER = "stall_answer"  # N15: open, and silent from there on
    SLOW_ANSWER = "slow_answer"  # N5: so many seconds a byte
    DELAY = "delay"  # N5, N6: the answer comes so many seconds late
    BLACK_HOLE = "black_hole"  # N18: the question vanishes, nothing comes back

    @property
    def asks(self) -> bool:
        """Whether it strikes the client's bytes (else the server's)."""
        return self in {FaultKind.CUT_REQUEST, FaultKind.BLACK_HOLE}

    @property
    def connects(self) -> bool:
        """Whether it strikes the connect."""
        return self in {FaultKind.REFUSE, FaultKind.UNREACHABLE}


class ConnectionFault(Struct, frozen=True, kw_only=True, tag="connection"):
    """One connection is hurt.

    Args:
        port: the server's.
        connection: which connection to that port, 0 the first of the run.
        exchange: which question and answer on it, 0 the first; a connect fault has none.
        after_bytes: how many bytes of that question (or answer) still pass.
        seconds: of DELAY, how late; of SLOW_ANSWER, a byte.
    """

    kind: FaultKind
    port: int
    connection: int
    exchange: int = 0
    after_bytes: int = 0
    seconds: float = 0.0


class PortFault(Struct, frozen=True, kw_only=True, tag="port"):
    """A port goes down: its connections are reset, new ones refused; the server behind it lives on.

    Args:
        at_seconds: virtual seconds after the run's start.
        seconds: how long.
    """

    port: int
    at_seconds: float
    seconds: float


class ServerFault(Struct, frozen=True, kw_only=True, tag="server"):
    """The remote system misbehaves in its own words; ``server_script`` hands these to a simulator.

    Args:
        kind: the simulator's fault.
        call: which call of the route class it strikes, 1 the first.
        route: a route class of the simulator's; ``*`` counts all calls.
        port: the server's; 0: of the only one.
    """

    kind: ServerKind
    call: int
    route: str = "*"
    port: int = 0


class CrashFault(Struct, frozen=True, kw_only=True, tag="crash"):
    """A simulated process is killed at one of its seams, just before the seam's effect.

    Args:
        process: its name.
        start: which of its lives, 0 the first.
        seam: which seam call of that life, 1 the first.
        down_seconds: how long until it may start again.
    """

    process: str
    start: int
    seam: int
    down_seconds: float


class PushRate(Struct, frozen=True, kw_only=True, tag="push"):
    """Frames of the push connection go wrong, each with this chance.

    Args:
        only: ``trade`` frames alone, or all where it is empty.
    """

    kind: PushKind
    chance: float
    only: str = ""


class DaemonKind(Enum):
    """What happens to a gateway daemon with a backend behind it."""

    RESTART = "restart"  # subscriptions, registrations and the unlock are lost
    LOGOUT = "logout"  # its backend is away for a while


class DaemonFault(Struct, frozen=True, kw_only=True, tag="daemon"):
    """A daemon starts anew, or loses its backend for ``seconds``."""

    kind: DaemonKind
    at_seconds: float
    seconds: float = 0.0
    port: int = 0


class AnswerLoss(Struct, frozen=True, kw_only=True, tag="answer"):
    """The ``call``-th (from 1) order or change that reaches the backend is answered wrongly."""

    kind: AnswerKind
    call: int


class QuirkFault(Struct, frozen=True, kw_only=True, tag="quirk"):
    """A desktop client does or says something else than its duty, on the ``occasion``-th occasion (from 1)."""

    quirk: str
    occasion: int
    port: int = 0


class ManualTrade(Struct, frozen=True, kw_only=True, tag="manual"):
    """A person trades by hand at the same counter: which of the shares, how many lots, through the spread or beside it.

    Args:
        copies: as the engine's own newest order, to be as hard to tell apart as can be.
        withdrawn_seconds: until he takes back what is left.
    """

    at_seconds: float
    share: int
    buys: bool
    lots: int
    crosses: bool
    copies: bool = False
    withdrawn_seconds: float = 60.0
    port: int = 0


Fault = (
    ConnectionFault | PortFault | ServerFault | CrashFault | PushRate | DaemonFault | AnswerLoss | QuirkFault
    | ManualTrade | Mishap
)  # fmt: skip
Schedule = tuple[Fault, ...]


def fault_name(fault: Fault) -> str:
    """The row of the counters: ``net.cut_answer``, ``server.throttled``, ``port.down``, ``process.crash``."""
    match fault:
        case ConnectionFault():
            return f"net.{fault.kind.value}"
        case ServerFault():
            return f"server.{fault.kind.value}"
        case PortFault():
            return "port.down"
        case CrashFault():
            return "process.crash"
        case PushRate() | DaemonFault() | AnswerLoss():
            return f"{fault.__struct_config__.tag}.{fault.kind.value}"
        case QuirkFault():
            return f"quirk.{fault.quirk}"
        case ManualTrade():
            return "manual.copy" if fault.copies else "manual.order"
        case _:
            return mishap_name(fault)


def server_script(schedule: Sequence[Fault]) -> tuple[Trigger, ...]:
    """The part of a schedule that is the simulator's to play, in its own form (``Faults(script=...)``)."""
    return tuple(
        Trigger(call=fault.call, fault=fault.kind, route=fault.route)
        for fault in schedule
        if isinstance(fault, ServerFault)
    )


def schedule_to_json(schedule: Schedule) -> bytes:
    """One line of JSON, as it is kept with a failing seed."""
    return msgspec.json.encode(schedule)


def schedule_from_json(text: bytes | str) -> Schedule:
    """The inverse of ``schedule_to_json``."""
    return msgspec.json.decode(text, type=Schedule)
