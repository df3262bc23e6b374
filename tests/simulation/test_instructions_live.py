"""Instructions through a live run, to a broker that answers by a script: what leaves, when, and what is made of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine import InstructionReport, InstructionState, OrderDenied, Strategy
from engine.clock import LiveClock
from engine.domain.errors import BadMessage, GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.events import InstructionSent, InstructionSubmitted, KillLevel
from engine.domain.ids import ClientOrderId, StrategyId
from engine.domain.instructions import Action, CancelConditions, ReverseRepo, SubmitInstruction, SubscribeIpo
from engine.domain.market import Quote
from engine.domain.timestamps import HOUR_NS, SECOND_NS, parse_time
from engine.journal.sqlite import SqliteJournal
from engine.markets.china_a import ChinaA
from engine.markets.free import Free
from engine.runtime.live import LiveRun
from strategies.daily_ipo import DailyIpo
from tests.instruction_builders import (
    BANK,
    BROKER,
    MORNING_NS,
    REPO,
    ScriptedBroker,
    a_condition,
    a_live_run,
    a_stop,
    an_instruction,
)
from tests.live_builders import DEADLINE_SECONDS

UNKNOWN, STANDING, DONE = InstructionState.UNKNOWN, InstructionState.STANDING, InstructionState.DONE
ENDED, NOT_PLACED = InstructionState.ENDED, InstructionState.NOT_PLACED
LOAN = ReverseRepo(amount=10_000)
COST = Decimal(10_003)


def a_broker(speed: float = 200, start_ns: int = MORNING_NS, **terms: Any) -> ScriptedBroker:
    return ScriptedBroker(LiveClock(speed=speed, start_ns=start_ns), **terms)


def raises(error: Exception) -> Callable[[SubmitInstruction], InstructionState]:
    def script(_instruction: SubmitInstruction) -> InstructionState:
        raise error

    return script


def says(state: InstructionState) -> Callable[[SubmitInstruction], InstructionState]:
    return lambda _instruction: state


@asynccontextmanager
async def trading(run: LiveRun) -> AsyncIterator[None]:
    """Inside the block the run trades; at its end it is stopped in good order."""
    with anyio.fail_after(DEADLINE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.run)
            await run.ready.wait()
            yield
            run.stop("test done")
    run.journal.close()


async def until(done: Callable[[], bool]) -> None:
    while not done():  # noqa: ASYNC110 - the condition is any state of the run
        await anyio.sleep(0.002)


def instruct(run: LiveRun, action: Action, number: int = 1, strategy: str = "s") -> None:
    """As strategy ``s``, which a run without any lets pass.

    A condition is of a bank whose price is 10, a loan is the one-day repo.
    """
    now_ns = run.clock.now_ns
    run.core.bus.publish(Quote(BANK, now_ns, 10.0, 10.0))
    instrument = REPO if isinstance(action, ReverseRepo) else BANK
    terms = {"account": BROKER, "instrument": instrument, "ts_ns": now_ns, "strategy": StrategyId(strategy)}
    run.core.bus.publish(an_instruction(action, number, **terms))


def state(run: LiveRun, number: int = 1) -> InstructionState:
    return run.core.instructions.state(ClientOrderId(f"s-i{number}"))


def available(run: LiveRun) -> Decimal:
    return run.core.portfolio.accounts[BROKER].available_cash("CNY")


def rows(journal: Path) -> list[str]:
    opened = SqliteJournal(journal, inline=True)
    names = [type(record).__name__ for _, record in opened.records()]
    opened.close()
    return [name for name in names if name.startswith("Instruction")]


# --- what leaves -----------------------------------------------------------------------------------------------------


async def test_a_loan_leaves_once_with_intent_and_marker_on_disk_and_its_cash_stays_ours_until_it_shows(
    tmp_path: Path,
) -> None:
    """Reserved from the gate to the reading that shows the money gone; then our cash is the broker's, to the cent."""
    broker = a_broker()
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    seen: list[Decimal] = []

    def lend(_instruction: SubmitInstruction) -> InstructionState:
        seen.append(available(run))
        broker.cash -= COST
        return DONE

    broker.script = [lend]
    async with trading(run):
        instruct(run, LOAN)
        assert available(run) == 1_000_000 - COST
        await until(lambda: bool(told.changes))
        assert state(run) is DONE
        assert available(run) == 1_000_000 - COST
        await until(lambda: not run.core.view.locks)
        assert run.core.portfolio.accounts[BROKER].cash["CNY"] == broker.cash
        assert available(run) == broker.cash
    assert seen == [1_000_000 - COST]
    assert broker.unmarked == []
    assert [one.client_id for one in broker.performed] == ["s-i1"]
    assert told.changes[0].report.details == {"rate": "2.50%"}
    assert rows(tmp_path / "journal.sqlite3") == [
        "InstructionSubmitted", "InstructionSent", "InstructionReport", "InstructionSettled",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (NotSent("connection refused"), NOT_PLACED),
        (Refused("提交失败：资金不足"), InstructionState.REFUSED),
        (OutcomeUnknown("no answer in 30 s"), UNKNOWN),
        (BadMessage("not JSON"), UNKNOWN),
    ],
    ids=lambda case: type(case).__name__,
)
async def test_what_the_router_raises_says_what_became_of_it(
    tmp_path: Path, error: Exception, ending: InstructionState
) -> None:
    """Provably not done frees everything with the reason; anything else is UNKNOWN, and is not sent again."""
    broker = a_broker(script=[raises(error)])
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    async with trading(run):
        instruct(run, LOAN)
        await until(lambda: bool(told.changes))
        assert told.states() == [ending]
        assert told.changes[0].report.reason == str(error)
        assert bool(run.core.view.locks) is (ending is UNKNOWN)
        assert available(run) == 1_000_000 - (COST if ending is UNKNOWN else 0)
        await until(lambda: len(broker.looks) > 2 or ending is not UNKNOWN)
    assert len(broker.performed) == 1


