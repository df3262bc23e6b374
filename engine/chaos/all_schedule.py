"""What goes wrong in a flight over everything: each seed hurts some of the systems, each by some kinds of faults.

Swarm style all the way down: a system is hurt or left alone, a kind of fault is in or out, and what is in has a rate of
its own. Beside the systems' faults there is the share of the process, the disk, the clocks, the limits and the people.
"""

import random

from msgspec.structs import replace

from engine.chaos.easyths_scenario import EasythsHangar
from engine.chaos.faults import (
    ConnectionFault,
    CrashFault,
    DaemonFault,
    Fault,
    PortFault,
    QuirkFault,
    Schedule,
    ServerFault,
)
from engine.chaos.huatai_scenario import HuataiHangar
from engine.chaos.mishaps import (
    PRICES,
    EdgeFault,
    EdgeKind,
    FaultyKind,
    FlapFault,
    FrameFault,
    FrameKind,
    JumpFault,
    LatchFault,
    LimitFault,
    RaceFault,
    SkewFault,
    StopFault,
    StopKind,
    StoreFault,
    StoreKind,
    StrategyFault,
    SuspendFault,
    TailFault,
    TailKind,
)
from engine.chaos.schedules import Terrain, draw_desktop_faults, draw_push_faults, draw_schedule, swarm_count
from engine.entropy import Entropy

HURT_SECONDS = 240.0
CALM_SECONDS = 30.0
MARKET_PORT, HUATAI_PORT, EASYTHS_PORT, FUTU_PORT, STREAM_PORT, DATA_PORT = 5000, 5001, 7648, 22222, 8801, 8000

STARTS = {
    "2026-03-03T09:58:00+08:00": "morning",
    "2026-03-03T11:26:00+08:00": "lunch",
    "2026-03-03T13:20:00+08:00": "afternoon",
    "2026-03-03T14:54:00+08:00": "close",
    "2026-03-03T15:54:00+08:00": "hong_kong_close",
    "2025-12-24T11:56:00+08:00": "half_day",
    "2026-03-03T23:55:00+08:00": "day_roll",
    "2026-03-08T14:57:00+08:00": "us_summer_time",
    "2026-05-01T10:00:00+08:00": "holiday",
    "2026-03-03T10:30:00+08:00": "morning_again",
    "2026-03-03T13:50:00+08:00": "afternoon_again",
    "2026-03-03T14:10:00+08:00": "afternoon_late",
}
"""Where a flight begins, and why: sessions, breaks, closes, a half day in Hong Kong, the roll of the day, the hour at
which New York's clocks go forward, a holiday. Sessions come often: elsewhere there is little to trade."""

_ROUTES = {
    MARKET_PORT: ("*", "trade", "portfolio"),
    EASYTHS_PORT: ("*", "order", "query", "status"),
    HUATAI_PORT: ("*", "order", "cancel", "query", "session"),
    FUTU_PORT: ("*", "trade", "account", "subscribe"),
    DATA_PORT: ("*", "stock", "cache"),
}
_CALLS = {MARKET_PORT: 25, EASYTHS_PORT: 80, HUATAI_PORT: 40, FUTU_PORT: 45, DATA_PORT: 15}
SEAMS = 1500
"""About how many seam calls the engine makes in the hurt phase."""
COMMITS = 60
GRACE = 12
"""So many calls of each system pass unhurt at the beginning of most flights, so that there are orders to be hurt."""


