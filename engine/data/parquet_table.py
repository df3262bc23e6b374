"""Parquet files as a stream of Arrow batches."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.data.columns import BATCH_ROWS
from engine.data.headers import SYMBOL
from engine.data.table import open_binary
from engine.domain.errors import DataError

_SAMPLE_ROWS = 1_000
_BUFFER_BYTES = 1 << 18


class ParquetTable:
    """One Parquet file.

    Raises:
        DataError: missing, empty, no rows, or broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        open_binary(path)
        with self._open() as file:
            self.header = tuple(file.schema_arrow.names)
            rows = file.metadata.num_rows
        if not rows:
            raise DataError(f"data file {path}: has columns and no rows; add rows, or leave the file out")

    def batches(self, columns: Mapping[str, str], *, sample: bool = False) -> Iterator[Mapping[str, Any]]:
        symbol = [columns[SYMBOL]] if SYMBOL in columns else None
        size = _SAMPLE_ROWS if sample else BATCH_ROWS
        try:
            with self._open(symbol) as file:
                # One thread: decoding columns in the pool costs twice the CPU for little wall time.
                names = list(columns.values())
                for batch in file.iter_batches(batch_size=size, columns=names, use_threads=False):
                    yield {field: batch.column(column) for field, column in columns.items()}
                    if sample:
                        return
        except (pa.ArrowException, OSError) as why:
            raise self._broken(why) from why

    def place(self, row: int) -> str:
        return f"row {row + 1}"

    def _open(self, dictionaries: list[str] | None = None) -> Any:
        try:
            # pre_buffer would keep every column chunk read so far, and no buffer_size would read each chunk whole.
            return pq.ParquetFile(
                str(self.path), pre_buffer=False, buffer_size=_BUFFER_BYTES, read_dictionary=dictionaries
            )
        except (pa.ArrowException, OSError) as why:
            raise self._broken(why) from why

    def _broken(self, why: Exception) -> DataError:
        first = str(why).partition("\n")[0].rstrip(". ")
        return DataError(f"data file {self.path}: is no Parquet file that can be read ({first}); write it anew")
