"""A person's commands: people alone lower latches, with a reason and when the cause is gone; all of it is journaled."""

import os
from decimal import Decimal
from pathlib import Path

import anyio
import msgspec
import pytest

from engine.clock import LiveClock
from engine.domain.account import OrderRow
from engine.domain.commands import Side
from engine.domain.events import KillLevel, LatchSet, PositionAdjusted
from engine.domain.evidence import Evidence, OrderReport, Proof
from engine.domain.ids import EXTERNAL, ClientOrderId, VenueOrderId
from engine.domain.reconciled import OperatorActed, ReconcileEnded
from engine.runtime.operator_commands import Accept, Kill, Reconcile, Resolve, Resume, Status
from engine.runtime.operator_inbox import Inbox, ask
from tests.core_builders import ACCOUNT, STOCKS
from tests.operator_builders import Room

SCOPE = f"account:{ACCOUNT}"


def latch_of(room: Room, scope: str = SCOPE) -> LatchSet | None:
    return room.core.view.latches.get(scope)


def an_unexplained(room: Room) -> Room:
    """A hundred shares from nowhere, read twice."""
    room.held = 100
    room.read()
    room.read()
    return room


def a_disputed(room: Room) -> Room:
    """Order 1 for ten shares, of which nobody can say what became."""
    room.desk.send(1, quantity=10)
    for kind in (Evidence.AMBIGUOUS, Evidence.CANDIDATES):
        room.core.manager.on_report(
            OrderReport(account=ACCOUNT, client_id=ClientOrderId("s-1"), kind=kind, ts_ns=room.desk.clock.now_ns)
        )
    assert room.desk.state(1) == "disputed"
    return room


def acts(room: Room) -> list[tuple[str, str]]:
    return [(record.command, record.after) for record in room.records() if isinstance(record, OperatorActed)]


# --- unexplained differences -----------------------------------------------------------------------------------------


def test_what_nothing_explains_latches_its_account_and_acceptance_books_it_and_frees_it() -> None:
    """Accepting twice does nothing more."""
    room = an_unexplained(Room())
    latch = latch_of(room)
    assert latch is not None
    assert (latch.level, latch.who) == (KillLevel.HALT, "reconciliation")
    assert room.core.portfolio.account_quantity(ACCOUNT, STOCKS[0]) == 0
    answer = room.do(Accept(account=ACCOUNT, reason="a gift"))
    assert answer.exit_code == 0
    assert latch_of(room) is None
    assert room.core.portfolio.account_quantity(ACCOUNT, STOCKS[0]) == 100
    again = room.do(Accept(account=ACCOUNT, reason="a gift"))
    assert "nothing to accept" in again.text
    assert len([r for r in room.records() if isinstance(r, PositionAdjusted)]) == 1
    room.read()
    assert latch_of(room) is None


def test_a_latch_that_a_person_set_survives_the_acceptance() -> None:
    """Accepting says what the shares are, not that trading may go on."""
    room = Room()
    room.do(Kill(scope=SCOPE, level="halt", reason="audit"))
    an_unexplained(room)
    answer = room.do(Accept(account=ACCOUNT, reason="a gift"))
    assert "still at level halt by operator (audit)" in answer.text
    assert latch_of(room) is not None


def test_a_restart_in_the_middle_of_any_of_it_ends_in_the_same_place() -> None:
    """Whatever the journal kept, the next life finds, holds and books each difference once (RELIABILITY 3.3, C14)."""
    whole = an_unexplained(Room())
    whole.rows = (a_strangers_row(300),)
    whole.held, whole.cash = 400, Decimal(88_000)
    whole.read()
    whole.read()
    whole.do(Accept(account=ACCOUNT, reason="a gift"))
    records = whole.records()
    assert len(records) > 12
    for kept in range(len(records) + 1):
        room = Room(records[:kept])
        room.rows, room.held, room.cash = whole.rows, whole.held, whole.cash
        for _ in range(3):
            room.read()
        room.do(Accept(account=ACCOUNT, reason="a gift"))
        room.read()
        assert room.core.portfolio.account_quantity(ACCOUNT, STOCKS[0]) == 400, kept
        assert room.core.portfolio.accounts[ACCOUNT].cash["COIN"] == 88_000
        assert latch_of(room) is None, kept
        assert not room.core.reconciler.findings


def a_strangers_row(cum: int) -> OrderRow:
    return OrderRow(
        instrument=STOCKS[0], side=Side.BUY, quantity=300, price=Decimal(40), status=Evidence.FILL, cum=cum,
        average_price=Decimal(40), venue_id=VenueOrderId("77"),
    )  # fmt: skip


