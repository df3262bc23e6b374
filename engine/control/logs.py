"""The run's log: a JSON object a line, order ids throughout, nothing secret, turned over at 50 MiB (RELIABILITY 6, 7).

What is to be said waits in a bounded queue; four times a second a thread makes lines of it and writes them. A full or
slow disk loses lines, which is counted and said; it holds up nobody.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import structlog

from engine.clock import Clock, LiveClock
from engine.control.api.shapes import iso, portable
from engine.control.redaction import Redactor
from engine.domain.events import JournalRecord, OrderDenied, OrderSubmitted
from engine.domain.jobs import BarsHeard
from engine.domain.timestamps import SECOND_NS
from engine.runtime.settings import Settings

FILE_BYTES = 50 * 1024 * 1024
FILES = 10
QUEUE_MAX = 10_000
RECENT_MAX = 1_000
FIELD_MAX = 4_096
"""Characters of one value."""
FLUSH_NS = SECOND_NS // 4
WARNINGS = ("alert", "strategy stopped", "journal failed", "control fault", "order denied")
Note = Callable[[str, Mapping[str, Any]], None]
_MARK = "_record"


def log_path(data_dir: Path) -> Path:
    return data_dir / "logs" / "sluice.jsonl"


def log_of(settings: Settings, redactor: Redactor, clock: Clock) -> "Log":
    """The log of a run; one whose journal is in memory leaves no file of a log either."""
    file = None if settings.journal.kind == "memory" else RotatingFile(log_path(settings.data_dir))
    return Log(file, redactor, clock)


class RotatingFile:
    """A file that is set aside as ``.1`` when it is full, the older ones as ``.2`` and so on; also if another program
    has moved it away meanwhile."""

    def __init__(self, path: Path, *, size: int = FILE_BYTES, files: int = FILES) -> None:
        self.path = path
        self._size = size
        self._files = files
        self._handle = -1
        self._inode = 0

    def write(self, body: bytes) -> None:
        """Raises: OSError: the disk does not take it."""
        if self._handle >= 0 and not self._is_mine():
            self.close()
        if self._handle < 0:
            self._open()
        if os.fstat(self._handle).st_size + len(body) > self._size and os.fstat(self._handle).st_size:
            self._turn_over()
        os.write(self._handle, body)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _open(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._inode = os.fstat(self._handle).st_ino

    def _is_mine(self) -> bool:
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _turn_over(self) -> None:
        self.close()
        for number in range(self._files - 1, 0, -1):
            older = self._numbered(number - 1)
            if older.exists():
                older.rename(self._numbered(number))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path


class Log:
    """One a run."""

    def __init__(self, file: RotatingFile | None, redactor: Redactor, clock: Clock) -> None:
        """``file``: None for a run that leaves no files. ``clock``: the run's, which may show another day."""
        self.recent: deque[dict[str, Any]] = deque(maxlen=RECENT_MAX)
        self.lines = self.dropped = 0
        self._file = file
        self._redactor = redactor
        self._clock = clock
        self._wall = LiveClock()
        self._queue: deque[tuple[int, int, str, Any]] = deque(maxlen=QUEUE_MAX)
        self._body: list[bytes] = []
        self._logger: Any = structlog.wrap_logger(
            _Lines(self._body),
            processors=[self._redacted, self._rendered],
            wrapper_class=structlog.BoundLoggerBase,
            cache_logger_on_first_use=True,
        )

    # --- saying (hot) ------------------------------------------------------------------------------------------------

    def note(self, text: str, fields: Mapping[str, Any]) -> None:
        self._put(text, dict(fields))

    def on_record(self, seq: int, record: JournalRecord) -> None:
        """A record of the journal, as one line."""
        self._put(_MARK, (seq, record))

    def noting(self, note: Note) -> Note:
        """A note that goes here and, with nothing secret in it, to ``note`` as well."""

        def both(text: str, fields: Mapping[str, Any]) -> None:
            self.note(text, fields)
            clean = self._redactor.text
            note(clean(text), {clean(name): clean(v) if isinstance(v, str) else v for name, v in fields.items()})

        return both

    def _put(self, text: str, fields: Any) -> None:
        if len(self._queue) == QUEUE_MAX:
            self.dropped += 1
        self._queue.append((self._wall.now_ns, self._clock.now_ns, text, fields))

    # --- writing -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled; ``close`` writes the rest."""
        while True:
            await self._wall.sleep(FLUSH_NS)
            if self._queue:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(self.flush)  # dst-ok: a session has threads, the simulation none

    def flush(self) -> None:
        """Make lines of what waits, and write them."""
        while self._queue:
            wall_ns, clock_ns, text, fields = self._queue.popleft()
            event, told = _told(*fields) if text == _MARK else (text, fields)
            level = "warning" if event in WARNINGS else "info"
            moment = {"time": iso(wall_ns), "level": level}
            if abs(clock_ns - wall_ns) > SECOND_NS:
                moment["clock"] = iso(clock_ns)
            self._logger._proxy_to_logger("msg", event, **{**moment, **told})
        body = b"".join(self._body)
        self._body.clear()
        if self._file is None or not body:
            return
        try:
            self._file.write(body)
        except OSError:
            # The disk is what failed; whoever reads the metrics learns of it.
            self.dropped += body.count(b"\n")

    def close(self) -> None:
        self.flush()
        if self._file is not None:
            self._file.close()

    # --- structlog's processors --------------------------------------------------------------------------------------

    def _redacted(self, _logger: Any, _method: str, fields: Any) -> dict[str, Any]:
        """Plain values, no control characters, nothing longer than ``FIELD_MAX``, nothing secret."""
        event = fields.pop("event", "")
        plain = {"event": event, **{str(name): _plain(value) for name, value in fields.items()}}
        body = self._redactor.clean(msgspec.json.encode(_escaped(plain)))
        cleaned: dict[str, Any] = msgspec.json.decode(body)
        return cleaned

    def _rendered(self, _logger: Any, _method: str, fields: Any) -> bytes:
        self.lines += 1
        self.recent.append(dict(fields))
        return msgspec.json.encode(fields) + b"\n"


