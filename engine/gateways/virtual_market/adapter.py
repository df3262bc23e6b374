"""The gateway of the virtual stock market: settings, the parts behind it, and the loops that keep them going."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from engine.clock import Clock
from engine.domain.account import AccountSnapshot
from engine.domain.errors import ConfigError, Refused
from engine.domain.events import AccountLink, AccountObserved, Alert
from engine.domain.ids import AccountId, InstrumentId, code_of
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.timestamps import SECOND_NS
from engine.gateways.surroundings import Surroundings
from engine.gateways.table import GatewayTable
from engine.gateways.virtual_market.client import VirtualMarketClient
from engine.gateways.virtual_market.feed import VirtualMarketFeed
from engine.gateways.virtual_market.hours import Hours
from engine.gateways.virtual_market.lots import Lots
from engine.gateways.virtual_market.router import VirtualMarketRouter
from engine.gateways.virtual_market.routes import ROUTES, call_route
from engine.net.backoff import Backoff
from engine.net.polling import LinkState, PollLoop
from engine.net.rate_limit import Budget, Priority, SlidingWindow
from engine.net.rest import RestClient, Timeouts
from engine.ports import MarketFeed, OrderRouter, Publish

LIMITS = {"auth": 10, "trade": 30, "details": 5, "general": 60}
"""Calls in 60 s, one counter for all (contracts/virtual_market.md 5, observed 2026-11)."""
SPARE = 1
"""We stay this far below each of them."""
PUBLIC_URL = "https://stock.leewater.online"


class VirtualMarket(GatewayTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings. Spans are texts like ``"10s"``; secrets come from the environment variables named here."""

    base_url: str = PUBLIC_URL
    name: str = "virtual_market"
    account: str = ""
    """Our name for the account; empty: market data only, no login."""
    timezone: str = "Asia/Shanghai"
    """The server's: its dates carry none."""
    open_hour: int = 8
    close_hour: int = 24
    lock: str = "60m"
    """How long a bought lot can not be sold, until a success text says otherwise."""
    poll: str = "20s"
    account_poll: str = "60s"
    timeout: str = "10s"
    connect_timeout: str = "5s"
    background_calls: int = 15
    """Calls a minute that polling may use up; what lies above is for reads on request and orders."""
    read_calls: int = 20
    order_calls: int = 25
    instruments: tuple[str, ...] = ()
    """Ids like ``CY.VSM``; empty: all the server has."""
    backfill_bars: int = 0
    """Bars before the start to publish at the start."""
    user: str = ""
    user_env: str = "SLUICE_VM_USER"
    password_env: str = "SLUICE_VM_PASSWORD"  # noqa: S105 - the name of a variable
    token_env: str = "SLUICE_VM_TOKEN"  # noqa: S105 - the name of a variable
    insecure_lan: bool = False

    def open(self, surroundings: Surroundings) -> "VirtualMarketGateway":
        """The gateway, not yet connected.

        Raises:
            ConfigError: a setting that can not be used, or an account without credentials.
        """
        return VirtualMarketGateway(self, surroundings)

    def hours(self) -> Hours:
        if not 0 <= self.open_hour < self.close_hour <= 24:
            raise ConfigError(f"gateway {self.name}: open_hour and close_hour: 0 <= open < close <= 24")
        self.refuse_unknown_zone(self.timezone)
        return Hours(self.timezone, self.open_hour, self.close_hour)

    def budget(self, clock: Clock) -> Budget:
        steps = (self.background_calls, self.read_calls, self.order_calls)
        if not 0 < steps[0] <= steps[1] <= steps[2] < LIMITS["trade"]:
            raise ConfigError(
                f"gateway {self.name}: 0 < background_calls <= read_calls <= order_calls < {LIMITS['trade']}"
            )
        ceilings = {Priority.BACKGROUND: steps[0], Priority.READ: steps[1], Priority.ORDER: steps[2]}
        limits = {name: limit - SPARE for name, limit in LIMITS.items()}
        return Budget(SlidingWindow(limits, ceilings=ceilings), clock)


