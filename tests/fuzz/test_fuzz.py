"""Bad input at every door: never a crash, a hang, a traceback to a user, or a wrong order (RELIABILITY 5.1 N13, 6).

A short run is always on; ``pytest -m long tests/fuzz`` runs 200,000 inputs. ``SLUICE_FUZZ_SEED`` takes another seed
than the fixed one. What ever failed is kept in ``found/`` and replayed always.
"""

import json
from pathlib import Path

import pytest

from tests.fuzz.harness import (
    Finding,
    Hang,
    Surface,
    Tally,
    Wrong,
    keep,
    kept_findings,
    run,
    run_kept,
    seed_of_run,
)
from tests.fuzz.surfaces import SURFACES

INPUTS = 200_000
LIGHT_INPUTS = 5_000
BY_NAME = {surface.name: surface for surface in SURFACES}


def judged(surface: Surface, tally: Tally, wanted: int) -> None:
    """Every input ran, none was a finding, and they were not all treated alike: then the target was none."""
    for finding in tally.findings:
        keep(finding)
    assert not tally.findings, "\n".join(map(str, tally.findings))
    assert tally.inputs == wanted
    assert sum(tally.words.values()) == wanted
    assert len(tally.words) > 1, f"{surface.name}: every input ended as {tally.words}"
    print(f"{surface.name}: {tally.inputs} inputs, {dict(tally.words)}, {tally.cpu_seconds:.1f} s")


@pytest.mark.parametrize("name", BY_NAME)
def test_a_few_bad_inputs_are_borne(name: str, tmp_path: Path) -> None:
    """A value that is sane, or one short sentence; within a second of processor time."""
    surface = BY_NAME[name]()
    judged(surface, run(surface, surface.light, seed_of_run(), tmp_path), surface.light)


@pytest.mark.long
@pytest.mark.parametrize("name", BY_NAME)
def test_many_bad_inputs_are_borne(name: str, tmp_path: Path) -> None:
    """The surface's share of 200,000 inputs."""
    surface = BY_NAME[name]()
    judged(surface, run(surface, surface.share, seed_of_run() + 1, tmp_path), surface.share)


@pytest.mark.parametrize("path", kept_findings(), ids=lambda path: path.stem)
def test_what_failed_once_is_borne(path: Path, tmp_path: Path) -> None:
    """Every input that was ever found."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert run_kept(BY_NAME[kept["surface"]](), kept, tmp_path) == []


def test_the_shares_add_up() -> None:
    """200,000 inputs in a long run, 5,000 in the one that is always on, and no two surfaces of a name."""
    assert sum(surface.share for surface in SURFACES) >= INPUTS
    assert sum(surface.light for surface in SURFACES) >= LIGHT_INPUTS
    assert len(BY_NAME) == len(SURFACES)


class Broken(Surface):
    """A target with one fault of each kind."""

    name = "broken"

    def seeds(self) -> dict[str, bytes]:
        return {"crash": b"good", "hang": b"good", "wait": b"good", "wrong": b"good"}

    async def run(self, origin: str, data: bytes) -> str:
        import anyio

        if data == b"good":
            return "read"
        if origin == "crash":
            raise KeyError("somebody forgot")
        if origin == "wrong":
            raise Wrong("read as what it is not")
        if origin == "wait":
            await anyio.sleep_forever()
        while True:
            len(data)


def test_a_crash_a_hang_a_wait_and_a_wrong_reading_are_found(tmp_path: Path) -> None:
    """Each is a finding that names the input; a surface that never ends does not stop the run."""
    tally = run(Broken(), 8, 1, tmp_path)
    kinds = {finding.what.partition(":")[0] for finding in tally.findings}
    assert kinds == {"KeyError", "Wrong", Hang.__name__, "TimeoutError"}
    assert all(isinstance(finding, Finding) and finding.data != b"good" for finding in tally.findings)


def test_the_same_seed_makes_the_same_inputs(tmp_path: Path) -> None:
    """A finding can be made again from surface, seed and number."""
    seen: list[list[bytes]] = []
    for _ in range(2):
        heard: list[bytes] = []

        class Hears(Broken):
            async def run(self, origin: str, data: bytes, heard: list[bytes] = heard) -> str:
                heard.append(data)
                return "read"

        run(Hears(), 40, 5, tmp_path)
        seen.append(heard)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) > 20
