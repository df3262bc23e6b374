"""The demo, as a person starts it: two processes, HTTP between them, a fast clock."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
FIGURES = {"orders", "fills", "denied", "unknown_open", "disputed", "equity"}


def a_demo(folder: Path, seconds: float) -> dict[str, Any]:
    """Run it with a data folder of its own; gives the JSON object, the only thing on stdout."""
    text = (ROOT / "config" / "demo.toml").read_text(encoding="utf-8")
    text = text.replace('"runs/demo"', f'"{folder / "runs"}"')
    text = text.replace('"instruments.toml"', f'"{ROOT / "config" / "instruments.toml"}"')
    config = folder / "demo.toml"
    config.write_text(text, encoding="utf-8")
    command = [sys.executable, "run.py", "demo", "--config", str(config), "--seconds", str(seconds), "--json"]
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


@pytest.mark.long
def test_twenty_seconds_of_demo_bring_twenty_fills(tmp_path: Path) -> None:
    """The bar of issue A."""
    figures = a_demo(tmp_path, 20)
    holds(figures, tmp_path)
    assert figures["fills"] >= 20
    assert figures["buys"]
    assert figures["sells"]
