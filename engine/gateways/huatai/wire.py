"""One call on the wire: its turn, its limit, its envelope. HTTP says 200 to nearly everything (contracts/ht.md 1).

The session id travels in the query, so nothing here, and no error from here, holds a URL.
"""

import enum
import logging
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import httpx
import msgspec
from msgspec import Struct

from engine.clock import Clock
from engine.domain.errors import BadMessage, OutcomeUnknown, Refused
from engine.gateways.huatai.texts import explained, says_session_lost
from engine.gateways.huatai.turns import Turns
from engine.net.rate_limit import Priority
from engine.net.rest import Answer, RestClient

PREFIX = "/api/trader"


class Limit(enum.Enum):
    """How long a call may take (contract 4)."""

    COMMON = "common"
    SLOW = "slow"
    """Cancels and subscriptions."""
    LOGIN = "login"


class SessionLost(Refused):
    """The session check refused the call: nothing was done (contract 2)."""


class NotOffered(Refused):
    """This server has no such route: the manual and the automatic one have different ones (contract 3)."""


class Envelope(Struct, frozen=True):
    code: int
    message: str | None = None
    data: Any = None


class Reply(Struct, frozen=True, kw_only=True):
    """One envelope as it came; ``code`` alone says little (contract 3.1, 3.2)."""

    code: int
    message: str
    data: Any
    request: str
    """Method and path."""
    status: int
    began_ns: int
    """When it was this call's turn: what it says is no older."""

    @property
    def words(self) -> str:
        """Every word in it, one line: the envelope's message and that of the data, where they differ."""
        said = [self.message]
        if isinstance(self.data, dict) and isinstance(inner := self.data.get("message"), str):
            said.append(inner)
        return " ".join(" ".join(dict.fromkeys(filter(None, said))).split())

    def failure(self) -> Refused | OutcomeUnknown:
        """As an error: 4xx was not done, anything else may have been."""
        text = f"{self.request}: code {self.code}: {explained(self.words)}"
        return (Refused if 400 <= self.code < 500 else OutcomeUnknown)(text, status=self.code)


class WithoutQueries(logging.Filter):
    """httpx logs every URL it asks; the query of ours is a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


logging.getLogger("httpx").addFilter(WithoutQueries())


class Wire:
    """Calls to one server, one after another.

    Args:
        clients: one for each limit, all to the same server.
        hide: takes our secrets out of a text of the server's.
    """

    def __init__(
        self, clients: Mapping[Limit, RestClient], turns: Turns, clock: Clock, hide: Callable[[str], str]
    ) -> None:
        self.accepted_ns = 0
        """When the session check last let a call pass: any such call renews the session."""
        self._clients = clients
        self._turns = turns
        self._clock = clock
        self._hide = hide

    async def call(
        self,
        method: str,
        path: str,
        *,
        session_id: str = "",
        body: bytes | None = None,
        limit: Limit = Limit.COMMON,
        priority: Priority = Priority.READ,
        once: bool = False,
        wait_max_ns: int | None = None,
    ) -> Reply:
        """Send one request when it is its turn.

        Args:
            session_id: empty for none: the automatic login's session then counts.
            once: it does something: it runs to its end even if the caller is cancelled.
            wait_max_ns: how long to wait for the turn.

        Raises:
            NotSent: no byte left. SessionLost, NotOffered: nothing was done. BadMessage: no envelope came.
            OutcomeUnknown: no answer, or one that is neither.
        """
        # A connection of its own each time: failing to connect then proves that nothing left.
        headers = {"accept": "application/json", "accept-encoding": "identity", "connection": "close"}
        if body is not None:
            headers["content-type"] = "application/json"
        async with self._turns.turn(priority, wait_max_ns):
            began_ns = self._clock.now_ns
            with anyio.CancelScope(shield=once):
                answer = await self._clients[limit].read(
                    method,
                    PREFIX + path,
                    headers,
                    params={"session_id": session_id} if session_id else None,
                    body=body or b"",
                )
        return self._read(answer, f"{method} {path}", began_ns)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()

    def _read(self, answer: Answer, request: str, began_ns: int) -> Reply:
        envelope = _envelope_of(answer)
        words = self._hide(envelope.message or "") if envelope is not None else ""
        # A login that is refused has no session to lose, whatever status its answer has.
        lost = envelope is not None and envelope.code == 401 and says_session_lost(words)
        lost = lost or (answer.status == 401 and not request.endswith("/login"))
        if lost:
            raise SessionLost(f"{request}: {explained(words)}", status=401)
        if envelope is None and answer.status in (404, 405):
            self.accepted_ns = self._clock.now_ns
            raise NotOffered(f"{request}: this server does not offer it", status=answer.status)
        if envelope is None and answer.status == 200:
            raise BadMessage(f"{request}: can not be read: no envelope of code, message and data", status=200)
        if envelope is None:
            raise OutcomeUnknown(f"{request}: HTTP {answer.status} without an envelope", status=answer.status)
        self.accepted_ns = self._clock.now_ns
        return Reply(
            code=envelope.code,
            message=words,
            data=envelope.data,
            request=request,
            status=answer.status,
            began_ns=began_ns,
        )


def _envelope_of(answer: Answer) -> Envelope | None:
    try:
        return msgspec.json.decode(answer.body, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