async def test_an_answer_that_says_nothing_is_unknown(tmp_path: Path) -> None:
    """A router's word on what it has just done is STANDING or DONE; any other is a broken promise, and no proof."""
    broker = a_broker(script=[says(InstructionState.PENDING)])
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    async with trading(run):
        instruct(run, LOAN)
        await until(lambda: bool(told.changes))
        assert told.states() == [UNKNOWN]


async def test_what_can_not_be_written_down_for_the_broker_is_not_sent(tmp_path: Path) -> None:
    """The router's sentence is the reason; no send marker was made."""
    broker = a_broker()
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    async with trading(run):
        instruct(run, a_condition("10", 100, days=7))
        await until(lambda: bool(told.changes))
    assert told.states() == [NOT_PLACED]
    assert "expire_days 7 is none of" in told.changes[0].report.reason
    assert broker.performed == []
    assert rows(tmp_path / "journal.sqlite3") == ["InstructionSubmitted", "InstructionReport"]


class Meanwhile:
    """A journal; the first time somebody waits for a record of this kind, something else happens."""

    def __init__(self, run: LiveRun, kind: type, what: Callable[[], None]) -> None:
        self._journal = run.journal
        self._kind = kind
        self._what: Callable[[], None] | None = what
        self._kinds: dict[int, type] = {}
        append = self._journal.append

        def noted(record: Any) -> int:
            seq = append(record)
            self._kinds[seq] = type(record)
            return seq

        run.core.instructions._record = noted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def durable(self, seq: int) -> None:
        if self._what is not None and self._kinds.get(seq) is self._kind:
            what, self._what = self._what, None
            what()
        await self._journal.durable(seq)


@pytest.mark.parametrize("moment", [InstructionSubmitted, InstructionSent])
async def test_a_latch_that_comes_while_it_is_written_keeps_it_here(tmp_path: Path, moment: type) -> None:
    """Before or after its send marker: no byte leaves, and it is proven so; a cancel leaves all the same."""
    broker = a_broker()
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")

    def latch() -> None:
        run.core.manager.latch(KillLevel.HALT, "all", "test", "operator")

    run.instructions.boxes[BROKER]._journal = Meanwhile(run, moment, latch)
    async with trading(run):
        instruct(run, LOAN)
        await until(lambda: bool(told.changes))
        assert told.states() == [NOT_PLACED]
        assert available(run) == 1_000_000
        instruct(run, CancelConditions(side=a_cancelled_side()), 2)
        await until(lambda: len(told.changes) == 2)
    assert [one.client_id for one in broker.performed] == ["s-i2"]
    sent = ["InstructionSent"] if moment is InstructionSent else []
    first = ["InstructionSubmitted", *sent, "InstructionReport"]
    assert rows(tmp_path / "journal.sqlite3")[: len(first)] == first


def a_cancelled_side() -> Any:
    return an_instruction(a_condition()).side


