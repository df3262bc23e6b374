"""The request-and-answer wires: a real gateway talks to recorded answers of which one is mutated.

A scene is something the engine does with a gateway. It is played once against a good far side and recorded; then, for
each input, played again with one answer replaced. What may come of it: a value that is sane and not made up, or an
error with a short sentence; a refusal of an order only with its proof (RELIABILITY 3.5).
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
from msgspec import Struct

from engine.domain.account import AccountSnapshot
from engine.domain.commands import SubmitOrder
from engine.domain.errors import ConfigError, GatewayError, NotSent, Refused
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.market import Bar
from tests.fuzz.harness import Surface, Wrong, check_sentence
from tests.fuzz.mutations import Draw, mutated

STATUSES = (200, 201, 204, 302, 400, 401, 403, 404, 405, 408, 409, 418, 422, 429, 500, 502, 503, 504)
QUANTITY_MAX = 10**18


class Exchange(Struct, frozen=True):
    """One question and its answer."""

    method: str
    path: str
    status: int
    kind: str
    body: bytes


Proof = Callable[[Exchange], bool]


class Recorder(httpx.AsyncBaseTransport):
    """Asks a far side and keeps what it said."""

    def __init__(self, far: httpx.AsyncBaseTransport) -> None:
        self.exchanges: list[Exchange] = []
        self._far = far

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._far.handle_async_request(request)
        body = await answer.aread()
        kind = answer.headers.get("content-type", "")
        self.exchanges.append(Exchange(request.method, request.url.path, answer.status_code, kind, body))
        return httpx.Response(answer.status_code, headers={"content-type": kind}, content=body)


class Replayer(httpx.AsyncBaseTransport):
    """Answers as recorded, the last answer of a path for good; but one as given.

    ``sticky``: whoever asks again hears the mutated answer again, as from a server that is broken for longer.
    """

    def __init__(self, exchanges: Sequence[Exchange], at: int, given: Exchange, *, sticky: bool) -> None:
        self.heard: list[Exchange] = []
        """Answers given, in order."""
        self._answers: dict[tuple[str, str], list[Exchange]] = {}
        for place, one in enumerate(exchanges):
            said = given if place == at else one
            self._answers.setdefault((one.method, one.path), []).append(said)
        if sticky:
            queue = self._answers[given.method, given.path]
            del queue[queue.index(given) + 1 :]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        key = (request.method, request.url.path)
        queue = self._answers.get(key) or [Exchange(*key, 404, "text/plain", b"Not Found")]
        said = queue.pop(0) if len(queue) > 1 else queue[0]
        self.heard.append(said)
        return httpx.Response(said.status, headers={"content-type": said.kind}, content=said.body)


class Scene(Struct, frozen=True):
    """``act`` gets a gateway and gives what is checked; ``skip``: leading answers that other scenes mutate."""

    name: str
    act: Callable[[Any], Awaitable[Any]]
    order: SubmitOrder | None = None
    order_path: str = ""
    skip: int = 0
    proof: Proof = lambda _heard: True
    """Whether an answer to the order proves that it was not done."""
    ends_badly: bool = False
    """The good far side refuses."""


class WireSurface(Surface):
    """Scenes of one gateway."""

    secrets: tuple[str, ...] = ()
    config_errors = False
    """Whether a scene may end in a ConfigError: connecting proves things that the user wrote."""

    def __init__(self) -> None:
        self._scenes: dict[str, Scene] = {}
        self._recorded: dict[str, list[Exchange]] = {}
        self._good: dict[str, Any] = {}

    def scenes(self) -> list[Scene]:
        raise NotImplementedError

    def far_side(self, scene: Scene) -> AbstractAsyncContextManager[httpx.AsyncBaseTransport]:
        """A good far side for one recording."""
        raise NotImplementedError

    def gateway(self, transport: httpx.AsyncBaseTransport) -> Any:
        raise NotImplementedError

    async def open(self, folder: Path) -> None:
        for scene in self.scenes():
            async with self.far_side(scene) as far:
                recorder = Recorder(far)
                gateway = self.gateway(recorder)
                try:
                    self._good[scene.name] = await scene.act(gateway)
                except GatewayError as error:
                    if not scene.ends_badly:
                        raise
                    self._good[scene.name] = error
                await gateway.close()
            self._scenes[scene.name] = scene
            self._recorded[scene.name] = recorder.exchanges

    def seeds(self) -> Mapping[str, bytes]:
        return {
            f"{name}/{at:02}": b"%d\n%s" % (one.status, one.body)
            for name, exchanges in self._recorded.items()
            for at, one in enumerate(exchanges)
            if at >= self._scenes[name].skip
        }

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        status, _, body = seed.partition(b"\n")
        if draw.random() < 0.12:
            status = b"%d" % draw.choice(STATUSES)
        if draw.random() < 0.93:
            body = mutated(draw, body)
        return status + b"\n" + body

    async def run(self, origin: str, data: bytes) -> str:
        name, _, place = origin.rpartition("/")
        scene, exchanges, at = self._scenes[name], self._recorded[name], int(place)
        status, _, body = data.partition(b"\n")
        old = exchanges[at]
        given = Exchange(old.method, old.path, int(status), old.kind, body)
        transport = Replayer(exchanges, at, given, sticky=bool(crc32(data) & 1))
        gateway = self.gateway(transport)
        try:
            found = await scene.act(gateway)
        except GatewayError as error:
            word = check_sentence(error, self.secrets)
            self._check_refusal(scene, transport.heard, error)
            return word
        except ConfigError as error:
            if not self.config_errors:
                raise
            return check_sentence(error, self.secrets)
        finally:
            await gateway.close()
        self.check(scene, found, self._good[name], given, b"".join(one.body for one in exchanges) + body)
        return "read"

    def _check_refusal(self, scene: Scene, heard: Sequence[Exchange], error: GatewayError) -> None:
        if scene.order is None:
            return
        sent = next((at for at, one in enumerate(heard) if one.path == scene.order_path), len(heard))
        if sent < len(heard) and isinstance(error, NotSent):
            raise Wrong(f"its bytes left, and it is called not sent: {error.message}") from error
        if isinstance(error, Refused) and sent < len(heard) and not any(scene.proof(one) for one in heard[sent:]):
            raise Wrong(f"refused without proof: {error.message}") from error

    def check(self, scene: Scene, found: Any, good: Any, given: Exchange, texts: bytes) -> None:
        """What was read has to be sane; overridden for what a wire knows better.

        Raises:
            Wrong: it is not.
        """
        for one in found if isinstance(found, Sequence) else (found,):
            if isinstance(one, AccountSnapshot):
                check_snapshot(one, texts)
            elif isinstance(one, OrderReport) and scene.order is not None:
                check_report(one, scene.order)
            elif isinstance(one, Bar):
                check_bar(one)


# --- sanity ----------------------------------------------------------------------------------------------------------


def check_money(value: Decimal | None, what: str, *, positive: bool = True) -> None:
    """A finite decimal of a size that money has, above zero where it is a price."""
    if value is None:
        return
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= Decimal("1e30"):
        raise Wrong(f"{what} is {value!r}"[:200])
    if positive and value <= 0:
        raise Wrong(f"{what} is {value!r}")


def check_whole(value: int | None, what: str, *, signed: bool = False) -> None:
    if value is None:
        return
    if type(value) is not int or abs(value) > QUANTITY_MAX or (value < 0 and not signed):
        raise Wrong(f"{what} is {value!r}"[:200])


def check_snapshot(snapshot: AccountSnapshot, texts: bytes, *, signed: bool = False) -> None:
    """Amounts that amounts can be, and no code that no answer holds.

    Raises:
        Wrong: something that can not be.
    """
    for balance in snapshot.balances or ():
        check_money(balance.total, "balance", positive=False)
        check_money(balance.available, "available", positive=False)
    for position in snapshot.positions or ():
        check_whole(position.quantity, "position", signed=signed)
        check_whole(position.sellable, "sellable")
        check_money(position.average_price, "cost", positive=False)
        check_code(position.instrument, texts)
    for row in snapshot.orders or ():
        check_whole(row.quantity, "order quantity")
        check_whole(row.cum, "filled")
        if row.quantity <= 0 or row.cum > row.quantity:
            raise Wrong(f"an order of {row.quantity} with {row.cum} filled")
        check_money(row.price, "order price")
        check_money(row.average_price, "average")
        check_code(row.instrument, texts)
        if row.status is Evidence.FILL and row.cum != row.quantity:
            raise Wrong(f"filled with {row.cum} of {row.quantity}")
    for fill in snapshot.fills or ():
        check_whole(fill.quantity, "fill quantity")
        check_money(fill.price, "fill price")
        if fill.quantity <= 0:
            raise Wrong(f"a fill of {fill.quantity}")
        check_code(fill.instrument, texts)


def check_code(instrument: str, texts: bytes) -> None:
    """The code, or what zeros in front of it leave, stands in some answer; a separator may have been taken out."""
    code = instrument.rpartition(".")[0]
    short = code.lstrip("0") or "0"
    plain = texts.replace(b",", b"")
    if short.encode() in plain or re.search(rb"\\u[0-9a-fA-F]{4}", texts):
        return
    # 6e5 and 600000.0 are the same number.
    if code.isdigit() and any(_is_number(found, int(code)) for found in re.findall(rb"[-+0-9.eE]{2,40}", plain)):
        return
    raise Wrong(f"{instrument!r} is in no answer")


def _is_number(text: bytes, value: int) -> bool:
    try:
        return float(text) == value
    except ValueError:
        return False


def check_report(report: OrderReport, order: SubmitOrder) -> None:
    """Evidence of our order alone, for no more than was asked.

    Raises:
        Wrong: it is something else.
    """
    if report.client_id != order.client_id or report.account != order.account:
        raise Wrong(f"evidence of {report.client_id!r}, nobody's order")
    check_whole(report.quantity, "filled")
    check_whole(report.cum, "filled so far")
    check_money(report.fee, "fee", positive=False)
    if report.kind is Evidence.FILL:
        check_money(report.price, "price")
        if not 0 < report.quantity <= order.quantity or report.price is None:
            raise Wrong(f"a fill of {report.quantity} at {report.price} for an order of {order.quantity}")
    if report.kind in (Evidence.REJECT, Evidence.EXPIRED):
        raise Wrong(f"{report.kind} as an answer")


def check_bar(bar: Bar) -> None:
    """Prices that fit each other, a volume, a time.

    Raises:
        Wrong: they do not.
    """
    if not 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high < float("inf"):
        raise Wrong(f"a bar whose prices do not fit: {bar}")
    if not 0 <= bar.volume < float("inf") or bar.ts_ns <= 0 or bar.interval_ns <= 0:
        raise Wrong(f"a bar that can not be: {bar}")
