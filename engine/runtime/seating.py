"""Giving strategies their places: all of them as a run begins, and one of them anew while it goes on.

A fresh instance gets what a restart gives it: the state its ``dump()`` gave last, its positions, the orders that still
work. Its code is the code this run was started with. Which parameters it is made with: those of the config, unless a
person changed them and the config's are still what they were then.
"""

import math
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.domain.events import Alert
from engine.domain.ids import AccountId, StrategyId
from engine.domain.jobs import ParametersChanged, StrategyHeld, StrategyStarted
from engine.domain.reconciled import OperatorActed
from engine.domain.timestamps import format_time
from engine.params import fill_parameters
from engine.runner import StrategyRunner
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.strategies import IMPORT_FAILURES
from engine.strategy import Context, Recovered, Strategy

if TYPE_CHECKING:
    from engine.runtime.live import LiveRun


class Seated(Struct, frozen=True, kw_only=True):
    """What came of it. ``problem``: why nothing was done, or what went wrong as it began; ``done`` tells which."""

    done: bool
    problem: str = ""
    before: str = ""
    after: str = ""


class Seating:
    """Of one run. ``stop``, ``start`` and ``change`` are ways into its core (``turns.DOORS``): one event each."""

    def __init__(self, run: "LiveRun") -> None:
        self._run = run
        self._core = run.core
        self._rows: dict[StrategyId, tuple[AccountId, StrategySpec]] = {
            spec.name: (account, spec) for account, spec in run.spec.strategies
        }

    def begin(self, *, fresh: bool) -> None:
        """Seat and start every strategy of the run; ``fresh``: there was no run before it."""
        core = self._core
        recovered: dict[StrategyId, Recovered] = {}
        for account, spec in self._rows.values():
            context = self._context(account, spec, core.runner)
            core.runner.seat(spec.name, self._made(spec), context)
            if not fresh:
                recovered[spec.name] = self._recovered(spec.name, context)
        held = [name for name in self._rows if name in core.kept.held]
        core.runner.start(recovered, [name for name in self._rows if name not in held])
        for name in held:
            self._keep_out(name)
        core.algos.resume()

    def stop(self, strategy: StrategyId, reason: str, who: str) -> Seated:
        """What one that runs wants back is asked for first. It begins in no later run before it is started."""
        core, why, before = self._core, f"{who}: {reason}", self._stands(strategy)
        core.kept.save([strategy])
        core.kept.tell(StrategyHeld(strategy=strategy, ts_ns=core.clock.now_ns, reason=why))
        core.runner.halt(strategy, why)
        return self._acted("stop strategy", strategy, reason, who, before, "stopped")

    def start(self, strategy: StrategyId, reason: str, who: str) -> Seated:
        """A fresh instance of a strategy that was stopped; no latch is lifted."""
        account, spec = self._rows[strategy]
        before = f"stopped: {self._core.runner.seats[strategy].stopped}"
        try:
            made = self._made(spec)
        except IMPORT_FAILURES as why:
            return Seated(done=False, problem=f"it can not be made: {type(why).__name__}: {why}")
        self._sit(account, spec, made, reason)
        return self._acted("start strategy", strategy, reason, who, before, self._stands(strategy))

    def change(self, strategy: StrategyId, values: dict[str, Any], reason: str, who: str) -> Seated:
        """Other parameters: checked and tried first; then a running strategy is made anew with them.

        A stopped one stays stopped and has them when it is started.
        """
        core, (account, spec) = self._core, self._rows[strategy]
        seat = core.runner.seats[strategy]
        kind, known = type(seat.strategy), self.parameters(strategy)
        try:
            filled = fill_parameters(kind, {**known, **values})
            _refuse_not_finite(filled)
            now = _plain(filled)
            # What can not be kept can not be given back: said now, and not at the next start.
            fill_parameters(kind, dict(now))
            changed = [name for name in now if now[name] != known.get(name)]
            if not changed:
                return Seated(done=False)
            self._rehearse(account, spec, kind(**filled))
            made = kind(**filled)
        except ConfigError as why:
            return Seated(done=False, problem=str(why))
        except IMPORT_FAILURES as why:
            return Seated(done=False, problem=f"it can not be made with them: {type(why).__name__}: {why}")
        ran = not seat.stopped
        if ran:
            core.kept.save([strategy])
        core.kept.tell(
            ParametersChanged(
                strategy=strategy, ts_ns=core.clock.now_ns, values=now, configured=_plain(spec.parameters)
            )
        )
        if ran:
            core.runner.stop([strategy])
            self._sit(account, spec, made, reason)
        else:
            made.ctx, seat.strategy = seat.context, made
        before, after = (", ".join(f"{name} {row.get(name)}" for name in changed) for row in (known, now))
        stands = self._stands(strategy)
        return self._acted("set parameters", strategy, reason, who, before, f"{after}; it is {stands}")

    def parameters(self, strategy: StrategyId) -> dict[str, Any]:
        """Those in force, all of them, as plain values."""
        _, spec = self._rows[strategy]
        changed = self._core.kept.parameters.get(strategy)
        given = spec.parameters if changed is None or changed.configured != _plain(spec.parameters) else changed.values
        return _plain(fill_parameters(type(self._core.runner.seats[strategy].strategy), dict(given)))

    # --- one instance ------------------------------------------------------------------------------------------------

    def _made(self, spec: StrategySpec) -> Strategy:
        """A fresh instance; where changed parameters do not hold any more the config's do, and a person is told."""
        made, changed = spec.make(), self._core.kept.parameters.get(spec.name)
        if changed is None or changed.values == changed.configured:
            return made
        configured = _plain(spec.parameters)
        why = "what the config and the code give it has changed since"
        if changed.configured == configured:
            try:
                return type(made)(**fill_parameters(type(made), changed.values))
            except IMPORT_FAILURES as error:
                why = f"its code does not take them any more ({error})"
        now_ns = self._core.clock.now_ns
        self._core.kept.tell(
            ParametersChanged(strategy=spec.name, ts_ns=now_ns, values=configured, configured=configured)
        )
        if changed.values != configured:
            text = f"the parameters a person gave {spec.name} are dropped, and the config's hold: {why}"
            self._core.bus.publish(Alert(ts_ns=now_ns, about=f"strategy:{spec.name}", text=text))
        return made

    def _sit(self, account: AccountId, spec: StrategySpec, made: Strategy, reason: str) -> None:
        """In the place of one that hears nothing any more."""
        core, name = self._core, spec.name
        context = self._context(account, spec, core.runner)
        core.runner.seat(name, made, context)
        started = StrategyStarted(
            strategy=name, ts_ns=core.clock.now_ns, reason=reason, parameters=self.parameters(name)
        )
        core.kept.tell(started)
        core.bus.publish(started)
        core.runner.start({name: self._recovered(name, context)}, [name])

    def _keep_out(self, name: StrategyId) -> None:
        """It has a seat, hears nothing, and a person is reminded of it."""
        core, held = self._core, self._core.kept.held[name]
        core.runner.halt(name, f"{held.reason} (since {format_time(held.ts_ns)})")
        text = f"{name} was stopped by {held.reason}, and stays so: strategies start {name}"
        core.bus.publish(Alert(ts_ns=core.clock.now_ns, about=f"strategy:{name}", text=text))

    def _context(self, account: AccountId, spec: StrategySpec, desk: StrategyRunner) -> Context:
        run, core, name = self._run, self._core, spec.name
        before = core.runner.seats.get(name)
        if before is None:
            made = [of.get(name, 0) for of in (core.manager.orders_made, core.instructions.made, core.algos.made)]
        else:
            old = before.context
            made = [old.orders_made, old.instructions_made, old.algos_made]
        return Context(
            strategy=name,
            account=account,
            instruments=spec.instruments,
            catalogue=run.spec.instruments,
            publish=core.bus.publish if desk is core.runner else _nobody,
            portfolio=core.portfolio,
            history=core.history,
            desk=desk,
            queries=run._query,
            id_prefix=f"{name}-{run.spec.run_tag}-" if run.spec.run_tag else f"{name}-",
            bar_interval_ns=spec.bar_interval_ns,
            statements=run.spec.statements,
            orders_made=made[0],
            instructions_made=made[1],
            algos_made=made[2],
        )

    def _recovered(self, name: StrategyId, context: Context) -> Recovered:
        core = self._core
        held = {i: p.quantity for (s, i), p in core.portfolio.strategy_positions.items() if s == name}
        return Recovered(positions=held, working=context.working_orders(), state=core.kept.states.get(name))

    def _rehearse(self, account: AccountId, spec: StrategySpec, made: Strategy) -> None:
        """Start an instance where nothing leaves.

        Raises:
            ConfigError: it would not begin.
        """
        runner = StrategyRunner(
            clock=self._core.clock, publish=_nobody, working=lambda _name: (), outside=_no_call, note=_no_note
        )
        runner.seat(spec.name, made, self._context(account, spec, runner))
        runner.start()
        seat = runner.seats[spec.name]
        why = seat.stopped
        seat.close("rehearsed")
        if why:
            raise ConfigError(f"{spec.name} would not begin with them: {why}")

    def _stands(self, name: StrategyId) -> str:
        stopped = self._core.runner.seats[name].stopped
        return f"stopped: {stopped}" if stopped else "running"

    def _acted(self, command: str, name: StrategyId, reason: str, who: str, before: str, after: str) -> Seated:
        self._core.journal.append(
            OperatorActed(
                ts_ns=self._core.clock.now_ns,
                who=who,
                command=command,
                about=f"strategy:{name}",
                reason=reason,
                before=before,
                after=after,
            )
        )
        return Seated(done=True, problem=self._core.runner.seats[name].stopped, before=before, after=after)


def _plain(values: Any) -> dict[str, Any]:
    """As the journal gives them back."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(values))
    return found


def _refuse_not_finite(values: dict[str, Any]) -> None:
    """A bound lets them by: they are neither above nor below anything."""
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"parameter {name}: {value} is no number; write a finite one")


def _nobody(_event: Any) -> None:
    """Of a rehearsal nothing leaves."""


def _no_call(_strategy: StrategyId, _number: int, _request: Any) -> None:
    """Nobody is asked."""


def _no_note(_text: str, _fields: Any) -> None:
    """Nothing is written down."""
