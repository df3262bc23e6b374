"""What is sent to whom, and when: by severity, once, not too often, and not at night unless it is a stop of trading.

``tell`` only puts a notice in line: it is called in the middle of trading, waits for nothing and raises nothing. Each
channel has a line and a task of its own, so one that is slow or gone holds up no other. What quiet hours and the rate
hold back is counted and told afterwards in one message; what is critical is held back by neither.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
from msgspec import Struct, field

from engine.clock import LiveClock
from engine.control.notices import CHANNELS
from engine.control.notices.notice import Channel, Notice, Severity
from engine.control.notices.posting import Resolve
from engine.control.notices.reaching import Reaching
from engine.domain.errors import ConfigError, SluiceError, one_line
from engine.domain.timestamps import HOUR_NS, MINUTE_NS, SECOND_NS, datetime_from_ns, duration_ns, format_time
from engine.runtime.daemon_settings import NoticesTable
from engine.runtime.settings_reading import convert, near

LINE_MAX = 500
"""Notices that may wait for one channel; of more the oldest that is not critical is dropped and counted."""
HELD_SHOWN = 20
REPEAT_CRITICAL_NS = MINUTE_NS
RETRIES_SECONDS = {Severity.INFO: (), Severity.WARNING: (10.0,), Severity.CRITICAL: (5.0, 15.0, 60.0, 300.0)}
FAILURES = (
    SluiceError, OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError,
)  # fmt: skip
"""What sending may fail with, named: nothing of it reaches the run."""
LEVELS = {one.name.lower(): one for one in Severity}


class Way(Struct, kw_only=True):
    """One channel and what waits for it."""

    name: str
    channel: Channel
    least: Severity
    waiting: deque[Notice] = field(default_factory=deque)
    held: deque[Notice] = field(default_factory=lambda: deque(maxlen=HELD_SHOWN))
    held_count: int = 0
    sent_ns: deque[int] = field(default_factory=deque)
    """When messages of the last hour were sent."""
    sent: int = 0
    failed: int = 0
    dropped: int = 0


class Desk:
    """One a daemon; ``run`` beside everything else."""

    def __init__(
        self,
        ways: Sequence[Way],
        table: NoticesTable,
        *,
        name: str,
        clock: LiveClock | None = None,
        note: Callable[[str, Mapping[str, Any]], None] = lambda _text, _fields: None,
    ) -> None:
        """
        Args:
            name: the run's, before every title. clock: people's time; default: this machine's.
        """
        self.ways = list(ways)
        self._table = table
        self._name = name
        self._clock = clock or LiveClock()
        self._note = note
        self._repeat_ns = duration_ns(table.repeat)
        self._said: dict[tuple[Severity, str, str], int] = {}
        self._wake = {way.name: anyio.Event() for way in ways}

    def tell(self, notice: Notice) -> None:
        """Put it in line for every channel that takes it, unless the same was told lately."""
        now_ns = self._clock.now_ns
        critical = notice.severity is Severity.CRITICAL
        window_ns = REPEAT_CRITICAL_NS if critical else self._repeat_ns
        said_ns = self._said.get(notice.key)
        if said_ns is not None and now_ns - said_ns < window_ns:
            return
        if len(self._said) > 10 * LINE_MAX:
            self._said = {key: at for key, at in self._said.items() if now_ns - at < self._repeat_ns}
        self._said[notice.key] = now_ns
        for way in self.ways:
            if notice.severity >= way.least:
                self._line_up(way, notice)

    def post(self, notice: Notice) -> None:
        """Put it in line for every channel, whatever they take besides: the day's summary."""
        for way in self.ways:
            self._line_up(way, notice)

    async def run(self) -> None:
        """Send what is in line, until cancelled."""
        async with anyio.create_task_group() as tasks:
            for way in self.ways:
                tasks.start_soon(self._serve, way)

    async def flush(self, seconds: float) -> None:
        """Give what is in line so long (real time) to be sent, held or not; for the end of a daemon."""
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                for way in self.ways:
                    tasks.start_soon(self._empty, way)

    async def close(self) -> None:
        """Close every channel."""
        for way in self.ways:
            await way.channel.close()

    async def send_now(self, way: Way, notice: Notice) -> str:
        """One message, once; empty, or why it did not get through."""
        try:
            await way.channel.send(*self._words(notice), notice.picture)
        except FAILURES as why:
            return one_line(str(why)) or type(why).__name__
        return ""

    # --- one channel -------------------------------------------------------------------------------------------------

    def _line_up(self, way: Way, notice: Notice) -> None:
        if len(way.waiting) >= LINE_MAX:
            lost = next((one for one in way.waiting if one.severity is not Severity.CRITICAL), None)
            if lost is None:
                lost = way.waiting[0]
            way.waiting.remove(lost)
            way.dropped += 1
        way.waiting.append(notice)
        self._wake[way.name].set()

    async def _serve(self, way: Way) -> None:
        while True:
            self._wake[way.name] = anyio.Event()
            while way.waiting:
                await self._next(way)
            if way.held_count and not self._is_quiet() and self._has_room(way):
                await self._send(way, self._digest(way))
            with anyio.move_on_after(self._clock.real_seconds(MINUTE_NS) if way.held_count else None):
                await self._wake[way.name].wait()

    async def _next(self, way: Way) -> None:
        """The first in line: what is critical goes before the rest."""
        notice = next((one for one in way.waiting if one.severity is Severity.CRITICAL), way.waiting[0])
        way.waiting.remove(notice)
        if notice.severity is Severity.CRITICAL or not (self._is_quiet() or not self._has_room(way)):
            await self._send(way, notice)
        else:
            way.held.append(notice)
            way.held_count += 1

    async def _empty(self, way: Way) -> None:
        while way.waiting:
            await self._send(way, way.waiting.popleft(), retries=False)

    async def _send(self, way: Way, notice: Notice, *, retries: bool = True) -> None:
        way.sent_ns.append(self._clock.now_ns)
        waits = RETRIES_SECONDS[notice.severity] if retries else ()
        for wait in (*waits, None):
            why = await self.send_now(way, notice)
            if not why:
                way.sent += 1
                return
            self._note("notice not sent", {"to": way.name, "about": notice.about, "why": why})
            if wait is not None:
                await self._clock.sleep(round(wait * self._clock.speed * SECOND_NS))
        way.failed += 1

    def _digest(self, way: Way) -> Notice:
        lines = [f"{one.about}: {one.text}" for one in way.held]
        more = way.held_count - len(lines)
        if more:
            lines.insert(0, f"({more} earlier ones are left out)")
        worst = max((one.severity for one in way.held), default=Severity.INFO)
        notice = Notice(
            severity=worst, about=f"{way.held_count} held back", text="\n".join(lines), ts_ns=way.held[-1].ts_ns
        )
        way.held.clear()
        way.held_count = 0
        return notice

    def _has_room(self, way: Way) -> bool:
        now_ns = self._clock.now_ns
        while way.sent_ns and now_ns - way.sent_ns[0] >= HOUR_NS:
            way.sent_ns.popleft()
        return len(way.sent_ns) < self._table.per_hour

    def _is_quiet(self) -> bool:
        table = self._table
        if table.quiet_from is None or table.quiet_to is None:
            return False
        at = f"{datetime_from_ns(self._clock.now_ns, table.timezone):%H:%M}"
        if table.quiet_from <= table.quiet_to:
            return table.quiet_from <= at < table.quiet_to
        return at >= table.quiet_from or at < table.quiet_to

    def _words(self, notice: Notice) -> tuple[str, str]:
        mark = {Severity.INFO: "", Severity.WARNING: "! ", Severity.CRITICAL: "!!! "}[notice.severity]
        title = one_line(f"{mark}{self._name}: {notice.about}")
        return title, f"{notice.text}\n{format_time(notice.ts_ns, self._table.timezone)}"


def ways_of(
    table: NoticesTable, environ: Mapping[str, str], where: str, *, resolver: Resolve | None = None
) -> list[Way]:
    """Every channel of ``[notices.to.*]``, open.

    Raises:
        ConfigError: one is of no kind, has a wrong key, or its secret is not where the config says.
    """
    found = []
    for name, row in table.to.items():
        place = f"{where}, [notices.to.{name}]"
        kind = row.get("kind", name)
        if kind not in CHANNELS:
            raise ConfigError(f"{place}: there is no channel of kind {kind!r}{near(str(kind), CHANNELS)}")
        least = row.get("least", table.least)
        if least not in LEVELS:
            raise ConfigError(f"{place} least: {least!r} is none{near(str(least), LEVELS)}")
        own = {key: value for key, value in row.items() if key not in ("kind", "least")}
        settings = convert(own, CHANNELS[kind], place, ours=["kind", "least"])
        reaching = Reaching(environ=environ, where=place, private=table.private_hosts, resolver=resolver)
        found.append(Way(name=name, channel=settings.open(reaching), least=LEVELS[least]))
    return found
