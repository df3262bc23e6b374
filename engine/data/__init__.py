"""Market-data files: bars and quotes from CSV and Parquet, and what the instruments in them are."""

from engine.data.bar_builder import BarBuilder
from engine.data.columns import BarSource, Columns, QuoteColumns, QuoteSource
from engine.data.instruments import derived_instrument, read_instruments
from engine.data.quotes import open_quotes
from engine.data.sources import open_bars

__all__ = [
    "BarBuilder",
    "BarSource",
    "Columns",
    "QuoteColumns",
    "QuoteSource",
    "derived_instrument",
    "open_bars",
    "open_quotes",
    "read_instruments",
]