async def test_one_that_waited_too_long_is_withdrawn(tmp_path: Path) -> None:
    """Its price is old: behind one that takes more than two minutes it does not leave at all."""
    broker = a_broker(speed=2_000)

    async def slow(instruction: SubmitInstruction, body: bytes) -> InstructionReport:
        broker.performed.append(instruction)
        await broker.clock.sleep(130 * SECOND_NS)
        return broker._report(instruction, DONE)

    broker.perform = slow  # type: ignore[method-assign]
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    async with trading(run):
        instruct(run, LOAN)
        await until(lambda: bool(broker.performed))
        instruct(run, SubscribeIpo(), 2)
        await until(lambda: len(told.changes) == 2)
        assert (state(run), state(run, 2)) == (DONE, NOT_PLACED)
    assert len(broker.performed) == 1


async def test_an_answer_on_its_way_is_told_even_if_the_run_is_stopped_meanwhile(tmp_path: Path) -> None:
    """What stands behind it in line does not leave any more."""
    broker = a_broker(speed=20)
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    async with trading(run):
        instruct(run, LOAN)
        instruct(run, SubscribeIpo(), 2)
        await until(lambda: bool(broker.performed))
    assert {change.report.client_id: change.report.state for change in told.changes} == {
        "s-i1": DONE, "s-i2": NOT_PLACED,
    }  # fmt: skip
    assert not broker.cut, "its connection was closed only afterwards"


@pytest.mark.parametrize("ordered", [False, True])
async def test_only_a_run_that_had_orders_waits_for_late_ones_when_it_is_stopped(tmp_path: Path, ordered: bool) -> None:
    """An instruction by hand would else take twice the broker's longest lag to end."""
    broker = a_broker()
    run, _ = a_live_run(broker, tmp_path / "journal.sqlite3", [Listens])
    async with trading(run):
        if ordered:
            run.core.bus.publish(Quote(BANK, run.clock.now_ns, 10.0, 10.0))
            run.core.runner.seats[StrategyId("Listens")].strategy.buy(BANK, 100, 10)
            await until(lambda: not run.core.manager.working)
        readings = broker.readings
    assert broker.readings - readings >= 2 if ordered else broker.readings - readings <= 1


async def test_a_cancelled_run_still_finishes_what_it_is_sending(tmp_path: Path) -> None:
    """The task is torn down hard in the middle of the broker's work: the answer is in the journal."""
    broker = a_broker()
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    with anyio.fail_after(DEADLINE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run.run)
            await run.ready.wait()
            instruct(run, LOAN)
            await until(lambda: bool(broker.performed))
            tasks.cancel_scope.cancel()
    run.journal.close()
    assert told.states() == [DONE]
    assert rows(tmp_path / "journal.sqlite3")[:3] == ["InstructionSubmitted", "InstructionSent", "InstructionReport"]


# --- evidence --------------------------------------------------------------------------------------------------------


async def test_an_unknown_one_is_looked_for_until_evidence_comes(tmp_path: Path) -> None:
    """A failed reading and one that proves nothing change nothing; the third shows that it was done."""
    broker = a_broker(
        script=[raises(OutcomeUnknown("no answer"))], looked=[GatewayError("server restarting"), None, DONE]
    )
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    async with trading(run):
        instruct(run, LOAN)
        await until(lambda: state(run) is DONE)
        sent_ns = run.core.instructions.instructions[ClientOrderId("s-i1")].sent_ns
    assert told.states() == [UNKNOWN, DONE]
    assert broker.looks == [("s-i1", sent_ns)] * 3
    assert len(broker.performed) == 1
    assert "instruction:s-i1: looking for it failed: server restarting" in told.alerts


async def test_one_proven_absent_frees_its_side(tmp_path: Path) -> None:
    """NOT_PLACED on evidence: the strategy may ask anew, with a new id."""
    broker = a_broker(script=[raises(OutcomeUnknown("no answer"))], looked=[NOT_PLACED])
    run, _ = a_live_run(broker, tmp_path / "journal.sqlite3")
    async with trading(run):
        instruct(run, LOAN)
        await until(lambda: state(run) is NOT_PLACED)
        assert available(run) == 1_000_000
        instruct(run, LOAN, 2)
        await until(lambda: state(run, 2) is DONE)


