"""The gateway of the HT client: settings, the parts behind it, and the loops that keep it going. It has no quotes."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import anyio

from engine.domain.account import AccountSnapshot
from engine.domain.errors import ConfigError, GatewayError
from engine.domain.events import AccountLink, AccountObserved, Alert
from engine.domain.ids import AccountId
from engine.domain.instrument import Instrument
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.gateways.huatai import orders
from engine.gateways.huatai.client import HuataiClient
from engine.gateways.huatai.credentials import HIDDEN, Credentials, credentials_from
from engine.gateways.huatai.router import LATE_NS, SETTLE_NS, SPACING_NS, HuataiRouter
from engine.gateways.huatai.routes import ROUTES, Desk, call_route
from engine.gateways.huatai.session import Session
from engine.gateways.huatai.tables import Places, Reader
from engine.gateways.huatai.turns import Turns
from engine.gateways.huatai.wire import PREFIX, Limit, Wire
from engine.gateways.surroundings import Surroundings
from engine.gateways.table import GatewayTable
from engine.net.backoff import Backoff
from engine.net.polling import LinkState, PollLoop
from engine.net.rest import RestClient, Timeouts, is_this_machine
from engine.ports import MarketFeed, OrderRouter, Publish

KEEP_ALIVE_MAX_NS = 25 * MINUTE_NS
"""A session ends after 30 minutes without a call (contract 2)."""
SLACK_NS = 5 * SECOND_NS
"""The run reads the account at the same period: ours comes after it, and finds it done."""


class Huatai(GatewayTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings. Spans are texts like ``"30s"``; secrets come from the environment variables named here, or from the
    vendor's config.ini named by ``credentials_file``."""

    base_url: str = "http://127.0.0.1:5000"
    name: str = "huatai"
    account: str = ""
    """Our name for the account; empty: routes by hand only."""
    timezone: str = "Asia/Shanghai"
    """Of the server's machine: its times carry none."""
    instruments: tuple[str, ...] = ()
    """Ids like ``600000.SH``, for codes whose exchange their first digits do not tell."""
    ttype: str = orders.DEFAULT_TTYPE
    """What a market order is at the exchange."""
    account_poll: str = "60s"
    read_trades: bool = True
    """False: fills only as the orders' totals, and four seconds less a reading."""
    keep_alive: str = "5m"
    timeout: str = "30s"
    slow_timeout: str = "60s"
    """Of a cancel, and of a subscription for new shares."""
    login_timeout: str = "240s"
    connect_timeout: str = "5s"
    exe_path: str = ""
    """The client's program on the server's machine; empty: the server looks for it."""
    credentials_file: str = ""
    user_env: str = "SLUICE_HT_USER"
    password_env: str = "SLUICE_HT_PASSWORD"  # noqa: S105 - the name of a variable
    comm_password_env: str = "SLUICE_HT_COMM_PASSWORD"  # noqa: S105 - the name of a variable
    programme_trading_reported: bool = False
    """The broker was told that a programme trades this account; needed where the server is not this machine."""
    insecure_lan: bool = False

    def open(self, surroundings: Surroundings) -> "HuataiGateway":
        """The gateway, not yet connected.

        Raises:
            ConfigError: a setting that can not be used.
        """
        return HuataiGateway(self, surroundings)

    @property
    def names(self) -> tuple[str, str, str]:
        return self.user_env, self.password_env, self.comm_password_env

    @property
    def server(self) -> str:
        """The address without the path every route begins with, which the page writes as part of it."""
        return self.base_url.rstrip("/").removesuffix(PREFIX)

    def checked(self) -> None:
        """Raises: ConfigError: settings that can not be, or an account that may not be traded by a programme."""
        where = f"gateway {self.name}"
        self.refuse_unknown_zone(self.timezone)
        offered = orders.TTYPES + orders.SHENZHEN_TTYPES
        if self.ttype not in offered:
            raise ConfigError(f"{where}: ttype {self.ttype!r}: write one of {', '.join(offered)}")
        strange = [name for name in self.instruments if name.rpartition(".")[2] not in orders.EXCHANGES]
        if strange:
            raise ConfigError(f"{where}: instruments {strange[0]!r}: write ids like 600000.SH, 000001.SZ, 430047.BJ")
        if not 0 < self.span_ns("keep_alive") <= KEEP_ALIVE_MAX_NS:
            raise ConfigError(f"{where}: keep_alive {self.keep_alive!r}: a session ends after 30m; write 5m to 10m")
        if (
            self.account
            and not self.programme_trading_reported
            and not is_this_machine(urlsplit(self.server).hostname or "")
        ):
            raise ConfigError(
                f"{where}: account {self.account!r} is at {urlsplit(self.server).hostname}: report programme trading "
                "to the broker first, then write programme_trading_reported = true"
            )

    def credentials(self, environ: Mapping[str, str]) -> Credentials:
        """Raises: ConfigError: the file can not be used, or half of it is in the environment."""
        found = credentials_from(environ, self.names, self.credentials_file, f"gateway {self.name}")
        if bool(found.user) != bool(found.password):
            missing = self.names[1] if found.user else self.names[0]
            raise ConfigError(f"gateway {self.name}: {missing} is not set, and user and password go together")
        found.exe_path = self.exe_path or found.exe_path
        return found


