"""The dead-man's watch over a live run, in a process of its own (RELIABILITY 4.4).

It reads the heartbeat and nothing of the engine's memory. When the engine is silent in a session it writes the
sentinel, so that an engine that wakes up sends nothing new, logs in to the brokers itself and withdraws every working
order of the configured accounts. It has no way to place one: it calls ``connect``, ``snapshot`` and ``cancel`` alone.
"""

import contextlib
import enum
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct

from engine.clock import LiveClock
from engine.domain.account import AccountSnapshot, CancelScope, Capabilities, OrderRow
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.errors import ConfigError, GatewayError, JournalError
from engine.domain.events import AccountObserved
from engine.domain.evidence import Evidence
from engine.domain.ids import AccountId, ClientOrderId, StrategyId
from engine.domain.order import Order
from engine.domain.timestamps import SECOND_NS, duration_ns
from engine.journal import store
from engine.journal.chain import Chain, verified
from engine.journal.memory import MemoryJournal
from engine.markets.rulebook import RuleBook
from engine.ports import CancelsTogether, Gateway, OrderRouter
from engine.runtime.heartbeat import Heartbeat
from engine.runtime.settings import Settings
from engine.runtime.wiring import Core

WHO = StrategyId("watchdog")
RETRY_SECONDS = 2.0
NONE_READS = 2
"""Consecutive readings that must show none."""

Say = Callable[[str], None]


class Sign(enum.StrEnum):
    """What the watch makes of the heartbeat."""

    WAITING = "waiting"
    """No run has been seen alive yet."""
    ALIVE = "alive"
    QUIET = "quiet"
    """Silent for too long, while every market is closed: it counts when one opens."""
    SILENT = "silent"
    ENDED = "ended"


class Watch:
    """Looks at one beat after the other; pure but for the real time it is given, in seconds."""

    def __init__(self, books: Sequence[RuleBook], silence_seconds: float) -> None:
        """``books``: of the markets that are traded."""
        self._books = books
        self._silence = silence_seconds
        self._seen: tuple[int, int] | None = None
        self._since = 0.0
        self._moved = False
        self.beat: Heartbeat | None = None
        self.silent_seconds = 0.0

    def look(self, beat: Heartbeat | None, now: float) -> Sign:
        """``beat``: what the file says now. A run that ended before the watch began is not one to watch."""
        if beat is not None and (beat.pid, beat.seq) != self._seen:
            self._moved = self._moved or self._seen is not None
            self._seen, self._since, self.beat = (beat.pid, beat.seq), now, beat
        if self.beat is None:
            return Sign.WAITING
        if self.beat.ended:
            return Sign.ENDED if self._moved else Sign.WAITING
        self.silent_seconds = now - self._since
        if self.silent_seconds <= self._silence:
            return Sign.ALIVE
        return Sign.SILENT if self._in_session(self.beat) else Sign.QUIET

    def _in_session(self, beat: Heartbeat) -> bool:
        """By what the engine said last, or by our own calendar at the engine's time; not known counts as open."""
        now_ns = self.engine_ns(beat)
        try:
            return beat.session or not self._books or any(book.is_open(now_ns) for book in self._books)
        except ConfigError:
            return True

    def engine_ns(self, beat: Heartbeat) -> int:
        """What the engine's clock must show by now."""
        return beat.ts_ns + round(self.silent_seconds * beat.speed * SECOND_NS)


class Withdrawn(Struct, kw_only=True):
    """What became of one account. ``clean``: two readings in a row showed nothing that could be withdrawn."""

    account: str
    gateway: str
    clean: bool = False
    cancelled: list[str] = []
    """Orders that a cancel was sent for."""
    left: list[str] = []
    """Orders that are still open, or could not be withdrawn without reaching a stranger's; and why."""
    text: str = ""


