"""The checks that look every few seconds: orders, feeds, queues, loop, journal, disk, clocks, logins (RELIABILITY 4.2).

Each yields what is wrong now, and nothing when nothing is; what has to last before it counts keeps its start in the
scene's ``since``.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from engine.clock import Clock
from engine.domain.errors import DataError
from engine.domain.events import KillLevel
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.money import exact
from engine.domain.order import OrderState
from engine.domain.timestamps import MINUTE_NS, SECOND_NS, duration_ns
from engine.ports import Journal
from engine.runtime.fill_checks import Finding
from engine.runtime.outbox import Outbox
from engine.runtime.safety_settings import MonitorsTable
from engine.runtime.wiring import Core

STRATEGY_QUEUE = 1_000
"""Events that may wait for one strategy before it is said."""
_UNDECIDED = (OrderState.UNKNOWN, OrderState.PENDING_NEW)


class Scene(Struct, kw_only=True):
    """What the checks look at."""

    core: Core
    clock: Clock
    boxes: Mapping[AccountId, Outbox]
    journal: Journal
    intervals: Mapping[InstrumentId, int]
    """Instruments of the strategies, and the longest bars they want of each."""
    worst_lag: Callable[[], int]
    """The longest the loop was late since it was last asked, real ns."""
    free_mib: Callable[[], int | None]
    offsets: Callable[[], Mapping[str, int]]
    """Whose clock, and how far it is from ours, ns."""
    expiries: Callable[[], Mapping[str, int]]
    """Gateway -> when its login ends, ns UTC."""
    since: dict[str, int] = {}
    """Condition -> when it was first seen, for what has to last."""
    open_since: dict[InstrumentId, int] = {}
    """When an instrument was first looked at with its market open."""
    worths: dict[AccountId, deque[tuple[int, Decimal]]] = {}


Check = Callable[[Scene, MonitorsTable, int], Iterator[Finding]]


def undecided(scene: Scene, settings: MonitorsTable, now_ns: int) -> Iterator[Finding]:
    """Orders of unknown outcome for too long, and disputed ones."""
    age_ns = duration_ns(settings.unknown_age)
    for name, order in scene.core.manager.working.items():
        if order.state in _UNDECIDED and order.sent_ns and now_ns - order.sent_ns > age_ns:
            seconds = (now_ns - order.sent_ns) // SECOND_NS
            text = f"its outcome is {order.state} for more than {settings.unknown_age} ({seconds} s)"
            yield Finding(key=f"unknown {name}", about=f"order:{name}", text=text)
        elif order.state is OrderState.DISPUTED:
            text = f"disputed; a person must decide: {order.reason or 'its evidence contradicts itself'}"
            yield Finding(key=f"disputed {name}", about=f"order:{name}", text=text)


def worth(scene: Scene, settings: MonitorsTable, now_ns: int) -> Iterator[Finding]:
    """An account whose worth jumped within a minute; not before all it holds has a price."""
    portfolio = scene.core.portfolio
    for account in scene.boxes:
        seen = scene.worths.setdefault(account, deque())
        held = portfolio.accounts[account].positions.items()
        if any(position.quantity and name not in portfolio.marks for name, position in held):
            seen.clear()
            continue
        try:
            equity = portfolio.equity(account)
        except DataError:
            continue
        while seen and now_ns - seen[0][0] > MINUTE_NS:
            seen.popleft()
        if seen and equity and abs(equity - seen[0][1]) > exact(settings.pnl_jump) * abs(seen[0][1]):
            text = f"worth {equity:.2f}, {equity - seen[0][1]:+.2f} within a minute (more than {settings.pnl_jump:.1%})"
            yield Finding(key=f"worth {account}", about=f"account:{account}", text=text)
        if equity:
            seen.append((now_ns, equity))


def feeds(scene: Scene, settings: MonitorsTable, now_ns: int) -> Iterator[Finding]:
    """Instruments without a price for too long while their market is open."""
    core, age_ns = scene.core, duration_ns(settings.feed_age)
    # A calendar is asked once a market, not once an instrument.
    opened: dict[str, bool] = {}
    for instrument, bar_ns in scene.intervals.items():
        pace_ns = core.view.feed_interval_ns.get(instrument)
        market = core.instruments[instrument].market
        if pace_ns is not None and market not in opened:
            opened[market] = core.books[market].is_open(now_ns)
        if pace_ns is None or not opened[market]:
            scene.open_since.pop(instrument, None)
            continue
        open_ns = scene.open_since.setdefault(instrument, now_ns)
        # A bar is as long under way as it lasts, and then waits for its poll; one of either may be missed.
        most_ns = max(age_ns, 2 * (pace_ns + bar_ns))
        marked_ns = max(core.portfolio.marks_ns.get(instrument) or 0, open_ns)
        if now_ns - marked_ns > most_ns:
            text = f"no price for {(now_ns - marked_ns) // SECOND_NS} s while its market is open"
            yield Finding(key=f"feed {instrument}", about=f"symbol:{instrument}", text=text)


def queues(scene: Scene, settings: MonitorsTable, _now_ns: int) -> Iterator[Finding]:
    for account, box in scene.boxes.items():
        if box.waiting > settings.queue:
            text = f"{box.waiting} requests wait to leave"
            yield Finding(key=f"queue {account}", about=f"account:{account}", text=text)
    for name, seat in scene.core.runner.seats.items():
        if len(seat.queue) > STRATEGY_QUEUE:
            text = f"{len(seat.queue)} events wait for it"
            yield Finding(key=f"queue {name}", about=f"strategy:{name}", text=text)


def loop(scene: Scene, settings: MonitorsTable, _now_ns: int) -> Iterator[Finding]:
    lag_ns = scene.worst_lag()
    if lag_ns > duration_ns(settings.loop_lag):
        text = f"the loop was {lag_ns // 1_000_000} ms late (more than {settings.loop_lag}); orders waited"
        yield Finding(key="loop", about="run", text=text)


def journal(scene: Scene, settings: MonitorsTable, _now_ns: int) -> Iterator[Finding]:
    behind = scene.journal.next_seq - 1 - scene.journal.durable_seq
    if behind > settings.journal_lag and scene.journal.healthy:
        yield Finding(key="journal", about="journal", text=f"{behind} records are not on disk yet")


def disk(scene: Scene, settings: MonitorsTable, _now_ns: int) -> Iterator[Finding]:
    free = scene.free_mib()
    if free is None or free >= settings.disk_warn_mib:
        return
    halts = free < settings.disk_halt_mib
    text = f"{free} MiB are free on the run's disk{'; nothing new is sent' if halts else ''}"
    level = KillLevel.HALT if halts else KillLevel.RUN
    yield Finding(key=f"disk {level.name}", about="disk", text=text, level=level)


def clocks(scene: Scene, settings: MonitorsTable, _now_ns: int) -> Iterator[Finding]:
    """Clocks that differ; by too much for sessions and matching to be trusted."""
    warn_ns, halt_ns = duration_ns(settings.clock_warn), duration_ns(settings.clock_halt)
    for whose, offset_ns in scene.offsets().items():
        if abs(offset_ns) <= warn_ns:
            continue
        halts = abs(offset_ns) > halt_ns
        text = f"{whose} is {offset_ns / SECOND_NS:+.1f} s from the run's clock"
        if halts:
            text += "; nothing new is sent: set this machine's clock, then start the run anew"
        level = KillLevel.HALT if halts else KillLevel.RUN
        yield Finding(key=f"clock {whose} {level.name}", about="clock", text=text, level=level)


def logins(scene: Scene, settings: MonitorsTable, now_ns: int) -> Iterator[Finding]:
    for gateway, ends_ns in scene.expiries().items():
        left_ns = ends_ns - now_ns
        if left_ns < duration_ns(settings.login_left):
            text = f"its login ends in {max(0, left_ns) // SECOND_NS} s and is not renewed"
            yield Finding(key=f"login {gateway}", about=f"gateway:{gateway}", text=text)


CHECKS: tuple[Check, ...] = (undecided, worth, feeds, queues, loop, journal, disk, clocks, logins)
