"""What goes wrong in a run, as data: drawn from a seed, printed, kept in a file, shrunk to what matters.

The kinds follow the rows of the fault matrix (RELIABILITY 5.1) that fit a request-and-answer market: N1 refused, N2 cut
in the question, N3 cut before the answer, N4 cut or truncated within it, N5 slow or late, N6 done after our deadline
(a late answer, or a server that books and then stays silent), N12 and N13 by the server, N18 black holes; and P1, the
crash of a simulated process at any of its seams.
"""

import math
import random
from collections.abc import Callable, Sequence
from enum import Enum

import msgspec
from msgspec import Struct

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
    """

    kind: ServerKind
    call: int
    route: str = "*"


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


class AnswerLoss(Struct, frozen=True, kw_only=True, tag="answer"):
    """The ``call``-th (from 1) order or change that reaches the backend is answered wrongly."""

    kind: AnswerKind
    call: int


class QuirkFault(Struct, frozen=True, kw_only=True, tag="quirk"):
    """A desktop client does or says something else than its duty, on the ``occasion``-th occasion (from 1)."""

    quirk: str
    occasion: int


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


Fault = (
    ConnectionFault | PortFault | ServerFault | CrashFault | PushRate | DaemonFault | AnswerLoss | QuirkFault
    | ManualTrade
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


class Terrain(Struct, frozen=True, kw_only=True):
    """What there is to break in a scenario, for ``draw_schedule``.

    Args:
        ports: servers that may be hurt.
        connections, exchanges: about how many connections a port sees, and questions a connection.
        answer_bytes: about how long an answer is.
        horizon_seconds: faults that have a time are before this one (after it, the run must heal).
        late_seconds: the longest delay: well past every deadline of the client.
        server_kinds: what the simulator may do; ``server_routes``: its route classes.
        calls: about how many a route class sees.
        processes: names of those that may crash; ``seams``: about how many seam calls they make.
    """

    ports: tuple[int, ...]
    connections: int = 8
    exchanges: int = 12
    answer_bytes: int = 400
    horizon_seconds: float = 60.0
    late_seconds: float = 60.0
    server_kinds: tuple[ServerKind, ...] = tuple(ServerKind)
    server_routes: tuple[str, ...] = ("*", "trade")
    calls: int = 60
    processes: tuple[str, ...] = ()
    seams: int = 400


def draw_schedule(rng: random.Random, terrain: Terrain) -> Schedule:
    """Draw what goes wrong, swarm style: each kind is in or out, and those that are in have a rate of their own.

    A run that enables everything at once hides what needs one fault often, or one fault alone (Groce et al., "Swarm
    Testing", ISSTA 2012).
    """
    drawn: list[Fault] = []
    for kind in FaultKind:
        drawn += [_connection_fault(rng, kind, terrain) for _ in range(_swarm_count(rng))]
    drawn += [
        PortFault(
            port=rng.choice(terrain.ports),
            at_seconds=round(rng.uniform(0, terrain.horizon_seconds), 3),
            seconds=round(rng.uniform(0.05, terrain.horizon_seconds / 6), 3),
        )
        for _ in range(_swarm_count(rng, most=3))
    ]
    for word in terrain.server_kinds:
        drawn += [
            ServerFault(
                kind=word,
                call=1 + int(rng.random() ** 2 * terrain.calls),
                route=rng.choice(terrain.server_routes),
            )
            for _ in range(_swarm_count(rng))
        ]
    for name in terrain.processes:
        drawn += [
            CrashFault(
                process=name,
                start=start,
                seam=1 + int(rng.random() ** 2 * terrain.seams),
                down_seconds=round(rng.uniform(0.1, terrain.late_seconds / 6), 3),
            )
            for start in range(_swarm_count(rng, most=3))
        ]
    return tuple(drawn)


def _swarm_count(rng: random.Random, most: int = 8) -> int:
    # Half the kinds are out; the rest from once to ``most`` times, few more often than many.
    return 0 if rng.random() < 0.5 else round(math.exp(rng.uniform(0, math.log(most))))


def draw_push_faults(rng: random.Random, horizon_seconds: float, *, calls: int = 60) -> Schedule:
    """What goes wrong with a daemon that pushes, swarm style again: frames, answers, the daemon itself."""
    drawn: list[Fault] = []
    only = rng.choice(("", "trade", "trade"))
    most = {PushKind.CUT: 0.004, PushKind.STALL: 0.0005} if not only else {PushKind.CUT: 0.05, PushKind.STALL: 0.02}
    for kind in PushKind:
        chance = round(rng.uniform(0.01, 1.0) * most.get(kind, 0.23), 5)
        if rng.random() < 0.5:
            drawn.append(PushRate(kind=kind, chance=chance, only=only))
    for answer in AnswerKind:
        drawn += [AnswerLoss(kind=answer, call=1 + int(rng.random() * calls)) for _ in range(_swarm_count(rng))]
    for daemon in DaemonKind:
        drawn += [
            DaemonFault(
                kind=daemon,
                at_seconds=round(rng.uniform(0, horizon_seconds), 3),
                seconds=round(rng.uniform(1, horizon_seconds / 10), 3),
            )
            for _ in range(_swarm_count(rng, most=3))
        ]
    return tuple(drawn)


def draw_desktop_faults(
    rng: random.Random, horizon_seconds: float, *, quirks: Sequence[str], shares: int, occasions: int = 40
) -> Schedule:
    """What goes wrong with a client on somebody's desk: its quirks, its end, and the hand on its mouse."""
    drawn: list[Fault] = []
    for quirk in quirks:
        count = _swarm_count(rng, most=6)
        drawn += [QuirkFault(quirk=quirk, occasion=1 + int(rng.random() ** 2 * occasions)) for _ in range(count)]
    for daemon in DaemonKind:
        drawn += [
            DaemonFault(
                kind=daemon,
                at_seconds=round(rng.uniform(0, horizon_seconds), 3),
                seconds=round(rng.uniform(1, horizon_seconds / 10), 3),
            )
            for _ in range(_swarm_count(rng, most=3))
        ]
    for _ in range(_swarm_count(rng) if rng.random() < 0.6 else 0):
        drawn.append(
            ManualTrade(
                at_seconds=round(rng.uniform(0, horizon_seconds), 3),
                share=rng.randrange(shares),
                buys=rng.random() < 0.5,
                lots=rng.randint(1, 4),
                crosses=rng.random() < 0.6,
                copies=rng.random() < 0.3,
                withdrawn_seconds=round(rng.uniform(5, 200), 3),
            )
        )
    return tuple(drawn)


def _connection_fault(rng: random.Random, kind: FaultKind, terrain: Terrain) -> ConnectionFault:
    exchange = 0 if kind.connects else int(rng.random() ** 2 * terrain.exchanges)
    after = 0
    if not kind.connects and kind is not FaultKind.DELAY and rng.random() < 0.7:
        after = rng.randrange(terrain.answer_bytes)
    seconds = {FaultKind.DELAY: _late(rng, terrain), FaultKind.SLOW_ANSWER: 1.0}.get(kind, 0.0)
    return ConnectionFault(
        kind=kind,
        port=rng.choice(terrain.ports),
        connection=int(rng.random() ** 2 * terrain.connections),
        exchange=exchange,
        after_bytes=after,
        seconds=seconds,
    )


def _late(rng: random.Random, terrain: Terrain) -> float:
    return round(math.exp(rng.uniform(math.log(0.05), math.log(terrain.late_seconds))), 3)


def shrink(schedule: Sequence[Fault], fails: Callable[[Schedule], bool], *, runs_max: int = 200) -> Schedule:
    """The smallest part of a failing schedule that still fails (delta debugging: Zeller, Hildebrandt 2002).

    Args:
        fails: runs a schedule and says whether the failure shows.
        runs_max: after so many runs the best so far is good enough.

    Raises:
        ValueError: the whole schedule does not fail.
    """
    best = tuple(schedule)
    if not fails(best):
        raise ValueError("the schedule does not fail: nothing to shrink")
    runs, pieces = 1, 2
    while best and runs < runs_max:
        size = max(1, math.ceil(len(best) / pieces))
        for start in range(0, len(best), size):
            without = best[:start] + best[start + size :]
            runs += 1
            if fails(without):
                best, pieces = without, max(2, pieces - 1)
                break
            if runs >= runs_max:
                break
        else:
            if size == 1:
                break
            pieces = min(len(best), pieces * 2)
    return best
