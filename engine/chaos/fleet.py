"""Many flights, spread over worker processes: seeds go out, findings come back a line each."""

import contextlib
import ctypes
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
import msgspec
from anyio.streams.text import TextReceiveStream
from msgspec import Struct

from engine.chaos import all_scenario, easyths_scenario, futu_scenario, huatai_scenario, scenario
from engine.chaos.faults import Schedule
from engine.chaos.schedules import shrink
from engine.clock import cpu_seconds
from engine.domain.errors import SluiceError

MODULE = "engine.chaos.run"
SCENARIOS: dict[str, Any] = {
    "virtual_market": scenario,
    "futu": futu_scenario,
    "easyths": easyths_scenario.SCENARIO,
    "huatai": huatai_scenario.SCENARIO,
    "all": all_scenario,
}
"""Gateway -> the scenario it flies in: ``flown`` and ``schedule_of``."""
GIVE_BACK_EVERY = 8
"""Flights."""


class Finding(Struct, kw_only=True):
    """What one flight came back with. ``copy``: it is the second flight of its seed, to compare digests."""

    seed: int
    digest: str
    accusations: list[str]
    checked: dict[str, int]
    fired: dict[str, int]
    crashes: int
    cpu_seconds: float = 0.0
    copy: bool = False


class Tally:
    """The sum of many findings."""

    def __init__(self) -> None:
        self.findings: dict[int, Finding] = {}
        self.checked: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        self.crashes = 0
        self.compared = 0
        self.unequal: list[int] = []
        self._copies: dict[int, Finding] = {}

    def add(self, finding: Finding) -> None:
        """One more; a copy counts for nothing but its digest."""
        if finding.copy:
            self._copies[finding.seed] = finding
        else:
            self.findings[finding.seed] = finding
            self.checked.update(finding.checked)
            self.fired.update(finding.fired)
            self.crashes += finding.crashes
        twin, first = self._copies.get(finding.seed), self.findings.get(finding.seed)
        if twin is not None and first is not None:
            self.compared += 1
            if twin.digest != first.digest:
                self.unequal.append(finding.seed)

    @property
    def hurt(self) -> int:
        """Flights in which at least one fault happened: the only ones that count."""
        return sum(1 for finding in self.findings.values() if finding.fired)

    @property
    def failed_seeds(self) -> list[int]:
        broken = {seed for seed, finding in self.findings.items() if finding.accusations}
        return sorted(broken | set(self.unequal))

    @property
    def cpu_seconds(self) -> float:
        return sum(finding.cpu_seconds for finding in self.findings.values())

    def count(self, word: str) -> int:
        """Accusations of a kind: ``lost``, ``duplicated``, ``breach``, ``hung``."""
        return sum(1 for finding in self.findings.values() for text in finding.accusations if word in kind_of(text))

    @property
    def other(self) -> int:
        words = ("lost", "duplicated", "breach", "hung")
        texts = [text for finding in self.findings.values() for text in finding.accusations]
        return sum(1 for text in texts if not any(word in kind_of(text) for word in words))


def kind_of(accusation: str) -> str:
    """What stands before the colon."""
    return accusation.partition(":")[0]


def fly_one(
    seed: int, schedule: Schedule | None = None, *, copy: bool = False, gateway: str = "virtual_market"
) -> Finding:
    """Fly a seed here and now; not from inside an event loop."""
    began = cpu_seconds()
    outcome, flight = SCENARIOS[gateway].flown(seed, schedule)
    accusations = list(flight.accusations)
    if not accusations and made_nothing(flight.checked, outcome.fired):
        accusations.append("checked nothing: the flight made no order")
    return Finding(
        seed=seed,
        digest=outcome.digest,
        accusations=accusations,
        checked=dict(flight.checked),
        fired=outcome.fired,
        crashes=flight.crashes,
        cpu_seconds=round(cpu_seconds() - began, 3),
        copy=copy,
    )


