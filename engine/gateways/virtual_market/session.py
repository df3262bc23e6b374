"""The token: one login at a time, renewed before it ends, never in a log (contracts/virtual_market.md 3)."""

from collections.abc import Awaitable, Callable

import anyio

from engine import traps
from engine.clock import Clock
from engine.domain.errors import ConfigError, GatewayError, Refused
from engine.domain.timestamps import DAY_NS, MINUTE_NS
from engine.gateways.virtual_market.messages import Login, token_expiry_ns

RENEW_NS = DAY_NS
"""A token with less than this left is renewed."""
RETRY_NS = MINUTE_NS
"""After a failed renewal the old token is used on, and the next attempt waits this long."""
UNKNOWN_LIFE_NS = 14 * DAY_NS


class Session:
    """Gives out the header to call with.

    Args:
        login: asks the server for a token; None if there is no password, only a pasted ``token``.
    """

    def __init__(self, clock: Clock, login: Callable[[], Awaitable[Login]] | None, token: str = "") -> None:
        self._clock = clock
        self._login = login
        self._lock = anyio.Lock()
        self._token = ""
        self._headers: dict[str, str] = {}
        self._expiry_ns = 0
        self._retry_ns = 0
        if token:
            self._take(token)

    @property
    def configured(self) -> bool:
        return self._login is not None or bool(self._token)

    @property
    def expires_ns(self) -> int | None:
        """When the token ends, ns UTC; None before the first login."""
        return self._expiry_ns or None

    async def headers(self) -> dict[str, str]:
        """Headers with a token that is good now, ready-made while it is.

        Raises:
            Refused: the token is over and there is no password to get another, or the server refused the login.
            NotSent, OutcomeUnknown: the login failed on the way.
        """
        now = self._clock.now_ns
        if self._expiry_ns - now > RENEW_NS or (now < self._retry_ns and now < self._expiry_ns):
            return self._headers
        async with self._lock:
            if self._expiry_ns - self._clock.now_ns <= RENEW_NS:
                await self._renew()
        return self._headers

    async def replace(self, stale: dict[str, str]) -> None:
        """The server did not take these headers: log in once, unless somebody has meanwhile.

        Raises:
            Refused, NotSent, OutcomeUnknown: as ``headers``.
        """
        async with self._lock:
            if self._headers == stale or not self._headers:
                self._forget()
                await self._renew()

    def refused(self, stale: dict[str, str]) -> None:
        """As ``replace``, but the login waits for the next call that needs it."""
        if self._headers == stale:
            self._forget()

    def _forget(self) -> None:
        self._token, self._headers, self._expiry_ns, self._retry_ns = "", {}, 0, 0

    async def _renew(self) -> None:
        alive = self._expiry_ns > self._clock.now_ns
        if self._login is None:
            if alive:
                return
            raise Refused("login: the token is over or not taken, and no password is set to get another", status=401)
        try:
            answer = await self._login()
        except GatewayError:
            if not alive:
                raise
            self._retry_ns = self._clock.now_ns + RETRY_NS
        else:
            traps.passed("C21")
            self._take(answer.access_token)

    def _take(self, token: str) -> None:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigError("virtual market: the token holds characters no token has; paste it again, one line")
        self._token = token
        self._headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        self._expiry_ns = token_expiry_ns(token) or self._clock.now_ns + UNKNOWN_LIFE_NS
