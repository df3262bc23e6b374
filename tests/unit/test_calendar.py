"""Calendars: three layers of days, sessions by product and date, and nothing past the last known day."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.calendar import MarketCalendar, calendar_of
from engine.data.calendar_days import known_days
from engine.data.hours import hours_of, minute_of, span_of
from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, day_of, format_time, parse_time

SHANGHAI = "Asia/Shanghai"


def at(text: str, tz: str = SHANGHAI) -> int:
    return parse_time(text, tz)


def the_calendar(instrument: str = "600000.SH", **layers: object) -> MarketCalendar:
    found = calendar_of(instrument, **layers)  # type: ignore[arg-type]
    assert found is not None
    return found


def a_file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_january_2024_has_the_contracts_days() -> None:
    """The 22 days of the data service's own example."""
    days = the_calendar().trading_days(date(2024, 1, 1), date(2024, 1, 31))
    assert len(days) == 22
    assert (days[0], days[-1]) == (date(2024, 1, 2), date(2024, 1, 31))


def test_past_the_last_known_day_nothing_is_scheduled() -> None:
    """The last day itself is good until its close; then one sentence says what ends, when, and where to add days."""
    calendar = the_calendar()
    last = calendar.last_known_day
    noon, evening = at(f"{last} 12:00"), at(f"{last} 15:00")
    assert calendar.next_open_ns(noon) == at(f"{last} 13:00")
    for ask in (
        calendar.next_open_ns,
        lambda ts: calendar.is_open(ts + DAY_NS),
        lambda ts: calendar.trading_day(ts + DAY_NS),
    ):
        with pytest.raises(ConfigError, match=rf"past the last known trading day, {last}.*\[calendar\.XSHG\]"):
            ask(evening)
    with pytest.raises(ConfigError, match="past the last known"):
        calendar.trading_days(last, last + timedelta(days=1))
    with pytest.raises(ConfigError, match="before"):
        calendar.trading_day(at("1970-01-05 10:00"))


def test_the_evening_before_the_end_belongs_to_a_day_nobody_knows() -> None:
    """A commodity's evening is the next day's: on the last known day there is none to give it to."""
    calendar = the_calendar("RB2405.SHF")
    with pytest.raises(ConfigError, match="past the last known"):
        calendar.trading_day(at(f"{calendar.last_known_day} 21:30"))


def test_a_persons_file_goes_before_the_sources_days_and_those_before_the_exchanges(tmp_path: Path) -> None:
    """Each layer overrules the one below it, within the span it speaks of and not outside."""
    first, last = date(2024, 1, 2), date(2024, 1, 5)
    known = known_days(first, date(2024, 1, 31), [first, date(2024, 1, 4), last])
    assert known is not None
    assert known.last == last
    listed = the_calendar(known=known).trading_days(date(2023, 12, 29), date(2024, 1, 8))
    assert listed == [date(2023, 12, 29), first, date(2024, 1, 4), last, date(2024, 1, 8)]
    file = a_file(
        tmp_path / "days.toml",
        '[calendar.XSHG]\nopen = ["2024-01-03", "2024-01-06"]\nclosed = ["2024-01-04"]\n[calendar.XSHG.hours]\n'
        '"2024-01-05" = ["09:30-11:30"]\n',
    )
    ours = the_calendar(known=known, override_file=file)
    assert ours.trading_days(first, date(2024, 1, 6)) == [first, date(2024, 1, 3), last, date(2024, 1, 6)]
    assert ours.sessions(last) == ((at("2024-01-05 09:30"), at("2024-01-05 11:30")),)
    assert known_days(first, last, []) is None


