"""``data``: the catalog of bars; what it has, what is wrong with it, files into it and out of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.cli_data_fetch import fetch, statements
from engine.control.cli_data_quotes import import_quotes
from engine.control.cli_data_server import detect, fill, sdk_app, tasks
from engine.control.options import read_day
from engine.control.printing import complain, for_people, for_progress, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.data.catalog import Catalog, Holding
    from engine.data.columns import BarSource, Columns

data_app = typer.Typer(help="The catalog of market data. 行情数据目录。", rich_markup_mode=None, no_args_is_help=True)
data_app.command()(fetch)
data_app.command()(statements)
data_app.command()(detect)
data_app.command()(fill)
data_app.command()(tasks)
data_app.add_typer(sdk_app, name="sdk")

Folder = Annotated[Path, typer.Option("--catalog", help="The catalog's folder. 数据目录。")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
ID = Annotated[str, typer.Option("--instrument", help="As 600000.SH. 品种。")]
CATALOG = Path("catalog")


@data_app.command("list")
def list_(catalog: Folder = CATALOG, as_json: Json = False) -> None:
    """What the catalog has. 列出已有数据。"""
    from engine.data.catalog import Catalog
    from engine.data.manifest import interval_name
    from engine.domain.timestamps import format_time

    rows = []
    for held in Catalog(catalog).holdings():
        parts = list(held.manifest.parts.values())
        tz = held.manifest.tz
        rows.append(
            {
                "instrument": held.manifest.instrument,
                "interval": interval_name(held.manifest.interval_ns),
                "bars": held.manifest.rows,
                "days": sum(len(part.days) for part in parts),
                "first": format_time(parts[0].first_ns, tz) if parts else "",
                "last": format_time(parts[-1].last_ns, tz) if parts else "",
                "files": len(parts),
            }
        )
    if as_json:
        print_json({"catalog": str(catalog), "series": rows})
        return
    _table(("instrument", "interval", "bars", "days", "first", "last", "files"), rows)


@data_app.command()
def check(
    catalog: Folder = CATALOG,
    instrument: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated.")] = None,
    interval: Annotated[str | None, typer.Option(help="Only bars of this length, as 1m.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="Look for holes from this day, as 20240101.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Up to this day, included.")] = None,
    calendar: Annotated[Path | None, typer.Option(help="File of days that go before the calendar's.")] = None,
    as_json: Json = False,
) -> None:
    """Look for damage, holes, wrong order and bars outside the sessions. 检查数据。"""
    import msgspec

    from engine.data.calendar import calendar_of
    from engine.data.catalog import Catalog
    from engine.data.catalog_check import check_quotes, check_series
    from engine.data.manifest import interval_name
    from engine.data.quote_catalog import QuoteSeries
    from engine.data.series import Series

    span = read_day("--from", first) if first else None, read_day("--to", last) if last else None
    found = []
    for held in _chosen(Catalog(catalog), instrument or [], interval):
        manifest = held.manifest
        if not manifest.interval_ns:
            found.append(check_quotes(QuoteSeries(held.folder, manifest.instrument)))
            continue
        days = calendar_of(manifest.instrument, override_file=calendar)
        found.append(check_series(Series(held.folder, manifest.instrument, manifest.interval_ns), days, *span))
    sound = all(finding.sound for finding in found)
    rows = [msgspec.to_builtins(f) | {"interval": interval_name(f.interval_ns), "sound": f.sound} for f in found]
    if as_json:
        print_json({"catalog": str(catalog), "sound": sound, "series": rows})
    else:
        counts = ("missing", "empty_days", "outside", "duplicates", "unordered", "impossible")
        _table(("instrument", "interval", "bars", *counts, "unchecked"), rows)
        for finding in found:
            for name, why in finding.damaged.items():
                complain(f"{finding.instrument} {name}: {why}")
    raise typer.Exit(0 if sound else 1)


@data_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV, CSV in gzip, or Parquet. 文件。")],
    instrument: ID,
    catalog: Folder = CATALOG,
    tz: Annotated[str | None, typer.Option(help="Zone of times without one, as Asia/Shanghai. 时区。")] = None,
    label: Annotated[str, typer.Option(help="Times are the end or the start of a bar.")] = "end",
    interval: Annotated[str | None, typer.Option(help="Length of a bar, as 1m. Default: from the file.")] = None,
    quotes: Annotated[bool, typer.Option("--quotes", help="It is a file of quotes. 盘口报价文件。")] = False,
    as_json: Json = False,
) -> None:
    """Take a file of bars, or of quotes, into the catalog. 导入。"""
    if quotes:
        import_quotes(file, instrument, catalog, tz, interval, as_json)
        return
    from engine.data.catalog import Catalog, joined_batches
    from engine.data.manifest import interval_name
    from engine.data.sources import open_bars

    source = open_bars(file, instrument, tz=tz, label=label, interval=interval)
    bars = new = changed = 0
    with Catalog(catalog, writing=True) as held:
        for part in joined_batches(_counted(source)):
            merged = held.merge(part)
            bars, new, changed = bars + len(part.ts_ns), new + merged.new, changed + merged.changed
        folder = held.path(instrument, source.interval_ns)
    told = {"instrument": instrument, "interval": interval_name(source.interval_ns), "bars": bars, "new": new,
            "changed": changed, "folder": str(folder)}  # fmt: skip
    if as_json:
        print_json(told)
    else:
        typer.echo(f"{bars:,} bars of {instrument} {told['interval']}: {new:,} new, {changed:,} changed; in {folder}")


@data_app.command()
def export(
    file: Annotated[Path, typer.Argument(help="A new file; .parquet for Parquet, else CSV. 文件。")],
    instrument: ID,
    interval: Annotated[str, typer.Option(help="As 1m. 周期。")],
    catalog: Folder = CATALOG,
    first: Annotated[str | None, typer.Option("--from", help="First day, as 20240101.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day, included.")] = None,
    adjust: Annotated[str, typer.Option(help="backward or forward, by the catalog's factors. 复权。")] = "",
    tz: Annotated[str | None, typer.Option(help="Zone to write times in. Default: the venue's.")] = None,
    label: Annotated[str, typer.Option(help="Write the end or the start of a bar.")] = "end",
    as_json: Json = False,
) -> None:
    """Write bars of the catalog to a file. 导出。"""
    from engine.data.catalog_source import catalog_path, open_catalog_bars
    from engine.data.exporting import export_bars
    from engine.data.manifest import interval_of

    days = read_day("--from", first) if first else None, read_day("--to", last) if last else None
    path = catalog_path(catalog, instrument, interval_of(interval), *days, adjust)
    source = open_catalog_bars(path, instrument)
    if source is None:
        raise ConfigError(f"catalog {catalog}: has no bars of {instrument} {interval}; see what it has with: data list")
    rows = export_bars(source, file, tz=tz, label=label)
    if as_json:
        print_json({"file": str(file), "instrument": instrument, "bars": rows})
    else:
        typer.echo(f"{rows:,} bars of {instrument} in {file}")


def _counted(source: "BarSource") -> "Iterator[Columns]":
    """Bars of a source, counted on stderr."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} bars"), TimeElapsedColumn())
    with Progress(*columns, console=for_progress(), transient=True) as bar:
        task = bar.add_task("", total=None)
        for batch in source.batches():
            yield batch
            bar.advance(task, len(batch.ts_ns))


def _chosen(catalog: "Catalog", instruments: list[str], interval: str | None) -> "list[Holding]":
    from engine.data.manifest import interval_of

    length = None if interval is None else interval_of(interval)
    every = list(catalog.holdings())
    absent = [name for name in instruments if name not in {held.manifest.instrument for held in every}]
    if absent:
        raise ConfigError(f"catalog {catalog.folder}: has no {absent[0]}; see what it has with: data list")
    return [
        held
        for held in every
        if (not instruments or held.manifest.instrument in instruments)
        and (length is None or held.manifest.interval_ns == length)
    ]


def _table(names: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(*names)
    for row in rows:
        table.add_row(*(f"{row[name]:,}" if isinstance(row[name], int) else str(row[name]) for name in names))
    for_people().print(table)
