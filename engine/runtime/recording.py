"""What went into a live run and what it commanded, on a file beside its journal (RELIABILITY 2.4, I11).

``recorded.py`` says what it is made of. Rows are kept as objects while the core works; every ``FLUSH_SECONDS`` the
run's own task makes bytes of them and a thread writes those, so the way of an order never waits for this disk. What was
not written when a process is killed is lost: the recording then ends a moment before the journal.
"""

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import msgspec
from msgspec import Raw, Struct

from engine.domain.account import Capabilities
from engine.domain.events import Alert, CallAnswered
from engine.domain.ids import AccountId
from engine.domain.instructions import InstructionReport
from engine.domain.timestamps import format_time
from engine.journal.tape import TapeWriter
from engine.ports import Journal
from engine.runtime.code_hashes import engine_hash, instruments_hash, strategy_hash
from engine.runtime.recorded import (
    ANSWER,
    COMMAND,
    DOOR,
    END,
    EVENT,
    FAILED,
    GROUP,
    HEADER,
    NOTE,
    SUFFIX,
    End,
    Header,
    as_said,
)

if TYPE_CHECKING:
    from engine.runtime.live import LiveRun

FLUSH_SECONDS = 0.25
FLUSH_ROWS = 1_000
"""Rows that are made bytes of without waiting for the time."""
ROWS_MAX = 200_000
"""Rows that may wait for a disk that does not keep up; past it the recording ends, the run goes on."""

_MUTABLE = (CallAnswered, InstructionReport)
"""Events that hold values somebody else may change later: their bytes are made at once."""
_ENCODER = msgspec.msgpack.Encoder()
ENCODING_ERRORS = (TypeError, ValueError, OverflowError, RecursionError)


class Origin(Struct, frozen=True, kw_only=True):
    """Where a run comes from."""

    config: str = ""
    config_hash: str = ""
    journal: str = ""


