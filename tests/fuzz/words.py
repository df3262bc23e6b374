"""Words of the user: the command line, names, paths of strategies, times."""

import contextlib
import io
import json
import os
import shutil
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from engine.control.cli import main
from engine.control.options import read_amount, read_day, read_moment, read_table
from engine.data.calendar import MarketCalendar, calendar_of
from engine.data.instruments import derived_instrument
from engine.domain.errors import ConfigError
from engine.domain.timestamps import datetime_from_ns, duration_ns, format_time, parse_time
from engine.markets import MARKETS
from engine.runtime.strategies import load_strategy
from tests.cli_builders import ROOT, a_bar_file
from tests.fuzz.files import VALUES
from tests.fuzz.harness import Surface, Wrong, check_sentence
from tests.fuzz.mutations import Draw, text_mutated


class CommandLine(Surface):
    """The program itself: a sentence and an exit code, whatever the words and files."""

    name, share, light = "cli.words", 3_000, 40
    plain = True

    def seeds(self) -> Mapping[str, bytes]:
        backtest = "backtest --strategy strategies.sma_cross:SmaCross --data bars.csv --instrument 000001.SH"
        order = "check order --instrument CY.VSM --side buy --quantity 100"
        lines = (
            f"{order} --price 57.75 --cash 1000000 --json",
            f"{order} --at 2026-03-02T10:00:00+08:00 --position 500 --mark 10.5 --previous-close 10",
            f"{order} --profile live --risk-set max_order_quantity.cap=100 --market virtual --json",
            "check --config config/demo.toml --json",
            f"{backtest} --no-report --json",
            f"{backtest} --set fast=2 --set slow=5 --cash 5000 --tz Asia/Shanghai --interval 1m --label end --json",
            "data import bars.csv --instrument 600000.SH --catalog catalog --tz Asia/Shanghai --json",
            "data check --catalog catalog --from 20260301 --to 20260305 --json",
            "report journal.sqlite3 --json",
            "new my_idea --json",
            "order-states --json",
            "data list --catalog catalog --json",
        )
        return {f"{at:02}": json.dumps(line.split(" ")).encode() for at, line in enumerate(lines)}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        words: list[str] = json.loads(seed)
        at = draw.randrange(1, len(words)) if len(words) > 1 else 0
        match draw.randrange(8):
            case 0:
                del words[at]
            case 1:
                words.insert(at, words[draw.randrange(len(words))])
            case 2 if not words[at].startswith("--"):
                words[at] = draw.choice(VALUES).strip('"')
            case _:
                words[at] = text_mutated(draw, words[at])
        return json.dumps(words).encode()

    async def open(self, folder: Path) -> None:
        self._before, self._path = Path.cwd(), list(sys.path)
        shutil.copytree(ROOT / "config", folder / "config")
        (folder / "strategies").mkdir()
        (folder / "strategies/__init__.py").touch()
        os.chdir(folder)
        a_bar_file(folder)

    async def close(self) -> None:
        os.chdir(self._before)
        sys.path[:] = self._path

    async def run(self, origin: str, data: bytes) -> str:
        words = [word.replace("\x00", "\\0") for word in json.loads(data)]
        if any(word.startswith("/") or ".." in word for word in words):
            # What it writes stays in the test's own folder.
            return "elsewhere"
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
        said = err.getvalue()
        if code not in {0, 1, 2} or "Traceback" in said + out.getvalue() or "run it again with --debug" in said:
            raise Wrong(f"exit {code}: {said[-300:]}")
        if code == 2 and not said.strip() and not out.getvalue().strip():
            raise Wrong("exit 2 without a word")
        return f"exit {code}"


