"""What the order gate is told of the run around it: journal, accounts, environments, who may trade, worth.

Orders are denied until each of these is known to be well (RELIABILITY 4.1, rows 2, 3 and 5); nothing here decides.
"""

from typing import Protocol, runtime_checkable

from engine.domain.account import Environment
from engine.domain.events import EquitySampled
from engine.domain.ids import StrategyId
from engine.ports import Gateway
from engine.runner import StrategyRunner
from engine.runtime.live_spec import LiveSpec
from engine.runtime.wiring import Core

BY_HAND = StrategyId("operator")
"""Whose name a person's own orders and instructions bear."""
RECONCILED = "reconciliation"


@runtime_checkable
class ProvesEnvironment(Protocol):
    """A router whose venue says whether an account trades real money."""

    @property
    def environment(self) -> Environment | None:
        """None while it is not proven."""


class Enabled:
    """The strategies that may trade: seated and not stopped; and a person. A run without any is conducted by hand."""

    def __init__(self, runner: StrategyRunner) -> None:
        self._seats = runner.seats

    def __contains__(self, name: object) -> bool:
        seat = self._seats.get(name)  # type: ignore[call-overload]
        return name == BY_HAND or not self._seats if seat is None else not seat.stopped


def close_gate(core: Core, spec: LiveSpec) -> None:
    """Nothing passes before its account is reconciled, nor while the journal fails."""
    view = core.view
    view.readiness.journal = lambda: core.journal.healthy
    for account in spec.accounts:
        view.readiness.block(f"account:{account.id} {RECONCILED}", "the account is not reconciled yet")
    view.strategies = Enabled(core.runner)
    view.armed = spec.armed


def environment_of(gateway: Gateway) -> Environment | None:
    """Which one its venue has proven to be; None: it proves nothing."""
    router: object = gateway.router
    return router.environment if isinstance(router, ProvesEnvironment) else None


def sample(core: Core, event: EquitySampled) -> None:
    """Journal what an account is worth; the first of a day is what its losses are measured against."""
    core.journal.append(event)
    core.view.on_equity(event)