def test_a_report_says_what_is_held_and_how_to_accept_it() -> None:
    """Ours, the venue's, why, and the command; the journal keeps how it ended."""
    room = an_unexplained(Room())
    answer = room.do(Reconcile())
    assert answer.exit_code == 1
    (report,) = answer.details["reports"]
    assert [(line.what, line.ours, line.theirs, line.explained) for line in report.holdings] == [
        (STOCKS[0], 0, 100, False)
    ]
    assert report.accept == f'run.py accept {ACCOUNT} --reason "..."'
    ended = [record for record in room.records() if isinstance(record, ReconcileEnded)]
    assert [end.ok for end in ended] == [False, False]
    assert "+100 CY.VSM" in ended[-1].text


# --- latches ---------------------------------------------------------------------------------------------------------


def test_a_halt_is_let_go_only_when_its_account_reconciles() -> None:
    """While a difference is held, resume says so and changes nothing."""
    room = an_unexplained(Room())
    answer = room.do(Resume(scope=SCOPE, reason="go on"))
    assert answer.exit_code == 1
    assert "run.py accept" in answer.text
    room.held = 0
    answer = room.do(Resume(scope=SCOPE, reason="go on"))
    assert answer.exit_code == 0, answer
    assert latch_of(room) is None
    assert [command for command, _ in acts(room)] == ["resume", "resume"]


@pytest.mark.parametrize("level", ["cancel", "flatten"])
def test_the_two_highest_levels_are_let_go_in_two_steps(level: str) -> None:
    """The first answer gives a code that belongs to this very latch."""
    room = Room()
    room.do(Kill(scope=SCOPE, level=level, reason="fire"))
    first = room.do(Resume(scope=SCOPE, reason="out"))
    assert first.exit_code == 3
    assert room.do(Resume(scope=SCOPE, reason="out", confirm="0000x")).exit_code == 3
    assert latch_of(room) is not None
    done = room.do(Resume(scope=SCOPE, reason="out", confirm=first.details["confirm"]))
    assert done.exit_code == 0
    room.desk.clock.now_ns += 1
    room.do(Kill(scope=SCOPE, level=level, reason="fire"))
    assert room.do(Resume(scope=SCOPE, reason="out", confirm=first.details["confirm"])).exit_code == 3


def test_a_latch_is_raised_and_never_lowered_by_kill() -> None:
    """Reduce on top of halt changes nothing, and says so."""
    room = Room()
    assert room.do(Kill(scope="all", level="halt", reason="x")).exit_code == 0
    assert "already" in room.do(Kill(scope="all", level="reduce", reason="y")).text
    latch = latch_of(room, "all")
    assert latch is not None
    assert latch.level is KillLevel.HALT


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (Kill(scope="all", level="panic", reason="x"), "there is no level 'panic'"),
        (Kill(scope="account:gaem", level="halt", reason="x"), "there is no account 'gaem'"),
        (Kill(scope="planet:earth", level="halt", reason="x"), "there is no scope"),
        (Kill(scope="all", level="flatten", reason="x"), "name the account"),
        (Kill(scope="all", level="halt", reason="  "), "a reason is missing"),
        (Resolve(client_id="s-9", outcome="filled", reason="x"), "there is no order or instruction 's-9'"),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_nothing(command: Kill | Resolve, words: str) -> None:
    """Exit code 2."""
    room = Room()
    answer = room.do(command)
    assert answer.exit_code == 2
    assert words in answer.text
    assert not room.core.view.latches


# --- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "filled", "state", "cum"),
    [
        ("filled", -1, "filled", 10),
        ("canceled", -1, "canceled", 0),
        ("canceled", 4, "canceled", 4),
        ("expired", -1, "expired", 0),
        ("rejected", -1, "rejected", 0),
        ("not_placed", -1, "not_placed", 0),
        ("working", -1, "working", 0),
        ("partial", 3, "partial", 3),
    ],
)
def test_a_person_decides_a_disputed_order_and_the_book_follows(
    outcome: str, filled: int, state: str, cum: int
) -> None:
    """Every outcome, its quantity booked as the order's own fill; the proof is the operator's."""
    room = a_disputed(Room())
    answer = room.do(Resolve(client_id="s-1", outcome=outcome, reason="asked the desk", filled=filled))
    assert answer.exit_code == 0, answer
    assert (room.desk.state(1), room.desk.cum(1)) == (state, cum)
    assert room.core.portfolio.account_quantity(ACCOUNT, STOCKS[0]) == cum
    order = room.core.manager.orders[ClientOrderId("s-1")]
    if outcome in ("canceled", "expired", "rejected", "not_placed"):
        assert order.proof is Proof.OPERATOR
    assert acts(room) == [("resolve", f"{state} with {cum} filled")]
    twin = Room(room.records())
    assert (twin.desk.state(1), twin.desk.cum(1)) == (state, cum)


