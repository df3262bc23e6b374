"""Typed calls of the gateway's routes: paced, authorised, once each; failures as our errors."""

from typing import Any, TypeVar

import msgspec

from engine.clock import Clock
from engine.domain.errors import BadMessage, OutcomeUnknown, Refused
from engine.gateways.futu import quote_messages as q
from engine.gateways.futu import routes as r
from engine.gateways.futu import texts, wire
from engine.gateways.futu.pacing import PacingTable
from engine.net.backoff import Backoff
from engine.net.rate_limit import Priority
from engine.net.rest import Answer, RestClient, encode

Q = TypeVar("Q", bound=q.Ask)
A = TypeVar("A")

PAGES_MAX = 10_000
EMPTY_PAGES_MAX = 2
PAGE_BARS = 1000


class FutuClient:
    """Calls to one gateway.

    Args:
        token: the key's secret; empty for a gateway without a keys file, which takes no writes (contract 7.1).
    """

    def __init__(self, rest: RestClient, pacing: PacingTable, clock: Clock, backoff: Backoff, token: str = "") -> None:
        self._rest = rest
        self._pacing = pacing
        self._clock = clock
        self._backoff = backoff
        self.headers = {"accept": "application/json", "accept-encoding": "identity"}
        if token:
            self.headers["authorization"] = f"Bearer {token}"
        self._json = {**self.headers, "content-type": "application/json"}

    async def ask(
        self,
        route: r.Route[Q, A],
        question: Q,
        *,
        priority: Priority = Priority.READ,
        pace: str | None = None,
        wait_max_ns: int | None = None,
    ) -> A:
        """One call that may be repeated: reads, subscriptions. A read that failed on the way is asked once more.

        Raises:
            NotSent, Refused, OutcomeUnknown, BadMessage
        """
        pace = pace if pace is not None else _pace_of(route, question)
        body = body_of(route, question)
        for last in (False, True):
            try:
                async with self._pacing.call(pace, priority, wait_max_ns):
                    answer = await self._rest.read(
                        route.method, route.path, self._json if body else self.headers, body=body
                    )
            except OutcomeUnknown:
                if last:
                    raise
                await self._clock.sleep(self._backoff.next_ns())
                continue
            self._backoff.reset()
            return self._read(answer, route, pace)
        raise AssertionError("unreachable")

    async def write(
        self,
        route: r.Route[Any, A],
        body: bytes,
        *,
        key: str = "",
        priority: Priority = Priority.ORDER,
        wait_max_ns: int | None = None,
    ) -> A:
        """One call that is sent once and never again, with exactly this body.

        Args:
            key: the Idempotency-Key.

        Raises:
            NotSent: no byte left. Refused: provably not done. OutcomeUnknown: anything else.
        """
        headers = {**self._json, "idempotency-key": key} if key else self._json
        async with self._pacing.call(route.pace, priority, wait_max_ns):
            answer = await self._rest.order(route.method, route.path, headers, body)
        try:
            return self._read(answer, route, route.pace)
        except BadMessage as error:
            raise OutcomeUnknown(error.message, status=answer.status, body=answer.body) from error

    async def text(self, name: str) -> str:
        """``health`` or ``metrics``.

        Raises:
            NotSent, OutcomeUnknown: not reachable. Refused: the gateway lost its backend, or wants a key.
        """
        path = r.TEXT_ROUTES[name]
        async with self._pacing.call("", Priority.READ):
            answer = await self._rest.read("GET", path, {**self.headers, "accept": "*/*"})
        if answer.status == 200:
            return answer.body.decode("utf-8", "replace")
        words = f"{answer.request}: HTTP {answer.status}: {wire.failure_words(answer)}"
        raise Refused(words, status=answer.status, body=answer.body)

    async def history(self, question: q.HistoryKlineAsk) -> list[q.KLine]:
        """Every page of one question (contract 9).

        Raises:
            BadMessage: the paging goes round in a circle. NotSent, Refused, OutcomeUnknown: a page failed.
        """
        found: list[q.KLine] = []
        seen: set[tuple[int, ...]] = set()
        empty = 0
        pace = "history_first"
        for _ in range(PAGES_MAX):
            page = await self.ask(r.HISTORY_KLINE, question, priority=Priority.BACKGROUND, pace=pace)
            rows = page.kl_list or []
            found.extend(rows)
            key = page.next_req_key
            if not key:
                return found
            empty = 0 if rows else empty + 1
            if tuple(key) in seen or empty > EMPTY_PAGES_MAX:
                raise BadMessage(f"{r.HISTORY_KLINE.path}: its pages go round in a circle after {len(found)} bars")
            seen.add(tuple(key))
            question = msgspec.structs.replace(question, next_req_key=key)
            pace = "history_next"
        raise BadMessage(f"{r.HISTORY_KLINE.path}: more than {PAGES_MAX} pages")

    async def close(self) -> None:
        await self._rest.close()

    def _read(self, answer: Answer, route: r.Route[Any, A], pace: str) -> A:
        try:
            return wire.answer_from_wire(answer, route.answer, self._clock.now_ns)
        except Refused as refused:
            wait = refused.retry_after_ns
            if wait is not None and (refused.status == 429 or texts.frequency_wait_ns(refused.message)):
                self._pacing.refused(pace, wait)
            raise


def body_of(route: r.Route[Any, Any], question: q.Ask) -> bytes:
    """The exact bytes of a question; empty for GET."""
    if route.method == "GET":
        return b""
    plain = msgspec.to_builtins(question)
    return encode({"c2s": plain} if route.wrapped else plain)


def _pace_of(route: r.Route[Any, Any], question: q.Ask) -> str:
    if route.refresh and not getattr(question, "refresh_cache", None):
        return ""
    return route.pace
