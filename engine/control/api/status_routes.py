"""What runs, how it is, and who asks."""

from typing import Any

from msgspec import Struct

from engine.control.api.account_views import AccountView, account_views, level_of
from engine.control.api.health_views import HealthView, health_view, is_live, reasons
from engine.control.api.kill_routes import LatchView, latches
from engine.control.api.operation import Call, Operation, respond
from engine.control.api.scopes import Scope
from engine.control.api.shapes import Done, Moment, at, done
from engine.domain.timestamps import SECOND_NS
from engine.runtime.operator_commands import Status


class Counts(Struct, frozen=True, kw_only=True):
    """Of this run; ``working`` and ``unknown`` as it stands."""

    orders: int
    fills: int
    denied: int
    alerts: int
    working: int
    unknown: int
    quotes: int
    bars: int


class JournalState(Struct, frozen=True, kw_only=True):
    place: str
    next_seq: int
    durable_seq: int
    healthy: bool


class StatusView(Struct, frozen=True, kw_only=True):
    name: str
    mode: str
    profile: str
    now: Moment | None
    """By the run's clock, which a simulation may set."""
    speed: float
    started: Moment | None
    """By this machine's clock."""
    uptime_s: float
    ready: bool
    trading: bool
    """Whether orders may leave now: ready, and nothing is latched for everybody."""
    level: int
    armed: bool
    """Whether real money may be traded."""
    counts: Counts
    journal: JournalState
    accounts: list[AccountView]
    latches: list[LatchView]
    strategies: dict[str, str]
    """Name -> ``running`` or why it is stopped."""


class TokenView(Struct, frozen=True, kw_only=True):
    """The token that asks."""

    id: str
    name: str
    scopes: list[str]
    created: Moment | None
    expires: Moment | None


class Yes(Struct, frozen=True, kw_only=True):
    ok: bool


async def status(call: Call) -> StatusView:
    session = call.cockpit.session
    run, told = session.run, session.told
    core = run.core
    working = core.manager.working.values()
    return StatusView(
        name=session.settings.run.name,
        mode=run.spec.mode,
        profile=session.settings.risk_profile,
        now=at(core.clock.now_ns),
        speed=run.clock.speed,
        started=at(call.cockpit.began_ns),
        uptime_s=round((call.cockpit.wall.now_ns - call.cockpit.began_ns) / SECOND_NS, 1),
        ready=run.ready.is_set(),
        trading=run.ready.is_set() and "all" not in core.view.latches,
        level=level_of(core),
        armed=run.spec.armed,
        counts=Counts(
            orders=told.orders,
            fills=session.seen.filled,
            denied=told.denied,
            alerts=session.seen.alerted,
            working=len(working),
            unknown=sum(order.state in ("unknown", "disputed") for order in working),
            quotes=session.links.quotes,
            bars=session.seen.bars,
        ),
        journal=JournalState(
            place=session.settings.journal_place,
            next_seq=run.journal.next_seq,
            durable_seq=run.journal.durable_seq,
            healthy=run.journal.healthy,
        ),
        accounts=account_views(session),
        latches=await latches(call),
        strategies={str(name): seat.stopped or "running" for name, seat in core.runner.seats.items()},
    )


async def operator(call: Call) -> Done:
    return done(await call.cockpit.session.operator.do(Status()))


async def health(call: Call) -> HealthView:
    uptime_ns = call.cockpit.wall.now_ns - call.cockpit.began_ns
    return health_view(call.cockpit.session, uptime_ns / SECOND_NS)


async def live(call: Call) -> Any:
    ok = is_live(call.cockpit.found)
    return respond(call.cockpit, Yes(ok=ok), 200 if ok else 503)


async def ready(call: Call) -> Any:
    """Without reasons: whoever asks here has shown no token."""
    ok = next(reasons(call.cockpit.found), None) is None
    return respond(call.cockpit, Yes(ok=ok), 200 if ok else 503)


async def token(call: Call) -> TokenView:
    assert call.caller is not None
    known = call.caller.token
    return TokenView(
        id=known.id,
        name=known.name,
        scopes=[str(scope) for scope in Scope if known.allows(scope)],
        created=at(known.created_ns),
        expires=at(known.expires_ns),
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/health/live",
        scope=None,
        act=live,
        summary="200 while the loop beats, else 503",
        answer=Yes,
        statuses=(503,),
    ),
    Operation(
        method="GET",
        path="/health/ready",
        scope=None,
        act=ready,
        summary="200 while everything is reconciled, data fresh and nothing latched, else 503",
        answer=Yes,
        statuses=(503,),
    ),
    Operation(
        method="GET",
        path="/api/token",
        scope=Scope.READ,
        act=token,
        summary="Who asks: the token's name, scopes and end",
        answer=TokenView,
    ),
    Operation(
        method="GET",
        path="/api/status",
        scope=Scope.READ,
        act=status,
        summary="What runs and how it stands: time, accounts, latches, strategies, counts",
        answer=StatusView,
    ),
    Operation(
        method="GET",
        path="/api/status/operator",
        scope=Scope.READ,
        act=operator,
        summary="As run.py status shows it: accounts, latches, open orders, last reconciliations",
        answer=Done,
    ),
    Operation(
        method="GET",
        path="/api/health",
        scope=Scope.READ,
        act=health,
        summary="Ready or not and why: data ages, connections, queues, loop, journal",
        answer=HealthView,
    ),
)
