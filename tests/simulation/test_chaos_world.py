"""The simulated world repeats itself, finds hangs, and kills as SIGKILL does."""

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
import pytest

from engine.chaos.faults import CrashFault
from engine.chaos.loop import Deadlock, Hung
from engine.chaos.machine import NotSimulated
from engine.chaos.world import WALL_START_NS, End, World, serve, simulated
from engine.clock import LiveClock
from tests.simulation.chaos_builders import PORT, a_client, a_shop, busy, in_a_shop

ROOT = Path(__file__).parents[2]


def _digest_elsewhere(seed: int, hash_seed: int) -> str:
    command = [sys.executable, "-m", "tests.simulation.chaos_builders", str(seed), str(hash_seed)]
    environ = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("seed", [2, 3])
def test_the_same_seed_gives_the_same_digest_in_every_process(seed: int) -> None:
    """HTTP with time-outs, a push feed and cancelled groups: equal with other hash seeds and addresses."""
    here = simulated(busy, seed=seed)
    assert here.result > 10
    assert any("Timeout" in line for line in here.lines)
    assert here.findings == ()
    assert {_digest_elsewhere(seed, 1), _digest_elsewhere(seed, 77)} == {here.digest}


def test_another_seed_gives_another_digest() -> None:
    """The seed decides latencies and, where it is odd, the order of tasks."""
    assert len({simulated(busy, seed=seed).digest for seed in range(4)}) == 4


def test_shuffling_changes_the_order_of_tasks_that_are_ready_together_and_only_by_the_seed() -> None:
    """Off: first come, first served. On: a drawn order, the same for the same seed."""

    async def race(world: World) -> list[int]:
        order: list[int] = []

        async def run(number: int) -> None:
            await anyio.sleep(1)
            order.append(number)

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(run, number)
        return order

    assert simulated(race, seed=1, shuffle=False).result == list(range(10))
    assert simulated(race, seed=2).result == list(range(10))
    shuffled = simulated(race, seed=1).result
    assert shuffled != list(range(10))
    assert sorted(shuffled) == list(range(10))
    assert simulated(race, seed=1).result == shuffled


def test_waiting_for_ever_is_a_deadlock_that_says_who_waits() -> None:
    """A hang is a finding with names, not a hang."""

    async def wait_for_nobody(_world: World) -> None:
        await anyio.Event().wait()

    with pytest.raises(Deadlock, match=r"1 tasks wait: scenario at .*wait"):
        simulated(wait_for_nobody, seed=1)
    contained = simulated(wait_for_nobody, seed=1, contain=True)
    assert contained.hung
    with pytest.raises(Deadlock):
        _ = contained.result


def test_a_busy_loop_and_an_endless_wait_hit_their_limits() -> None:
    """Neither may run for ever: events are limited, and virtual seconds."""

    async def spin(_world: World) -> None:
        while True:
            await anyio.lowlevel.checkpoint()

    async def doze(_world: World) -> None:
        while True:  # noqa: ASYNC110 - nothing will ever happen
            await anyio.sleep(3600)

    with pytest.raises(Hung, match="busy after 1000 events"):
        simulated(spin, seed=1, events_max=1000)
    with pytest.raises(Hung, match="after 86400 virtual seconds"):
        simulated(doze, seed=1, seconds_max=86400)


