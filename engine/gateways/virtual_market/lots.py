"""Which shares are still locked, kept by ourselves: the venue tells neither lots nor locks (contract 6 and 7)."""

from msgspec import Struct

from engine.domain.timestamps import HOUR_NS

LOCK_NS = HOUR_NS
"""What a lot is locked for unless a success text said otherwise (contract 7, observed 2026-11)."""


class Lot(Struct):
    """Surely locked before ``locked_ns``, surely free from ``unlocked_ns`` on; in between nobody knows."""

    quantity: int
    locked_ns: int
    unlocked_ns: int


class Lots:
    """The lots of one account, first in first out among the unlocked."""

    def __init__(self, lock_ns: int = LOCK_NS) -> None:
        self._lots: dict[str, list[Lot]] = {}
        self._lock_ns = lock_ns

    def bought(self, instrument: str, quantity: int, now_ns: int, lock_ns: int | None = None) -> None:
        if lock_ns is not None:
            self._lock_ns = lock_ns
        until = now_ns + self._lock_ns
        self._lots.setdefault(instrument, []).append(Lot(quantity, until, until))

    def sold(self, instrument: str, quantity: int, now_ns: int) -> None:
        lots = self._lots.get(instrument, [])
        # What was sold was unlocked, whatever we believed; so uncertain lots go before those known to be locked.
        for lot in sorted(lots, key=lambda lot: (lot.unlocked_ns > now_ns, lot.locked_ns)):
            taken = min(quantity, lot.quantity)
            lot.quantity -= taken
            quantity -= taken
        self._keep(instrument, lots)

    def observed(self, held: dict[str, int], now_ns: int) -> None:
        """Square with a portfolio: others trade the account too, and what is new of them may be locked from now."""
        for instrument in [*self._lots, *(i for i in held if i not in self._lots)]:
            lots = self._lots.setdefault(instrument, [])
            change = held.get(instrument, 0) - sum(lot.quantity for lot in lots)
            if change > 0:
                lots.append(Lot(change, now_ns, now_ns + self._lock_ns))
            elif change < 0:
                self.sold(instrument, -change, now_ns)
        self._lots = {instrument: lots for instrument, lots in self._lots.items() if lots}

    def refused(self, instrument: str, sellable: int, now_ns: int, unlock_ns: int | None) -> None:
        """A refused sale says how many can be sold now and when the next lot unlocks: that settles every lot."""
        lots = self._lots.get(instrument, [])
        total = sum(lot.quantity for lot in lots)
        free = min(total, sellable)
        settled = [Lot(free, now_ns, now_ns)]
        if unlock_ns is not None:
            # Several lots may hide in the rest: the next of them is free then, the last at most a whole lock from now.
            settled.append(Lot(total - free, now_ns + unlock_ns, now_ns + max(unlock_ns, self._lock_ns)))
        self._keep(instrument, settled)

    def sellable(self, instrument: str, now_ns: int) -> int | None:
        """Shares that can be sold now; None where that can not be known yet."""
        lots = self._lots.get(instrument, [])
        if any(lot.locked_ns <= now_ns < lot.unlocked_ns for lot in lots):
            return None
        return sum(lot.quantity for lot in lots if lot.unlocked_ns <= now_ns)

    def _keep(self, instrument: str, lots: list[Lot]) -> None:
        self._lots[instrument] = [lot for lot in lots if lot.quantity > 0]
