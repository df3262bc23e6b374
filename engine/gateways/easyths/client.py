"""Every route of the server, paced and typed; and operations followed from submit to end (contracts/easyths.md 2, 4).

One call at a time, half a second apart; one operation at a time, under ``turn``. Queries are repeated where that is
safe; what changes something is sent once, over a connection of its own.
"""

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio

from engine.clock import Clock
from engine.domain.errors import BadMessage, GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.timestamps import SECOND_NS
from engine.gateways.easyths import messages as m
from engine.gateways.easyths.operations import NEWER_ONLY, body_of
from engine.net.rest import Answer, RestClient, decode

SPACING_NS = SECOND_NS // 2
"""Between the end of one call and the start of the next (contract 4)."""
POLL_NS = SECOND_NS // 2
RECHECK_NS = SECOND_NS
"""Before a second look, and after a 500 that may be the rate limiter's (contract 2.1, 2.2)."""
RESULT_SECONDS = "1"
GLANCE_SECONDS = "0.1"
"""``/result`` blocks the whole server while it waits, and without a time-out for ever: it is given hardly any."""
ATTEMPTS = 3
STRIKES_MAX = 2
"""So many 500 in a row may be the rate limiter's; then something else is asked (contract 2.1)."""
REAL_FLOOR_SECONDS = 1.0
"""A wait for our turn is never shorter than this on the machine's own clock, however fast ours runs."""

SYSTEM, QUEUE, OPERATIONS = "/api/v1/system", "/api/v1/queue", "/api/v1/operations"


class Generation(enum.StrEnum):
    OLDER = "older"
    """Before January 2026: results inside results, and no ``/status`` of a known operation."""
    NEWER = "newer"