def test_time_and_chance_come_from_the_seed_inside_and_from_the_machine_again_outside() -> None:
    """Patches hold for the run and are all taken back."""

    async def look(world: World) -> tuple[object, ...]:
        await anyio.sleep(2.5)
        clocks = world.clock(), LiveClock()
        await clocks[0].sleep(1_000_000_000)
        with pytest.raises(NotSimulated):
            time.sleep(1)  # noqa: ASYNC251 - it must be refused
        return (
            time.time_ns(), time.monotonic(), clocks[0].now_ns, clocks[1].now_ns, world.clock(speed=2).now_ns,
            random.random(), uuid.uuid4(), os.urandom(4), anyio.current_time(),
        )  # fmt: skip

    originals = (
        time.time,
        time.monotonic,
        time.perf_counter,
        time.sleep,
        os.urandom,
        LiveClock.__init__.__kwdefaults__,
    )
    originals = (*originals[:-1], dict(LiveClock.__init__.__kwdefaults__ or {}))
    random.seed(5)
    expected = random.random()
    random.seed(5)
    first, second = simulated(look, seed=8).result, simulated(look, seed=8).result
    assert first == second
    assert first[:5] == (WALL_START_NS + 3_500_000_000, 1003.5, *(WALL_START_NS + 3_500_000_000,) * 3)
    assert simulated(look, seed=9).result[5:8] != first[5:8]
    assert random.random() == expected
    after = (time.time, time.monotonic, time.perf_counter, time.sleep, os.urandom)
    assert (*after, dict(LiveClock.__init__.__kwdefaults__ or {})) == originals


def test_threads_files_names_and_subprocesses_are_refused() -> None:
    """What touches the machine can not be repeated, and says so."""

    async def reach_out(_world: World) -> list[str]:
        loop = asyncio.get_running_loop()
        refused = []
        attempts: list[Callable[[], Awaitable[object]]] = [
            lambda: anyio.to_thread.run_sync(time.time),
            lambda: anyio.run_process(["true"]),
            lambda: loop.create_connection(asyncio.Protocol, "localhost", 80),
            lambda: loop.create_connection(asyncio.Protocol, "127.0.0.1", 80, ssl=True),
            lambda: anyio.wait_readable(0),
        ]
        for attempt in attempts:
            with pytest.raises(NotSimulated) as caught:
                await attempt()
            refused.append(str(caught.value).split(" in the simulation")[0])
        return refused

    before = threading.active_count()
    refused = simulated(reach_out, seed=1).result
    assert refused[0].startswith("a thread (")
    assert refused[1:4] == ["a subprocess", "looking up the host name 'localhost' (use 127.0.0.1)", "TLS"]
    assert threading.active_count() == before


def test_errors_nobody_fetched_are_findings() -> None:
    """A task that dies unnoticed is noticed."""

    async def forget(_world: World) -> None:
        async def fail() -> None:
            raise KeyError("lost")

        asyncio.get_running_loop().create_task(fail(), name="stray")
        await anyio.sleep(1)

    assert simulated(forget, seed=1).findings == ("SimTask exception was never retrieved | KeyError: 'lost' | stray",)


def test_a_killed_process_never_runs_another_line_and_its_peers_see_the_connection_close() -> None:
    """SIGKILL: no finally, no timer, no late write; the port is free and the client sees the end."""

    async def scenario(world: World) -> list[str]:
        said: list[str] = []

        async def engine() -> None:
            async def child() -> None:
                try:
                    while True:
                        await anyio.sleep(1)
                        world.trace("alive")
                finally:
                    said.append("finally of the child")

            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(child)
                    asyncio.get_running_loop().call_later(5, said.append, "timer")
                    await anyio.sleep(100)
            finally:
                said.append("finally of the engine")

        shop = world.start("shop", serve, a_shop([]), PORT)
        process = world.start("engine", engine)
        process.on_death(lambda: said.append(f"died at {world.loop.seconds}"))
        await anyio.sleep(2.5)
        async with a_client() as client:
            async with anyio.create_task_group() as group:

                async def ask() -> None:
                    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                        await client.get("/slow")
                    said.append("the client saw the end")

                group.start_soon(ask)
                await anyio.sleep(1)
                process.crash()
                shop.crash()
            with pytest.raises(httpx.ConnectError):
                await client.get("/slow")
        assert (await process.ended()).how is End.CRASHED
        again = world.start("shop", serve, a_shop([]), PORT)
        await anyio.sleep(0.1)
        async with a_client() as client:
            assert (await client.post("/order")).status_code == 200
        again.stop()
        await again.ended()
        await anyio.sleep(20)
        return list(said)

    outcome = simulated(scenario, seed=4)
    assert outcome.result == ["died at 3.5", "the client saw the end"]
    assert [line.split()[1] for line in outcome.lines] == ["alive"] * 3
    assert outcome.findings == ()


