"""A recorded run once more: the same core, the recorded inputs at their moments, and nobody behind it.

``Rerun`` is a ``LiveRun`` whose gateways are stand-ins that only say what the recorded ones said. It is never *run*: it
is handed turn after turn (``verifying.py``), and keeps what it decides in each.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, cast, get_args, get_type_hints

import msgspec
from msgspec import Raw, Struct

from engine.asking import CallRequest
from engine.clock import LiveClock
from engine.domain.account import Capabilities
from engine.domain.commands import CancelOrder, SubmitOrder
from engine.domain.errors import ConfigError
from engine.domain.events import JournalRecord, OrderSubmitted, SubscriptionRequested
from engine.domain.ids import AccountId, StrategyId
from engine.domain.instructions import Action
from engine.domain.verdict import Denial
from engine.execution import CancelWanted, ReplaceWanted
from engine.journal.chain import DECODER, ENCODER, Chain
from engine.ports import Gateway
from engine.runtime.evidence import EvidenceSeeker
from engine.runtime.live import LiveRun
from engine.runtime.live_spec import AccountSpec, LiveSpec
from engine.runtime.outbox import Outbox
from engine.runtime.recorded import EVENT, EVENTS, Header, Turn, as_said
from engine.runtime.turns import DOORS, Turns, publish_within


class Decision(Struct, frozen=True):
    """One record of the journal, or one command. ``body``: its bytes, by which two are compared."""

    name: str
    seq: int
    body: bytes
    value: Any
    is_record: bool


class _Router:
    """Says what the recorded one could do; nothing ever leaves by it."""

    def __init__(self, account: str, sheet: Capabilities) -> None:
        self.account = AccountId(account)
        self._sheet = sheet

    def capabilities(self) -> Capabilities:
        return self._sheet


class _Performer(_Router):
    """One whose broker performs instructions."""

    def instructions(self) -> frozenset[type]:
        return frozenset()

    def encode_instruction(self, _instruction: Any) -> bytes:
        return b""

    async def perform(self, _instruction: Any, _body: bytes) -> None:
        """Nothing leaves."""

    async def look_for(self, _instruction: Any, _since_ns: int) -> None:
        """Nobody looks."""


class _Gateway:
    def __init__(self, name: str, router: _Router | None) -> None:
        self.name = name
        self.feed = None
        self.router = router


class ReplayedOutbox(Outbox):
    """The way out of a replay: it takes nothing anywhere, and withdraws what the recorded one withdrew at once."""

    answers: "Answers"

    def on_submitted(self, event: OrderSubmitted) -> None:
        if self.answers.next_is("withdrawn", event.client_id):
            now_ns = self._clock.now_ns
            self._manager.on_cancel(CancelOrder(client_id=event.client_id, ts_ns=now_ns, who="engine"))

    def on_cancel_wanted(self, event: CancelWanted) -> None:
        """What was asked of the venue is no longer ours."""

    def on_replace_wanted(self, event: ReplaceWanted) -> None:
        """What was asked of the venue is no longer ours."""

    def poke(self) -> None:
        """Nobody waits."""


class Answers:
    """What the world answers in this turn, in order."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[str, Raw]] = deque()

    def take(self, name: str, kind: Any) -> Any:
        """The next answer, if it is to this question; None if another was asked, or none."""
        if self.waiting and self.waiting[0][0] == name:
            return msgspec.msgpack.decode(self.waiting.popleft()[1], type=kind)
        return None

    def next_is(self, name: str, value: str) -> bool:
        if self.waiting and self.waiting[0][0] == name and msgspec.msgpack.decode(self.waiting[0][1]) == value:
            self.waiting.popleft()
            return True
        return False


class Played(Turns):
    """Turns that are handed over with their moments, instead of being taken as they come."""

    def guard(self, run: LiveRun) -> None:
        runner: Any = run.core.runner
        runner._outside = self.calling(runner._outside)

    def play(self, ts_ns: int, call: Callable[[], object]) -> None:
        self.clock.hold(ts_ns)
        self.open = True
        try:
            call()
        finally:
            self.open = False


class Remade:
    """The journal of a replay: what was before it, and what it decides now. A ``Witness`` of the commands as well."""

    healthy = True

    def __init__(self, before: Sequence[JournalRecord]) -> None:
        self.made: list[Decision] = []
        self.next_seq = len(before) + 1
        self.chain = Chain()
        self._before = before
        for record in before:
            self.chain.extend(ENCODER.encode(record))

    @property
    def durable_seq(self) -> int:
        return self.next_seq - 1

    def append(self, record: JournalRecord) -> int:
        body = ENCODER.encode(record)
        self.chain.extend(body)
        self.made.append(Decision(type(record).__name__, self.next_seq, body, record, True))
        self.next_seq += 1
        return self.next_seq - 1

    async def durable(self, seq: int) -> None:
        """Nothing waits in a replay."""

    def records(self) -> Iterator[tuple[int, JournalRecord]]:
        return iter(enumerate(self._before, 1))

    def digest(self) -> str:
        return self.chain.digest()

    async def run(self) -> None:
        """There is nothing to write."""

    def close(self) -> None:
        """There is nothing to close."""

    def decided(self, seq: int, command: Any) -> None:
        said = as_said(command)
        self.made.append(Decision(type(said).__name__, seq, ENCODER.encode(said), said, False))

    def answered(self, name: str, answer: Any) -> None:
        """The world's answers are the recording's."""

    def failed(self, text: str) -> None:
        """``verify`` sees it raised."""


