"""Holding a replay against what it replays: decision by decision, up to the first that differs (RELIABILITY 2.4, I11).

Decisions are the records of the journal and the commands of the recording, in the order they were made.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError, SluiceError
from engine.domain.events import RunStarted
from engine.journal.chain import DECODER, Chain
from engine.runtime.code_hashes import engine_hash, instruments_hash, strategy_hash
from engine.runtime.interrupt import interrupting
from engine.runtime.live_spec import LiveSpec
from engine.runtime.recorded import COMMAND_TYPES, EVENT, Recording, Turn
from engine.runtime.rerun import Decision, Rerun

KNOWN_APPENDS = frozenset({"end", "recon"})
"""Tags of the records that the live run writes by no door: they are facts of the world."""
FAILURES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, SluiceError, TypeError,
    ValueError,
)  # fmt: skip
"""What a turn that went through then may raise now; named, as nothing here catches everything."""
OF_THE_CONFIG = ("config_hash", "strategies", "accounts", "code_hash")
"""Fields of ``RunStarted`` that say what was configured: a change is told, and the replay goes on."""


class Difference(Struct, frozen=True, kw_only=True):
    """Where two runs part. A side that is None decided nothing (more) in this turn."""

    turn: int
    ts_ns: int
    input_name: str
    input: dict[str, Any]
    recorded: Decision | None
    replayed: Decision | None
    text: str = ""


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a replay."""

    identical: bool
    inputs: int
    decisions: int
    digest: str
    """Of the journal up to where the recording ends, as it was."""
    replayed_digest: str
    difference: Difference | None
    changed: tuple[str, ...]
    """What is not as it was then: engine, strategies, config."""
    notes: tuple[str, ...]
    complete: bool
    """Whether the recording goes on to the end of its run."""
    unverified: int
    """Records the run journaled after its recording ends."""


def verify(
    recording: Recording,
    spec: LiveSpec,
    journal: Sequence[bytes],
    *,
    heard: Callable[[Recording], None] = lambda _recording: None,
) -> Outcome:
    """Replay a recording and compare.

    Args:
        spec: the run as its config makes it; mode and tag are taken from the recording.
        journal: the records of the run's journal as bytes, from the first on, those of earlier runs too.
        heard: called after each turn.

    Raises:
        ConfigError: the journal is another one, or the config has other accounts. JournalError: the recording is
            damaged.
    """
    verification = _Verification(recording, spec, journal)
    # A handler that hung then, and was stopped, hangs again.
    with interrupting(verification.rerun.core.runner):
        return verification.outcome(heard)