async def test_a_person_is_told_once_of_one_still_unknown_after_two_minutes(tmp_path: Path) -> None:
    """And it stays unknown: time decides nothing. From then on it is looked for at the snapshot period only."""
    broker = a_broker(speed=2_000, script=[raises(OutcomeUnknown("no answer"))])
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    text = "instruction:s-i1: its outcome is still unknown after 120 s; its side is locked until then"
    async with trading(run):
        instruct(run, LOAN)
        await until(lambda: text in told.alerts)
        looks, alerted_ns = len(broker.looks), run.clock.now_ns
        await until(lambda: run.clock.now_ns > alerted_ns + 400 * SECOND_NS)
        assert state(run) is UNKNOWN
        assert len(broker.looks) - looks <= 400 // 20 + 1
    assert told.alerts.count(text) == 1


async def test_a_standing_condition_is_looked_at_once_a_period_and_after_a_cancel_at_once(tmp_path: Path) -> None:
    """It ends when the broker's list says so; its side is free once a reading agrees with the book."""
    broker = a_broker(script=[says(STANDING), says(DONE)], looked=[STANDING])
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3")
    async with trading(run):
        instruct(run, a_condition("10", 100))
        await until(lambda: state(run) is STANDING)
        await until(lambda: len(broker.looks) == 1)
        assert told.states() == [STANDING]
        broker.looked = [ENDED]
        asked_ns = run.clock.now_ns
        instruct(run, CancelConditions(side=a_cancelled_side()), 2)
        await until(lambda: state(run) is ENDED)
        assert run.clock.now_ns - asked_ns < 15 * SECOND_NS
        await until(lambda: not run.core.view.locks)
        assert available(run) == 1_000_000


async def test_orders_on_a_locked_side_are_denied_and_the_other_side_is_free(tmp_path: Path) -> None:
    """By the limits of paper trading, which a live run has too."""
    broker = a_broker(script=[says(STANDING)], looked=[STANDING])

    class Orders(Strategy):
        def on_start(self) -> None:
            self.denied: list[str] = []

        def on_order(self, event: Any) -> None:
            if isinstance(event, OrderDenied):
                self.denied.append(event.code)

    run, _ = a_live_run(broker, tmp_path / "journal.sqlite3", [Orders])
    broker.positions[BANK] = 200
    async with trading(run):
        strategy: Any = run.core.runner.seats[StrategyId("Orders")].strategy
        instruct(run, a_stop(100), strategy="Orders")
        await until(lambda: state(run) is STANDING)
        strategy.sell(BANK, 100, 10)
        assert strategy.denied == ["LOCKED"]
        strategy.buy(BANK, 100, 10)
        assert strategy.denied == ["LOCKED"]


# --- a second life ---------------------------------------------------------------------------------------------------


async def test_after_a_crash_one_without_an_answer_is_looked_for_and_not_sent_again(tmp_path: Path) -> None:
    """The journal ends with its send marker: UNKNOWN, then what the broker's list shows."""
    journal = tmp_path / "journal.sqlite3"
    broker = a_broker()
    first, _ = a_live_run(broker, journal)
    instruct(first, SubscribeIpo())
    first.core.instructions.mark_sent(ClientOrderId("s-i1"), "hash")
    first.journal.close()
    broker = a_broker(start_ns=MORNING_NS + 60 * SECOND_NS, looked=[None, DONE])
    second, told = a_live_run(broker, journal)
    async with trading(second):
        await until(lambda: state(second) is DONE)
    assert told.states() == [UNKNOWN, DONE]
    assert broker.performed == []


async def test_a_standing_condition_survives_a_restart_with_its_reservation_and_lock(tmp_path: Path) -> None:
    """The second run holds back its cash from the start, goes on looking at it, and counts its ids on."""
    journal = tmp_path / "journal.sqlite3"
    broker = a_broker(script=[says(STANDING)], looked=[STANDING])
    first, _ = a_live_run(broker, journal)
    async with trading(first):
        instruct(first, a_condition("10", 100))
        await until(lambda: state(first) is STANDING)
        reserved = 1_000_000 - available(first)
    broker = a_broker(start_ns=MORNING_NS + HOUR_NS, looked=[STANDING, ENDED])
    second, told = a_live_run(broker, journal)
    async with trading(second):
        assert reserved > 1000
        assert available(second) == 1_000_000 - reserved
        assert second.core.view.locks
        assert second.core.instructions.made == {"s": 1}
        await until(lambda: not second.core.view.locks)
    assert told.states() == [ENDED]


