"""Indicators, fill models and algorithms of installed packages join by their entry points, or are refused."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import msgspec
import pytest

from engine import ConfigError
from engine.algos.unknown import Unplayed, plays_of
from engine.domain.algos import SubmitAlgo, custom
from engine.domain.commands import Side
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.matching.venue import SHEET
from engine.runtime.plugins import join_plugins
from tests.cli_builders import ROOT, a_bar_file

PACKAGE = """
from decimal import Decimal

import msgspec

from engine.domain.algos import AlgoState
from engine.domain.commands import OrderType


class Midrange:
    inputs, outputs = ("high", "low"), ("midrange",)

    def update(self, high, low):
        return (high + low) / 2

    column = update


class Cheap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    '''Everything at one price. Optimism: boundless.'''

    price: float

    def match(self, buys, limit, leaves, bar):
        return leaves, Decimal(str(self.price))


class Drip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    '''One part after the other, each once the one before has filled.'''

    part: int
    has_exits = False

    def step(self, parent):
        side = parent.command.side
        if parent.filled(side) >= parent.command.quantity:
            parent.finish(AlgoState.FILLED)
        elif not parent.live and parent.room > 0:
            parent.send(min(self.part, parent.room), OrderType.MARKET)

    def listens(self, parent):
        return False

    def hear(self, parent, look):
        return False
"""
POINTS = """
[sluice.indicators]
midrange = tiny:Midrange

[sluice.fill_models]
cheap = tiny:Cheap

[sluice.algos]
drip = tiny:Drip
"""
STRATEGY = """
from engine import Strategy


class Drips(Strategy):
    def on_start(self):
        bars = self.bars_of("000001.SH")
        self.when(bars.close > bars.midrange(), self.enter)
        self.started = 0

    def enter(self, bar):
        self.started += 1
        if self.started == 1:
            self.algo("drip", bar.instrument, 250, part=100)
        elif self.started == 2:
            self.algo("drop", bar.instrument, 100)
        elif self.started == 3:
            self.algo("drip", bar.instrument, 100, parts=5)

    def on_algo(self, event):
        if event.state in ("filled", "rejected"):
            self.log(f"{event.name} {event.state}: {event.reason}")
"""


def installed(folder: Path, points: str = POINTS) -> Path:
    """A package as pip would leave it."""
    info = folder / "tiny-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    (folder / "tiny.py").write_text(PACKAGE, encoding="utf-8")
    return folder


def backtest(folder: Path, site: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    bars = a_bar_file(folder)
    (folder / "drips.py").write_text(STRATEGY, encoding="utf-8")
    command = [
        sys.executable, str(ROOT / "run.py"), "backtest", "--strategy", f"{folder}/drips.py:Drips", "--data", str(bars),
        "--instrument", "000001.SH", "--market", "free", "--no-report", "--json", *more,
    ]  # fmt: skip
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    return subprocess.run(command, capture_output=True, text=True, env=environ, cwd=ROOT, check=False)


def test_an_installed_package_adds_all_three_and_they_are_used_as_those_of_the_house(tmp_path: Path) -> None:
    """An indicator declares, a fill model fills, an algorithm sends part after part; misuse rejects a parent."""
    site = installed(tmp_path / "site")
    said = backtest(tmp_path, site, "--fill", "cheap", "--fill-set", "price=2.5", "--commission", "0")
    assert said.returncode == 0, said.stderr
    told = msgspec.json.decode(said.stdout)
    assert (told["fills"], told["matching"]) == (3, {"model": "cheap", "price": 2.5})
    assert "drip filled" in said.stderr
    assert "drop rejected: there is no algorithm 'drop' here" in said.stderr
    assert "drip rejected: algorithm drip" in said.stderr
    assert "parts" in said.stderr


def test_a_name_that_is_taken_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """One sentence with the package, the name and the mend; exit code 2."""
    site = installed(tmp_path / "site", "[sluice.fill_models]\ntouch = tiny:Cheap\n")
    said = backtest(tmp_path, site)
    assert said.returncode == 2
    assert "tiny (tiny:Cheap) brings 'touch' to sluice.fill_models, and Sluice has one of that name" in said.stderr


@pytest.mark.parametrize(
    ("group", "name", "value", "why"),
    [
        ("sluice.indicators", "sma", "os:getcwd", "Sluice has one of that name"),
        ("sluice.indicators", "crosses_above", "tests.unit.test_plugins:Sound", "the name of something else"),
        ("sluice.indicators", "two-words", "os:getcwd", "letters, digits and _ alone"),
        ("sluice.indicators", "mean", "os:getcwd", "needs the class attributes inputs"),
        ("sluice.fill_models", "fair", "os:getcwd", "is no msgspec Struct with a method match"),
        ("sluice.algos", "drip", "os:getcwd", "is no msgspec Struct with has_exits"),
        ("sluice.algos", "drip", "no_such_module:Drip", "can not be loaded"),
        ("sluice.algos", "drip", "os:no_such_name", "can not be loaded"),
    ],
)
def test_what_is_not_what_its_group_takes_is_refused(group: str, name: str, value: str, why: str) -> None:
    """And nothing is added."""
    with pytest.raises(ConfigError, match=why):
        join_plugins([EntryPoint(name, value, group)])


class Sound:
    """An indicator in form."""

    inputs, outputs = ("value",), ("sound",)
    update = column = staticmethod(abs)


def test_settings_of_an_algorithm_are_what_a_journal_can_hold() -> None:
    """What is not is said at the call; what is not known ends as rejected instead of stopping the engine."""
    with pytest.raises(ConfigError, match="numbers, texts, lists and tables"):
        custom("drip", {"part": object()})
    command = SubmitAlgo(
        client_id=ClientOrderId("s-a1"),
        account=AccountId("a"),
        strategy=StrategyId("s"),
        instrument=InstrumentId("000001.SH"),
        side=Side.BUY,
        quantity=10,
        ts_ns=1,
        algo=custom("gone", {"part": 5, "share": 0.5}),
    )
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=SubmitAlgo)
    assert again == command
    assert again.name == "gone"
    assert isinstance(plays_of(again, SHEET), Unplayed)
