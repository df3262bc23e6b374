"""Runs surfaces on mutated inputs: counts them, holds each to its CPU time, keeps what failed.

A *surface* is a door through which bytes come in. It has good inputs (seeds), a way to break them, and a target that
says in one word what became of an input, or raises: any exception of a target is a finding.
"""

import asyncio
import contextlib
import faulthandler
import heapq
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import anyio
from msgspec import Struct

from engine.domain.errors import GatewayError, SluiceError
from engine.domain.timestamps import SECOND_NS
from tests.fuzz.mutations import Draw, mutated

T = TypeVar("T")
FOUND = Path(__file__).parent / "found"
CPU_SECONDS = 1.0
"""An input that keeps the processor longer is a hang (RELIABILITY 6)."""
WAIT_SECONDS = 36_000.0
"""One that waits this long waits for ever. It costs nothing: time jumps where nobody is busy."""
WAIT_SECONDS_OF_THE_MACHINE = 120.0
"""The same where real sockets are waited for; generous, since the machine may be busy."""
STUCK_SECONDS = 600.0
"""Python can not interrupt a call into C: after so long with a few inputs the run ends, and shows where it was."""
STUCK_INPUTS = 50
FINDINGS_MAX = 8
SENTENCE_MAX = 500


class Hang(BaseException):
    """One input took more than ``CPU_SECONDS`` of processor time."""


class Wrong(AssertionError):
    """An input was read as something that it does not say."""


class Surface:
    """``share``: of the 200,000 inputs of a long run. ``light``: inputs of the run that is always on."""

    name = ""
    share = 0
    light = 0
    uses_sockets = False
    """Then time does not jump."""
    plain = False
    """It runs outside any loop: the target starts one itself."""

    def seeds(self) -> Mapping[str, bytes]:
        """Good inputs by name; asked for after ``open``."""
        raise NotImplementedError

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        return mutated(draw, seed)

    async def open(self, folder: Path) -> None:
        """Whatever is made once for all inputs."""

    async def close(self) -> None:
        """The end of it."""

    async def ready(self) -> None:
        """Before each input, and not in its time."""

    async def run(self, origin: str, data: bytes) -> str:
        """One input; a word for what became of it. ``origin`` names its seed."""
        raise NotImplementedError


class Finding(Struct, frozen=True):
    """An input that was not borne."""

    surface: str
    origin: str
    data: bytes
    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.surface} {self.origin}: {self.what}\n  at {self.where}\n  input {self.data[:300]!r}"


class Tally(Struct):
    """What one run of a surface came to."""

    inputs: int
    words: Counter[str]
    findings: list[Finding]
    cpu_seconds: float


class JumpingLoop(asyncio.SelectorEventLoop):
    """Where nobody is busy, time jumps to the next deadline: for targets without sockets or threads."""

    def __init__(self) -> None:
        super().__init__()
        self._jumped = 0.0

    def time(self) -> float:
        return super().time() + self._jumped

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0].cancelled():
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            heapq.heappop(timers)._scheduled = False
        if not self._ready and timers:  # type: ignore[attr-defined]
            self._jumped += max(0.0, timers[0].when() - self.time())
        super()._run_once()  # type: ignore[misc]


class LoopClock:
    """The engine's clock by the running loop's time, from ``start_ns`` on."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._began = asyncio.get_running_loop().time()

    @property
    def now_ns(self) -> int:
        return self._start_ns + round((asyncio.get_running_loop().time() - self._began) * SECOND_NS)

    def real_seconds(self, duration_ns: int) -> float:
        return duration_ns / SECOND_NS

    async def sleep(self, duration_ns: int) -> None:
        await anyio.sleep(max(duration_ns, 0) / SECOND_NS)

    async def sleep_until(self, ts_ns: int) -> None:
        await self.sleep(ts_ns - self.now_ns)


def run(surface: Surface, inputs: int, seed: int, folder: Path) -> Tally:
    """``fuzz`` in a loop of its own, or in none."""
    if surface.plain:
        return driven(fuzz(surface, inputs, seed, folder))
    with asyncio.Runner(loop_factory=None if surface.uses_sockets else JumpingLoop) as runner:
        return runner.run(fuzz(surface, inputs, seed, folder))


def run_kept(surface: Surface, kept: Mapping[str, Any], folder: Path) -> list[Finding]:
    """``replay`` in a loop of its own, or in none."""
    if surface.plain:
        return driven(replay(surface, kept, folder))
    with asyncio.Runner(loop_factory=None if surface.uses_sockets else JumpingLoop) as runner:
        return runner.run(replay(surface, kept, folder))


def driven(coroutine: Coroutine[Any, Any, T]) -> T:
    """The end of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    raise RuntimeError("a plain surface may not wait")


