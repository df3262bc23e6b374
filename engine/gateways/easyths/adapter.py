"""The gateway's settings, and the gateway: is there a living client behind the server, and what does it show (5.1)?"""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import httpx
from msgspec import field

from engine.domain.account import AccountSnapshot
from engine.domain.errors import ConfigError, Refused
from engine.domain.events import AccountLink, AccountObserved, Alert
from engine.domain.ids import AccountId
from engine.domain.instrument import Instrument
from engine.domain.timestamps import SECOND_NS
from engine.gateways.easyths import messages as m
from engine.gateways.easyths.client import EasythsClient
from engine.gateways.easyths.daybook import DayBook
from engine.gateways.easyths.instruments import code_to_wire, known_codes
from engine.gateways.easyths.keys import api_key
from engine.gateways.easyths.operations import STRATEGIES
from engine.gateways.easyths.reading import AccountReader
from engine.gateways.easyths.router import EasythsRouter
from engine.gateways.easyths.routes import ROUTES, call_route
from engine.gateways.easyths.rows import Funds
from engine.gateways.easyths.statuses import words_with
from engine.gateways.surroundings import Surroundings
from engine.gateways.table import GatewayTable
from engine.net.backoff import Backoff
from engine.net.polling import LinkState, PollLoop
from engine.net.rest import RestClient, Timeouts, is_this_machine
from engine.ports import MarketFeed, Publish

WATCH_SLACK_NS = 5 * SECOND_NS
"""The watch looks only where nobody else has for a period and this long: a look keeps the client busy for seconds."""


