"""``optimize`` as a command: its sample in the docs, the config, mistakes as one sentence each."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from engine.control.optimize_plan import AskedSearch, asked_search, asked_walk
from engine.domain.errors import ConfigError
from engine.runtime.optimize_table import read_optimize_table
from engine.runtime.settings import load_settings
from tests.cli_builders import CONFIG, ROOT, Shell, a_bar_file, a_config
from tests.optimize_builders import a_trader, some_days

PAGE = ROOT / "docs" / "optimize.md"


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def sample(kind: str) -> str:
    """The first block of that kind in the docs."""
    found = re.search(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_the_sample_of_the_docs_runs(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is written, over bars of that name; a page that asks the network for nothing, a table, a document."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(tmp_path)
    a_bar_file(tmp_path, some_days(20))
    argv = shlex.split(sample("sh").replace("\\\n", " "))
    assert argv[:2] == ["python", "run.py"]
    said = shell(*argv[2:])
    assert said.code == 0, said.err
    assert "15 of 15 sets are fit" in said.out
    assert "Deflated Sharpe ratio" in said.out
    assert "过拟合概率" in said.out
    folder = tmp_path / "runs" / "optimize-sma_cross"
    assert len((folder / "sets.csv").read_text().splitlines()) == 16
    page = (folder / "optimize.html").read_text(encoding="utf-8")
    script = get_plotlyjs()
    assert page.count(script) == 1
    assert not re.findall(r"https?://", page.replace(script, ""))
    again = shell(*argv[2:], "--resume", "--json", "--objective", "return")
    document: Any = again.json
    assert document["runs"]["made_now"] == 0
    assert document["objective"] == "total_return"
    assert len(document["sets"]) == 15
    assert document["best"] == document["sets"][0]


def test_the_config_of_the_docs_is_read(tmp_path: Path) -> None:
    """Its table, as it stands there; the command line goes first."""
    path = a_config(tmp_path, CONFIG + sample("toml"))
    load_settings(path)
    table = read_optimize_table(path)
    assert table.ranges == {"fast": "5:50:5"}
    assert table.choices == {"kind": ["a", "b"]}
    wanted = asked_search(AskedSearch(search="random", seed=4), table, "x")
    assert (wanted.search, wanted.seed, wanted.trials) == ("random", 4, 100)
    assert (wanted.objective.name, wanted.objective.min_trades) == ("sharpe", 20)
    walk = asked_walk(AskedSearch(), table)
    assert walk is not None
    assert (walk.train, walk.test) == ("180d", "30d")
    other = asked_walk(AskedSearch(walk_forward="train=9d,test=3d,anchored,warm_up=1d"), table)
    assert other is not None
    assert (other.train, other.anchored, other.warm_up) == ("9d", True, "1d")
    with pytest.raises(ConfigError, match=r"\[optimize\]: there is no key 'sreach'; did you mean search"):
        read_optimize_table(a_config(tmp_path, CONFIG + '[optimize]\nsreach = "grid"'))


MISTAKES = {
    "no range": ([], ["nothing to vary", "--range"]),
    "unknown parameter": (["--range", "fats=1:2:1"], ["--range fats", "did you mean fast"]),
    "out of bounds": (["--range", "fast=1:5:1"], ["fast=1:5:1", ">= 2"]),
    "not a pair": (["--range", "fast"], ["--range 'fast'", "name=value"]),
    "no such search": (["--range", "fast=2:5:1", "--search", "gird"], ["--search gird", "did you mean grid"]),
    "no such objective": (["--range", "fast=2:5:1", "--objective", "sharp"], ["--objective sharp", "sharpe"]),
    "trials of a grid": (["--range", "fast=2:5:1", "--trials", "9"], ["--trials", "random or bayes"]),
    "storage of a grid": (["--range", "fast=2:5:1", "--storage", "sqlite:///x"], ["--storage", "--search bayes"]),
    "walk without test": (["--range", "fast=2:5:1", "--walk-forward", "train=5d"], ["--walk-forward train=5d", "test"]),
    "walk too long": (["--range", "fast=2:5:1", "--walk-forward", "train=90d,test=9d"], ["shorter windows"]),
    "both kinds of workers": (["--range", "fast=2:5:1", "--workers", "1", "--cluster", "tcp://x:1"], ["--workers"]),
    "endless grid": (["--range", "tie=0.001:0.1"], ["needs a step for tie"]),
    "no such file": (["--range", "fast=2:5:1", "--data", "none.csv", "--instrument", "600000.SH"], ["none.csv"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence(shell: Shell, tmp_path: Path, name: str) -> None:
    """Code 2 (1 where a file is at fault), the option and the mend; nothing is written."""
    argv, says = MISTAKES[name]
    data = [] if "--data" in argv else ["--data", a_bar_file(tmp_path, some_days(3)), "--instrument", "600000.SH"]
    said = shell("optimize", a_trader(tmp_path), *data, "--market", "free", "--out", tmp_path / "out", *argv)
    assert said.code in {1, 2}
    assert len(said.err.splitlines()) == 1, said.err
    for part in says:
        assert part in said.err
    assert not (tmp_path / "out").exists()


def test_bars_and_actions_of_a_catalog_are_those_of_a_backtest(shell: Shell, tmp_path: Path) -> None:
    """Two weeks of a series with an ex-date in them: the digest of the backtest of that set; lookahead runs too."""
    catalog, file = tmp_path / "catalog", a_bar_file(tmp_path, some_days(20))
    assert shell("data", "import", file, "--instrument", "600000.SH", "--catalog", catalog).code == 0
    (catalog / "600000.SH" / "actions.csv").write_text("ex_date,cash,bonus\n2026-03-10,0.5,0.3\n", encoding="utf-8")
    from_catalog = [
        "--catalog", catalog, "--instrument", "600000.SH", "--interval", "1m", "--from", "20260304", "--to", "20260318",
        "--market", "free",
    ]  # fmt: skip
    trader = a_trader(tmp_path)
    said = shell(
        "optimize", trader, *from_catalog, "--choice", "fast=3", "--out", tmp_path / "out", "--workers", "1", "--json"
    )  # fmt: skip
    assert said.code == 0, said.err
    best: Any = said.json["best"]
    once = shell("backtest", "--strategy", trader, *from_catalog, "--no-report", "--json").json
    assert best["digest"] == once["digest"]
    assert best["figures"]["fills"] == once["fills"] > 0
    figures = once["statistics"]
    names = ("round_trips", "win_rate", "profit_factor", "exposure", "turnover")
    # What was held over the ex-date was sold as more shares than were bought.
    assert {name: best["figures"][name] for name in names} == {name: figures[name] for name in names}
    looked = shell("lookahead", trader, *from_catalog, "--instants", "1", "--json")
    assert looked.json["clean"] is True, looked.err
