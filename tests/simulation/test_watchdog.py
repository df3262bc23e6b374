"""The dead-man's watch with real processes: a market, an engine that is stopped, and a watchdog of its own."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.domain.events import KillLevel, LatchSet, OrderDenied, OrderSent
from engine.journal import store
from engine.journal.chain import Chain, verified
from engine.runtime import sentinel
from engine.simulators.futu import EXAMPLE_TOKEN

ROOT = Path(__file__).parents[2]
ENVIRON = {**os.environ, "SLUICE_FUTU_TOKEN": EXAMPLE_TOKEN}
START, SPEED = "2026-11-18T10:00:00+08:00", 20.0
DEADLINE_SECONDS = 60.0
ACC_ID = 1800123
FINAL = (11, 14, 15, 21, 22, 23)
"""Order states that end it (contracts/futu.md, OrderStatus)."""

STRATEGY = """
from engine import Quote, Strategy

class Rests(Strategy):
    def on_start(self):
        self.bids = {}
        self.every("15s", self.give)

    def on_quote(self, quote: Quote) -> None:
        self.bids[quote.instrument] = quote.bid

    def give(self) -> None:
        for name, bid in self.bids.items():
            self.buy(name, 100, round(bid * 0.985))
"""

CONFIG = """
[run]
name = "watched"
data_dir = "{folder}"
profile = "paper"

[clock]
speed = {speed}
start = "{start}"
anchor = "{anchor}"

[instruments]
file = "{root}/config/instruments.toml"

[markets.hong_kong]
hours = "always"

[gateway.futu]
base_url = "http://127.0.0.1:{port}"
acc_id = "{acc_id}"
environment = "simulate"
currency = "HKD"
instruments = ["00700.HK"]
order_poll = "40s"
account_poll = "60s"
state_poll = "60s"
stale = "5m"
timeout = "5m"
connect_timeout = "5m"

[risk.price_collar]
max_age = "3m"

[risk.max_daily_value]
value = 500000000

[monitors]
gap_check = "1500ms"

[watchdog]
silence = "2s"
beat = "500ms"
deadline = "40s"

[[account]]
id = "paper"
gateway = "futu"
currency = "HKD"

