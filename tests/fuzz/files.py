"""Files: configs, tables of instruments and days, market data, catalogs, journals."""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from engine.data import open_bars
from engine.data.calendar_days import read_overrides
from engine.data.columns import Columns
from engine.data.fundamentals import read_fundamentals
from engine.data.instruments import read_instruments
from engine.data.manifest import read_manifest
from engine.domain.errors import ConfigError, DataError, JournalError
from engine.journal.chain import DECODER, ENCODER, Chain, verified
from engine.journal.store import check_chain, connect, make_place, prepare
from engine.markets import MARKETS
from engine.runtime.settings import load_settings
from tests.cli_builders import ROOT
from tests.data_builders import STOCK, a_csv, a_parquet
from tests.fuzz.harness import Surface, Wrong, check_sentence
from tests.fuzz.mutations import Draw, bytes_mutated, json_mutated, lines_mutated, text_mutated
from tests.journal_builders import a_run, records

CONFIGS = ("backtest", "demo", "demo-all", "demo-easyths", "demo-futu", "demo-huatai", "live", "paper")


def toml_mutated(draw: Draw, seed: bytes) -> bytes:
    """A line, a value or a key of a TOML file changed; or the bytes."""
    lines = [line for line in seed.decode().split("\n") if not line.startswith("#")]
    at = draw.randrange(len(lines))
    key, equals, value = lines[at].partition("=")
    match draw.randrange(8):
        case 0 if equals:
            new = draw.choice(VALUES)
            lines[at] = f"{key}= {new}"
        case 1 if equals:
            lines[at] = f"{key}= {text_mutated(draw, value.strip())}"
        case 2 if equals:
            lines[at] = f"{text_mutated(draw, key.strip())} ={value}"
        case 3 if lines[at].startswith("["):
            lines[at] = text_mutated(draw, lines[at])
        case 4:
            del lines[at]
        case 5:
            lines.insert(at, draw.choice(lines))
        case 6 if equals:
            lines[at] = f'{key}= "{text_mutated(draw, value.strip().strip(chr(34)))}"'
        case _:
            return lines_mutated(draw, "\n".join(lines).encode())
    return "\n".join(lines).encode("utf-8", "replace")


VALUES = (
    "true", '""', "0", "-1", "1e400", "nan", "inf", "-inf", "9223372036854775808", "0x10", "[]", "{}", "[[]]",
    "[1, 'a']",
    "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", '"1e999999999"', '"0s"', '"-5m"', '"5x"', '"999999999999999w"',
    '"\\u202e"', '"/etc/passwd"', '"../../x"', '"http://user:pw@host"', '"http://[::1"', '"Mars/Olympus"', "1.5",
    '"\\u0000"', "{a = 1}", "'''\nx\n'''", '"' + "x" * 5000 + '"', "10000000000000000000000000000000000000000",
)  # fmt: skip


class Config(Surface):
    """A config is loaded and everything checked that it points to, or one sentence says what is wrong."""

    name, share, light = "config.toml", 12_000, 220

    def seeds(self) -> Mapping[str, bytes]:
        return {name: (ROOT / f"config/{name}.toml").read_bytes() for name in CONFIGS}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        return toml_mutated(draw, seed)

    async def open(self, folder: Path) -> None:
        shutil.copytree(ROOT / "config", folder / "config")
        self._path = folder / "config/config.toml"

    async def run(self, origin: str, data: bytes) -> str:
        self._path.write_bytes(data)
        try:
            load_settings(self._path)
        except ConfigError as error:
            if str(self._path.parent)[:100] not in str(error) and "instruments file" not in str(error):
                raise Wrong(f"a sentence without the place: {error}") from error
            return check_sentence(error)
        return "loaded"


