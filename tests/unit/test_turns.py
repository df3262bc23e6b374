"""Turns: one input at one moment, and the doors by which inputs come."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from engine.clock import LiveClock
from engine.control.live_session import Session
from engine.domain.events import Alert
from engine.runtime.live_settings import recorder
from engine.runtime.recorded import EVENTS
from engine.runtime.settings import load_settings
from engine.runtime.turns import DOORS, TurnBus, Turns

ROOT = Path(__file__).parents[2]


class Moments:
    """A monotonic clock that moves on by a second with every look."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        return self.looks * 1_000_000_000


def a_clock() -> LiveClock:
    return LiveClock(start_ns=10**18, monotonic_ns=Moments(), wall_ns=lambda: 10**18)


class Notes:
    """A witness that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def published(self, ts_ns: int, seq: int, event: Any) -> None:
        self.told.append(("published", ts_ns, event))

    def entered(self, ts_ns: int, seq: int, door: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self.told.append(("entered", ts_ns, door, args))

    def answered(self, name: str, answer: Any) -> None:
        self.told.append(("answered", name, answer))

    def decided(self, seq: int, command: Any) -> None:
        self.told.append(("decided", command))

    def failed(self, text: str) -> None:
        self.told.append(("failed",))


def an_alert(text: str) -> Alert:
    return Alert(ts_ns=1, about="test", text=text)


def test_time_stands_still_within_a_turn_and_goes_on_after_it() -> None:
    """Two looks at the clock in one turn see one moment; the next turn sees a later one."""
    clock = a_clock()
    turns = Turns(clock)
    seen: list[int] = []
    turns.bus.subscribe(Alert, lambda _event: seen.extend([clock.now_ns, clock.now_ns]))
    turns.bus.publish(an_alert("one"))
    turns.bus.publish(an_alert("two"))
    assert seen[0] == seen[1] < seen[2] == seen[3]
    assert clock.now_ns < clock.now_ns


def test_only_the_outermost_event_is_an_input_and_what_it_causes_is_a_decision() -> None:
    """A command published by a handler is written down as decided, not as put in."""
    turns, notes = Turns(a_clock()), Notes()
    turns.witness = notes  # type: ignore[assignment]
    turns.bus.subscribe(int, lambda _event: turns.bus.publish(an_alert("caused")))
    turns.bus.publish(5)
    assert [row[0] for row in notes.told] == ["published", "decided"]
    turns.take("door", turns.bus.publish, an_alert("inside"))
    assert [row[0] for row in notes.told[2:]] == ["entered", "decided"]


def test_a_turn_that_raises_is_over_and_said_to_have_failed() -> None:
    """The clock goes on, the next input is a turn again."""
    turns, notes = Turns(a_clock()), Notes()
    turns.witness = notes  # type: ignore[assignment]

    def fail(_event: object = None) -> None:
        raise ValueError("no")

    turns.bus.subscribe(int, fail)
    for call in (lambda: turns.bus.publish(1), lambda: turns.take("door", fail)):
        with pytest.raises(ValueError, match="no"):
            call()
        assert notes.told[-1] == ("failed",)
        assert not turns.open
        assert turns.clock.now_ns < turns.clock.now_ns


def a_session(folder: Path, extra: str = "") -> Session:
    text = (ROOT / "config" / "demo.toml").read_text(encoding="utf-8")
    text = text.replace('"runs/demo"', f'"{folder / "runs"}"')
    text = text.replace('"instruments.toml"', f'"{ROOT / "config" / "instruments.toml"}"')
    path = folder / "demo.toml"
    path.write_text(text + extra, encoding="utf-8")
    environ = {"SLUICE_VM_USER": "u", "SLUICE_VM_PASSWORD": "p"}
    return Session(load_settings(path), environ=environ, note=lambda _text, _fields: None)


def test_every_door_is_there_and_its_arguments_can_be_read_back(tmp_path: Path) -> None:
    """A method that was renamed, or takes what has no type, would make recordings that can not be replayed."""
    run = a_session(tmp_path).run
    for name, door in DOORS.items():
        call = getattr(door.owner(run), door.method)
        hints = get_type_hints(call)
        count = (
            call.__wrapped__.__func__.__code__.co_argcount + call.__wrapped__.__func__.__code__.co_kwonlyargcount - 1
        )
        assert len(hints) == count + 1, f"{name}: every argument needs a type, and the answer too"


def test_everything_the_core_hears_of_can_be_written_down_and_read(tmp_path: Path) -> None:
    """An event of a class that no reader knows would end a replay."""
    run = a_session(tmp_path).run
    assert isinstance(run.core.bus, TurnBus)
    inner = {"CancelWanted", "ReplaceWanted", "StrategyStarted"}  # follow inside a turn, so nothing needs writing down
    heard = {kind.__name__ for kind in run.core.bus._subscribers} - inner
    assert heard <= set(EVENTS)


@pytest.mark.parametrize(
    ("extra", "records"),
    [("", True), ("\n[recording]\nenabled = false\n", False), ('\n[journal]\nkind = "memory"\n', False)],
)
def test_a_run_is_recorded_unless_the_config_says_no(tmp_path: Path, extra: str, records: bool) -> None:
    """Or unless its journal is in memory: nothing would be left to hold a replay against."""
    session = a_session(tmp_path, extra)
    assert (recorder(session.settings, lambda _text: None) is not None) == records
    assert not (tmp_path / "runs" / "recordings").exists()


def test_an_event_behind_the_last_row_of_a_run_is_heard_by_nobody() -> None:
    """A feed whose message had arrived when its task was stopped handles it: it would be journaled behind the end."""
    turns = Turns(a_clock())
    heard: list[Alert] = []
    turns.bus.subscribe(Alert, heard.append)
    turns.bus.publish(an_alert("in time"))
    turns.over = True
    turns.bus.publish(an_alert("late"))
    assert [alert.text for alert in heard] == ["in time"]
