"""From a tick to the order's bytes at the server, journal durable on the way.

The engine's own share is the whole, less a bare httpx request over a fresh connection and less two bare SQLite commits
with their thread hop, all measured in one run in turn, so that a slow moment of the machine hits all three.

    python -m benchmarks.tick_to_order [--short] [--json]
"""

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec

from engine import Quote, Strategy
from engine.chaos.wide import WIDE
from engine.clock import LiveClock
from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.market import DataKind
from engine.domain.timestamps import parse_time
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.journal.sqlite import SqliteJournal
from engine.markets.free import Free
from engine.risk.profiles import limits_for
from engine.runtime.outbox import Outbox
from engine.runtime.outboxes import Outboxes
from engine.runtime.pace import Pace
from engine.runtime.wiring import Core, join
from engine.simulators.serve import serve
from engine.simulators.virtual_market import VirtualMarketSimulator
from engine.strategy import Context

STOCK = InstrumentId("CY.VSM")
ACCOUNT = AccountId("game")
BOUND_US = 60.0


class OneEach(Strategy):
    """Buys one unit on every quote."""

    def on_quote(self, quote: Quote) -> None:
        self.buy(quote.instrument, 1)


class Tap:
    """An ASGI wrapper that notes when a trade's bytes had arrived."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: float = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and "/trade/" in scope["path"]:
            self.seen = time.perf_counter()
        await self.app(scope, receive, send)


class Commits:
    """One row, one durable commit, in a thread: what any journal of this kind pays at least."""

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute("PRAGMA synchronous=FULL")
        self.database.execute("CREATE TABLE rows (seq INTEGER PRIMARY KEY, body BLOB)")

    def commit(self) -> None:
        self.database.execute("BEGIN")
        self.database.execute("INSERT INTO rows (body) VALUES (?)", (b"x" * 200,))
        self.database.execute("COMMIT")

    async def measure(self) -> float:
        began = time.perf_counter()
        await asyncio.get_running_loop().run_in_executor(None, self.commit)
        return time.perf_counter() - began


class Bench:
    """The engine's own path with nothing beside it: no polling, no other strategy."""

    def __init__(self, folder: Path, url: str, user: Any) -> None:
        # A fast clock only makes the call budget wide; no timer runs here.
        self.clock = LiveClock(speed=4_000, start_ns=parse_time("2026-03-02T08:00:00+08:00"))
        environ = {"SLUICE_VM_USER": user.login, "SLUICE_VM_PASSWORD": user.password}
        around = Surroundings(clock=self.clock, entropy=Entropy(1), environ=environ)
        self.gateway = VirtualMarket(base_url=url, account=ACCOUNT, timeout="100h", connect_timeout="50h").open(around)
        assert self.gateway.router is not None
        router = self.gateway.router
        self.journal = SqliteJournal(folder / "journal.sqlite3")
        instrument = Instrument(id=STOCK, kind=InstrumentKind.GAME, market="free", currency="COIN")
        instruments = {STOCK: instrument}
        self.core = core = Core(
            clock=self.clock,
            journal=self.journal,
            instruments=instruments,
            books={"free": Free()},
            limits=limits_for("paper", _wide()),
            sheets={ACCOUNT: msgspec.structs.replace(router.capabilities(), orders_per_minute=10**9)},
            outside=lambda *_: None,
            note=lambda *_: None,
        )
        core.portfolio.open_account(ACCOUNT, "COIN", Decimal(10**9))
        self.box = Outbox(
            router, core.manager, core.view, self.journal, self.clock, core.bus.publish, Pace((), {ACCOUNT: 10**9})
        )
        join(core, Outboxes({ACCOUNT: self.box}), keep_history=False, subscriptions=lambda _event: None)
        name = StrategyId("one")
        context = Context(
            strategy=name, account=ACCOUNT, instruments=(STOCK,), catalogue=instruments, publish=core.bus.publish,
            portfolio=core.portfolio, history=core.history, desk=core.runner,
        )  # fmt: skip
        core.runner.seat(name, OneEach(), context)
        core.runner.start()
        core.runner.listen(name, DataKind.QUOTE, STOCK, 0)

    async def measure(self, tap: Tap) -> float:
        tap.seen = 0.0
        quote = Quote(STOCK, self.clock.now_ns, 37.9, 37.9)
        began = time.perf_counter()
        self.core.bus.publish(quote)
        while not self.box.idle:  # noqa: ASYNC110 - the box tells nobody that it is idle
            await anyio.sleep(0.0005)
        assert not self.core.view.denials, f"no order left: {self.core.view.denials}"
        # A pause of the machine of 30 ms makes the order two minutes old on this clock, and it is withdrawn.
        return tap.seen - began if tap.seen else float("nan")


