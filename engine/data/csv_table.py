"""CSV files, plain or gzip, as a stream of Arrow batches; and, when one can not be read, the line to blame."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from engine.data.headers import SYMBOL, TIME
from engine.data.table import open_binary
from engine.data.times import EXAMPLE, TimeForm, form_of_text, is_time
from engine.domain.errors import DataError

_GZIP = b"\x1f\x8b"
_HEAD_BYTES = 65_536
_BLOCK_BYTES = 1 << 18
"""Some 4,000 rows. Larger blocks are no faster, and a million rows then take 30 to 100 MB more."""
_DELIMITERS = (",", ";", "\t", "|")
_NO_NUMBER = frozenset({"", "nan", "null", "na", "n/a", "none", "inf", "-inf"})
_BROKEN = (gzip.BadGzipFile, EOFError, zlib.error)


class CsvTable:
    """One CSV file; the first line names the columns. The delimiter is the most frequent of comma, ; tab and |.

    Raises:
        DataError: missing, empty, header only, not UTF-8, or broken gzip.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._compression = "gzip" if open_binary(path).startswith(_GZIP) else None
        head = self._read_head()
        lines = [line for line in head.splitlines() if line.strip()]
        if not lines:
            raise DataError(f"data file {path}: is empty; the first line must name the columns, rows follow")
        self._delimiter = max(_DELIMITERS, key=lines[0].count)
        self.header = tuple(self._fields(lines[0]))
        if len(lines) < 2:
            raise DataError(f"data file {path}: has a header and no rows; add rows, or leave the file out")
        self._first = self._fields(lines[1])
        cut = head.rfind("\n")
        self._head = (head if len(head) < _HEAD_BYTES or cut < 0 else head[: cut + 1]).encode()

    def batches(self, columns: Mapping[str, str], *, sample: bool = False) -> Iterator[Mapping[str, Any]]:
        form = self._time_form(columns[TIME])
        types: dict[str, Any] = dict.fromkeys(columns.values(), pa.float64())
        types[columns[TIME]] = form.type
        if SYMBOL in columns:
            types[columns[SYMBOL]] = pa.dictionary(pa.int32(), pa.string())
        source = pa.BufferReader(self._head) if sample else pa.input_stream(str(self.path), self._compression)
        try:
            with source:
                reader = pa_csv.open_csv(
                    source,
                    read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),
                    parse_options=pa_csv.ParseOptions(delimiter=self._delimiter),
                    convert_options=pa_csv.ConvertOptions(
                        include_columns=list(dict.fromkeys(columns.values())),
                        column_types=types,
                        timestamp_parsers=[form.parser or pa_csv.ISO8601],
                    ),
                )
                for batch in reader:
                    yield {field: batch.column(column) for field, column in columns.items()}
        except (pa.ArrowException, OSError) as why:
            raise self._blame(columns, form, why) from why

    def day_only(self, column: str) -> bool:
        """Whether the times of a column are days without a time of day."""
        return self._time_form(column).day_only

    def place(self, row: int) -> str:
        left = row + 1
        with self._open() as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    if left == 0:
                        return f"line {number}"
                    left -= 1
        return f"line {row + 2}"

    # --- inside ------------------------------------------------------------------------------------------------------

    def _open(self) -> IO[bytes]:
        # gzip.GzipFile is an IO[bytes] in all but name.
        return gzip.open(self.path) if self._compression else self.path.open("rb")  # type: ignore[return-value]

    def _read_head(self) -> str:
        try:
            with self._open() as file:
                head = file.read(_HEAD_BYTES)
        except _BROKEN as why:
            raise self._broken_gzip(why) from why
        text = head.decode("utf-8-sig", errors="ignore")
        try:
            text = head.decode("utf-8-sig")
        except UnicodeDecodeError as why:
            # The cut may have gone through a character; anything earlier is no UTF-8.
            if why.start < len(head) - 4 or len(head) < _HEAD_BYTES:
                raise self._not_utf8(head.count(b"\n", 0, why.start) + 1, head[why.start]) from why
        return text

    def _fields(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=self._delimiter), [])
        except csv.Error:
            # A carriage return in the middle, a field without an end: what is wrong with it is said by whoever asks.
            return line.split(self._delimiter)

    def _time_form(self, column: str) -> TimeForm:
        place = self.header.index(column)
        text = self._first[place] if place < len(self._first) else ""
        form = form_of_text(text)
        if form is None:
            raise DataError(
                f"data file {self.path}, {self.place(0)}: time {text!r} in column {column!r} can not be read; {EXAMPLE}"
            )
        return form

    def _blame(self, columns: Mapping[str, str], form: TimeForm, why: Exception) -> DataError:
        """Read again, slowly, for the line and column to name."""
        where = {field: self.header.index(column) for field, column in columns.items()}
        number = 0
        try:
            with self._open() as file:
                for number, raw in enumerate(file, 1):
                    if number > 1 and raw.strip() and (said := self._fault(raw.decode().rstrip("\r\n"), where, form)):
                        return DataError(f"data file {self.path}, line {number}: {said}")
        except UnicodeDecodeError as bad:
            return self._not_utf8(number, bad.object[bad.start])
        except _BROKEN as bad:
            return self._broken_gzip(bad)
        first = str(why).partition("\n")[0].rstrip(".")
        return DataError(f"data file {self.path}: is no CSV file that can be read ({first}); write it anew")

    def _fault(self, line: str, where: Mapping[str, int], form: TimeForm) -> str:
        fields = self._fields(line)
        if len(fields) != len(self.header):
            return f"has {len(fields)} columns where the header has {len(self.header)}; complete or delete the line"
        for field, place in where.items():
            text, column = fields[place], self.header[place]
            if field == SYMBOL:
                continue
            if field == TIME:
                if not is_time(text, form):
                    return f"time {text!r} in column {column!r} is not written as those before it; {EXAMPLE}"
                continue
            try:
                float(text.replace("_", "?"))
            except ValueError:
                if text.strip().lower() not in _NO_NUMBER:
                    return f"{text!r} in column {column!r} is no number; correct or delete the line"
        return ""

    def _not_utf8(self, line: int, byte: int) -> DataError:
        return DataError(
            f"data file {self.path}, line {line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8 "
            "(iconv -f GBK -t UTF-8, if it came from a Chinese Windows)"
        )

    def _broken_gzip(self, why: Exception) -> DataError:
        return DataError(
            f"data file {self.path}: is a broken or cut-off gzip file ({str(why).rstrip('.')}); fetch it again"
        )
