"""Adjustment factors for dividends, splits and rights: a file of our own form beside the bars (docs/data.md).

``<catalog>/<instrument>/adjustments.csv`` has the columns ``ex_date``, ``price_factor`` and, if shares changed,
``share_factor``; a line for each ex-date. ``price_factor`` is the exchange's reference price on that day over the close
before it (0.95 for a dividend of 5%), ``share_factor`` the shares after one share before (2 for a split in two).
"""

import csv
from bisect import bisect_right
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct

from engine.data.columns import Columns
from engine.domain.errors import DataError
from engine.domain.timestamps import ns_from_datetime

FILE = "adjustments.csv"
HOWS = ("backward", "forward")
"""``backward``: early prices stay, later ones grow: a bar's figures never change by what comes after it. ``forward``:
the last prices stay, earlier ones shrink; their level knows the future, their returns do not."""
_NEEDED = ("ex_date", "price_factor")


class Adjustment(Struct, frozen=True):
    """``ex_ns``: the instant the ex-date begins at the venue."""

    ex_ns: int
    price_factor: float
    share_factor: float = 1.0


def read_adjustments(path: Path, instrument: str, tz: str) -> tuple[Adjustment, ...]:
    """The factors of one instrument, oldest first.

    Raises:
        DataError: no such file, a column is missing, a day twice, or a factor that can not be; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(
            f"data file {path}: there are no adjustment factors of {instrument}; write the file (docs/data.md), or "
            "run without --adjust"
        ) from None
    except (OSError, UnicodeDecodeError) as why:
        raise DataError(f"data file {path}: can not be read: {why}") from why
    rows = csv.DictReader(text.splitlines())
    header = rows.fieldnames or ()
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise DataError(f"data file {path}, line 1: no column {missing[0]}; write {','.join(_NEEDED)},share_factor")
    found: dict[int, Adjustment] = {}
    for row in rows:
        place = f"data file {path}, line {rows.line_num}"
        try:
            day = date.fromisoformat(row["ex_date"].strip())
            price = float(row["price_factor"])
            share = float(row.get("share_factor") or 1.0)
        except (ValueError, AttributeError, TypeError) as why:
            raise DataError(f"{place}: {why}; write it as in 2024-06-14,0.9523,1") from why
        if not (0 < price < np.inf and 0 < share < np.inf):
            raise DataError(f"{place}: a factor is not above 0; correct it")
        ex_ns = ns_from_datetime(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(tz)).astimezone(UTC))
        if ex_ns in found:
            raise DataError(f"{place}: {day} is there twice; multiply the two factors into one line")
        found[ex_ns] = Adjustment(ex_ns, price, share)
    return tuple(found[ex_ns] for ex_ns in sorted(found))


def adjusted(bars: Columns, factors: tuple[Adjustment, ...], how: str, last_ns: int) -> Columns:
    """Bars with prices and volumes adjusted; factors after ``last_ns`` are not used.

    Backward: prices are divided by the factors of all ex-dates up to the bar. Forward: multiplied by those after it.
    Volumes go the other way by the shares' factor alone.
    """
    known = factors[: bisect_right([factor.ex_ns for factor in factors], last_ns)]
    edges = np.array([factor.ex_ns for factor in known], np.int64)
    # A bar belongs to the side its last instant is on.
    passed = np.searchsorted(edges, bars.ts_ns - 1, "right")
    prices = np.concatenate([[1.0], np.cumprod([factor.price_factor for factor in known])])
    shares = np.concatenate([[1.0], np.cumprod([factor.share_factor for factor in known])])
    if how == "forward":
        price, share = prices[-1] / prices[passed], shares[-1] / shares[passed]
    else:
        price, share = 1.0 / prices[passed], 1.0 / shares[passed]
    return Columns(
        bars.instrument, bars.interval_ns, bars.ts_ns, bars.open * price, bars.high * price, bars.low * price,
        bars.close * price, bars.volume * share,
    )  # fmt: skip
