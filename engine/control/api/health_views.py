"""Whether the engine lives and whether it may trade: loop, journal, data, accounts, gateways, queues."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.control.api.account_views import level_of
from engine.control.api.shapes import Moment, age_ms, at
from engine.domain.events import KillLevel
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import SECOND_NS, duration_ns

if TYPE_CHECKING:
    from engine.control.live_session import Session

BEAT_MAX_NS = 15 * SECOND_NS
"""Real time without a beat of the loop after which it is not alive (RELIABILITY 4.4)."""


class DataAge(Struct, frozen=True, kw_only=True):
    instrument: str
    open: bool
    age_ms: int | None
    most_ms: int
    fresh: bool


class FeedHealth(Struct, frozen=True, kw_only=True):
    """One gateway's connection, as its feed says."""

    gateway: str
    kind: str
    state: str
    """``connected stale disconnected``, or empty: it has said nothing."""
    reason: str
    since: Moment | None
    has_feed: bool
    accounts: list[str]


class QueueHealth(Struct, frozen=True, kw_only=True):
    """The way out of one account. Milliseconds are real: from the gate to the last byte handed over."""

    account: str
    waiting: int
    send_p50_ms: float | None
    send_p99_ms: float | None
    orders_left: int
    """Orders its gateway takes within this minute."""
    orders_per_minute: int


class HealthView(Struct, frozen=True, kw_only=True):
    live: bool
    ready: bool
    reasons: list[str]
    """Why it is not ready."""
    level: int
    loop_lag_ms: float
    journal_behind: int
    """Records not on disk yet."""
    journal_healthy: bool
    data: list[DataAge]
    feeds: list[FeedHealth]
    queues: list[QueueHealth]
    events_waiting: int
    """Events in strategies' queues."""
    uptime_s: float


def is_live(session: "Session | None") -> bool:
    """The loop beats, as whoever answers here proves, and its pulse has been felt of late."""
    if session is None:
        return True
    run = session.run
    pulse = run.safety.pulse
    if not run.ready.is_set():
        return True
    return run.clock.real_seconds(run.clock.now_ns - pulse.last_ns) < BEAT_MAX_NS / SECOND_NS


def reasons(session: "Session | None") -> Iterator[str]:
    """Why no order may leave, one sentence each; none: it is ready."""
    if session is None:
        yield "no run is under way"
        return
    run = session.run
    core = run.core
    if not run.ready.is_set():
        yield "the run has not begun to trade yet"
    if not run.journal.healthy:
        yield "the journal failed"
    for latch in core.view.latches.values():
        yield f"{latch.scope} is at level {latch.level.name.lower()} ({latch.cause})"
    for account in run.boxes:
        last = core.reconciler.last.get(account)
        if last is None:
            yield f"account {account} is not reconciled yet"
        elif not last.ok:
            yield f"account {account} does not reconcile: {last.text}"
        link = session.seen.links.get(account)
        if link is not None and not link.up:
            yield f"the way to account {account} is broken: {link.reason}"
        held = run.safety.pulse.not_ready(account) if run.ready.is_set() else ""
        if held:
            yield f"account {account}: {held}"
    for row in data_ages(session):
        if not row.fresh:
            age = "no price yet" if row.age_ms is None else f"last price {row.age_ms / 1000:.1f} s ago"
            yield f"{row.instrument}: {age}"


def data_ages(session: "Session") -> list[DataAge]:
    """Of every instrument a strategy of the run subscribes to. Fresh also where its market is closed."""
    run = session.run
    core, now_ns = run.core, run.core.clock.now_ns
    settings = run.spec.safety.monitors
    bars: dict[InstrumentId, int] = {}
    for _, strategy in run.spec.strategies:
        for name in strategy.instruments:
            bars[name] = max(bars.get(name, 0), strategy.bar_interval_ns)
    opened = {core.instruments[name].market: False for name in bars}
    opened = {market: core.books[market].is_open(now_ns) for market in opened}
    found = []
    for name, bar_ns in bars.items():
        most_ns = max(duration_ns(settings.feed_age), 2 * (core.view.feed_interval_ns.get(name, 0) + bar_ns))
        marked_ns = core.portfolio.marks_ns.get(name)
        is_open = opened[core.instruments[name].market]
        found.append(
            DataAge(
                instrument=name,
                open=is_open,
                age_ms=age_ms(marked_ns, now_ns),
                most_ms=most_ns // 1_000_000,
                fresh=not is_open or (marked_ns is not None and now_ns - marked_ns <= most_ns),
            )
        )
    return found


def feeds(session: "Session") -> list[FeedHealth]:
    found = []
    for name, gateway in session.gateways.items():
        status = session.seen.feeds.get(name) or session.seen.feeds.get(gateway.name)
        found.append(
            FeedHealth(
                gateway=name,
                kind=session.settings.gateways[name].kind,
                state="" if status is None else str(status.state),
                reason="" if status is None else status.reason,
                since=None if status is None else at(status.ts_ns),
                has_feed=gateway.feed is not None,
                accounts=[str(a) for a, row in session.settings.accounts.items() if row.gateway == name],
            )
        )
    return found


def queues(session: "Session") -> list[QueueHealth]:
    run = session.run
    found = []
    for account, box in run.boxes.items():
        taken = sorted(box.send_seconds)
        found.append(
            QueueHealth(
                account=account,
                waiting=box.waiting,
                send_p50_ms=round(taken[len(taken) // 2] * 1e3, 3) if taken else None,
                send_p99_ms=round(taken[int(len(taken) * 0.99)] * 1e3, 3) if taken else None,
                orders_left=run.pace.left(account, run.clock.now_ns),
                orders_per_minute=box.sheet.orders_per_minute,
            )
        )
    return found


def health_view(session: "Session", uptime_s: float) -> HealthView:
    run = session.run
    why = list(dict.fromkeys(reasons(session)))
    return HealthView(
        live=is_live(session),
        ready=not why,
        reasons=why,
        level=level_of(run.core),
        loop_lag_ms=round(run.safety.pulse.lag_ns / 1e6, 3),
        journal_behind=run.journal.next_seq - 1 - run.journal.durable_seq,
        journal_healthy=run.journal.healthy,
        data=data_ages(session),
        feeds=feeds(session),
        queues=queues(session),
        events_waiting=sum(len(seat.queue) for seat in run.core.runner.seats.values()),
        uptime_s=round(uptime_s, 1),
    )


LEVELS = {int(level): level.name.lower() for level in KillLevel}
