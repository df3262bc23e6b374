"""What the order gate is told of the run around it."""

from types import SimpleNamespace
from typing import Any

import pytest

from engine.domain.account import Environment
from engine.risk import limits_for
from engine.runtime.gate import Enabled, close_gate, environment_of
from engine.runtime.reconciling import Reconciling
from tests.core_builders import ACCOUNT, Desk, a_command


def a_closed_desk() -> Desk:
    """One account, its gate closed as a live run closes it."""
    desk = Desk([limit for limit in limits_for("paper", {}) if limit.name in ("not_ready", "well_formed")])
    spec: Any = SimpleNamespace(accounts=(SimpleNamespace(id=ACCOUNT, gateway="here"),), armed=True)
    close_gate(desk.core, spec)
    return desk


def start_over(desk: Desk, environment: Environment | None, problem: str = "") -> None:
    """The reconciliation at the start of a run is over."""
    reconciling = Reconciling(desk.core, {}, {}, desk.clock, lambda: False, {})  # type: ignore[arg-type]
    reconciling.proved(ACCOUNT, environment, problem=problem)


def told(desk: Desk) -> list[str]:
    return [event.reason for event in desk.heard]


@pytest.mark.parametrize("ok", [True, False])
def test_nothing_passes_before_its_account_is_reconciled(ok: bool) -> None:
    """And after one that failed neither; the proof of the environment is kept."""
    desk = a_closed_desk()
    desk.decide(1)
    assert told(desk) == ["limit check failed: not ready: the account is not reconciled yet"]
    gateway: Any = SimpleNamespace(router=SimpleNamespace(environment=Environment.REAL))
    start_over(desk, environment_of(gateway), "" if ok else "orders of unknown outcome are left")
    desk.decide(2)
    assert (told(desk)[1:] == []) is ok
    assert desk.core.view.environments == {ACCOUNT: Environment.REAL}
    assert desk.core.view.armed


def test_a_failed_journal_closes_the_gate() -> None:
    """At the next order."""
    desk = a_closed_desk()
    start_over(desk, environment_of(SimpleNamespace(router=None)))  # type: ignore[arg-type]
    desk.core.journal.healthy = False
    assert desk.core.checker.check(a_command(1), 0) is not None


def test_strategies_that_stopped_may_not_trade() -> None:
    """Seated and not stopped, or a person; a run without any is conducted by hand."""
    seats = {"a": SimpleNamespace(stopped=""), "b": SimpleNamespace(stopped="failed")}
    enabled = Enabled(SimpleNamespace(seats=seats))  # type: ignore[arg-type]
    assert [name in enabled for name in ("a", "b", "c", "operator")] == [True, False, False, True]
    assert "c" in Enabled(SimpleNamespace(seats={}))  # type: ignore[arg-type]