async def fuzz(surface: Surface, inputs: int, seed: int, folder: Path) -> Tally:
    """Run so many mutated inputs; before them every seed as it is, which has to be borne too."""
    await surface.open(folder)
    tally = Tally(0, Counter(), [], 0.0)
    began = time.process_time()
    try:
        seeds = sorted(surface.seeds().items())
        for origin, data in seeds:
            await _one(surface, origin, data, tally)
        tally.inputs = 0
        tally.words.clear()
        for number in range(inputs):
            if number % STUCK_INPUTS == 0:
                faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True, file=sys.__stderr__)
            origin, data = seeds[number % len(seeds)]
            draw = random.Random(f"{seed}/{surface.name}/{number}")
            await _one(surface, origin, surface.mutate(draw, data), tally)
            if len(tally.findings) >= FINDINGS_MAX:
                break
    finally:
        faulthandler.cancel_dump_traceback_later()
        await surface.close()
    tally.cpu_seconds = time.process_time() - began
    return tally


async def replay(surface: Surface, kept: Mapping[str, Any], folder: Path) -> list[Finding]:
    """Run one input that was found before."""
    await surface.open(folder)
    tally = Tally(0, Counter(), [], 0.0)
    try:
        surface.seeds()
        await _one(surface, kept["origin"], bytes.fromhex(kept["data"]), tally)
    finally:
        await surface.close()
    return tally.findings


async def _one(surface: Surface, origin: str, data: bytes, tally: Tally) -> None:
    tally.inputs += 1
    await surface.ready()
    began = time.process_time()
    try:
        wait = WAIT_SECONDS_OF_THE_MACHINE if surface.uses_sockets else WAIT_SECONDS
        with _processor_limit(), contextlib.nullcontext() if surface.plain else anyio.fail_after(wait):
            word = await surface.run(origin, data)
        if time.process_time() - began > CPU_SECONDS * 2:
            raise Hang(f"{time.process_time() - began:.1f} s of processor time")
        tally.words[word] += 1
    except (Exception, Hang) as error:  # noqa: BLE001 - any exception of a target is a finding
        found = Finding(surface.name, origin, data, f"{type(error).__name__}: {str(error)[:400]}", _where(error))
        if all((found.what[:30], found.where) != (one.what[:30], one.where) for one in tally.findings):
            tally.findings.append(found)


def _where(error: BaseException) -> str:
    """The innermost lines of ours."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/engine/" in frame.filename]
    frames = frames or list(traceback.extract_tb(error.__traceback__))
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames[-4:]))


@contextlib.contextmanager
def _processor_limit() -> Iterator[None]:
    def stop(_signal: int, _frame: Any) -> None:
        raise Hang(f"more than {CPU_SECONDS} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def keep(finding: Finding) -> Path:
    """Write a finding down, to be replayed by every run from now on."""
    kept = {"surface": finding.surface, "origin": finding.origin, "what": finding.what, "data": finding.data.hex()}
    path = FOUND / f"{finding.surface}-{sha256(finding.data).hexdigest()[:12]}.json"
    path.write_text(json.dumps(kept, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")
    return path


def kept_findings() -> list[Path]:
    return sorted(FOUND.glob("*.json"))


def seed_of_run() -> int:
    """``SLUICE_FUZZ_SEED``, or the fixed one."""
    return int(os.environ.get("SLUICE_FUZZ_SEED", "8"))


# --- what an error may look like -------------------------------------------------------------------------------------


def check_sentence(error: SluiceError, secrets: tuple[str, ...] = ()) -> str:
    """The name of an error whose text is one short sentence without secrets or control characters.

    Raises:
        Wrong: it is not.
    """
    text = str(error)
    if isinstance(error, GatewayError) and error.message != text:
        raise Wrong(f"message and text differ: {error.message!r}") from error
    if not text.strip() or len(text) > SENTENCE_MAX:
        raise Wrong(f"a sentence of {len(text)} characters: {text[:80]!r}") from error
    strange = [char for char in text if not char.isprintable()]
    if strange:
        raise Wrong(f"a sentence with {strange[0]!r}: {text[:200]!r}") from error
    if any(secret in text for secret in secrets):
        raise Wrong(f"a secret in {text[:200]!r}") from error
    return type(error).__name__
