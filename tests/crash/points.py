"""The crash points of RELIABILITY 3.3: how a real process is made to die at each, and what must be true afterwards."""

import contextlib
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.domain.events import LatchSet, OrderSent, PositionAdjusted, RunEnded
from engine.domain.order import Evidence, OrderState
from engine.domain.timestamps import MINUTE_NS, format_time, parse_time
from tests.crash.processes import Ending, Nursery, until
from tests.crash.story import Left, books_of, records_of
from tests.crash.venues import VENUES, Venue

LIVE = "tests.crash.child:live"
NO_CANCEL = "the venue has no cancel"


class Stage(Struct, frozen=True):
    """One life that ends at a point. ``how``: "stop" holds the process there until the venue has gone on."""

    point: str
    passage: int = 1
    how: str = "kill"
    more: dict[str, Any] = {}


class Row(Struct, kw_only=True):
    """One cell of the table, as it came out."""

    point: str
    broker: str
    outcome: str
    lives: int = 0
    records: int = 0
    orders: int = 0
    venue_orders: int = 0
    seconds: float = 0.0
    accusations: list[str] = []

    @property
    def ok(self) -> bool:
        return not self.accusations


class Trial:
    """A broker, the engines that live and die over it, and what their journal showed at each death."""

    def __init__(self, nursery: Nursery, broker: str, folder: Path, **venue: Any) -> None:
        self.nursery = nursery
        self.folder = folder
        self.params = {"dies_at_fill": 0}
        self.lives = 0
        self.found: list[str] = []
        self.deaths: list[Left] = []
        self.venue: Venue = VENUES[broker](folder, **venue)
        self.journal = folder / "journal.sqlite3"

    def start(self, **args: Any) -> Any:
        self.lives += 1
        config = self.venue.write_config(**self.params)
        told = {"config": str(config), "environ": dict(self.venue.environ), **args}
        return self.nursery.start(LIVE, told, self.folder / f"life-{self.lives}.txt")

    def dies_at(self, stage: Stage) -> Left:
        """One life, until the trap strikes; a trap that never does fails the trial."""
        engine = self.start(trap=[stage.point, stage.passage, stage.how], **stage.more)
        before = self.venue.witness.requests
        ending = engine.wait(60)
        if stage.how == "stop":
            assert ending.stopped is not None, f"{stage.point} was never passed: {ending}"
            with contextlib.suppress(AssertionError):
                until(lambda: self.venue.witness.requests > before, "the request arrived", 1.0)
            time.sleep(0.05)
            ending = engine.kill()
        assert ending.killed == signal.SIGKILL, f"{stage.point} was never passed: {ending}"
        left = Left(records_of(self.journal))
        self.deaths.append(left)
        return left

    def goes_on(self, seconds: float = 0.5, *, patience: float = 60.0, **args: Any) -> Left:
        """The last life: it trades a little, settles everything and stops in order; ``patience``: real seconds."""
        ending = self.start(seconds=seconds, **args).wait(patience)
        return self.ended(ending)

    def ended(self, ending: Ending) -> Left:
        if ending.code != 0:
            self.found.append(f"the last life did not end in order: {ending}")
        left = Left(records_of(self.journal))
        if not any(isinstance(record, RunEnded) for record in left.records[-1:]):
            last = type(left.records[-1]).__name__ if left.records else "nothing"
            self.found.append(f"the journal closes with {last}, and not with the end of the run")
        return left

    def orders_at(self) -> int:
        return len(Left(records_of(self.journal)).intents)

    def judge(self) -> Any:
        """The venue's books against ours; gives ours."""
        venue = self.venue
        records = records_of(self.journal)
        core = books_of(self.folder / "live.toml", venue.environ, records, venue.clock.now_ns)
        self.found += venue.verdict(core)
        sends = Counter(r.client_id for r in records if isinstance(r, OrderSent))
        self.found += [f"I5: {name} has {times} send markers" for name, times in sends.items() if times > 1]
        for record in records:
            external = isinstance(record, PositionAdjusted) and record.quantity and not record.client_id
            if external and record.quantity % 1000 and not record.reason.startswith("opening"):
                self.found.append(f"lost: {record.quantity} {record.instrument} had to be booked: {record.reason}")
        return core

    def expect(self, true: Any, sentence: str) -> None:
        if not true:
            self.found.append(sentence)


