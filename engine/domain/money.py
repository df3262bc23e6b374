"""The ledger is exact: floats of the market become the decimals people read before they are counted."""

from decimal import Decimal, InvalidOperation

from engine.domain.errors import BadMessage

ZERO = Decimal(0)
CENT = Decimal("0.01")


DIGITS_MAX = 400
"""Places before the point, enough for every float: ``1e999999999`` is a text of eleven characters, and would be a
thousand million digits."""
WIRE_MAX = Decimal(10) ** 18
"""Beyond any amount of a venue's: what says so was read wrongly."""


def exact(value: float | int | str | Decimal) -> Decimal:
    """The shortest decimal that reads as this number: ``exact(0.1) == Decimal("0.1")``.

    Raises:
        ValueError: not a finite number, a bool, or longer than ``DIGITS_MAX``.
    """
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, bool) or not isinstance(value, float | int | str):
        raise ValueError(f"{str(value)[:40]} is no number")
    else:
        try:
            number = Decimal(repr(value) if isinstance(value, float) else value)
        except InvalidOperation as error:
            raise ValueError(f"{str(value)[:40]!r} is no number") from error
    if not number.is_finite() or number.adjusted() > DIGITS_MAX:
        raise ValueError(f"{str(value)[:40]} is no finite number of a size that amounts have")
    return number


_PRICES_MAX = 16_384
known_prices: dict[float, Decimal] = {}
"""What ``exact_price`` was asked lately."""


def exact_price(price: float) -> Decimal:
    """``exact`` of a price that is known to be a finite float above 0.

    Prices come again and again, and to write one down and read it takes as long as two of a bare loop's bars.
    """
    found = known_prices.get(price)
    if found is None:
        if len(known_prices) >= _PRICES_MAX:
            known_prices.clear()
        found = known_prices[price] = Decimal(repr(price))
    return found


def exact_from_wire(value: float | int | str | Decimal, what: str) -> Decimal:
    """``exact`` of a venue's figure; ``what`` names it.

    Raises:
        BadMessage: it is none, or past ``WIRE_MAX``.
    """
    try:
        number = exact(value)
    except ValueError as error:
        raise BadMessage(f"{what}: {error}") from error
    if abs(number) >= WIRE_MAX:
        raise BadMessage(f"{what}: {str(value)[:40]} is more than any amount")
    return number
