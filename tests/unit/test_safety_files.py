"""The sentinel, the heartbeat, and what the watchdog makes of it."""

from pathlib import Path

import pytest

from engine.domain.errors import ConfigError
from engine.markets.free import Free
from engine.runtime import heartbeat, sentinel
from engine.runtime.heartbeat import Heartbeat
from engine.runtime.safety_settings import KillTable, MonitorsTable, WatchdogTable
from engine.runtime.settings_reading import convert
from engine.runtime.watchdog import Sign, Watch


class Shut(Free, frozen=True):
    """A market that is closed."""

    def is_open(self, ts_ns: int) -> bool:
        return False


def a_beat(seq: int = 1, **terms: object) -> Heartbeat:
    return Heartbeat(pid=7, seq=seq, ts_ns=seq, **terms)  # type: ignore[arg-type]


def test_the_first_cause_stays_until_a_person_clears_it(tmp_path: Path) -> None:
    """A second writer changes nothing; clearing is the only way it goes."""
    assert sentinel.write(tmp_path, "disk full", who="engine", ts_ns=5)
    assert sentinel.write(tmp_path, "silence", who="watchdog")
    found = sentinel.read(tmp_path)
    assert found is not None
    assert (found.cause, found.who, found.ts_ns) == ("disk full", "engine", 5)
    assert sentinel.clear(tmp_path)
    assert sentinel.read(tmp_path) is None
    assert not sentinel.clear(tmp_path)


@pytest.mark.parametrize(("body", "cause"), [(b"", "somebody put the file"), (b"rogue fills", "rogue fills")])
def test_a_file_a_person_made_stops_trading_whatever_is_in_it(tmp_path: Path, body: bytes, cause: str) -> None:
    """``touch HALT`` is enough."""
    (tmp_path / sentinel.NAME).write_bytes(body)
    found = sentinel.read(tmp_path)
    assert found is not None
    assert found.cause.startswith(cause)


def test_a_disk_that_takes_no_sentinel_is_said_and_not_raised(tmp_path: Path) -> None:
    """The folder is a file: no place to write."""
    place = tmp_path / "taken"
    place.write_text("x")
    assert not sentinel.write(place / "run", "cause", who="engine")


def test_a_heartbeat_is_replaced_whole(tmp_path: Path) -> None:
    """What is read is one beat; nothing else is left in the folder."""
    for seq in (1, 2):
        assert heartbeat.write(tmp_path, a_beat(seq, working=seq))
    assert heartbeat.read(tmp_path) == a_beat(2, working=2)
    assert [path.name for path in tmp_path.iterdir()] == [heartbeat.NAME]
    assert heartbeat.read(tmp_path / "nowhere") is None


def test_the_watch_fires_after_silence_in_a_session_and_not_before() -> None:
    """Alive while beats come; silent once none has come for longer than the limit."""
    watch = Watch([Free()], 15.0)
    assert watch.look(None, 0.0) is Sign.WAITING
    assert watch.look(a_beat(1), 1.0) is Sign.ALIVE
    assert watch.look(a_beat(2), 10.0) is Sign.ALIVE
    assert watch.look(a_beat(2), 25.0) is Sign.ALIVE
    assert watch.look(a_beat(2), 25.1) is Sign.SILENT


def test_silence_while_every_market_is_closed_waits_for_one_to_open() -> None:
    """It is no emergency at night; it is one when the session begins."""
    watch = Watch([Shut()], 15.0)
    watch.look(a_beat(1, session=False), 0.0)
    assert watch.look(a_beat(1, session=False), 60.0) is Sign.QUIET
    watch = Watch([Shut(), Free()], 15.0)
    watch.look(a_beat(1, session=False), 0.0)
    assert watch.look(a_beat(1, session=False), 60.0) is Sign.SILENT


def test_an_end_in_order_disarms_and_an_old_end_arms_nothing() -> None:
    """The file of yesterday's run says ended: the watch waits for today's."""
    watch = Watch([Free()], 15.0)
    assert watch.look(a_beat(9, ended="signal"), 0.0) is Sign.WAITING
    assert watch.look(a_beat(1), 1.0) is Sign.ALIVE
    assert watch.look(a_beat(2, ended="signal"), 2.0) is Sign.ENDED
    assert watch.look(a_beat(2, ended="signal"), 99.0) is Sign.ENDED


@pytest.mark.parametrize(
    ("kind", "table"),
    [
        (KillTable, {"flaten": True}),
        (KillTable, {"deadline": "soon"}),
        (KillTable, {"share": 0.5}),
        (MonitorsTable, {"slippage": 0}),
        (MonitorsTable, {"gap_check": "-1s"}),
        (WatchdogTable, {"silence": "2s", "beat": "1s"}),
    ],
)
def test_settings_are_read_strictly(kind: type, table: dict[str, object]) -> None:
    """An unknown key, a duration that is none, a share above the rule, a watch that fires between two beats."""
    with pytest.raises(ConfigError):
        convert(table, kind, "config here, [table]")
    assert convert({}, kind, "config here, [table]") == kind()