def test_days_of_next_year_can_be_listed_and_are_then_known(tmp_path: Path) -> None:
    """Up to the last one listed, or the day the file names; only listed ones are open."""
    end = the_calendar().last_known_day
    monday = end + timedelta(days=7 - end.weekday())
    file = a_file(tmp_path / "a.toml", f'[calendar.XSHG]\nopen = ["{monday}"]\n')
    calendar = the_calendar(override_file=file)
    assert calendar.last_known_day == monday
    assert calendar.next_open_ns(at(f"{end} 15:00")) == at(f"{monday} 09:30")
    later = a_file(
        tmp_path / "b.toml", f'[calendar.XSHG]\nopen = ["{monday}"]\nknown_until = "{monday + timedelta(days=4)}"\n'
    )
    calendar = the_calendar(override_file=later)
    assert not calendar.is_open(at(f"{monday + timedelta(days=1)} 10:00"))
    with pytest.raises(ConfigError, match="past the last known"):
        calendar.next_open_ns(at(f"{monday} 15:00"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[calendar.XSHG]\nopne = []\n", "opne"),
        ('[calendar.XSHG]\nopen = ["2024-13-01"]\n', "calendar.XSHG"),
        ('[calendar.XSHG]\nopen = ["2024-01-06"]\nclosed = ["2024-01-06"]\n', "2024-01-06 is listed as open and as"),
        ('[calendar.XSHG.hours]\n"2024-01-05" = ["11:30-09:30"]\n', "no session"),
        ("[days]\n", "calendar.XSHG"),
        ("[calendar\n", "can not be read"),
    ],
)
def test_a_wrong_file_is_one_sentence_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """The file and the mistake are named."""
    file = a_file(tmp_path / "days.toml", text)
    with pytest.raises(ConfigError, match=said) as caught:
        the_calendar(override_file=file)
    assert str(file) in str(caught.value)
    with pytest.raises(ConfigError, match="no such file"):
        the_calendar(override_file=tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("moment", "day", "is_open", "opens"),
    [
        ("2024-01-05 09:29:59", "2024-01-05", False, "2024-01-05 09:30"),
        ("2024-01-05 09:30:00", "2024-01-05", True, "2024-01-05 09:30"),
        ("2024-01-05 11:30:00", "2024-01-05", False, "2024-01-05 13:00"),
        ("2024-01-05 14:59:59", "2024-01-05", True, "2024-01-08 09:30"),
        ("2024-01-05 15:00:00", "2024-01-05", False, "2024-01-08 09:30"),
        ("2024-01-06 10:00:00", "2024-01-08", False, "2024-01-08 09:30"),
        ("2024-02-08 16:00:00", "2024-02-08", False, "2024-02-19 09:30"),
        ("2024-02-12 10:00:00", "2024-02-19", False, "2024-02-19 09:30"),
    ],
)
def test_edges_of_sessions_weekends_and_holidays(moment: str, day: str, is_open: bool, opens: str) -> None:
    """A session holds its first instant and not its last; a closed day belongs to the next open one."""
    calendar = the_calendar()
    ts_ns = at(moment)
    assert calendar.trading_day(ts_ns) == date.fromisoformat(day)
    assert calendar.is_open(ts_ns) is is_open
    assert calendar.next_open_ns(ts_ns) == at(opens)


def test_an_evening_session_belongs_to_the_next_trading_day() -> None:
    """Friday 21:00 and Saturday 01:30 are Monday's; before a long holiday, the day after it."""
    calendar = the_calendar("RB2405.SHF")
    for moment, day in (
        ("2024-01-05 17:59", "2024-01-05"),
        ("2024-01-05 21:00", "2024-01-08"),
        ("2024-01-06 01:30", "2024-01-08"),
        ("2024-01-08 00:30", "2024-01-08"),
        ("2024-02-08 21:00", "2024-02-19"),
    ):
        assert calendar.trading_day(at(moment)) == date.fromisoformat(day)
    assert calendar.reach(date(2024, 1, 8)) == (at("2024-01-05 21:00"), at("2024-01-09 00:00"))


