"""The token: one login at a time, renewed before it ends and after a 401 (contract 5)."""

from collections.abc import Awaitable, Callable

import anyio

from engine.clock import Clock
from engine.domain.errors import ConfigError
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.gateways.amazingdata.messages import Login

EARLY_NS = 2 * MINUTE_NS
"""A token is renewed this long before its end, but never before half of its life."""


class Session:
    """Gives out headers to call with; ``login`` gets a new token."""

    def __init__(self, clock: Clock, login: Callable[[], Awaitable[Login]]) -> None:
        self._clock = clock
        self._login = login
        self._lock = anyio.Lock()
        self._headers: dict[str, str] = {}
        self._renew_ns = 0
        self._end_ns = 0
        self.logins = 0

    async def headers(self) -> dict[str, str]:
        """Headers with a token that is good by our clock.

        Raises:
            ConfigError: the server does not take our name and password. GatewayError: the login failed otherwise.
        """
        if self._clock.now_ns < self._renew_ns:
            return self._headers
        async with self._lock:
            if self._clock.now_ns >= self._renew_ns:
                await self._renew()
        return self._headers

    async def replace(self, stale: dict[str, str]) -> None:
        """The server did not take these headers: log in once, unless somebody has meanwhile.

        Raises:
            ConfigError, GatewayError: as ``headers``.
        """
        async with self._lock:
            if self._headers is stale or not self._headers:
                await self._renew()

    def expired(self) -> bool:
        """Whether the token is past its end by our clock."""
        return self._clock.now_ns >= self._end_ns

    async def _renew(self) -> None:
        asked_ns = self._clock.now_ns
        answer = await self._login()
        token = answer.access_token
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ConfigError("amazingdata: the server's token holds characters no token has; check base_url")
        self.logins += 1
        # A life that no token has, or none at all, is not believed.
        life_ns = max(round(min(answer.expires_in, LIFE_MAX_SECONDS) * SECOND_NS), SECOND_NS)
        # Counted from before the login, whose answer may have been slow: the server began to count no earlier.
        self._end_ns = asked_ns + life_ns
        self._renew_ns = asked_ns + max(life_ns - EARLY_NS, life_ns // 2)
        self._headers = {**PLAIN, "authorization": f"Bearer {token}"}


LIFE_MAX_SECONDS = 30 * 86_400
PLAIN = {"content-type": "application/json", "accept": "application/json"}
