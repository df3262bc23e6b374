"""``optimize`` with real workers: processes that are killed, a command that is interrupted, a cluster on loopback."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from engine.control import cli_optimize
from engine.control.optimize_local import DEATHS_MAX, LocalPool, local_pool
from engine.control.optimize_run import DOCUMENT, PAGE, TABLE, Finished, Loaded, Prepared, Workers, run
from engine.control.optimize_worker import Task
from tests.cli_builders import ROOT, Shell
from tests.optimize_builders import InlinePool, a_search, a_trader, an_asked, some_days
from tests.postgres_server import free_port

SOUGHT = {"ranges": ("fast=2:6:1", "slow=5:14:3"), "walk_forward": "train=20d,test=10d"}
DEADLINE_SECONDS = 300.0


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def inline(loaded: Loaded, folder: Path) -> bytes:
    """The table as one process makes it."""

    @contextlib.asynccontextmanager
    async def pool(_prepared: Prepared) -> AsyncIterator[Workers]:
        yield InlinePool(loaded.setup)

    run(loaded.prepared, pool, folder, resume=False, progress=lambda _done, _total: None)
    return table(folder)


def table(folder: Path) -> bytes:
    """Sets and walk: the CSV file, and what the JSON document has of the windows."""
    document = msgspec.json.decode((folder / DOCUMENT).read_bytes())
    return (folder / TABLE).read_bytes() + msgspec.json.encode(document["walk_forward"])


def local(
    folder: Path, loaded: Loaded, out: Path, progress: Callable[[LocalPool, int], None], workers: int = 2
) -> tuple[Finished, LocalPool]:
    """Real processes; ``progress`` sees the pool."""
    pools: list[LocalPool] = []
    asked = an_asked(folder)

    @contextlib.asynccontextmanager
    async def pool(prepared: Prepared) -> AsyncIterator[Workers]:
        task = Task(asked=asked, config="", space=prepared.space, mode="auto")
        with anyio.fail_after(DEADLINE_SECONDS):
            async with local_pool(task, workers, dict(os.environ)) as here:
                pools.append(here)
                yield here

    def told(done: int, _total: int) -> None:
        if pools:
            progress(pools[0], done)

    return run(loaded.prepared, pool, out, resume=False, progress=told), pools[0]


def test_a_killed_worker_costs_nothing_but_time(tmp_path: Path) -> None:
    """kill -9 at the third and at the tenth run: both are replaced, and the table is that of one process."""
    loaded = a_search(tmp_path, **SOUGHT)
    expected = inline(loaded, tmp_path / "inline")
    killed: list[int] = []

    def progress(pool: LocalPool, done: int) -> None:
        if done in {3, 10}:
            pid = pool.pids[len(killed) % 2]
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    finished, pool = local(tmp_path, loaded, tmp_path / "out", progress)
    assert len(set(killed)) == 2
    assert pool.restarts >= 2
    assert set(killed).isdisjoint(pool.pids)
    assert table(finished.folder) == expected


DEADLY = '''
import os
import signal

from engine import Strategy, param


class Deadly(Strategy):
    """Kills its process at one value."""

    fast: int = param(1, ge=1, le=9)

    def on_start(self) -> None:
        if self.fast == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        self.bars_of(self.instruments[0])
'''


@pytest.mark.kill
def test_a_set_that_kills_every_worker_is_given_up_and_tried_again_by_resume(shell: Shell, tmp_path: Path) -> None:
    """Three deaths: the set has a reason, the others their figures, and nothing of it is kept."""
    path = tmp_path / "deadly.py"
    path.write_text(DEADLY, encoding="utf-8")
    asked = an_asked(tmp_path, rows=some_days(3), strategy=f"{path}:Deadly")
    argv = [
        "optimize", asked.strategies[0], "--data", asked.data[0], "--instrument", "600000.SH", "--market", "free",
        "--range", "fast=1:3:1", "--objective", "return", "--workers", "1", "--out", tmp_path / "out", "--json",
    ]  # fmt: skip
    said = shell(*argv)
    assert (said.code, said.json["runs"]["lost"]) == (1, 1)
    assert "1 runs came to nothing" in said.err
    sets: Any = said.json["sets"]
    why = {one["parameters"]["fast"]: one["unfit"] for one in sets}
    assert why[1] == why[3] == ""
    assert f"its worker process ended {DEATHS_MAX} times" in why[2]
    assert len((tmp_path / "out" / "results.jsonl").read_bytes().splitlines()) == 3


def test_an_interrupted_command_keeps_what_was_done(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGINT after five runs: code 130 and a sentence; --resume runs the rest, and all files are there."""
    loaded = a_search(tmp_path, **SOUGHT)
    expected = inline(loaded, tmp_path / "inline")
    argv: list[object] = [
        "optimize", a_trader(tmp_path), "--data", tmp_path / "bars.csv", "--instrument", "600000.SH", "--market",
        "free", "--range", "fast=2:6:1", "--range", "slow=5:14:3", "--walk-forward", "train=20d,test=10d", "--workers",
        "1", "--out", tmp_path / "out", "--json",
    ]  # fmt: skip

    @contextlib.contextmanager
    def stopping() -> Iterator[Callable[[int, int], None]]:
        yield lambda done, _total: os.kill(os.getpid(), signal.SIGINT) if done == 5 else None

    with monkeypatch.context() as patch:
        patch.setattr(cli_optimize, "_progress", stopping)
        said = shell(*argv)
    assert said.code == 130
    assert "go on with --resume" in said.err
    kept = len((tmp_path / "out" / "results.jsonl").read_bytes().splitlines()) - 1
    assert 5 <= kept < 20
    assert shell(*argv).code == 2
    said = shell(*argv, "--resume")
    assert said.code == 0
    document: Any = said.json
    assert document["runs"]["made_now"] == document["runs"]["total"] - kept
    assert table(tmp_path / "out") == expected
    assert (tmp_path / "out" / PAGE).stat().st_size > 1_000_000


