"""What is compiled says the same bits as Python, is used only where it is of this source, and is missed by nobody."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.indicators import smoothing
from engine.indicators.cross import Cross
from engine.indicators.ema import Ema
from engine.indicators.sma import Sma
from engine.native import Bars, columns, why_not
from engine.runtime import replay
from tests.builders import askew, nothing_compiled

ROOT = Path(__file__).parents[2]
FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)


KINDS: dict[str, Callable[[int], Any]] = {
    "sma": Sma,
    "ema": Ema,
    "wilder": lambda period: smoothing.Smoothing(period, smoothing.wilder(period)),
    "cross": lambda period: Cross(0.01 * period),
}


@pytest.mark.parametrize("name", list(KINDS))
@given(
    batches=st.lists(st.lists(st.one_of(FLOATS, st.floats(9, 11)), max_size=30), min_size=1, max_size=4),
    period=st.integers(1, 12),
)
def test_an_indicator_has_the_same_bits_value_by_value_and_by_column_compiled_or_not(
    name: str, batches: list[list[float]], period: int
) -> None:
    """Of any doubles, those that are no numbers among them, and wherever a batch ends."""
    others = 2 if name == "cross" else 1
    by_value, python, compiled = (KINDS[name](period) for _ in range(3))
    for batch in batches:
        values = [np.array(batch), np.array(batch[::-1])][:others]
        expected = np.array([by_value.update(*row) for row in zip(*(one.tolist() for one in values), strict=True)])
        with nothing_compiled(), np.errstate(all="ignore"):
            assert same_bits(python.column(*values), expected)
        assert same_bits(compiled.column(*[askew(one) for one in values]), expected)


def same_bits(one: Any, other: Any) -> bool:
    """All NaN are one."""
    told = np.array_equal(one, other, equal_nan=True)
    known = ~np.isnan(one)
    return told and np.array_equal(np.signbit(one[known]), np.signbit(other[known]))


@pytest.mark.skipif(columns is None, reason=why_not)
@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.zeros(3), np.zeros(2)),
        (np.zeros(3, dtype=np.float32), np.zeros(3)),
        (np.zeros(3), np.zeros(3, dtype=np.int64)),
        (np.zeros(6)[::2], np.zeros(3)),
        ([0.0], np.zeros(1)),
    ],
)
def test_a_compiled_average_refuses_what_it_would_misread(values: Any, found: Any) -> None:
    """Other lengths, other types, gaps: an exception, and nothing is read past an end."""
    with pytest.raises((ValueError, TypeError, BufferError)):
        columns.exponential(0.0, 0.5, values, found)
    with pytest.raises((ValueError, TypeError, BufferError)):
        columns.means(0.0, 0.0, 1, np.zeros(2), np.zeros(2), values, found)
    with pytest.raises((ValueError, TypeError, BufferError)):
        columns.crosses(0.0, 0.0, values, np.zeros(3), found)


@pytest.mark.skipif(columns is None, reason=why_not)
@pytest.mark.parametrize(("begun", "block", "left"), [(3, 2, 2), (-1, 2, 2), (1, 2, 3), (0, 0, 0)])
def test_a_compiled_mean_refuses_a_window_that_can_not_be(begun: int, block: int, left: int) -> None:
    """It would read past the end of one."""
    with pytest.raises(ValueError, match=r"known|length"):
        columns.means(0.0, 0.0, begun, np.zeros(block), np.zeros(left), np.zeros(3), np.zeros(3))


NAME = InstrumentId("600000.SH")
SAMPLE = Bar(NAME, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 60)


@pytest.mark.skipif(columns is None, reason=why_not)
@given(rows=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), *[FLOATS] * 5), max_size=20))
def test_a_compiled_bar_is_a_bar(rows: list[tuple[Any, ...]]) -> None:
    """Of any numbers: the same bits, equal bars, and a sample that is only looked at."""
    columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.zeros(0, np.int64), *[np.zeros(0)] * 5]
    columns[0].sort()
    rows = [(ts_ns, *prices) for ts_ns, (_, *prices) in zip(columns[0].tolist(), rows, strict=True)]
    made = list(Bars(*columns, samples=(SAMPLE,)))
    expected = [Bar(NAME, ts_ns, *prices, 60) for ts_ns, *prices in rows]
    assert repr(made) == repr(expected)
    assert Bar(NAME, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 60) == SAMPLE


OTHERS = tuple(Bar(InstrumentId(f"{n:06d}.SH"), 0, 0.0, 0.0, 0.0, 0.0, 0.0, 60 * n) for n in (1, 2, 3))


@pytest.mark.skipif(columns is None, reason=why_not)
@given(sources=st.lists(st.integers(0, 2), min_size=1, max_size=30), keep=st.integers(1, 4))
def test_compiled_bars_of_several_sources_are_those_python_makes(sources: list[int], keep: int) -> None:
    """Each of its own instrument and length, kept or not."""
    count = len(sources)
    given = [np.arange(count), *np.arange(5.0 * count).reshape(5, count)]
    terms: Any = {"samples": OTHERS, "source": np.array(sources, np.int64)}
    python = list(replay._Rows(*given, **terms))
    assert [bar.instrument for bar in python] == [OTHERS[k].instrument for k in sources]
    assert list(Bars(*given, **terms)) == python
    told = [repr(bar) for k, bar in enumerate(Bars(*given, **terms)) if k % keep == 0]
    assert told == [repr(bar) for bar in python[::keep]]


@pytest.mark.skipif(columns is None, reason=why_not)
@pytest.mark.parametrize("source", [[0, 1, 3], [0, -1, 0], [0, 1], [0.0, 1.0, 2.0], [2**40, 0, 0]])
def test_compiled_bars_refuse_rows_of_a_source_there_is_not(source: list[Any]) -> None:
    """A number past the samples, below none, for too few rows, or of no whole number; and samples that are none."""
    given = [np.arange(3), *[np.zeros(3)] * 5]
    with pytest.raises((ValueError, TypeError)):
        Bars(*given, samples=OTHERS, source=np.array(source))
    for samples in ((), (SAMPLE, 1), [SAMPLE], None):
        with pytest.raises(TypeError):
            Bars(*given, samples=samples)


@pytest.mark.skipif(columns is None, reason=why_not)
@given(times=st.lists(st.integers(0, 60), min_size=1, max_size=30, unique=True).map(sorted), data=st.data())
def test_compiled_bars_know_how_many_come_before_an_instant(times: list[int], data: st.DataObject) -> None:
    """As the way in Python does, wherever one is in them, and whatever was asked before."""
    columns = [np.array(times, np.int64), *[np.zeros(len(times))] * 5]
    compiled, python = Bars(*columns, samples=(SAMPLE,)), replay._Rows(*columns, samples=(SAMPLE,))
    taken, now_ns = iter(python), -1
    while now_ns < times[-1]:
        due_ns = data.draw(st.integers(0, 62))
        ahead = compiled.ahead(now_ns, due_ns)
        assert ahead == python.ahead(now_ns, due_ns) == sum(now_ns < one < due_ns for one in times)
        for _ in range(data.draw(st.integers(1, max(1, ahead)))):
            now_ns = next(compiled).ts_ns
            assert now_ns == next(taken).ts_ns
    assert (list(compiled), compiled.ahead(now_ns, 99)) == ([], 0)


@pytest.mark.skipif(columns is None, reason=why_not)
@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("wrong", [np.zeros(2), np.zeros(3, np.float32), np.zeros(6)[::2], askew(np.zeros(3)), [0.0]])
def test_compiled_bars_refuse_what_they_would_misread(place: int, wrong: Any) -> None:
    """Other lengths, other types, gaps, a column askew, integers for prices: no bar at all."""
    given: list[Any] = [np.zeros(3, np.int64), *[np.zeros(3)] * 5]
    given[place] = wrong if place else np.zeros(3)
    with pytest.raises((ValueError, TypeError, BufferError)):
        Bars(*given, samples=(SAMPLE,))
    with pytest.raises((ValueError, TypeError)):
        Bars(*given[:5], samples=(SAMPLE,))


def fresh(root: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def house(root: Path, **changed: str) -> Path:
    """``engine/native`` alone, as a package; ``changed``: files with another text at their end."""
    place = root / "engine" / "native"
    shutil.copytree(ROOT / "engine" / "native", place)
    (root / "engine" / "__init__.py").touch()
    for name, more in changed.items():
        path = place / name.replace("_c", ".c")
        path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    return root


LOOK = "from engine import native; print(native.Way is not None, native.columns is not None, native.why_not)"


@pytest.mark.skipif(columns is None, reason=why_not)
def test_what_was_compiled_from_another_source_is_left_alone(tmp_path: Path) -> None:
    """A checkout that was updated and not installed again runs in Python, and says why."""
    assert fresh(house(tmp_path / "same"), LOOK) == "True True"
    told = fresh(house(tmp_path / "other", columns_c="\n/* another */\n"), LOOK)
    assert told == "False False compiled from another source: install again (pip install -e .)"


def test_without_anything_compiled_the_engine_runs_in_python(tmp_path: Path) -> None:
    """And says what would make it quicker."""
    root = house(tmp_path)
    for built in (*root.rglob("*.so"), *root.rglob("*.pyd")):
        built.unlink()
    told = fresh(root, LOOK)
    assert told == "False False not compiled: install again (pip install -e .) where there is a C compiler"


def test_the_build_compiles_where_it_can_and_goes_on_where_it_can_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook of the wheel: files beside their source; or a warning, and a wheel of pure Python."""
    sys.path.insert(0, str(ROOT))
    try:
        from hatch_build import Compiles
    finally:
        sys.path.remove(str(ROOT))

    class App:
        warned: str = ""

        def display_warning(self, text: str) -> None:
            self.warned += text

    def built(root: Path) -> tuple[dict[str, Any], App]:
        app, data = App(), {"artifacts": []}
        hook = Compiles(str(root), {}, None, None, str(root / "dist"), "wheel", app)  # type: ignore[arg-type]
        hook.initialize("standard", data)
        return data, app

    root = house(tmp_path / "with")
    for file in root.rglob("*.so"):
        file.unlink()
    monkeypatch.setenv("CC", "no-such-compiler")
    data, app = built(root)
    assert (data, "not compiled" in app.warned) == ({"artifacts": []}, True)
    monkeypatch.delenv("CC")
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler here")
    data, app = built(root)
    assert (app.warned, data["pure_python"], len(data["artifacts"])) == ("", False, 3)
    assert fresh(root, LOOK) == "True True"
