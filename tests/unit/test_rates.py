"""Dated exchange rates: the latest of the day or before, either way round, never made up."""

from decimal import Decimal

import pytest

from engine.domain.errors import DataError
from engine.domain.rates import Rates
from engine.domain.timestamps import parse_time

DATED = {"USD_HKD": {"2026-06-01": Decimal("7.85"), "2026-03-02": Decimal("7.8")}}
MARCH_NS = parse_time("2026-03-02 00:00:00+00:00")
JUNE_NS = parse_time("2026-06-01 00:00:00+00:00")


def test_the_rate_is_the_latest_of_that_day_or_before() -> None:
    """At midnight UTC of its day it begins; a nanosecond earlier the one before it stands."""
    rates = Rates(DATED)
    assert rates.at("USD", "HKD", MARCH_NS) == Decimal("7.8")
    assert rates.at("USD", "HKD", JUNE_NS - 1) == Decimal("7.8")
    assert rates.at("USD", "HKD", JUNE_NS) == Decimal("7.85")
    assert rates.at("HKD", "USD", JUNE_NS) == 1 / Decimal("7.85")
    assert rates.at("EUR", "EUR", 0) == 1


@pytest.mark.parametrize(("pair", "ts_ns"), [(("USD", "HKD"), MARCH_NS - 1), (("USD", "CNY"), JUNE_NS)])
def test_a_rate_that_is_not_known_is_not_guessed(pair: tuple[str, str], ts_ns: int) -> None:
    """Neither before the first day nor for another pair."""
    with pytest.raises(DataError, match=f"no rate from {pair[0]} to {pair[1]}; write one"):
        Rates(DATED).at(*pair, ts_ns)


@pytest.mark.parametrize(
    ("pair", "day", "rate"),
    [("USDHKD", "2026-03-02", "7.8"), ("usd_hkd", "2026-03-02", "7.8"), ("USD_USD", "2026-03-02", "1"),
     ("USD_HKD", "2.3.2026", "7.8"), ("USD_HKD", "2026-03-02", "0"), ("USD_HKD", "2026-03-02", "NaN")],
)  # fmt: skip
def test_what_is_no_rate_is_refused(pair: str, day: str, rate: str) -> None:
    """Pair, day and figure are checked when the config is read."""
    with pytest.raises(ValueError):  # noqa: PT011 - the sentences differ
        Rates({pair: {day: Decimal(rate)}})
