"""What other people's orders did to an account, as its lists show it, and how much of that our book has already.

A row that is no order's of ours is a stranger's. What it filled beyond what our book has explains a difference exactly,
once the two are known to agree; before that (the first readings of a life), and where a list may be short, any part of
it may.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from engine.domain.account import AccountSnapshot, OrderRow
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, VenueOrderId
from engine.domain.order import Evidence

Owner = Callable[[AccountId, VenueOrderId, ClientOrderId], bool]
"""Whether an order of ours bears this venue id or tag."""
Likeness = Callable[[AccountId, OrderRow], bool]
"""Whether it may be an order of ours whose number nobody knows: the holdings told what it did."""


class Doing(Struct, frozen=True):
    """One stranger's order: what it filled, signed quantities bought above 0."""

    venue_id: str
    instrument: InstrumentId
    sign: int
    cum: int
    open: int
    """What it may fill yet, or may have filled unseen; 0 once it is over."""
    price: Decimal | None
    sure: bool
    """Whether the price is that of its fills."""
    like_ours: bool = False
    """It may be one of ours after all (``Likeness``), whose fills our book has."""


class Move(Struct, frozen=True):
    """What strangers may have done to one holding that our book does not have: between ``least`` and ``most``."""

    least: int
    most: int
    names: tuple[str, ...]


class Strangers:
    """One a run."""

    def __init__(self, is_ours: Owner, is_like_ours: Likeness) -> None:
        self._is_ours = is_ours
        self._is_like_ours = is_like_ours
        self._booked: dict[AccountId, dict[str, int]] = {}
        self._exact: dict[AccountId, bool] = {}
        self._pending: dict[AccountId, tuple[int, dict[str, int]]] = {}
        self._seen: dict[AccountId, dict[str, Doing]] = {}

    def read(self, snapshot: AccountSnapshot) -> list[Doing]:
        """Every stranger's order of this reading; those that a list of live orders shows no more keep what was seen."""
        found = self._listed(snapshot)
        seen = self._seen.get(snapshot.account, {})
        if snapshot.live_only or not snapshot.whole:
            found = {**seen, **found}
        self._seen[snapshot.account] = found
        return list(found.values())

    def rows(self, snapshot: AccountSnapshot) -> list[OrderRow]:
        """The rows themselves, for people to read."""
        return [row for row in snapshot.orders or () if not self._owned(snapshot.account, row)]

    def _owned(self, account: AccountId, row: OrderRow) -> bool:
        names = (row.venue_id, row.other_id)
        return any(self._is_ours(account, name, ClientOrderId(row.client_tag)) for name in names)

    def _listed(self, snapshot: AccountSnapshot) -> dict[str, Doing]:
        executed: dict[str, dict[str, tuple[int, Decimal]]] = {}
        found: dict[str, Doing] = {}
        for fill in snapshot.fills or ():
            if fill.venue_id and not self._is_ours(snapshot.account, fill.venue_id, ClientOrderId("")):
                executed.setdefault(fill.venue_id, {})[fill.fill_id] = (fill.quantity, fill.price)
                if fill.side is not None:
                    found[fill.venue_id] = _of_fills(
                        fill.venue_id, fill.instrument, fill.side.sign, executed[fill.venue_id]
                    )
        for row in self.rows(snapshot):
            if not row.venue_id or row.side is None:
                continue
            known = found.get(row.venue_id) or found.get(row.other_id)
            found.pop(row.other_id, None)
            cum = max(row.cum, known.cum if known is not None else 0)
            price = row.average_price or (known.price if known is not None else None)
            found[row.venue_id] = Doing(
                venue_id=row.venue_id,
                instrument=row.instrument,
                sign=row.side.sign,
                cum=cum,
                open=max(0, row.quantity - cum) if row.status is Evidence.WORKING else 0,
                price=price or row.price,
                sure=price is not None,
                like_ours=self._is_like_ours(snapshot.account, row),
            )
        return found

    def moves(self, snapshot: AccountSnapshot, doings: Iterable[Doing]) -> dict[InstrumentId, Move]:
        """By instrument, what our book may not have yet."""
        account, exact = snapshot.account, self._exact.get(snapshot.account, False)
        listed = {row.venue_id for row in snapshot.orders or ()} if snapshot.orders is not None else None
        found: dict[InstrumentId, Move] = {}
        for doing in doings:
            gone = listed is not None and doing.venue_id not in listed
            new, unseen = self.unbooked(account, doing), doing.open if gone else 0
            if not new and not unseen:
                continue
            most = doing.sign * (new + unseen)
            ends = (doing.sign * new, most) if exact and not doing.like_ours else (0, most)
            known = found.get(doing.instrument, Move(0, 0, ()))
            found[doing.instrument] = Move(
                known.least + min(ends), known.most + max(ends), (*known.names, doing.venue_id)
            )
        return found

    def unbooked(self, account: AccountId, doing: Doing) -> int:
        """How much of what it filled our book lacks."""
        return max(0, doing.cum - self._booked.get(account, {}).get(doing.venue_id, 0))

    def agreed(self, snapshot: AccountSnapshot, doings: Iterable[Doing], lag_ns: int) -> None:
        """Our book equals this reading: it has what an earlier reading, older than the longest lag, showed as filled.

        Not what this one shows: its list was not read in the same instant as its holdings.
        """
        account, now = snapshot.account, {doing.venue_id: doing.cum for doing in doings}
        pending = self._pending.get(account)
        if pending is None or not any(now.values()):
            self._pending[account] = (snapshot.as_of_ns, now)
            self._exact[account] = self._exact.get(account, False) or not any(now.values())
        elif snapshot.as_of_ns > pending[0] + lag_ns:
            self._booked[account] = pending[1]
            self._exact[account] = True
            self._pending[account] = (snapshot.as_of_ns, now)
            self._forget_gone(account, snapshot)

    def booked(self, snapshot: AccountSnapshot, doings: Iterable[Doing]) -> dict[str, int]:
        """The differences of this reading are booked: our book has all it shows. Gives what the journal keeps."""
        account = snapshot.account
        self._booked[account] = {doing.venue_id: doing.cum for doing in doings if doing.cum}
        self._exact[account] = True
        self._pending.pop(account, None)
        self._forget_gone(account, snapshot)
        return dict(self._booked[account])

    def restore(self, account: AccountId, booked: Mapping[str, int]) -> None:
        """What the journal says our book has; the life that wrote it may have learnt more."""
        if booked:
            self._booked[account] = dict(booked)

    def _forget_gone(self, account: AccountId, snapshot: AccountSnapshot) -> None:
        if snapshot.orders is not None and (snapshot.live_only or not snapshot.whole):
            listed = {row.venue_id for row in snapshot.orders}
            self._seen[account] = {n: d for n, d in self._seen.get(account, {}).items() if n in listed}


def _of_fills(venue_id: str, instrument: InstrumentId, sign: int, parts: Mapping[str, tuple[int, Decimal]]) -> Doing:
    cum = sum(quantity for quantity, _ in parts.values())
    worth = sum((price * quantity for quantity, price in parts.values()), Decimal(0))
    return Doing(venue_id, instrument, sign, cum, 0, worth / cum if cum else None, sure=True)
