"""The report as one HTML file that needs nothing else: script, style and data are inside it."""

import html
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from plotly.offline import get_plotlyjs

from engine.data.columns import Columns
from engine.domain.errors import DataError
from engine.domain.timestamps import SECOND_NS, format_time
from engine.runtime.report import Report
from engine.runtime.report_candles import (
    CANDLES_PER_PAGE,
    CANDLES_PER_VIEW,
    CandleChart,
    Candles,
    local_seconds,
    thin_bars,
)
from engine.runtime.report_costs import CostRow
from engine.runtime.report_round_trips import RoundTrip
from engine.runtime.report_sources import sources_of

EQUITY_POINTS = 4_000
ROUND_TRIPS_MAX = 20_000
"""The table's latest rows; the figures are of all."""
FILLS_MAX = 40_000

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
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(render_page(report, bars, language=language), encoding="utf-8")
    except OSError as why:
        raise DataError(f"report {target}: can not be written ({why.strerror}); name another place") from why
    return target


def render_page(report: Report, bars: Mapping[str, Iterable[Columns]] | None = None, *, language: str = "") -> str:
    """The whole page as text; see ``write_html``."""
    notes = list(report.notes)
    charts = _charts_from_files(report, notes) if bars is None else _charts(bars, report.tz)
    data = _page_data(report, charts, notes, language)
    # "<" never appears in the data, so nothing in it can end the script element it is in.
    text = msgspec.json.encode(data).decode().replace("<", "\\u003c")
    words, script = _asset("report_words.js"), _asset("report_page.js")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{html.escape(language or "en")}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{html.escape(report.title)} · Sluice</title>",
            f"<style>{_asset('report_page.css')}</style></head>",
            _asset("report_page.html"),
            f'<script type="application/json" id="data">{text}</script>',
            f"<script>{get_plotlyjs()}</script>",
            f"<script>{words}\n{script}</script>",
            "</body></html>",
        ]
    )


def _asset(name: str) -> str:
    return files("engine.runtime").joinpath(name).read_text(encoding="utf-8")


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


def _page_data(report: Report, charts: Sequence[CandleChart], notes: list[str], language: str) -> dict[str, Any]:
    """What the page's script reads. Times are seconds of the report's own wall clock; see ``local_seconds``."""
    fills, trips = report.fills[-FILLS_MAX:], report.round_trips[-ROUND_TRIPS_MAX:]
    if len(fills) < len(report.fills):
        notes.append(f"the candles show the latest {len(fills):,} of {len(report.fills):,} fills")
    if len(trips) < len(report.round_trips):
        notes.append(f"the table shows the latest {len(trips):,} of {len(report.round_trips):,} round trips")
    tz = report.tz
    return {
        "title": report.title,
        "mode": report.mode,
        "language": language,
        "red_up": report.currency in _RED_UP,
        "tz": tz,
        "currency": report.currency,
        "from": format_time(report.started_ns, tz)[:16],
        "to": format_time(report.ended_ns, tz)[:16],
        "starting_equity": float(report.starting_equity),
        "final_equity": float(report.final_equity),
        "statistics": _statistics(report),
        "equity": _curve(report),
        "monthly": [[m.year, m.month, round(m.return_, 6)] for m in report.monthly],
        "view_max": CANDLES_PER_VIEW,
        "charts": [
            {"instrument": c.instrument, "bars": c.bars, "levels": [_level(level, tz) for level in c.levels]}
            for c in charts
        ],
        "fills": {
            "t": _seconds([f.ts_ns for f in fills], tz),
            "instrument": [f.instrument for f in fills],
            "q": [f.quantity for f in fills],
            "p": [_short(f.price) for f in fills],
        },
        "trips": _trip_rows(trips, tz),
        "costs": [] if report.costs is None else [_cost_row(row) for row in (*report.costs.rows, report.costs.total)],
        "open": [[p.strategy, p.instrument, p.quantity, _short(p.average_price)] for p in report.open_positions],
        "orders": [[state, count] for state, count in report.orders.items()],
        "denials": [[d.code, d.count, d.example] for d in report.denials],
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
            round(t.fees, 2),
            round(t.pnl, 2),
            round(t.return_, 6),
            t.holding_ns // SECOND_NS,
        ]
        for t, entered, left in zip(trips, entries, exits, strict=True)
    ]


def _cost_row(row: CostRow) -> list[Any]:
    """The last row of the table is the total; what is not known is None."""
    amounts = (row.gross, row.slippage, row.delay, row.fees, row.net)
    points = row.basis_points
    return [
        row.strategy,
        row.fills,
        round(float(row.traded_value), 2),
        *(None if amount is None else round(float(amount), 2) for amount in amounts),
        None if points is None else round(points, 2),
        row.unpriced,
    ]


def _statistics(report: Report) -> dict[str, Any]:
    s = report.statistics
    plain: dict[str, Any] = msgspec.to_builtins(s)
    plain["fees"], plain["traded_value"] = float(s.fees), float(s.traded_value)
    for name in ("max_drawdown_from_ns", "max_drawdown_to_ns", "max_drawdown_recovered_ns"):
        plain[name] = format_time(plain[name], report.tz)[:10] if plain[name] else ""
    return plain


def _curve(report: Report) -> dict[str, Any]:
    """Equity and drawdown; of many points each stretch keeps its lowest, its highest and its last."""
    equity = np.array(report.equity)
    keep = np.arange(len(equity))
    if len(equity) > EQUITY_POINTS:
        edges = np.linspace(0, len(equity), EQUITY_POINTS // 3 + 1).astype(int)
        parts = [
            {low + int(equity[low:high].argmin()), low + int(equity[low:high].argmax()), high - 1}
            for low, high in pairwise(edges)
        ]
        keep = np.array(sorted({0, *(place for part in parts for place in part)}))
    return {
        "t": _seconds([report.equity_ns[i] for i in keep.tolist()], report.tz),
        "v": [round(report.equity[i], 2) for i in keep.tolist()],
        "d": [round(report.drawdown[i], 6) for i in keep.tolist()],
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
    if report.config_hash:
        rows.append(["limits", "", report.config_hash[:16]])
    return rows


def _seconds(times_ns: Sequence[int], tz: str) -> list[int]:
    found: list[int] = local_seconds(np.array(times_ns, np.int64), tz).tolist()
    return found


def _short(price: float) -> float:
    """Six digits after the point are more than any venue's tick."""
    return round(price, 6)
