"""Indicators give the same bits bar by bar and by column."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.indicators import Sma

VALUES = st.lists(st.floats(-1e6, 1e6, allow_nan=False), max_size=60)


def test_sma_is_the_mean_of_the_last_values() -> None:
    """Three values, by hand; nothing before there are three."""
    average = Sma(3)
    assert [average.update(x) for x in (1.0, 2.0)] == [pytest.approx(math.nan, nan_ok=True)] * 2
    assert average.update(6.0) == 3.0
    assert average.update(4.0) == 4.0


@given(values=VALUES, period=st.integers(1, 20))
def test_sma_bar_by_bar_equals_the_column_to_the_bit(values: list[float], period: int) -> None:
    """``update`` and ``column`` share one arithmetic."""
    average = Sma(period)
    one_by_one = np.array([average.update(x) for x in values])
    np.testing.assert_array_equal(one_by_one, Sma(period).column(np.array(values)))


def test_sma_refuses_a_period_below_one() -> None:
    """A window of nothing has no mean."""
    with pytest.raises(ValueError, match="1 or more"):
        Sma(0)
