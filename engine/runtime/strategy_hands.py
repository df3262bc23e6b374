"""What a person may do to one strategy while the others go on: stop it, start it anew, change its parameters."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.domain.commands import comes_back
from engine.domain.errors import JournalError
from engine.domain.events import LatchSet
from engine.domain.ids import StrategyId
from engine.runtime.operator import Act
from engine.runtime.operator_commands import MISTAKE, NO, Answer, SetParameters, StartStrategy, StopStrategy
from engine.runtime.seating import Seated
from engine.seat import Seat

if TYPE_CHECKING:
    from engine.runtime.live import LiveRun


class StrategyHands:
    """Over one run; what was decided is durable before it is answered (DESIGN, decision 8)."""

    def __init__(self, run: "LiveRun") -> None:
        self._run = run
        self._core = run.core

    def acts(self) -> Mapping[type, Act]:
        """By command, for ``Operator``."""
        acts: Mapping[type, Callable[[Any, Seat], Awaitable[Answer]]]
        acts = {StopStrategy: self._stop, StartStrategy: self._start, SetParameters: self._change}
        return {kind: partial(self._at_the_seat, act) for kind, act in acts.items()}

    async def _at_the_seat(self, act: Callable[[Any, Seat], Awaitable[Answer]], command: Any) -> Answer:
        seat = self._seat(command)
        return seat if isinstance(seat, Answer) else await act(command, seat)

    async def _stop(self, command: StopStrategy, seat: Seat) -> Answer:
        """Stop one that runs, and keep it so; one that failed would begin again with the next run."""
        name = seat.name
        if name in self._core.kept.held:
            return Answer(text=f"{name} is stopped already: {seat.stopped}")
        self._run.seating.stop(name, command.reason, command.who)
        return await self._settled(
            Answer(text=f"{name} is stopped; its orders are being withdrawn", details={"state": "stopped"})
        )

    async def _start(self, command: StartStrategy, seat: Seat) -> Answer:
        """A fresh instance of one that was stopped."""
        name = seat.name
        if not seat.stopped:
            return Answer(text=f"{name} runs already", details={"state": "running"})
        found = self._run.seating.start(name, command.reason, command.who)
        if not found.done:
            return Answer(text=f"{name} stays stopped: {found.problem}", exit_code=NO, details={"state": "stopped"})
        return await self._settled(self._began(name, f"{name} is started", found))

    async def _change(self, command: SetParameters, seat: Seat) -> Answer:
        """Other parameters; nothing is changed where one of them can not be."""
        name = seat.name
        if not command.values:
            return Answer(text="no parameter is named: give at least one and its value", exit_code=MISTAKE)
        if not comes_back(command.values, dict[str, Any]):
            return Answer(text="a value is none that JSON and 64 bits can hold: give plain ones", exit_code=MISTAKE)
        ran = not seat.stopped
        found = self._run.seating.change(name, command.values, command.reason, command.who)
        if found.problem and not found.done:
            return Answer(text=f"nothing is changed: {found.problem}", exit_code=MISTAKE)
        state = {"state": "running" if ran else "stopped", "parameters": self._run.seating.parameters(name)}
        if not found.done:
            return Answer(text=f"{name} has these parameters already", details=state)
        changed = self._core.kept.parameters[name]
        holds = "as in the config" if changed.values == changed.configured else "until the config's own are edited"
        text = f"{name}: {found.before} became {found.after.partition(';')[0]}, {holds}"
        if not ran:
            answer = Answer(text=f"{text}; it is stopped, and has them when it is started", details=state)
            return await self._settled(answer)
        return await self._settled(self._began(name, f"{text}; it is started anew with them", found, state))

    def _began(self, name: StrategyId, text: str, found: Seated, details: Mapping[str, object] | None = None) -> Answer:
        """What a fresh instance has in hand, and what still holds it back."""
        seat = self._core.runner.seats[name]
        if found.problem:
            text = f"{text}, but it failed as it began and is stopped: {found.problem}"
            return Answer(text=text, exit_code=NO, details={**(details or {}), "state": "stopped"})
        held = {str(i): p.quantity for (s, i), p in self._core.portfolio.strategy_positions.items() if s == name}
        held = {instrument: quantity for instrument, quantity in held.items() if quantity}
        working = [str(order.client_id) for order in seat.context.working_orders()]
        has = ", ".join(f"{quantity} {instrument}" for instrument, quantity in held.items()) or "no position"
        text = f"{text}; it has {has} and {len(working)} open order{'' if len(working) == 1 else 's'}"
        latch: LatchSet | None = self._core.view.latches.get(f"strategy:{name}")
        if latch is not None:
            stays = f"{latch.scope} stays at {latch.level.name.lower()} ({latch.cause})"
            text = f"{text}; {stays}: resume it to let it trade"
        level = 0 if latch is None else int(latch.level)
        more = {"state": "running", "positions": held, "working": working, "level": level}
        return Answer(text=text, details={**(details or {}), **more})

    def _seat(self, command: StopStrategy | StartStrategy | SetParameters) -> Seat | Answer:
        """The strategy's; an answer where there is none, or nothing can be done now."""
        idle = self._run.stop_reason or not self._run.ready.is_set()
        if idle and not isinstance(command, StopStrategy):
            return Answer(text="the run is beginning or ending; ask again when it trades", exit_code=NO)
        seats = self._core.runner.seats
        seat = seats.get(StrategyId(command.strategy))
        if seat is None:
            there = ", ".join(seats) or "none"
            return Answer(text=f"there is no strategy {command.strategy!r}; there are: {there}", exit_code=MISTAKE)
        if not command.reason.strip():
            return Answer(text="a reason is missing: it is kept in the journal", exit_code=MISTAKE)
        if not isinstance(command, StopStrategy) and not self._core.journal.healthy:
            return Answer(text="the journal failed; start the engine anew", exit_code=NO)
        return seat

    async def _settled(self, answer: Answer) -> Answer:
        journal = self._run.journal
        if journal.failure:
            return answer
        try:
            await journal.durable(journal.next_seq - 1)
        except JournalError as why:
            return Answer(text=f"{answer.text}; but the journal failed: {why}", exit_code=NO, details=answer.details)
        return answer
