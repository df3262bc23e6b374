"""Who we are at the server: its automatic login, a connected client, or a login of our own (contracts/ht.md 2, 5).

The automatic login's session needs no id and is never renewed once it is over. ``exit`` ends the client for everybody:
it is never called as a logout.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from engine import traps
from engine.clock import Clock
from engine.domain.errors import BadMessage, ConfigError, NotSent, OutcomeUnknown, Refused
from engine.domain.timestamps import MINUTE_NS
from engine.gateways.huatai.credentials import Credentials
from engine.gateways.huatai.texts import LOGIN_REFUSED, explained
from engine.gateways.huatai.wire import Limit, NotOffered, Reply, SessionLost, Wire
from engine.net.rate_limit import Priority
from engine.net.rest import encode

LOGIN_AGAIN_NS = 2 * MINUTE_NS
"""From one login that brought nothing to the next: it starts a program on the server's machine each time."""

Note = Callable[[str, Mapping[str, Any]], None]


class Session:
    """Opened when a call needs it. ``prove`` raises where the client behind it is not alive.

    Args:
        where: the gateway's name, for errors.
        names: how the settings call the variables of the credentials, for errors.
    """

    def __init__(
        self, wire: Wire, clock: Clock, credentials: Credentials, where: str, names: tuple[str, str, str], note: Note
    ) -> None:
        self.prove: Callable[[], Awaitable[None]] = _nothing_to_prove
        self.is_open = False
        self.id = ""
        """Empty: calls go without one."""
        self._wire = wire
        self._clock = clock
        self.credentials = credentials
        self._where = where
        self._names = names
        self._note = note
        self._lock = anyio.Lock()
        self._password_refused = ""
        self._login_from_ns = 0
        self._status_offered = True
        self._tried_login = False

    def lost(self) -> None:
        """The server does not know it any more, or its client is gone: the next call opens it anew."""
        self.is_open = False

    async def open(self) -> None:
        """Make sure that there is a session.

        Raises:
            ConfigError: no credentials, or they were refused. GatewayError: no way in, for now.
        """
        async with self._lock:
            if not self.is_open:
                await self._open()

    async def keep(self) -> None:
        """Renew it: session-status, or where that is not offered check-pop-dialog; neither touches the client.

        Raises:
            GatewayError: it could not be renewed; SessionLost says that it is over.
        """
        if self._status_offered:
            try:
                await self._wire.call("GET", "/session-status", session_id=self.id, priority=Priority.BACKGROUND)
            except NotOffered:
                self._status_offered = False
            else:
                return
        try:
            await self._wire.call("GET", "/check-pop-dialog", session_id=self.id, priority=Priority.BACKGROUND)
        except NotOffered:
            # A missing route is told only after the session check, which renews it.
            return

    # --- the ways in, in the order of contract 5.1 -------------------------------------------------------------------

    async def _open(self) -> None:
        reasons: list[str] = []
        self._tried_login = False
        for way_in in (self._by_automatic_login, self._by_connecting, self._by_login, self._by_connecting_again):
            try:
                if not await way_in(reasons):
                    continue
                await self.prove()
            except NotSent:
                raise
            except (Refused, OutcomeUnknown, BadMessage) as error:
                reasons.append(error.message)
                continue
            traps.passed("C21")
            self.is_open = True
            self._note("session.open", {"gateway": self._where, "by": way_in.__name__.strip("_")})
            return
        if self._password_refused:
            raise ConfigError(f"gateway {self._where}: {self._password_refused}")
        why = "; ".join(dict.fromkeys(reasons))
        if not self.credentials.given:
            user, password, comm_password = self._names
            raise ConfigError(
                f"gateway {self._where}: no client is logged in ({why}), and there are no credentials; "
                f"set {user}, {password} and {comm_password}, or credentials_file"
            )
        raise OutcomeUnknown(f"gateway {self._where}: not logged in: {why}")

    async def _by_automatic_login(self, reasons: list[str]) -> bool:
        try:
            reply = await self._wire.call("GET", "/session-status", priority=Priority.LOGIN)
        except (SessionLost, NotOffered):
            return False
        self.id = ""
        return isinstance(reply.data, dict) and reply.data.get("is_logged_in") is True

    async def _by_connecting(self, reasons: list[str]) -> bool:
        """A client that runs and is logged in; no password is needed."""
        return self.adopt(await self.connect(), reasons)

    async def _by_connecting_again(self, reasons: list[str]) -> bool:
        """A login that timed out may have brought the client up, and lost only the id of its session (contract 4)."""
        return self._tried_login and await self._by_connecting(reasons)

    async def _by_login(self, reasons: list[str]) -> bool:
        if not self.credentials.given or self._password_refused or self._clock.now_ns < self._login_from_ns:
            return False
        # Set first: one that was cut off counts as well.
        self._tried_login = True
        self._login_from_ns = self._clock.now_ns + LOGIN_AGAIN_NS
        reply = await self.login(self.credentials)
        if reply.code == 401 or LOGIN_REFUSED in reply.words or reply.message.startswith("缺少必填参数"):
            # Not tried again by ourselves: brokers lock accounts after a few.
            self._password_refused = f"login refused: {explained(reply.words)}"
            reasons.append(self._password_refused)
            return False
        return self.adopt(reply, reasons)

    async def connect(self, exe_path: str = "") -> Reply:
        """POST connect; a body is required, even an empty one."""
        path = exe_path or self.credentials.exe_path
        body = encode({"exe_path": path} if path else {})
        return await self._wire.call("POST", "/connect", body=body, priority=Priority.LOGIN)

    async def login(self, given: Credentials) -> Reply:
        """POST login: up to four minutes (contract 4)."""
        fields = {"user": given.user, "password": given.password, "comm_password": given.comm_password}
        if given.exe_path:
            fields["exe_path"] = given.exe_path
        body = encode(fields)
        return await self._wire.call("POST", "/login", body=body, limit=Limit.LOGIN, priority=Priority.LOGIN)

    def adopt(self, reply: Reply, reasons: list[str]) -> bool:
        """Take over the session that a connect or login made; False, and a reason, if it made none."""
        made = reply.data.get("session_id") if isinstance(reply.data, dict) else None
        if reply.code != 200 or not isinstance(made, str) or not made:
            reasons.append(reply.failure().message)
            return False
        self.id = made
        return True


async def ready(session: Session) -> None:
    """As ``Session.open`` once the gateway was connected: credentials that fail then are no reason to end a run.

    Raises:
        GatewayError: no way in.
    """
    try:
        await session.open()
    except ConfigError as error:
        raise Refused(str(error)) from error


async def _nothing_to_prove() -> None:
    """Until the client says how."""