Check = Callable[[Trial], str]
"""Runs the lives of one cell; gives in words what came out."""


def _state(core: Any, name: Any) -> str:
    known = core.manager.orders.get(name)
    return "unknown to us" if known is None else str(known.state)


def before_intent(trial: Trial) -> str:
    # At the first: an order decided before may rightly wait, with its intent, for its turn at the venue.
    left = trial.dies_at(Stage("C1"))
    trial.expect(not left.intents, f"C1: the intent of {left.intents} is durable")
    trial.goes_on()
    trial.judge()
    return "nothing had happened"


def intent_only(trial: Trial) -> str:
    left = trial.dies_at(Stage("C2", 2))
    victims = left.open_intents
    trial.expect(victims, "C2: no intent without a send marker is durable")
    end = trial.goes_on()
    core = trial.judge()
    for name in victims:
        trial.expect(end.reports(name)[:1] == [Evidence.SEND_FAILED], f"C2: {name} was looked for: {end.reports(name)}")
        trial.expect(_state(core, name) == OrderState.NOT_PLACED, f"C2: {name} is {_state(core, name)}")
        trial.expect(not trial.venue.call(lambda name=name: trial.venue.of(name)), f"C2: {name} is at the venue")
    return "NOT_PLACED, never sent, no query"


def sent(stage: Stage) -> Check:
    """C3 to C6: the marker is durable, nothing is known of the answer."""

    def check(trial: Trial) -> str:
        victims = trial.dies_at(stage).open_sends
        # A push, or the venue's list, may have told of it before its own answer could.
        least = 0 if stage.point in {"C5", "C6"} and trial.venue.gateway in {"huatai", "futu"} else 1
        trial.expect(len(victims) >= least, f"{stage.point}: no order has a marker and no answer")
        end = trial.goes_on()
        core = trial.judge()
        words = []
        for name in victims:
            theirs, state = trial.venue.call(lambda name=name: trial.venue.of(name)), _state(core, name)
            trial.expect(end.reports(name)[:1] == [Evidence.AMBIGUOUS], f"{stage.point}: {name} was not UNKNOWN first")
            trial.expect(
                (state == OrderState.NOT_PLACED) is not bool(theirs), f"{stage.point}: {name} {state}, {theirs}"
            )
            words.append(f"UNKNOWN, then {state}" + (", found at the venue" if theirs else ", proven absent"))
        return "; ".join(words) or "told by a push before its answer"

    return check


def simple(*stages: Stage, seconds: float = 0.5, **ends: Any) -> Check:
    """Die at each, then go on; the venue's books judge."""

    def check(trial: Trial) -> str:
        for stage in stages:
            trial.dies_at(stage)
        trial.goes_on(seconds, **ends)
        core = trial.judge()
        states = Counter(str(order.state) for order in core.manager.orders.values())
        return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))

    return check


def told_absent(trial: Trial) -> str:
    """C15: it takes a first death to have an order that is absent."""
    victims = trial.dies_at(Stage("C3", 2)).open_sends
    left = trial.dies_at(Stage("C15"))
    trial.goes_on()
    core = trial.judge()
    # Where several were on their way, the first that is absent ends the life.
    durable = [name for name in victims if Evidence.ABSENT in left.reports(name)]
    trial.expect(durable, f"C15: no absence of {victims} is durable")
    for name in victims:
        trial.expect(_state(core, name) == OrderState.NOT_PLACED, f"C15: {name} is {_state(core, name)}")
    return "NOT_PLACED kept"


