"""One instruction from the words of a command line to its outcome, over a live run without strategies."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, get_args

import anyio
import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from engine.control.live_session import Session
from engine.control.options import split_pairs
from engine.domain.errors import ConfigError
from engine.domain.events import InstructionChanged
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instructions import (
    CONDITIONS,
    DECIDED,
    Action,
    ConditionBuy,
    InstructionReport,
    InstructionState,
    SubmitInstruction,
    SubscribeIpo,
)
from engine.domain.market import DataKind
from engine.domain.timestamps import SECOND_NS
from engine.runtime.live import LiveRun
from engine.runtime.settings import Settings, refuse_unless_tradable
from engine.runtime.settings_reading import near

OPERATOR = StrategyId("operator")
"""Who instructs by hand; no strategy's book gets what comes of it."""
PRICE_SECONDS = 10.0
"""Real seconds to wait for a price, without which the limits deny a condition."""

ACTIONS: dict[str, type[Action]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Action)}
"""The word on the command line -> the action."""


class Errand(Struct, frozen=True, kw_only=True):
    """What is to be done, as typed and understood."""

    account: AccountId
    action: Action
    instrument: InstrumentId


def read_errand(settings: Settings, account: str, word: str, texts: Iterable[str]) -> Errand:
    """``condition_buy``, ``["instrument=600000.SH", "target_price=10.5", "quantity=100"]`` as an errand.

    Raises:
        ConfigError: one sentence that names the word and the mend.
    """
    kind = ACTIONS.get(word)
    if kind is None:
        raise ConfigError(f"there is no instruction {word!r}{near(word, ACTIONS)}")
    pairs = dict(split_pairs(word, texts))
    instrument = pairs.pop("instrument", "")
    names = [field.name for field in fields(kind)]
    for name in pairs:
        if name not in names:
            takes = names if kind is SubscribeIpo else ["instrument", *names]
            raise ConfigError(f"{word} {name}: it takes no such word{near(name, takes)}")
    try:
        action = msgspec.convert(pairs, kind, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise ConfigError(f"{word} {where.strip('`') or ''}: {what}; it takes {', '.join(names)}") from error
    return Errand(
        account=_account(settings, account), action=action, instrument=_instrument(settings, word, action, instrument)
    )


def _account(settings: Settings, name: str) -> AccountId:
    known = settings.accounts
    if not name and len(known) == 1:
        return next(iter(known))
    if AccountId(name) not in known:
        raise ConfigError(f"--account {name or 'is missing'}: name one of the config's{near(name, known)}")
    return AccountId(name)


def _instrument(settings: Settings, word: str, action: Action, name: str) -> InstrumentId:
    if isinstance(action, SubscribeIpo):
        if name:
            raise ConfigError(f"{word} names no instrument: it subscribes for all of the day; leave instrument= out")
        return InstrumentId("")
    if not name:
        raise ConfigError(f"{word}: instrument= is missing; write it as in {word} instrument=600000.SH")
    return refuse_unless_tradable(settings.instruments, name, f"config {settings.path}, {word}")


class Instructing:
    """Conducts one errand beside a live run; ``report`` is the last thing heard of it."""

    def __init__(self, errand: Errand, seconds: float) -> None:
        """``seconds``: real ones, from when trading is enabled until the answer is taken as it stands."""
        self.errand = errand
        self.report: InstructionReport | None = None
        self.client_id = ClientOrderId("")
        self._seconds = seconds
        self._changed = anyio.Event()

    @property
    def state(self) -> InstructionState | None:
        """Where it stands; None if it never came to the gate."""
        if self.report is not None:
            return self.report.state
        return InstructionState.PENDING if self.client_id else None

    def watchers(self) -> tuple[tuple[type, Callable[[Any], None]], ...]:
        return ((InstructionChanged, self._on_changed),)

    def _on_changed(self, event: InstructionChanged) -> None:
        if event.instruction.client_id == self.client_id:
            self.report = event.report
            self._changed.set()

    async def conduct(self, session: Session) -> None:
        """Beside the run: wait until it trades, instruct, wait for the outcome, stop the run."""
        run = session.run
        if not await session.trades():
            return
        with anyio.move_on_after(self._seconds):
            if isinstance(self.errand.action, CONDITIONS):
                await self._new_price(run)
            self._submit(run)
            while not self._over():
                self._changed = anyio.Event()
                await self._changed.wait()
        run.stop("the instruction is over" if self._over() else "time is up")

    def _over(self) -> bool:
        return self.state is InstructionState.STANDING or self.state in DECIDED

    def _submit(self, run: LiveRun) -> None:
        made = run.core.instructions.made.get(OPERATOR, 0) + 1
        self.client_id = ClientOrderId(f"{OPERATOR}-{run.spec.run_tag}-i{made}")
        action, spec = self.errand.action, run.spec.instruments.get(self.errand.instrument)
        if isinstance(action, ConditionBuy) and spec is not None and action.target_price.is_finite():
            action = replace(action, target_price=spec.round_price(action.target_price))
        run.core.bus.publish(
            SubmitInstruction(
                client_id=self.client_id,
                account=self.errand.account,
                strategy=OPERATOR,
                action=action,
                ts_ns=run.clock.now_ns,
                instrument=self.errand.instrument,
            )
        )

    async def _new_price(self, run: LiveRun) -> None:
        """Ask the run's feeds for the instrument, and wait for a new price if one of them has it."""
        instrument, marks = self.errand.instrument, run.core.portfolio.marks.latest
        # The journal's fills have left an old one.
        before = marks.get(instrument)
        if not any(_watch(run, instrument, kind) for kind in (DataKind.QUOTE, DataKind.BAR)):
            return
        with anyio.move_on_after(PRICE_SECONDS):
            while marks.get(instrument) is before:
                await run.clock.sleep(round(run.clock.speed * SECOND_NS / 20))


def _watch(run: LiveRun, instrument: InstrumentId, kind: DataKind) -> bool:
    """Whether a feed of the run brings this of the instrument; it is asked to."""
    for gateway in run.gateways.values():
        if gateway.feed is None:
            continue
        try:
            gateway.feed.subscribe(instrument, kind, 0)
        except ConfigError:
            continue
        run.core.view.feed_interval_ns[instrument] = gateway.feed.pace_ns
        return True
    return False


def plainly(action: Action) -> dict[str, Any]:
    """The action's words as they were understood, for people and JSON."""
    told = msgspec.structs.asdict(action)
    return {name: str(value) if isinstance(value, Decimal) else value for name, value in told.items()}
