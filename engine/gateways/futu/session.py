"""The push connection and what must be restored after it was lost, or the gateway started anew (contract 10.1)."""

from collections.abc import Callable
from typing import Any

import anyio

from engine import traps
from engine.domain.errors import BadMessage, ConfigError, GatewayError, OutcomeUnknown, Refused
from engine.domain.events import Alert
from engine.gateways.futu import account_messages as a
from engine.gateways.futu import codes, orders
from engine.gateways.futu import routes as r
from engine.gateways.futu import static_messages as s
from engine.gateways.futu.client import FutuClient
from engine.gateways.futu.feed import FutuFeed
from engine.gateways.futu.hours import MarketHours
from engine.gateways.futu.push import FillPush, GatewayState, OrderPush, pushed_from_wire
from engine.gateways.futu.router import FutuRouter
from engine.gateways.futu.unlocking import Unlocker
from engine.gateways.surroundings import Surroundings
from engine.net.backoff import Backoff
from engine.net.polling import LinkState, PollLoop
from engine.net.websocket import SocketLoop
from engine.ports import Publish

_TRADES = frozenset({OrderPush, FillPush})


class Session:
    """One ``/ws``: pushes to the feed and the router; orders held back while pushes may have been missed."""

    def __init__(
        self,
        name: str,
        base_url: str,
        around: Surroundings,
        client: FutuClient,
        feed: FutuFeed,
        router: FutuRouter | None,
        unlocker: Unlocker,
        hours: MarketHours,
        *,
        stale_ns: int,
        state_ns: int,
    ) -> None:
        self.wake_account: Callable[[], None] = lambda: None
        self.restores = 0
        self._name = name
        self._base_url = base_url
        self._stale_ns = stale_ns
        self._state_ns = state_ns
        self._clock = around.clock
        self._note = around.note
        self._client = client
        self._feed = feed
        self._router = router
        self._unlocker = unlocker
        self._hours = hours
        self._draw = around.entropy.stream(f"gateway/{name}/session")
        self._publish: Publish | None = None
        self._conn_id: str | None = None
        self._must_unlock = True
        self._ready = True
        """What the gateway last said of its logins."""
        self._heard_from_ns = 0
        """Pushes have come without a gap since."""
        self._restore_wanted = anyio.Event()
        self._ask_all = self._ask_catch_up = False
        self.socket: SocketLoop | None = None
        if router is not None:
            router.locked = self._on_locked

    # --- state of the gateway ----------------------------------------------------------------------------------------

    def note_state(self, state: s.GlobalState) -> bool:
        """Take a global-state; True if it shows that the gateway started anew."""
        for place in codes.PLACES:
            told = getattr(state, place.state_key)
            if told is not None:
                self._hours.states[place.suffix] = told
        anew = self._conn_id is not None and state.conn_id is not None and state.conn_id != self._conn_id
        self._conn_id = state.conn_id or self._conn_id
        if anew:
            self._must_unlock = True
        return anew

    async def register(self, account: orders.Account) -> None:
        """Unlock where it must be, and ask for the account's pushes.

        Raises:
            ConfigError: still locked, or the key may not have pushes. GatewayError: not answered.
        """
        if self._must_unlock:
            await self._unlocker.unlock(account)
            traps.passed("C21")
            self._must_unlock = False
        try:
            await self._client.ask(r.SUB_ACC_PUSH, a.SubAccPushAsk(acc_id_list=[int(account.acc_id)]))
        except Refused as refused:
            if refused.status not in (401, 403):
                raise
            raise ConfigError(
                f"gateway {self._name}: no pushes of orders: {refused.message}; it needs a keys file and a "
                "key with acc:read for this account"
            ) from refused

    def _on_locked(self) -> None:
        """An order was refused because trading is locked: unlock once more, unless the password was wrong before."""
        self._must_unlock = True
        self._ask_restore("trading is locked")

    def account_read(self, began_ns: int) -> None:
        """The account was read; if pushes have come without a gap since before, orders may leave again."""
        if self._router is not None and self._ready and 0 < self._heard_from_ns <= began_ns:
            self._router.release()

    # --- the connection ----------------------------------------------------------------------------------------------

    async def run(self, publish: Publish) -> None:
        """Until cancelled."""
        self._publish = publish
        scheme, _, rest = self._base_url.rstrip("/").partition("://")
        self.socket = SocketLoop(
            f"{'wss' if scheme == 'https' else 'ws'}://{rest}/ws",
            self._clock,
            self._draw,
            greeting=tuple,
            on_message=self._on_message,
            on_state=self._on_state,
            on_bad=self._on_bad,
            on_open=self._on_open,
            expects_data=self._feed.expects_data,
            headers=self._headers,
            stale_ns=self._stale_ns,
        )
        async with anyio.create_task_group() as group:
            group.start_soon(self.socket.run)
            group.start_soon(self._watch_state)
            group.start_soon(self._restore_when_asked)

    def _headers(self) -> dict[str, str]:
        token = self._client.headers.get("authorization")
        return {"Authorization": token} if token else {}

    async def _on_open(self, _socket: Any) -> None:
        """Before pushes are listened to; what fails here makes the connection anew."""
        await self._restore()

    async def _restore(self) -> None:
        """Contract 10.1: state, registration, subscriptions; the account is read right after."""
        state = await self._client.ask(r.GLOBAL_STATE, s.Nothing())
        self.note_state(state)
        if not state.qot_logined or (self._router is not None and not state.trd_logined):
            raise OutcomeUnknown("the gateway is not logged in to its backend")
        self._ready = True
        if self._router is not None and self._router.proven is not None:
            try:
                await self.register(self._router.proven)
            except ConfigError as error:
                self._alert(str(error))
                raise OutcomeUnknown(str(error)) from error
        await self._feed.resubscribe()
        self.restores += 1

    def _on_state(self, state: LinkState, reason: str) -> None:
        self._note("feed.state", {"feed": self._name, "state": state.value, "reason": reason})
        if state is LinkState.CONNECTED:
            self._resumed()
        else:
            self._heard_from_ns = 0
            self._hold()
        self._feed.tell(state, reason)

    def _resumed(self) -> None:
        self._heard_from_ns = self._clock.now_ns
        self._ask_catch_up = True
        self._restore_wanted.set()
        self.wake_account()

    def _hold(self) -> None:
        if self._router is not None:
            self._router.hold()

    def _on_message(self, frame: str | bytes) -> None:
        for pushed in pushed_from_wire(frame):
            kind = pushed.__class__
            if kind in _TRADES:
                if self._router is not None:
                    self._router.on_push(pushed)  # type: ignore[arg-type]
            elif kind is GatewayState:
                self._on_gateway(pushed)  # type: ignore[arg-type]
            else:
                self._feed.take(pushed)

    def _on_gateway(self, told: GatewayState) -> None:
        ready = bool(told.quotes_ready) and bool(told.trading_ready)
        if ready and not self._ready:
            self._ask_restore("the gateway is logged in again")
        elif not ready:
            self._ready = False
            self._hold()
            self._feed.tell(LinkState.STALE, "the gateway lost its backend")
            self._alert("the gateway is not logged in to its backend: no new orders")

    def _on_bad(self, error: BadMessage) -> None:
        fields = {"feed": self._name, "error": error.message[:500], "body": error.body[:500].hex()}
        self._note("feed.bad_message", fields)

    # --- restoring on an open socket ---------------------------------------------------------------------------------

    def _ask_restore(self, reason: str) -> None:
        self._note("session.restore", {"gateway": self._name, "reason": reason})
        self._ask_all = True
        self._heard_from_ns = 0
        self._hold()
        self._restore_wanted.set()

    async def _restore_when_asked(self) -> None:
        backoff = Backoff(self._draw)
        while True:
            await self._restore_wanted.wait()
            self._restore_wanted = anyio.Event()
            try:
                if self._ask_all:
                    await self._restore()
                    self._ask_all = False
                    self._heard_from_ns = self._clock.now_ns
                    self._feed.tell(LinkState.CONNECTED, "")
                    self.wake_account()
                    self._ask_catch_up = True
                if self._ask_catch_up:
                    await self._feed.catch_up()
                    self._ask_catch_up = False
                backoff.reset()
            except GatewayError as error:
                self._note("session.restore_failed", {"gateway": self._name, "error": error.message})
                await self._clock.sleep(backoff.next_ns())
                self._restore_wanted.set()

    async def _watch_state(self) -> None:
        """Market states for the silence watch; and whether the gateway behind the socket is still the same."""

        async def fetch() -> s.GlobalState:
            return await self._client.ask(r.GLOBAL_STATE, s.Nothing())

        def deliver(state: s.GlobalState, _began_ns: int) -> None:
            logged_in = state.qot_logined and (self._router is None or state.trd_logined)
            if self.note_state(state):
                self._ask_restore("the gateway started anew")
            elif logged_in is not self._ready:
                self._on_gateway(GatewayState(quotes_ready=logged_in, trading_ready=logged_in))

        def tell(state: LinkState, reason: str) -> None:
            self._note("gateway.state", {"gateway": self._name, "state": state.value, "reason": reason})

        loop = PollLoop(self._clock, Backoff(self._draw), lambda began: began + self._state_ns, fetch, deliver, tell)
        await loop.run()

    def _alert(self, text: str) -> None:
        if self._publish is not None:
            about = f"gateway:{self._name}"
            self._publish(Alert(ts_ns=self._clock.now_ns, about=about, text=text))