class HuataiGateway:
    """See ``Gateway``. ``feed`` is None, ``router`` is None without an account."""

    def __init__(self, settings: Huatai, around: Surroundings) -> None:
        settings.checked()
        self.name = settings.name
        self.feed: MarketFeed | None = None
        self._settings = settings
        self._clock = around.clock
        self._note = around.note
        self._draw = around.entropy.stream(f"gateway/{settings.name}")
        credentials = settings.credentials(around.environ)
        spans = {Limit.COMMON: "timeout", Limit.SLOW: "slow_timeout", Limit.LOGIN: "login_timeout"}
        clients = {limit: self._rest(span, around) for limit, span in spans.items()}
        turns = Turns(around.clock, spacing_ns=SPACING_NS, settle_ns=SETTLE_NS, late_ns=LATE_NS)
        wire = Wire(clients, turns, around.clock, self._hide)
        self.session = Session(wire, around.clock, credentials, settings.name, settings.names, around.note)
        self.client = HuataiClient(wire, self.session, around.clock)
        self.reader = Reader(Places(settings.instruments), settings.timezone)
        self._router: HuataiRouter | None = None
        if settings.account:
            self._router = HuataiRouter(
                settings.name,
                AccountId(settings.account),
                self.client,
                self.reader,
                around.clock,
                ttype=settings.ttype,
                timezone=settings.timezone,
                timeout_ns=settings.span_ns("timeout"),
                snapshot_ns=settings.span_ns("account_poll"),
                reads_trades=settings.read_trades,
                note=around.note,
            )
        self.router: OrderRouter | None = self._router

    async def connect(self) -> None:
        """Find a session, or log in, and prove by the account's money that the client behind it lives (contract 5.1).

        Raises:
            ConfigError: no credentials where some are needed, or refused ones. GatewayError: not reachable, for now.
        """
        await self.session.open()

    async def run(self, publish: Publish) -> None:
        """Keep the session, and read the account at its period and after each order, until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._keep_alive)
            if self._router is not None:
                group.start_soon(self._watch_account, self._router, publish)

    async def instruments(self) -> Sequence[Instrument]:
        """None: the client has no static data."""
        return ()

    def routes(self) -> Mapping[str, str]:
        return {name: route.line for name, route in ROUTES.items()}

    def reads(self) -> frozenset[str]:
        return frozenset(name for name, route in ROUTES.items() if not route.changes)

    async def call(self, route: str, args: Mapping[str, str]) -> Any:
        """See ``Gateway.call``.

        Raises:
            ConfigError, GatewayError
        """
        return await call_route(Desk(self.client, self.reader), self.name, route, args)

    async def close(self) -> None:
        """Our connections only: ``exit`` would end the client for everybody."""
        await self.client.close()

    async def _keep_alive(self) -> None:
        """Renew the session where nothing else has; any accepted call does (contract 2)."""
        period = self._settings.span_ns("keep_alive")
        backoff = Backoff(self._draw)
        while True:
            due_ns = self.client.accepted_ns + period
            if self._clock.now_ns < due_ns:
                await self._clock.sleep_until(due_ns)
                continue
            try:
                await self.client.keep_alive()
                backoff.reset()
            except GatewayError as error:
                self._note("session.not_kept", {"gateway": self.name, "reason": error.message})
                await self._clock.sleep(backoff.next_ns())

    async def _watch_account(self, router: HuataiRouter, publish: Publish) -> None:
        """At its period, where the run has not read it by itself, and right after an order was placed."""
        period = self._settings.span_ns("account_poll")

        def tell(state: LinkState, reason: str) -> None:
            self._note("account.state", {"account": router.account, "state": state.value, "reason": reason})
            up, now_ns = state is LinkState.CONNECTED, self._clock.now_ns
            publish(AccountLink(account=router.account, ts_ns=now_ns, up=up, reason=reason))
            if not up:
                about = f"account:{router.account}"
                publish(Alert(ts_ns=now_ns, about=about, text=f"account can not be read: {reason}"))

        woken = [False]

        async def fetch() -> AccountSnapshot | None:
            read_lately = router.reading or self._clock.now_ns < router.read_ns + period
            if read_lately and not woken[0]:
                return None
            woken[0] = False
            return await router.snapshot()

        def deliver(snapshot: AccountSnapshot | None, _began_ns: int) -> None:
            if snapshot is not None:
                publish(AccountObserved(snapshot=snapshot))

        def next_ns(began_ns: int) -> int:
            return max(began_ns, router.read_ns) + period + SLACK_NS

        loop = PollLoop(self._clock, Backoff(self._draw), next_ns, fetch, deliver, tell)

        def look() -> None:
            woken[0] = True
            loop.wake()

        router.on_traded = look
        await loop.run()

    def _hide(self, text: str) -> str:
        """A text of the server's without our secrets."""
        session_id = self.session.id
        return self.session.credentials.hide(text.replace(session_id, HIDDEN) if session_id else text)

    def _rest(self, span: str, around: Surroundings) -> RestClient:
        settings = self._settings
        return RestClient(
            settings.server,
            around.clock,
            timeouts=Timeouts(connect_ns=settings.span_ns("connect_timeout"), total_ns=settings.span_ns(span)),
            transport=around.transport,
            insecure_lan=settings.insecure_lan,
        )
