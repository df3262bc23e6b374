"""Dated exchange rates: what one unit of a currency is worth in another, as of a day."""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from engine.domain.errors import DataError
from engine.domain.timestamps import DAY_NS

_EPOCH = date(1970, 1, 1).toordinal()


class Rates:
    """Pairs as ``USD_HKD``: how many HKD one USD is worth. A pair answers for its reverse too; nothing is crossed."""

    def __init__(self, pairs: Mapping[str, Mapping[str, Decimal]]) -> None:
        """``pairs``: pair -> day (``2026-03-02``, from its midnight UTC on) -> rate.

        Raises:
            ValueError: no pair, no day, or no rate above 0.
        """
        self._rows: dict[tuple[str, str], list[tuple[int, Decimal]]] = {}
        for pair, dated in pairs.items():
            left, _, right = pair.partition("_")
            if not (left.isalpha() and right.isalpha() and pair.isupper()) or left == right:
                raise ValueError(f"{pair!r} is no pair; write it as USD_HKD")
            for day, rate in dated.items():
                if not rate.is_finite() or rate <= 0:
                    raise ValueError(f"{pair} of {day}: {rate} is no rate; write a number above 0")
            rows = sorted(
                ((date.fromisoformat(day).toordinal() - _EPOCH) * DAY_NS, rate) for day, rate in dated.items()
            )
            self._rows[left, right] = rows
            self._rows[right, left] = [(ts_ns, 1 / rate) for ts_ns, rate in rows]

    def at(self, currency: str, base: str, ts_ns: int) -> Decimal:
        """The latest rate of that day or before.

        Raises:
            DataError: there is none.
        """
        if currency == base:
            return Decimal(1)
        rows = self._rows.get((currency, base), [])
        number = bisect_right(rows, ts_ns, key=lambda row: row[0])
        if not number:
            raise DataError(f"no rate from {currency} to {base}; write one as [rates.{currency}_{base}] day = rate")
        return rows[number - 1][1]
