"""``data import --quotes``: a file of quotes into the catalog."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engine.control.printing import for_progress, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.data.columns import QuoteColumns, QuoteSource


def import_quotes(
    file: Path, instrument: str, catalog: Path, tz: str | None, interval: str | None, as_json: bool
) -> None:
    """
    Raises:
        ConfigError: a length of bar was given. DataError: the file can not be used.
    """
    from engine.data.catalog import Catalog
    from engine.data.quote_catalog import QuoteSeries
    from engine.data.quotes import open_quotes

    if interval is not None:
        raise ConfigError("--quotes takes no --interval: quotes have no length; leave one of the two out")
    source = open_quotes(file, instrument, tz=tz)
    with Catalog(catalog, writing=True) as held:
        folder = held.path(instrument, 0)
        series = QuoteSeries(folder, instrument)
        if folder.is_dir():
            series.sweep()
        count, written = series.take(_counted(source))
    if as_json:
        print_json({"instrument": instrument, "quotes": count, "days_written": written, "folder": str(folder)})
    else:
        typer.echo(f"{count:,} quotes of {instrument}: {written:,} days written; in {folder}")


def _counted(source: "QuoteSource") -> "Iterator[QuoteColumns]":
    """Quotes of a source, counted on stderr."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} quotes"), TimeElapsedColumn())
    with Progress(*columns, console=for_progress(), transient=True) as bar:
        task = bar.add_task("", total=None)
        for batch in source.batches():
            yield batch
            bar.advance(task, len(batch.ts_ns))
