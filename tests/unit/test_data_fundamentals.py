"""Statements by the moment they became known: nothing can be seen before, whatever is asked."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.fundamentals import Filing, Fundamentals, filing_of, read_fundamentals, write_filings
from engine.domain.errors import DataError
from engine.domain.timestamps import DAY_NS
from engine.gateways.amazingdata.statements import StatementRow, rows_from_wire
from tests.amazingdata_builders import a_statement
from tests.catalog_builders import BANK, at


def a_filing(period: str, announced: str, eps: float) -> Filing:
    row = StatementRow(BANK, "income", date.fromisoformat(period), date.fromisoformat(announced), {"BASIC_EPS": eps})
    return filing_of(row)


FIRST = a_filing("2023-03-31", "2023-04-29", 0.51)
SECOND = a_filing("2023-06-30", "2023-08-30", 1.02)
RESTATED = a_filing("2023-03-31", "2023-10-28", 0.49)


def test_a_figure_is_known_from_the_midnight_after_its_announcement() -> None:
    """Announcements come in the evening as well; the day itself does not know them."""
    table = Fundamentals([FIRST, SECOND])
    seen = {
        moment: table.as_of(at(moment)).figure(BANK, "income", "BASIC_EPS")
        for moment in ("2023-03-31 15:00", "2023-04-29 23:59:59", "2023-04-30 00:00", "2023-08-30 20:00", "2023-08-31")
    }
    assert list(seen.values()) == [None, None, 0.51, 0.51, 1.02]


def test_a_restatement_is_known_from_its_own_day_and_not_before() -> None:
    """Until then the figure is the one that was announced first; the latest period stays the latest."""
    table = Fundamentals([RESTATED, SECOND, FIRST])
    period = date(2023, 3, 31)
    assert table.as_of(at("2023-10-28 12:00")).figure(BANK, "income", "BASIC_EPS", period) == 0.51
    after = table.as_of(at("2023-10-29"))
    assert after.figure(BANK, "income", "BASIC_EPS", period) == 0.49
    assert after.figure(BANK, "income", "BASIC_EPS") == 1.02
    assert [filing.figures["BASIC_EPS"] for filing in after.history(BANK, "income")] == [0.49, 1.02]


def test_what_is_not_known_is_none() -> None:
    """Other instruments, statements, figures and periods."""
    view = Fundamentals([FIRST]).as_of(at("2024-01-01"))
    assert view.figure("000001.SZ", "income", "BASIC_EPS") is None
    assert view.filing(BANK, "cash-flow") is None
    assert view.figure(BANK, "income", "RD_EXP") is None
    assert view.filing(BANK, "income", date(2023, 6, 30)) is None
    assert Fundamentals([FIRST]).instruments() == [BANK]


days = st.dates(date(2020, 1, 1), date(2024, 12, 31))


@given(st.lists(st.tuples(days, st.integers(0, 400), st.floats(0, 5)), max_size=20), st.integers(0, 2000))
def test_no_view_holds_a_filing_of_its_future(rows: list[tuple[date, int, float]], offset: int) -> None:
    """And adding filings of the future never changes what a view says."""
    filings = [a_filing(str(period), str(period + timedelta(days=late)), eps) for period, late, eps in rows]
    ts_ns = at("2020-01-01") + offset * DAY_NS
    past = [filing for filing in filings if filing.known_ns <= ts_ns]
    whole, cut = Fundamentals(filings).as_of(ts_ns), Fundamentals(past).as_of(ts_ns)
    assert whole.history(BANK, "income") == cut.history(BANK, "income")
    assert whole.filing(BANK, "income") == cut.filing(BANK, "income")
    assert all(filing.announced < date.fromordinal(date(2020, 1, 1).toordinal() + offset) for filing in
               whole.history(BANK, "income"))  # fmt: skip


def test_rows_without_a_day_and_other_kinds_of_statement_are_left_out_and_counted() -> None:
    """Nobody can say when the former were known; the latter are not the company's whole."""
    found = rows_from_wire(
        "income",
        [
            a_statement(BANK),
            a_statement(BANK, STATEMENT_TYPE="6"),
            a_statement(BANK, ANN_DATE=None, ACTUAL_ANN_DATE=None),
            a_statement(BANK, ANN_DATE=20230501, ACTUAL_ANN_DATE=None),
        ],
    )
    assert [row.announced for row in found.rows] == [date(2023, 4, 29), date(2023, 5, 1)]
    assert (found.undated, found.other_kinds) == (1, 1)
    assert found.rows[0].figures == {"BASIC_EPS": 0.51}


def test_filings_kept_twice_are_kept_once(tmp_path: Path) -> None:
    """The same day's newer figures take the old ones' place; damage is one sentence."""
    assert write_filings(tmp_path, [FIRST, SECOND]) == 2
    before = (tmp_path / "statements" / f"{BANK}.json").read_bytes()
    assert write_filings(tmp_path, [SECOND, FIRST]) == 0
    assert (tmp_path / "statements" / f"{BANK}.json").read_bytes() == before
    assert write_filings(tmp_path, [a_filing("2023-03-31", "2023-04-29", 0.6), RESTATED]) == 2
    table = read_fundamentals(tmp_path, [BANK])
    assert table.as_of(at("2023-05-01")).figure(BANK, "income", "BASIC_EPS") == 0.6
    assert read_fundamentals(tmp_path, ["000001.SZ"]).instruments() == []
    (tmp_path / "statements" / f"{BANK}.json").write_text("[")
    with pytest.raises(DataError, match="fetch it again"):
        read_fundamentals(tmp_path)
