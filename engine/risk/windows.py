"""Counters and sums with bounded memory: the last N seconds, one trading day, and keys seen a moment ago."""

from collections import deque
from collections.abc import Hashable
from decimal import Decimal

from engine.domain.money import ZERO


class SlidingWindow:
    """How many stamps fell in the last ``span_ns``: those later than now - span. At most ``cap + 1`` are kept.

    A stamp that is older than the newest counts as the newest: never too lenient. Reading drops what has run out, so
    time must not run backwards between reads.
    """

    __slots__ = ("_span_ns", "_stamps")

    def __init__(self, span_ns: int, cap: int) -> None:
        self._span_ns = span_ns
        self._stamps: deque[int] = deque(maxlen=cap + 1)

    def add(self, ts_ns: int) -> None:
        stamps = self._stamps
        stamps.append(max(ts_ns, stamps[-1]) if stamps else ts_ns)

    def count(self, now_ns: int) -> int:
        """Exact up to ``cap + 1``, which also stands for anything above; O(1) amortised."""
        stamps = self._stamps
        edge = now_ns - self._span_ns
        while stamps and stamps[0] <= edge:
            stamps.popleft()
        return len(stamps)


class DayCounter:
    """A count that starts again when the trading day (its number) rises; one integer, not a list of stamps."""

    __slots__ = ("_count", "_day")

    def __init__(self) -> None:
        self._day = -1
        self._count = 0

    def add(self, day: int) -> None:
        """A late event of a past day counts towards the running one: never too lenient."""
        if day > self._day:
            self._day, self._count = day, 0
        self._count += 1

    def count(self, day: int) -> int:
        return 0 if day > self._day else self._count


class DaySum:
    """As ``DayCounter``, for money."""

    __slots__ = ("_day", "_sum")

    def __init__(self) -> None:
        self._day = -1
        self._sum = ZERO

    def add(self, day: int, amount: Decimal) -> None:
        if day > self._day:
            self._day, self._sum = day, ZERO
        self._sum += amount

    def total(self, day: int) -> Decimal:
        return ZERO if day > self._day else self._sum


class RecentKeys:
    """When each key was last seen, within ``span_ns``; what is older is forgotten as new ones come."""

    __slots__ = ("_arrivals", "_last", "_span_ns")

    def __init__(self, span_ns: int) -> None:
        self._span_ns = span_ns
        self._last: dict[Hashable, int] = {}
        self._arrivals: deque[tuple[int, Hashable]] = deque()

    def __len__(self) -> int:
        return len(self._arrivals)

    def add(self, key: Hashable, ts_ns: int) -> None:
        arrivals, last = self._arrivals, self._last
        if arrivals:
            ts_ns = max(ts_ns, arrivals[-1][0])
        edge = ts_ns - self._span_ns
        while arrivals and arrivals[0][0] <= edge:
            old_ns, old = arrivals.popleft()
            if last.get(old) == old_ns:
                del last[old]
        arrivals.append((ts_ns, key))
        last[key] = ts_ns

    def age_ns(self, key: Hashable, now_ns: int) -> int | None:
        """How long ago the key was last seen, ns; None if not within the span."""
        seen = self._last.get(key)
        if seen is None or seen <= now_ns - self._span_ns:
            return None
        return now_ns - seen


class RollingSum:
    """The sum of what was added in the last ``span_ns``; as ``SlidingWindow``, exact and O(1) amortised."""

    __slots__ = ("_entries", "_span_ns", "_sum")

    def __init__(self, span_ns: int) -> None:
        self._span_ns = span_ns
        self._entries: deque[tuple[int, Decimal]] = deque()
        self._sum = ZERO

    def add(self, ts_ns: int, amount: Decimal) -> None:
        entries = self._entries
        if entries:
            ts_ns = max(ts_ns, entries[-1][0])
        self._drop(ts_ns)
        entries.append((ts_ns, amount))
        self._sum += amount

    def total(self, now_ns: int) -> Decimal:
        """What is later than now - span."""
        self._drop(now_ns)
        return self._sum

    def _drop(self, now_ns: int) -> None:
        entries, edge = self._entries, now_ns - self._span_ns
        while entries and entries[0][0] <= edge:
            self._sum -= entries.popleft()[1]
