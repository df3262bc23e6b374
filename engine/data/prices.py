"""Prices of one thing from a file with a time and a close: what a benchmark is made of."""

from pathlib import Path

import numpy as np
from msgspec import Struct

from engine.data.columns import Floats, Ints
from engine.data.headers import TIME
from engine.data.rows import Rows
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import HOUR_NS, datetime_from_ns

_DAILY_FROM_NS = 20 * HOUR_NS


class PriceSeries(Struct, frozen=True, kw_only=True):
    """Prices, oldest first, each with the instant from which it is known."""

    name: str
    ts_ns: Ints
    prices: Floats
    daily: bool
    """At most one a day: the time of day says nothing, the day does."""
    at_midnight: bool
    """Days are stamped with their first instant, not with their last."""


def read_prices(path: str | Path, name: str, tz: str) -> PriceSeries:
    """The columns for time and close of a CSV (also gzip) or Parquet file; rows that name another symbol are skipped.

    Args:
        tz: zone of times without one.

    Raises:
        DataError: the file can not be used; names the line.
    """
    rows = Rows(Path(path), InstrumentId(name), (TIME, "close"), tz=tz)
    times: list[Ints] = []
    prices: list[Floats] = []
    last_ns: int | None = None
    for chunk in rows.chunks():
        ts_ns, closes = chunk.ts_ns, chunk.floats["close"]
        bad = np.flatnonzero(~(np.isfinite(closes) & (closes > 0)))
        if len(bad):
            raise rows.fault(chunk.row(int(bad[0])), "the close is not above 0; correct or delete the row")
        back = np.flatnonzero(np.diff(ts_ns) <= 0)
        if len(back) or (last_ns is not None and ts_ns[0] <= last_ns):
            row = chunk.row(int(back[0]) + 1 if len(back) else 0)
            raise rows.fault(row, "the time is not after the one before; sort the rows, and delete those there twice")
        last_ns = int(ts_ns[-1])
        times.append(ts_ns)
        prices.append(closes)
    ts_ns = np.concatenate(times)
    daily = len(ts_ns) < 2 or int(np.diff(ts_ns).min()) >= _DAILY_FROM_NS
    stamped = daily and not rows.times.day_only and _at_midnight(ts_ns, rows.times.tz)
    return PriceSeries(name=name, ts_ns=ts_ns, prices=np.concatenate(prices), daily=daily, at_midnight=stamped)


def _at_midnight(ts_ns: Ints, tz: str) -> bool:
    some = ts_ns[:16].tolist()
    return all((at := datetime_from_ns(one, tz)).hour == at.minute == at.second == 0 for one in some)
