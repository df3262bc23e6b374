"""A recorded run decides the same again, to the digest; and where it does not, the first difference is named."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import Bar, Quote, Strategy
from engine.chaos import easyths_scenario, futu_scenario, huatai_scenario, scenario
from engine.chaos.schedules import Terrain, draw_schedule
from engine.chaos.wide import WIDE
from engine.domain.errors import JournalError
from engine.domain.events import KillLevel, OrderSubmitted
from engine.entropy import Entropy
from engine.journal.chain import DECODER
from engine.runtime.live import LiveRun
from engine.runtime.recorded import EVENT, Group, Recording
from engine.runtime.recording import Recorder
from tests.live_builders import a_trading_place, trade_until
from tests.replay_builders import (
    FIRST_PORT,
    Recorded,
    a_recorded_flight,
    a_recorded_session,
    rewritten,
)

SCENARIOS: dict[str, Any] = {
    "virtual_market": (scenario.MarketHangar, scenario.schedule_of),
    "futu": (futu_scenario.FutuHangar, futu_scenario.schedule_of),
    "easyths": (easyths_scenario.EasythsHangar, easyths_scenario.SCENARIO.schedule_of),
    "huatai": (huatai_scenario.HuataiHangar, huatai_scenario.SCENARIO.schedule_of),
}


def names_of(recorded: Recorded) -> Counter[str]:
    return Counter(turn.name for turn in Recording(recorded.path).turns())


def faults_of(seed: int, seconds: float) -> Any:
    """Connections of all five servers cut, stalled and refused."""
    ports = tuple(range(FIRST_PORT, FIRST_PORT + 5))
    terrain = Terrain(
        ports=ports, connections=40, exchanges=6, horizon_seconds=seconds, late_seconds=20, server_kinds=()
    )
    return draw_schedule(Entropy(seed).stream("chaos/schedule"), terrain)


# --- the bar ---------------------------------------------------------------------------------------------------------


def holds(folder: Path, seconds: float, seed: int) -> Counter[str]:
    recorded, flown = a_recorded_session(folder, seconds, seed=seed, schedule=faults_of(seed, seconds))
    replayed = recorded.replay()
    assert replayed.difference is None
    assert (replayed.identical, replayed.complete, replayed.unverified) == (True, True, 0)
    assert (replayed.notes, replayed.changed) == ((), ())
    assert replayed.digest == replayed.replayed_digest == flown.result.journal.digest()
    assert flown.fired
    assert {"ths", "ht", "hk", "game"} == set(Recording(recorded.path).header.sheets)
    return names_of(recorded)


def test_a_few_minutes_of_four_brokers_and_faults_replay_to_the_same_digest(tmp_path: Path) -> None:
    """The short form of the bar: prices, answers of four brokers, cut connections; every record and command again."""
    names = holds(tmp_path, 240.0, 8)
    assert min(names[kind] for kind in ("Quote", "Bar", "OrderReport", "AccountObserved", "mark_sent", "sample")) >= 4


@pytest.mark.long
@pytest.mark.parametrize("seed", [5, 6])
def test_an_hour_of_four_brokers_and_faults_replays_to_the_same_digest(tmp_path: Path, seed: int) -> None:
    """The bar: one hour of market time, four gateways, faults."""
    names = holds(tmp_path, 3600.0, seed)
    assert names["OrderReport"] >= 100


@pytest.mark.parametrize(("gateway", "seed"), [("easyths", 1)])
def test_every_life_of_a_killed_engine_replays(tmp_path: Path, gateway: str, seed: int) -> None:
    """Killed at a seam and started again over its journal: each life's recording is held against that journal."""
    lives_replay(tmp_path, gateway, seed, least=2)


@pytest.mark.long
@pytest.mark.parametrize("gateway", SCENARIOS)
@pytest.mark.parametrize("seed", range(20, 32))
def test_flights_of_every_gateway_replay(tmp_path: Path, gateway: str, seed: int) -> None:
    """Quirks, hands, restarts, lost pushes, drills of the operator, kills."""
    lives_replay(tmp_path, gateway, seed, least=1)


