"""The operator's inbox: a folder of request files that a running engine takes, and of answers it leaves.

``<data_dir>/operator``, for its owner alone (0700). A request is written whole under another name and then renamed, so
that it is never read half. The engine renames it before it acts, so that nothing is done twice; who asked takes the
answer away. What an engine finds at its start was meant for one that is gone: a kill is carried out all the same,
everything else is dropped.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec

from engine.clock import Clock, LiveClock
from engine.domain.events import Alert
from engine.domain.timestamps import SECOND_NS
from engine.runtime.operator import Operator
from engine.runtime.operator_commands import NO, Answer, Command, Kill
from engine.runtime.private_file import write_whole

INBOX = "operator"
"""The folder's name under the data directory."""
POLL_SECONDS = 0.5
SIZE_MAX = 65_536
_REQUESTS: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_ANSWERS: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class Inbox:
    """The engine's side."""

    def __init__(self, folder: Path, operator: Operator, clock: LiveClock, tell: Callable[[Any], None]) -> None:
        """``tell``: gets an ``Alert`` for each command taken.

        Raises:
            OSError: the folder can not be made.
        """
        self._folder = folder
        self._operator = operator
        self._clock = clock
        self._tell = tell
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        mark = _put(folder, b"")
        self._began_ns = _written_ns(mark)
        """What was asked before this was asked of an engine that is gone."""
        _remove(mark)

    async def run(self) -> None:
        """Until cancelled: take requests twice a second; a slow one keeps none of the others waiting."""
        async with anyio.create_task_group() as tasks:
            for left in sorted(self._folder.iterdir()):
                if left.suffix == ".taken" or _written_ns(left) < self._began_ns:
                    await self._left_over(left)
            while True:
                for request in sorted(self._folder.glob("*.request")):
                    tasks.start_soon(self._answer, request)
                await self._clock.sleep(round(POLL_SECONDS * self._clock.speed * SECOND_NS))

    async def _left_over(self, path: Path) -> None:
        """Of an engine that is gone."""
        command = _read(path) if path.suffix in (".request", ".taken") else None
        _remove(path)
        if isinstance(command, Kill):
            await self._operator.do(command)

    async def _answer(self, request: Path) -> None:
        taken = _take(request)
        if taken is None:
            return
        command = _read(taken)
        if command is None:
            answer = Answer(text="the request can not be read", exit_code=NO)
        else:
            text = f"{command.who} asks: {msgspec.json.encode(command).decode()}"
            self._tell(Alert(ts_ns=self._clock.now_ns, about="operator", text=text))
            answer = await self._operator.do(command)
        write_whole(request.with_suffix(".answer"), msgspec.json.encode(answer))
        _remove(taken)


async def ask(folder: Path, command: Command, clock: Clock, seconds: float) -> Answer | None:
    """Put a request into the inbox and wait so many real seconds for the answer; None: nobody took it.

    Raises:
        OSError: the folder can not be written to.
    """
    request = _put(folder, msgspec.json.encode(command))
    answer = request.with_suffix(".answer")
    with anyio.move_on_after(seconds):
        while not answer.exists():
            await clock.sleep(SECOND_NS // 10)
    if answer.exists():
        told = _ANSWERS.decode(answer.read_bytes())
        _remove(answer)
        return told
    if not _remove(request):
        text = f"it was taken, but not answered within {seconds:g} s; look at status before you say it again"
        return Answer(text=text, exit_code=NO)
    return None


def _put(folder: Path, body: bytes) -> Path:
    """A request under a name nobody else has."""
    handle, name = tempfile.mkstemp(prefix="ask-", suffix=".draft", dir=folder)
    os.close(handle)
    request = Path(name).with_suffix(".request")
    # Who did the installing stops the run too: the engine of another user takes only what is that user's.
    write_whole(request, body, folders_owner=True)
    Path(name).unlink()
    return request


def _written_ns(path: Path) -> int:
    """By the clock of the file system, which is everybody's."""
    return path.stat().st_mtime_ns


def _take(request: Path) -> Path | None:
    """Ours from here on; None: who asked has thought better of it, or it is being answered."""
    taken = request.with_suffix(".taken")
    try:
        request.rename(taken)
    except FileNotFoundError:
        return None
    return taken


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _read(path: Path) -> Command | None:
    """A request of our own user; None: it is none."""
    try:
        found = path.stat()
        if found.st_size > SIZE_MAX or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
            return None
        return _REQUESTS.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None
