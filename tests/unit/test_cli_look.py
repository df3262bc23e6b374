"""Tables of a run for people."""

import pytest

from engine.control.cli_look import _cell


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        ("6.70905850", 4, "6.7091"),
        ("-1234567.891", 2, "-1,234,567.89"),
        ("1E+3", 2, "1,000.00"),
        (None, 2, "-"),
        ("0.00000123", None, "0.00000123"),
        (2_100, None, "2,100"),
        ({"time": "2026-11-18T02:03:13Z"}, None, "2026-11-18T02:03:13Z"),
    ],
)
def test_money_is_rounded_for_the_eye(value: object, places: int | None, shown: str) -> None:
    """Averages and profits to the places one reads; prices as they are."""
    assert _cell(value, places) == shown
