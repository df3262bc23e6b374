"""The demo, as a person starts it: two processes, HTTP between them, a fast clock."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
FIGURES = {"orders", "fills", "denied", "unknown_open", "disputed", "equity"}


def a_demo(folder: Path, seconds: float, gateway: str = "") -> dict[str, Any]:
    """Run it with a data folder of its own; gives the JSON object, the only thing on stdout."""
    name = f"demo-{gateway}" if gateway else "demo"
    text = (ROOT / "config" / f"{name}.toml").read_text(encoding="utf-8")
    text = text.replace(f'"runs/{name}"', f'"{folder / "runs"}"')
    text = text.replace('"instruments.toml"', f'"{ROOT / "config" / "instruments.toml"}"')
    config = folder / "demo.toml"
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "run.py", "demo", "--config", str(config), "--seconds", str(seconds), "--json"]
    command += ["--gateway", gateway] if gateway else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds + 60)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    read: dict[str, Any] = msgspec.json.decode(done.stdout)
    return read


def holds(figures: dict[str, Any], folder: Path) -> None:
    assert FIGURES | {"report", "seconds", "gateways"} <= set(figures)
    (gateway,) = figures["gateways"].values()
    assert {name: gateway[name] for name in FIGURES} == {name: figures[name] for name in FIGURES}
    assert figures["unknown_open"] == 0
    assert figures["disputed"] == 0
    assert figures["buys"] + figures["sells"] == figures["fills"] == figures["orders"]
    page = Path(figures["report"])
    assert page.is_relative_to(folder)
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_demo_buys_and_sells_over_http_and_ends_with_a_report(tmp_path: Path) -> None:
    """Nine seconds are three hours of market: lots unlock after one, so there are sales too."""
    figures = a_demo(tmp_path, 9)
    holds(figures, tmp_path)
    assert figures["buys"] >= 5
    assert figures["sells"] >= 1


def test_a_demo_in_which_nothing_was_filled_says_so_and_is_no_success(tmp_path: Path) -> None:
    """Strategies that wait for ten thousand bars: exit code 1, and what to do."""
    text = re.sub(r"slow = \d+", "slow = 10000", (ROOT / "config/demo.toml").read_text(encoding="utf-8"))
    text = text.replace('"runs/demo"', f'"{tmp_path / "runs"}"').replace(
        '"instruments.toml"', f'"{ROOT / "config" / "instruments.toml"}"'
    )
    config = tmp_path / "slow.toml"
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "run.py", "demo", "--config", str(config), "--seconds", "1", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 1
    assert msgspec.json.decode(done.stdout)["fills"] == 0
    assert "demo: nothing was filled: 1 s at 1200 times real speed were too few" in done.stderr


@pytest.mark.long
def test_twenty_seconds_of_demo_bring_twenty_fills(tmp_path: Path) -> None:
    """The bar of issue A."""
    figures = a_demo(tmp_path, 20)
    holds(figures, tmp_path)
    assert figures["fills"] >= 20
    assert figures["buys"]
    assert figures["sells"]


def test_the_demo_of_futu_trades_two_markets_by_push_and_survives_a_cut(tmp_path: Path) -> None:
    """Seven seconds are seven minutes: the socket is cut, subscribed anew, the account read; nothing is lost."""
    figures = a_demo(tmp_path, 7, "futu")
    (row,) = figures["gateways"].values()
    assert figures["fills"] >= 20
    assert row["pushed_fills"] >= 20
    assert min(row["markets"][market] for market in ("hong_kong", "us")) >= 5
    assert row["quotes"] >= 200
    assert (row["denials"]["LOT"], row["denials"]["GATEWAY_PER_ORDER"]) == (1, 1)
    assert figures["denied"] >= 2
    assert row["cuts"] == row["reconnects"] == 1
    assert row["snapshots"] >= 1
    assert (figures["unknown_open"], figures["disputed"], row["unexplained"]) == (0, 0, 0)
    # A million of each, the dollars at 7.78: what is left after a few small trades and their fees.
    assert 8_700_000 < figures["equity"] < 8_800_000


@pytest.mark.parametrize("gateway", ["easyths", "huatai"])
def test_the_demo_of_a_desktop_broker_finds_what_a_late_answer_lost(tmp_path: Path, gateway: str) -> None:
    """A time-out leaves an order unknown; it is found in the list and not sent again. T+1 and an odd lot are denied."""
    figures = a_demo(tmp_path, 12, gateway)
    row = figures["gateways"][gateway]
    assert figures["fills"] >= 5
    assert (figures["unknown_open"], figures["disputed"], figures["resent"], row["unexplained"]) == (0, 0, 0, 0)
    assert figures["unknown_seen"] == figures["unknown_found"] == 1
    assert row["denials"]["LOT"] == row["denials"]["MAX_QTY"] == 1
    assert row["denials"]["SELLABLE"] >= 1
    assert "can be sold from 2026-11-19 09:15" in row["reasons"]["SELLABLE"]
    assert row["quotes"] >= 200


def test_the_demo_of_all_trades_one_strategy_file_at_four_brokers(tmp_path: Path) -> None:
    """Every strategy but the careless one is the same class; each account fills, and one report is written."""
    config = tomllib.loads((ROOT / "config" / "demo-all.toml").read_text(encoding="utf-8"))
    classes = {row["account"]: row["class"] for row in config["strategy"] if row["name"] != "careless"}
    assert set(classes.values()) == {"strategies.dips:Dips"}
    figures = a_demo(tmp_path, 12, "all")
    rows = figures["gateways"]
    assert set(rows) == {"virtual_market", "futu", "easyths", "huatai"}
    assert len(classes) == 4
    assert all(row["fills"] >= 1 for row in rows.values()), {name: row["fills"] for name, row in rows.items()}
    assert figures["denied"] >= 2
    assert (figures["unknown_open"], figures["disputed"], figures["resent"]) == (0, 0, 0)
    assert figures["unknown_found"] == figures["unknown_seen"] >= 1
    assert Path(figures["report"]).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
