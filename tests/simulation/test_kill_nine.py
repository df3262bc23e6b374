"""kill -9 of a trading process at random moments, while the market lives on: nothing lost, nothing twice.

Real processes, real sockets, a real SQLite journal. The always-on form kills five times, ``-m kill`` fifty.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.domain.events import OrderSent, OrderSubmitted
from engine.domain.order import Evidence, OrderReport
from engine.journal.sqlite import SqliteJournal

ROOT = Path(__file__).parents[2]
START = "2026-03-02T08:00:00+08:00"
SPEED = 1_500.0
LOGIN = {"user_id": "TimeXingjian", "password": "your_password"}
ENVIRON = {**os.environ, "SLUICE_VM_USER": LOGIN["user_id"], "SLUICE_VM_PASSWORD": LOGIN["password"]}
DEADLINE_SECONDS = 60.0

CONFIG = """
[run]
name = "killed"
data_dir = "{folder}"
profile = "paper"

[clock]
speed = {speed}
start = "{start}"
anchor = "{anchor}"

[instruments]
file = "{root}/config/instruments.toml"

[gateway.virtual_market]
base_url = "http://127.0.0.1:{port}"
poll = "30s"
account_poll = "2m"
timeout = "20m"
connect_timeout = "10m"

[risk.price_collar]
max_age = "30m"

[[account]]
id = "game"
gateway = "virtual_market"
currency = "COIN"

[[strategy]]
name = "swing"
class = "strategies.swing:Swing"
account = "game"
instruments = ["CY.VSM", "DL.VSM", "ZY.VSM"]
params = {{ window = 2, dip = 0.0, gain = 0.0, size = 7, most = 300 }}
"""


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def a_market(port: int, anchor: str) -> Iterator[None]:
    """``run.py simulate virtual_market`` in a process that outlives every engine."""
    command = [
        sys.executable, "run.py", "simulate", "virtual_market", "--port", str(port), "--seed", "5",
        "--speed", str(SPEED), "--start", START, "--anchor", anchor, "--set", "rate_limits=off", "--json",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as market:
        assert market.stdout is not None
        assert b"virtual_market" in market.stdout.readline()
        try:
            yield
        finally:
            market.terminate()


def an_engine(config: Path, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "run.py", "live", "--config", str(config), "--no-report", "--json", *more],
        cwd=ROOT, env=ENVIRON, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def wait_for_a_start(journal: Path, seq: int) -> None:
    """Until the engine has written past ``seq``: it is alive, and a kill may strike anywhere from here on."""
    import sqlite3

    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if last_seq(journal) > seq:
            return
        time.sleep(0.02)
    raise AssertionError(f"the engine wrote nothing within {DEADLINE_SECONDS} s ({sqlite3.sqlite_version})")


def last_seq(journal: Path) -> int:
    import sqlite3

    if not journal.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as reader:
            return int(reader.execute("SELECT COALESCE(MAX(seq), 0) FROM record").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def kill_and_restart(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill ``kills`` engines, let a last one end in order; gives its figures and the venue's portfolio."""
    draw = random.Random(seed)
    port = a_free_port()
    anchor = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    config = folder / "live.toml"
    config.write_text(
        CONFIG.format(folder=folder, speed=SPEED, start=START, anchor=anchor, root=ROOT, port=port), encoding="utf-8"
    )
    journal = folder / "journal.sqlite3"
    with a_market(port, anchor):
        for _ in range(kills):
            before = last_seq(journal)
            with an_engine(config) as engine:
                wait_for_a_start(journal, before)
                time.sleep(draw.uniform(0.0, 1.5))
                engine.send_signal(signal.SIGKILL)
        with an_engine(config, "--seconds", "3") as engine:
            out, _ = engine.communicate(timeout=DEADLINE_SECONDS)
        assert engine.returncode == 0, out
        base = f"http://127.0.0.1:{port}"
        token = httpx.post(f"{base}/api/auth/login", json=LOGIN).json()["access_token"]
        assets = httpx.get(f"{base}/api/v1/portfolio", headers={"Authorization": f"Bearer {token}"}).json()
    return {"figures": json.loads(out), "assets": assets, "journal": journal}


def check(outcome: dict[str, Any]) -> int:
    """No order twice, none lost, the journal's book equal to the venue's; gives how many orders there were."""
    journal = SqliteJournal(outcome["journal"], inline=True)
    records = [record for _, record in journal.records()]
    journal.close()
    sends = Counter(record.client_id for record in records if isinstance(record, OrderSent))
    assert not [name for name, times in sends.items() if times > 1], "an order was sent twice"
    orders = {r.order.client_id: r.order for r in records if isinstance(r, OrderSubmitted)}
    held: Counter[str] = Counter()
    fills: set[tuple[str, str]] = set()
    for record in records:
        if isinstance(record, OrderReport) and record.kind is Evidence.FILL:
            assert (record.client_id, record.fill_id) not in fills, "a fill was counted twice"
            fills.add((record.client_id, record.fill_id))
            order = orders[record.client_id]
            held[order.instrument] += order.side.sign * record.quantity
    theirs = {f"{row['stock_id']}.VSM": row["quantity"] for row in outcome["assets"]["holdings_detailed"]}
    assert {name: quantity for name, quantity in held.items() if quantity} == theirs
    figures = outcome["figures"]
    assert figures["unknown_open"] == figures["disputed"] == 0
    worth = Decimal(outcome["assets"]["coins"]) + Decimal(str(outcome["assets"]["stock_value"]))
    assert abs(Decimal(str(figures["equity"])) - worth) < worth / 50, "equity is far from the venue's"
    return len(orders)


def test_five_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """After five kills the fills of our journal add up to exactly what the venue says we hold."""
    assert check(kill_and_restart(tmp_path, kills=5, seed=1)) > 3


@pytest.mark.kill
def test_fifty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """The same, fifty times."""
    assert check(kill_and_restart(tmp_path, kills=50, seed=2)) > 30