def in_handler(trial: Trial) -> str:
    trial.params["dies_at_fill"] = 2
    ending = trial.start().wait(60)
    assert ending.killed == signal.SIGKILL, f"no second fill was told: {ending}"
    trial.params["dies_at_fill"] = 0
    trial.goes_on()
    trial.judge()
    return "position holds the fill once"


def latched(stage: Stage) -> Check:
    """C19, C20: an operator's L3, cut off."""

    def check(trial: Trial) -> str:
        left = trial.dies_at(stage)
        durable = any(isinstance(record, LatchSet) for record in left.records)
        before = trial.venue.witness.requests
        trial.goes_on(0.5, ends="quiet" if durable else "latched")
        core = trial.judge()
        if durable:
            trial.expect("all" in core.view.latches, f"{stage.point}: the latch is gone")
            trial.expect(trial.venue.witness.requests == before, f"{stage.point}: an order left after the latch")
            return "still latched, nothing new left, everything withdrawn"
        return "not durable, nobody was told it was"

    return check


def terminated(trial: Trial) -> str:
    """C22: SIGTERM while it trades; once it is killed in the middle of its drain, once it may finish."""
    engine = trial.start(trap=["C22", 1])
    until(lambda: trial.orders_at() >= 3, "three orders")
    engine.send(signal.SIGTERM)
    ending = engine.wait(30)
    assert ending.killed == signal.SIGKILL, f"C22 was never passed: {ending}"
    engine, before = trial.start(), trial.orders_at()
    until(lambda: trial.orders_at() >= before + 2, "two more orders")
    began = time.monotonic()
    engine.send(signal.SIGTERM)
    trial.ended(engine.wait(30))
    took = time.monotonic() - began
    trial.expect(took < 10, f"C22: SIGTERM took {took:.1f} s")
    trial.goes_on(0.2)
    trial.judge()
    return f"RUN_END {took:.1f} s after SIGTERM"


def disk_full(trial: Trial) -> str:
    """C23: the disk is full from some commit on."""
    ending = trial.start(fails_at=12).wait(60)
    trial.expect(ending.killed is None, f"C23: {ending}")
    trial.expect(ending.code == 3, f"C23: the exit code is {ending.code}, not 3")
    halt = trial.journal.with_name(trial.journal.name + ".halt")
    trial.expect(halt.exists(), "C23: no sentinel")
    with contextlib.suppress(FileNotFoundError):
        halt.unlink()
    trial.goes_on()
    trial.judge()
    return f"exit code {ending.code}, sentinel, went on after the repair"


def session_over(trial: Trial) -> str:
    """C26: dead while its orders ran out with the day."""
    trial.dies_at(Stage("C7", 3))
    trial.venue.jump_to(DAYS.get(trial.venue.gateway, SHANGHAI).closed)
    trial.goes_on(0.2)
    trial.judge()
    return "orders ended as the broker says"


def day_rolls(trial: Trial) -> str:
    """C18: killed in the evening, as the date changes, and the next morning's first life sells what T+1 let go."""
    days = DAYS.get(trial.venue.gateway, SHANGHAI)
    trial.dies_at(Stage("C7", 3))
    trial.venue.jump_to(days.midnight)
    trial.dies_at(Stage("C18"))
    trial.venue.jump_to(days.morning)
    trial.goes_on(1.0)
    trial.judge()
    return "the new day counted once"


def over_night(passage: int) -> Check:
    """C26: killed with an order on its way; the next life begins when no list of its day is shown any more."""

    def check(trial: Trial) -> str:
        victims = trial.dies_at(Stage("C5", passage, "stop")).open_sends
        trial.venue.jump_to(DAYS.get(trial.venue.gateway, SHANGHAI).tomorrow)
        trial.goes_on(1.0)
        core, words = trial.judge(), []
        for name in victims:
            theirs, state = trial.venue.call(lambda name=name: trial.venue.of(name)), _state(core, name)
            filled = sum(quantity for _, quantity in theirs)
            proven = state == OrderState.DISPUTED and trial.venue.gateway == "huatai" and not filled
            trial.expect(
                proven or (state == OrderState.NOT_PLACED) is not bool(theirs), f"night: {name} {state}, {theirs}"
            )
            words.append(f"UNKNOWN, then {state}, {filled} filled")
        return "; ".join(words) or "told by a push before its answer"

    return check