def _wide() -> dict[str, Any]:
    """The paper profile's checks, none of them in the way: a millisecond is four seconds on this bench's clock."""
    return WIDE | {
        "orders_per_second": {"cap": 240}, "orders_per_minute": {"cap": 14_400}, "orders_per_day": {"cap": 16_000},
        "symbol_orders_per_minute": {"cap": 10_000}, "max_position": {"value": "1000000000"},
        "max_daily_value": {"value": "1000000000"}, "duplicate_order": {"window": "1ms"},
        "price_collar": {"max_age": "1h"},
    }  # fmt: skip


async def run(rounds: int) -> dict[str, float]:
    simulator = VirtualMarketSimulator(seed=1, rate_limits="off", hours=(0, 24))
    clock = LiveClock(start_ns=parse_time("2026-03-02T08:00:00+08:00"))
    tap = Tap(simulator.app(clock, Entropy(1)))
    ports: list[int] = []
    whole: list[float] = []
    bare: list[float] = []
    commits: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with anyio.create_task_group() as tasks:
            ready = anyio.Event()

            def bound(port: int) -> None:
                ports.append(port)
                ready.set()

            async def server() -> None:
                await serve(tap, on_ready=bound)

            tasks.start_soon(server)
            await ready.wait()
            url = f"http://127.0.0.1:{ports[0]}"
            bench = Bench(Path(folder), url, simulator.users[0])
            tasks.start_soon(bench.journal.run)
            tasks.start_soon(bench.box.run)
            await bench.gateway.connect()
            headers = await bench.gateway.client.session.headers()
            limits = httpx.Limits(max_keepalive_connections=0)
            rows = Commits(Path(folder) / "bare.sqlite3")
            async with httpx.AsyncClient(trust_env=False, limits=limits, base_url=url, headers=headers) as client:
                for number in range(rounds + 20):
                    samples = (
                        await bench.measure(tap),
                        await _bare(client, tap),
                        await rows.measure() + await rows.measure(),
                    )
                    if number >= 20 and samples[0] == samples[0]:
                        for kept, sample in zip((whole, bare, commits), samples, strict=True):
                            kept.append(sample)
            tasks.cancel_scope.cancel()
        bench.journal.close()
    figures = {
        "whole_us": statistics.median(whole) * 1e6,
        "bare_request_us": statistics.median(bare) * 1e6,
        "two_commits_us": statistics.median(commits) * 1e6,
    }
    own = [w - b - c for w, b, c in zip(whole, bare, commits, strict=True)]
    figures["own_p50_us"] = figures["whole_us"] - figures["bare_request_us"] - figures["two_commits_us"]
    figures["own_paired_p50_us"] = statistics.median(own) * 1e6
    figures["bound_us"] = BOUND_US
    return figures


async def _bare(client: httpx.AsyncClient, tap: Tap) -> float:
    tap.seen = 0.0
    began = time.perf_counter()
    await client.post("/api/v1/trade/buy", content=b'{"stock_id":"CY","quantity":1}')
    return tap.seen - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="100 orders instead of 1,000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = anyio.run(run, 100 if options.short else 1_000)
    if options.json:
        print(json.dumps({name: round(value, 1) for name, value in figures.items()}))
        return
    for name, value in figures.items():
        print(f"{name:20} {value:8.1f}")


if __name__ == "__main__":
    main()
