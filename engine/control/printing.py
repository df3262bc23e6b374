"""What commands say: one JSON object on stdout, sentences and logs on stderr, tables on stdout for people."""

import sys
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from rich.console import Console

CENT = Decimal("0.01")


def print_json(value: Mapping[str, Any]) -> None:
    """One object, one line, flushed: somebody may read it from a pipe while we go on."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """One line on stderr, whatever the text holds."""
    sys.stderr.write(f"sluice: {' '.join(text.split())}\n")
    sys.stderr.flush()


def log_line(text: str, fields: Mapping[str, Any]) -> None:
    """A strategy's or a gateway's note, as one line on stderr."""
    told = " ".join(f"{key}={value}" for key, value in fields.items())
    sys.stderr.write(f"{' '.join(text.split())}{'  ' if told else ''}{told}\n")


def for_people() -> "Console":
    """A console on stdout; 120 columns where nobody looks, so that tables in logs are not squeezed."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120)


def for_progress() -> "Console":
    """A console on stderr; live displays show only where it is a terminal."""
    from rich.console import Console

    return Console(stderr=True)


def cents(amount: Decimal) -> float:
    """Money as a JSON number that reads back to the same cents."""
    return float(amount.quantize(CENT, ROUND_HALF_EVEN))
