"""The gateway's settings, and the gateway: connecting, proving, the loops that keep it going (contract 3, 10.1, 11)."""

from collections.abc import Mapping, Sequence
from typing import Any

import anyio
from msgspec import field

from engine.domain.account import AccountSnapshot
from engine.domain.errors import ConfigError, OutcomeUnknown, Refused
from engine.domain.events import AccountLink, AccountObserved, Alert
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.timestamps import MINUTE_NS, SECOND_NS, duration_ns
from engine.gateways.futu import calls, codes, orders, proof, static
from engine.gateways.futu import routes as r
from engine.gateways.futu import static_messages as s
from engine.gateways.futu.client import FutuClient
from engine.gateways.futu.feed import EXTRAS, FutuFeed
from engine.gateways.futu.hours import MarketHours
from engine.gateways.futu.limits import LimitMirror, key_from_file, key_from_record
from engine.gateways.futu.pacing import PacingTable
from engine.gateways.futu.router import FutuRouter
from engine.gateways.futu.session import Session
from engine.gateways.futu.unlocking import Unlocker
from engine.gateways.surroundings import Surroundings
from engine.gateways.table import GatewayTable
from engine.net.backoff import Backoff
from engine.net.polling import LinkState, PollLoop, Schedule
from engine.net.rest import RestClient, Timeouts
from engine.ports import Publish


