"""``replay`` as a person uses it: over the files that a run of the demo left."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli_builders import ROOT, Shell
from tests.simulation.test_demo import a_demo


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Four seconds of the demo, eighty minutes of market."""
    folder = tmp_path_factory.mktemp("played")
    return folder, a_demo(folder, 4)


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(ROOT)
    return Shell(capsys)


def test_a_demo_is_recorded_and_replays_to_the_same_digest(played: tuple[Path, dict[str, Any]], shell: Shell) -> None:
    """By its data folder or by the file; exit code 0, one object, one sentence."""
    folder, figures = played
    said = shell("replay", folder / "runs", "--verify", "--json")
    told: dict[str, Any] = said.json
    assert said.code == 0
    assert (told["identical"], told["complete"], told["difference"], told["notes"]) == (True, True, None, [])
    assert told["digest"] == told["replayed_digest"]
    assert told["decisions"] > figures["orders"]
    (path,) = (folder / "runs" / "recordings").glob("*.rec")
    again = shell("replay", path, "--verify")
    assert again.code == 0
    assert f"{told['inputs']} inputs, {told['decisions']} decisions, digest {told['digest']}" in again.out


def test_a_recording_is_told_in_counts_and_a_timeline(played: tuple[Path, dict[str, Any]], shell: Shell) -> None:
    """What went in, what was commanded, what was journaled; the sums of the timeline are those of the journal."""
    folder, figures = played
    told: dict[str, Any] = shell("replay", folder / "runs", "--json").json
    assert told["records"]["OrderSubmitted"] == figures["orders"]
    assert sum(row["orders"] for row in told["timeline"]) == figures["orders"]
    assert sum(row["inputs"] for row in told["timeline"]) == sum(told["inputs"].values())
    assert told["inputs"]["Bar"] > 0
    assert told["ended"]
    assert "OrderReport" in shell("replay", folder / "runs").out


def another_config(folder: Path, old: str, new: str) -> Path:
    text = (folder / "demo.toml").read_text(encoding="utf-8")
    assert old in text
    path = folder / "another.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_a_strategy_with_a_changed_constant_is_named_with_both_sides(
    played: tuple[Path, dict[str, Any]], shell: Shell
) -> None:
    """Its code has changed, which is said; the first order that differs is shown, and the exit code is 1."""
    folder, _ = played
    text = (ROOT / "strategies" / "sma_cross.py").read_text(encoding="utf-8")
    (folder / "cross.py").write_text(text.replace("self.size", "(self.size + 7)"), encoding="utf-8")
    config = another_config(folder, "strategies.sma_cross:SmaCross", f"{folder}/cross.py:SmaCross")
    said = shell("replay", folder / "runs", "--verify", "--config", config, "--json")
    told: dict[str, Any] = said.json
    assert said.code == 1
    assert not told["identical"]
    assert any(text.startswith("the code of strategy") for text in told["changed"])
    difference = told["difference"]
    assert difference["recorded"]["kind"] == difference["replayed"]["kind"] == "SubmitOrder"
    assert difference["replayed"]["quantity"] - difference["recorded"]["quantity"] == 7
    assert difference["fields"] == ["quantity"]
    shown = shell("replay", folder / "runs", "--verify", "--config", config)
    assert shown.code == 1
    (marked,) = (line for line in shown.out.splitlines() if "≠" in line)
    assert "quantity" in marked
    assert str(difference["recorded"]["quantity"]) in marked
    assert str(difference["replayed"]["quantity"]) in marked
    assert f"input {difference['turn']} at" in shown.out


def test_a_changed_limit_is_said_and_judged_by_what_it_does(played: tuple[Path, dict[str, Any]], shell: Shell) -> None:
    """A limit that denies nothing more leaves every decision as it was; the hash of the limits still differs."""
    folder, _ = played
    config = another_config(folder, 'max_age = "30m"', 'max_age = "31m"')
    said = shell("replay", folder / "runs", "--verify", "--config", config, "--json")
    told: dict[str, Any] = said.json
    assert said.code == 1
    assert "the config: config_hash of the run's first record" in told["changed"]
    assert told["digest"] != told["replayed_digest"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder, "there is no recording"),
        (lambda folder: folder / "none.rec", "there is no such file"),
        (lambda folder: folder / "other.rec", "is no recording"),
    ],
)
def test_what_is_no_recording_is_one_sentence(tmp_path: Path, shell: Shell, make: Any, words: str) -> None:
    """Exit code 2, and what to do."""
    (tmp_path / "other.rec").write_bytes(b"something else")
    said = shell("replay", make(tmp_path), "--verify", "--json")
    assert said.code == 2
    assert words in said.err
    assert words in msgspec.json.decode(said.out)["error"]


def test_a_recording_beside_another_journal_is_refused(played: tuple[Path, dict[str, Any]], shell: Shell) -> None:
    """A second run's recording begins behind records the journal must hold."""
    folder, _ = played
    (path,) = (folder / "runs" / "recordings").glob("*.rec")
    said = shell("replay", path, "--verify", "--journal", folder / "demo.toml")
    assert said.code == 2
    assert "is no journal" in said.err
