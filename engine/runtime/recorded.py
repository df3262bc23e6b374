"""What a recording is made of, and reading one: a header, groups of rows, an end; rows put together to turns.

A row is one input, one answer of the world inside a turn, or one command of the core (``turns.py``). The records of the
journal stay in the journal; each row says which record comes next.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from engine.domain import account, algos, commands, events, instructions, market
from engine.domain.account import Capabilities
from engine.domain.errors import JournalError
from engine.domain.order import OrderReport
from engine.execution import CancelWanted, ReplaceWanted
from engine.journal.tape import TapeReader
from engine.runtime.turns import CallWanted

FOLDER = "recordings"
SUFFIX = ".rec"

EVENT, DOOR, ANSWER, COMMAND, FAILED, NOTE = range(6)
HEADER, GROUP, END = b"H", b"G", b"E"


class CancelSaid(Struct, frozen=True):
    """``CancelWanted`` as it is written down: the order is known by its id."""

    client_id: str


class ReplaceSaid(Struct, frozen=True):
    """``ReplaceWanted`` as it is written down."""

    client_id: str
    quantity: int
    price: str


def _structs(*modules: Any) -> dict[str, type]:
    found = (value for module in modules for value in vars(module).values())
    return {one.__name__: one for one in found if isinstance(one, type) and issubclass(one, Struct)}


EVENTS: Mapping[str, type] = _structs(account, algos, commands, events, instructions, market) | {
    "OrderReport": OrderReport
}
"""Name -> class of everything that may be published."""
COMMAND_TYPES: Mapping[str, type] = {**EVENTS, **{t.__name__: t for t in (CancelSaid, ReplaceSaid, CallWanted)}}


class Header(Struct, frozen=True, kw_only=True):
    """What the run was made of, so that it can be made again."""

    run: str
    ts_ns: int
    seq: int
    """The number of the first record of this run in its journal."""
    before: str
    """The journal's digest up to there."""
    mode: str
    run_tag: str
    sheets: dict[str, Capabilities]
    """By account, what its router said it can do."""
    gateways: tuple[str, ...]
    foresees: tuple[str, ...]
    """Accounts whose router knows the limits of its own gateway."""
    performs: tuple[str, ...]
    """Accounts whose router performs instructions."""
    engine: str
    """SHA-256 over the engine's files."""
    strategies: dict[str, str]
    """By name, SHA-256 of the file it is in."""
    config: str = ""
    config_hash: str = ""
    journal: str = ""
    instruments: str = ""
    """SHA-256 of what the instruments are."""
    version: int = 1


class Row(Struct, frozen=True, array_like=True):
    kind: int
    ts_ns: int
    seq: int
    name: str
    body: Raw


class Group(Struct, frozen=True, array_like=True):
    """Whole turns. ``first``: the number of its first input, from 1; ``seq``: of the record that comes after it."""

    first: int
    inputs: int
    seq: int
    rows: list[Row]


class End(Struct, frozen=True, array_like=True):
    """The run ended in order, or said why its recording had to end before it."""

    inputs: int
    seq: int
    digest: str
    """The journal's; empty if the run went on without being recorded."""
    reason: str


def as_said(command: Any) -> Any:
    """A command as it is written down."""
    if isinstance(command, CancelWanted):
        return CancelSaid(command.order.request.client_id)
    if isinstance(command, ReplaceWanted):
        return ReplaceSaid(command.order.request.client_id, command.quantity, str(command.price))
    return command


class Turn(Struct):
    """One input with its moment, what the world answered meanwhile, and what the core commanded."""

    number: int
    ts_ns: int
    seq: int
    """The number of the first record it may have made."""
    end_seq: int
    """Of the first record it can not have made."""
    kind: int
    name: str
    body: Raw
    answers: list[tuple[str, Raw]] = []
    commands: list[tuple[int, str, Raw]] = []
    notes: list[str] = []
    failed: bool = False


class Recording:
    """A file of a ``Recorder``, read.

    Raises:
        ConfigError: no such file, or none of ours. JournalError: not even its header can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tape = TapeReader(path)
        self.end: End | None = None
        """Known once all turns were read; None then: the run was killed, or it still runs."""
        self.inputs = 0
        first = next(self.tape.frames(), (b"", b""))
        if first[0] != HEADER:
            raise JournalError(f"recording {path}: ends before its header; the run was killed as it began")
        self.header = msgspec.msgpack.decode(first[1], type=Header)

    def turns(self) -> Iterator[Turn]:
        """Every turn, in order.

        Raises:
            JournalError: something in the middle is missing or was changed.
        """
        decoder = msgspec.msgpack.Decoder(Group)
        self.inputs = 0
        for kind, body in self.tape.frames():
            if kind == END:
                self.end = msgspec.msgpack.decode(body, type=End)
                if self.end.inputs != self.inputs:
                    raise self._gap(self.end.inputs)
            elif kind == GROUP:
                group = decoder.decode(body)
                if group.first != self.inputs + 1:
                    raise self._gap(group.first - 1)
                yield from self._whole_turns(group)
                if self.inputs != group.first + group.inputs - 1:
                    raise self._gap(group.first + group.inputs - 1)

    def _gap(self, told: int) -> JournalError:
        return JournalError(f"recording {self.path}: {told} inputs were recorded up to here, {self.inputs} are there")

    def _whole_turns(self, group: Group) -> Iterator[Turn]:
        turn: Turn | None = None
        for row in group.rows:
            if row.kind in (EVENT, DOOR):
                if turn is not None:
                    turn.end_seq = row.seq
                    yield turn
                self.inputs += 1
                turn = Turn(self.inputs, row.ts_ns, row.seq, group.seq, row.kind, row.name, row.body, [], [], [])
            elif turn is None:
                continue
            elif row.kind == ANSWER:
                turn.answers.append((row.name, row.body))
            elif row.kind == COMMAND:
                turn.commands.append((row.seq, row.name, row.body))
            elif row.kind == NOTE:
                turn.notes.append(msgspec.msgpack.decode(row.body, type=str))
            else:
                turn.failed = True
        if turn is not None:
            yield turn


def recordings_in(folder: Path) -> list[Path]:
    """Those of one run's data folder, oldest first."""
    return sorted((folder / FOLDER).glob(f"*{SUFFIX}"))