def test_bytes_sent_before_a_crash_arrive_and_bytes_sent_to_the_dead_are_answered_with_a_reset() -> None:
    """The kernel outlives the process: what was handed to it leaves, and it answers for a port that is gone."""

    async def scenario(world: World) -> tuple[bytes, str]:
        async def last_words() -> None:
            async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(b"last words")
                world.processes["speaker"].crash()
                writer.write(b" and more")

            await asyncio.start_server(speak, "127.0.0.1", PORT)
            await anyio.sleep_forever()

        world.start("speaker", last_words)
        await anyio.sleep(1)
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        heard = await reader.read()
        writer.write(b"hello?")
        await anyio.sleep(1)
        writer.write(b"hello?")
        await anyio.sleep(1)
        with pytest.raises(ConnectionError) as caught:
            await writer.drain()
        assert world.network.connections == []
        return heard, type(caught.value).__name__

    outcome = simulated(scenario, seed=2)
    assert outcome.result == (b"last words", "ConnectionResetError")
    assert outcome.findings == ()


def test_a_process_that_kills_itself_at_a_seam_leaves_nothing_after_it() -> None:
    """The planned crash strikes before the write: the request never leaves, and nothing is tidied up."""

    async def visit(world: World, orders: list[str]) -> tuple[object, ...]:
        tidied: list[str] = []

        async def engine() -> None:
            async with a_client() as client:
                try:
                    for number in range(5):
                        await client.post("/order", content=str(number))
                finally:
                    tidied.append("finally")
                    world.trace("a dead process speaks")

        process = world.start("engine", engine)
        ending = await process.ended()
        await anyio.sleep(10)
        return ending.how, ending.down_seconds, process.seams, list(orders), list(tidied)

    def run(seam: int) -> tuple[object, ...]:
        crash = CrashFault(process="engine", start=0, seam=seam, down_seconds=1.5)
        outcome = simulated(in_a_shop(visit), seed=6, schedule=(crash,))
        assert outcome.findings == ()
        assert outcome.fired == {"process.crash": 1}
        assert outcome.lines == ()
        result: tuple[object, ...] = outcome.result
        return result

    assert run(1) == (End.CRASHED, 1.5, 1, [], [])
    booked = [len(run(seam)[3]) for seam in range(1, 12)]  # type: ignore[arg-type]
    assert booked == sorted(booked)
    assert set(booked) >= {0, 1, 2}


def test_a_generator_begun_by_a_process_that_has_killed_itself_is_nobody_s_to_close() -> None:
    """It is suspended for ever with the frame that waits in it; closing it is refused by Python."""

    async def scenario(world: World) -> None:
        async def numbers() -> AsyncIterator[int]:
            await anyio.sleep_forever()
            yield 1

        async def engine() -> None:
            world.processes["engine"].crash()
            async for _ in numbers():
                pass

        await world.start("engine", engine).ended()
        await anyio.sleep(1)

    assert simulated(scenario, seed=8).findings == ()


def test_processes_that_raise_or_leave_tasks_behind_are_findings() -> None:
    """An ending tells how; the run's findings tell that it must not be."""

    async def scenario(world: World) -> list[End]:
        world.start("sleeper", anyio.sleep, 5)
        with pytest.raises(ValueError, match="still alive"):
            world.start("sleeper", anyio.sleep, 5)

        async def fail() -> None:
            raise LookupError("no such thing")

        async def litter() -> int:
            asyncio.get_running_loop().create_task(anyio.sleep(50), name="litter")
            return 3

        endings = [await world.start(name, main).ended() for name, main in (("a", fail), ("b", litter))]
        assert endings[1].result == 3
        return [ending.how for ending in endings]

    outcome = simulated(scenario, seed=1)
    assert outcome.result == [End.RAISED, End.RETURNED]
    assert outcome.findings == (
        "process a died of LookupError: no such thing",
        "process b ended and left task litter running",
    )
