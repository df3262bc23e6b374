"""Files for tests of the command line: bars, configs, and a call of ``main`` that gives what was said."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from engine.control.cli import main

ROOT = Path(__file__).parents[1]
HEADER = "time,open,high,low,close,volume"


class Said(Struct, frozen=True):
    """What one call left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """The one object on stdout; anything beside it fails."""
        read: dict[str, object] = msgspec.json.decode(self.out)
        return read


class Shell:
    """Calls ``main`` in this process, in the project's folder."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *argv: object) -> Said:
        self._capsys.readouterr()
        code = main([str(arg) for arg in argv])
        said = self._capsys.readouterr()
        return Said(code, said.out, said.err)


def some_rows(count: int = 240) -> list[str]:
    """Minute bars of a saw tooth, so that averages cross."""
    rows = []
    price = 10.0
    for n in range(count):
        step = 0.05 if (n // 15) % 2 == 0 else -0.05
        close = round(price + step, 2)
        hour, minute = 9 + n // 60, n % 60
        low, high = sorted((price, close))
        rows.append(f"2026-03-02 {hour:02d}:{minute:02d}:00,{price},{high},{low},{close},1000")
        price = close
    return rows


def a_bar_file(
    folder: Path, rows: Sequence[str] | None = None, *, name: str = "bars.csv", header: str = HEADER
) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *(some_rows() if rows is None else rows)]) + "\n", encoding="utf-8")
    return path


INSTRUMENTS = """
[instrument."CY.VSM"]
kind = "game"
market = "virtual"
currency = "COIN"

[instrument."600000.SH"]
market = "free"

[instrument."XX.YY"]
market = "atlantis"
"""

CONFIG = """
[run]
name = "trial"
seed = 3

[gateway.game]
kind = "virtual_market"
base_url = "http://127.0.0.1:8800"

[[account]]
id = "one"
gateway = "game"
currency = "COIN"

[[strategy]]
name = "sma"
class = "strategies.sma_cross:SmaCross"
account = "one"
instruments = ["CY.VSM"]
params = { fast = 5 }
"""


def a_config(folder: Path, text: str = CONFIG, *, instruments: str = INSTRUMENTS) -> Path:
    """The config of that text, with an instruments file beside it."""
    (folder / "instruments.toml").write_text(instruments, encoding="utf-8")
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path