class Futu(GatewayTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings. Spans are texts like ``"10s"``; secrets come from the environment variables named here.

    ``key`` is our key's record as keys.json has it, or ``keys_file`` (and ``key_id``) says where to find it: with it
    the gateway's limits are checked on our side first.
    """

    base_url: str = "http://127.0.0.1:22222"
    name: str = "futu"
    account: str = ""
    """Our name for the account; empty: market data only."""
    acc_id: str = ""
    """The gateway's id of it."""
    environment: str = ""
    """``simulate`` or ``real``; proven before the first order, never assumed."""
    armed: bool = False
    """Real trading needs it."""
    currency: str = "HKD"
    instruments: tuple[str, ...] = ()
    """Ids like ``00700.HK``; for market data, empty means any."""
    bars: str = "push"
    """``push``, or ``poll`` where subscriptions are dear."""
    rehab_type: int = 0
    extras: tuple[str, ...] = ()
    """``rt`` and ``broker``: minute line and broker queue, kept as last heard."""
    outside_rth: bool = False
    """US orders and data outside regular hours too."""
    stale: str = "60s"
    bar_poll: str = "15s"
    order_poll: str = "5s"
    account_poll: str = "30s"
    state_poll: str = "15s"
    timeout: str = "10s"
    connect_timeout: str = "5s"
    key: dict[str, Any] = field(default_factory=dict)
    keys_file: str = ""
    key_id: str = ""
    hours_timezone: str = "Asia/Hong_Kong"
    """The zone of the gateway's machine: its hours window is in it."""
    cancel_reserve: int = 1
    token_env: str = "SLUICE_FUTU_TOKEN"  # noqa: S105 - the name of a variable
    insecure_lan: bool = False

    def open(self, surroundings: Surroundings) -> "FutuGateway":
        """The gateway, not yet connected.

        Raises:
            ConfigError: a setting that can not be used.
        """
        return FutuGateway(self, surroundings)

    def checked(self) -> None:
        """Raises: ConfigError: settings that contradict each other."""
        where = f"gateway {self.name}"
        if self.account and (not self.acc_id.isascii() or not self.acc_id.isdigit() or int(self.acc_id) <= 0):
            raise ConfigError(f"{where}: account {self.account!r} needs acc_id, the gateway's number of it")
        if self.account and self.environment not in codes.ENVIRONMENTS:
            raise ConfigError(f"{where}: environment {self.environment!r}: write 'simulate' or 'real'")
        if self.account and self.environment == "real" and not self.armed:
            raise ConfigError(f"{where}: environment 'real' trades real money; start with --arm to allow it")
        if self.currency not in codes.CURRENCY_CODES:
            raise ConfigError(f"{where}: currency {self.currency!r}: write one of {', '.join(codes.CURRENCY_CODES)}")
        if self.bars not in ("push", "poll") or self.rehab_type not in (0, 1, 2):
            raise ConfigError(f"{where}: bars is 'push' or 'poll', rehab_type 0, 1 or 2")
        strange = [extra for extra in self.extras if extra not in EXTRAS]
        if strange:
            raise ConfigError(f"{where}: extras {strange[0]!r}: it has {', '.join(EXTRAS)}")
        for instrument in self.instruments:
            codes.place_of(instrument)


class FutuGateway:
    """See ``Gateway``. ``router`` is None without an account."""

    def __init__(self, settings: Futu, around: Surroundings) -> None:
        settings.checked()
        self.name = settings.name
        self._settings = settings
        self._clock = around.clock
        self._note = around.note
        self._draw = around.entropy.stream(f"gateway/{settings.name}")
        self._packets = orders.Packets(self._draw)
        self._token = around.environ.get(settings.token_env, "")
        rest = RestClient(
            settings.base_url,
            around.clock,
            timeouts=Timeouts(connect_ns=settings.span_ns("connect_timeout"), total_ns=settings.span_ns("timeout")),
            transport=around.transport,
            insecure_lan=settings.insecure_lan,
        )
        backoff = Backoff(self._draw, cap_ns=5 * SECOND_NS)
        self.client = FutuClient(rest, PacingTable(around.clock), around.clock, backoff, self._token)
        self.hours = MarketHours()
        self.feed = FutuFeed(
            settings.name,
            self.client,
            around.clock,
            self.hours,
            watched=frozenset(settings.instruments),
            rehab_type=settings.rehab_type,
            extended=settings.outside_rth,
            extras=settings.extras,
            poll_bars=settings.bars == "poll",
            poll_ns=settings.span_ns("bar_poll"),
            note=around.note,
        )
        self.feed.runner = self._run_feed
        self.router: FutuRouter | None = None
        if settings.account:
            self.router = FutuRouter(
                settings.name,
                AccountId(settings.account),
                self.client,
                around.clock,
                self._packets,
                derives_fills=settings.environment == "simulate",
                snapshot_ns=settings.span_ns("account_poll"),
                outside_rth=settings.outside_rth,
                note=around.note,
            )
        unlocker = Unlocker(self.client, around.environ, settings.name)
        self.session = Session(
            settings.name,
            settings.base_url,
            around,
            self.client,
            self.feed,
            self.router,
            unlocker,
            self.hours,
            stale_ns=settings.span_ns("stale"),
            state_ns=settings.span_ns("state_poll"),
        )

    # --- connecting --------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Is it there, logged in, and is the account the one config names (contract 3, 11)?

        Raises:
            ConfigError: key not taken, environment not proven, still locked. GatewayError: not reachable or logged in.
        """
        try:
            await self.client.text("health")
            state = await self.client.ask(r.GLOBAL_STATE, s.Nothing())
            self.session.note_state(state)
            if not state.qot_logined or (self.router is not None and not state.trd_logined):
                raise OutcomeUnknown(f"gateway {self.name}: not logged in to its backend")
            if self.router is not None:
                await self._prove(self.router)
        except Refused as refused:
            if refused.status in (401, 403):
                raise ConfigError(
                    f"gateway {self.name}: key not taken: {refused.message}; set {self._settings.token_env} to a key "
                    "with qot:read, and for an account acc:read and a trade scope"
                ) from refused
            raise

    async def _prove(self, router: FutuRouter) -> None:
        settings = self._settings
        listed = (await self.client.ask(r.ACCOUNTS, s.Nothing())).acc_list
        found = proof.proven_account(
            listed,
            gateway=self.name,
            acc_id=settings.acc_id,
            environment=settings.environment,
            armed=settings.armed,
        )
        account = orders.Account(
            acc_id=found.acc_id,
            trd_env=found.trd_env,
            markets=frozenset(found.trd_market_auth_list),
            currency=settings.currency,
            security_firm=found.security_firm,
        )
        router.mirror = self._mirror(account, found.card_num)
        router.reader.markets = self._markets(account)
        router.proven = account
        try:
            await router.reader.funds()
        except Refused as refused:
            router.proven = None
            if refused.status != 200 or refused.retry_after_ns is not None:
                raise
            raise ConfigError(
                f"gateway {self.name}: account {account.acc_id} does not answer as {settings.environment!r}: "
                f"{refused.message}; nothing is traded"
            ) from refused
        await self.session.register(account)

    def _markets(self, account: orders.Account) -> tuple[int, ...]:
        """The markets to read: those of the instruments; without any, all the account has that we know."""
        wanted = {account.market_of(InstrumentId(name)) for name in self._settings.instruments}
        if account.markets and wanted - account.markets:
            word = codes.TRADE_MARKET_WORDS.get(min(wanted - account.markets), "?")
            raise ConfigError(f"gateway {self.name}: account {account.acc_id} may not trade {word}, an instrument does")
        known = {place.simulate_market if account.simulated else place.real_market for place in codes.PLACES}
        return tuple(sorted(wanted or (account.markets & (known | {3, 4})) or {1}))

    def _mirror(self, account: orders.Account, card_num: str | None) -> LimitMirror | None:
        settings = self._settings
        where = f"gateway {self.name}"
        if settings.keys_file:
            key = key_from_file(settings.keys_file, settings.key_id, self._token, where)
        elif settings.key:
            key = key_from_record(settings.key, f"{where}: key")
        else:
            return None
        return LimitMirror(
            key,
            self._clock,
            acc_id=account.acc_id,
            market_of=account.market_of,
            price_of=self.feed.prices.get,
            hours_timezone=settings.hours_timezone,
            card_num=card_num,
            cancel_reserve=settings.cancel_reserve,
        )

    # --- running -----------------------------------------------------------------------------------------------------

    async def run(self, publish: Publish) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self.feed.run, publish)
            if self.router is not None:
                self._watch_account(group, self.router, publish)

    async def _run_feed(self, publish: Publish) -> None:
        self.feed.listen(publish)
        async with anyio.create_task_group() as group:
            group.start_soon(self.session.run, publish)
            group.start_soon(self.feed.follow_wants)
            group.start_soon(self.feed.close_bars)
            group.start_soon(self._poll_bars)

    async def _poll_bars(self) -> None:
        period = self._settings.span_ns("bar_poll")
        schedule = Schedule(self._draw, slow_ns=lambda _now: period, mark_ns=MINUTE_NS)

        def tell(state: LinkState, reason: str) -> None:
            self._note("feed.poll_state", {"feed": self.name, "state": state.value, "reason": reason})
            if self.feed.polled and state is not LinkState.CONNECTED:
                self.feed.tell(state, reason)

        backoff = Backoff(self._draw)
        loop = PollLoop(self._clock, backoff, schedule.next_ns, self.feed.read_polled, self.feed.take_polled, tell)
        await loop.run()

    def _watch_account(self, group: Any, router: FutuRouter, publish: Publish) -> None:
        """Orders from the cache every few seconds; the whole account at its period, and after pushes were lost."""
        settings, clock = self._settings, self._clock
        router.listen(publish)
        period, order_period = settings.span_ns("account_poll"), settings.span_ns("order_poll")

        def tell(what: str, state: LinkState, reason: str) -> None:
            self._note("account.state", {"account": router.account, "state": state.value, "reason": reason})
            up = state is LinkState.CONNECTED
            publish(AccountLink(account=router.account, ts_ns=clock.now_ns, up=up, reason=reason))
            if not up:
                about = f"account:{router.account}"
                publish(Alert(ts_ns=clock.now_ns, about=about, text=f"{what} can not be read: {reason}"))

        def deliver(snapshot: AccountSnapshot, began_ns: int) -> None:
            publish(AccountObserved(snapshot=snapshot))
            self.session.account_read(began_ns)

        whole = PollLoop(
            clock, Backoff(self._draw), lambda began: began + period, router.snapshot, deliver,
            lambda state, reason: tell("account", state, reason),
        )  # fmt: skip
        listing = PollLoop(
            clock, Backoff(self._draw), lambda began: began + order_period, router.poll_orders, lambda _n, _b: None,
            lambda state, reason: tell("order list", state, reason),
        )  # fmt: skip
        self.session.wake_account = whole.wake
        router.look = listing.wake
        group.start_soon(whole.run)
        group.start_soon(listing.run)

    # --- the rest of the port ----------------------------------------------------------------------------------------

    async def instruments(self) -> Sequence[Instrument]:
        """The instruments of the settings, with lot size and kind from static info and tick from the snapshot.

        Raises:
            GatewayError: they could not be read.
        """
        return await static.instruments(self.client, [InstrumentId(name) for name in self._settings.instruments])

    async def history(self, instrument: InstrumentId, interval: int | str, from_ns: int, to_ns: int) -> Sequence[Bar]:
        """Closed bars that end within the span, both ends included. ``interval`` in ns, or as ``"5m"``.

        Raises:
            ConfigError: no such instrument or bar length. GatewayError: they could not be read.
        """
        try:
            span = duration_ns(interval)
        except ValueError as error:
            raise ConfigError(f"gateway {self.name}: {error}") from error
        return await self.feed.history(instrument, span, from_ns, to_ns)

    def routes(self) -> Mapping[str, str]:
        return calls.lines()

    def reads(self) -> frozenset[str]:
        return calls.reads()

    async def call(self, route: str, args: Mapping[str, str]) -> Any:
        """See ``Gateway.call``.

        Raises:
            ConfigError, GatewayError
        """
        account = self.router.proven if self.router is not None else None
        return await calls.call(self.client, route, args, gateway=self.name, account=account, packets=self._packets)

    async def close(self) -> None:
        await self.client.close()
