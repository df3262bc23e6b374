"""``instruct`` as the shell calls it, in this process, over a broker that answers by a script."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec import Struct

from engine.clock import LiveClock
from engine.control import live_session
from engine.control.cli_instruct import outcome, sentence
from engine.control.instructing import ACTIONS, Errand, Instructing
from engine.domain.commands import Side
from engine.domain.errors import GatewayError, OutcomeUnknown, Refused
from engine.domain.events import InstructionSent, InstructionSubmitted, LatchSet, RunEnded
from engine.domain.ids import AccountId
from engine.domain.instructions import (
    CancelConditions,
    InstructionReport,
    InstructionState,
    ReverseRepo,
    StopLossProfit,
    SubmitInstruction,
    SubscribeIpo,
)
from engine.domain.market import DataKind, Quote
from engine.domain.timestamps import SECOND_NS
from engine.gateways import GATEWAYS
from engine.gateways.surroundings import Surroundings
from engine.journal.sqlite import SqliteJournal
from tests.cli_builders import ROOT, Said, Shell, a_config
from tests.instruction_builders import BANK, ScriptedBroker, a_condition, a_live_run

INSTRUMENTS = """
[instrument."600000.SH"]
market = "free"
lot = 100

[instrument."204001.SH"]
kind = "bond"
market = "free"
tick = "0.005"

[instrument."XX.YY"]
market = "atlantis"
"""

CONFIG = """
[run]
name = "trial"
profile = "paper"
data_dir = "{folder}/runs"

[clock]
speed = 500.0
start = "2026-03-02T09:44:30+08:00"

[gateway.scripted]

[[account]]
id = "ths"
gateway = "scripted"

[[strategy]]
class = "strategies.sma_cross:SmaCross"
instruments = ["600000.SH"]

[risk.price_collar]
max_age = "1d"
"""


class Prices:
    """A feed that quotes the bank at 10 as soon as it is asked."""

    pace_ns = 0

    def __init__(self) -> None:
        self.asked: list[tuple[str, DataKind]] = []

    def subscribe(self, instrument: str, kind: DataKind, interval_ns: int) -> None:
        self.asked.append((instrument, kind))

    async def run(self, publish: Any) -> None: ...


class PricedBroker(ScriptedBroker):
    async def run(self, publish: Any) -> None:
        while True:
            await self.clock.sleep(10**8)
            if self.feed.asked:
                publish(Quote(BANK, self.clock.now_ns, 10.0, 10.0))


class Scripted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As a gateway's settings."""

    account: str = ""

    def open(self, around: Surroundings) -> ScriptedBroker:
        assert isinstance(around.clock, LiveClock)
        broker = PricedBroker(around.clock, AccountId(self.account), SCRIPT, LOOKED)
        broker.feed = Prices()
        OPENED.append(broker)
        return broker


SCRIPT: list[Any] = []
LOOKED: list[Any] = []
OPENED: list[PricedBroker] = []


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(GATEWAYS, "scripted", Scripted)
    SCRIPT.clear()
    LOOKED[:] = [None]
    OPENED.clear()
    return Shell(capsys)


def trial(folder: Path, text: str = CONFIG) -> Path:
    return a_config(folder, text.format(folder=folder), instruments=INSTRUMENTS)


def instruct(shell: Shell, folder: Path, *words: object) -> Said:
    return shell("instruct", "--config", trial(folder), *words)


def raises(error: Exception) -> Any:
    def script(_instruction: Any) -> InstructionState:
        raise error

    return script


def test_a_loan_is_done_told_in_json_and_journaled(shell: Shell, tmp_path: Path) -> None:
    """One object on stdout, exit code 0; intent and marker are in the config's journal; no strategy ran."""
    said = instruct(shell, tmp_path, "reverse_repo", "instrument=204001.SH", "amount=10000", "--json")
    assert said.code == 0, said.err
    client_id = said.json["client_id"]
    assert {key: value for key, value in said.json.items() if key != "client_id"} == {
        "account": "ths", "action": "reverse_repo", "instrument": "204001.SH", "arguments": {"amount": 10000},
        "state": "done", "code": "", "reason": "as the script says", "details": {"rate": "2.50%"}, "exit_code": 0,
    }  # fmt: skip
    journal = SqliteJournal(tmp_path / "runs" / "journal.sqlite3", inline=True)
    rows = [record for _, record in journal.records()]
    journal.close()
    assert [r.client_id for r in rows if isinstance(r, InstructionSubmitted | InstructionSent)] == [client_id] * 2
    assert OPENED[0].performed[0].strategy == "operator"