class Names(Surface):
    """Symbols, account ids, amounts and pairs of the command line: 10 kB of anything."""

    name, share, light = "names.words", 8_000, 240

    def seeds(self) -> Mapping[str, bytes]:
        said = {"symbol": "600000.SH", "pair": "sma.fast=10", "amount": "1_000_000.50", "future": "IF2401.CFE"}
        return {name: text.encode() for name, text in said.items()}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        return text_mutated(draw, seed.decode()).encode("utf-8", "replace")

    async def run(self, origin: str, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        try:
            if origin == "pair":
                read_table("--set", [text])
            elif origin == "amount":
                amount = read_amount("--cash", text)
                if not (amount.is_finite() and 0 <= amount < 10**30):
                    raise Wrong(f"an amount of {str(amount)[:40]}")
            else:
                found = derived_instrument(text)
                if not found.id.isprintable() or len(found.id) > 100:
                    raise Wrong(f"an instrument {found.id[:60]!r}")
        except ConfigError as error:
            return check_sentence(error)
        return "read"


class StrategyPaths(Surface):
    """``module:Class`` and ``file.py:Class``: another place, no place, no path at all."""

    name, share, light = "names.paths", 5_000, 160

    def seeds(self) -> Mapping[str, bytes]:
        said = (
            "strategies.sma_cross:SmaCross", "strategies/sma_cross.py:SmaCross", "../strategies/sma_cross.py:SmaCross",
            "/etc/passwd:SmaCross", "link.py:SmaCross", "strategies\uff0fsma_cross.py:SmaCross", "os:path",
            "strategies.sma_cross\x00:SmaCross", "strategies/sma_cross.py\x00:SmaCross", "..:SmaCross", ".py:SmaCross",
            "strategies/../strategies/sma_cross.py:SmaCross", "strategies.SMA_CROSS:SmaCross", "folder.py:SmaCross",
        )  # fmt: skip
        return {f"{at:02}": text.encode() for at, text in enumerate(said)}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        text = seed.decode()
        if draw.random() < 0.4:
            tricks = ("..", "../", "/", "//", "\\", "\x00", "\u2215", "\uff0f", "%2e%2e/", "~", "./", ".py", ":", "C:")
            at = draw.randrange(len(text) + 1)
            return (text[:at] + draw.choice(tricks) + text[at:]).encode()
        return text_mutated(draw, text).encode("utf-8", "replace")

    async def open(self, folder: Path) -> None:
        self._before, self._path = Path.cwd(), list(sys.path)
        os.chdir(folder)
        (folder / "link.py").symlink_to("/etc/hostname")
        (folder / "folder.py").mkdir()

    async def close(self) -> None:
        os.chdir(self._before)
        sys.path[:] = self._path

    async def run(self, origin: str, data: bytes) -> str:
        try:
            found = load_strategy(data.decode("utf-8", "replace"))
        except ConfigError as error:
            return check_sentence(error)
        if not found.__name__.isidentifier():
            raise Wrong(f"a class of the name {found.__name__!r}")
        return "found"


class Times(Surface):
    """Times, days, spans: gaps of summer time, leap seconds, far away, no time at all."""

    name, share, light = "times", 12_000, 320

    def seeds(self) -> Mapping[str, bytes]:
        said = (
            "2026-03-02T09:30:00+08:00", "2026-03-29T02:30:00", "2026-10-25T02:30:00", "2016-12-31T23:59:60Z",
            "20260302",
            "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1772415060000000000", "5m", "1.5s", "250ms",
            "99999999999999999999", "2026-03-02 09:30:00.123456789", "1900-01-01", "2262-04-11T23:47:16.854775807Z",
        )  # fmt: skip
        return {f"{at:02}": text.encode() for at, text in enumerate(said)}

    def mutate(self, draw: Draw, seed: bytes) -> bytes:
        return text_mutated(draw, seed.decode()).encode("utf-8", "replace")

    async def open(self, folder: Path) -> None:
        names = ("600000.SH", "00700.HK", "AAPL.US")
        self._calendars: list[MarketCalendar] = [found for name in names if (found := calendar_of(name)) is not None]
        self._books = [MARKETS[name] for name in ("china_a", "hong_kong", "us")]

    async def run(self, origin: str, data: bytes) -> str:
        text = data.decode("utf-8", "replace")
        words = [self._moment(text), self._day(text)]
        try:
            if duration_ns(text) <= 0:
                raise Wrong(f"a span of {duration_ns(text)}")
            words.append("span")
        except ValueError as error:
            words.append("refused")
            if not str(error):
                raise Wrong("no word") from error
        return next((word for word in words if word != "refused"), "refused")

    def _moment(self, text: str) -> str:
        for zone in ("Asia/Shanghai", "Europe/London", None):
            try:
                ts_ns = read_moment("--at", text, zone)
            except ConfigError as error:
                check_sentence(error)
                continue
            if not -(2**66) < ts_ns < 2**69:
                raise Wrong(f"a moment of {ts_ns} ns")
            moment = datetime_from_ns(ts_ns)
            if zone and parse_time(format_time(ts_ns, zone), None) // 1000 != ts_ns // 1000:
                raise Wrong(f"{ts_ns} is {moment} and then another")
            for calendar in self._calendars:
                for ask in (calendar.trading_day, calendar.is_open, calendar.next_open_ns):
                    try:
                        ask(ts_ns)
                    except ConfigError as error:
                        check_sentence(error)
            return "moment"
        return "refused"

    def _day(self, text: str) -> str:
        try:
            day = read_day("--from", text)
        except ConfigError as error:
            check_sentence(error)
            return "refused"
        for calendar in self._calendars:
            try:
                calendar.trading_days(min(day, date(2026, 1, 5)), day)
            except ConfigError as error:
                check_sentence(error)
        return "day"


SURFACES_OF_WORDS: tuple[type[Surface], ...] = (CommandLine, Names, StrategyPaths, Times)
