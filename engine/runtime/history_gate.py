"""The core of a live run, before whose gates stands another: no strategy trades on a bar of the past (``heard.py``)."""

from typing import Any

from engine.domain.algos import SubmitAlgo
from engine.domain.commands import SubmitOrder
from engine.domain.ids import InstrumentId
from engine.domain.instructions import CancelConditions, SubmitInstruction
from engine.domain.verdict import Denial
from engine.heard import HISTORY, Heard, LiveRunner
from engine.ports import Journal
from engine.runtime.wiring import Core


class LiveCore(Core):
    """A ``Core`` whose strategies hear history and do not trade on it. What a person orders, and cancels, pass."""

    runner: LiveRunner
    runner_class = LiveRunner

    def __init__(self, *, journal: Journal, **parts: Any) -> None:
        """As ``Core``."""
        self.heard = Heard(self._trading_day)
        super().__init__(journal=journal, record=self.heard.recording(journal.append), **parts)
        self.runner.heard = self.heard
        self._order, self._algo, self._instruction = (
            self.algos.on_order_wanted, self.algos.on_submit, self.instructions.on_submit,
        )  # fmt: skip
        # In their places before anybody subscribes them, as the doors of ``turns.py``.
        algos: Any = self.algos
        instructions: Any = self.instructions
        algos.on_order_wanted, algos.on_submit, instructions.on_submit = (
            self._on_order, self._on_algo, self._on_instruction,
        )  # fmt: skip

    def begin(self) -> None:
        """The journal was read: what it says was heard is history from here on."""
        self.heard.begin(self.kept.heard, self.clock.now_ns)

    def _on_order(self, command: SubmitOrder) -> None:
        bar = self.runner.history
        if bar is None or self.algos.is_child(command.client_id):
            self._order(command)
        else:
            self.manager.deny(command, HISTORY, self.heard.why(bar))

    def _on_algo(self, command: SubmitAlgo) -> None:
        bar = self.runner.history
        if bar is None or self.algos.is_child(command.client_id):
            self._algo(command)
        else:
            self.algos.refuse(command, HISTORY, self.heard.why(bar))

    def _on_instruction(self, command: SubmitInstruction) -> None:
        bar = self.runner.history
        if bar is None or isinstance(command.action, CancelConditions):
            self._instruction(command)
        else:
            self.instructions.refuse(command, Denial(HISTORY, self.heard.why(bar)))

    def _trading_day(self, instrument: InstrumentId, ts_ns: int) -> int:
        return self.books[self.instruments[instrument].market].trading_day(ts_ns)