class _Lines:
    """What structlog writes to."""

    def __init__(self, body: list[bytes]) -> None:
        self.msg = body.append


def _plain(value: Any) -> Any:
    try:
        return portable(value)
    except (TypeError, ValueError, RecursionError):
        return repr(value)[:FIELD_MAX]


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        text = value if len(value) <= FIELD_MAX else f"{value[: FIELD_MAX - 1]}…"
        if text.isprintable():
            return text
        return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    if isinstance(value, dict):
        return {_escaped(name): _escaped(inner) for name, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list) else value


def _told(seq: int, record: JournalRecord) -> tuple[str, dict[str, Any]]:
    """A record as event and fields: ``order`` is the client id wherever there is one."""
    fields: dict[str, Any] = {"seq": seq}
    if isinstance(record, OrderSubmitted | OrderDenied):
        order = record.order
        fields |= {
            "order": order.client_id, "account": order.account, "strategy": order.strategy,
            "instrument": order.instrument, "side": str(order.side), "quantity": order.quantity,
            "price": order.price, "type": str(order.type),
        }  # fmt: skip
        if isinstance(record, OrderDenied):
            return "order denied", fields | {"code": record.code, "reason": record.reason}
        return "order intent", fields
    if isinstance(record, BarsHeard):
        return "bars heard", fields | {"count": len(record.bars)}
    tag = str(type(record).__struct_config__.tag)
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name != "ts_ns" and value not in ("", None, 0):
            fields["order" if name == "client_id" else name] = value
    return f"order {tag}" if tag in ("send", "report") else tag.replace("_", " "), fields


def last_lines(path: Path, count: int) -> list[dict[str, Any]]:
    """The newest lines of a log, the oldest of them first; a line that does not read is left out."""
    found: list[dict[str, Any]] = []
    for body in _backwards(path):
        try:
            found.append(msgspec.json.decode(body, type=dict[str, Any]))
        except msgspec.DecodeError:
            continue
        if len(found) == count:
            break
    return found[::-1]


def _backwards(path: Path, most: int = 4 * 1024 * 1024) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            lines = file.read().split(b"\n")
    except OSError:
        return
    yield from (line for line in reversed(lines[1:] if size > most else lines) if line)