def made_nothing(checked: Counter[str], fired: Mapping[str, int]) -> bool:
    """Whether a flight made no order, without an excuse: orders were wanted, and each while its exchange was closed, or
    after a person had pressed the kill switch."""
    # An order that was let through and lost its disk before it was durable was looked at as well.
    pressed = checked["denied while latched"] and fired.get("latch", 0)
    unasked = checked["denied"] or (checked["denied while latched"] and not pressed)
    excused = (checked["denied while closed"] or pressed) and not unasked
    return not (checked["orders"] or checked["prices"] or excused)


def work(errands: str, gateway: str) -> None:
    """A worker's life: fly each seed of ``1,2,3c`` (``c``: a copy) and write a line of JSON for it."""
    for number, errand in enumerate(errands.split(","), start=1):
        finding = fly_one(int(errand.removesuffix("c")), copy=errand.endswith("c"), gateway=gateway)
        sys.stdout.write(msgspec.json.encode(finding).decode() + "\n")
        sys.stdout.flush()
        if number % GIVE_BACK_EVERY == 0:
            _give_back()


def _give_back() -> None:
    """Return to the machine what flights used: glibc keeps freed memory where small pieces are left between."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def errands_of(seeds: Sequence[int], jobs: int, twice_every: int) -> list[list[str]]:
    """Which worker flies what: all of them as much, and a seed that is flown twice is flown by two of them."""
    workers = max(jobs, 2 if twice_every else 1)
    shares: list[list[str]] = [[] for _ in range(workers)]
    for place, seed in enumerate(seeds):
        first, *others = sorted(shares, key=len)
        first.append(str(seed))
        if twice_every and place % twice_every == 0:
            others[0].append(f"{seed}c")
    return [share for share in shares if share]


async def fly_all(
    seeds: Sequence[int],
    *,
    jobs: int,
    twice_every: int,
    heard: Callable[[Finding], None],
    gateway: str = "virtual_market",
) -> None:
    """Fly every seed in ``jobs`` processes at a time, each with a hash seed of its own.

    Raises:
        SluiceError: a worker died.
    """
    limiter = anyio.Semaphore(jobs)

    async def one(number: int, share: Sequence[str]) -> None:
        async with limiter:
            await _listen_to(number, share, heard, gateway)

    async with anyio.create_task_group() as group:
        for number, share in enumerate(errands_of(seeds, jobs, twice_every)):
            group.start_soon(one, number, share)


async def _listen_to(number: int, share: Sequence[str], heard: Callable[[Finding], None], gateway: str) -> None:
    """Start one worker and hand on what it finds."""
    command = [sys.executable, "-m", MODULE, "--worker", ",".join(share), "--gateway", gateway]
    environ = dict(os.environ)  # dst-ok: a child process lives in its parent's environment
    environ["PYTHONHASHSEED"] = str(1 + 7919 * number)
    process = await anyio.open_process(command, env=environ, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    errors: list[str] = []
    stderr = TextReceiveStream(process.stderr)
    async with process, anyio.create_task_group() as group:

        async def listen() -> None:
            async for text in stderr:
                errors.append(text)

        group.start_soon(listen)
        rest = ""
        async for text in TextReceiveStream(process.stdout):
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                heard(msgspec.json.decode(line, type=Finding))
    if process.returncode:
        raise SluiceError(f"a worker died with code {process.returncode}: {''.join(errors)[-2000:]}")


def shrunk(seed: int, runs_max: int, gateway: str = "virtual_market") -> Schedule:
    """The smallest part of a seed's schedule that still breaks a promise of the same kind.

    Raises:
        ValueError: it broke none when flown again here.
    """
    kinds: set[str] = set()

    def fails(schedule: Schedule) -> bool:
        found = {kind_of(text) for text in fly_one(seed, schedule, gateway=gateway).accusations}
        if not kinds:
            kinds.update(found)
        return bool(found & kinds)

    return shrink(SCENARIOS[gateway].schedule_of(seed), fails, runs_max=runs_max)