def broker_restarts(trial: Trial) -> str:
    """C27: the server starts anew under a living engine, twice."""
    engine = trial.start(seconds=3.0)
    for _ in range(2):
        before = trial.orders_at()
        until(lambda before=before: trial.orders_at() > before, "an order")
        trial.venue.restart()
    trial.ended(engine.wait(60))
    trial.judge()
    return "open operations found again by evidence"


def suspended(trial: Trial) -> str:
    """C28: stopped for ten minutes of its clock; thirty seconds without a beat would take that long at speed 1, so what
    counts as away is shorter here."""
    pause = max(2.5, 600 / trial.venue.speed)
    trial.venue.gap = "2s"
    engine = trial.start(seconds=pause + 6.0)
    until(lambda: trial.orders_at() >= 3, "three orders")
    engine.send(signal.SIGSTOP)
    assert engine.wait(10).stopped
    time.sleep(pause)
    woken = time.monotonic()
    engine.send(signal.SIGCONT)
    trial.ended(engine.wait(60))
    after = [path for moment, path in trial.venue.heard if moment >= woken]
    orders = [place for place, path in enumerate(after) if trial.venue.is_order(path)]
    reads = after[: orders[0]] if orders else after
    trial.expect(orders, "C28: nothing was traded after the suspension")
    trial.expect(reads, "C28: an order left before the account was read")
    trial.judge()
    return f"{len(reads)} readings before the first order"


def clock_set(by: int) -> Check:
    """C1f: killed with an order on its way, started again on a machine whose clock was set by so many minutes."""

    def check(trial: Trial) -> str:
        trial.dies_at(Stage("C5", 2, "stop"))
        right = trial.venue.start
        trial.venue.start = format_time(parse_time(right) + by * MINUTE_NS)
        ending = trial.start(seconds=0.5, ends="now").wait(60)
        trial.expect(ending.code in {0, 1, 2}, f"C1f: {ending}")
        trial.venue.start = right
        # What the life before did lies ahead by this clock: no reading proves anything until that hour has come.
        trial.goes_on(patience=60 + max(by, 0) * 60 / trial.venue.speed)
        trial.judge()
        return f"exit code {ending.code} with the wrong clock, then settled"

    return check


POINTS: dict[str, Check] = {
    "C1": before_intent,
    "C2": intent_only,
    "C3": sent(Stage("C3", 2)),
    "C4": sent(Stage("C4", 2)),
    "C5": sent(Stage("C5", 2, "stop")),
    "C6": sent(Stage("C6", 2)),
    "C7": simple(Stage("C7", 2)),
    "C8": simple(Stage("C8", 2)),
    "C9": simple(Stage("C9", 2)),
    "C10": in_handler,
    "C11": simple(Stage("C11")),
    "C12": simple(Stage("C12")),
    "C13": simple(Stage("C13")),
    "C14": simple(Stage("C14"), Stage("C14w")),
    "C15": told_absent,
    "C18": day_rolls,
    "C19": latched(Stage("C19", more={"latch": 3})),
    "C20": latched(Stage("C20", more={"latch": 3})),
    "C21": simple(Stage("C21")),
    "C22": terminated,
    "C23": disk_full,
    "C25": simple(Stage("C5", 2, "stop"), Stage("C25"), Stage("C25")),
    "C26": session_over,
    "C27": broker_restarts,
    "C28": suspended,
}
"""Point -> its trial over a broker. C16, C17 and C24 are of the journal's file alone: ``test_journal_points``."""