def test_what_was_booked_as_external_for_a_disputed_order_is_not_booked_twice() -> None:
    """Its ten shares were found at the venue; resolved as filled they are the strategy's, and the account's once."""
    room = a_disputed(Room())
    room.held, room.cash = 10, Decimal(99_600)
    for _ in range(3):
        room.read()
    assert room.core.portfolio.strategy_quantity(EXTERNAL, STOCKS[0]) == 10
    assert latch_of(room) is None
    assert room.do(Resolve(client_id="s-1", outcome="filled", reason="the desk says so")).exit_code == 0
    portfolio = room.core.portfolio
    assert portfolio.strategy_quantity(EXTERNAL, STOCKS[0]) == 0
    assert portfolio.account_quantity(ACCOUNT, STOCKS[0]) == 10
    assert portfolio.accounts[ACCOUNT].cash["COIN"] == 99_600


@pytest.mark.parametrize(
    ("outcome", "filled", "words"),
    [
        ("filled", 4, "filled means all 10"),
        ("rejected", 4, "nothing was filled"),
        ("canceled", 11, "it is an order for 10"),
        ("partial", -1, "partial needs --filled"),
        ("gone", -1, "is no outcome"),
    ],
)
def test_an_outcome_that_can_not_be_is_refused(outcome: str, filled: int, words: str) -> None:
    """One sentence; the order stays as it was."""
    room = a_disputed(Room())
    answer = room.do(Resolve(client_id="s-1", outcome=outcome, reason="x", filled=filled))
    assert answer.exit_code in (1, 2)
    assert words in answer.text
    assert room.desk.state(1) == "disputed"


def test_an_order_whose_state_is_known_is_not_a_persons_to_resolve() -> None:
    """Evidence decided it."""
    room = Room()
    room.desk.send(1)
    answer = room.do(Resolve(client_id="s-1", outcome="filled", reason="x"))
    assert answer.exit_code == 1
    assert "only what is unknown or disputed" in answer.text


def test_status_tells_accounts_latches_and_what_waits_for_a_person() -> None:
    """And writes nothing."""
    room = a_disputed(an_unexplained(Room()))
    before = len(room.records())
    told = room.do(Status()).details
    assert [latch["scope"] for latch in told["latches"]] == [SCOPE, f"symbol:{STOCKS[0]}"]
    (account,) = told["accounts"]
    assert account["to_resolve"] == ["s-1"]
    assert account["held"] == [f"+100 {STOCKS[0]}"]
    assert len(room.records()) == before
    msgspec.json.encode(told)


# --- the inbox -------------------------------------------------------------------------------------------------------


async def test_the_inbox_answers_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """A request of a life before: a kill is carried out, a resume is dropped."""
    room = Room()
    folder = tmp_path / "operator"
    folder.mkdir()
    (folder / "a.request").write_bytes(msgspec.json.encode(Kill(scope="all", level="halt", reason="night")))
    (folder / "b.taken").write_bytes(msgspec.json.encode(Resume(scope="all", reason="day")))
    os.utime(folder / "a.request", (1, 1))
    inbox = Inbox(folder, room.operator, LiveClock(), lambda _alert: None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.run)
        answer = await ask(folder, Status(), LiveClock(), 10)
        assert answer is not None
        assert answer.text == "latched: all halt"
        tasks.cancel_scope.cancel()
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_request_nobody_takes_is_taken_back(tmp_path: Path) -> None:
    """No answer within the time: nothing was done, and nothing will be."""
    assert await ask(tmp_path, Status(), LiveClock(), 0.2) is None
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_what_is_no_request_is_answered_and_harms_nothing(tmp_path: Path) -> None:
    """Junk in the folder."""
    room = Room()
    inbox = Inbox(tmp_path, room.operator, LiveClock(), lambda _alert: None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(inbox.run)
        # The first look is over: what comes now is no left-over.
        assert await ask(tmp_path, Status(), LiveClock(), 10) is not None
        (tmp_path / "junk.request").write_bytes(b"{]")
        with anyio.fail_after(10):
            while not (tmp_path / "junk.answer").exists():  # noqa: ASYNC110 - files of another process
                await anyio.sleep(0.02)
        tasks.cancel_scope.cancel()
    assert b"can not be read" in (tmp_path / "junk.answer").read_bytes()