def test_hours_follow_product_and_date() -> None:
    """Bond futures trade to 15:15; index futures did so until 2015; half days in Hong Kong end at noon."""
    index, bond = the_calendar("IF2401.CFE"), the_calendar("T2403.CFE")
    day = date(2024, 1, 5)
    assert index.sessions(day)[-1][1] == at("2024-01-05 15:00")
    assert bond.sessions(day)[-1][1] == at("2024-01-05 15:15")
    assert index.sessions(date(2015, 6, 1))[0][0] == at("2015-06-01 09:15")
    assert bond.sessions(date(2020, 7, 17))[0][0] == at("2020-07-17 09:15")
    assert bond.sessions(date(2020, 7, 20))[0][0] == at("2020-07-20 09:30")
    half = the_calendar("00700.HK").sessions(date(2024, 2, 9))
    assert [format_time(t, "Asia/Hong_Kong")[11:16] for t in half[0]] == ["09:30", "12:00"]
    assert len(half) == 1
    assert hours_of("CY.VSM") is None
    assert calendar_of("CY.VSM") is None


def test_new_york_keeps_its_own_summer_time_and_early_closes() -> None:
    """09:30 there is 13:30 or 14:30 UTC; the day after Thanksgiving ends at 13:00."""
    calendar = the_calendar("AAPL.US")
    for day, hour in ((date(2024, 7, 1), 13.5), (date(2024, 12, 2), 14.5)):
        start = calendar.sessions(day)[0][0]
        assert start == parse_time(day.isoformat(), "UTC") + round(hour * HOUR_NS)
    assert calendar.sessions(date(2024, 11, 29))[0][1] == at("2024-11-29 13:00", "America/New_York")


@pytest.mark.parametrize(("minutes", "count"), [(1, 240), (5, 48), (15, 16), (30, 8), (60, 4), (120, 2)])
def test_a_shanghai_day_has_its_bars(minutes: int, count: int) -> None:
    """As the data service counts them: 240 of a minute, 48 of five; the last ends at 15:00."""
    ends = the_calendar().expected_ends(date(2024, 1, 2), minutes * MINUTE_NS)
    assert ends is not None
    assert len(ends) == count
    assert int(ends[0]) == at("2024-01-02 09:30") + minutes * MINUTE_NS
    assert int(ends[-1]) == at("2024-01-02 15:00")


def test_days_have_one_bar_of_a_day_and_odd_lengths_are_not_counted() -> None:
    """It ends with the calendar day; seven minutes do not divide a session; a closed day has none."""
    calendar = the_calendar()
    ends = calendar.expected_ends(date(2024, 1, 2), DAY_NS)
    assert ends is not None
    assert ends.tolist() == [at("2024-01-03 00:00")]
    assert calendar.expected_ends(date(2024, 1, 2), 7 * MINUTE_NS) is None
    closed = calendar.expected_ends(date(2024, 1, 1), MINUTE_NS)
    assert closed is not None
    assert len(closed) == 0


@given(st.integers(at("2010-01-04") // SECOND_NS, at("2026-12-30") // SECOND_NS))
def test_the_next_opening_is_open_and_nothing_opens_before_it(seconds: int) -> None:
    """From any second of sixteen years; and the trading day never lies before the instant's own day."""
    calendar = _SHARED
    ts_ns = seconds * SECOND_NS
    opens = calendar.next_open_ns(ts_ns)
    assert opens >= ts_ns
    assert calendar.is_open(opens)
    assert opens == ts_ns or not calendar.is_open(opens - 1)
    assert calendar.trading_day(ts_ns) >= day_of(ts_ns, SHANGHAI)
    if not calendar.is_open(ts_ns):
        middle = (ts_ns + opens) // 2
        assert opens == ts_ns or not calendar.is_open(middle)


_SHARED = the_calendar()


def test_times_of_day_are_read_strictly() -> None:
    """24:00 is one, 24:01 and 9.30 are none."""
    assert (minute_of("24:00"), span_of("09:30-11:30")) == (1440, (570, 690))
    for text in ("24:01", "9.30", "09:60", "0930", "09:5"):
        with pytest.raises(ValueError, match="time of day"):
            minute_of(text)
