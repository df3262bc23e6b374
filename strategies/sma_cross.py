"""Two moving averages of closes: buy when the fast one crosses above the slow one, sell when it crosses below."""

from engine import Bar, Strategy, param


class SmaCross(Strategy):
    """Means closer than 1e-6 are a tie and change nothing; the first side seen is no signal."""

    fast: int = param(10, ge=1, le=10_000, doc="short window, bars")
    slow: int = param(30, ge=2, le=10_000, doc="long window, bars")
    size: int = param(100, ge=1, doc="units bought on a cross up")

    def on_start(self) -> None:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be shorter than slow ({self.slow})")
        for instrument in self.instruments:
            close = self.bars_of(instrument).close
            fast, slow = close.sma(self.fast), close.sma(self.slow)
            self.when(fast.crosses_above(slow, tie=1e-6), self.enter)
            self.when(fast.crosses_below(slow, tie=1e-6), self.leave)

    def enter(self, bar: Bar) -> None:
        self.buy(bar.instrument, self.size)

    def leave(self, bar: Bar) -> None:
        if held := self.position(bar.instrument):
            self.sell(bar.instrument, held)