def test_a_condition_waits_for_a_price_and_stands(shell: Shell, tmp_path: Path) -> None:
    """A price is asked of the run's feeds, the target is put on the tick, and standing is a good end."""
    SCRIPT.append(lambda _instruction: InstructionState.STANDING)
    LOOKED[:] = [InstructionState.STANDING]
    said = instruct(
        shell, tmp_path, "--account", "ths", "condition_buy", "instrument=600000.SH", "target_price=10.004",
        "quantity=100",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert said.out == (
        "ths: condition_buy 600000.SH target_price=10.004 quantity=100 expire_days=30: standing: "
        "as the script says; rate 2.50%\n"
    )
    assert str(OPENED[0].performed[0].action.target_price) == "10.00"  # type: ignore[union-attr]
    assert OPENED[0].feed.asked == [(BANK, DataKind.QUOTE)]
    journal = SqliteJournal(tmp_path / "runs" / "journal.sqlite3", inline=True)
    assert [r.reason for _, r in journal.records() if isinstance(r, RunEnded)] == ["the instruction is over"]
    journal.close()


def test_a_limit_of_the_config_denies_it(shell: Shell, tmp_path: Path) -> None:
    """Exit code 3, the limit's code and words; nothing reached the broker."""
    said = instruct(
        shell, tmp_path, "condition_buy", "instrument=600000.SH", "target_price=11", "quantity=100", "--json"
    )
    assert said.code == 3, said.err
    assert (said.json["state"], said.json["code"]) == ("denied", "COLLAR")
    assert OPENED[0].performed == []


def test_a_refusal_of_the_broker_is_exit_code_three(shell: Shell, tmp_path: Path) -> None:
    """With the broker's own words."""
    SCRIPT.append(raises(Refused("提交失败：不在交易时间")))
    said = instruct(shell, tmp_path, "subscribe_ipo")
    assert said.code == 3
    assert said.out == "ths: subscribe_ipo: refused: 提交失败：不在交易时间\n"


def test_one_that_stays_unknown_is_exit_code_four_and_the_next_run_finds_out(shell: Shell, tmp_path: Path) -> None:
    """At the deadline it is told as unknown; another instruction on the same day is denied until evidence comes."""
    SCRIPT.append(raises(OutcomeUnknown("no answer in 30 s")))
    first = instruct(shell, tmp_path, "subscribe_ipo", "--seconds", "0.3", "--json")
    assert first.code == 4, first.err
    assert (first.json["state"], first.json["reason"]) == ("unknown", "no answer in 30 s")
    second = instruct(shell, tmp_path, "subscribe_ipo", "--json")
    assert (second.code, second.json["code"]) == (3, "LOCKED")
    assert OPENED[1].performed == []


def test_one_that_is_still_under_way_at_the_deadline_is_waited_for(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It left: stopping tears nothing off, and its answer decides the exit code."""

    async def slow(broker: ScriptedBroker, instruction: SubmitInstruction, _body: bytes) -> InstructionReport:
        broker.performed.append(instruction)
        await broker.clock.sleep(400 * SECOND_NS)
        return broker._report(instruction, InstructionState.DONE)

    monkeypatch.setattr(PricedBroker, "perform", slow)
    said = instruct(shell, tmp_path, "subscribe_ipo", "--seconds", "0.2", "--json")
    assert (said.code, said.json["state"]) == (0, "done"), said.err
    assert len(OPENED[0].performed) == 1


def test_a_latch_in_the_journal_holds_for_instructions_by_hand(shell: Shell, tmp_path: Path) -> None:
    """Whoever halted trading halted this as well; deleting conditions still goes."""
    config = trial(tmp_path)
    journal = SqliteJournal(tmp_path / "runs" / "journal.sqlite3", inline=True)
    journal.append(LatchSet(level=2, scope="all", cause="test", who="operator", ts_ns=1))  # type: ignore[arg-type]
    journal.close()
    said = shell("instruct", "--config", config, "subscribe_ipo", "--json")
    assert (said.code, said.json["code"]) == (3, "KILLED")
    said = shell("instruct", "--config", config, "cancel_conditions", "instrument=600000.SH", "side=sell", "--json")
    assert (said.code, said.json["state"]) == (0, "done")
    assert OPENED[1].performed[0].action == CancelConditions(side=Side.SELL)


@pytest.mark.parametrize(
    ("words", "sentence_"),
    [
        (["condition_by"], "there is no instruction 'condition_by'; did you mean condition_buy or"),
        (["condition_buy", "target_price=1", "quantity=1"], "condition_buy: instrument= is missing"),
        (["condition_buy", "instrument=600000.SH", "quantity=1"], "missing required field `target_price`"),
        (
            ["condition_buy", "instrument=600000.SH", "target_price=ten", "quantity=1"],
            "condition_buy target_price: ",
        ),
        (
            ["condition_buy", "instrument=600000.SH", "price=10", "quantity=1"],
            "condition_buy price: it takes no such word",
        ),
        (["reverse_repo", "instrument=204001.SZ", "amount=1000"], "instrument '204001.SZ' is not known"),
        (["reverse_repo", "instrument=XX.YY", "amount=1000"], "trades on market atlantis"),
        (["reverse_repo", "instrument=204001.SH", "amount=1e3.5"], "reverse_repo amount: "),
        (["cancel_conditions", "instrument=600000.SH", "side=up"], "cancel_conditions side: "),
        (["subscribe_ipo", "instrument=600000.SH"], "subscribe_ipo names no instrument"),
        (["subscribe_ipo", "--account", "thx"], "--account thx: name one of the config's; did you mean ths?"),
        (["subscribe_ipo", "now"], "subscribe_ipo 'now': write name=value"),
    ],
    ids=str,
)
def test_a_mistake_gets_one_sentence_and_starts_nothing(
    shell: Shell, tmp_path: Path, words: list[str], sentence_: str
) -> None:
    """Exit code 2; it names the word and the mend; no gateway was opened and no journal made."""
    said = instruct(shell, tmp_path, *words)
    assert (said.code, said.out) == (2, "")
    assert sentence_ in said.err
    assert said.err.count("\n") == 1
    assert OPENED == []
    assert not (tmp_path / "runs").exists()


def test_with_several_accounts_one_must_be_named(shell: Shell, tmp_path: Path) -> None:
    """They are listed."""
    more = CONFIG + '\n[gateway.other]\nkind = "scripted"\n\n[[account]]\nid = "two"\ngateway = "other"\n'
    config = trial(
        tmp_path, more.replace('instruments = ["600000.SH"]', 'instruments = ["600000.SH"]\naccount = "ths"')
    )
    said = shell("instruct", "--config", config, "subscribe_ipo")
    assert said.code == 2
    assert "--account is missing: name one of the config's; there are: ths, two" in said.err


def test_the_words_of_the_command_line_are_those_of_the_journal() -> None:
    """Every action there is can be asked for by the tag it is journaled under."""
    assert list(ACTIONS) == [
        "condition_buy", "stop_loss_profit", "cancel_conditions", "reverse_repo", "subscribe_ipo",
    ]  # fmt: skip
    assert ACTIONS["stop_loss_profit"] is StopLossProfit
    assert ACTIONS["reverse_repo"] is ReverseRepo


@pytest.mark.parametrize("state", [None, *InstructionState], ids=str)
def test_every_state_has_its_exit_code(state: InstructionState | None) -> None:
    """Done, standing or over: 0. Proven not to have been done: 3. Anything that may yet turn out either way: 4."""

    class Fixed(Instructing):
        state = None

    fixed = Fixed(Errand(account=AccountId("ths"), action=SubscribeIpo(), instrument=""), 1)  # type: ignore[arg-type]
    Fixed.state = state  # type: ignore[assignment]
    told = outcome(fixed)
    good = {"done": 0, "standing": 0, "ended": 0, "queued": 4, "pending": 4, "unknown": 4}
    assert told["exit_code"] == good.get(str(state), 3)
    assert sentence(told).startswith("ths: subscribe_ipo: ")


def test_a_run_that_can_not_start_fails_and_sends_nothing(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 within the time a start may take, as live."""

    async def unreachable(_broker: ScriptedBroker) -> None:
        raise GatewayError("connection refused")

    monkeypatch.setattr(PricedBroker, "connect", unreachable)
    monkeypatch.setattr(live_session, "READY_SECONDS", 0.2)
    said = instruct(shell, tmp_path, "subscribe_ipo")
    assert said.code == 1
    assert "trading could not start within 0.2 s" in said.err
    assert OPENED[0].performed == []


async def test_a_price_left_by_an_old_fill_is_not_waited_for(tmp_path: Path) -> None:
    """A mark from the journal is old: the limits are shown the first price that comes after asking."""
    broker = PricedBroker(LiveClock(speed=500), AccountId("ths"))
    broker.feed = Prices()
    run, _ = a_live_run(broker, tmp_path / "journal.sqlite3")
    run.core.bus.publish(Quote(BANK, 1, 9.0, 9.0))
    errand = Errand(account=AccountId("ths"), action=a_condition(), instrument=BANK)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(broker.run, run.core.bus.publish)
            await Instructing(errand, 1)._new_price(run)
            tasks.cancel_scope.cancel()
    assert run.core.view.reference(BANK) == 10
    run.journal.close()