async def test_a_condition_of_a_gateway_that_performs_none_any_more_is_said(tmp_path: Path) -> None:
    """Nobody looks for it: it stays as it is known, and a person is told."""
    journal = tmp_path / "journal.sqlite3"
    broker = a_broker(script=[says(STANDING)], looked=[STANDING])
    first, _ = a_live_run(broker, journal)
    async with trading(first):
        instruct(first, a_condition("10", 100))
        await until(lambda: state(first) is STANDING)
    second, told = a_live_run(OrdersOnly(broker), journal)  # type: ignore[arg-type]
    async with trading(second):
        instruct(second, SubscribeIpo(), 2)
        assert told.changes[-1].report.code == "UNSUPPORTED"
        assert state(second) is STANDING
    assert [text for text in told.alerts if text.startswith("instruction:s-i1: standing, but its gateway")]


class OrdersOnly:
    """The same broker behind a router that knows orders alone."""

    def __init__(self, broker: ScriptedBroker) -> None:
        self.router = self
        self.__dict__["_broker"] = broker
        for name in (
            "account", "clock", "name", "feed", "capabilities", "encode", "submit", "cancel", "replace", "snapshot",
            "connect", "run", "instruments", "routes", "reads", "call", "close",
        ):  # fmt: skip
            setattr(self, name, getattr(broker, name))


# --- strategies ------------------------------------------------------------------------------------------------------


def the_books() -> dict[str, Any]:
    book = ChinaA()
    # Calendars take a second to read, which at these speeds is a quarter of an hour: now, and not in the gate.
    book.is_open(parse_time("2026-03-02T09:45:00+08:00"))
    return {"free": Free(), "china_a": book}


async def test_the_daily_subscription_goes_out_at_its_time(tmp_path: Path) -> None:
    """At 09:45, not at the start; the strategy hears that it was done."""
    books = the_books()
    broker = a_broker(speed=1_200, start_ns=parse_time("2026-03-02T09:15:00+08:00"))
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3", [DailyIpo], books)
    async with trading(run):
        assert broker.performed == []
        await until(lambda: bool(told.changes))
        hour = parse_time("2026-03-02T09:45:00+08:00")
        assert hour <= told.changes[0].instruction.ts_ns < hour + 60 * SECOND_NS
    assert [(one.action, one.strategy) for one in broker.performed] == [(SubscribeIpo(), "DailyIpo")]
    assert told.states() == [DONE]


async def test_on_a_day_without_a_session_nothing_is_sent(tmp_path: Path) -> None:
    """On a Saturday the gate says no."""
    books = the_books()
    broker = a_broker(speed=1_200, start_ns=parse_time("2026-02-28T09:15:00+08:00"))
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3", [DailyIpo], books)
    async with trading(run):
        await until(lambda: bool(told.changes))
    assert told.changes[0].report.code == "SESSION"
    assert broker.performed == []


class Listens(Strategy):
    """Lends once, and keeps what it hears."""

    def on_start(self) -> None:
        self.heard: list[InstructionState] = []
        self.asked = self.reverse_repo(REPO, 10_000)

    def on_instruction(self, event: InstructionReport) -> None:
        assert event.client_id == self.asked
        self.heard.append(event.state)


async def test_a_strategy_hears_of_its_own_instructions_only(tmp_path: Path) -> None:
    """UNKNOWN, then DONE; another's is none of its business."""
    broker = a_broker(script=[raises(OutcomeUnknown("no answer"))], looked=[DONE])
    run, told = a_live_run(broker, tmp_path / "journal.sqlite3", [Listens])
    async with trading(run):
        instruct(run, SubscribeIpo(), 7)
        await until(lambda: len(told.changes) == 3)
        strategy: Any = run.core.runner.seats[StrategyId("Listens")].strategy
        assert strategy.heard == [UNKNOWN, DONE]


async def test_a_strategys_ids_go_on_after_a_restart(tmp_path: Path) -> None:
    """The second life's first instruction is no duplicate of the first life's."""
    journal = tmp_path / "journal.sqlite3"
    for number in (1, 2):
        broker = a_broker(start_ns=MORNING_NS + number * HOUR_NS)
        run, told = a_live_run(broker, journal, [Listens])
        async with trading(run):
            await until(lambda told=told: bool(told.changes))  # type: ignore[misc]
            await until(lambda run=run: not run.core.view.locks)  # type: ignore[misc]
        assert [(change.report.client_id, change.report.state) for change in told.changes] == [
            (f"Listens-i{number}", DONE)
        ]
