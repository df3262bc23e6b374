"""Two moving averages of closes: buy when the fast one crosses above the slow one, sell when it crosses below."""

from collections import deque

from engine import Bar, Strategy, param


class SmaCross(Strategy):
    """Means closer than 1e-6 are a tie and change nothing; the first side seen is no signal."""

    fast: int = param(10, ge=1, le=10_000, doc="short window, bars")
    slow: int = param(30, ge=2, le=10_000, doc="long window, bars")
    size: int = param(100, ge=1, doc="units bought on a cross up")

    def on_start(self) -> None:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be shorter than slow ({self.slow})")
        self.closes: deque[float] = deque()
        self.fast_sum = self.slow_sum = 0.0
        self.side = 0

    def on_bar(self, bar: Bar) -> None:
        closes = self.closes
        close = bar.close
        fast = self.fast
        slow = self.slow
        closes.append(close)
        fast_sum = self.fast_sum + close
        slow_sum = self.slow_sum + close
        seen = len(closes)
        if seen > fast:
            fast_sum -= closes[-fast - 1]
        if seen > slow:
            slow_sum -= closes.popleft()
        self.fast_sum = fast_sum
        self.slow_sum = slow_sum
        if seen < slow:
            return
        gap = fast_sum / fast - slow_sum / slow
        if gap > 1e-6:
            side = 1
        elif gap < -1e-6:
            side = -1
        else:
            return
        before = self.side
        if side == before:
            return
        self.side = side
        if side > 0:
            if before:
                self.buy(bar.instrument, self.size)
        elif before and (held := self.position(bar.instrument)):
            self.sell(bar.instrument, held)