def lives_replay(folder: Path, gateway: str, seed: int, *, least: int) -> None:
    hangar, schedule_of = SCENARIOS[gateway]
    lives, flown = a_recorded_flight(hangar, seed, schedule_of(seed), folder)
    assert flown.error is None
    assert len(lives) >= least
    complete = []
    for life in lives:
        replayed = life.replay()
        assert replayed.difference is None
        assert replayed.identical
        assert not replayed.changed
        assert not [note for note in replayed.notes if "not recorded" in note]
        complete.append(replayed.complete)
    # A life that was killed has no end; one that a signal stopped has.
    assert complete[-1]
    assert complete.count(False) <= flown.value.crashes


# --- a small run with everything a strategy may do -------------------------------------------------------------------


async def outside(number: int) -> dict[str, Any]:
    """Something that only the outside knows."""
    return {"number": number, "words": ["a", "b"]}


class Busy(Strategy):
    """Timers, sleeps, calls, bars, limits, cancels, alerts of its own making: all of a strategy's doors."""

    lots = 100

    def on_start(self) -> None:
        self.answers: list[Any] = []
        self.bars = 0
        self.every("1m", self.look)
        self.at("10:01", tz="Asia/Shanghai")

    async def on_quote(self, quote: Quote) -> None:  # type: ignore[override]
        if len(self.answers) < 3 or self.position(quote.instrument) < 300:
            answer = await self.call(outside, len(self.answers))
            self.answers.append(answer["number"])
            self.buy(quote.instrument, self.lots + answer["number"] % 3)
            await self.sleep("10s")

    def look(self) -> None:
        for order in self.working_orders():
            self.cancel(order.client_id)
        self.buy(self.instruments[0], self.lots, (self.ctx.mark(self.instruments[0]) or 0.0) * 0.98)

    def on_timer(self, _timer: Any) -> None:
        self.sell(self.instruments[0], 1_000_000)

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1


class Changed(Busy):
    """``Busy``, and one constant is another."""

    lots = 101


async def _busy_run(folder: Path) -> Recorded:
    recorder = Recorder(folder / "recordings")
    async with a_trading_place() as place:
        limits = {**WIDE, "price_collar": {"max_age": "10m"}}
        run = place.run([Busy], folder / "journal.sqlite3", recorder=recorder, **limits)

        def done() -> bool:
            if run.core.portfolio.fills >= 3 and not run.core.view.latches:
                run.core.manager.latch(KillLevel.HALT, "account:game", "drill", "operator")
            return any(denied.code == "KILLED" for denied in place.denied)

        await trade_until(run, done)
        assert recorder.path is not None
        return Recorded(run.spec, folder / "journal.sqlite3", recorder.path)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """One run, recorded once; no test changes its files."""
    return asyncio.run(_busy_run(tmp_path_factory.mktemp("busy")))


def with_strategy(recorded: Recorded, kind: type[Strategy]) -> Any:
    ((account, strategy),) = recorded.spec.strategies
    return replace(recorded.spec, strategies=((account, replace(strategy, make=kind)),))


def test_timers_calls_sleeps_limits_and_an_operator_replay(busy: Recorded) -> None:
    """Over real sockets and a writer's thread: the digest is the journal's."""
    replayed = busy.replay()
    assert replayed.difference is None
    assert (replayed.identical, replayed.complete, replayed.notes, replayed.changed) == (True, True, (), ())
    names = names_of(busy)
    assert names["CallAnswered"] >= 3
    assert min(names["fire_due"], names["latch"], names["stop"]) >= 1


def test_a_strategy_with_another_constant_is_found_at_its_first_order(busy: Recorded) -> None:
    """One hundred then, one hundred and one now: the command, both sides, the input that led to it, the field."""
    difference = busy.replay(with_strategy(busy, Changed)).difference
    assert difference is not None
    assert difference.recorded is not None
    assert difference.replayed is not None
    assert difference.recorded.name == difference.replayed.name == "SubmitOrder"
    assert difference.replayed.value.quantity - difference.recorded.value.quantity == 1
    assert difference.input_name in {"CallAnswered", "fire_due"}


