"""Call budgets that keep every route below its official frequency limit (contracts/futu.md 8, dated in its tags)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from msgspec import Struct

from engine.clock import Clock
from engine.domain.errors import NotSent
from engine.domain.timestamps import SECOND_NS
from engine.net.rate_limit import Budget, Priority, SlidingWindow


class Pace(Struct, frozen=True):
    """At most ``calls`` in ``window_ns``; ``kept_free`` of them only for calls by hand; ``apart_ns`` between two."""

    calls: int
    window_ns: int = 30 * SECOND_NS
    kept_free: int = 0
    apart_ns: int = 0


PACES: Mapping[str, Pace] = {
    # Official: 15 in 30 s and 0.02 s apart; 20 in 30 s and 0.04 s apart.
    "order": Pace(14, kept_free=2, apart_ns=SECOND_NS // 50),
    "modify": Pace(18, apart_ns=SECOND_NS // 25),
    "unlock": Pace(9),
    "funds": Pace(8),
    "positions": Pace(8),
    "orders": Pace(8),
    "fills": Pace(8),
    "history_orders": Pace(8),
    "history_fills": Pace(8),
    "max_trd_qtys": Pace(8),
    "order_fee": Pace(8),
    "margin_ratio": Pace(8),
    # A client paces to 10 in 30 s where the page says 60 (contract 13, row 11).
    "history_first": Pace(1, window_ns=3 * SECOND_NS),
    "history_next": Pace(1, window_ns=SECOND_NS),
    "snapshot": Pace(1, window_ns=SECOND_NS),
    "warrant": Pace(54),
    "capital_flow": Pace(27),
    "capital_distribution": Pace(27),
    "future_info": Pace(27),
    "market_state": Pace(9),
    "owner_plate": Pace(9),
    "plate_set": Pace(9),
    "plate_security": Pace(9),
    "option_chain": Pace(9),
    "reference": Pace(9),
    "stock_filter": Pace(9),
    "ipo_list": Pace(9),
    "user_security": Pace(9),
}
TOTAL = Pace(20, window_ns=SECOND_NS)
"""Everything together."""
BY_HAND = Priority.LOGIN
"""Calls a person makes may use what is kept free."""
JITTER_FACTOR = 5
"""Two requests under way may arrive nearer to each other than they left: this much more distance between them."""
_MARGIN_NS = SECOND_NS // 4


class PacingTable:
    """One budget a class of call, and one for all of them together.

    Args:
        paces: other figures than the contract's, by class.
    """

    def __init__(self, clock: Clock, paces: Mapping[str, Pace] = PACES, total: Pace = TOTAL) -> None:
        self._clock = clock
        self._paces = dict(paces)
        self._budgets = {name: self._budget(name, pace) for name, pace in self._paces.items()}
        self._total = self._budget("total", total)
        self._next_ns: dict[str, int] = {}

    @asynccontextmanager
    async def call(self, pace: str, priority: Priority, wait_max_ns: int | None = None) -> AsyncIterator[None]:
        """A place for one call, given back when the block ends. ``pace`` empty: only the budget of all calls counts.

        Raises:
            NotSent: no place within ``wait_max_ns``.
        """
        budget = self._budgets.get(pace)
        own = None if budget is None else await budget.acquire(pace, priority, wait_max_ns=wait_max_ns)
        counted = True
        try:
            ticket = await self._total.acquire("total", priority, wait_max_ns=wait_max_ns)
            try:
                await self._apart(pace)
                yield
            except NotSent:
                counted = False
                raise
            finally:
                self._total.release(ticket, counted=counted)
                self._over(pace)
        except NotSent:
            counted = False
            raise
        finally:
            if budget is not None and own is not None:
                budget.release(own, counted=counted)

    def refused(self, pace: str, retry_after_ns: int) -> None:
        """The far side said too often all the same: that class waits."""
        budget = self._budgets.get(pace)
        if budget is not None:
            budget.refused(pace, retry_after_ns)

    async def _apart(self, pace: str) -> None:
        gap = self._paces[pace].apart_ns if pace in self._paces else 0
        if not gap:
            return
        now = self._clock.now_ns
        mine = max(now, self._next_ns.get(pace, 0))
        self._next_ns[pace] = mine + gap * JITTER_FACTOR
        if mine > now:
            await self._clock.sleep_until(mine)

    def _over(self, pace: str) -> None:
        """However late the far side counted it, the next one comes after."""
        gap = self._paces[pace].apart_ns if pace in self._paces else 0
        if gap:
            self._next_ns[pace] = max(self._next_ns.get(pace, 0), self._clock.now_ns + gap + gap // 2)

    def _budget(self, name: str, pace: Pace) -> Budget:
        ceilings = {Priority.ORDER: pace.calls - pace.kept_free} if pace.kept_free else {}
        limits = {name: pace.calls}
        window = SlidingWindow(limits, window_ns=pace.window_ns, margin_ns=_MARGIN_NS, ceilings=ceilings)
        return Budget(window, self._clock)