class VirtualMarketGateway:
    """See ``Gateway``. ``router`` is None without an account."""

    def __init__(self, settings: VirtualMarket, surroundings: Surroundings) -> None:
        clock, environ = surroundings.clock, surroundings.environ
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._note = surroundings.note
        self._draw = surroundings.entropy.stream(f"gateway/{settings.name}")
        self._rest = RestClient(
            settings.base_url,
            clock,
            timeouts=Timeouts(connect_ns=settings.span_ns("connect_timeout"), total_ns=settings.span_ns("timeout")),
            transport=surroundings.transport,
            insecure_lan=settings.insecure_lan,
        )
        self.client = VirtualMarketClient(
            self._rest,
            settings.budget(clock),
            clock,
            Backoff(self._draw, cap_ns=5 * SECOND_NS),
            user=settings.user or environ.get(settings.user_env, ""),
            password=environ.get(settings.password_env, ""),
            token=environ.get(settings.token_env, ""),
        )
        self._feed = VirtualMarketFeed(
            settings.name,
            self.client,
            clock,
            self._draw,
            settings.hours(),
            poll_ns=settings.span_ns("poll"),
            watched=frozenset(code_of(instrument) for instrument in settings.instruments),
            backfill_bars=settings.backfill_bars,
            note=surroundings.note,
        )
        self.feed: MarketFeed | None = self._feed
        self._router: VirtualMarketRouter | None = None
        if settings.account:
            if not self.client.session.configured:
                raise ConfigError(
                    f"gateway {settings.name}: account {settings.account} has no credentials; set "
                    f"{settings.user_env} and {settings.password_env}, or {settings.token_env}"
                )
            lots = Lots(settings.span_ns("lock"))
            self._router = VirtualMarketRouter(
                settings.name, AccountId(settings.account), self.client, self._feed, clock, lots=lots, note=self._note
            )
        self.router: OrderRouter | None = self._router

    async def connect(self) -> None:
        """Log in before anything is polled (contract 3), read the stocks and, with an account, the portfolio.

        Raises:
            ConfigError: credentials not taken, or an instrument not listed. GatewayError: not reachable.
        """
        if self._router is not None:
            try:
                await self.client.session.headers()
                await self._router.snapshot()
            except Refused as refused:
                if refused.status != 401:
                    raise
                raise ConfigError(f"gateway {self.name}: not logged in: {refused.message}") from refused
        await self._feed.load()
        absent = [name for name in self._settings.instruments if code_of(name) not in self._feed.stocks]
        if absent:
            raise ConfigError(
                f"gateway {self.name}: no instrument {absent[0]}; it has {', '.join(self._feed.listed())}"
            )

    async def run(self, publish: Publish) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._feed.run, publish)
            if self._router is not None:
                group.start_soon(self._watch_account, self._router, publish)

    async def instruments(self) -> Sequence[Instrument]:
        """Every stock of the server (or those of the settings), by its own list.

        Raises:
            GatewayError: the list could not be read.
        """
        return await self._feed.load()

    async def history(self, instrument: InstrumentId, count: int) -> Sequence[Bar]:
        """The last ``count`` closed five-minute bars.

        Raises:
            GatewayError: they could not be read.
        """
        return await self._feed.history(instrument, count)

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

    def expires_ns(self) -> int | None:
        """When the login ends (a monitor asks); it is renewed a day before."""
        return self.client.session.expires_ns

    async def close(self) -> None:
        await self._rest.close()

    async def _watch_account(self, router: VirtualMarketRouter, publish: Publish) -> None:
        """The portfolio every minute and after each trade; others trade the account too (contract 7, mapping)."""
        period = self._settings.span_ns("account_poll")

        def tell(state: LinkState, reason: str) -> None:
            self._note("account.state", {"account": router.account, "state": state.value, "reason": reason})
            up, now_ns = state is LinkState.CONNECTED, self._clock.now_ns
            publish(AccountLink(account=router.account, ts_ns=now_ns, up=up, reason=reason))
            if not up:
                about = f"account:{router.account}"
                publish(Alert(ts_ns=now_ns, about=about, text=f"portfolio can not be read: {reason}"))

        def deliver(snapshot: AccountSnapshot, _began_ns: int) -> None:
            publish(AccountObserved(snapshot=snapshot))

        loop = PollLoop(self._clock, Backoff(self._draw), lambda began: began + period, router.snapshot, deliver, tell)
        router.on_traded = loop.wake
        await loop.run()
