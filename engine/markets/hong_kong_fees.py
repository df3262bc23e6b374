"""What an order in Hong Kong costs besides the broker's own fees, by date.

* Stamp duty, each side, rounded up to a dollar: 0.1 % since 2023-11-17 (Stamp Duty (Amendment) (Stock Transfers)
  Ordinance 2023), 0.13 % since 2021-08-01 (Inland Revenue Department, Budget 2021/22), 0.1 % before; since when was not
  looked up. None on exchange traded funds.
* SFC transaction levy 0.0027 % since 2014-11-01, 0.003 % since 2010-10-01 (HKEX, "Transaction fees"); before that the
  last is used.
* AFRC (then FRC) transaction levy 0.00015 % since 2022-01-01 (HKEX, "Transaction fees").
* Trading fee 0.00565 % since 2023-01-01; 0.005 % and 0.50 HKD a transaction before (HKEX, 2022-11-01).
* Settlement fee 0.0042 % since 2025-06-30; 0.002 %, 2 HKD at least and 100 at most, before (HKEX, 2025-02-21).

The fixed parts of old days are an exchange's per trade; they are counted once an order here, though an order filled in
parts paid them more often.
"""

from datetime import date
from decimal import ROUND_UP, Decimal

DOLLAR = Decimal(1)
DUTY_CUT, DUTY_RISE = date(2023, 11, 17), date(2021, 8, 1)
SFC_CUT = date(2014, 11, 1)
AFRC_START = date(2022, 1, 1)
TARIFF_END = date(2023, 1, 1)
SETTLEMENT_NEW = date(2025, 6, 30)


def duty(value: Decimal, day: date) -> Decimal:
    """Stamp duty of one side of a trade in a stock, in dollars."""
    rate = Decimal("0.0013") if DUTY_RISE <= day < DUTY_CUT else Decimal("0.001")
    return (value * rate).quantize(DOLLAR, ROUND_UP)


def levies(value: Decimal, day: date) -> Decimal:
    """Both levies, trading fee and settlement fee; not rounded."""
    found = value * Decimal("0.000027" if day >= SFC_CUT else "0.00003")
    if day >= AFRC_START:
        found += value * Decimal("0.0000015")
    found += value * Decimal("0.0000565") if day >= TARIFF_END else value * Decimal("0.00005") + Decimal("0.5")
    if day >= SETTLEMENT_NEW:
        return found + value * Decimal("0.000042")
    return found + min(Decimal(100), max(Decimal(2), value * Decimal("0.00002")))
