"""Words and figures of others, held to what a log, a ledger or a name can bear (RELIABILITY 6)."""

from decimal import Decimal

import pytest

from engine.control.options import read_amount, read_moment
from engine.data.instruments import derived_instrument
from engine.domain.errors import SENTENCE_MAX, BadMessage, ConfigError, OutcomeUnknown
from engine.domain.money import exact, exact_from_wire
from engine.domain.timestamps import parse_time


def test_an_error_is_one_printable_line() -> None:
    """Newlines become blanks, control and bidi characters are escaped, the rest is cut; plain text stays as it is."""
    assert str(OutcomeUnknown("HTTP 500: no\nsuch\x1b[31m \u202ething")) == "HTTP 500: no such\\u001b[31m \\u202ething"
    assert OutcomeUnknown("委托失败: 可用资金不足").message == "委托失败: 可用资金不足"
    long = OutcomeUnknown("\x00" * 9000)
    assert len(str(long)) == len(long.message) == SENTENCE_MAX


@pytest.mark.parametrize("text", ["1e999999999", "nan", "-inf", "ten", "", "9e400001"])
def test_a_text_is_no_amount_because_it_is_short(text: str) -> None:
    """``1e999999999`` would be a thousand million digits; what is no number is a ValueError and nothing else."""
    with pytest.raises(ValueError, match="number"):
        exact(text)


@pytest.mark.parametrize("value", [{}, [], None, True])
def test_what_is_no_number_at_all(value: object) -> None:
    """A ValueError, not a TypeError that nobody waits for."""
    with pytest.raises(ValueError, match="is no number"):
        exact(value)  # type: ignore[arg-type]


def test_a_venue_has_no_such_sums() -> None:
    """A figure past every amount is a message that can not be read; prices of any float stay exact."""
    with pytest.raises(BadMessage, match=r"cash: .* more than any amount"):
        exact_from_wire(1e300, "cash")
    assert exact(5e-324) == Decimal("5e-324")
    assert exact_from_wire(0.1, "cash") == Decimal("0.1")


def test_moments_have_64_bits() -> None:
    """A year nobody trades in is refused in one sentence, in texts and in nanoseconds."""
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"):
        with pytest.raises(ValueError, match="too far away"):
            parse_time(text)
    for text in ("9" * 20, "9" * 5000, str(2**63)):
        with pytest.raises(ConfigError, match="is no moment"):
            read_moment("--at", text)
    assert read_moment("--at", str(2**63 - 1)) == 2**63 - 1


def test_amounts_and_ids_of_the_command_line() -> None:
    """A sum of forty digits is none; an id has no blank, no control character, no text of its own direction."""
    with pytest.raises(ConfigError, match="at most 18 digits"):
        read_amount("--cash", "9" * 40)
    for name in ("600000.SH\n", "6000 00.SH", "\u202e600000.SH", f"{'6' * 80}.SH"):
        with pytest.raises(ConfigError, match="is no id"):
            derived_instrument(name)
