"""The report as one picture, drawn with matplotlib: it installs from wheels alone and needs no browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.domain.errors import ConfigError, DataError
from engine.domain.timestamps import datetime_from_ns, format_time
from engine.runtime.report_console import percent, ratio, span
from engine.runtime.report_model import Report
from engine.runtime.report_page import paints_red_up

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RED, _GREEN, _INK, _QUIET, _LINE, _ACCENT = "#d92d20", "#079455", "#1a2230", "#667085", "#e4e7ec", "#2563eb"
_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "DejaVu Sans",
)  # fmt: skip
"""The first that is there writes; the others where it has no sign for a letter."""


def write_png(report: Report, path: str | Path) -> Path:
    """Draw key figures, equity with its benchmark, drawdown, months, rolling Sharpe and exposure; gives the path.

    Raises:
        ConfigError: matplotlib is not installed.
        DataError: the place can not be written to.
    """
    try:
        from matplotlib import font_manager, rc_context
        from matplotlib.figure import Figure
    except ImportError as why:
        raise ConfigError(
            f"a picture needs matplotlib, which is not there ({why.name or why}); install it with pip install "
            "'sluice[png]', or write the page with --html and print it from a browser"
        ) from why
    target = Path(path)
    there = {font.name for font in font_manager.fontManager.ttflist}
    look = {"font.family": [name for name in _FONTS if name in there], "font.size": 9, "axes.unicode_minus": False}
    with rc_context(look):  # type: ignore[arg-type]
        figure = Figure(figsize=(12, 14), dpi=130, facecolor="white", layout="constrained")
        _draw(figure, report)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(target, format="png")
        except OSError as why:
            raise DataError(f"picture {target}: can not be written ({why.strerror}); name another place") from why
    return target


def _draw(figure: "Figure", report: Report) -> None:
    up, down = (_RED, _GREEN) if paints_red_up(report.currency) else (_GREEN, _RED)
    years = max(1, len(report.yearly))
    heights = [1.5, 4.2, 1.5, 0.75 + 0.3 * years, 2.1, 2.1]
    grid = figure.add_gridspec(6, 2, height_ratios=heights)
    _head(figure.add_subplot(grid[0, :]), report, up, down)
    _equity(figure.add_subplot(grid[1, :]), report)
    _drawdown(figure.add_subplot(grid[2, :]), report)
    _months(figure.add_subplot(grid[3, :]), report, up, down)
    _rolling(figure.add_subplot(grid[4, 0]), report)
    _exposure(figure.add_subplot(grid[4, 1]), report)
    _returns(figure.add_subplot(grid[5, 0]), report, up, down)
    _profits(figure.add_subplot(grid[5, 1]), report, up, down)


def _head(axes: "Axes", report: Report, up: str, down: str) -> None:
    s, b = report.statistics, report.benchmark
    axes.set_axis_off()
    axes.text(0, 1.0, report.title, fontsize=17, fontweight="bold", color=_INK, va="top", parse_math=False)
    spent = f"{format_time(report.started_ns, report.tz)[:16]} – {format_time(report.ended_ns, report.tz)[:16]}"
    names = ", ".join(report.instruments[:4]) + (" …" if len(report.instruments) > 4 else "")
    line = " · ".join(part for part in (report.mode, names, f"{spent} {report.tz}") if part)
    axes.text(0, 0.72, line, color=_QUIET, va="top", parse_math=False)
    tiles = [
        ("Return", percent(s.total_return), _tone(s.total_return, up, down)),
        ("Benchmark", "-" if b is None else percent(b.total_return), _INK),
        ("Annual return", percent(s.annual_return), _INK),
        ("Max drawdown", percent(-s.max_drawdown), _INK),
        ("Sharpe", ratio(s.sharpe), _INK),
        ("Volatility", percent(s.annual_volatility), _INK),
        ("Beta / alpha", "-" if b is None else f"{ratio(b.beta)} / {percent(b.alpha)}", _INK),
        ("Round trips", f"{s.round_trips:,}", _INK),
        ("Win rate", percent(s.win_rate), _INK),
        ("Avg. holding", span(s.average_holding_ns), _INK),
        (f"Fees {report.currency}", f"{s.fees:,.0f}", _INK),
        (f"Final {report.currency}", f"{report.final_equity:,.0f}", _INK),
    ]
    for place, (name, text, colour) in enumerate(tiles):
        x, y = place % 6 / 6, 0.42 - place // 6 * 0.38
        axes.text(x, y, text, fontsize=12.5, fontweight="bold", color=colour, va="top")
        axes.text(x, y - 0.17, name, fontsize=8, color=_QUIET, va="top", parse_math=False)


def _equity(axes: "Axes", report: Report) -> None:
    when = _times(report.equity_ns, report.tz)
    axes.plot(when, report.equity, color=_ACCENT, linewidth=1.3, label="Equity")
    if report.benchmark is not None:
        kind, name = report.benchmark.kind, report.benchmark.name
        label = f"Buy and hold {name}" if kind == "hold" else name
        axes.plot(when, report.benchmark.values, color=_QUIET, linewidth=0.9, label=_plain(label[:60]))
    axes.legend(loc="upper left", frameon=False, ncols=2)
    _dress(axes, "", lambda value, _: f"{value:,.0f}")


def _drawdown(axes: "Axes", report: Report) -> None:
    when = _times(report.equity_ns, report.tz)
    axes.fill_between(when, report.drawdown, color=_QUIET, alpha=0.45, linewidth=0)
    _dress(axes, "Drawdown", _share)


def _months(axes: "Axes", report: Report, up: str, down: str) -> None:
    _dress(axes, "Monthly returns, %", None)
    years = [row.year for row in report.yearly]
    axes.set_xlim(0, 13)
    axes.set_ylim(max(1, len(years)), 0)
    axes.set_xticks(np.arange(13) + 0.5, [*"JFMAMJJASOND", "Year"])
    axes.set_yticks(np.arange(len(years)) + 0.5, [str(year) for year in years])
    axes.tick_params(length=0)
    axes.grid(visible=False)
    deepest = max([0.01, *(abs(row.return_) for row in report.monthly)])
    for row in (*report.monthly, *report.yearly):
        x, y = (row.month - 1 if row.month else 12), years.index(row.year)
        depth = min(1.0, abs(row.return_) / deepest) * 0.65 + 0.05 if row.month else 0.0
        colour = _tone(row.return_, up, down)
        axes.fill([x, x + 0.96, x + 0.96, x], [y + 0.04, y + 0.04, y + 0.96, y + 0.96], color=colour, alpha=depth, lw=0)
        weight = "normal" if row.month else "bold"
        ink = _INK if row.month else colour
        text = f"{row.return_ * 100:.1f}".replace("-0.0", "0.0")
        axes.text(x + 0.48, y + 0.5, text, ha="center", va="center", color=ink, fontweight=weight, fontsize=8)


def _rolling(axes: "Axes", report: Report) -> None:
    rolling = report.rolling
    _dress(axes, "Rolling Sharpe" + (f", {rolling.window} days" if rolling else ""), None)
    if rolling is None:
        _nothing(axes)
        return
    when = _times(rolling.day_ns, report.tz)
    axes.plot(when, _floats(rolling.sharpe), color=_ACCENT, linewidth=1.1)
    if rolling.benchmark_sharpe:
        axes.plot(when, _floats(rolling.benchmark_sharpe), color=_QUIET, linewidth=0.8)
    axes.axhline(0, color=_QUIET, linewidth=0.6)


def _exposure(axes: "Axes", report: Report) -> None:
    _dress(axes, "Gross exposure, share of equity", _share)
    if report.exposure is None:
        _nothing(axes)
        return
    when = _times(report.exposure.ts_ns, report.tz)
    gross = report.exposure.gross
    axes.fill_between(when, gross, step="post", color=_ACCENT, alpha=0.5, linewidth=0)
    axes.set_ylim(bottom=0)


def _returns(axes: "Axes", report: Report, up: str, down: str) -> None:
    _dress(axes, "Daily returns", None)
    levels = np.array([report.equity[0], *report.day_equity])
    if len(levels) < 6 or not (levels > 0).all():
        _nothing(axes)
        return
    returns = levels[1:] / levels[:-1] - 1.0
    returns = returns[returns != 0]
    if not len(returns):
        _nothing(axes)
        return
    reach = max(float(np.quantile(np.abs(returns), 0.99)), 1e-6)
    counts, edges = np.histogram(np.clip(returns, -reach, reach), bins=40, range=(-reach, reach))
    middles = (edges[:-1] + edges[1:]) / 2
    axes.bar(middles, counts, width=reach / 20 * 0.92, color=[_tone(m, up, down) for m in middles.tolist()])
    axes.xaxis.set_major_formatter(_share)


def _profits(axes: "Axes", report: Report, up: str, down: str) -> None:
    _dress(axes, f"Net profit by instrument, {report.currency}".rstrip(", "), None)
    if report.costs is None:
        _nothing(axes)
        return
    rows = sorted(report.costs.instruments, key=lambda row: row.net)
    shown = rows if len(rows) <= 10 else [*rows[:5], *rows[-5:]]
    values = [float(row.net) for row in shown]
    axes.barh([_plain(row.instrument) for row in shown], values, color=[_tone(v, up, down) for v in values], height=0.6)
    axes.set_ylim(-0.8, max(3.0, len(shown)) - 0.2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_tick_params(rotation=0)
    axes.locator_params(axis="x", nbins=5)


def _dress(axes: "Axes", title: str, written: Any) -> None:
    axes.set_title(title, loc="left", fontsize=9.5, fontweight="bold", color=_INK)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_LINE)
    axes.grid(visible=True, color=_LINE, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_QUIET, length=0)
    if written is not None:
        axes.yaxis.set_major_formatter(written)


def _nothing(axes: "Axes") -> None:
    axes.text(0.5, 0.5, "too little to say", ha="center", va="center", color=_QUIET, transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])


def _share(value: float, _place: float) -> str:
    return f"{value * 100:.4g}%"


def _tone(value: float, up: str, down: str) -> str:
    return up if value > 0 else down if value < 0 else _QUIET


def _plain(text: str) -> str:
    """No dollar sign of a name starts a formula."""
    return text.replace("$", r"\$")


def _times(times_ns: Sequence[int], tz: str) -> Any:
    """Wall clock times of the report's zone."""
    return [datetime_from_ns(ts_ns, tz).replace(tzinfo=None) for ts_ns in times_ns]


def _floats(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
