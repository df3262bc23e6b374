"""Bars, a strategy and pools for tests of ``optimize``."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from engine.control.backtest_plan import Asked
from engine.control.optimize_plan import AskedSearch
from engine.control.optimize_run import Loaded, load, prepare
from engine.runtime.optimize.evaluation import evaluate
from engine.runtime.optimize.jobs import Job, Row
from engine.runtime.optimize.setup import Setup
from tests.cli_builders import a_bar_file

TRADER = '''
"""A cross of two means, in a file of its own."""

from typing import Literal

from engine import Bar, Strategy, param


class Trader(Strategy):
    fast: int = param(3, ge=2, le=40)
    slow: int = param(10, ge=3, le=80)
    tie: float = param(1e-6, ge=1e-9, le=0.1)
    way: Literal["cross", "wait"] = param("cross")
    often: bool = param(True)
    note: str = param("")

    def on_start(self) -> None:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be shorter than slow ({self.slow})")
        close = self.bars_of(self.instruments[0]).close
        fast, slow = close.sma(self.fast), close.sma(self.slow)
        self.when(fast.crosses_above(slow, tie=self.tie), self.enter)
        self.when(fast.crosses_below(slow, tie=self.tie), self.leave)

    def enter(self, bar: Bar) -> None:
        self.buy(bar.instrument, 100)

    def leave(self, bar: Bar) -> None:
        if held := self.position(bar.instrument):
            self.sell(bar.instrument, held)
'''
DAYS, BARS_A_DAY = 40, 20


def a_trader(folder: Path) -> str:
    """The strategy's path, as the command line takes it."""
    path = folder / "trader.py"
    path.write_text(TRADER, encoding="utf-8")
    return f"{path}:Trader"


def some_days(days: int = DAYS, seed: int = 1, changed_from: int | None = None) -> list[str]:
    """Rows of a random walk, twenty minutes a day; ``changed_from``: from that day on it is another one."""
    rows, close = [], 10.0
    for day in range(days):
        chance = np.random.default_rng([seed if changed_from is None or day < changed_from else seed + 1, day])
        for minute, step in enumerate(chance.normal(0, 0.02, BARS_A_DAY).tolist()):
            before, close = close, round(max(1.0, close + step), 2)
            low, high = sorted((before, close))
            when = np.datetime64("2026-03-02") + day
            rows.append(f"{when} 10:{minute:02d}:00,{before},{high},{low},{close},1000")
    return rows


def a_search(folder: Path, *, rows: Sequence[str] | None = None, strategy: str = "", **sought: object) -> Loaded:
    """A search over a file of bars that is made in ``folder``."""
    asked = an_asked(folder, rows=rows, strategy=strategy)
    wanted = {"ranges": ("fast=2:4:1", "slow=6:14:4"), **sought}
    return load(prepare(asked, AskedSearch(**wanted), None, "auto"))  # type: ignore[arg-type]


def an_asked(folder: Path, *, rows: Sequence[str] | None = None, strategy: str = "") -> Asked:
    path = a_bar_file(folder, some_days() if rows is None else rows)
    return Asked(
        strategies=(strategy or a_trader(folder),), data=(str(path),), instruments=("600000.SH",), market="free"
    )


class InlinePool:
    """Runs in this process; ``order`` says which of the waiting jobs ends next."""

    def __init__(self, setup: Setup, order: Callable[[int], int] = lambda _count: 0) -> None:
        self._setup = setup
        self._order = order
        self._waiting: deque[Job] = deque()
        self.made: list[Job] = []

    async def begin(self, setup: Setup, fingerprint: str) -> None:
        """It has its setup already."""

    def submit(self, job: Job) -> None:
        self._waiting.append(job)

    async def next(self) -> Row:
        place = self._order(len(self._waiting))
        job = self._waiting[place]
        del self._waiting[place]
        self.made.append(job)
        return evaluate(self._setup, job)