class _Verification:
    def __init__(self, recording: Recording, spec: LiveSpec, journal: Sequence[bytes]) -> None:
        header = recording.header
        before = journal[: header.seq - 1]
        self.then, self.now = Chain(), Chain()
        for body in before:
            self.then.extend(body)
            self.now.extend(body)
        if len(before) < header.seq - 1 or self.then.digest() != header.before:
            raise ConfigError(
                f"recording {recording.path}: its journal had {header.seq - 1} records when the run began, and this "
                "one does not begin with them; name the journal it was recorded beside"
            )
        self.recording = recording
        self.journal = journal
        self.changed = list(changes(recording, spec))
        self.notes: list[str] = []
        self.decisions = 0
        self.end_seq = header.seq
        self.difference: Difference | None = None
        self.rerun = Rerun(spec, header, [DECODER.decode(body) for body in before])

    def outcome(self, heard: Callable[[Recording], None]) -> Outcome:
        inputs, broken = 0, False
        for turn in self.recording.turns():
            inputs = turn.number
            self._note(turn)
            error = self._take(turn)
            self.end_seq = min(turn.end_seq, len(self.journal) + 1)
            if turn.failed:
                self.notes.append(f"turn {turn.number} ended with an error then; nothing after it was compared")
                broken = True
                break
            self._compare(turn, error)
            if self.difference is not None:
                break
            heard(self.recording)
        end = self.recording.end
        complete = end is not None and bool(end.digest) and not broken
        if end is not None and not end.digest:
            self.notes.append(f"the recording ends before its run: {end.reason}")
        if self.recording.tape.torn:
            self.notes.append(f"{self.recording.tape.torn} bytes of a torn end were cut: the run was killed")
        digest, replayed = self.then.digest(), self.now.digest()
        return Outcome(
            identical=self.difference is None and digest == replayed,
            inputs=inputs,
            decisions=self.decisions,
            digest=digest,
            replayed_digest=replayed,
            difference=self.difference,
            changed=tuple(self.changed),
            notes=tuple(dict.fromkeys(self.notes)),
            complete=complete,
            unverified=0 if self.difference is not None else self._left(),
        )

    def _note(self, turn: Turn) -> None:
        self.notes += turn.notes
        if turn.name == "append" and turn.kind != EVENT:
            record = msgspec.msgpack.decode(turn.body)[0][0]
            if record["type"] not in KNOWN_APPENDS:
                self.notes.append(f"a record of kind {record['type']!r} came by a way that is not recorded (turns.py)")

    def _take(self, turn: Turn) -> str:
        try:
            self.rerun.take_turn(turn)
        except FAILURES as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def _compare(self, turn: Turn, error: str) -> None:
        theirs = list(self._recorded(turn))
        ours = self.rerun.remade.made
        for number in range(max(len(theirs), len(ours))):
            then = theirs[number] if number < len(theirs) else None
            now = ours[number] if number < len(ours) else None
            if then is None or now is None or not self._agree(then, now):
                self.difference = _difference(turn, then, now, error)
                return
            self.decisions += 1
            if then.is_record:
                self.then.extend(then.body)
                self.now.extend(now.body)
        if error:
            self.difference = _difference(turn, None, None, error)

    def _agree(self, then: Decision, now: Decision) -> bool:
        return (then.name, then.body) == (now.name, now.body) or self._only_configured(then, now)

    def _only_configured(self, then: Decision, now: Decision) -> bool:
        """Whether two first records differ in nothing but what was configured; then that is said."""
        if not (isinstance(then.value, RunStarted) and isinstance(now.value, RunStarted)):
            return False
        fields = [
            name for name in then.value.__struct_fields__ if getattr(then.value, name) != getattr(now.value, name)
        ]
        if not set(fields) <= set(OF_THE_CONFIG):
            return False
        self.changed += [f"the config: {name} of the run's first record" for name in fields]
        return True

    def _recorded(self, turn: Turn) -> Iterator[Decision]:
        seq = turn.seq
        for at, name, body in turn.commands:
            yield from self._records(seq, at)
            seq = max(seq, at)
            value: Any = msgspec.msgpack.decode(body, type=COMMAND_TYPES[name])
            yield Decision(name, at, bytes(body), value, False)
        yield from self._records(seq, turn.end_seq)

    def _records(self, first: int, end: int) -> Iterator[Decision]:
        for seq in range(first, min(end, len(self.journal) + 1)):
            body = self.journal[seq - 1]
            record = DECODER.decode(body)
            yield Decision(type(record).__name__, seq, body, record, True)

    def _left(self) -> int:
        """Records of this run that were journaled after its recording ends."""
        left = 0
        for body in self.journal[self.end_seq - 1 :]:
            if isinstance(DECODER.decode(body), RunStarted):
                break
            left += 1
        return left


def changes(recording: Recording, spec: LiveSpec) -> Iterator[str]:
    """What is not as it was when the run was recorded, in words."""
    header = recording.header
    if header.engine != engine_hash():
        yield "the engine's code"
    for _, strategy in spec.strategies:
        then = header.strategies.get(strategy.name)
        if then is None:
            yield f"strategy {strategy.name}: it was not in the recorded run"
        elif then != strategy_hash(strategy):
            yield f"the code of strategy {strategy.name}"
    for name in header.strategies:
        if name not in {strategy.name for _, strategy in spec.strategies}:
            yield f"strategy {name}: it is not in the config any more"
    if header.instruments != instruments_hash(spec.instruments):
        yield "the instruments"


def _difference(turn: Turn, then: Decision | None, now: Decision | None, error: str) -> Difference:
    return Difference(
        turn=turn.number,
        ts_ns=turn.ts_ns,
        input_name=turn.name,
        input=input_of(turn),
        recorded=then,
        replayed=now,
        text=f"the replay failed: {error}" if error and now is None else "",
    )


def input_of(turn: Turn) -> dict[str, Any]:
    """A turn's input as plain values."""
    told = msgspec.msgpack.decode(turn.body)
    if turn.kind == EVENT:
        return dict(told)
    args, named = told
    return {**{str(number): value for number, value in enumerate(args, 1)}, **named}
