"""What is compiled says the same bits as Python, is used only where it is of this source, and is missed by nobody."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import native
from engine.indicators import smoothing
from engine.native import averages, sources, why_not

ROOT = Path(__file__).parents[2]
FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@pytest.mark.skipif(averages is None, reason=why_not)
@pytest.mark.parametrize("kind", [smoothing.exponential, smoothing.wilder])
@given(first=FLOATS, values=st.lists(FLOATS, min_size=1, max_size=50), period=st.integers(1, 1000))
def test_a_compiled_average_has_the_bits_of_each_step_in_python(
    kind: Any, first: float, values: list[float], period: int
) -> None:
    """Of any doubles, those that are no numbers among them."""
    step, steps = kind(period)
    average, expected = first, []
    for value in values:
        average = step(average, value)
        expected.append(average)
    found = steps(first, np.array(values))
    assert np.array_equal(found, np.array(expected), equal_nan=True)
    assert np.array_equal(np.signbit(found), np.signbit(expected)) or np.isnan(found).any()


@pytest.mark.skipif(averages is None, reason=why_not)
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
        averages.exponential(0.0, 0.5, values, found)


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


LOOK = "from engine import native; print(native.Way is not None, native.averages is not None, native.why_not)"


@pytest.mark.skipif(averages is None, reason=why_not)
def test_what_was_compiled_from_another_source_is_left_alone(tmp_path: Path) -> None:
    """A checkout that was updated and not installed again runs in Python, and says why."""
    assert fresh(house(tmp_path / "same"), LOOK) == "True True"
    told = fresh(house(tmp_path / "other", averages_c="\n/* another */\n"), LOOK)
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
    assert (app.warned, data["pure_python"], len(data["artifacts"])) == ("", False, 2)
    assert fresh(root, LOOK) == "True True"


def test_the_digest_covers_every_c_file() -> None:
    """One that is forgotten could change and nobody would notice."""
    names = {path.name for path in sources.HERE.iterdir() if path.suffix in {".c", ".h"}}
    assert {"short_way.c", "way_in.h", "way_out.h", "way.h", "record.h", "slots.h", "averages.c"} == names
    assert native.sources.digest()
