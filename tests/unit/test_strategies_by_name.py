"""A strategy class by its name, and every way a name can be wrong."""

from pathlib import Path

import pytest

from engine.domain.errors import ConfigError
from engine.runtime.strategies import load_strategy
from tests.cli_builders import ROOT

GOOD = "from engine import Strategy\n\n\nclass Mine(Strategy):\n    pass\n"


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def a_file(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_module_and_a_file_are_both_taken(tmp_path: Path) -> None:
    """``module:Class`` and ``path/to/file.py:Class``."""
    assert load_strategy("strategies.sma_cross:SmaCross").__name__ == "SmaCross"
    assert load_strategy(f"{a_file(tmp_path, GOOD)}:Mine").__name__ == "Mine"


def test_one_file_is_one_class_and_two_files_of_one_name_are_two(tmp_path: Path) -> None:
    """Loading a file twice gives the same class; a file of that name elsewhere gives another."""
    (tmp_path / "other").mkdir()
    one, two = a_file(tmp_path, GOOD), a_file(tmp_path / "other", GOOD)
    assert load_strategy(f"{one}:Mine") is load_strategy(f"{one}:Mine")
    assert load_strategy(f"{one}:Mine") is not load_strategy(f"{two}:Mine")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("strategies.sma_cross", ["module, colon and class"]),
        ("strategies.sma_cross:", ["module, colon and class"]),
        (":SmaCross", ["module, colon and class"]),
        ("strategies.sma_cross:Sma Cross", ["module, colon and class"]),
        ("strategies/sma_cross:SmaCross", ["no module name"]),
        ("../evil:X", ["no module name"]),
        ("strategies.sma_cross:SmaCros", ["no class SmaCros", "did you mean SmaCross?"]),
        ("strategies.sma_cros:SmaCross", ["no module 'strategies.sma_cros'", "did you mean strategies.sma_cross"]),
        ("nowhere.at.all:X", ["no module 'nowhere'", "project's folder"]),
        ("strategies/nothing.py:X", ["no file strategies/nothing.py"]),
        ("strategies.sma_cross:Bar", ["Bar is no strategy", "SmaCross"]),
        ("engine:Strategy", ["Strategy is no strategy"]),
    ],
)
def test_a_wrong_name_is_one_sentence_with_what_was_meant(name: str, words: list[str]) -> None:
    """Form, module, file and class each have their own words."""
    with pytest.raises(ConfigError) as raised:
        load_strategy(name)
    assert "\n" not in str(raised.value)
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\ny = x / 0\n", ["line 2", "ZeroDivisionError: division by zero"]),
        ("def f(:\n    pass\n", ["line 1", "invalid syntax"]),
        ("import not_a_module_at_all\n", ["line 1", "ModuleNotFoundError", "not_a_module_at_all"]),
        ("raise SystemExit(3)\n", ["line 1", "SystemExit"]),
        ("open('not/there')\n", ["line 1", "FileNotFoundError"]),
        ("from engine import Straategy\n", ["line 1", "ImportError", "Straategy"]),
    ],
)
def test_an_error_inside_a_file_names_file_and_line(tmp_path: Path, text: str, words: list[str]) -> None:
    """The author's line, whatever it did."""
    path = a_file(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load_strategy(f"{path}:Mine")
    for word in [str(path), *words]:
        assert word in str(raised.value)


def test_a_file_that_failed_is_read_again_once_mended(tmp_path: Path) -> None:
    """A failed import leaves nothing behind."""
    path = a_file(tmp_path, "1 / 0\n")
    with pytest.raises(ConfigError):
        load_strategy(f"{path}:Mine")
    path.write_text(GOOD * 2, encoding="utf-8")
    assert load_strategy(f"{path}:Mine").__name__ == "Mine"