class Silent(Busy):
    """Hears the same and decides nothing at a quote."""

    async def on_quote(self, quote: Quote) -> None:
        """Nothing."""


class Fails(Busy):
    async def on_quote(self, quote: Quote) -> None:
        raise ValueError("now")


@pytest.mark.parametrize(("kind", "now"), [(Silent, ""), (Fails, "StrategyStopped")])
def test_a_decision_that_only_one_side_takes_is_found(busy: Recorded, kind: type[Strategy], now: str) -> None:
    """Nothing, or a failure, where a strategy asked the outside."""
    difference = busy.replay(with_strategy(busy, kind)).difference
    assert difference is not None
    assert difference.recorded is not None
    assert difference.recorded.name == "CallWanted"
    assert (difference.replayed.name if difference.replayed is not None else "") == now


# --- files that are not whole ----------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.0, 1.0))
def test_a_torn_end_is_cut_and_the_rest_replays(busy: Recorded, tmp_path: Path, share: float) -> None:
    """Cut anywhere behind its header, it is identical as far as it goes, and says that it is not the whole run."""
    data = busy.path.read_bytes()
    first = 16 + int.from_bytes(data[8:12])
    torn = tmp_path / "torn.rec"
    torn.write_bytes(data[: first + int(share * (len(data) - first - 1))])
    replayed = Recorded(busy.spec, busy.journal, torn).replay()
    assert replayed.difference is None
    assert replayed.identical
    assert not replayed.complete


def test_a_recording_that_ends_within_its_header_is_refused(busy: Recorded, tmp_path: Path) -> None:
    """There is nothing to replay."""
    torn = tmp_path / "torn.rec"
    torn.write_bytes(busy.path.read_bytes()[:20])
    with pytest.raises(JournalError, match="before its header"):
        Recording(torn)


def test_a_changed_byte_in_the_middle_is_damage(busy: Recorded, tmp_path: Path) -> None:
    """It is not taken for a torn end."""
    data = bytearray(busy.path.read_bytes())
    data[16 + int.from_bytes(data[8:12]) + 40] ^= 1
    changed = tmp_path / "changed.rec"
    changed.write_bytes(bytes(data))
    with pytest.raises(JournalError, match="was changed"):
        Recorded(busy.spec, busy.journal, changed).replay()


def without(recorded: Recorded, name: str, *, tell: bool) -> Recorded:
    """The recording less its first input of a name; ``tell``: its counts are kept as they were."""
    left = [name]

    def change(group: Group) -> Group:
        at = next((n for n, row in enumerate(group.rows) if row.kind == EVENT and row.name in left), None)
        if at is None:
            return group
        left.clear()
        end = next((n for n in range(at + 1, len(group.rows)) if group.rows[n].kind in (0, 1)), len(group.rows))
        return replace(group, rows=[*group.rows[:at], *group.rows[end:]], inputs=group.inputs - (not tell))

    return Recorded(recorded.spec, recorded.journal, rewritten(recorded.path, change))


def test_an_input_that_is_missing_is_counted(busy: Recorded) -> None:
    """A row that somebody took out is missed, whatever it was."""
    with pytest.raises(JournalError, match="inputs were recorded"):
        without(busy, "Quote", tell=True).replay()


def test_an_answer_that_is_missing_is_found_by_what_it_caused(busy: Recorded) -> None:
    """Even where the counts were mended: the record it made is not made again."""
    dropped = without(busy, "OrderReport", tell=False)
    try:
        difference = dropped.replay().difference
    except JournalError:
        # It was not in the last group: the next group's number gives it away before anything is compared.
        return
    assert difference is not None
    assert difference.recorded is not None
    assert difference.recorded.name == "OrderReport"


def test_a_journal_that_lost_records_is_not_identical(busy: Recorded, tmp_path: Path) -> None:
    """The run ended in order, so its journal must be whole."""
    from engine.control.journal_reading import journal_bodies
    from engine.runtime.verifying import verify

    bodies = list(journal_bodies(busy.journal))
    replayed = verify(Recording(busy.path), busy.spec, bodies[:-3])
    assert not replayed.identical
    assert any("journal is not as it was" in note for note in replayed.notes)


