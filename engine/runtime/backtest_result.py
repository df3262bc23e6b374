"""What a backtest is given for each strategy, and what it comes to."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.ids import InstrumentId, StrategyId
from engine.strategy import Strategy


class StrategySpec(Struct, frozen=True, kw_only=True):
    """One strategy of a run, as config or the command line names it."""

    name: StrategyId
    make: Callable[[], Strategy]
    instruments: tuple[InstrumentId, ...]
    bar_interval_ns: int = 0
    """Which bars ``on_bar`` wants; 0 takes those the source has."""
    path: str = ""
    parameters: dict[str, Any] = {}


class BacktestResult(Struct, frozen=True, kw_only=True):
    bars: int
    quotes: int = 0
    fills: int
    orders: int
    denied: int
    final_equity: Decimal
    digest: str
    replay_cpu_seconds: float
    whole_cpu_seconds: float
    stopped: dict[str, str] = {}
    """Strategies that failed, and why."""
    mode: str = "event"
    """``event``: every bar was played; ``column``: only those at which something happens."""
    mode_reason: str = ""
    """Why bars could not be left out, where that was tried."""
    compiled: bool = False
    """Whether everyday orders went the compiled way (``engine/native``): sooner, and to the same digest."""