class Instruments(Surface):
    """instruments.toml, a key record of Futu's, and a calendar file."""

    name, share, light = "config.tables", 5_000, 120

    def seeds(self) -> Mapping[str, bytes]:
        calendar = '[calendar.XSHG]\nclosed = ["2027-01-01"]\nopen = ["2027-01-04"]\nknown_until = "2027-12-31"\n'
        return {
            "instruments": (ROOT / "config/instruments.toml").read_bytes(),
            "calendar": calendar.encode(),
        }

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        return toml_mutated(draw, seed)

    async def open(self, folder: Path) -> None:
        self._path = folder / "table.toml"

    async def run(self, origin: str, data: bytes) -> str:
        self._path.write_bytes(data)
        try:
            if origin == "instruments":
                for instrument in read_instruments(self._path, MARKETS).values():
                    if not (instrument.tick.is_finite() and instrument.tick > 0 and instrument.lot > 0):
                        raise Wrong(f"an instrument that can not be: {instrument}")
            else:
                read_overrides(self._path, "XSHG")
        except ConfigError as error:
            return check_sentence(error)
        return "read"


# --- market data -----------------------------------------------------------------------------------------------------


def check_columns(bars: Columns, last_ns: int) -> int:
    """Bars in order, with sound prices; gives the last one's time.

    Raises:
        Wrong: they are not.
    """
    ts_ns = bars.ts_ns
    if len(ts_ns) and (ts_ns[0] <= last_ns or (np.diff(ts_ns) <= 0).any()):
        raise Wrong("bars that are not in order")
    prices = (bars.open, bars.high, bars.low, bars.close)
    if any(not np.isfinite(each).all() or (each <= 0).any() for each in prices):
        raise Wrong("a price that can not be")
    if (bars.low > np.minimum(bars.open, bars.close)).any() or (bars.high < np.maximum(bars.open, bars.close)).any():
        raise Wrong("prices that do not fit")
    if not np.isfinite(bars.volume).all() or (bars.volume < 0).any():
        raise Wrong("a volume that can not be")
    return int(ts_ns[-1]) if len(ts_ns) else last_ns


class BarFiles(Surface):
    """CSV and Parquet files of bars."""

    name, share, light = "data.bars", 12_000, 350

    def seeds(self) -> Mapping[str, bytes]:
        named = [f"2026-03-02 09:{n:02}:00,600000.SH,10.0,10.5,9.5,10.2,{n}" for n in range(31, 59)]
        numbers = [f"{1772415060000 + n * 60000},10.0,10.5,9.5,10.2,{n}" for n in range(20)]
        self._folder.mkdir(exist_ok=True)
        return {
            "plain.csv": a_csv(self._folder / "a.csv").read_bytes(),
            "named.csv": a_csv(self._folder / "b.csv", named, "time,symbol,open,high,low,close,volume").read_bytes(),
            "numbers.csv": a_csv(self._folder / "c.csv", numbers, "ts,o,h,l,c,v").read_bytes(),
            "days.csv": a_csv(self._folder / "e.csv", ["20260302,1,2,1,2,3", "20260303,1,2,1,2,3"]).read_bytes(),
            "zip.csv.gz": a_csv(self._folder / "d.csv.gz").read_bytes(),
            "table.parquet": a_parquet(self._folder / "e.parquet").read_bytes(),
        }

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        text = not seed.startswith((b"PAR1", b"\x1f\x8b"))
        return lines_mutated(draw, seed) if text else bytes_mutated(draw, seed)

    async def open(self, folder: Path) -> None:
        self._folder = folder / "bars"

    async def run(self, origin: str, data: bytes) -> str:
        path = self._folder / f"input-{origin}"
        path.write_bytes(data)
        last_ns = -(2**63)
        try:
            for bars in open_bars(path, STOCK).batches():
                last_ns = check_columns(bars, last_ns)
        except DataError as error:
            if path.name not in str(error):
                raise Wrong(f"a sentence without the file: {error}") from error
            return check_sentence(error)
        return "read"


class CatalogFiles(Surface):
    """JSON files of a catalog: manifests and filings."""

    name, share, light = "data.catalog", 5_000, 120

    def seeds(self) -> Mapping[str, bytes]:
        part = {"file": "2026.parquet", "sha256": "0" * 64, "rows": 3, "first": 1, "last": 2}
        filing = {"instrument": "600000.SH", "statement": "income", "period": "2023-03-31", "announced": "2023-04-29",
                  "public_ns": 1, "values": {"eps": 0.5}}  # fmt: skip
        return {
            "manifest": json.dumps({"format": 1, "instrument": "600000.SH", "interval": "1m", "tz": "Asia/Shanghai",
                                    "spans": [["2026-03-02", "2026-03-03"]], "parts": [part]}).encode(),
            "filings": json.dumps([filing]).encode(),
        }  # fmt: skip

    async def open(self, folder: Path) -> None:
        self._folder = folder
        (folder / "fundamentals").mkdir()

    async def run(self, origin: str, data: bytes) -> str:
        try:
            if origin == "manifest":
                (self._folder / "manifest.json").write_bytes(data)
                read_manifest(self._folder)
            else:
                (self._folder / "fundamentals/600000.SH.json").write_bytes(data)
                read_fundamentals(self._folder)
        except DataError as error:
            return check_sentence(error)
        return "read"


