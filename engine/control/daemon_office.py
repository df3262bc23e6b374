"""What the daemon does with files behind a close: report, copy of the journal, bars of the day.

Work that takes the processor for long is a child process or a thread, so that the loop that trades is not held up.
"""

import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec

from engine.asking import CallRequest
from engine.domain.errors import JournalError
from engine.journal.backup import back_up, shorten_log
from engine.outside import ask_outside
from engine.runtime.job_triggers import Occasion
from engine.runtime.market_days import local_day
from engine.runtime.session_work import NotReady, Office, SessionWork
from engine.runtime.settings import Settings

KEEP_OF_ENVIRON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR", "SYSTEMROOT")
"""What a child process gets of the environment besides what it needs to log in."""


class FilesOffice:
    """One a run."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        """``environ``: with the secrets in it; a child gets of them what it needs."""
        self._settings = settings
        self._environ = environ
        self.work: SessionWork | None = None

    def office(
        self,
        *,
        summary: Callable[[str, Occasion], Awaitable[str]] | None,
        compact: Callable[[Occasion], Awaitable[str]],
    ) -> Office:
        """What ``SessionWork`` calls; ``summary``: sends the day to people."""
        daemon, kind = self._settings.alone.daemon, self._settings.journal.kind
        after: dict[str, Any] = {"report": self.report}
        if kind == "sqlite":
            after["backup"] = self.backup
        if daemon.fetch.source:
            after["fetch"] = self.fetch
        at_its_time = None
        if summary is not None and daemon.summary is None:
            after["summary"] = summary
        elif summary is not None:
            at_its_time = partial(summary, "")
        if kind == "memory":
            after.pop("report")
        return Office(
            lighten=self.lighten if kind == "sqlite" else None,
            after=after,
            summary=at_its_time,
            compact=compact if kind == "sqlite" else None,
        )

    async def lighten(self) -> str:
        """Raises: JournalError."""
        await aside(partial(shorten_log, self._settings.journal_path))
        return "the journal's log is in its file"

    async def report(self, market: str, occasion: Occasion) -> str:
        """The page of the whole journal, under the day's name.

        Raises:
            NotReady: it could not be made.
        """
        page = self._settings.data_dir / "reports" / f"{local_day(occasion.day)}-{market}.html"
        page.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        postgres = self._settings.journal.kind == "postgres"
        place = self._settings.path if postgres else self._settings.journal_path
        needed = (self._settings.journal.password_env,) if postgres else ()
        told = await self._child(["report", str(place), "--html", str(page), "--json"], needed)
        return f"{page.name}, {told.get('fills', 0)} fills so far"

    async def backup(self, _market: str, occasion: Occasion) -> str:
        """A copy of the journal, checked. Raises: JournalError."""
        settings, day = self._settings, local_day(occasion.day)
        keep = settings.alone.daemon.backups
        made = await aside(
            partial(back_up, settings.journal_path, settings.data_dir / "backups", f"journal-{day}", keep=keep)
        )
        return f"{made.path.name}, {made.records} records"

    async def fetch(self, market: str, occasion: Occasion) -> str:
        """The last days' bars of what is traded there, into the catalog.

        Raises:
            NotReady: they could not all be fetched.
        """
        settings, table = self._settings, self._settings.alone.daemon.fetch
        traded = self.work.instruments_of(market) if self.work is not None else ()
        codes = table.instruments or traded
        if not codes:
            return "nothing to fetch"
        last = date.fromordinal(occasion.day)
        first = date.fromordinal(occasion.day - table.days + 1)
        source = settings.gateways.get(table.source)
        needed: tuple[str, ...] = ()
        if source is not None:
            fields = source.settings.__struct_fields__
            needed = tuple(getattr(source.settings, name) for name in fields if name.endswith("_env"))
        counts = []
        for period in table.periods:
            told = await self._child(
                ["data", "fetch", "--source", table.source, "--codes", ",".join(codes), "--period", period,
                 "--from", f"{first:%Y%m%d}", "--to", f"{last:%Y%m%d}", "--catalog", table.catalog,
                 "--config", str(settings.path), "--json"],
                needed,
            )  # fmt: skip
            counts.append(f"{told.get('new', 0)} new {period} bars")
        return ", ".join(counts)

    async def _child(self, argv: list[str], needed: tuple[str, ...]) -> dict[str, Any]:
        """One command of ours in a process of its own; gives its JSON.

        Raises:
            NotReady: it failed; with what it said last.
        """
        environ = {name: self._environ[name] for name in (*KEEP_OF_ENVIRON, *needed) if name in self._environ}
        here = str(Path(__file__).parents[2])
        environ["PYTHONPATH"] = f"{here}:{environ['PYTHONPATH']}" if environ.get("PYTHONPATH") else here
        command = [sys.executable, "-m", "engine.control.cli", *argv]
        done = await anyio.run_process(command, check=False, env=environ, stdin=subprocess.DEVNULL)
        try:
            told = msgspec.json.decode(done.stdout, type=dict[str, Any])
        except msgspec.MsgspecError:
            told = {}
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise NotReady(str(told.get("error") or "".join(last) or f"exit code {done.returncode}"))
        return told


async def aside(call: Callable[[], Any]) -> Any:
    """In a thread. Raises: JournalError: it failed."""
    value, error = await ask_outside(CallRequest(call, ()), threads=True)
    if error:
        raise JournalError(error.partition(": ")[2] or error)
    return value
