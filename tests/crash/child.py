"""What a forked process does: be an engine, from its config to its end, and die where it is told to."""

import functools
import json
import os
import re
import resource
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from engine import traps
from engine.control import cli, live_session
from engine.control.cli_live import JOURNAL_FAILED
from engine.control.live_session import Session
from engine.domain.account import CancelScope
from engine.domain.errors import JournalError
from engine.domain.events import KillLevel
from engine.domain.order import LIVE, TERMINAL
from engine.domain.timestamps import SECOND_NS
from engine.journal import sqlite, store
from engine.journal.compaction import compact
from engine.journal.sqlite import SqliteJournal
from engine.markets import MARKETS
from engine.runtime.settings import load_settings
from tests.crash.trapped_journal import TrappedJournal
from tests.journal_builders import a_record

ORDERS = re.compile(
    r"/api/v1/trade/.+|/api/order|/api/trader/(market-)?(buy|sell)|/api/v1/operations/(market_)?(buy|sell)"
)
"""Requests that carry an order, of any broker."""
QUIET_REAL_SECONDS = 12.0
"""How long the last life may take to find out everything."""


def warm() -> None:
    """What is read once in a process and takes a second: the exchanges' calendars."""
    for name in ("china_a", "hong_kong"):
        MARKETS[name]().is_open(1_772_500_000 * SECOND_NS)


class Trap:
    """Kills, or stops, this process when a point is passed for the n-th time; says so first."""

    def __init__(self, point: str, passage: int, how: str = "kill") -> None:
        self.point = point
        self.passage = passage
        self.signal = signal.SIGSTOP if how == "stop" else signal.SIGKILL
        self.counts: Counter[str] = Counter()

    def passed(self, point: str, path: str = "") -> None:
        if path and not ORDERS.fullmatch(path):
            return
        self.counts[point] += 1
        if point == self.point and self.counts[point] == self.passage:
            os.write(2, f"TRAP {point} {self.passage}\n".encode())
            os.kill(os.getpid(), self.signal)


def command(args: Mapping[str, Any]) -> int:
    """The command line, word for word; ``trap`` as for ``live``, where it keeps a journal in the caller's turn."""
    os.environ.update(args.get("environ", {}))
    if "trap" in args:
        trap = Trap(*args["trap"])
        sqlite.SqliteJournal = functools.partial(TrappedJournal, passed=trap.passed)  # type: ignore[assignment,misc]
    return cli.main(args["argv"])


def live(args: Mapping[str, Any]) -> int:
    """One life of an engine; ``args``: config, environ, and see below.

    ``trap``: [point, passage, kill or stop]. ``latch``: latch at L3 at the n-th decision. ``fails_at``: the n-th commit
    finds the disk full, and so do all after it. ``seconds``: real seconds of trading before it stops in order; absent:
    for ever. ``ends``: "latched", it withdraws everything before and waits until nothing is open; "quiet", it only
    waits; "now".
    """
    trap = Trap(*args.get("trap", ("", 0)))
    if trap.point:
        traps.passed = trap.passed
    settings = load_settings(args["config"])

    def open_journal(*_given: Any, accept_rebuild: bool = False) -> TrappedJournal:
        return TrappedJournal(
            settings.journal_path, trap.passed, args.get("fails_at", 0), accept_rebuild=accept_rebuild
        )

    live_session.open_journal = open_journal  # type: ignore[assignment]
    try:
        session = Session(settings, environ=args["environ"], note=_note, arm=True)

        async def screen(_session: Session) -> None:
            if "latch" in args:
                await _latch_at(args["latch"], session)
            if "seconds" in args:
                await _ending(args["seconds"], args.get("ends", "latched"), session)

        anyio.run(lambda: session.conduct(screen=screen))
    except Exception as error:  # noqa: BLE001
        # The exit code and the sentence of the command line.
        return cli._explain([], error)
    if session.run.journal.failure:
        return JOURNAL_FAILED
    print("FIGURES " + json.dumps(session.figures(), default=str), flush=True)
    return 0


async def _latch_at(number: int, session: Session) -> None:
    """After so many decisions, and once something works that can be withdrawn, if the venue knows of withdrawing."""
    run = session.run
    cancels = any(box.sheet.cancel_scope is not CancelScope.NONE for box in run.boxes.values())
    while True:
        await run.clock.sleep(SECOND_NS)
        working = any(order.state in LIVE for order in run.core.manager.working.values())
        if len(run.core.manager.orders) >= number and (working or not cancels):
            run.core.manager.latch(KillLevel.CANCEL, "all", "the drill's", "operator")
            return


async def _ending(seconds: float, ends: str, session: Session) -> None:
    """The life's last part, as somebody at the keyboard would do it."""
    run = session.run
    await run.ready.wait()
    await run.clock.sleep(round(seconds * run.clock.speed * SECOND_NS))
    if ends == "latched":
        run.core.manager.latch(KillLevel.CANCEL, "all", "the end", "operator")
    with anyio.move_on_after(0 if ends == "now" else QUIET_REAL_SECONDS):
        while any(order.state not in TERMINAL for order in run.core.manager.working.values()):
            await run.clock.sleep(SECOND_NS)
    run.stop("the end")


def _note(text: str, fields: Mapping[str, Any]) -> None:
    print(text, dict(fields), file=sys.stderr)


def compacting(args: Mapping[str, Any]) -> int:
    """Compact a journal; ``args``: path, trap."""
    traps.passed = Trap(*args["trap"]).passed
    compact(Path(args["path"]))
    return 0


def migrating(args: Mapping[str, Any]) -> int:
    """Open a journal with an engine of the next schema; ``args``: path, and trap if it shall die on the way."""
    traps.passed = Trap(*args.get("trap", ("", 0))).passed
    store.SCHEMA_VERSION = 2
    store.MIGRATIONS[1] = (
        "CREATE TABLE segment (day TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT",
        "INSERT INTO segment SELECT 'all', COALESCE(MAX(seq), 0) FROM record",
    )
    journal = SqliteJournal(args["path"], inline=True)
    print("DIGEST", journal.digest(), flush=True)
    journal.close()
    return 0


def writing(args: Mapping[str, Any]) -> int:
    """Append records for ever, telling each number that is durable; ``args`` names what fails this process.

    ``checkpoints``: SQLite writes its log back after every commit. ``file_max``: no file may grow beyond so many bytes.
    ``pages_max``: SQLite finds no more pages. ``read_only_after``: the n-th record finds the file read-only.
    """
    journal = SqliteJournal(args["path"])
    if "checkpoints" in args:
        journal._db.execute("PRAGMA wal_autocheckpoint = 1")
    if "pages_max" in args:
        journal._db.execute(f"PRAGMA max_page_count = {args['pages_max']}")
    if "file_max" in args:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (args["file_max"], args["file_max"]))

    async def write() -> int:
        for number in range(journal.durable_seq, 10_000_000):
            if number == args.get("read_only_after"):
                journal._db.execute("PRAGMA query_only = ON")
            try:
                seq = journal.append(a_record(number))
                await journal.durable(seq)
            except JournalError as error:
                print(f"FAILED {error}", flush=True)
                return 3
            os.write(1, f"ACK {seq}\n".encode())
        return 0

    code = anyio.run(write)
    journal.close()
    print(f"HEALTHY {journal.healthy}", flush=True)
    return code