# --- journals --------------------------------------------------------------------------------------------------------


class JournalRecords(Surface):
    """One row of a journal: the record it was, or a sentence; and never a changed one under its old seal."""

    name, share, light = "journal.records", 12_000, 400

    def seeds(self) -> Mapping[str, bytes]:
        return {f"{at:02}": ENCODER.encode(record) for at, record in enumerate([a_run(), *records(12)])}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        if draw.random() < 0.5:
            return bytes_mutated(draw, seed)
        changed = json_mutated(draw, msgspec.json.encode(msgspec.msgpack.decode(seed)))
        with contextlib.suppress(ValueError, msgspec.MsgspecError, OverflowError, RecursionError):
            return msgspec.msgpack.encode(json.loads(changed or b"0"))
        return b"\x91" * 3000 + b"\xc0"

    async def run(self, origin: str, data: bytes) -> str:
        good = ENCODER.encode(a_run(5))
        sealed, chain = Chain(), Chain()
        sealed.extend(good)
        sealed.extend(data)
        rows = [(1, good, None), (2, data, sealed.value())]
        try:
            batches = list(verified(rows, chain))
        except JournalError as error:
            return check_sentence(error)
        again = ENCODER.encode(batches[0][1][1])
        if ENCODER.encode(DECODER.decode(again)) != again:
            raise Wrong("a record that is another one when it is written and read again")
        seed = ENCODER.encode([a_run(), *records(12)][int(origin)])
        if data != seed:
            # The same bytes under the seal of the others must be seen.
            other = Chain()
            other.extend(good)
            other.extend(seed)
            try:
                list(verified([(1, good, None), (2, data, other.value())], Chain()))
            except JournalError as error:
                return check_sentence(error)
            raise Wrong("a changed record passes under its old seal")
        return "read"


class JournalTables(Surface):
    """Rows of the file in a wrong order, doubled, missing, of wrong types or with wrong seals."""

    name, share, light = "journal.rows", 2_500, 40

    def seeds(self) -> Mapping[str, bytes]:
        return {"rows": json.dumps([[n + 1, n, n % 2] for n in range(6)]).encode()}

    async def open(self, folder: Path) -> None:
        self._path = folder / "journal.sqlite3"

    async def run(self, origin: str, data: bytes) -> str:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        try:
            wanted = json.loads(data)
        except (ValueError, RecursionError):
            return "no rows"
        made = [ENCODER.encode(record) for record in records(6)]
        make_place(self._path)
        with contextlib.closing(connect(self._path)) as db:
            prepare(db, self._path)
            chain = Chain()
            for row in wanted if isinstance(wanted, list) else ():
                try:
                    seq, number, seal = row
                    body = made[number] if isinstance(number, int) and 0 <= number < 6 else str(number).encode()
                    chain.extend(body)
                    value = chain.value() if seal == 1 else None if not seal else str(seal).encode()
                    db.execute("INSERT INTO record (seq, body, chain) VALUES (?, ?, ?)", (seq, body, value))
                except (ValueError, TypeError, KeyError, OverflowError, sqlite3.Error):
                    continue
            try:
                last, _ = check_chain(db)
            except JournalError as error:
                return check_sentence(error)
        if not 0 <= last <= 2**63 or (last and last > db_rows(wanted)):
            raise Wrong(f"{last} records are good of {db_rows(wanted)}")
        return "read"


def db_rows(rows: object) -> int:
    return len(rows) if isinstance(rows, list) else 0


SURFACES_OF_FILES: tuple[type[Surface], ...] = (
    Config,
    Instruments,
    BarFiles,
    CatalogFiles,
    JournalRecords,
    JournalTables,
)
