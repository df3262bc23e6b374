"""Every route of the server: queries are repeated once after a lost session, what does something is sent once.

Errors: ``NotSent``, ``Refused``, ``OutcomeUnknown``, ``BadMessage`` as their names say; each method raises those and no
others. A reply of any code is handed on where code and HTTP status do not tell what was done (contracts/ht.md 3).
"""

import anyio

from engine.clock import Clock
from engine.domain.errors import ConfigError, GatewayError, NotSent, OutcomeUnknown
from engine.gateways.huatai import messages as m
from engine.gateways.huatai import texts
from engine.gateways.huatai.credentials import Credentials
from engine.gateways.huatai.session import Session, ready
from engine.gateways.huatai.wire import Limit, NotOffered, Reply, SessionLost, Wire
from engine.net.rate_limit import Priority
from engine.net.rest import encode


class HuataiClient:
    """Calls to one server. ``session_id`` given with a call is sent as it is, past the session of our own."""

    def __init__(self, wire: Wire, session: Session, clock: Clock) -> None:
        self.session = session
        self.popups_offered = True
        """Whether check-pop-dialog exists: unknown until it was asked."""
        self._wire = wire
        self._clock = clock
        session.prove = self._prove

    # --- session -----------------------------------------------------------------------------------------------------

    async def connect(self, exe_path: str = "") -> Reply:
        """Take the client that is up; its session becomes ours."""
        return self._adopted(await self.session.connect(exe_path))

    async def login(self, user: str = "", password: str = "", comm_password: str = "", exe_path: str = "") -> Reply:
        """Start the client and log in, as the configured user where none is given; its session becomes ours.

        Raises:
            ConfigError: no user is given or configured.
        """
        given = Credentials(user, password, comm_password, exe_path) if user else self.session.credentials
        if not given.given:
            raise ConfigError("login: write user=... password=... comm_password=..., or configure the credentials")
        return self._adopted(await self.session.login(given))

    async def exit(self, session_id: str = "") -> Reply:
        """End the client, for every session of everybody."""
        return _good(await self.act("/exit", session_id=session_id))

    async def session_status(self, session_id: str = "") -> Reply:
        """Of the automatic login's session, whatever id is sent (contract 2)."""
        return _good(await self.query("/session-status", session_id=session_id))

    # --- queries -----------------------------------------------------------------------------------------------------

    async def balance(self, priority: Priority = Priority.READ, session_id: str = "") -> Reply:
        return await self._data("/balance", priority, session_id)

    async def position(self, priority: Priority = Priority.READ, session_id: str = "") -> Reply:
        return await self._data("/position", priority, session_id)

    async def today_entrusts(self, priority: Priority = Priority.READ, session_id: str = "") -> Reply:
        return await self._data("/today-entrusts", priority, session_id)

    async def today_trades(self, priority: Priority = Priority.READ, session_id: str = "") -> Reply:
        return await self._data("/today-trades", priority, session_id)

    async def cancel_entrusts(self, priority: Priority = Priority.READ, session_id: str = "") -> Reply:
        return await self._data("/cancel-entrusts", priority, session_id)

    # --- what does something: one request each, the reply as it came --------------------------------------------------

    async def order(self, path: str, body: bytes, *, wait_max_ns: int | None = None, session_id: str = "") -> Reply:
        """``/buy``, ``/sell``, ``/market-buy``, ``/market-sell`` with exactly this body; the code does not tell.

        Raises:
            NotSent: no turn, or no session, within ``wait_max_ns``. SessionLost, NotOffered: not done.
            BadMessage, OutcomeUnknown: it may have been.
        """
        return await self.act(path, body, wait_max_ns=wait_max_ns, session_id=session_id)

    async def cancel_entrust(self, number: str | int, session_id: str = "") -> Reply:
        """A number as a JSON number, or as text; neither code nor data tells what was cancelled (contract 3.2)."""
        body = encode({"entrust_no": number})
        return await self.act("/cancel-entrust", body, limit=Limit.SLOW, session_id=session_id)

    async def cancel_all_entrusts(self, session_id: str = "") -> Reply:
        return await self.act("/cancel-all-entrusts", limit=Limit.SLOW, session_id=session_id)

    async def auto_ipo(self, *, wait_max_ns: int | None = None, session_id: str = "") -> Reply:
        return await self.act("/auto-ipo", limit=Limit.SLOW, wait_max_ns=wait_max_ns, session_id=session_id)

    async def refresh(self, session_id: str = "") -> Reply:
        return _good(await self.act("/refresh", priority=Priority.READ, session_id=session_id))

    async def wait(self, seconds: float, session_id: str = "") -> Reply:
        """Hold the server for so long, which is less than the limit of a call."""
        body = encode({"seconds": seconds})
        return _good(await self.act("/wait", body, priority=Priority.READ, session_id=session_id))

    # --- pop-ups -----------------------------------------------------------------------------------------------------

    async def check_pop_dialog(self, session_id: str = "") -> Reply:
        return _good(await self.query("/check-pop-dialog", session_id=session_id))

    async def close_pop_dialog(self, session_id: str = "") -> Reply:
        return _good(await self.act("/close-pop-dialog", priority=Priority.READ, session_id=session_id))

    async def close_any_popup(self) -> bool:
        """Close the dialog that stands in the way of everything else, where the server can; True if there was one.

        Raises:
            GatewayError: it could not be asked or closed.
        """
        if not self.popups_offered:
            return False
        await ready(self.session)
        return await self._close_popup(self.session.id, Priority.READ)

    # --- one call ----------------------------------------------------------------------------------------------------

    async def query(self, path: str, priority: Priority = Priority.READ, session_id: str = "") -> Reply:
        """GET; after a lost session once more, with a new one.

        Raises:
            GatewayError: as it fails.
        """
        if session_id:
            return await self._wire.call("GET", path, session_id=session_id, priority=priority)
        for last in (False, True):
            await ready(self.session)
            used = self.session.id
            try:
                return await self._wire.call("GET", path, session_id=used, priority=priority)
            except SessionLost:
                self._forget(used)
                if last:
                    raise
        raise AssertionError("unreachable")

    async def act(
        self,
        path: str,
        body: bytes | None = None,
        *,
        limit: Limit = Limit.COMMON,
        priority: Priority = Priority.ORDER,
        wait_max_ns: int | None = None,
        session_id: str = "",
    ) -> Reply:
        """POST, once. A lost session is not repeated here: the next call makes a new one."""
        until_ns = None if wait_max_ns is None else self._clock.now_ns + wait_max_ns
        if not session_id:
            await self._ready_for_order(wait_max_ns)
        used = session_id or self.session.id
        left_ns = None if until_ns is None else max(until_ns - self._clock.now_ns, 0)
        try:
            reply = await self._wire.call(
                "POST",
                path,
                session_id=used,
                body=body,
                limit=limit,
                priority=priority,
                once=True,
                wait_max_ns=left_ns,
            )
        except SessionLost:
            self._forget(used)
            raise
        return self._with_client(reply)

    async def keep_alive(self) -> None:
        """Renew the session, or make a new one.

        Raises:
            GatewayError: neither worked.
        """
        await ready(self.session)
        used = self.session.id
        try:
            await self.session.keep()
        except SessionLost:
            self._forget(used)
            await ready(self.session)

    @property
    def accepted_ns(self) -> int:
        return self._wire.accepted_ns

    async def close(self) -> None:
        await self._wire.close()

    def client_gone(self) -> None:
        """The window behind the session does not answer: before anything else the next call proves it, or logs in."""
        self.session.lost()

    async def _ready_for_order(self, wait_max_ns: int | None) -> None:
        """A session, soon; whatever became of making one, the call itself never left.

        Raises:
            NotSent
        """
        if self.session.is_open:
            return
        try:
            if wait_max_ns is None:
                await ready(self.session)
            else:
                with anyio.move_on_after(max(self._clock.real_seconds(wait_max_ns), 0.05)):
                    await ready(self.session)
        except GatewayError as error:
            raise NotSent(f"not logged in: {error.message}") from error
        if not self.session.is_open:
            raise NotSent("not logged in, and no session in time")

    def _forget(self, used: str) -> None:
        # Somebody else may have opened a new one meanwhile.
        if self.session.id == used:
            self.session.lost()

    async def _data(self, path: str, priority: Priority, session_id: str) -> Reply:
        return _good(self._with_client(await self.query(path, priority, session_id)))

    def _with_client(self, reply: Reply) -> Reply:
        if texts.NOT_CONNECTED in reply.message:
            self.client_gone()
        return reply

    async def _prove(self) -> None:
        """Whether the client behind a session is alive: money, or else a table that can be read (contract 5.1)."""
        used = self.session.id
        gone = ""
        for _ in range(2):
            reply = await self._wire.call("GET", "/balance", session_id=used, priority=Priority.LOGIN)
            try:
                m.funds_from_wire(_good(reply))
            except m.ClientGone as error:
                gone = error.message
            else:
                return
            # A dialog in front of the window makes it look like one that is gone.
            if not await self._close_popup(used, Priority.LOGIN):
                break
        for path in ("/position", "/today-entrusts"):
            reply = await self._wire.call("GET", path, session_id=used, priority=Priority.LOGIN)
            if isinstance(reply.data, list) and reply.data:
                return
        raise OutcomeUnknown(f"the client behind the session does not answer: {gone}")

    async def _close_popup(self, session_id: str, priority: Priority) -> bool:
        if not self.popups_offered:
            return False
        try:
            reply = await self._wire.call("GET", "/check-pop-dialog", session_id=session_id, priority=priority)
            is_open = m.has_popup(_good(reply))
            if is_open:
                closing = self._wire.call(
                    "POST", "/close-pop-dialog", session_id=session_id, priority=priority, once=True
                )
                _good(await closing)
        except NotOffered:
            self.popups_offered = False
            return False
        return is_open

    def _adopted(self, reply: Reply) -> Reply:
        if not self.session.adopt(_good(reply), []):
            raise OutcomeUnknown(f"{reply.request}: done, as it says, but without a session")
        self.session.is_open = True
        return reply


def _good(reply: Reply) -> Reply:
    """Raises: Refused, OutcomeUnknown: the code says that it did not work."""
    if reply.code != 200:
        raise reply.failure()
    return reply