class Undertaker:
    """Withdraws what one account has open, over a login of its own."""

    def __init__(
        self,
        account: AccountId,
        gateway: Gateway,
        clock: LiveClock,
        ours: "OurOrders",
        say: Say,
        deadline_seconds: float,
    ) -> None:
        """``deadline_seconds``: real time after which it gives up."""
        router = gateway.router
        assert router is not None
        self._account = account
        self._gateway = gateway
        self._router: OrderRouter = router
        self._sheet: Capabilities = router.capabilities()
        self._clock = clock
        self._ours = ours
        self._say = say
        self._deadline = deadline_seconds
        self.found = Withdrawn(account=account, gateway=gateway.name)

    async def work(self) -> Withdrawn:
        """Until two readings show none, or time is up. Raises nothing of a gateway's."""
        found = self.found
        if self._sheet.cancel_scope is CancelScope.NONE:
            found.clean, found.text = True, "nothing rests at this venue; it has nothing to cancel"
            return found
        with anyio.move_on_after(self._deadline):
            await self._connected()
            await self._emptied()
        with anyio.CancelScope(shield=True), contextlib.suppress(GatewayError):
            await self._gateway.close()
        if not found.clean:
            found.text = f"{found.text or 'time is up'}; look at the broker"
        return found

    async def _connected(self) -> None:
        while True:
            try:
                await self._gateway.connect()
            except (GatewayError, ConfigError) as error:
                self._trouble(f"can not log in: {error}")
                await self._pause()
            else:
                return

    async def _emptied(self) -> None:
        none_reads = 0
        while none_reads < NONE_READS:
            live = await self._live()
            if live is None:
                none_reads = 0
            elif not live:
                none_reads += 1
            else:
                none_reads = 0
                await self._cancel(live)
            if none_reads < NONE_READS:
                await self._pause()
        self.found.clean, self.found.text = True, f"{NONE_READS} readings in a row show nothing to withdraw"

    async def _live(self) -> list[Order] | None:
        """What is open and may be withdrawn; None if that can not be said."""
        try:
            snapshot = await self._router.snapshot()
        except GatewayError as error:
            self._trouble(f"the account can not be read: {error}")
            return None
        if snapshot.orders is None or not snapshot.whole:
            self._trouble("its order list is not whole")
            return None
        rows = [row for row in snapshot.orders if row.status in (Evidence.WORKING, Evidence.AMBIGUOUS)]
        if self._sheet.cancel_scope is CancelScope.ORDER:
            orders = [order_of(row, self._account, self._clock.now_ns) for row in rows]
            self.found.left = [_words(row) for row in rows]
            return orders
        known = self._ours.live(snapshot)
        orders = [known[row.venue_id] for row in rows if row.venue_id in known]
        strangers = [row for row in rows if row.venue_id not in known]
        self.found.left = [f"{_words(row)}: not ours as far as the journal says" for row in strangers]
        self.found.left += [_words(row) for row in rows if row.venue_id in known]
        return orders

    async def _cancel(self, orders: Sequence[Order]) -> None:
        router: Any = self._router
        groups: dict[Any, list[Order]] = {}
        for order in orders:
            together = isinstance(router, CancelsTogether)
            key = (order.request.instrument, order.request.side) if together else order.request.client_id
            groups.setdefault(key, []).append(order)
        for group in groups.values():
            try:
                reports = await (router.cancel_together(group) if len(group) > 1 else router.cancel(group[0]))
            except GatewayError as error:
                self._trouble(f"cancel of {', '.join(str(o.venue_id) for o in group)}: {error}")
                continue
            for report in reports:
                if report.kind is Evidence.CANCEL_REJECT:
                    self._trouble(f"cancel of {report.client_id} was refused: {report.reason}")
            for order in group:
                name = str(order.venue_id or order.request.client_id)
                if name not in self.found.cancelled:
                    self.found.cancelled.append(name)

    async def _pause(self) -> None:
        await self._clock.sleep(round(RETRY_SECONDS * self._clock.speed * SECOND_NS))

    def _trouble(self, text: str) -> None:
        if text != self.found.text:
            self.found.text = text
            self._say(f"{self._account}: {text}")


