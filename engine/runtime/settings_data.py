"""The files a config names, opened."""

from engine.data.columns import BarSource, QuoteSource
from engine.data.quotes import open_quotes
from engine.data.sources import open_bars
from engine.runtime.settings import Settings


def open_data(settings: Settings) -> list[BarSource | QuoteSource]:
    """The files of ``[[data]]``, opened and their first rows read.

    Raises:
        DataError: a file can not be used. ConfigError: an argument is none.
    """
    return [
        open_bars(
            settings.path.parent / row.file, row.instrument, tz=row.tz, label=row.label, interval=row.interval
        )
        if row.kind == "bars"
        else open_quotes(settings.path.parent / row.file, row.instrument, tz=row.tz)
        for row in settings.data
    ]  # fmt: skip
