"""How often each strategy filled lately, with nobody looking."""

from engine.domain.events import Fill, LatchCleared
from engine.domain.ids import StrategyId
from engine.risk.windows import SlidingWindow


class FillWindows:
    """Fills by strategy; those of a strategy are forgotten when a person lowers a latch that holds it."""

    def __init__(self, span_ns: int, cap: int) -> None:
        self._span_ns, self._cap = span_ns, cap
        self._windows: dict[StrategyId, SlidingWindow] = {}

    def on_fill(self, fill: Fill) -> None:
        self._windows.setdefault(fill.strategy, SlidingWindow(self._span_ns, self._cap)).add(fill.ts_ns)

    def on_seen(self, event: LatchCleared) -> None:
        """A person has looked."""
        if event.scope == "all":
            self._windows.clear()
        else:
            self._windows.pop(StrategyId(event.scope.removeprefix("strategy:")), None)

    def count(self, strategy: StrategyId, now_ns: int) -> int:
        window = self._windows.get(strategy)
        return window.count(now_ns) if window is not None else 0
