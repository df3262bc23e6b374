"""The instruments file: what each id is, where it trades and in which units.

A table an instrument, ``[instrument."600000.SH"]``; keys: kind, market, currency, lot, tick, multiplier, name,
same_day, listed (a day), special and suspended (spans of days, as ``"2024-05-06..2025-06-12"``, or ``"2026-05-06.."``
to this day).
"""

import tomllib
from collections.abc import Collection
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument, InstrumentKind, Span

_CURRENCIES = {"HK": "HKD", "US": "USD", "VSM": "COIN"}


ID_MAX = 64
"""Characters of an id."""


class InstrumentRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file; the id is the table's name."""

    kind: InstrumentKind = InstrumentKind.STOCK
    market: str = "free"
    currency: str = "CNY"
    lot: int = 1
    tick: Decimal = Decimal("0.01")
    multiplier: int = 1
    name: str = ""
    listed: date | None = None
    same_day: bool = False
    special: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()


def read_instruments(path: str | Path, markets: Collection[str] | None = None) -> dict[InstrumentId, Instrument]:
    """Every instrument of the file, by id.

    Args:
        markets: the markets there are; None: any name is taken.

    Raises:
        ConfigError: missing file, broken TOML, unknown key, wrong type, or a figure that can not be; names the file,
            the instrument and the key.
    """
    path = Path(path)
    table = _read_toml(path)
    unknown = sorted(set(table) - {"instrument"})
    if unknown:
        raise ConfigError(f'instruments file {path}: unknown key {unknown[0]!r}; write [instrument."600000.SH"]')
    rows = table.get("instrument", {})
    if not isinstance(rows, dict):
        raise ConfigError(f'instruments file {path}: "instrument" is no table; write [instrument."600000.SH"]')
    return {InstrumentId(name): _instrument(path, name, row, markets) for name, row in rows.items()}


def derived_instrument(instrument: str, known: dict[InstrumentId, Instrument] | None = None) -> Instrument:
    """The known instrument of that id; for one nobody described, a plain one on market ``free``, for backtests only.

    Raises:
        ConfigError: the text is no instrument id.
    """
    found = (known or {}).get(InstrumentId(instrument))
    if found is not None:
        return found
    code, _, venue = instrument.rpartition(".")
    if not is_id(code, venue):
        raise ConfigError(f"instrument {instrument[:60]!r} is no id; write code, dot and venue, as in 600000.SH")
    return Instrument(id=InstrumentId(instrument), currency=_CURRENCIES.get(venue.upper(), "CNY"))


def is_id(code: str, venue: str) -> bool:
    """Whether these are the two parts of an id: nothing that can not be seen, or be mistaken for the end of a name."""
    text = f"{code}.{venue}"
    return bool(code and venue) and text.isprintable() and not any(map(str.isspace, text)) and len(text) <= ID_MAX


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise ConfigError(f"instruments file {path}: there is no such file; check the path") from None
    except OSError as why:
        raise ConfigError(f"instruments file {path}: can not be opened ({why.strerror})") from why
    except UnicodeDecodeError as why:
        raise ConfigError(f"instruments file {path}: is not UTF-8 at byte {why.start}; save it as UTF-8") from why
    except (ValueError, RecursionError) as why:
        # A TOMLDecodeError, a number of thousands of digits, or a path with a NUL in it.
        raise ConfigError(f"instruments file {path}: is no TOML: {why}; correct that place") from why


def _instrument(path: Path, name: str, row: Any, markets: Collection[str] | None) -> Instrument:
    place = f'instruments file {path}, [instrument."{name}"]'
    code, _, venue = name.rpartition(".")
    if not is_id(code, venue):
        raise ConfigError(f'{place}: the name is no id; write code, dot and venue in quotes, as in "600000.SH"')
    try:
        read = msgspec.convert(row, InstrumentRow)
    except msgspec.ValidationError as why:
        said = str(why).replace(" - at `$.", " (key ").replace("`", "") + (")" if " - at `$." in str(why) else "")
        keys = ", ".join(InstrumentRow.__struct_fields__)
        raise ConfigError(f"{place}: {said}; keys are {keys}") from why
    if read.lot < 1 or read.multiplier < 1:
        raise ConfigError(f"{place}: lot and multiplier are whole numbers from 1 up; correct them")
    if not read.tick.is_finite() or read.tick <= 0:
        raise ConfigError(f'{place}: tick {read.tick} is not above 0; write for example tick = "0.01"')
    if markets is not None and read.market not in markets:
        raise ConfigError(f"{place}: there is no market {read.market!r}; markets are {', '.join(sorted(markets))}")
    given = {key: getattr(read, key) for key in InstrumentRow.__struct_fields__}
    given |= {key: tuple(_span(f"{place}: {key}", text) for text in given[key]) for key in _SPANS}
    return Instrument(id=InstrumentId(name), **given)


_SPANS = ("special", "suspended")


def _span(place: str, text: str) -> Span:
    first, dots, last = text.partition("..")
    try:
        span = Span(
            date.fromisoformat(first).toordinal(),
            date.fromisoformat(last if dots else first).toordinal() if last or not dots else 0,
        )
    except ValueError:
        raise ConfigError(f'{place} {text!r} is no span of days; write "2024-05-06..2025-06-12"') from None
    if span.last and span.last < span.first:
        raise ConfigError(f"{place} {text!r} ends before it begins; swap the days")
    return span
