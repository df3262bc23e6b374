"""A journal that fails while trading: no new order, cancels go on from memory, the sentinel, exit code 3."""

import json
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.events import KillLevel
from engine.journal.sqlite import SqliteJournal
from engine.runtime import sentinel
from tests.kill_builders import Drill, killed, said
from tests.live_builders import ACCOUNT, a_trading_place, trade_until
from tests.router_plans import Plan, Wish
from tests.router_stages import STAGES
from tests.simulation.test_live_run import STOCK, BuysOnce
from tests.simulation.test_watchdog import DEADLINE_SECONDS, a_place, open_orders, until

HUATAI = list(STAGES)[-1]


class _Broken(OSError):
    """What a disk says."""


class Breaks:
    """A journal's ``fault``: from a moment on every commit fails."""

    def __init__(self) -> None:
        self.broken = False

    def __call__(self) -> None:
        if self.broken:
            raise _Broken(28, "No space left on device")


def inmost(run: Any) -> Any:
    """The journal itself, in its wrappings."""
    journal = run.journal
    while hasattr(journal, "_journal"):
        journal = journal._journal
    return journal


async def test_a_failed_write_stops_orders_and_the_run_ends_by_itself(tmp_path: Path) -> None:
    """The first order can not be journaled: nothing leaves, everything is halted, and the run says why it ended."""
    async with a_trading_place() as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        breaks = Breaks()
        inner = inmost(run)
        assert isinstance(inner, SqliteJournal)
        inner.fault = breaks

        def broken() -> bool:
            breaks.broken = True
            return False

        await trade_until(run, broken)
        assert place.trades() == []
        assert run.journal.failure
        assert run.core.view.latches["all"].level is KillLevel.HALT
        assert run.stop_reason.startswith("the journal failed")
        assert run.core.portfolio.accounts[ACCOUNT].positions.get(STOCK) is None
        assert inner.halted() is not None


class _BreaksThenCancels(Drill):
    """Breaks the journal, then has the resting order withdrawn."""

    def press(self, run: object) -> None:
        if not self.pressed:
            journal = inmost(run)
            breaks = Breaks()
            breaks.broken = True
            journal.fault = breaks
        super().press(run)  # type: ignore[arg-type]


def test_cancels_go_on_from_memory_when_the_journal_has_failed() -> None:
    """An operator withdraws everything on a broken disk: the order that rested is gone at the venue."""
    landing = killed(HUATAI, _BreaksThenCancels(), Plan(wishes=(Wish(place="away"),), seconds=100.0))
    assert landing.cancels == 1
    # The hangar starts another life over the journal, which lacks what came after; the one that failed knew it.
    assert any("OrderCanceled(client_id='wisher-1'" in line for line in landing.lines)
    assert [order.live for found in landing.ours for order in found] == [False]
    assert said(landing, "the journal failed")


@pytest.mark.kill
def test_a_full_disk_ends_the_command_with_exit_code_3_and_a_sentinel(tmp_path: Path) -> None:
    """A real process whose files may not grow any more; the next start is latched by what it left."""
    with a_place(tmp_path) as place:
        with place.start("live", "--no-report") as engine:
            until("an order rests", lambda: place.journal.exists() and open_orders(place.orders()))
            resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (4_096, 4_096))
            out, _ = engine.communicate(timeout=DEADLINE_SECONDS)
        assert engine.returncode == 3, out
        assert "journal" in json.loads(out)["error"]
        assert sentinel.read(tmp_path) is not None
        left = len(place.orders())
        with place.start("live", "--no-report") as engine:
            place.complains("live", "level HALT")
            engine.send_signal(signal.SIGTERM)
            engine.communicate(timeout=DEADLINE_SECONDS)
        assert engine.returncode == 0
        assert len(place.orders()) == left
