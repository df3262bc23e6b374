"""What a report holds. Shares are fractions (0.05 is 5 %), times ns UTC; None: too little is known to say."""

from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.money import ZERO
from engine.runtime.report_benchmark import Benchmark
from engine.runtime.report_costs import Costs
from engine.runtime.report_drawdowns import Fall
from engine.runtime.report_exposure import Exposure
from engine.runtime.report_reading import Incident
from engine.runtime.report_rolling import Rolling
from engine.runtime.report_round_trips import OpenPosition, RoundTrip
from engine.runtime.report_statistics import MonthlyReturn, MonthlyTurnover, Statistics


class FillMark(Struct, frozen=True, kw_only=True, gc=False):
    """One of our fills, as a chart and a list want it. ``quantity`` is signed, + bought."""

    ts_ns: int
    strategy: str
    instrument: str
    quantity: int
    price: float
    fee: float


class DenialCount(Struct, frozen=True, kw_only=True):
    """How often our risk checks said no with one code, when, and the last time in full."""

    code: str
    count: int
    example: str
    first_ns: int = 0
    last_ns: int = 0
    days: tuple[tuple[str, int], ...] = ()
    """Calendar days of the report's zone that have any, and how many."""


class Band(Struct, frozen=True, kw_only=True, gc=False):
    """The prices between which one instrument may trade from an instant on, to the next band's; see ``RuleBook``."""

    ts_ns: int
    low: float
    high: float


class Report(Struct, frozen=True, kw_only=True):
    """All of one run; ``msgspec.json.encode`` turns it into JSON. Times are ns UTC; ``tz`` is how to show them."""

    mode: str
    started_ns: int
    ended_ns: int
    tz: str
    currency: str
    starting_equity: Decimal
    final_equity: Decimal
    statistics: Statistics
    equity_ns: tuple[int, ...]
    equity: tuple[float, ...]
    drawdown: tuple[float, ...]
    monthly: tuple[MonthlyReturn, ...]
    round_trips: tuple[RoundTrip, ...]
    fills: tuple[FillMark, ...]
    open_positions: tuple[OpenPosition, ...]
    orders: dict[str, int]
    """State -> how many orders are in it, most first."""
    denials: tuple[DenialCount, ...]
    incidents: tuple[Incident, ...]
    data: tuple[dict[str, Any], ...]
    strategies: tuple[dict[str, Any], ...]
    accounts: tuple[dict[str, Any], ...]
    config_hash: str
    notes: tuple[str, ...]
    costs: Costs | None = None
    """Fees, slippage, delay, and profit before and after them; None: not reckoned, see ``with_costs``."""
    settings: dict[str, Any] = {}
    """What else decided: the fill model, the instruments and their rule books, as the run wrote them down."""
    yearly: tuple[MonthlyReturn, ...] = ()
    """``month`` is 0."""
    falls: tuple[Fall, ...] = ()
    """The deepest drawdowns, deepest first."""
    day_ns: tuple[int, ...] = ()
    """The last sample of each calendar day; the days of every daily figure."""
    day_equity: tuple[float, ...] = ()
    turnover: tuple[MonthlyTurnover, ...] = ()
    """Of each month: traded value over mean equity."""
    rolling: Rolling | None = None
    exposure: Exposure | None = None
    """None: not reckoned, see ``with_bars``."""
    benchmark: Benchmark | None = None
    bands: dict[str, tuple[Band, ...]] = {}
    """Instrument -> its price limits, oldest first; only of markets that have some."""

    @property
    def title(self) -> str:
        """Names of the strategies, or the mode."""
        names = [str(s.get("name", "")) for s in self.strategies] or sorted({f.strategy for f in self.fills})
        return ", ".join(name for name in names if name) or self.mode

    @property
    def instruments(self) -> tuple[str, ...]:
        """Instruments of the data and of the fills, in that order."""
        named = [str(d["instrument"]) for d in self.data if d.get("instrument")]
        return tuple(dict.fromkeys([*named, *(f.instrument for f in self.fills)]))

    @property
    def beside(self) -> Decimal:
        """By what equity changed beside the strategies' net profit: what is no strategy's doing."""
        net = self.costs.total.net if self.costs is not None else ZERO
        return self.final_equity - self.starting_equity - net