def drawn(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = Entropy(seed).stream("chaos/schedule")
    faults: list[Fault] = []
    late = GRACE if rng.random() < 0.8 else 0
    for port in _ROUTES:
        if rng.random() < 0.6:
            faults += (_later(fault, late) for fault in _of_server(rng, port))
    faults += _of_frames(rng)
    faults += _of_lives(rng)
    faults += _of_clocks(rng)
    faults += _of_people(rng)
    return tuple(faults)


def _later(fault: Fault, calls: int) -> Fault:
    """The same, but not in the first so many calls: one system that can not be reached keeps all from starting."""
    match fault:
        case ServerFault() | EdgeFault() if not getattr(fault, "orders", False):
            return replace(fault, call=fault.call + calls)
        case ConnectionFault():
            return replace(fault, connection=fault.connection + calls // 3)
        case PortFault() | DaemonFault() | FlapFault():
            return replace(fault, at_seconds=max(fault.at_seconds, 3.0 * calls))
        case QuirkFault():
            return replace(fault, occasion=fault.occasion + calls // 4)
    return fault


def _when(rng: random.Random) -> float:
    return round(rng.uniform(0, HURT_SECONDS), 3)


def _of_server(rng: random.Random, port: int) -> list[Fault]:
    """Connections, the server's own words, its client's quirks, and the proxy before it."""
    calls = _CALLS[port]
    terrain = Terrain(
        ports=(port,),
        connections=calls // 2,
        exchanges=4,
        answer_bytes=600,
        horizon_seconds=HURT_SECONDS,
        late_seconds=60.0,
        server_routes=_ROUTES[port],
        calls=calls,
        most=3,
        out=0.6,
        named=True,
    )
    faults: list[Fault] = list(draw_schedule(rng, terrain))
    if port == FUTU_PORT:
        faults += draw_push_faults(rng, HURT_SECONDS, calls=12, times=3, port=port)
    for desk in (EasythsHangar, HuataiHangar):
        if port == {EasythsHangar: EASYTHS_PORT, HuataiHangar: HUATAI_PORT}[desk]:
            faults += draw_desktop_faults(
                rng, HURT_SECONDS, quirks=desk.quirks, shares=2, occasions=12, most=2, out=0.6, port=port
            )
    for kind in EdgeKind:
        for _ in range(swarm_count(rng, 2, 0.8)):
            orders = port != DATA_PORT and rng.random() < 0.4
            call = 1 + int(rng.random() ** 2 * (6 if orders else calls))
            faults.append(EdgeFault(port=port, call=call, kind=kind, orders=orders))
    if rng.random() < 0.15:
        every = round(rng.uniform(1, 5), 3)
        faults.append(FlapFault(port=port, at_seconds=_when(rng), every_seconds=every, times=rng.randint(3, 8)))
    return faults


def _of_frames(rng: random.Random) -> list[Fault]:
    faults: list[Fault] = []
    for port in (STREAM_PORT, FUTU_PORT):
        for kind in FrameKind:
            if kind in PRICES and port == FUTU_PORT:
                continue
            faults += [
                FrameFault(port=port, frame=1 + int(rng.random() * 250), kind=kind, count=rng.choice((1, 1, 1, 4)))
                for _ in range(swarm_count(rng, 2, 0.8))
            ]
    if rng.random() < 0.1:
        faults.append(FlapFault(port=STREAM_PORT, at_seconds=_when(rng), every_seconds=2.0, times=6))
    return faults


def _of_lives(rng: random.Random) -> list[Fault]:
    """How the first lives end, one after the other; most flights have one or two."""
    faults: list[Fault] = []
    for start in range(rng.choice((0, 1, 1, 2))):
        seam, down = 1 + int(rng.random() * SEAMS), round(rng.uniform(0.1, 15.0), 3)
        match rng.choice(("crash", "crash", "crash", "term", "cancel", "store", "store")):
            case "crash":
                faults.append(CrashFault(process="engine", start=start, seam=seam, down_seconds=down))
                if rng.random() < 0.5:
                    faults.append(TailFault(start=start, kind=rng.choice(tuple(TailKind))))
            case "store":
                commit, kind = 1 + int(rng.random() * COMMITS), rng.choice(tuple(StoreKind))
                faults.append(StoreFault(start=start, commit=commit, kind=kind, down_seconds=down))
            case word:
                faults.append(StopFault(start=start, seam=seam, kind=StopKind(word), down_seconds=down))
    return faults


def _of_clocks(rng: random.Random) -> list[Fault]:
    faults: list[Fault] = []
    if rng.random() < 0.15:
        jump = rng.choice((-3600.0, -1.0, 1.0, 3600.0))
        faults.append(JumpFault(at_seconds=_when(rng), jump_seconds=jump, seconds=round(rng.uniform(5, 120), 3)))
    if rng.random() < 0.15:
        port = rng.choice((MARKET_PORT, EASYTHS_PORT, HUATAI_PORT, FUTU_PORT))
        faults.append(SkewFault(port=port, seconds=rng.choice((-300.0, -2.0, 2.0, 300.0))))
    if rng.random() < 0.12:
        faults.append(SuspendFault(at_seconds=_when(rng), seconds=rng.choice((40.0, 600.0))))
    return faults


def _of_people(rng: random.Random) -> list[Fault]:
    """The kill switch, the limits, the race, and strategies that fail."""
    faults: list[Fault] = []
    if rng.random() < 0.2:
        seam, seconds = 1 + int(rng.random() * SEAMS), round(rng.uniform(5, 90), 3)
        faults.append(LatchFault(start=rng.choice((0, 0, 1)), seam=seam, cancels=rng.random() < 0.5, seconds=seconds))
    if rng.random() < 0.15:
        faults.append(LimitFault(start=rng.choice((0, 1)), quantity=rng.choice((100, 500, 2_100))))
    if rng.random() < 0.25:
        faults.append(RaceFault(at_seconds=round(rng.uniform(40, HURT_SECONDS - 20), 3)))
    if rng.random() < 0.3:
        faults.append(StrategyFault(kind=rng.choice(tuple(FaultyKind)), call=rng.randint(1, 40)))
    races = [fault for fault in faults if isinstance(fault, RaceFault)]
    if races and rng.random() < 0.5:
        # In the midst of the race: there stand orders in line that must not leave any more.
        at = round(races[0].at_seconds + rng.uniform(0.5, 9.0), 3)
        seconds = round(rng.uniform(5, 30), 3)
        faults.append(LatchFault(start=0, seam=0, cancels=rng.random() < 0.5, seconds=seconds, at_seconds=at))
    return faults