BESIDES: dict[str, Check] = {
    "back 60": clock_set(-60),
    "forward 60": clock_set(60),
    "night 2": over_night(2),
    "night 3": over_night(3),
}
"""What is no crash point: a clock set wrong between two lives, in minutes; a day that turns between two, the order of
that passage on its way."""
NOT_THERE: dict[tuple[str, str], str] = {
    **{(point, "virtual_market"): NO_CANCEL for point in ("C11", "C12")},
    **{("C13", broker): "the venue can not replace" for broker in ("virtual_market", "easyths", "huatai")},
    ("C21", "easyths"): "no session",
    ("C8", "easyths"): "no fills are told: quantities come with the order list",
    ("C9", "easyths"): "no fills are told: quantities come with the order list",
}
"""Cells that do not exist, and why (RELIABILITY 3.3, n/a; 3.4)."""


class Day(Struct, frozen=True):
    """When a venue's session ends, just before its date changes, and in its next session; ``tomorrow`` is that of the
    day after the crash points' usual one."""

    afternoon: str
    closed: str
    midnight: str
    morning: str
    tomorrow: str = "2026-03-04T09:45:00+08:00"


SHANGHAI = Day(
    "2026-03-03T14:45:00+08:00",
    "2026-03-03T15:10:00+08:00",
    "2026-03-03T23:55:00+08:00",
    "2026-03-04T09:45:00+08:00",
)
DAYS = {
    "virtual_market": Day(
        "2026-03-02T23:00:00+08:00",
        "2026-03-03T07:00:00+08:00",
        "2026-03-03T22:00:00+08:00",
        "2026-03-04T08:30:00+08:00",
        "2026-03-03T08:30:00+08:00",
    ),
    "futu": Day(
        "2026-03-03T15:30:00+08:00",
        "2026-03-03T16:20:00+08:00",
        "2026-03-03T23:55:00+08:00",
        "2026-03-04T09:45:00+08:00",
    ),
}
IN_THE_AFTERNOON = {"C18", "C26"}


def tried(nursery: Nursery, point: str, broker: str, folder: Path) -> Row:
    """One cell of the table, whatever comes out."""
    why = NOT_THERE.get((point, broker))
    if why is not None:
        return Row(point=point, broker=broker, outcome=f"n/a: {why}")
    began = time.monotonic()
    start = DAYS.get(broker, SHANGHAI).afternoon if point in IN_THE_AFTERNOON else ""
    # A machine at work on other things must not sleep through the evening.
    speed = 500.0 if start and broker == "virtual_market" else 0.0
    trial = Trial(nursery, broker, folder, start=start, speed=speed)
    outcome = "not carried out"
    with trial.venue.served():
        try:
            outcome = (POINTS | BESIDES)[point](trial)
        except AssertionError as error:
            trial.found.append(str(error))
    return Row(
        point=point,
        broker=broker,
        outcome=outcome,
        lives=trial.lives,
        records=len(records_of(trial.journal)),
        orders=trial.venue.checked["orders"],
        venue_orders=trial.venue.checked["venue orders"] + trial.venue.checked["trades"],
        seconds=round(time.monotonic() - began, 1),
        accusations=trial.found,
    )


def as_markdown(rows: Sequence[Row], brokers: Sequence[str]) -> str:
    """The table as a page shows it."""
    cells = {(row.point, row.broker): row for row in rows}
    lines = ["| # | " + " | ".join(brokers) + " |", "|---" * (len(brokers) + 1) + "|"]
    for point in dict.fromkeys(row.point for row in rows):
        shown = []
        for broker in brokers:
            row = cells.get((point, broker))
            failed = "" if row is None or row.ok else "FAILED: " + "; ".join(row.accusations)[:200]
            shown.append("" if row is None else failed or row.outcome)
        lines.append(f"| {point} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def as_json(rows: Sequence[Row]) -> str:
    import msgspec

    return json.dumps(msgspec.to_builtins(list(rows)), indent=1, ensure_ascii=False) + "\n"
