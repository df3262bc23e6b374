"""What a strategy wants back after a restart is journaled when it changes, and given back once."""

from typing import Any

import pytest

from engine.clock import ReplayClock
from engine.domain.errors import ConfigError
from engine.domain.ids import StrategyId
from engine.domain.jobs import StrategySaved
from engine.journal.chain import DECODER, ENCODER
from engine.runtime.kept import STATE_BYTES, Kept

NAME = StrategyId("swing")


def a_kept() -> tuple[Kept, list[Any]]:
    rows: list[Any] = []

    def append(record: Any) -> int:
        rows.append(record)
        return len(rows)

    return Kept(None, append, ReplayClock(5)), rows  # type: ignore[arg-type]


def test_a_state_is_written_when_it_changes() -> None:
    """Asked four times, changed once: two rows; the next run has the last of them, as JSON makes of it."""
    kept, rows = a_kept()
    for state in ({"n": 1}, {"n": 1}, {"n": 2}, {"n": 2}):
        kept.keep(NAME, state)
    assert [row.state for row in rows] == [{"n": 1}, {"n": 2}]
    kept.keep(StrategyId("other"), {"pair": (1, 2)})
    after, more = a_kept()
    for row in rows:
        after.on_record(DECODER.decode(ENCODER.encode(row)))  # type: ignore[arg-type]
    assert after.states == {NAME: {"n": 2}, "other": {"pair": [1, 2]}}
    after.keep(NAME, {"n": 2})
    assert more == []


@pytest.mark.parametrize("state", [{"x": object()}, {1.5: 2}, {"x": "y" * STATE_BYTES}], ids=["object", "key", "much"])
def test_what_can_not_be_kept_is_the_strategys_mistake(state: Any) -> None:
    """A sentence that names the strategy; the runner stops that strategy alone, and nothing is written."""
    kept, rows = a_kept()
    with pytest.raises(ConfigError, match=r"swing: dump\(\) gives"):
        kept.keep(NAME, state)
    assert rows == []


def test_a_journal_of_before_reads_as_ever() -> None:
    """The new rows have tags of their own."""
    row = StrategySaved(strategy=NAME, ts_ns=1, state={"n": 1})
    assert ENCODER.encode(row) == ENCODER.encode(DECODER.decode(ENCODER.encode(row)))
