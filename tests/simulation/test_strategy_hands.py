"""A strategy stopped, started again, given other parameters while its run goes on: state, books, orders, replay."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import anyio
import httpx
import msgspec
from msgspec.structs import replace

from engine import Quote, Strategy, param
from engine.chaos.wide import WIDE
from engine.clock import LiveClock
from engine.control.api.scopes import Scope
from engine.control.journal_reading import read_journal
from engine.domain.events import KillLevel, RunStarted, StrategyStopped
from engine.domain.ids import StrategyId
from engine.domain.jobs import ParametersChanged, StrategyStarted
from engine.domain.reconciled import OperatorActed
from engine.params import fill_parameters
from engine.runtime.live import LiveRun
from engine.runtime.operator import Operator
from engine.runtime.operator_commands import MISTAKE, NO, Answer, SetParameters, StartStrategy, StopStrategy
from engine.runtime.operator_hands import Hands
from engine.runtime.operator_inbox import INBOX, Inbox, ask
from engine.runtime.recording import Recorder
from engine.strategy import Recovered
from tests.control_builders import Panel, until
from tests.live_builders import ACCOUNT, DEADLINE_SECONDS, TradingPlace, a_trading_place
from tests.replay_builders import Recorded

NAME = StrategyId("Resting")
WHY = {"reason": "drill"}


class Resting(Strategy):
    """Buys ``size`` once, leaves a bid far below, and counts its lives in its state."""

    size: int = param(100, ge=1, le=1_000, doc="units bought first")
    depth: float = param(0.025, gt=0, lt=0.09)
    free: float = param(1.0)
    born: ClassVar[list[tuple[int, Recovered]]] = []
    ended: ClassVar[list[int]] = []

    def on_start(self) -> None:
        if self.size == 13:
            raise ValueError("size 13 brings no luck")
        self.lives, self.bought, self.bid = 1, False, False

    def restore(self, state: Any) -> None:
        self.lives, self.bought = state["lives"] + 1, state["bought"]

    def on_recovered(self, snapshot: Recovered) -> None:
        self.bid = bool(snapshot.working)
        self.born.append((self.size, snapshot))

    def on_stop(self) -> None:
        self.ended.append(self.size)

    def dump(self) -> Any:
        return {"lives": self.lives, "bought": self.bought}

    def on_quote(self, quote: Quote) -> None:
        if not self.bought:
            self.bought = True
            self.buy(quote.instrument, self.size)
        elif self.position(quote.instrument) and not self.bid:
            self.bid = True
            self.buy(quote.instrument, self.size, (quote.ask or quote.bid) * (1 - self.depth))


class Beside(Strategy):
    """Another one, that goes on whatever happens to the first."""

    starts: ClassVar[list[int]] = []

    def on_start(self) -> None:
        self.starts.append(1)
        self.heard = 0

    def on_quote(self, quote: Quote) -> None:
        self.heard += 1


def with_parameters(run: LiveRun, **given: Any) -> None:
    """As a config would give them."""
    (account, spec), *others = run.spec.strategies
    filled = fill_parameters(Resting, given)
    spec = replace(spec, make=lambda: Resting(**filled), parameters=filled)
    run.spec = replace(run.spec, strategies=((account, spec), *others))
    run.seating._rows[spec.name] = (account, spec)


class Desk:
    """A person at a run that goes on."""

    def __init__(self, run: LiveRun) -> None:
        self.run = run
        self.operator = Operator(run.core, {ACCOUNT: "market"}, hands=Hands(run, ()).acts())

    @property
    def strategy(self) -> Resting:
        found = self.run.core.runner.seats[NAME].strategy
        assert isinstance(found, Resting)
        return found

    def rests(self) -> bool:
        """It has bought, and its bid waits."""
        held = self.run.core.portfolio.strategy_quantity(NAME, self.strategy.instruments[0])
        return held > 0 and len(self.run.core.manager.working_of(NAME)) == 1

    async def until(self, done: Callable[[], bool]) -> None:
        with anyio.fail_after(DEADLINE_SECONDS):
            while not done():  # noqa: ASYNC110 - any state of the run
                await anyio.sleep(0.005)

    async def stop(self) -> Answer:
        return await self.operator.do(StopStrategy(strategy=NAME, reason="drill", who="ann"))

    async def start(self) -> Answer:
        return await self.operator.do(StartStrategy(strategy=NAME, reason="drill", who="ann"))

    async def change(self, **values: Any) -> Answer:
        return await self.operator.do(SetParameters(strategy=NAME, values=values, reason="drill", who="ann"))


async def at_the_desk(
    place: TradingPlace,
    folder: Path,
    act: Callable[[Desk], Awaitable[None]],
    *,
    recorder: Recorder | None = None,
    **given: Any,
) -> LiveRun:
    limits: dict[str, Any] = {**WIDE, "price_collar": {"max_age": "10m"}}
    run = place.run([Resting, Beside], folder / "journal.sqlite3", recorder=recorder, **limits)
    with_parameters(run, **given)
    desk = Desk(run)

    async def observe() -> None:
        await run.ready.wait()
        await act(desk)
        run.stop("test done")

    with anyio.fail_after(DEADLINE_SECONDS):
        await run.run(observe=observe)
    run.journal.close()
    return run


async def test_a_stopped_strategy_starts_with_its_state_and_the_run_replays(tmp_path: Path) -> None:
    """Stopped: its bid is withdrawn. Started: a fresh instance with its state and its position, durable and recorded;
    with other parameters while it runs: its bid stays and is handed to it. The recording verifies to the digest."""
    Resting.born.clear()
    Resting.ended.clear()
    Beside.starts.clear()
    recorder = Recorder(tmp_path / "recordings")

    async def act(desk: Desk) -> None:
        await desk.until(desk.rests)
        first, run = desk.strategy, desk.run
        beside: Any = run.core.runner.seats[StrategyId("Beside")].strategy
        assert (await desk.start()).text == "Resting runs already"
        await desk.stop()
        await desk.until(lambda: not run.core.manager.working_of(NAME))
        answer = await desk.start()
        assert (answer.exit_code, run.journal.durable_seq) == (0, run.journal.next_seq - 1)
        assert answer.text == "Resting is started; it has 100 CY.VSM and 0 open orders"
        second = desk.strategy
        assert second is not first
        assert (second.lives, second.bought, second.size) == (2, True, 100)
        await desk.until(desk.rests)
        answer = await desk.change(size="200")
        became = "Resting: size 100 became size 200, until the config's own are edited; it is started anew with them"
        assert answer.text.startswith(became)
        assert (desk.strategy.lives, desk.strategy.size) == (3, 200)
        assert [order.quantity for order in run.core.manager.working_of(NAME)] == [100]
        heard = beside.heard
        await desk.until(lambda: beside.heard > heard)
        assert run.core.runner.seats[StrategyId("Beside")].strategy is beside

    async with a_trading_place() as place:
        run = await at_the_desk(place, tmp_path, act, recorder=recorder)
    (_, started), (size, changed) = Resting.born
    # Of the three instances the first was stopped without a word, the others were asked to end.
    assert (Resting.ended, Beside.starts) == ([100, 200], [1])
    assert (dict(started.positions), list(started.working)) == ({"CY.VSM": 100}, [])
    assert (size, len(changed.working), changed.state) == (200, 1, {"lives": 2, "bought": True})
    ids = [order.request.client_id for order in run.core.manager.orders.values()]
    assert len(ids) == len(set(ids)) >= 3

    records = [record for _, record in read_journal(tmp_path / "journal.sqlite3")]
    acted = [(row.command, row.before, row.after, row.who) for row in records if isinstance(row, OperatorActed)]
    assert acted == [
        ("stop strategy", "running", "stopped", "ann"),
        ("start strategy", "stopped: ann: drill", "running", "ann"),
        ("set parameters", "size 100", "size 200; it is running", "ann"),
    ]
    assert [row.parameters["size"] for row in records if isinstance(row, StrategyStarted)] == [100, 200]
    assert recorder.path is not None
    replayed = Recorded(run.spec, tmp_path / "journal.sqlite3", recorder.path).replay()
    assert replayed.difference is None
    assert (replayed.identical, replayed.complete, replayed.notes, replayed.changed) == (True, True, (), ())


async def test_a_parameter_that_can_not_be_changes_nothing(tmp_path: Path) -> None:
    """Unknown, out of bounds, no number, or refused by ``on_start``: one sentence, no record, the same instance."""

    async def act(desk: Desk) -> None:
        await desk.until(desk.rests)
        first = desk.strategy
        journal = desk.run.journal
        for values, words in (
            ({"sise": 5}, "has no parameter 'sise'; it has: size, depth, free"),
            ({"size": 0}, "parameter size: expected `int` >= 1"),
            ({"size": 5, "depth": "deep"}, "parameter depth: expected"),
            ({"depth": "nan"}, "parameter depth"),
            ({"free": "nan"}, "parameter free: nan is no number; write a finite one"),
            ({"size": 10**30}, "a value is none that JSON and 64 bits can hold"),
            ({"size": 13}, "Resting would not begin with them: ValueError: size 13 brings no luck"),
            ({}, "no parameter is named"),
        ):
            before = journal.next_seq
            answer = await desk.change(**values)
            assert (answer.exit_code, words in answer.text) == (MISTAKE, True), answer.text
            assert "\n" not in answer.text
            changed = [row for seq, row in journal.records() if seq >= before and isinstance(row, ParametersChanged)]
            assert not changed
        assert desk.strategy is first
        assert (await desk.change(size=100)).text == "Resting has these parameters already"
        assert (await desk.operator.do(StartStrategy(strategy="no", reason="x"))).exit_code == MISTAKE
        assert (await desk.operator.do(StartStrategy(strategy=NAME, reason=" "))).exit_code == MISTAKE

    async with a_trading_place() as place:
        await at_the_desk(place, tmp_path, act)
    assert not [r for _, r in read_journal(tmp_path / "journal.sqlite3") if isinstance(r, StrategyStarted)]


async def test_a_latch_stays_and_a_failing_strategy_is_stopped_again(tmp_path: Path) -> None:
    """A start lifts no latch and says which one stands; one that fails as it begins is a no, with the reason."""

    async def act(desk: Desk) -> None:
        await desk.until(desk.rests)
        await desk.stop()
        desk.run.core.manager.latch(KillLevel.HALT, f"strategy:{NAME}", "drill of a halt", "ann")
        answer = await desk.start()
        assert answer.exit_code == 0
        assert "strategy:Resting stays at halt (drill of a halt): resume it to let it trade" in answer.text
        assert desk.run.core.view.latches[f"strategy:{NAME}"].level is KillLevel.HALT
        await desk.stop()
        answer = await desk.change(size=300)
        assert answer.text.endswith(
            "became size 300, until the config's own are edited; it is stopped, and has them when it is started"
        )
        assert desk.strategy.size == 300
        before = Resting.restore
        Resting.restore = lambda _self, state: state["nothing"]  # type: ignore[method-assign, assignment]
        try:
            answer = await desk.start()
        finally:
            Resting.restore = before  # type: ignore[method-assign]
        assert answer.exit_code == NO
        assert "failed as it began and is stopped: KeyError" in answer.text
        assert (await desk.start()).exit_code == 0
        desk.run.stop("over")
        assert (await desk.change(size=5)).text == "the run is beginning or ending; ask again when it trades"

    async with a_trading_place() as place:
        await at_the_desk(place, tmp_path, act)
    stopped = [r for _, r in read_journal(tmp_path / "journal.sqlite3") if isinstance(r, StrategyStopped)]
    assert len(stopped) == 3


async def test_a_stop_by_a_person_holds_over_a_restart_until_a_person_starts_it(tmp_path: Path) -> None:
    """The next run seats it, tells why it rests, and lets it hear nothing; the others begin. A start lasts as well."""

    async def stop(desk: Desk) -> None:
        await desk.until(desk.rests)
        await desk.stop()
        await desk.until(lambda: not desk.run.core.manager.working_of(NAME))

    async def start(desk: Desk) -> None:
        seats = desk.run.core.runner.seats
        assert seats[NAME].stopped.startswith("ann: drill (since ")
        assert not seats[StrategyId("Beside")].stopped
        assert (Resting.born, desk.run.core.manager.working_of(NAME)) == ([], [])
        assert (await desk.start()).exit_code == 0
        assert desk.strategy.lives == 2

    async def runs(desk: Desk) -> None:
        assert not desk.run.core.runner.seats[NAME].stopped

    Resting.born.clear()
    async with a_trading_place() as place:
        for act in (stop, start, runs):
            await at_the_desk(place, tmp_path, act)


async def test_one_that_failed_is_kept_out_of_later_runs_by_a_person_s_stop(tmp_path: Path) -> None:
    """By itself it would begin again with the next run; a second stop changes nothing."""

    async def fails(desk: Desk) -> None:
        await desk.until(desk.rests)
        desk.run.core.runner.halt(NAME, "KeyError: it failed")
        assert (await desk.stop()).text.startswith("Resting is stopped")
        assert (await desk.stop()).text == "Resting is stopped already: KeyError: it failed"

    async def rests(desk: Desk) -> None:
        assert desk.run.core.runner.seats[NAME].stopped.startswith("ann: drill (since ")

    async with a_trading_place() as place:
        for act in (fails, rests):
            await at_the_desk(place, tmp_path, act)


async def test_changed_parameters_outlive_a_restart_until_the_config_is_edited(tmp_path: Path) -> None:
    """The next run has them; one whose config says something else has the config's, tells it once, and so do those
    after it, even where the config is what it was before. Every life replays."""
    seen: list[int] = []
    lives: list[Recorded] = []

    async def life(place: TradingPlace, act: Callable[[Desk], Awaitable[None]], **given: Any) -> LiveRun:
        recorder = Recorder(tmp_path / f"recordings-{len(lives)}")
        run = await at_the_desk(place, tmp_path, act, recorder=recorder, **given)
        assert recorder.path is not None
        lives.append(Recorded(run.spec, tmp_path / "journal.sqlite3", recorder.path))
        return run

    async def change(desk: Desk) -> None:
        """By the inbox, as where no API is served; what is text there is read as the parameter's type."""
        inbox = Inbox(tmp_path / INBOX, desk.operator, desk.run.clock, desk.run.core.bus.publish)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(inbox.run)
            asked = SetParameters(strategy=NAME, values={"size": "200"}, reason="drill", who="ann")
            answer = await ask(tmp_path / INBOX, asked, LiveClock(), DEADLINE_SECONDS)
            tasks.cancel_scope.cancel()
        assert answer is not None
        assert (answer.exit_code, answer.details["parameters"]["size"]) == (0, 200)

    async def look(desk: Desk) -> None:
        seen.append(desk.strategy.size)

    async with a_trading_place() as place:
        await life(place, change)
        for given in ({}, {"size": 50}, {}):
            await life(place, look, **given)
        told = [alert.text for alert in place.alerts if "are dropped" in alert.text]
    assert seen == [200, 50, 100]
    assert len(told) == 1
    assert "parameters a person gave Resting are dropped, and the config's hold" in told[0]
    rows = [row for _, row in read_journal(tmp_path / "journal.sqlite3")]
    assert len([row for row in rows if isinstance(row, RunStarted)]) == 4
    for one in lives:
        replayed = one.replay()
        assert (replayed.difference, replayed.identical) == (None, True)