class Recorder:
    """Writes down one run; a ``Witness``.

    It never stops a run: what it can not write it says in an alert, and the run goes on unrecorded.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = 500_000_000,
        origin: Origin = Origin(),  # noqa: B008 - frozen
        threads: bool = True,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """
        Args:
            folder: where recordings are kept.
            max_bytes: of all recordings there; old ones are removed to keep below it.
            threads: write in a thread; the simulation has none.
            say: told what a person may want to know.
        """
        self.path: Path | None = None
        self.inputs = 0
        self._folder = folder
        self._max_bytes = max_bytes
        self._origin = origin
        self._threads = threads
        self._say = say
        self._rows: list[tuple[Any, ...]] = []
        self._written = 0
        self._seq = 0
        self._broken = ""
        self._tape: TapeWriter | None = None
        self._run: LiveRun | None = None
        self._old: deque[tuple[Path, int]] = deque()
        self._wake = anyio.Event()

    # --- a witness of the core (hot) ---------------------------------------------------------------------------------

    def published(self, ts_ns: int, seq: int, event: Any) -> None:
        kind = event.__class__
        self.inputs += 1
        if kind in _MUTABLE:
            self._at_once(ts_ns, seq, event)
            return
        rows = self._rows
        rows.append((EVENT, ts_ns, seq, kind.__name__, event))
        if len(rows) >= FLUSH_ROWS:
            self._fills_up()

    def _fills_up(self) -> None:
        self._wake.set()
        if len(self._rows) > ROWS_MAX:
            self._broken = self._broken or f"the disk does not keep up: {ROWS_MAX} rows waited for it"
            self._rows = []

    def _at_once(self, ts_ns: int, seq: int, event: Any) -> None:
        try:
            body = _ENCODER.encode(event)
            if isinstance(event, CallAnswered) and msgspec.msgpack.decode(_ENCODER.encode(event.value)) != event.value:
                text = f"{event.strategy} got an answer that can not be kept exactly ({type(event.value).__name__})"
                self._rows.append((NOTE, ts_ns, seq, "inexact", text))
        except ENCODING_ERRORS as error:
            self._broken = self._broken or f"an input can not be kept: {error}"
            return
        self._rows.append((EVENT, ts_ns, seq, event.__class__.__name__, Raw(body)))

    def entered(self, ts_ns: int, seq: int, door: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self.inputs += 1
        self._rows.append((DOOR, ts_ns, seq, door, (args, named)))

    def answered(self, name: str, answer: Any) -> None:
        self._rows.append((ANSWER, 0, 0, name, answer))

    def decided(self, seq: int, command: Any) -> None:
        said = as_said(command)
        self._rows.append((COMMAND, 0, seq, said.__class__.__name__, said))

    def failed(self, text: str) -> None:
        self._rows.append((FAILED, 0, 0, "", text))

    # --- life --------------------------------------------------------------------------------------------------------

    def begin(self, run: "LiveRun") -> None:
        """Make the file and write its header.

        Raises:
            ConfigError: no place to write to.
        """
        header = header_of(run, self._origin)
        self._run = run
        self._old = deque(sorted((path, path.stat().st_size) for path in self._folder.glob(f"*{SUFFIX}")))
        self.path = self._folder / f"{header.run}{SUFFIX}"
        self._tape = TapeWriter(self.path)
        self._seq = header.seq
        self._tape.write(HEADER, _ENCODER.encode(header))

    async def run(self) -> None:
        """Write what there is from time to time, until cancelled."""
        while self._tape is not None:
            with anyio.move_on_after(FLUSH_SECONDS):
                await self._wake.wait()
            self._wake = anyio.Event()
            body = self._pack()
            if body and self._threads:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self._put, body)  # dst-ok: live only; the simulation has none
            elif body:
                self._put(body)
            if self._broken:
                self._give_up()

    def end(self, run: "LiveRun") -> None:
        """The run is over: write the rest, and the end."""
        body = self._pack()
        if body:
            self._put(body)
        if self._broken:
            self._give_up()
            return
        if self._tape is None:
            return
        end = End(self._written, run.turns.seq, *_ending(run.journal))
        try:
            self._tape.write(END, _ENCODER.encode(end))
            self._tape.close()
        except OSError as problem:
            self._say(f"the end of the recording {self.path} could not be written: {problem.strerror}")

    def _pack(self) -> bytes:
        """What waits, as the bytes of one group; never called in the middle of a turn."""
        rows, run = self._rows, self._run
        if not rows or run is None or self._tape is None or self._broken:
            return b""
        self._rows = []
        inputs = self.inputs - self._written
        try:
            body = _ENCODER.encode((self._written + 1, inputs, run.turns.seq, rows))
        except ENCODING_ERRORS as error:
            self._broken = self._broken or f"an input can not be kept: {error}"
            return b""
        self._written += inputs
        self._seq = run.turns.seq
        return body

    def _put(self, body: bytes) -> None:
        """In the writer's thread, where there is one."""
        tape = self._tape
        if tape is None:
            return
        try:
            tape.write(GROUP, body)
        except OSError as problem:
            self._broken = self._broken or f"it could not be written: {problem.strerror}"
            return
        while tape.size + sum(size for _, size in self._old) > self._max_bytes:
            if not self._old:
                self._broken = self._broken or f"it has reached {self._max_bytes} bytes ([recording] max_mb)"
                return
            path, _ = self._old.popleft()
            path.unlink(missing_ok=True)

    def _give_up(self) -> None:
        """Close the file as it is, and tell a person; trading goes on."""
        tape, run, text = self._tape, self._run, f"this run is recorded no longer: {self._broken}"
        self._tape = None
        self._rows = []
        if run is None or tape is None:
            return
        run.turns.witness = None
        try:
            tape.write(END, _ENCODER.encode(End(self._written, self._seq, "", self._broken)))
            tape.close(sync=False)
        except OSError:
            pass  # the disk is what failed
        self._say(text)
        run.core.bus.publish(Alert(ts_ns=run.clock.now_ns, about="recording", text=text))


def _ending(journal: Journal) -> tuple[str, str]:
    """The journal's digest at the end of its run, and how it ended.

    No digest of records that may be lost yet: the journal that is found later would seem to be another one.
    """
    if journal.healthy and journal.durable_seq == journal.next_seq - 1:
        return journal.digest(), "run ended"
    return "", "its journal was not written to the end"


def header_of(run: "LiveRun", origin: Origin) -> Header:
    """A run that is about to begin, described."""
    spec, now_ns = run.spec, run.clock.now_ns
    moment = format_time(now_ns)[:19].translate({ord("-"): "", ord(":"): "", ord(" "): "T"})
    seq = run.journal.next_seq
    sheets: dict[AccountId, Capabilities] = {account.id: run.boxes[account.id].sheet for account in spec.accounts}
    return Header(
        run=f"{moment}-{seq}{'-' if spec.run_tag else ''}{spec.run_tag}",
        ts_ns=now_ns,
        seq=seq,
        before=run.journal.digest(),
        mode=spec.mode,
        run_tag=spec.run_tag,
        sheets={str(name): sheet for name, sheet in sheets.items()},
        gateways=tuple(run.gateways),
        foresees=tuple(run.core.view.foresees),
        performs=tuple(run.core.view.performs),
        engine=engine_hash(),
        strategies={s.name: strategy_hash(s) for _, s in spec.strategies},
        config=origin.config,
        config_hash=origin.config_hash,
        journal=origin.journal,
        instruments=instruments_hash(spec.instruments),
    )