# --- a cluster -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def a_cluster(folder: Path, workers: int = 2) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and its workers as processes; gives the address and the workers, once they are there."""
    from distributed import Client

    address = f"tcp://127.0.0.1:{free_port()}"
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.dask_{name}", *arguments, "--no-dashboard"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        started.append(subprocess.Popen(command, stdout=log, stderr=log, env=environ, cwd=folder))

    with (folder / "cluster.log").open("wb") as log:
        try:
            start("scheduler", "--host", address)
            for _ in range(workers):
                start("worker", address, "--nthreads", "1", "--no-nanny")
            with Client(address, timeout=DEADLINE_SECONDS, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=DEADLINE_SECONDS)
            yield address, started[1:]
        finally:
            # A worker that is told to end while its scheduler does may wait for it.
            for process in started:
                process.kill()
                process.wait(DEADLINE_SECONDS)


def test_a_cluster_makes_the_same_table(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers that do not have the strategy's file, one killed on the way; where nobody answers, a sentence."""
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install 'sluice[cluster]'")
    monkeypatch.chdir(tmp_path)
    a_trader(tmp_path)
    strategy, away = "trader.py:Trader", tmp_path / "away"
    away.mkdir()
    expected = inline(a_search(tmp_path, strategy=strategy, **SOUGHT), tmp_path / "inline")
    argv: list[object] = [
        "optimize", strategy, "--data", tmp_path / "bars.csv", "--instrument", "600000.SH", "--market", "free",
        "--range", "fast=2:6:1", "--range", "slow=5:14:3", "--walk-forward", "train=20d,test=10d", "--out",
        tmp_path / "out", "--json", "--cluster",
    ]  # fmt: skip
    killed: list[int] = []
    with a_cluster(away) as (address, workers):

        @contextlib.contextmanager
        def killing() -> Iterator[Callable[[int, int], None]]:
            def progress(done: int, _total: int) -> None:
                if done == 4:
                    workers[0].kill()
                    killed.append(done)

            yield progress

        monkeypatch.setattr(cli_optimize, "_progress", killing)
        said = shell(*argv, address)
    assert said.code == 0, said.err
    assert killed == [4]
    assert table(tmp_path / "out") == expected
    shutil.rmtree(tmp_path / "out")
    monkeypatch.setattr("engine.control.optimize_cluster.CONNECT_SECONDS", 1)
    said = shell(*argv, address)
    assert said.code == 2
    assert "no scheduler answers" in said.err