[[strategy]]
name = "rests"
class = "{folder}/rests.py:Rests"
account = "paper"
instruments = ["00700.HK"]
"""


class Place:
    """A folder with a config in it, and the market that the config trades at."""

    def __init__(self, folder: Path, port: int, anchor: str) -> None:
        self.folder, self.port, self.anchor = folder, port, anchor
        self.config = folder / "live.toml"
        self.journal = folder / "journal.sqlite3"
        (folder / "rests.py").write_text(STRATEGY, encoding="utf-8")
        self.config.write_text(
            CONFIG.format(
                folder=folder, speed=SPEED, start=START, anchor=anchor, root=ROOT, port=port, acc_id=ACC_ID
            ),
            encoding="utf-8",
        )  # fmt: skip

    @contextmanager
    def market(self) -> Iterator[None]:
        command = [
            sys.executable, "run.py", "simulate", "futu", "--port", str(self.port), "--seed", "5", "--speed",
            str(SPEED), "--start", START, "--anchor", self.anchor, "--set", "always_open=true", "--json",
        ]  # fmt: skip
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as market:
            assert market.stdout is not None
            assert b"futu" in market.stdout.readline()
            try:
                yield
            finally:
                market.terminate()

    @contextmanager
    def start(self, command: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process that does not outlive the block; what it complains of is in ``<command>.err``."""
        words = [sys.executable, "run.py", command, "--config", str(self.config), "--json", *more]
        with (
            (self.folder / f"{command}.err").open("w") as err,
            subprocess.Popen(words, cwd=ROOT, env=ENVIRON, stdout=subprocess.PIPE, stderr=err) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def complains(self, command: str, words: str) -> None:
        """Wait until it has said so."""
        until(words, lambda: words in (self.folder / f"{command}.err").read_text())

    def orders(self) -> list[dict[str, Any]]:
        """As the market has them."""
        body = {"header": {"trd_env": 0, "acc_id": ACC_ID, "trd_market": 1}, "refresh_cache": True}
        headers = {"authorization": f"Bearer {EXAMPLE_TOKEN}"}
        answer = httpx.post(f"http://127.0.0.1:{self.port}/api/orders", json=body, headers=headers, timeout=20)
        found: list[dict[str, Any]] = (answer.json()["s2c"] or {}).get("order_list") or []
        assert answer.status_code == 200, answer.text
        return found

    def records(self) -> list[Any]:
        """What the journal has, read beside whoever writes it."""
        try:
            with store.reader(self.journal) as db:
                return [record for batch in verified(store.rows(db), Chain()) for _, record in batch]
        except sqlite3.Error:
            return []


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: str, true: Callable[[], Any]) -> Any:
    """Wait for it; other processes bring it about."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {DEADLINE_SECONDS:g} s: {what}")


@contextmanager
def a_place(folder: Path) -> Iterator[Place]:
    anchor = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    place = Place(folder, a_free_port(), anchor)
    with place.market():
        yield place


def open_orders(orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [order for order in orders if order["order_status"] not in FINAL]


def is_killed(record: Any) -> bool:
    return isinstance(record, OrderDenied) and record.code == "KILLED"


def test_a_hung_engine_is_withdrawn_from_and_sends_nothing_when_it_wakes(tmp_path: Path) -> None:
    """SIGSTOP: the watchdog cancels all at the market. SIGCONT: the engine is latched before any new order."""
    with a_place(tmp_path) as place, place.start("live", "--no-report") as engine:
        until("two orders rest", lambda: place.journal.exists() and len(open_orders(place.orders())) >= 2)
        with place.start("watchdog") as watchdog:
            place.complains("watchdog", "is alive")
            engine.send_signal(signal.SIGSTOP)
            out, _ = watchdog.communicate(timeout=DEADLINE_SECONDS)
        told = json.loads(out)
        assert (watchdog.returncode, told["state"], told["clean"]) == (3, "silent", True)
        before = place.orders()
        assert open_orders(before) == []
        assert len(told["accounts"][0]["cancelled"]) >= 2
        assert sentinel.read(tmp_path) is not None

        engine.send_signal(signal.SIGCONT)
        until("an order is denied for the latch", lambda: [r for r in place.records() if is_killed(r)])
        records = place.records()
        latches = [r for r in records if isinstance(r, LatchSet)]
        assert [(latch.level, latch.scope, latch.who) for latch in latches] == [(KillLevel.HALT, "all", "watchdog")]
        assert not [r for r in records[records.index(latches[0]) :] if isinstance(r, OrderSent)]
        assert len(place.orders()) == len(before)
        engine.send_signal(signal.SIGTERM)
        engine.communicate(timeout=DEADLINE_SECONDS)
        assert sentinel.read(tmp_path) is not None, "a stop must not take the sentinel away"


@pytest.mark.kill
def test_a_run_that_ends_in_order_disarms_its_watchdog(tmp_path: Path) -> None:
    """Its last heartbeat says so: the watchdog ends with 0, writes no sentinel and cancels nothing."""
    with a_place(tmp_path) as place, place.start("live", "--no-report") as engine:
        until("an order rests", lambda: place.journal.exists() and open_orders(place.orders()))
        with place.start("watchdog") as watchdog:
            place.complains("watchdog", "is alive")
            engine.send_signal(signal.SIGUSR1)
            until("SIGUSR1 halts", lambda: any(isinstance(record, LatchSet) for record in place.records()))
            engine.send_signal(signal.SIGTERM)
            engine.communicate(timeout=DEADLINE_SECONDS)
            out, _ = watchdog.communicate(timeout=DEADLINE_SECONDS)
        assert (engine.returncode, watchdog.returncode) == (0, 0)
        assert json.loads(out)["state"] == "ended"
        assert open_orders(place.orders())
        assert sentinel.read(tmp_path) is None
