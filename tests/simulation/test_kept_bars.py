"""A bar is a strategy's own once it has a hold on it, in every way a backtest has of handing bars on."""

import pytest

from engine import Bar, Strategy
from tests.builders import a_backtest, a_walk, ran


class Keeps(Strategy):
    """Keeps some of the bars it is shown, and what it has seen in them."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every, self.shown = every, 0
        self.kept: list[Bar] = []
        self.numbers: list[tuple[float, ...]] = []

    def look(self, bar: Bar) -> None:
        self.shown += 1
        if self.shown % self.every == 0:
            self.kept.append(bar)
            self.numbers.append((bar.ts_ns, bar.open, bar.high, bar.low, bar.close, bar.volume))
        if self.shown % 7 == 0:
            self.buy(bar.instrument, 1)


class KeepsAll(Keeps):
    def on_bar(self, bar: Bar) -> None:
        self.look(bar)


class KeepsSome(Keeps):
    def on_start(self) -> None:
        close = self.bars_of(self.instruments[0]).close
        self.when(close > close.sma(3), self.look)


@pytest.mark.parametrize(("kind", "mode"), [(KeepsAll, "event"), (KeepsSome, "event"), (KeepsSome, "column")])
@pytest.mark.parametrize("every", [1, 2, 5])
def test_a_bar_that_a_strategy_keeps_stays_as_it_was(kind: type[Keeps], mode: str, every: int) -> None:
    """Bars nobody has a hold on are used again; any other is its own for good."""
    strategy = kind(every)
    result, _ = ran(a_backtest(strategy, a_walk(600), mode=mode))
    told = [(bar.ts_ns, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in strategy.kept]
    assert told == strategy.numbers
    assert len(set(map(id, strategy.kept))) == len(strategy.kept) > 30
    assert result.fills > 30
