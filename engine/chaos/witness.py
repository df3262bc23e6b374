"""The witness stands before the simulated venue, and looks each trade request up in the journal's file as it arrives.

It sees what has crossed the wire and what is durable at that moment, nothing of the engine's memory. So it can say: no
order without a durable intent and send marker (I4), none sent twice (I5), none while a latch holds (I8), no more in a
minute than allowed (I6). The venue knows no client ids: what a request belongs to is the newest durable send marker
with the hash of exactly its body.
"""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.domain.commands import SubmitOrder
from engine.domain.events import JournalRecord, KillLevel, LatchCleared, LatchSet, OrderSent, OrderSubmitted
from engine.domain.ids import ClientOrderId
from engine.domain.timestamps import MINUTE_NS
from engine.journal import store
from engine.journal.chain import DECODER

TRADES = "/api/v1/trade/"
_SEALED = """SELECT seq, body FROM record WHERE seq > ?
    AND seq <= (SELECT max(seq) FROM record WHERE chain IS NOT NULL) ORDER BY seq"""
"""Rows without a seal after them are a torn tail: the next life cuts them."""


class Marker:
    """One send marker of the journal; ``requests`` are the running numbers of the requests that carried it."""

    __slots__ = ("latched", "order", "request_hash", "requests", "sent", "seq")

    def __init__(self, seq: int, sent: OrderSent, order: SubmitOrder | None, latched: str) -> None:
        self.seq = seq
        self.sent = sent
        self.request_hash = sent.request_hash
        self.order = order
        self.latched = latched
        self.requests: list[int] = []


class JournalFile:
    """The durable part of a journal, read bit by bit by somebody else than its writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read = 0
        self.orders: dict[ClientOrderId, SubmitOrder] = {}
        self.markers: list[Marker] = []
        self.latched = ""
        """The latch on everything that holds, and who set it; empty: none."""

    def catch_up(self) -> None:
        """Read what became durable since."""
        if not self._path.exists():
            return
        with contextlib.closing(store.reader(self._path)) as db:
            rows = db.execute(_SEALED, (self.read,)).fetchall()
        for seq, body in rows:
            self.read = seq
            self._take(seq, DECODER.decode(body))

    def _take(self, seq: int, record: JournalRecord) -> None:
        match record:
            case OrderSubmitted():
                self.orders[record.client_id] = record.order
            case OrderSent():
                self.markers.append(Marker(seq, record, self.orders.get(record.client_id), self.latched))
            case LatchSet() if record.scope == "all" and record.level >= KillLevel.HALT:
                self.latched = f"{record.scope} by {record.who}"
            case LatchCleared() if record.scope == "all":
                self.latched = ""


class Witness:
    """ASGI layer around the venue's app.

    Args:
        file: the engine's journal.
        now_ns: the time.
        accuse: told of everything that breaks a promise.
        per_minute: how many trade requests may arrive in any 60 s.
        carries_order: whether a request to this path is an order.
        in_turn: the venue takes one order at a time, so none comes after its successor.
    """

    def __init__(
        self,
        app: ASGIApp,
        file: JournalFile,
        now_ns: Callable[[], int],
        accuse: Callable[[str], None],
        per_minute: int,
        *,
        carries_order: Callable[[str], bool] = lambda path: path.startswith(TRADES),
        in_turn: bool = True,
    ) -> None:
        self._carries_order = carries_order
        self._in_turn = in_turn
        self._app = app
        self._file = file
        self._now_ns = now_ns
        self._accuse = accuse
        self._per_minute = per_minute
        self._arrivals: list[int] = []
        self.requests = 0
        """Trade requests that arrived whole."""
        self.owners: dict[int, tuple[SubmitOrder, ...]] = {}
        """Running number of a trade request -> the orders it carried; empty: nobody's."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._carries_order(scope["path"]):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        whole = False

        async def listen() -> Message:
            nonlocal whole
            message = await receive()
            if message["type"] == "http.request" and not whole:
                body.extend(message.get("body", b""))
                if not message.get("more_body", False):
                    whole = True
                    self._testify(int(scope["state"]["request"]), scope["path"], bytes(body))
            return message

        await self._app(scope, listen, send)

    def _testify(self, request: int, path: str, body: bytes) -> None:
        now_ns = self._now_ns()
        self.requests += 1
        self._file.catch_up()
        digest = hashlib.sha256(body).hexdigest()
        found = [marker for marker in self._file.markers if marker.request_hash == digest]
        if not found:
            self.owners[request] = ()
            self._accuse(f"I4: {path} {body!r} came without a durable send marker")
            return
        newest = found[-1]
        group = newest.order.group if newest.order is not None else ""
        together = [m for m in found if m is newest or (group and m.order is not None and m.order.group == group)]
        self.owners[request] = tuple(m.order for m in together if m.order is not None)
        for marker in together:
            name = marker.sent.client_id
            if marker.order is None:
                self._accuse(f"I4: {name} was sent without a durable intent before its marker")
            if marker.requests:
                self._accuse(f"I5 duplicated: {name} came again as request {request}, first as {marker.requests[0]}")
            if marker.latched:
                self._accuse(f"I8: {name} was sent while latched ({marker.latched})")
            marker.requests.append(request)
        account = newest.order.account if newest.order is not None else None
        ours = (m for m in reversed(self._file.markers) if m.order is not None and m.order.account == account)
        last = next(ours, newest)
        if self._in_turn and newest is not last and group != (last.order or newest.order).group:  # type: ignore[union-attr]
            self._accuse(f"I5: request {request} carries {newest.sent.client_id}, whose successor was already marked")
        self._pace(now_ns)

    def _pace(self, now_ns: int) -> None:
        self._arrivals = [moment for moment in self._arrivals if now_ns - moment < MINUTE_NS]
        self._arrivals.append(now_ns)
        if len(self._arrivals) > self._per_minute:
            self._accuse(f"I6 breach: {len(self._arrivals)} trade requests within 60 s (cap {self._per_minute})")
