"""The report as tables for the terminal."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, format_time
from engine.runtime.report_compare import Comparison
from engine.runtime.report_costs import Costs
from engine.runtime.report_model import Report
from engine.runtime.report_round_trips import RoundTrip

_NONE = "-"


def console_table(report: Report, *, trips_max: int = 5) -> RenderableType:
    """Figures, and below them the latest round trips, denials and incidents, if there are any."""
    figures = Table(title=Text(f"{report.title}  ({report.mode})"), show_header=False, pad_edge=False)
    for _ in range(2):
        figures.add_column(style="dim", no_wrap=True)
        figures.add_column(justify="right", no_wrap=True)
    cells = _figures(report)
    half = (len(cells) + 1) // 2
    for left, right in zip(cells[:half], [*cells[half:], ("", "")], strict=False):
        figures.add_row(*left, *right)
    parts: list[RenderableType] = [figures]
    if report.costs is not None:
        parts.append(_costs(report.costs, report.currency))
    if report.round_trips:
        parts.append(_trips(report, report.round_trips[-trips_max:]))
    if report.denials:
        parts.append(_list("denials", ("code", "count", "last reason"), _denial_rows(report)))
    if report.incidents:
        rows = [(format_time(i.ts_ns, report.tz), i.kind, i.text) for i in report.incidents[-trips_max:]]
        parts.append(_list("incidents", ("time", "kind", "what"), rows))
    parts.extend(Text(f"note: {note}", style="yellow") for note in report.notes)
    return Group(*parts)


def comparison_table(comparison: Comparison) -> RenderableType:
    """Figures of every run and their differences from the first's, and the settings that differ."""
    figures = Table(title="figures", title_justify="left", pad_edge=False)
    figures.add_column("figure", no_wrap=True)
    settings = Table(title="settings that differ", title_justify="left", pad_edge=False)
    settings.add_column("setting")
    for place, run in enumerate(comparison.runs):
        figures.add_column(Text(run.name), justify="right", no_wrap=True)
        settings.add_column(Text(run.name))
        if place:
            figures.add_column("+/-", justify="right", no_wrap=True, style="dim")
    for row in comparison.figures:
        cells = [row.figure]
        for place, (value, apart) in enumerate(zip(row.values, row.differences, strict=True)):
            cells += [_plain_figure(row.figure, value)] + ([_plain_figure(row.figure, apart)] if place else [])
        figures.add_row(*cells)
    for setting in comparison.settings:
        settings.add_row(*(Text(_NONE if text is None else text) for text in (setting.setting, *setting.values)))
    return Group(figures, settings)


def _plain_figure(name: str, value: float | None) -> str:
    if not value:
        return _NONE if value is None else "0"
    if name.endswith("_ns"):
        return ("-" if value < 0 else "") + span(abs(int(value)))
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}" if abs(value) < 100 else f"{value:,.2f}"


def percent(share: float | None) -> str:
    """``12.34%``, or a dash where there is nothing to say."""
    return _NONE if share is None else f"{share * 100:,.2f}%"


def ratio(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.2f}"


def span(duration_ns: int | None) -> str:
    """``3d 4h``, ``2h 5m``, ``40s``: the two largest units."""
    if duration_ns is None:
        return _NONE
    days, rest = divmod(duration_ns, DAY_NS)
    hours, rest = divmod(rest, HOUR_NS)
    minutes, rest = divmod(rest, MINUTE_NS)
    units = [(days, "d"), (hours, "h"), (minutes, "m"), (rest // 1_000_000_000, "s")]
    shown = [f"{count}{unit}" for count, unit in units if count][:2]
    return " ".join(shown) or "0s"


def _figures(report: Report) -> list[tuple[str, str]]:
    s = report.statistics
    orders = ", ".join(f"{count:,} {state}" for state, count in report.orders.items()) or _NONE
    return [
        ("from", format_time(report.started_ns, report.tz)),
        ("to", format_time(report.ended_ns, report.tz)),
        ("starting equity", f"{report.starting_equity:,.2f} {report.currency}"),
        ("final equity", f"{report.final_equity:,.2f} {report.currency}"),
        ("return", percent(s.total_return)),
        *_benchmark(report),
        ("annual return", percent(s.annual_return)),
        ("annual volatility", percent(s.annual_volatility)),
        ("Sharpe / Sortino", f"{ratio(s.sharpe)} / {ratio(s.sortino)}"),
        ("max drawdown", percent(s.max_drawdown)),
        ("longest drawdown", span(s.longest_drawdown_ns)),
        ("Calmar", ratio(s.calmar)),
        ("orders", orders),
        ("fills", f"{s.fills:,}"),
        ("round trips", f"{s.round_trips:,}"),
        ("win rate", percent(s.win_rate)),
        ("profit factor", ratio(s.profit_factor)),
        ("average holding", span(s.average_holding_ns)),
        ("average round trip", ratio(s.average_pnl)),
        ("exposure", percent(s.exposure)),
        ("turnover", f"{s.turnover:,.1f}x"),
        ("fees", f"{s.fees:,.2f} {report.currency}"),
        ("open positions", ", ".join(f"{p.quantity:+,} {p.instrument}" for p in report.open_positions) or _NONE),
    ]


def _benchmark(report: Report) -> list[tuple[str, str]]:
    b = report.benchmark
    if b is None:
        return []
    name = f"hold {b.name}" if b.kind == "hold" else b.name
    return [
        ("benchmark", f"{percent(b.total_return)} ({name if len(name) < 24 else name[:21] + '...'})"),
        ("alpha / beta", f"{percent(b.alpha)} / {ratio(b.beta)}"),
    ]


def _costs(costs: Costs, currency: str) -> Table:
    title = f"gross and net profit, {currency}".rstrip(", ")
    table = Table(title=title, title_justify="left", pad_edge=False)
    table.add_column("strategy", no_wrap=True)
    for name in ("gross", "slippage", "of it delay", "fees", "net", "cost bp"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in costs.rows if len(costs.rows) == 1 else (*costs.rows, costs.total):
        table.add_row(
            Text(row.strategy or "total"),
            f"{row.gross:+,.2f}",
            *(
                _NONE if cost is None else f"{-cost:+,.2f}" if cost else "0.00"
                for cost in (row.slippage, row.delay, row.fees)
            ),
            f"{row.net:+,.2f}",
            ratio(row.basis_points),
        )
    return table


def _trips(report: Report, trips: Sequence[RoundTrip]) -> Table:
    title = f"latest round trips ({len(trips)} of {len(report.round_trips):,})"
    table = Table(title=title, title_justify="left", pad_edge=False)
    for name in ("instrument", "way", "exit"):
        table.add_column(name, no_wrap=True)
    for name in ("quantity", "entry price", "exit price", "pnl", "held"):
        table.add_column(name, justify="right", no_wrap=True)
    for trip in trips:
        table.add_row(
            Text(trip.instrument),
            trip.direction,
            format_time(trip.exit_ns, report.tz)[:19],
            f"{trip.quantity:,}",
            f"{trip.entry_price:,.4g}" if trip.entry_price < 1 else f"{trip.entry_price:,.2f}",
            f"{trip.exit_price:,.4g}" if trip.exit_price < 1 else f"{trip.exit_price:,.2f}",
            f"{trip.pnl:+,.2f}",
            span(trip.holding_ns),
        )
    return table


def _denial_rows(report: Report) -> list[tuple[str, str, str]]:
    return [(d.code, f"{d.count:,}", d.example) for d in report.denials]


def _list(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*names, title=title, title_justify="left", pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