class EasythsClient:
    """Calls to one server.

    Args:
        key: the server's API key; empty where it has none.
        deadline_ns: how long an operation may take from its submit on, its wait in the queue included.
    """

    def __init__(self, rest: RestClient, clock: Clock, *, key: str, deadline_ns: int) -> None:
        self._rest = rest
        self._clock = clock
        self._deadline_ns = deadline_ns
        self._wire = anyio.Lock()
        self._turn = anyio.Lock()
        self._free_ns = 0
        self._generation: Generation | None = None
        self.headers = {"accept": "application/json", "accept-encoding": "identity"}
        if key:
            self.headers["authorization"] = f"Bearer {key}"
        self._json = {**self.headers, "content-type": "application/json"}

    # --- system ----------------------------------------------------------------------------------------------------

    async def health(self) -> m.Health:
        """Raises: GatewayError."""
        return m.data_from_wire(await self._read("GET", f"{SYSTEM}/health"), m.Health)

    async def generation(self) -> Generation:
        """Asked once: only the newer generation has market orders (contract 2).

        Raises:
            GatewayError: the list of operations could not be read.
        """
        if self._generation is None:
            # Without its last slash this path is not found.
            answer = await self._read("GET", f"{OPERATIONS}/")
            listed = m.data_from_wire(answer, m.OperationList).operations
            if "buy" not in listed:
                raise BadMessage(f"{answer.request}: lists no operation 'buy'", body=answer.body)
            newer = all(name in listed for name in NEWER_ONLY)
            self._generation = Generation.NEWER if newer else Generation.OLDER
        return self._generation

    @property
    def is_newer(self) -> bool:
        """As far as is known."""
        return self._generation is not Generation.OLDER

    def is_older_after_all(self) -> None:
        """A result came in the older form."""
        self._generation = Generation.OLDER

    async def plain(self, method: str, path: str, params: Mapping[str, str] | None = None, body: bytes = b"") -> Any:
        """What one route says, as it says it.

        Raises:
            GatewayError: it does not, or not with success.
        """
        answer = await self._read(method, path, params=params, body=body)
        if answer.status != 200:
            raise m.failure_from_wire(answer)
        said = decode(answer, dict[str, Any])
        return said["data"] if said.get("success") is True and said.get("data") is not None else said

    # --- operations --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def turn(self, wait_max_ns: int | None = None) -> AsyncIterator[None]:
        """Our one place in the server's queue: whoever holds it may ``perform``.

        Raises:
            NotSent: it did not come within ``wait_max_ns``.
        """
        if wait_max_ns is None:
            await self._turn.acquire()
        else:
            got = False
            with anyio.move_on_after(max(self._clock.real_seconds(wait_max_ns), REAL_FLOOR_SECONDS)):
                await self._turn.acquire()
                got = True
            if not got:
                raise NotSent("other operations kept the server busy, and this one was not sent")
        try:
            yield
        finally:
            self._turn.release()

    async def operate(self, name: str, given: Mapping[str, Any], *, changes: bool = False) -> m.Finished:
        """One operation in a turn of its own.

        Raises:
            ConfigError: the server would not take it. GatewayError: as ``perform``.
        """
        newer = True
        if name in NEWER_ONLY or str(given.get("stock_code", "")).startswith(("1", "5")):
            newer = await self.generation() is Generation.NEWER
        body = body_of(name, given, newer=newer)
        async with self.turn():
            return await self.perform(name, body, changes=changes)

    async def query(self, name: str, given: Mapping[str, Any] | None = None) -> m.Finished:
        """A reading operation, by whoever holds the turn.

        Raises:
            Refused: it says itself that it failed. GatewayError: as ``perform``.
        """
        finished = await self.perform(name, body_of(name, given or {}), changes=False)
        if not finished.success:
            raise Refused(f"{name}: {finished.message or 'failed without a word'}")
        return finished

    async def perform(self, name: str, body: bytes, *, changes: bool) -> m.Finished:
        """Submit and follow to the end; whoever calls holds the turn.

        Args:
            changes: sent once and never again; a query may be repeated.

        Raises:
            NotSent: no byte left. Refused: provably not done. OutcomeUnknown: anything else.
        """
        began = self._clock.now_ns
        submitted = await self.submit(name, body, changes=changes)
        following = Following(self, self._clock, name, submitted.operation_id, began + self._deadline_ns)
        return await following.to_the_end()

    async def submit(self, name: str, body: bytes, *, changes: bool) -> m.Submitted:
        """Put one operation in the server's queue.

        Raises:
            NotSent, Refused, OutcomeUnknown: as ``perform``.
        """
        path = f"{OPERATIONS}/{name}"
        if changes:
            answer = await self._paced(lambda: self._rest.order("POST", path, self._json, body))
        else:
            answer = await self._read("POST", path, body=body)
        return m.submitted_from_wire(answer)

    async def glance(self, operation_id: str, seconds: str = GLANCE_SECONDS) -> Answer:
        """``/result``, with the time-out that it never goes without.

        Raises:
            NotSent, OutcomeUnknown: on the way.
        """
        return await self.once("GET", f"{OPERATIONS}/{operation_id}/result", params={"timeout": seconds})

    async def once(self, method: str, path: str, params: Mapping[str, str] | None = None) -> Answer:
        """One call, not repeated.

        Raises:
            NotSent, OutcomeUnknown: on the way.
        """
        return await self._paced(lambda: self._rest.read(method, path, self.headers, params=params))

    async def close(self) -> None:
        await self._rest.close()

    async def _read(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """One call that may be repeated: where it failed on the way, or where the rate limiter may have answered."""
        headers = self._json if body else self.headers
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                answer = await self._paced(lambda: self._rest.read(method, path, headers, params=params, body=body))
            except (NotSent, OutcomeUnknown):
                if last:
                    raise
            else:
                if last or not m.may_be_throttle(answer):
                    return answer
            await self._clock.sleep(RECHECK_NS)
        raise AssertionError("unreachable")

    async def _paced(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        async with self._wire:
            wait_ns = self._free_ns - self._clock.now_ns
            if wait_ns > 0:
                await self._clock.sleep(wait_ns)
            try:
                return await send()
            finally:
                self._free_ns = self._clock.now_ns + SPACING_NS


class Following:
    """One submitted operation, watched until it ends or its time is up."""

    def __init__(self, client: EasythsClient, clock: Clock, name: str, operation_id: str, deadline_ns: int) -> None:
        self._client = client
        self._clock = clock
        self._name = name
        self._id = operation_id
        self._deadline_ns = deadline_ns
        self._strikes = 0
        self._seen = "queued"

    async def to_the_end(self) -> m.Finished:
        """Raises: Refused: withdrawn before it ran. OutcomeUnknown: what became of it can not be said."""
        try:
            while self._clock.now_ns < self._deadline_ns:
                await self._clock.sleep(POLL_NS)
                finished = await self._look()
                if finished is not None and finished.is_canceled:
                    finished = await self._look_again()
                if finished is not None:
                    return finished
            return await self._withdraw()
        except (NotSent, BadMessage) as error:
            raise OutcomeUnknown(f"{self._name}: submitted, but {error}") from error

    async def _look(self) -> m.Finished | None:
        """One look; None: not ended, or not to be seen this time.

        Raises:
            OutcomeUnknown: it never will be.
        """
        try:
            answer = await (self._status() if self._client.is_newer else self._client.glance(self._id))
        except (NotSent, OutcomeUnknown):
            return None
        if not self._client.is_newer:
            return await self._from_result(answer)
        if answer.status == 404:
            raise OutcomeUnknown(f"{self._name}: the server does not know it any more; it was started anew")
        if m.may_be_throttle(answer):
            return await self._after_500()
        if answer.status != 200:
            return None
        self._strikes = 0
        return self._from_status(m.data_from_wire(answer, m.Status))

    async def _status(self) -> Answer:
        return await self._client.once("GET", f"{OPERATIONS}/{self._id}/status")

    def _from_status(self, said: m.Status) -> m.Finished | None:
        self._seen = said.status
        if said.status in m.WAITING_WORDS:
            return None
        if said.status not in m.DONE_WORDS and said.status != m.FAILED_WORD:
            raise OutcomeUnknown(f"{self._name}: a status nobody knows: {said.status[:40]!r}")
        if said.result is not None:
            finished = m.finished_from_result(said.result)
            failed = said.status == m.FAILED_WORD
            return m.Finished(success=False, data=finished.data, message=finished.message) if failed else finished
        if said.status == m.FAILED_WORD and said.error:
            return m.Finished(success=False, data=None, message=said.error)
        # The word is set a moment before the result.
        return None

    async def _after_500(self) -> m.Finished | None:
        """The rate limiter, the older generation, or a result that can not be written down (contract 2.1)."""
        self._strikes += 1
        if self._strikes < STRIKES_MAX:
            await self._clock.sleep(RECHECK_NS)
            return None
        try:
            answer = await self._client.glance(self._id, RESULT_SECONDS)
        except (NotSent, OutcomeUnknown):
            return None
        return await self._from_result(answer)

    async def _from_result(self, answer: Answer) -> m.Finished | None:
        if answer.status == 200:
            finished, older = m.result_from_wire(answer)
            if older:
                self._client.is_older_after_all()
            return finished
        if not m.may_be_throttle(answer):
            self._strikes = 0
            return None
        self._strikes += 1
        if self._strikes > STRIKES_MAX:
            raise OutcomeUnknown(f"{self._name}: ended with a result that can not be read")
        await self._clock.sleep(RECHECK_NS)
        return None

    async def _look_again(self) -> m.Finished | None:
        """A cancelled operation may have been taken from the queue at the last moment: once more, a second later.

        Raises:
            Refused: it stays cancelled.
        """
        await self._clock.sleep(RECHECK_NS)
        finished = await self._look()
        if finished is not None and finished.is_canceled:
            raise Refused(f"{self._name}: {finished.message}: withdrawn from the queue before it ran")
        return finished

    async def _withdraw(self) -> m.Finished:
        """Its time is up: out of the queue with it, if it is still there.

        Raises:
            Refused: it never ran. OutcomeUnknown: it runs, or may have.
        """
        taken = ""
        try:
            answer = await self._client.once("DELETE", f"{OPERATIONS}/{self._id}")
            taken = "" if answer.status == 200 else "; it can not be withdrawn any more"
        except GatewayError as error:
            taken = f"; its withdrawal had no answer: {error.message}"
        finished = await self._look_again()
        if finished is None:
            raise OutcomeUnknown(f"{self._name}: still {self._seen} when its time was up{taken}")
        return finished


__all__ = ["OPERATIONS", "QUEUE", "SYSTEM", "EasythsClient", "Generation"]
