"""The report as one HTML file that needs nothing else: script, style and data are inside it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.columns import Columns
from engine.domain.errors import DataError
from engine.domain.timestamps import SECOND_NS, format_time
from engine.runtime.report_candles import (
    CANDLES_PER_PAGE,
    CANDLES_PER_VIEW,
    CandleChart,
    Candles,
    Floats,
    local_seconds,
    thin_bars,
)
from engine.runtime.report_figures import Cents, change_in_cents, figures_of, in_cents
from engine.runtime.report_html import whole_page, write_text
from engine.runtime.report_model import Band, Report
from engine.runtime.report_round_trips import RoundTrip
from engine.runtime.report_sources import sources_of

EQUITY_POINTS = 4_000
ROUND_TRIPS_MAX = 20_000
"""The table's latest rows; the figures are of all."""
FILLS_MAX = 40_000
BANDS_MAX = 20_000
"""Days with price limits that the page draws, of all instruments together; the latest."""

_SCRIPTS = ("report_page.js", "report_charts.js", "report_candles.js", "report_start.js")
_RED_UP = frozenset({"CNY", "COIN", ""})
"""Currencies of those who paint gains red."""


def write_html(
    report: Report,
    path: str | Path,
    bars: Mapping[str, Iterable[Columns]] | None = None,
    *,
    language: str = "",
) -> Path:
    """Write the page; gives its path.

    Args:
        bars: instrument -> its bars, oldest first. Default: read again from the files that the run names; a file that
            is gone, or is not the same any more, leaves its instrument without candles and a note on the page.
        language: ``en`` or ``zh``; default: the reader's browser's.

    Raises:
        DataError: the place can not be written to.
    """
    return write_text(path, render_page(report, bars, language=language))


def render_page(report: Report, bars: Mapping[str, Iterable[Columns]] | None = None, *, language: str = "") -> str:
    """The whole page as text; see ``write_html``."""
    notes = list(report.notes)
    charts = _charts_from_files(report, notes) if bars is None else _charts(bars, report.tz)
    return whole_page(report.title, _page_data(report, charts, notes), "report_page.html", _SCRIPTS, language)


def paints_red_up(currency: str) -> bool:
    """Whether the readers of that money paint gains red."""
    return currency in _RED_UP


def _charts_from_files(report: Report, notes: list[str]) -> list[CandleChart]:
    charts = []
    room = CANDLES_PER_PAGE // max(1, len(report.data))
    missed: list[str] = []
    for source in sources_of(report.data, missed):
        try:
            chart = thin_bars(source.batches(), report.tz, room)
        except DataError as why:
            missed.append(f"no bars of {source.instrument}: {why}")
            continue
        if chart is not None:
            charts.append(chart)
    # The costs may have missed the same bars, and said so.
    notes.extend(note for note in missed if note not in notes)
    return charts


def _charts(bars: Mapping[str, Iterable[Columns]], tz: str) -> list[CandleChart]:
    room = CANDLES_PER_PAGE // max(1, len(bars))
    return [chart for batches in bars.values() if (chart := thin_bars(batches, tz, room)) is not None]


