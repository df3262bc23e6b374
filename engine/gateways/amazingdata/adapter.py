"""The gateway of AmazingData: settings, the parts behind it, and its polled bars. It has no order side."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from engine.domain.errors import ConfigError, Refused
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.timestamps import SECOND_NS, datetime_from_ns
from engine.gateways.amazingdata.bars import BarReader, Label, Labels
from engine.gateways.amazingdata.calls import CALL, Calls
from engine.gateways.amazingdata.client import AmazingDataClient, Statement
from engine.gateways.amazingdata.history import History, HistoryAnswer
from engine.gateways.amazingdata.listing import instruments_from_codes
from engine.gateways.amazingdata.periods import INTERVALS, SECURITY_TYPES, ZONE, checked_code, venue_of
from engine.gateways.amazingdata.routes import ROUTES, call_route
from engine.gateways.amazingdata.statements import Statements, rows_from_wire
from engine.gateways.amazingdata.tasks import CacheTasks
from engine.gateways.bar_polling import PolledBars, Wanted
from engine.gateways.surroundings import Surroundings
from engine.gateways.table import GatewayTable
from engine.net.backoff import Backoff
from engine.net.rate_limit import Budget, Priority, SlidingWindow
from engine.net.rest import RestClient, Timeouts
from engine.ports import OrderRouter, Publish

BODY_MAX = 32 * 1024 * 1024
"""Bytes: 50 codes x 5 days of minutes are about 7 million."""
CALENDARS = {"SH": "SH", "SZ": "SZ", "BJ": "SH", "CFE": "CFE"}
"""Venue -> market of the calendar endpoint; Beijing keeps Shanghai's days."""


