"""Processes of the engine as the tests hold them: started out of a nursery, killed, stopped, waited for."""

import atexit
import functools
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 90.0
START_SECONDS = 300.0
"""Two seconds of imports, on a machine that may have ten other things to do."""


class Ending:
    """How a process ended, or that it was stopped."""

    def __init__(self, told: dict[str, Any], out: Path) -> None:
        self.killed: int | None = told.get("killed")
        self.stopped: int | None = told.get("stopped")
        self.code: int | None = told.get("code")
        self._out = out

    @property
    def said(self) -> str:
        """What it wrote."""
        return self._out.read_text(encoding="utf-8", errors="replace") if self._out.exists() else ""

    def __repr__(self) -> str:
        return f"Ending(killed={self.killed}, stopped={self.stopped}, code={self.code}): {self.said[-3000:]}"


class Engine:
    """One process."""

    def __init__(self, nursery: "Nursery", pid: int, out: Path) -> None:
        self.pid = pid
        self.ended = False
        self._nursery = nursery
        self._out = out

    def send(self, what: signal.Signals) -> None:
        if not self.ended:
            os.kill(self.pid, what)

    def kill(self) -> Ending:
        """kill -9; gives how it really ended, which may have been by itself just before."""
        self.send(signal.SIGKILL)
        return self.wait()

    def wait(self, seconds: float = DEADLINE_SECONDS) -> Ending:
        """
        Raises:
            AssertionError: it did not end, or stop, in time; it is dead now.
        """
        told = self._nursery.ask({"wait": self.pid}, seconds, self.pid)
        ending = Ending(told, self._out)
        self.ended = ending.stopped is None
        return ending


class Nursery:
    """The process that forks; one at a time for a test module is enough."""

    def __init__(self) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._rest = b""
        self._living: dict[int, Engine] = {}
        assert "ready" in self._line(START_SECONDS)

    def start(self, task: str, args: dict[str, Any], out: Path) -> Engine:
        pid = self.ask({"start": task, "args": args, "out": str(out)}, DEADLINE_SECONDS)["pid"]
        engine = self._living[pid] = Engine(self, pid, out)
        return engine

    def ask(self, order: dict[str, Any], seconds: float, pid: int = 0) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        try:
            return self._line(seconds)
        except TimeoutError:
            if pid:
                os.kill(pid, signal.SIGKILL)
                self._line(DEADLINE_SECONDS)
                self._living[pid].ended = True
            raise AssertionError(f"no answer to {order} within {seconds:g} s; {self._said(pid)}") from None

    def close(self) -> None:
        """Nothing it made outlives it."""
        for engine in self._living.values():
            if not engine.ended:
                engine.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(DEADLINE_SECONDS)

    def _said(self, pid: int) -> str:
        engine = self._living.get(pid)
        return repr(Ending({}, engine._out)) if engine is not None else ""

    def _line(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        fd, deadline = self._process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            more = os.read(fd, 65_536)
            assert more, "the nursery has died"
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def a_nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    try:
        yield nursery
    finally:
        nursery.close()


@functools.cache
def the_nursery() -> Nursery:
    """One for all tests of a process: what it has imported is the same for all of them."""
    nursery = Nursery()
    atexit.register(nursery.close)
    return nursery


def until(what: Callable[[], Any], why: str, seconds: float = DEADLINE_SECONDS) -> Any:
    """What a condition gives once it holds; for conditions in other processes, which send no events.

    Raises:
        AssertionError: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError(f"{why}: not within {seconds:g} s")