class Rerun(LiveRun):
    """See the module."""

    def __init__(self, spec: LiveSpec, header: Header, before: Sequence[JournalRecord]) -> None:
        """
        Raises:
            ConfigError: the config has accounts or gateways the recorded run did not have.
        """
        self.answers = Answers()
        self.remade = Remade(before)
        self._header = header
        clock = LiveClock(start_ns=header.ts_ns)
        self.played = Played(clock)
        super().__init__(
            msgspec.structs.replace(spec, mode=header.mode, run_tag=header.run_tag),
            clock=clock,
            journal=self.remade,
            gateways=_stand_ins(spec.accounts, header),
            turns=self.played,
        )
        self.played.seq = self.remade.next_seq
        self.played.witness = cast(Any, self.remade)
        self._learn()
        view = self.core.view
        for account in header.foresees:
            view.foresees[AccountId(account)] = self._foresees
        for account in header.performs:
            view.performs[AccountId(account)] = self._performs

    def _open(self, account: AccountSpec) -> None:
        core, router = self.core, cast(Any, self.gateways[account.gateway].router)
        box = ReplayedOutbox(router, core.manager, core.view, self.journal, self.clock, core.bus.publish, self.pace)
        box.answers = self.answers
        self.boxes[account.id] = box
        self.seekers[account.id] = EvidenceSeeker(router, core.manager, self.clock, core.bus.publish, box.poke)
        self.core.portfolio.open_account(account.id, account.currency, Decimal(0))

    def _outside(self, strategy: StrategyId, number: int, request: CallRequest) -> None:
        """Its answer is in the recording."""

    def _on_subscription(self, event: SubscriptionRequested) -> None:
        answer = self.answers.take("subscription", tuple[str, int])
        refusal, pace_ns = answer or ("the recorded run asked for no such data here", 0)
        if refusal:
            raise ConfigError(refusal)
        self.core.view.feed_interval_ns[event.instrument] = pace_ns
        self.core.runner.listen(event.strategy, event.kind, event.instrument, event.interval_ns)

    def _foresees(self, _order: SubmitOrder) -> Denial | None:
        return cast(Denial | None, self.answers.take("foresees", Denial | None))

    def _performs(self) -> frozenset[type]:
        tags = self.answers.take("performs", list[str]) or []
        return frozenset(kind for kind in get_args(Action) if kind.__struct_config__.tag in tags)

    def take_turn(self, turn: Turn) -> None:
        """Do one turn again.

        Raises:
            whatever the core raises.
        """
        self.answers.waiting = deque(turn.answers)
        self.remade.made.clear()
        if turn.kind == EVENT:
            event: Any = msgspec.msgpack.decode(turn.body, type=EVENTS[turn.name])
            self.played.play(turn.ts_ns, lambda: publish_within(self.core.bus, event))
            return
        call, args, named = self._door(turn)
        self.played.play(turn.ts_ns, lambda: call(*args, **named))
        if turn.name == "start":
            self.ready.set()

    def _door(self, turn: Turn) -> tuple[Callable[..., object], list[Any], dict[str, Any]]:
        args, named = msgspec.msgpack.decode(turn.body, type=tuple[list[Raw], dict[str, Raw]])
        if turn.name == "append":
            return self.journal.append, [DECODER.decode(args[0])], {}
        door = DOORS.get(turn.name)
        if door is None:
            raise ConfigError(f"this engine has no way in called {turn.name!r}: use the engine the recording is of")
        call = getattr(door.owner(self), door.method)
        hints = {name: kind for name, kind in get_type_hints(call).items() if name != "return"}
        kinds = list(hints.values())
        return (
            call,
            [msgspec.msgpack.decode(body, type=kind) for body, kind in zip(args, kinds, strict=False)],
            {name: msgspec.msgpack.decode(body, type=hints[name]) for name, body in named.items()},
        )


def _stand_ins(accounts: Sequence[AccountSpec], header: Header) -> dict[str, Gateway]:
    found: dict[str, _Gateway] = {name: _Gateway(name, None) for name in header.gateways}
    for account in accounts:
        sheet = header.sheets.get(account.id)
        if sheet is None:
            there = ", ".join(header.sheets)
            raise ConfigError(f"the recorded run had no account {account.id!r} (it had: {there}); name its own config")
        kind = _Performer if account.id in header.performs else _Router
        found[account.gateway] = _Gateway(account.gateway, kind(account.id, sheet))
    return cast(dict[str, Gateway], found)