class Easyths(GatewayTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings. Spans are texts like ``"10s"``; the key comes from the variable named here, or from ``key_file``."""

    base_url: str = "http://127.0.0.1:7648"
    name: str = "easyths"
    account: str = ""
    """Our name for the account the trading client is logged in to; empty: no order side."""
    programme_trading_reported: bool = False
    """That the account's programme trading was reported to the broker: without it no account but on this machine."""
    timezone: str = "Asia/Shanghai"
    """The server's: its times carry none."""
    instruments: tuple[str, ...] = ()
    """Ids like ``600000.SH``: which market a code of the tables belongs to, where the tables do not say."""
    market_strategy: int = 3
    """1 counterparty best, 2 own best, 3 five levels, 4 immediate, 5 fill or kill, 6 five levels, rest to limit."""
    status_words: dict[str, str] = field(default_factory=dict)
    """Status words of a client that we do not know: ``"已受理" = "open"``, ``filled``, ``canceled`` or ``rejected``."""
    deadline: str = "30s"
    """How long an operation may take from its submit on."""
    account_poll: str = "30s"
    probe: str = "3m"
    """How often the client is asked for its money at least: the only sign that it lives."""
    timeout: str = "10s"
    connect_timeout: str = "5s"
    api_key_env: str = "API_KEY"
    key_file: str = ""
    """The server's config.toml, with ``[api] key``; nobody else may read it."""
    insecure_lan: bool = False

    def open(self, surroundings: Surroundings) -> "EasythsGateway":
        """The gateway, not yet connected.

        Raises:
            ConfigError: a setting that can not be used.
        """
        return EasythsGateway(self, surroundings)

    def checked(self) -> None:
        """Raises: ConfigError: a setting that can not be."""
        where = f"gateway {self.name}"
        self.refuse_unknown_zone(self.timezone)
        if self.market_strategy not in STRATEGIES:
            raise ConfigError(f"{where}: market_strategy {self.market_strategy}; write 1 to {STRATEGIES[-1]}")
        strange = [name for name in self.instruments if not code_to_wire(name)]
        if strange:
            raise ConfigError(f"{where}: instruments {strange[0]!r}: ids are six digits and .SH, .SZ or .BJ")

    def reported(self) -> None:
        """Raises: ConfigError: real trading whose programme nobody has reported (RELIABILITY 4.1, row 3)."""
        if self.account and not self.programme_trading_reported and not is_this_machine(httpx.URL(self.base_url).host):
            raise ConfigError(
                f"gateway {self.name}: account {self.account!r} trades on another machine; report programme trading "
                "to your broker and then set programme_trading_reported = true"
            )


class EasythsGateway:
    """See ``Gateway``. It has no quotes: ``feed`` is None. ``router`` is None without an account."""

    def __init__(self, settings: Easyths, around: Surroundings) -> None:
        settings.checked()
        self.name = settings.name
        self.feed: MarketFeed | None = None
        self._settings = settings
        self._clock = around.clock
        self._note = around.note
        self._draw = around.entropy.stream(f"gateway/{settings.name}")
        where = f"gateway {settings.name}"
        rest = RestClient(
            settings.base_url,
            around.clock,
            timeouts=Timeouts(connect_ns=settings.span_ns("connect_timeout"), total_ns=settings.span_ns("timeout")),
            transport=around.transport,
            insecure_lan=settings.insecure_lan,
        )
        deadline_ns = settings.span_ns("deadline")
        key = api_key(around.environ, settings.api_key_env, settings.key_file, where)
        self.client = EasythsClient(rest, around.clock, key=key, deadline_ns=deadline_ns)
        codes = known_codes(settings.instruments)
        account = AccountId(settings.account)
        self._book = DayBook(codes, words_with(settings.status_words, where), settings.timezone)
        self._reader = AccountReader(
            self.client, around.clock, self._book, account, settings.timezone, codes, around.note
        )
        self.router: EasythsRouter | None = None
        if settings.account:
            self.router = EasythsRouter(
                settings.name,
                account,
                self.client,
                self._reader,
                self._book,
                around.clock,
                snapshot_ns=settings.span_ns("account_poll"),
                deadline_ns=deadline_ns,
                market_strategy=settings.market_strategy,
                timezone=settings.timezone,
                note=around.note,
            )

    async def connect(self) -> None:
        """Is it there, of which generation, and does the trading client behind it show money (contract 5.1)?

        Raises:
            ConfigError: key not taken, or trading not reported. GatewayError: not reachable, or no client behind it.
        """
        self._settings.reported()
        try:
            health = await self.client.health()
            if health.components.automator != m.CLIENT:
                raise Refused(
                    f"gateway {self.name}: the server has no trading client ({health.components.automator}); start and "
                    "log in the client, then start the server anew"
                )
            generation = await self.client.generation()
            await self._reader.funds_alone()
        except Refused as refused:
            if refused.status not in (401, 403):
                raise
            raise ConfigError(self._locked_out(refused)) from refused
        self._note("gateway.connected", {"gateway": self.name, "generation": generation.value})

    def _locked_out(self, refused: Refused) -> str:
        if refused.status == 403:
            return f"gateway {self.name}: {refused.message}; add this machine to the server's list of addresses"
        return (
            f"gateway {self.name}: key not taken: {refused.message}; set {self._settings.api_key_env} to the key of "
            "the server's config.toml, or key_file to that file"
        )

    async def run(self, publish: Publish) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._probe, publish)
            if self.router is not None:
                group.start_soon(self._watch_account, self.router, publish)

    async def _watch_account(self, router: EasythsRouter, publish: Publish) -> None:
        """The account at its period, where nobody else has read it meanwhile; people trade it too."""
        router.listen(publish)
        period = self._settings.span_ns("account_poll")

        async def look() -> AccountSnapshot:
            while (due := self._reader.began_ns + period + WATCH_SLACK_NS) > self._clock.now_ns:
                await self._clock.sleep_until(due)
            return await router.snapshot()

        def deliver(snapshot: AccountSnapshot, _began_ns: int) -> None:
            publish(AccountObserved(snapshot=snapshot))

        await PollLoop(
            self._clock, Backoff(self._draw), lambda _began: self._clock.now_ns, look, deliver,
            lambda state, reason: self._tell(publish, "the account can not be read", state, reason),
        ).run()  # fmt: skip

    async def _probe(self, publish: Publish) -> None:
        """``connected`` stays true when the trading client has died: only money that is shown proves that it lives."""
        period = self._settings.span_ns("probe")

        async def ask() -> Funds:
            while (due := self._reader.funds_ns + period) > self._clock.now_ns:
                await self._clock.sleep_until(due)
            return await self._reader.funds_alone()

        await PollLoop(
            self._clock, Backoff(self._draw), lambda _began: self._clock.now_ns, ask, lambda _funds, _began: None,
            lambda state, reason: self._tell(publish, "the trading client does not answer", state, reason),
        ).run()  # fmt: skip

    def _tell(self, publish: Publish, what: str, state: LinkState, reason: str) -> None:
        about = f"account:{self._settings.account}" if self._settings.account else f"gateway:{self.name}"
        self._note("account.state", {"about": about, "state": state.value, "reason": reason})
        up, now_ns = state is LinkState.CONNECTED, self._clock.now_ns
        if self.router is not None:
            publish(AccountLink(account=self.router.account, ts_ns=now_ns, up=up, reason=reason))
        if not up:
            publish(Alert(ts_ns=now_ns, about=about, text=f"{what}: {reason}"))

    async def instruments(self) -> Sequence[Instrument]:
        """None: this system has no static data; ``config`` says what is traded."""
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
        return await call_route(self.client, self.name, route, args)

    async def close(self) -> None:
        await self.client.close()
