"""What the control API costs trading: tick to order with and without 200 requests a second and 50 streams beside it.

A live run of its own process hears 2,000 quotes a second and sends ten orders a second, each after two durable commits;
another process asks its API over real sockets. Quiet and loaded phases take turns, so that a slow moment of the machine
hits both. Every quote must be heard, and every order must leave.

    python -m benchmarks.control [--short] [--json]
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import msgspec
from msgspec import Struct

from engine import Quote, Strategy
from engine.chaos.wide import WIDE
from engine.clock import LiveClock
from engine.control.api.hosting import serve_control
from engine.control.api.scopes import Scope
from engine.control.api.tokens import TokenStore
from engine.control.live_session import Session
from engine.domain.account import AccountSnapshot, Balance, CancelScope, Capabilities
from engine.domain.commands import OrderType, SubmitOrder
from engine.domain.errors import NotSent
from engine.domain.ids import AccountId, InstrumentId, VenueOrderId
from engine.domain.order import Evidence, Order, OrderReport
from engine.gateways import GATEWAYS
from engine.gateways.surroundings import Surroundings
from engine.runtime.control_table import ControlTable, token_file
from engine.runtime.settings import load_settings

QUOTES_PER_SECOND, ORDERS_PER_SECOND = 2_000, 10
REQUESTS_PER_SECOND, STREAMS, TOKENS = 200, 50, 25
BOUND_RATIO = 1.5
NAME = InstrumentId("LOAD.X")
ASKED = (
    "/api/status", "/api/accounts", "/api/positions", "/api/orders?limit=50", "/api/fills?limit=50", "/api/health",
    "/api/risk", "/api/strategies", "/api/instruments", "/api/latches",
)  # fmt: skip
CONFIG = """
[run]
name = "load"
data_dir = "{folder}/run"
[instruments]
file = "{folder}/instruments.toml"
[recording]
enabled = false
[gateway.load]
kind = "load"
[control]
port = 0
requests_per_second = 20
connections = 256
[[account]]
id = "load"
gateway = "load"
currency = "COIN"
[[strategy]]
class = "benchmarks.control:Now"
instruments = ["LOAD.X"]
{risk}
"""


class Now(Strategy):
    """Buys one unit on every two hundredth quote."""

    heard = 0

    def on_quote(self, quote: Quote) -> None:
        self.heard += 1
        if (self.heard - 1) % (QUOTES_PER_SECOND // ORDERS_PER_SECOND) == 0:
            self.buy(quote.instrument, 1)


class Load(Struct, frozen=True, kw_only=True):
    """A gateway without a wire: quotes by the clock, orders that are taken and withdrawn at once."""

    name: str = "load"
    account: str = ""

    def open(self, _around: Surroundings) -> "LoadGateway":
        return LoadGateway(AccountId(self.account))


class LoadGateway:
    def __init__(self, account: AccountId) -> None:
        self.name = "load"
        self.account = account
        self.feed: Any = self
        self.router: Any = self
        self.pace_ns = 0
        self.sent: list[float] = []
        """Seconds from the quote to the order's last byte."""
        self.published = 0
        self.late: list[float] = []
        self.worked: list[float] = []
        """What this process itself computed meanwhile, for whomever: what a busy machine does not change."""
        self._tick = self._tick_cpu = 0.0
        self._orders = 0

    def subscribe(self, instrument: InstrumentId, kind: Any, interval_ns: int) -> None:
        """There is one."""

    async def connect(self) -> None:
        """Nobody is there."""

    async def close(self) -> None:
        """Nobody was there."""

    def routes(self) -> Mapping[str, str]:
        return {}

    def reads(self) -> frozenset[str]:
        return frozenset()

    def capabilities(self) -> Capabilities:
        return Capabilities(
            gateway="load", order_types=frozenset({OrderType.MARKET, OrderType.LIMIT}), echoes_client_id=True,
            gives_venue_id=True, cancel_scope=CancelScope.ORDER, in_flight_max=1_000, in_flight_scope="none",
            orders_per_minute=14_000,
        )  # fmt: skip

    def encode(self, orders: Sequence[SubmitOrder]) -> bytes:
        return msgspec.json.encode([{"code": order.instrument, "quantity": order.quantity} for order in orders])

    async def submit(self, orders: Sequence[SubmitOrder], _body: bytes) -> Sequence[OrderReport]:
        self.sent.append(time.perf_counter() - self._tick)
        self.worked.append(time.process_time() - self._tick_cpu)
        found = []
        for order in orders:
            self._orders += 1
            common: dict[str, Any] = {"account": self.account, "client_id": order.client_id, "ts_ns": order.ts_ns}
            found.append(OrderReport(kind=Evidence.ACK, venue_id=VenueOrderId(f"v{self._orders}"), **common))
            found.append(OrderReport(kind=Evidence.CANCELED, as_of_ns=order.ts_ns, **common))
        return found

    async def cancel(self, _order: Order) -> Sequence[OrderReport]:
        raise NotSent("nothing is open")

    async def snapshot(self) -> AccountSnapshot:
        now_ns = LiveClock().now_ns
        money = Balance(currency="COIN", total=Decimal(10**9), available=Decimal(10**9))
        return AccountSnapshot(account=self.account, as_of_ns=now_ns, ts_ns=now_ns, balances=(money,), positions=())

    async def run(self, publish: Any) -> None:
        """2,000 quotes a second, whatever else happens: what is late is made up for, and counted."""
        clock, began = LiveClock(), time.perf_counter()
        while True:
            due = int((time.perf_counter() - began) * QUOTES_PER_SECOND)
            for number in range(self.published, due):
                if number % (QUOTES_PER_SECOND // ORDERS_PER_SECOND) == 0:
                    self._tick_cpu = time.process_time()
                self._tick = time.perf_counter()
                self.late.append(self._tick - began - number / QUOTES_PER_SECOND)
                publish(Quote(NAME, clock.now_ns, 10.0 + number % 7 * 0.01, 10.1))
                self.published += 1
            await anyio.sleep(0.001)

    async def instruments(self) -> Sequence[Any]:
        return ()

    async def call(self, _route: str, _args: Mapping[str, str]) -> Any:
        return None


# --- the engine's process ---------------------------------------------------------------------------------------------


async def trade(folder: Path, seconds: float, phases: int) -> None:
    """Trade through quiet and loaded phases in turn; a line for each as it begins, and the figures at the end."""
    GATEWAYS["load"] = Load
    settings = load_settings(folder / "load.toml")
    session = Session(settings, environ={}, note=lambda _text, _fields: None)
    gateway: Any = session.gateways["load"]
    figures: dict[str, list[float]] = {"quiet": [], "loaded": []}
    late: dict[str, list[float]] = {"quiet": [], "loaded": []}
    worked: dict[str, list[float]] = {"quiet": [], "loaded": []}
    cpu: dict[str, list[float]] = {"quiet": [], "loaded": []}

    async def beside(session: Session) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(control)
            await session.run.ready.wait()
            await anyio.sleep(2.0)
            for number in range(phases):
                kind = "loaded" if number % 2 else "quiet"
                say({"phase": kind})
                await anyio.sleep(1.0)
                gateway.sent.clear()
                gateway.late.clear()
                gateway.worked.clear()
                spent = time.process_time()
                await anyio.sleep(seconds)
                cpu[kind].append((time.process_time() - spent) / seconds)
                figures[kind] += gateway.sent
                late[kind] += gateway.late
                worked[kind] += gateway.worked
            say({"phase": "over"})
            session.run.stop("measured")

    async def control() -> None:
        await serve_control(lambda: session, settings, note=lambda _t, _f: None, on_ready=lambda url: say({"url": url}))

    await session.conduct(screen=beside)
    heard = session.links.quotes
    say(
        {
            "orders": {kind: len(taken) for kind, taken in figures.items()},
            "p50_ms": {kind: at(taken, 0.5) for kind, taken in figures.items()},
            "p99_ms": {kind: at(taken, 0.99) for kind, taken in figures.items()},
            "worked_p50_ms": {kind: at(taken, 0.5) for kind, taken in worked.items()},
            "worked_p99_ms": {kind: at(taken, 0.99) for kind, taken in worked.items()},
            "late_p99_ms": {kind: at(taken, 0.99) for kind, taken in late.items()},
            "cpu_share": {kind: round(sum(shares) / len(shares), 3) for kind, shares in cpu.items()},
            "quotes": gateway.published,
            "quotes_lost": gateway.published - heard,
            "denied": session.told.denied,
        }
    )


def at(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1e3, 3) if ordered else float("nan")


def say(what: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


# --- the load's process -----------------------------------------------------------------------------------------------


class Crowd:
    """Clients of the API on keep-alive connections of their own, while ``on``."""

    def __init__(self, url: str, tokens: Sequence[str]) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.host, self.port, self.tokens = host, int(port), tokens
        self.statuses: dict[int, int] = {}
        self.heard = self.cut = 0
        self.waited: list[float] = []

    async def ask(self, number: int, until: asyncio.Event) -> None:
        """One client: its share of the requests, evenly."""
        every = TOKENS / REQUESTS_PER_SECOND
        reader, writer = await asyncio.open_connection(self.host, self.port)
        began, made = time.perf_counter() + number / REQUESTS_PER_SECOND, 0
        while not until.is_set():
            await anyio.sleep(max(0.0, began + made * every - time.perf_counter()))
            path = ASKED[(number + made) % len(ASKED)]
            made += 1
            sent = time.perf_counter()
            writer.write(self._request(path, self.tokens[number]))
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head.split(b" ", 2)[1])
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r", 1)[0])
            await reader.readexactly(length)
            self.waited.append(time.perf_counter() - sent)
            self.statuses[status] = self.statuses.get(status, 0) + 1
        writer.close()

    async def listen(self, number: int, until: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(self._request("/api/stream", self.tokens[number % TOKENS]))
        while not until.is_set():
            with anyio.move_on_after(1.0):
                chunk = await reader.read(65_536)
                if not chunk:
                    self.cut += 1
                    break
                self.heard += chunk.count(b"event: ")
        writer.close()

    def _request(self, path: str, token: str) -> bytes:
        host = f"{self.host}:{self.port}"
        return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    async def crowd(self, until: asyncio.Event) -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(STREAMS):
                tasks.start_soon(self.listen, number, until)
            for number in range(TOKENS):
                tasks.start_soon(self.ask, number, until)


async def run(seconds: float, phases: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tokens = prepare(folder)
        command = [sys.executable, "-m", "benchmarks.control", "--engine", place, str(seconds), str(phases)]
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        crowd: Crowd | None = None
        over, task = asyncio.Event(), None
        figures: dict[str, Any] = {}
        async for line in process.stdout:
            told = json.loads(line)
            if "url" in told:
                crowd = Crowd(told["url"], tokens)
            elif told.get("phase") == "loaded" and crowd is not None:
                over = asyncio.Event()
                task = asyncio.create_task(crowd.crowd(over))
            elif "phase" in told and task is not None:
                over.set()
                await task
                task = None
            elif "orders" in told:
                figures = told
        await process.wait()
    assert crowd is not None
    loaded = phases // 2 * (seconds + 1)
    figures["requests_per_second"] = round(sum(crowd.statuses.values()) / loaded, 1)
    figures["statuses"] = crowd.statuses
    figures["answer_p99_ms"] = at(crowd.waited, 0.99)
    figures["stream_events"], figures["streams_cut"] = crowd.heard, crowd.cut
    figures["ratio_p99"] = round(figures["p99_ms"]["loaded"] / figures["p99_ms"]["quiet"], 2)
    figures["bound"] = BOUND_RATIO
    return figures


def prepare(folder: Path) -> list[str]:
    """The config, its instruments and the tokens of the clients."""
    (folder / "instruments.toml").write_text('[instrument."LOAD.X"]\nmarket = "free"\ncurrency = "COIN"\n')
    wide: dict[str, dict[str, Any]] = WIDE | {
        "orders_per_second": {"cap": 240}, "orders_per_minute": {"cap": 14_400}, "orders_per_day": {"cap": 16_000},
        "symbol_orders_per_minute": {"cap": 10_000}, "duplicate_order": {"window": "1ms"},
        "max_daily_value": {"value": 10**9},
    }  # fmt: skip
    risk = "\n".join(f"[risk.{name}]\n" + "\n".join(_line(*one) for one in keys.items()) for name, keys in wide.items())
    (folder / "load.toml").write_text(CONFIG.format(folder=folder, risk=risk))
    store, now_ns = TokenStore(token_file(ControlTable(), folder / "run")), LiveClock().now_ns
    return [store.create(f"load {number}", [Scope.READ], now_ns=now_ns) for number in range(TOKENS)]


def _line(key: str, value: Any) -> str:
    return f"{key} = {json.dumps(value)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="two phases of 5 s instead of eight of 20 s")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--engine", nargs=3, metavar=("FOLDER", "SECONDS", "PHASES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        anyio.run(trade, Path(options.engine[0]), float(options.engine[1]), int(options.engine[2]))
        return
    figures = anyio.run(run, *((5.0, 2) if options.short else (20.0, 8)))
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
