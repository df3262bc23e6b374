"""The ledger is exact: floats of the market become the decimals people read before they are counted."""

from decimal import Decimal

ZERO = Decimal(0)
CENT = Decimal("0.01")


def exact(value: float | int | str | Decimal) -> Decimal:
    """The shortest decimal that reads as this number: ``exact(0.1) == Decimal("0.1")``.

    Raises:
        ValueError: not a finite number, or a bool.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, bool):
        raise ValueError(f"{value} is no number")
    else:
        number = Decimal(repr(value) if isinstance(value, float) else value)
    if not number.is_finite():
        raise ValueError(f"{value} is no finite number")
    return number