async def test_the_api_starts_and_changes_over_http(tmp_path: Path) -> None:
    """By token and scope, durable before it is answered, journaled with token and address, told on the stream; a value
    that can not be is 422 with one sentence; a strategy that runs is not started twice."""
    async with a_trading_place() as place:
        panel = Panel(tmp_path, place=place, strategies=[Resting])
        with_parameters(panel.run)
        told: list[str] = []

        async def listen(client: httpx.AsyncClient) -> None:
            async with client.stream("GET", "/api/stream?topics=strategies") as answer:
                async for line in answer.aiter_lines():
                    told.extend([line] if "stopped" in line else [])

        async def observe() -> None:
            await panel.run.ready.wait()
            async with panel.served() as port, anyio.create_task_group() as tasks:
                url, path = f"http://127.0.0.1:{port}", "/api/strategies/Resting"

                def client(*scopes: Scope) -> httpx.AsyncClient:
                    return httpx.AsyncClient(
                        base_url=url, headers={"authorization": f"Bearer {panel.token(*scopes)}"}, timeout=20
                    )

                async with client(Scope.READ, Scope.TRADE) as other:
                    for what, body in (("start", WHY), ("parameters", {"values": {"size": 5}, **WHY})):
                        assert (await other.post(f"{path}/{what}", json=body)).status_code == 403
                async with client(Scope.READ, Scope.RISK_SET) as ours, client(Scope.READ) as reader:
                    tasks.start_soon(listen, reader)
                    refused = await ours.post(f"{path}/parameters", json={"values": {"size": 5_000}, **WHY})
                    assert (refused.status_code, refused.json()["answer"]) == (
                        422, "nothing is changed: Resting: parameter size: expected `int` <= 1000"
                    )  # fmt: skip
                    for body in ({}, {"values": {}, **WHY}, {"values": {"size": 5}}, {"values": 5, **WHY}):
                        assert (await ours.post(f"{path}/parameters", json=body)).status_code == 422
                    assert (await ours.post("/api/strategies/nobody/start", json=WHY)).status_code == 422
                    assert (await ours.post(f"{path}/stop", json=WHY)).status_code == 200
                    started = await ours.post(f"{path}/start", json=WHY)
                    assert (started.status_code, started.json()["details"]["state"]) == (200, "running")
                    assert panel.run.journal.durable_seq == panel.run.journal.next_seq - 1
                    assert (await ours.post(f"{path}/start", json=WHY)).json()["answer"] == "Resting runs already"
                    changed = await ours.post(f"{path}/parameters", json={"values": {"size": 7, "depth": 0.02}, **WHY})
                    assert changed.json()["details"]["parameters"] == {"size": 7, "depth": 0.02, "free": 1.0}
                    view = (await ours.get(path)).json()
                    assert (view["state"], [row["value"] for row in view["parameters"]]) == ("running", [7, 0.02, 1])
                    await until(lambda: len(told) >= 3)
                    tasks.cancel_scope.cancel()
            panel.run.stop("test done")

        with anyio.fail_after(DEADLINE_SECONDS):
            await panel.run.run(observe=observe)
    assert [msgspec.json.decode(line[6:])["stopped"] == "" for line in told] == [False, True, True]
    rows = [row for _, row in panel.run.journal.records() if isinstance(row, OperatorActed)]
    done = [row for row in rows if row.before]
    assert [row.command for row in done] == ["stop strategy", "start strategy", "set parameters"]
    assert all(row.who.startswith("token ") and "at 127.0.0.1" in row.who for row in rows)
    assert (done[-1].before, done[-1].after) == ("size 100, depth 0.025", "size 7, depth 0.02; it is running")
    # What was refused is in the trail as well.
    assert [row.after for row in rows if row.command == "set parameters" and not row.before][:1] == [
        "nothing is changed: Resting: parameter size: expected `int` <= 1000"
    ]
