"""Builders for tests of recordings: live runs in virtual time that are written down, and their replays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
from msgspec.structs import replace

from engine.chaos import flying
from engine.chaos.disk import SimJournal
from engine.chaos.faults import Schedule
from engine.chaos.flying import fly
from engine.chaos.hangar import Hangar
from engine.chaos.world import Outcome, World, simulated
from engine.control.cli_demo import _pointed, credentials_of
from engine.control.cli_simulate import simulators
from engine.control.journal_reading import journal_bodies
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.journal.tape import TapeReader, TapeWriter
from engine.runtime.live import LiveRun
from engine.runtime.live_settings import live_spec
from engine.runtime.live_spec import LiveSpec
from engine.runtime.recorded import GROUP, Group, Recording
from engine.runtime.recording import Recorder
from engine.runtime.settings import Settings, load_settings
from engine.runtime.turns import Turns
from engine.runtime.verifying import Outcome as Replayed
from engine.runtime.verifying import verify
from engine.simulators import simulate

ROOT = Path(__file__).parents[1]
FIRST_PORT = 9100


class Recorded(msgspec.Struct):
    """A run that was written down: what it was made of, its journal, its recording."""

    spec: LiveSpec
    journal: Path
    path: Path

    def replay(self, spec: LiveSpec | None = None) -> Replayed:
        return verify(Recording(self.path), spec or self.spec, list(journal_bodies(self.journal)))


def rewritten(path: Path, change: Callable[[Group], Group]) -> Path:
    """The recording again, each of its groups put through ``change``; beside the first, every sum made anew."""
    copy = path.with_name(f"changed-{path.name}")
    copy.unlink(missing_ok=True)
    tape = TapeWriter(copy)
    for kind, body in TapeReader(path).frames():
        group = change(msgspec.msgpack.decode(body, type=Group)) if kind == GROUP else None
        tape.write(kind, body if group is None else msgspec.msgpack.encode(group))
    tape.close()
    return copy


def four_brokers(folder: Path) -> Settings:
    """The config of ``demo --gateway all``: four accounts, five strategies, late answers; its files in a folder."""
    text = (ROOT / "config" / "demo-all.toml").read_text(encoding="utf-8")
    text = text.replace('"runs/demo-all"', f'"{folder / "runs"}"')
    text = text.replace('"instruments.toml"', f'"{ROOT / "config" / "instruments.toml"}"')
    path = folder / "demo-all.toml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path)


def a_recorded_session(
    folder: Path,
    seconds: float,
    *,
    seed: int = 5,
    schedule: Schedule = (),
    change: Callable[[LiveSpec], LiveSpec] = lambda s: s,
) -> tuple[Recorded, Outcome[LiveRun]]:
    """All four brokers' simulators and the whole engine in virtual time for so many seconds of market."""
    settings = four_brokers(folder)
    faces: Any = simulators(list(settings.simulators), settings.path, {}, settings.run.seed)
    ports = {name: FIRST_PORT + number for number, name in enumerate(faces)}
    gateways = {
        name: replace(row, settings=_pointed(row.settings, f"http://127.0.0.1:{ports[row.kind]}"))
        for name, row in settings.gateways.items()
    }
    settings = replace(settings, gateways=gateways)
    spec = replace(live_spec(settings, mode="simulation"), threads=False, run_tag=f"t{seed}")
    journal = folder / "journal.sqlite3"
    recorder = Recorder(folder / "recordings", threads=False)

    async def trade(world: World) -> LiveRun:
        start_ns = settings.start_ns or 0
        clock = world.clock(start_ns=start_ns)
        serving = world.start("brokers", lambda: simulate(faces, clock=clock, entropy=Entropy(seed), ports=ports))
        await anyio.sleep(1.0)
        mine = world.clock(start_ns=start_ns + SECOND_NS)
        around = Surroundings(clock=mine, entropy=Entropy(seed + 1), environ=credentials_of(settings))
        run = LiveRun(
            spec,
            clock=mine,
            journal=SimJournal(journal, world),
            gateways={name: row.settings.open(around) for name, row in settings.gateways.items()},
            turns=Turns(mine, recorder),
        )

        async def observe() -> None:
            await anyio.sleep(seconds)
            world.heal()
            run.stop("time")

        async def life() -> None:
            await run.run(observe=observe)

        await world.start("engine", life).ended()
        run.journal.close()
        serving.stop()
        await serving.ended()
        return run

    outcome = simulated(trade, seed=seed, schedule=schedule, seconds_max=1e6)
    assert recorder.path is not None
    return Recorded(spec, journal, recorder.path), outcome


def a_recorded_flight(
    kind: type[Hangar], seed: int, schedule: Schedule, folder: Path
) -> tuple[list[Recorded], Outcome[Any]]:
    """A flight of the chaos fleet with every life of its engine written down."""
    lives: list[tuple[LiveSpec, Recorder]] = []

    def recorded(spec: LiveSpec, **rest: Any) -> LiveRun:
        recorder = Recorder(folder / "recordings", threads=False)
        lives.append((spec, recorder))
        return LiveRun(spec, turns=Turns(rest["clock"], recorder), **rest)

    async def scene(world: World) -> Any:
        return await fly(world, folder, kind)

    before = flying.LiveRun
    flying.LiveRun = recorded  # type: ignore[assignment, misc]
    try:
        outcome = simulated(scene, seed=seed, schedule=schedule, seconds_max=4 * 3600, contain=True)
    finally:
        flying.LiveRun = before  # type: ignore[misc]
    journal = folder / "journal.sqlite3"
    return [Recorded(spec, journal, made.path) for spec, made in lives if made.path is not None], outcome