def test_a_record_that_was_changed_is_found(busy: Recorded) -> None:
    """One figure in the journal is another: both sides are shown."""
    from engine.control.journal_reading import journal_bodies
    from engine.runtime.verifying import verify

    bodies = list(journal_bodies(busy.journal))
    at = next(n for n, body in enumerate(bodies) if isinstance(DECODER.decode(body), OrderSubmitted))
    record = DECODER.decode(bodies[at])
    assert isinstance(record, OrderSubmitted)
    bodies[at] = msgspec.msgpack.encode(replace(record, order=replace(record.order, quantity=7)))
    difference = verify(Recording(busy.path), busy.spec, bodies).difference
    assert difference is not None
    assert difference.recorded is not None
    assert (difference.recorded.name, difference.recorded.seq) == ("OrderSubmitted", at + 1)


# --- recording never stands in the way -------------------------------------------------------------------------------


async def _trade(folder: Path, recorder: Recorder, spoil: Callable[[LiveRun], None]) -> tuple[LiveRun, list[str], int]:
    async with a_trading_place() as place:
        limits = {**WIDE, "price_collar": {"max_age": "10m"}}
        run = place.run([Busy], folder / "journal.sqlite3", recorder=recorder, **limits)

        async def observe() -> None:
            await run.ready.wait()
            spoil(run)
            while len(place.fills) < 3:  # noqa: ASYNC110 - the condition is any state of the run
                await anyio.sleep(0.005)
            await anyio.sleep(0.6)
            run.stop("done")

        with anyio.fail_after(30):
            await run.run(observe=observe)
        run.journal.close()
        return run, [alert.text for alert in place.alerts if alert.about == "recording"], len(place.trades())


async def test_a_disk_that_refuses_ends_the_recording_and_not_the_run(tmp_path: Path) -> None:
    """A person is told; what was written before replays and says why it ends."""
    recorder = Recorder(tmp_path / "recordings")

    def spoil(_run: LiveRun) -> None:
        assert recorder._tape is not None
        write, groups = recorder._tape.write, []

        def refuse(kind: bytes, body: bytes) -> None:
            groups.append(kind)
            if len(groups) > 1:
                raise OSError(28, "No space left on device")
            write(kind, body)

        recorder._tape.write = refuse  # type: ignore[method-assign]

    run, alerts, trades = await _trade(tmp_path, recorder, spoil)
    assert trades >= 3
    assert len(alerts) == 1
    assert "No space left on device" in alerts[0]
    assert recorder.path is not None
    replayed = Recorded(run.spec, tmp_path / "journal.sqlite3", recorder.path).replay()
    assert (replayed.identical, replayed.complete) == (True, False)
    assert replayed.inputs >= 5
    assert replayed.unverified >= 3


async def test_a_recording_that_grows_past_its_size_ends(tmp_path: Path) -> None:
    """It removes older ones first, then says that it stops; the run goes on."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("1", "2"):
        (folder / f"2000010{name}T000000-1.rec").write_bytes(b"x" * 900)
    recorder = Recorder(folder, max_bytes=2_000)
    _, alerts, trades = await _trade(tmp_path, recorder, lambda _run: None)
    assert trades >= 3
    assert [path.name for path in folder.glob("2000*")] == []
    assert len(alerts) == 1
    assert "max_mb" in alerts[0]


async def test_a_recording_is_for_its_owner_alone_and_holds_no_secret(tmp_path: Path) -> None:
    """Mode 0600 in a folder of 0700; the password of the gateway is nowhere in it."""
    async with a_trading_place() as place:
        recorder = Recorder(tmp_path / "recordings")
        run = place.run([Busy], tmp_path / "journal.sqlite3", recorder=recorder, price_collar={"max_age": "10m"})
        await trade_until(run, lambda: bool(place.fills))
        assert recorder.path is not None
        assert recorder.path.stat().st_mode & 0o777 == 0o600
        assert recorder.path.parent.stat().st_mode & 0o777 == 0o700
        told = b"".join(body for _, body in Recording(recorder.path).tape.frames())
        assert place.user.password.encode() not in told
        assert b"CY.VSM" in told
