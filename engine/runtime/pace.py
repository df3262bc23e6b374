"""How fast requests may leave: the rate limits again, counted where the venue counts them.

The gate counts orders when they are decided. Those that stood in line behind an order of unknown outcome would leave in
one burst afterwards, each of them allowed, and too many together. So the way out counts too: a request weighs from the
moment it leaves until the whole span after its answer (RELIABILITY 2.4, I6).
"""

from collections import deque
from collections.abc import Hashable, Sequence

from msgspec import Struct

from engine.domain.commands import SubmitOrder
from engine.domain.ids import AccountId
from engine.domain.timestamps import MINUTE_NS
from engine.risk.limit import Limit
from engine.risk.rate import RateLimit
from engine.risk.scopes import SCOPE_KEYS

RETRY_NS = 100_000_000
"""How soon to look again when only requests under way hold the next one back."""


class Departure(Struct, eq=False):
    """One request; ``over_ns`` is when its answer came, None while it is under way."""

    over_ns: int | None = None


class _Window:
    def __init__(self, span_ns: int, cap: int) -> None:
        self.span_ns = span_ns
        self.cap = cap
        self.departures: deque[Departure] = deque()

    def wait_ns(self, now_ns: int) -> int:
        """How long until one more may leave; 0: now."""
        departures, span_ns = self.departures, self.span_ns
        while departures and (over := departures[0].over_ns) is not None and over + span_ns <= now_ns:
            departures.popleft()
        if len(departures) < self.cap:
            return 0
        over = departures[len(departures) - self.cap].over_ns
        return RETRY_NS if over is None else over + span_ns - now_ns

    def left(self, now_ns: int) -> int:
        """How many more may leave at once."""
        self.wait_ns(now_ns)
        return max(0, self.cap - len(self.departures))


class Pace:
    """One a run, shared by every way out of it."""

    def __init__(self, limits: Sequence[Limit], per_minute: dict[AccountId, int]) -> None:
        """``limits``: those of the gate; what is no rate limit is left alone. ``per_minute``: what each venue takes."""
        self._rates = [(limit.span_ns, limit.cap, limit.scope) for limit in limits if isinstance(limit, RateLimit)]
        self._per_minute = per_minute
        self._windows: dict[tuple[Hashable, ...], _Window] = {}

    def wait_ns(self, order: SubmitOrder, now_ns: int) -> int:
        """How long the request of this order must still wait; 0: it may leave."""
        return max(window.wait_ns(now_ns) for window in self._of(order))

    def left(self, account: AccountId, now_ns: int) -> int:
        """How many orders the account's gateway still takes within this minute."""
        return self._window(("venue", account), MINUTE_NS, self._per_minute[account]).left(now_ns)

    def leaves(self, order: SubmitOrder) -> Departure:
        """Count it; set ``over_ns`` when it is over."""
        departure = Departure()
        for window in self._of(order):
            window.departures.append(departure)
        return departure

    def _of(self, order: SubmitOrder) -> list[_Window]:
        found = [self._window(("venue", order.account), MINUTE_NS, self._per_minute[order.account])]
        for span_ns, cap, scope in self._rates:
            key = SCOPE_KEYS[scope](order.strategy, order.account, order.instrument)
            found.append(self._window((scope, span_ns, key), span_ns, cap))
        return found

    def _window(self, key: tuple[Hashable, ...], span_ns: int, cap: int) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(span_ns, cap)
        return window
