"""Walk-forward windows: choose on one stretch of time, trade the choice on the next, move on by the latter's length.

Pardo, *The Evaluation and Optimization of Trading Strategies*, 2nd ed. 2008, chapter 11. A test window never overlaps
another, and everything its choice was made by ended before it.
"""

from typing import Annotated

from msgspec import Meta, Struct

from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, datetime_from_ns, duration_ns, ns_from_datetime
from engine.runtime.optimize.jobs import Span

WINDOWS_MAX = 1_000
_Length = Annotated[str, Meta(min_length=2)]


class WalkForward(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lengths as ``60d``. ``anchored``: every train window begins with the data. ``warm_up``: how much before a test
    window is heard without trading; default: its train window."""

    train: _Length
    test: _Length
    anchored: bool = False
    warm_up: str = ""


class Window(Struct, frozen=True, kw_only=True):
    number: int
    train: Span
    test: Span


def windows_of(settings: WalkForward, first_ns: int, last_ns: int, tz: str, where: str) -> list[Window]:
    """The windows of data that runs from one instant to another; the last test window may be cut short by its end.

    Windows of whole days begin at midnight of the data's zone.

    Raises:
        ConfigError: a length is none, or the data is too short for one window.
    """
    train_ns, test_ns = (_length_ns(settings, name, where) for name in ("train", "test"))
    warm_ns = None if not settings.warm_up else 0 if settings.warm_up == "0" else _length_ns(settings, "warm_up", where)
    start_ns = _midnight_ns(first_ns, tz) if not train_ns % DAY_NS and not test_ns % DAY_NS else first_ns
    count = max(0, -(-(last_ns + 1 - start_ns - train_ns) // test_ns))
    if count > WINDOWS_MAX:
        raise ConfigError(f"{where}: {count:,} windows are more than {WINDOWS_MAX:,}; write a longer test")
    found = []
    for number in range(count):
        begins_ns = start_ns + train_ns + number * test_ns
        from_ns = start_ns if settings.anchored else begins_ns - train_ns
        ends_ns = min(begins_ns + test_ns, last_ns + 1)
        heard_ns = from_ns if warm_ns is None else max(start_ns, begins_ns - warm_ns)
        train = Span(name=f"train {number + 1}", from_ns=from_ns, to_ns=begins_ns)
        test = Span(name=f"test {number + 1}", from_ns=heard_ns, trade_ns=begins_ns, to_ns=ends_ns)
        found.append(Window(number=number + 1, train=train, test=test))
    if not found:
        days = (last_ns - first_ns) / DAY_NS
        raise ConfigError(f"{where}: the data has {days:.1f} days, less than one train window; write shorter windows")
    return found


def _length_ns(settings: WalkForward, name: str, where: str) -> int:
    try:
        return duration_ns(str(getattr(settings, name)))
    except ValueError as why:
        raise ConfigError(f"{where} {name}: {why}") from why


def _midnight_ns(ts_ns: int, tz: str) -> int:
    return ns_from_datetime(datetime_from_ns(ts_ns, tz).replace(hour=0, minute=0, second=0, microsecond=0))
