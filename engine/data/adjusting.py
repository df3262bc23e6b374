"""Raw bars as declared indicators see them: adjusted backward by the ex-dates that have come."""

from collections.abc import Sequence

from engine.data.adjustments import Adjustment, adjusted
from engine.data.columns import Columns
from engine.domain.market import Bar


class Adjuster:
    """Of one instrument, for one reader that takes its bars in order.

    Backward: prices stay as they are until the first ex-date and are divided by the factors of all that have come
    after it, so that no figure changes by what comes later, and both forms give the same bits.
    """

    def __init__(self, factors: Sequence[Adjustment]) -> None:
        """``factors``: oldest first; may grow, as long as none comes after the bars it belongs to."""
        self._factors = factors
        self._passed = 0
        self._price = self._share = 1.0
        """Products of the factors that have passed."""

    def bar(self, bar: Bar) -> Bar:
        """As of its own instant; the same object while no ex-date has come."""
        factors = self._factors
        while self._passed < len(factors) and factors[self._passed].ex_ns <= bar.ts_ns - 1:
            self._price *= factors[self._passed].price_factor
            self._share *= factors[self._passed].share_factor
            self._passed += 1
        if not self._passed:
            return bar
        price, share = 1.0 / self._price, 1.0 / self._share
        return Bar(
            bar.instrument, bar.ts_ns, bar.open * price, bar.high * price, bar.low * price, bar.close * price,
            bar.volume * share, bar.interval_ns,
        )  # fmt: skip

    def columns(self, columns: Columns) -> Columns:
        """A whole batch."""
        if not self._factors or not len(columns.ts_ns):
            return columns
        return adjusted(columns, tuple(self._factors), "backward", int(columns.ts_ns[-1]))
