"""Drawing what goes wrong from a seed, swarm style, and shrinking what failed to what matters."""

import math
import random
from collections.abc import Callable, Sequence

from msgspec import Struct

from engine.chaos.faults import (
    AnswerLoss,
    ConnectionFault,
    CrashFault,
    DaemonFault,
    DaemonKind,
    Fault,
    FaultKind,
    ManualTrade,
    PortFault,
    PushRate,
    QuirkFault,
    Schedule,
    ServerFault,
)
from engine.simulators.faults import Fault as ServerKind
from engine.simulators.futu import AnswerFault as AnswerKind
from engine.simulators.futu import PushFault as PushKind


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
        most: how often one kind happens at most. out: the share of kinds that do not happen at all.
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
    most: int = 8
    out: float = 0.5
    named: bool = False
    """Whether server faults name the port, as they must where there are several servers."""


def draw_schedule(rng: random.Random, terrain: Terrain) -> Schedule:
    """Draw what goes wrong, swarm style: each kind is in or out, and those that are in have a rate of their own.

    A run that enables everything at once hides what needs one fault often, or one fault alone (Groce et al., "Swarm
    Testing", ISSTA 2012).
    """
    drawn: list[Fault] = []
    port = terrain.ports[0] if terrain.named else 0
    for kind in FaultKind:
        drawn += [_connection_fault(rng, kind, terrain) for _ in range(swarm_count(rng, terrain.most, terrain.out))]
    drawn += [
        PortFault(
            port=rng.choice(terrain.ports),
            at_seconds=round(rng.uniform(0, terrain.horizon_seconds), 3),
            seconds=round(rng.uniform(0.05, terrain.horizon_seconds / 6), 3),
        )
        for _ in range(swarm_count(rng, min(3, terrain.most), terrain.out))
    ]
    for word in terrain.server_kinds:
        drawn += [
            ServerFault(
                kind=word,
                call=1 + int(rng.random() ** 2 * terrain.calls),
                route=rng.choice(terrain.server_routes),
                port=port,
            )
            for _ in range(swarm_count(rng, terrain.most, terrain.out))
        ]
    for name in terrain.processes:
        drawn += [
            CrashFault(
                process=name,
                start=start,
                seam=1 + int(rng.random() ** 2 * terrain.seams),
                down_seconds=round(rng.uniform(0.1, terrain.late_seconds / 6), 3),
            )
            for start in range(swarm_count(rng, most=3))
        ]
    return tuple(drawn)


def swarm_count(rng: random.Random, most: int = 8, out: float = 0.5) -> int:
    """0 for a share ``out`` of the kinds; else from once to ``most`` times, few more often than many."""
    return 0 if rng.random() < out else round(math.exp(rng.uniform(0, math.log(most))))


def draw_push_faults(
    rng: random.Random, horizon_seconds: float, *, calls: int = 60, times: int = 8, port: int = 0
) -> Schedule:
    """What goes wrong with a daemon that pushes, swarm style again: frames, answers, the daemon itself."""
    drawn: list[Fault] = []
    only = rng.choice(("", "trade", "trade"))
    most = {PushKind.CUT: 0.004, PushKind.STALL: 0.0005} if not only else {PushKind.CUT: 0.05, PushKind.STALL: 0.02}
    for kind in PushKind:
        chance = round(rng.uniform(0.01, 1.0) * most.get(kind, 0.23), 5)
        if rng.random() < 0.5:
            drawn.append(PushRate(kind=kind, chance=chance, only=only))
    for answer in AnswerKind:
        drawn += [AnswerLoss(kind=answer, call=1 + int(rng.random() * calls)) for _ in range(swarm_count(rng, times))]
    drawn += _daemon_faults(rng, horizon_seconds, port)
    return tuple(drawn)


def _daemon_faults(rng: random.Random, horizon_seconds: float, port: int) -> list[DaemonFault]:
    return [
        DaemonFault(
            kind=kind,
            at_seconds=round(rng.uniform(0, horizon_seconds), 3),
            seconds=round(rng.uniform(1, horizon_seconds / 10), 3),
            port=port,
        )
        for kind in DaemonKind
        for _ in range(swarm_count(rng, most=3))
    ]


def draw_desktop_faults(
    rng: random.Random,
    horizon_seconds: float,
    *,
    quirks: Sequence[str],
    shares: int,
    occasions: int = 40,
    most: int = 6,
    out: float = 0.5,
    port: int = 0,
) -> Schedule:
    """What goes wrong with a client on somebody's desk: its quirks, its end, and the hand on its mouse."""
    drawn: list[Fault] = []
    for quirk in quirks:
        count = swarm_count(rng, most, out)
        drawn += [
            QuirkFault(quirk=quirk, occasion=1 + int(rng.random() ** 2 * occasions), port=port) for _ in range(count)
        ]
    drawn += _daemon_faults(rng, horizon_seconds, port)
    for _ in range(swarm_count(rng, most + 2) if rng.random() < 0.6 else 0):
        drawn.append(
            ManualTrade(
                at_seconds=round(rng.uniform(0, horizon_seconds), 3),
                share=rng.randrange(shares),
                buys=rng.random() < 0.5,
                lots=rng.randint(1, 4),
                crosses=rng.random() < 0.6,
                copies=rng.random() < 0.3,
                withdrawn_seconds=round(rng.uniform(5, 200), 3),
                port=port,
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