class OurOrders:
    """Which rows of an account are ours, by the journal; for venues whose cancels reach whole symbols."""

    def __init__(self, core: Core | None, trouble: str = "") -> None:
        self._core = core
        self.trouble = trouble

    def live(self, snapshot: AccountSnapshot) -> dict[str, Order]:
        """Venue id -> order of ours that is not ended; rows are matched as the engine matches them."""
        if self._core is None:
            return {}
        manager = self._core.manager
        manager.on_account(AccountObserved(snapshot=snapshot))
        return {
            str(order.venue_id): order
            for order in manager.orders.values()
            if order.venue_id and order.request.account == snapshot.account
        }


def our_orders(journal: Path, core: Core) -> OurOrders:
    """Replay the journal into a core that knows nothing yet; read-only, beside an engine that may still hold it."""
    try:
        with contextlib.closing(store.reader(journal)) as db:
            records = [record for batch in verified(store.rows(db), Chain()) for _, record in batch]
    except (sqlite3.Error, JournalError, OSError) as why:
        return OurOrders(None, f"the journal can not be read ({why}): none of the orders is taken for ours")
    core.manager.recover(records, core.relive)
    return OurOrders(core)


def _core(settings: Settings, gateways: Mapping[str, Gateway], clock: LiveClock) -> Core:
    """Books and order gate of the run, which nobody listens to."""
    sheets = {}
    for account, row in settings.accounts.items():
        router = gateways[row.gateway].router
        if router is not None:
            sheets[account] = router.capabilities()
    core = Core(
        clock=clock,
        journal=MemoryJournal(),
        instruments=settings.instruments,
        books=settings.books,
        limits=settings.limits,
        sheets=sheets,
        outside=lambda _strategy, _number, _request: None,
        note=lambda _text, _fields: None,
    )
    for account, row in settings.accounts.items():
        core.portfolio.open_account(account, row.currency, Decimal(0))
    return core


def order_of(row: OrderRow, account: AccountId, now_ns: int) -> Order:
    """A row of the venue's list as an order that can be withdrawn, and nothing else."""
    request = SubmitOrder(
        client_id=ClientOrderId(row.client_tag or f"row-{row.venue_id}"),
        account=account,
        strategy=WHO,
        instrument=row.instrument,
        side=row.side or Side.BUY,
        quantity=row.quantity,
        type=OrderType.MARKET if row.price is None else OrderType.LIMIT,
        price=row.price,
        ts_ns=now_ns,
    )
    order = Order(request, queued=True)
    order.place(now_ns, row.venue_id)
    return order


async def withdraw_all(
    settings: Settings, gateways: Mapping[str, Gateway], clock: LiveClock, say: Say
) -> list[Withdrawn]:
    """Every account at the same time, each over its own gateway."""
    ours = our_orders(settings.journal_path, _core(settings, gateways, clock))
    if ours.trouble:
        say(ours.trouble)
    deadline = duration_ns(settings.safety.watchdog.deadline) / SECOND_NS
    undertakers = [
        Undertaker(account, gateways[row.gateway], clock, ours, say, deadline)
        for account, row in settings.accounts.items()
        if gateways[row.gateway].router is not None
    ]
    async with anyio.create_task_group() as tasks:
        for one in undertakers:
            tasks.start_soon(one.work)
    return [one.found for one in undertakers]


def _words(row: OrderRow) -> str:
    return f"{row.venue_id} {row.side or '?'} {row.quantity - row.cum} {row.instrument}"


def traded_books(settings: Settings) -> list[RuleBook]:
    """The rule books of what the config's strategies trade."""
    markets = dict.fromkeys(
        settings.instruments[name].market for row in settings.strategies for name in row.spec.instruments
    )
    return [settings.books[market] for market in markets]