def _page_data(report: Report, charts: Sequence[CandleChart], notes: list[str]) -> dict[str, Any]:
    """What the page's script reads. Times are seconds of the report's own wall clock; see ``local_seconds``."""
    fills, trips = report.fills[-FILLS_MAX:], report.round_trips[-ROUND_TRIPS_MAX:]
    if len(fills) < len(report.fills):
        notes.append(f"the candles show the latest {len(fills):,} of {len(report.fills):,} fills")
    if len(trips) < len(report.round_trips):
        notes.append(f"the table shows the latest {len(trips):,} of {len(report.round_trips):,} round trips")
    tz = report.tz
    return {
        # The page's own notes say more.
        "figures": {key: value for key, value in figures_of(report).items() if key != "notes"},
        "red_up": paints_red_up(report.currency),
        "equity": _curve(report),
        "days": {"t": _seconds(report.day_ns, tz), "v": [round(value, 2) for value in report.day_equity]},
        "exposure": _exposure(report),
        "rolling": _rolling(report),
        "falls": [_fall(report, place) for place in range(len(report.falls))],
        "view_max": CANDLES_PER_VIEW,
        "charts": [
            {
                "instrument": c.instrument,
                "bars": c.bars,
                "levels": [_level(level, tz) for level in c.levels],
                "bands": _bands(report.bands.get(c.instrument, ())[-BANDS_MAX // max(1, len(charts)) :], tz),
            }
            for c in charts
        ],
        "fills": {
            "t": _seconds([f.ts_ns for f in fills], tz),
            "instrument": [f.instrument for f in fills],
            "q": [f.quantity for f in fills],
            "p": [_short(f.price) for f in fills],
        },
        "trips": _trip_rows(trips, tz),
        "costs": _costs(report),
        "incidents": [[format_time(i.ts_ns, tz)[:19], i.kind, i.text] for i in report.incidents],
        "details": _details(report),
        "notes": notes,
    }


def _trip_rows(trips: Sequence[RoundTrip], tz: str) -> list[list[Any]]:
    entries, exits = _seconds([t.entry_ns for t in trips], tz), _seconds([t.exit_ns for t in trips], tz)
    return [
        [
            t.strategy,
            t.instrument,
            t.direction,
            t.quantity,
            entered,
            left,
            _short(t.entry_price),
            _short(t.exit_price),
            round(float(t.fees), 2),
            round(float(t.pnl), 2),
            round(t.return_, 6),
            t.holding_ns // SECOND_NS,
            None if t.mae is None else round(t.mae, 6),
            None if t.mfe is None else round(t.mfe, 6),
        ]
        for t, entered, left in zip(trips, entries, exits, strict=True)
    ]


def _costs(report: Report) -> dict[str, Any] | None:
    """The three tables, each with its total at the end, in cents that add up; what is not known is None."""
    costs = report.costs
    if costs is None:
        return None
    change, beside = change_in_cents(report)
    return {
        "strategies": [_cost_row(row) for row in in_cents(costs.rows, costs.total)],
        "instruments": [_cost_row(row) for row in in_cents(costs.instruments, costs.total)],
        "parts": [_cost_row(row) for row in in_cents(costs.parts, costs.total)],
        "change": float(change),
        "beside": float(beside),
    }


def _cost_row(cents: Cents) -> list[Any]:
    row, amounts = cents.row, (cents.gross, cents.slippage, cents.delay, cents.fees, cents.net)
    points = row.basis_points
    return [
        row.strategy,
        row.instrument,
        row.fills,
        round(float(row.traded_value), 2),
        *(None if amount is None else float(amount) for amount in amounts),
        None if points is None else round(points, 2),
        row.unpriced,
    ]


def _fall(report: Report, place: int) -> list[Any]:
    """[depth, peak, bottom, recovered or None, seconds falling, seconds in all]."""
    fall = report.falls[place]
    peak, bottom, recovered = _seconds([fall.peak_ns, fall.bottom_ns, fall.recovered_ns or fall.peak_ns], report.tz)
    lasted = (fall.falling_ns // SECOND_NS, fall.lasted_ns // SECOND_NS)
    return [fall.depth, peak, bottom, recovered if fall.recovered_ns else None, *lasted]


def _curve(report: Report) -> dict[str, Any]:
    """Equity, drawdown and benchmark; of many points each stretch keeps its lowest, its highest and its last."""
    keep = _kept(np.array(report.equity))
    values = None if report.benchmark is None else report.benchmark.values
    return {
        "t": _seconds([report.equity_ns[i] for i in keep], report.tz),
        "v": [round(report.equity[i], 2) for i in keep],
        "d": [round(report.drawdown[i], 6) for i in keep],
        "b": None if values is None else [round(values[i], 2) for i in keep],
    }


def _exposure(report: Report) -> dict[str, Any] | None:
    exposure = report.exposure
    if exposure is None:
        return None
    keep = _kept(np.array(exposure.gross))
    return {
        "t": _seconds([exposure.ts_ns[i] for i in keep], report.tz),
        "gross": [round(exposure.gross[i], 5) for i in keep],
        "net": [round(exposure.net[i], 5) for i in keep],
    }


def _rolling(report: Report) -> dict[str, Any] | None:
    rolling = report.rolling
    if rolling is None:
        return None
    return {
        "t": _seconds(rolling.day_ns, report.tz),
        "sharpe": [None if value is None else round(value, 4) for value in rolling.sharpe],
        "volatility": [round(value, 5) for value in rolling.volatility],
        "benchmark": [None if value is None else round(value, 4) for value in rolling.benchmark_sharpe],
    }


def _kept(values: Floats, points: int = EQUITY_POINTS) -> list[int]:
    """Places of at most ``points`` values, the extremes of every stretch among them."""
    if len(values) <= points:
        return list(range(len(values)))
    edges = np.linspace(0, len(values), points // 3 + 1).astype(int)
    parts = [
        {low + int(values[low:high].argmin()), low + int(values[low:high].argmax()), high - 1}
        for low, high in pairwise(edges.tolist())
    ]
    return sorted({0, *(place for part in parts for place in part)})


def _bands(bands: Sequence[Band], tz: str) -> dict[str, Any]:
    return {
        "t": _seconds([band.ts_ns for band in bands], tz),
        "low": [band.low for band in bands],
        "high": [band.high for band in bands],
    }


def _level(level: Candles, tz: str) -> dict[str, Any]:
    return {
        "s": level.interval_ns / SECOND_NS,
        "t": local_seconds(level.end_ns, tz).tolist(),
        **{
            key: [_short(value) for value in values.tolist()]
            for key, values in (("o", level.open), ("h", level.high), ("l", level.low), ("c", level.close))
        },
    }


def _details(report: Report) -> list[list[str]]:
    """Rows of (kind, name, text): what ran, on what."""
    rows = []
    for strategy in report.strategies:
        given = strategy.get("parameters") or {}
        said = ", ".join(f"{key} = {value}" for key, value in given.items()) if isinstance(given, dict) else str(given)
        rows.append(["strategy", f"{strategy.get('name', '')}", f"{strategy.get('path', '')}  {said}".strip()])
    for row in report.data:
        known = [str(row.get("path", "")), f"sha256 {str(row.get('sha256', ''))[:16]}" if row.get("sha256") else ""]
        rows.append(["data", str(row.get("instrument", "")), "  ".join(part for part in known if part)])
    for account in report.accounts:
        cash = f"{account.get('cash', '')} {account.get('currency', '')}".strip()
        rows.append(["account", str(account.get("account", "")), cash])
    if model := report.settings.get("fill_model"):
        around = ", ".join(f"{key} = {value}" for key, value in model.items() if key != "model")
        rows.append(["fill_model", str(model.get("model", "")), around])
    for name, book in report.settings.get("markets", {}).items():
        rows.append(
            ["market", str(name), ", ".join(f"{key} = {value}" for key, value in book.items() if key != "name")]
        )
    if report.config_hash:
        rows.append(["limits", "", report.config_hash[:16]])
    return rows


def _seconds(times_ns: Sequence[int], tz: str) -> list[int]:
    found: list[int] = local_seconds(np.array(times_ns, np.int64), tz).tolist()
    return found


def _short(price: float) -> float:
    """Six digits after the point are more than any venue's tick."""
    return round(price, 6)
