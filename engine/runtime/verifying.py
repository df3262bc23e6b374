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

KNOWN_APPENDS = frozenset({"end", "operator", "recon"})
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
        self.stopped = False
        """Nothing more is compared."""
        self.torn = False
        """The journal ends before the recording."""
        self.torn_journal = False
        """It must not: the run ended in order."""
        self.bound = header.seq
        self.rerun = Rerun(spec, header, [DECODER.decode(body) for body in before])

    def outcome(self, heard: Callable[[Recording], None]) -> Outcome:
        inputs = 0
        for turn in self.recording.turns():
            if inputs == 0:
                self.bound = self._bound(turn)
            if self.stopped:
                continue
            inputs = turn.number
            self._turn(turn)
            heard(self.recording)
        complete = self._ended()
        digest, replayed = self.then.digest(), self.now.digest()
        return Outcome(
            identical=self.difference is None and digest == replayed and not self.torn_journal,
            inputs=inputs,
            decisions=self.decisions,
            digest=digest,
            replayed_digest=replayed,
            difference=self.difference,
            changed=tuple(self.changed),
            notes=tuple(dict.fromkeys(self.notes)),
            complete=complete,
            unverified=0 if self.difference is not None else self.bound - self.end_seq,
        )

    def _turn(self, turn: Turn) -> None:
        self._note(turn)
        error = self._take(turn)
        self.end_seq = min(turn.end_seq, self.bound)
        if turn.failed:
            self.notes.append(f"turn {turn.number} ended with an error then; nothing after it was compared")
            self.stopped = True
        elif turn.end_seq > self.bound:
            lost = f"the journal of this run ends at record {self.bound - 1}: what came after was lost with the process"
            self.notes.append(lost)
            self.stopped = self.torn = True
            self._compare_records(turn)
        else:
            self._compare(turn, error)
            self.stopped = self.difference is not None

    def _bound(self, first: Turn) -> int:
        """The number of the first record that is no longer this run's."""
        starts = [
            (seq, record.ts_ns)
            for seq in range(first.seq, len(self.journal) + 1)
            if isinstance(record := DECODER.decode(self.journal[seq - 1]), RunStarted)
        ]
        if not starts or starts[0] != (first.seq, first.ts_ns):
            return first.seq
        return starts[1][0] if len(starts) > 1 else len(self.journal) + 1

    def _ended(self) -> bool:
        """What the recording's end says; whether it is the run's own end."""
        end = self.recording.end
        if self.recording.tape.torn:
            self.notes.append(f"{self.recording.tape.torn} bytes of a torn end were cut: the run was killed")
        if end is None or not end.digest:
            if end is not None:
                self.notes.append(f"the recording ends before its run: {end.reason}")
            return False
        if self.torn or (not self.stopped and end.digest != self.then.digest()):
            self.notes.append("the journal is not as it was when this run ended: records are missing or were added")
            self.torn_journal = True
        return not self.stopped

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
        self._hold(turn, theirs, ours, error)
        if error and self.difference is None:
            self.difference = _difference(turn, None, None, error)

    def _compare_records(self, turn: Turn) -> None:
        """Of a turn whose last records were lost: the commands between them have no place to be compared at."""
        theirs = list(self._records(turn.seq, self.bound))
        ours = [decision for decision in self.rerun.remade.made if decision.is_record and decision.seq < self.bound]
        self._hold(turn, theirs, ours, "")

    def _hold(self, turn: Turn, theirs: Sequence[Decision], ours: Sequence[Decision], error: str) -> None:
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
