"""One cell of a table. The server tries every one as int, then float, else leaves the text (contracts/ht.md 3.4).

So a code may have lost its zeros, and the same column may hold a number in one row and a text in the next.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from engine.domain.errors import BadMessage
from engine.domain.money import exact
from engine.domain.timestamps import ns_from_datetime

NUMBER_MAX = 10**15
"""Beyond any quantity or amount in yuan: what a table says of that size was read wrongly."""
NOTHING = ("", "-", "--", "---", "None", "nan")
_PREFIXED = re.compile(r"(sh|sz|bj)\.?([0-9]{6})\Z", re.IGNORECASE)
_SUFFIXED = re.compile(r"([0-9]{6})\.(sh|sz|bj|ss)\Z", re.IGNORECASE)
_CLOCK = re.compile(r"([0-9]{1,2})[::]([0-9]{2})(?:[::]([0-9]{2}))?(?:\.[0-9]+)?\Z")
_DAY = re.compile(r"([0-9]{4})[-/年]?([0-9]{2})[-/月]?([0-9]{2})日?\Z")
_NUMBER = re.compile(r"[0-9A-Za-z]{1,32}\Z")


def text(cell: Any) -> str:
    """The cell's text; empty for what stands for nothing."""
    if cell is None or isinstance(cell, bool | list | dict):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    found = str(cell).strip()
    return "" if found in NOTHING else found


def number(cell: Any, what: str) -> Decimal | None:
    """The cell's value, thousands separators taken out; None for what stands for nothing.

    Raises:
        BadMessage: it is no number.
    """
    if isinstance(cell, bool | list | dict):
        raise BadMessage(f"{what}: {cell!r} is no number")
    if isinstance(cell, str):
        cell = cell.strip().replace(",", "").replace("，", "")
    if cell is None or cell in NOTHING:
        return None
    try:
        found = exact(cell)
    except ValueError as error:
        raise BadMessage(f"{what}: {str(cell)[:40]!r} is no number") from error
    if abs(found) >= NUMBER_MAX:
        raise BadMessage(f"{what}: {str(cell)[:40]} is more than any amount")
    return found


def code(cell: Any) -> tuple[str, str]:
    """Six digits, zeros restored, and the exchange it names itself: ``SH``, ``SZ``, ``BJ`` or nothing.

    Empty where the cell holds no code of this kind.
    """
    found = text(cell).replace(",", "")
    if (match := _PREFIXED.match(found)) is not None:
        return match[2], match[1].upper()
    if (match := _SUFFIXED.match(found)) is not None:
        return match[1], match[2].upper().replace("SS", "SH")
    return (found.zfill(6), "") if found.isascii() and found.isdigit() and len(found) <= 6 else ("", "")


def order_number(cell: Any) -> str:
    """An order's number as we write it: without zeros in front, as the tables lose them; empty for none."""
    found = text(cell)
    if not _NUMBER.match(found):
        return ""
    return found.lstrip("0") if found.isdigit() else found


def day(cell: Any) -> date | None:
    """``20240520``, also as a number; ``2024-05-20``, ``2024/05/20``. None where it is no day."""
    match = _DAY.match(text(cell).partition(" ")[0])
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match is not None else None
    except ValueError:
        return None


def seconds_of_day(cell: Any) -> int | None:
    """``09:35:20``; ``93520``, a number that lost its zero; after a day as well. Without seconds: the minute's last.

    None where it is no time: the list does not say.
    """
    found = text(cell).rpartition(" ")[2]
    match = _CLOCK.match(found)
    if match is not None:
        hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 59)
    elif found.isascii() and found.isdigit() and len(found) <= 6:
        hours, minutes, seconds = int(found.zfill(6)[:2]), int(found.zfill(6)[2:4]), int(found.zfill(6)[4:])
    else:
        return None
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 and seconds < 60 else None


def instant(on: date, seconds: int, timezone: str) -> int:
    """Nanoseconds UTC of a local time of day."""
    moment = datetime(on.year, on.month, on.day, seconds // 3600, seconds // 60 % 60, seconds % 60)  # noqa: DTZ001
    return ns_from_datetime(moment.replace(tzinfo=ZoneInfo(timezone)))
