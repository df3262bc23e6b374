"""One run of one set, as it travels to a worker and back."""

from typing import Any, Protocol

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.runtime.optimize.space import key_of

WHOLE = "whole"
"""The span that is all of the data."""


class Span(Struct, frozen=True, kw_only=True):
    """Which bars a run sees and from when on it trades: ``[from_ns, to_ns)`` by the end of a bar; 0 ``to_ns``: all."""

    name: str = WHOLE
    from_ns: int = 0
    trade_ns: int = 0
    """Before it, bars are heard and every order is denied."""
    to_ns: int = 0


class Job(Struct, frozen=True, kw_only=True):
    parameters: dict[str, Any]
    span: Span = Span()

    @property
    def key(self) -> str:
        span = self.span
        return f"{span.from_ns}/{span.trade_ns}/{span.to_ns}/{key_of(self.parameters)}"


class Figures(Struct, frozen=True, kw_only=True):
    """What one run came to, as ``report_statistics.Statistics`` defines it; None: too little to say."""

    total_return: float
    annual_return: float | None
    annual_volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown: float
    exposure: float
    turnover: float
    fees: float
    fills: int
    denied: int
    round_trips: int
    win_rate: float | None
    profit_factor: float | None
    days: int
    days_a_year: int
    final_equity: float


class Row(Struct, frozen=True, kw_only=True):
    """One finished run. Arrays are little-endian bytes, which JSON holds as base64."""

    key: str
    parameters: dict[str, Any]
    span: Span
    figures: Figures | None = None
    problem: str = ""
    """Why there are no figures, or why they are not to be used."""
    lost: bool = False
    """Whether its process ended each time; such a row is not kept, so that it is tried again."""
    digest: str = ""
    """Of the run's journal."""
    starting: float = 0.0
    days: bytes = b""
    """Calendar days with equity, as int32 ordinals."""
    closes: bytes = b""
    """The last equity of each, as float64."""
    curve_ns: bytes = b""
    """Where the days are few: instants of equity, int64, and the equity."""
    curve: bytes = b""

    @property
    def day_ordinals(self) -> NDArray[np.int32]:
        return np.frombuffer(self.days, "<i4")

    @property
    def levels(self) -> NDArray[np.float64]:
        """Starting equity, then the close of each day."""
        return np.concatenate([[self.starting], np.frombuffer(self.closes, "<f8")])

    @property
    def returns(self) -> NDArray[np.float64]:
        """A day, one less than levels; 0 where there was nothing to grow."""
        levels = self.levels
        before = levels[:-1]
        return np.where(before != 0, levels[1:] / np.where(before != 0, before, 1.0) - 1.0, 0.0)


ENCODER = msgspec.json.Encoder()
ROW_DECODER = msgspec.json.Decoder(Row)
JOB_DECODER = msgspec.json.Decoder(Job)


class Pool(Protocol):
    """Workers that make runs, somewhere."""

    def submit(self, job: Job) -> None: ...

    async def next(self) -> Row:
        """The next row that is finished, of any job submitted."""