class AmazingData(GatewayTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings. Spans are texts like ``"10s"``; secrets come from the environment variables named here."""

    base_url: str = "http://127.0.0.1:8000/api/v1"
    name: str = "amazingdata"
    user: str = ""
    user_env: str = "SLUICE_AD_USER"
    password_env: str = "SLUICE_AD_PASSWORD"  # noqa: S105 - the name of a variable
    timeout: str = "60s"
    slow_timeout: str = "10m"
    """For calls that work before they answer: detect, tests of SDK logins."""
    connect_timeout: str = "5s"
    in_flight: int = 2
    """Calls at once: one SDK login serves the whole platform."""
    calls_per_minute: int = 300
    background_calls: int = 60
    """How many of them polling may use up."""
    poll: str = "60s"
    delay: str = "5s"
    """How long after its end a bar is looked for."""
    backfill: str = ""
    """What to publish of the time before the start, as ``"2h"``; empty: nothing."""
    task_poll: str = "2s"
    task_limit: str = "300s"
    minute_labels: Label = Label.AUTO
    """Which side of its minute a bar's label is on; auto: told from the rows."""
    scale_lots: bool = True
    """Turn volumes into shares where the amounts show that they are lots of 100."""
    instruments: tuple[str, ...] = ()
    """Ids like ``600000.SH``; empty: all the service lists."""
    stock_market: str = "free"
    future_market: str = "free"
    """Keys into ``MARKETS``: the rule books of what it lists."""
    insecure_lan: bool = False

    def open(self, surroundings: Surroundings) -> "AmazingDataGateway":
        """The gateway, not yet connected.

        Raises:
            ConfigError: a setting that can not be used.
        """
        return AmazingDataGateway(self, surroundings)

    def checked(self) -> None:
        if not 0 < self.background_calls <= self.calls_per_minute:
            raise ConfigError(f"gateway {self.name}: 0 < background_calls <= calls_per_minute")
        if not 1 <= self.in_flight <= 16:
            raise ConfigError(f"gateway {self.name}: in_flight: 1 to 16")
        for instrument in self.instruments:
            checked_code(instrument)


class AmazingDataGateway:
    """See ``Gateway``; ``router`` is None."""

    def __init__(self, settings: AmazingData, surroundings: Surroundings) -> None:
        settings.checked()
        self.name = settings.name
        self.router: OrderRouter | None = None
        self._settings = settings
        self._note = surroundings.note
        self._clock = clock = surroundings.clock
        draw = surroundings.entropy.stream(f"gateway/{settings.name}")

        def rest(total: str) -> RestClient:
            return RestClient(
                settings.base_url,
                clock,
                timeouts=Timeouts(connect_ns=settings.span_ns("connect_timeout"), total_ns=settings.span_ns(total)),
                transport=surroundings.transport,
                insecure_lan=settings.insecure_lan,
                body_max=BODY_MAX,
            )

        ceilings = {Priority.BACKGROUND: settings.background_calls}
        window = SlidingWindow({CALL: settings.calls_per_minute}, ceilings=ceilings)
        self.calls = Calls(
            rest("timeout"),
            rest("slow_timeout"),
            Budget(window, clock),
            clock,
            lambda: Backoff(draw, first_ns=SECOND_NS, cap_ns=4 * SECOND_NS),
            user=settings.user or surroundings.environ.get(settings.user_env, ""),
            password=surroundings.environ.get(settings.password_env, ""),
            secrets=f"{settings.user_env} and {settings.password_env}",
            in_flight=settings.in_flight,
        )
        self.client = AmazingDataClient(self.calls)
        reader = BarReader(Labels(settings.minute_labels), scale_lots=settings.scale_lots)
        self.bars = History(self.client, reader, in_flight=settings.in_flight)
        self.tasks = CacheTasks(self.client, clock, settings.span_ns("task_poll"), settings.span_ns("task_limit"))
        self.feed = PolledBars(
            settings.name,
            self._poll,
            clock,
            draw,
            intervals=INTERVALS.values(),
            delay_ns=settings.span_ns("delay"),
            poll_ns=settings.span_ns("poll"),
            allowed=self._allow,
            backfill_ns=settings.span_ns("backfill") if settings.backfill else 0,
            expects=_in_session,
            note=surroundings.note,
        )

    @property
    def batch_codes(self) -> int:
        return self.bars.batch_codes

    @property
    def batch_days(self) -> int:
        return self.bars.batch_days

    async def connect(self) -> None:
        """Log in.

        Raises:
            ConfigError: name or password missing or not taken. GatewayError: not reachable.
        """
        try:
            await self.client.me()
        except Refused as refused:
            if refused.status in (401, 403):
                raise ConfigError(f"gateway {self.name}: not logged in: {refused.message}") from refused
            raise

    async def run(self, publish: Publish) -> None:
        await self.feed.run(publish)

    async def instruments(self) -> Sequence[Instrument]:
        """What the service lists today, or those of the settings.

        Raises:
            GatewayError: a list could not be read. ConfigError: an instrument of the settings is in none of them.
        """
        found: dict[InstrumentId, Instrument] = {}
        for security_type in SECURITY_TYPES:
            codes = await self.client.codes(security_type)
            for instrument in instruments_from_codes(
                security_type,
                codes,
                stock_market=self._settings.stock_market,
                future_market=self._settings.future_market,
            ):
                found.setdefault(instrument.id, instrument)
        if not self._settings.instruments:
            return list(found.values())
        absent = [name for name in self._settings.instruments if name not in found]
        if absent:
            raise ConfigError(f"gateway {self.name}: the service lists no {absent[0]}; check its code and venue")
        return [found[InstrumentId(name)] for name in self._settings.instruments]

    async def history(self, instrument: InstrumentId, interval_ns: int, from_ns: int, to_ns: int) -> Sequence[Bar]:
        """Closed bars that end in ``(from_ns, to_ns]``, oldest first, unadjusted.

        Raises:
            GatewayError: they could not be read. ConfigError: no bars of that length.
        """
        return await self.bars.history(instrument, interval_ns, from_ns, min(to_ns, self._clock.now_ns))

    async def history_batch(
        self, instruments: Sequence[InstrumentId], interval_ns: int, from_ns: int, to_ns: int
    ) -> HistoryAnswer:
        """As ``history`` for many; one bad code does not cost the others theirs.

        Raises:
            GatewayError, ConfigError: as ``history``.
        """
        return await self.bars.history_batch(instruments, interval_ns, from_ns, min(to_ns, self._clock.now_ns))

    async def trading_days(self, instrument: InstrumentId, start: date, end: date) -> Sequence[date]:
        """Days the service knows to be open; it knows none of the future, and nothing of commodity exchanges.

        Raises:
            GatewayError: they could not be read.
        """
        market = CALENDARS.get(venue_of(instrument))
        return [] if market is None else await self.client.calendar(market, start, end)

    async def statements(
        self, statement: Statement, instruments: Sequence[InstrumentId], start: date, end: date
    ) -> Statements:
        """Statements of reporting periods from ``start`` to ``end``, with the day they became known.

        Raises:
            GatewayError: they could not be read.
        """
        rows = Statements([], 0, 0)
        for at in range(0, len(instruments), self.batch_codes):
            part = instruments[at : at + self.batch_codes]
            found = rows_from_wire(statement, await self.client.statements(statement, part, start, end))
            rows = Statements(
                rows.rows + found.rows, rows.undated + found.undated, rows.other_kinds + found.other_kinds
            )
        return rows

    def routes(self) -> Mapping[str, str]:
        return {name: route.line for name, route in ROUTES.items()}

    def reads(self) -> frozenset[str]:
        return frozenset(name for name, route in ROUTES.items() if not route.changes)

    async def call(self, route: str, args: Mapping[str, str]) -> Any:
        """See ``Gateway.call``.

        Raises:
            ConfigError, GatewayError
        """
        return await call_route(self.client, self.name, route, args)

    async def close(self) -> None:
        await self.calls.close()

    def _allow(self, instrument: InstrumentId) -> None:
        checked_code(instrument)
        if self._settings.instruments and instrument not in self._settings.instruments:
            raise ConfigError(f"{self.name}: {instrument} is not among the instruments of its settings")

    async def _poll(self, wanted: Wanted) -> Mapping[InstrumentId, Iterable[Bar]]:
        answer = await self.bars.history_batch(
            wanted.instruments, wanted.interval_ns, wanted.from_ns, wanted.to_ns, Priority.BACKGROUND
        )
        for instrument, why in answer.failed.items():
            self._note("feed.bars_failed", {"feed": self.name, "instrument": instrument, "error": why})
        return answer.bars


def _in_session(now_ns: int) -> bool:
    """Roughly: a weekday between 09:30 and 15:15, or an evening; only to tell a silence from a failure."""
    moment: datetime = datetime_from_ns(now_ns, ZONE)
    minute = moment.hour * 60 + moment.minute
    return moment.weekday() < 5 and (570 <= minute <= 915 or minute >= 1260)
