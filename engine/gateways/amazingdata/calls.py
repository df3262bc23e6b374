"""One call to AmazingData: token, call budget, repeats where they are safe, envelope, errors (contract 1 and 5)."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import anyio

from engine.clock import Clock
from engine.domain.errors import ConfigError, NotSent, OutcomeUnknown, Refused
from engine.gateways.amazingdata.messages import (
    Envelope,
    Login,
    data_from_wire,
    envelope_from_wire,
    status_of,
    words_of,
)
from engine.gateways.amazingdata.session import PLAIN, Session
from engine.net.backoff import Backoff
from engine.net.rate_limit import Budget, Priority
from engine.net.rest import Answer, RestClient, encode

T = TypeVar("T")
TRIES = 3
CALL = "call"
"""The budget's one class of call."""
_PASSING = frozenset({408, 429, 502, 503, 504})


class Calls:
    """Calls within a budget and a cap on calls in flight.

    Args:
        rest: for answers that come soon.
        slow: the same server with the long deadline of calls that work before they answer.
        backoff: makes the waits of one call's repeats: about 0.5, 1, 2 s.
        user, password: for the login; empty: every call says which variables to set.
        secrets: names of those variables, for that sentence.
    """

    def __init__(
        self,
        rest: RestClient,
        slow: RestClient,
        budget: Budget,
        clock: Clock,
        backoff: Callable[[], Backoff],
        *,
        user: str,
        password: str,
        secrets: str = "",
        in_flight: int = 2,
    ) -> None:
        self._rest = rest
        self._slow = slow
        self._budget = budget
        self._clock = clock
        self._backoff = backoff
        self._user = user
        self._password = password
        self._secrets = secrets
        self._room = anyio.Semaphore(in_flight)
        self.session = Session(clock, self.login)

    async def login(self, user: str = "", password: str = "") -> Login:
        """POST /auth/login.

        Raises:
            ConfigError: no name or password, or not the server's. GatewayError: it failed otherwise.
        """
        name, word = user or self._user, password or self._password
        if not name or not word:
            raise ConfigError(f"amazingdata: no user and password to log in with; set {self._secrets}")
        body = encode({"username": name, "password": word})
        answer, envelope = await self._repeated("POST", "/auth/login", None, body, headers=PLAIN)
        try:
            return finished(answer, envelope, Login)
        except Refused as refused:
            if refused.status in (401, 403):
                raise ConfigError(
                    f"amazingdata: not logged in: {refused.message}; check {self._secrets or 'user and password'}"
                ) from refused
            raise

    async def read(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        params: Mapping[str, str | int] | None = None,
        body: Any = None,
        priority: Priority = Priority.READ,
        passing: frozenset[int] = _PASSING | {500},
    ) -> T:
        """A call that changes nothing, repeated on faults of the way and on the statuses in ``passing``.

        Raises:
            Refused, OutcomeUnknown, NotSent, BadMessage, ConfigError
        """
        sent = b"" if body is None else encode(body)
        for last in (False, True):
            headers = await self.session.headers()
            answer, envelope = await self._repeated(
                method, path, params, sent, headers=headers, priority=priority, passing=passing
            )
            if last or not self._unauthorised(status_of(answer, envelope)):
                return finished(answer, envelope, kind)
            await self.session.replace(headers)
        raise AssertionError("unreachable")

    async def start(self, path: str, kind: type[T], *, body: Any = None) -> T:
        """A POST that changes something: sent once, save where a 401 proves that nothing was done.

        Raises:
            Refused, OutcomeUnknown, NotSent, BadMessage, ConfigError
        """
        sent = b"" if body is None else encode(body)
        for last in (False, True):
            headers = await self.session.headers()
            async with self._room:
                ticket = await self._budget.acquire(CALL, Priority.READ)
                try:
                    answer = await self._slow.order("POST", path, headers, sent)
                finally:
                    self._budget.release(ticket)
            envelope = envelope_from_wire(answer)
            if last or not self._unauthorised(status_of(answer, envelope)):
                return finished(answer, envelope, kind)
            await self.session.replace(headers)
        raise AssertionError("unreachable")

    async def close(self) -> None:
        await self._rest.close()
        await self._slow.close()

    def _unauthorised(self, status: int) -> bool:
        # Some versions of the server's framework say 403 where no good token came.
        return status == 401 or (status == 403 and self.session.expired())

    async def _repeated(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: bytes,
        *,
        headers: Mapping[str, str],
        priority: Priority = Priority.READ,
        passing: frozenset[int] = _PASSING,
    ) -> tuple[Answer, Envelope]:
        backoff = self._backoff()
        for left in reversed(range(TRIES)):
            try:
                async with self._room:
                    answer = await self._once(method, path, params, body, headers, priority)
            except (NotSent, OutcomeUnknown):
                if not left:
                    raise
            else:
                envelope = envelope_from_wire(answer)
                if not left or status_of(answer, envelope) not in passing:
                    return answer, envelope
            await self._clock.sleep(backoff.next_ns())
        raise AssertionError("unreachable")

    async def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: bytes,
        headers: Mapping[str, str],
        priority: Priority,
    ) -> Answer:
        ticket = await self._budget.acquire(CALL, priority)
        try:
            return await self._rest.read(method, path, headers, params=params, body=body)
        finally:
            self._budget.release(ticket)


def finished(answer: Answer, envelope: Envelope, kind: type[T]) -> T:
    """The payload of a good answer.

    Raises:
        Refused: 4xx, by status or by code. OutcomeUnknown: 5xx. BadMessage: good, and unreadable.
    """
    status = status_of(answer, envelope)
    if 200 <= status < 300:
        return data_from_wire(answer, envelope, kind)
    text = f"{answer.request}: {status}: {words_of(envelope)}"
    if 400 <= status < 500 and status != 408:
        retry_after_ns = answer.retry_after_ns(0) if answer.status == 429 else None
        raise Refused(text, status=status, body=answer.body, retry_after_ns=retry_after_ns)
    raise OutcomeUnknown(text, status=status, body=answer.body)
