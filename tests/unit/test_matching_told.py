"""The fill model of a run is in its journal, and whoever reads one tells of it."""

from pathlib import Path

import msgspec
import pytest

from engine.domain.events import RunStarted
from engine.journal.chain import DECODER
from tests.cli_builders import Shell, a_bar_file


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def test_a_start_of_before_is_read_and_says_nothing_of_its_matching() -> None:
    """Journals written before the field was there."""
    old = {"type": "run", "ts_ns": 5, "mode": "backtest", "data": [], "schema": 1}
    read = DECODER.decode(msgspec.msgpack.encode(old))
    assert isinstance(read, RunStarted)
    assert read.settings == {}


def test_the_model_its_slippage_and_latency_are_told_by_backtest_report_and_parity(
    tmp_path: Path, shell: Shell
) -> None:
    """Set by the command line, read back from the journal, and held against another's."""
    bars = a_bar_file(tmp_path)
    one = ("backtest", "--strategy", "strategies.sma_cross:SmaCross", "--data", bars, "--instrument", "000001.SH")
    one = (*one, "--market", "free", "--set", "fast=3", "--set", "slow=8", "--no-report")
    first = ("--fill", "volume_share", "--fill-set", "share=0.5", "--fill-set", "slippage.model=bps")
    first = (*first, "--fill-set", "slippage.bps=2", "--fill-set", "latency.order=50ms")
    a, b = tmp_path / "a.sqlite3", tmp_path / "b.sqlite3"
    made = shell(*one, *first, "--journal", a, "--json").json
    shell(*one, "--fill", "touch", "--journal", b)
    expected = {
        "model": "volume_share", "share": 0.5, "slippage": {"model": "bps", "bps": 2.0},
        "latency": {"order": "50ms", "cancel": ""},
    }  # fmt: skip
    assert made["matching"] == expected
    assert shell("report", a, "--json").json["matching"] == expected
    said = "fill model volume_share, share = 0.5, slippage.model = bps, slippage.bps = 2.0, latency.order = 50ms"
    assert said in shell("report", a).out.replace("\n", " ")
    rows = shell("parity", a, b, "--json").json["settings"]
    assert rows == [
        {"name": "model", "a": "volume_share", "b": "touch"}, {"name": "share", "a": "0.5", "b": ""},
        {"name": "slippage.model", "a": "bps", "b": ""}, {"name": "slippage.bps", "a": "2.0", "b": ""},
        {"name": "latency.order", "a": "50ms", "b": ""},
    ]  # fmt: skip
    assert "[matching] model differs" in shell("parity", a, b).out
    assert shell("parity", a, a, "--json").json["settings"] == []
