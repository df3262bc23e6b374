"""The account's orders of the day, put together from two tables that may each be short (contract 3.1, 3.2, 5.5, 5.3).

The cancel page lists what is live, the history what there was. A copy that failed looks like an empty table, some
brokers' history is always empty, and neither says so: what was seen once and is missing now makes a reading short.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import msgspec
from msgspec import Struct

from engine.domain.account import OrderRow
from engine.domain.errors import BadMessage
from engine.domain.evidence import Evidence
from engine.domain.ids import InstrumentId, VenueOrderId
from engine.domain.money import ZERO
from engine.domain.order import Order
from engine.domain.timestamps import parse_time
from engine.gateways.easyths.instruments import instrument_of
from engine.gateways.easyths.rows import Funds, Holding, OrderLine
from engine.gateways.easyths.statuses import Word, evidence_of, word_of

ASKED = "待撤"
"""In the word of a live order whose withdrawal is under way: such a row's reason is its word."""
SMALL_CHANGE = Decimal(1)


class Account(Struct, frozen=True):
    """Holdings and money of one reading."""

    holdings: tuple[Holding, ...]
    funds: Funds

    @property
    def money(self) -> tuple[Decimal | None, ...]:
        """What moves only when something is traded: not the worth of the holdings."""
        return (self.funds.balance, self.funds.available, self.funds.frozen)

    @property
    def held(self) -> tuple[tuple[str, int, int | None], ...]:
        return tuple(sorted((one.code, one.quantity, one.sellable) for one in self.holdings))


class Reading(Struct, frozen=True, kw_only=True):
    """What one look at the account brought. ``history`` is None where the client could not show it."""

    day: date
    as_of_ns: int
    live: Sequence[OrderLine]
    """The cancel page."""
    history: Sequence[OrderLine] | None
    holdings: Sequence[Holding]
    funds: Funds

    @property
    def account(self) -> Account | None:
        """Holdings and money; None where the empty list of holdings contradicts the money."""
        worth = self.funds.securities
        if not self.holdings and (worth is None or worth > SMALL_CHANGE):
            return None
        return Account(holdings=tuple(self.holdings), funds=self.funds)


class Listing(Struct, frozen=True):
    """Orders of one reading, and whether an order that is not among them is not there."""

    rows: tuple[OrderRow, ...]
    whole: bool
    live_only: bool
    """No history was seen yet: what is over is in no table."""


class DayBook:
    """Remembers the orders of one trading day, to tell a short reading from a whole one.

    Args:
        known: code -> instrument, as the settings have it.
        words: status words and their meanings.
    """

    def __init__(self, known: Mapping[str, InstrumentId], words: Mapping[str, Word], timezone: str) -> None:
        self._codes = known
        self._words = words
        self._timezone = timezone
        self._day: date | None = None
        self._known: dict[str, OrderRow] = {}
        self._days: dict[str, date] = {}
        self._quiet: Account | None = None
        self._sent = False
        self._history_works = False

    def sending(self) -> None:
        """Something leaves that may change the account: until tables show rows again, only the old picture is quiet."""
        self._sent = True

    # --- names -------------------------------------------------------------------------------------------------------

    def live_rows(self, lines: Sequence[OrderLine], day: date, as_of_ns: int) -> list[OrderRow]:
        """The cancel page alone, named as the whole list names it."""
        return [self._row(key, line, as_of_ns, live=True) for key, line in self._keyed(lines, day).items()]

    def past_rows(self, lines: Sequence[OrderLine], sought: Sequence[Order], as_of_ns: int) -> list[OrderRow]:
        """Of the lines of earlier days those that are orders sought, or may be: what still seems open ended with its
        day."""
        rows = []
        for key, line in _keyed(lines).items():
            if not any(self._may_be(key, line, order) for order in sought):
                continue
            row = self._row(key, line, as_of_ns, live=False)
            ended = Evidence.EXPIRED if row.status is Evidence.WORKING else row.status
            rows.append(msgspec.structs.replace(row, status=ended))
        return rows

    def _may_be(self, key: str, line: OrderLine, order: Order) -> bool:
        if order.venue_id:
            return key == order.venue_id
        request = order.request
        return (
            line.quantity == request.quantity
            and line.side in (None, request.side)
            and instrument_of(line.code, line.market, self._codes) == request.instrument
        )

    def _keyed(self, lines: Sequence[OrderLine], day: date) -> dict[str, OrderLine]:
        return _keyed([self._dated(line, day) for line in lines])

    def _dated(self, line: OrderLine, day: date) -> OrderLine:
        """The day is the row's own, else the one that the history gives that number, else today."""
        if line.day is not None:
            return line
        known = self._days.get(line.number or "") if day == self._day else None
        return msgspec.structs.replace(line, day=known or day)

    def _row(self, key: str, line: OrderLine, as_of_ns: int, *, live: bool) -> OrderRow:
        what = f"order {key} of {line.code}, {line.word or 'no status'}"
        status = evidence_of(
            line.quantity, line.filled, line.canceled, word_of(line.word, self._words), live=live, what=what
        )
        return OrderRow(
            instrument=instrument_of(line.code, line.market, self._codes),
            side=line.side,
            quantity=line.quantity,
            price=line.price,
            status=status,
            cum=line.filled,
            average_price=line.average,
            venue_id=VenueOrderId(key),
            ts_ns=parse_time(f"{line.day}T{line.time}", self._timezone) if line.time else 0,
            as_of_ns=as_of_ns,
            reason=line.word if status in (Evidence.REJECT, Evidence.CANCELED) or ASKED in line.word else "",
        )

    # --- a reading ---------------------------------------------------------------------------------------------------

    def take(self, reading: Reading) -> Listing:
        """The day's orders after this reading; those that it lacks stay as last known, if a history was ever seen that
        would have them.

        Raises:
            BadMessage: rows that contradict themselves or each other.
        """
        if reading.day != self._day:
            self._day, self._known, self._sent = reading.day, {}, False
            self._days = {}
        if reading.history:
            self._days = {line.number: line.day for line in reading.history if line.number and line.day}
        live = self._keyed(reading.live, reading.day)
        past = self._keyed(reading.history or (), reading.day)
        self._history_works = self._history_works or bool(past)
        lines = _merged(live, past)
        account = reading.account
        rows = {key: self._row(key, line, reading.as_of_ns, live=key in live) for key, line in lines.items()}
        nameless = any(line.number == "" for line in (*reading.live, *(reading.history or ())))
        missing = [key for key in self._known if key not in rows]
        self._remember(rows)
        whole = (
            not missing
            and not nameless
            and self._agree(reading, live, past, rows)
            and (bool(rows) or self._is_quiet(account))
        )
        if rows:
            self._sent = False
        if account is not None and not self._sent:
            self._quiet = account
        live_only = not self._history_works
        shown = [row for key, row in self._known.items() if not live_only or key in rows]
        return Listing(tuple(shown), whole, live_only)

    def _remember(self, rows: Mapping[str, OrderRow]) -> None:
        for key, row in rows.items():
            before = self._known.get(key)
            if before is not None and before.cum > row.cum:
                # Filled is filled: a copy of a moment before must not take it back.
                row = before
            self._known[key] = row

    @staticmethod
    def _agree(
        reading: Reading,
        live: Mapping[str, OrderLine],
        past: Mapping[str, OrderLine],
        rows: Mapping[str, OrderRow],
    ) -> bool:
        """Whether the two tables vouch for each other."""
        if reading.history is None:
            return False
        if any(key not in past for key in live):
            # A history behind the cancel page, or empty beside it, may lack an order that came and went.
            return False
        is_open = any(row.status is Evidence.WORKING for row in rows.values())
        return bool(live) or not is_open

    def _is_quiet(self, account: Account | None) -> bool:
        """Two empty tables are believed where nothing is frozen, and money and holdings are as they were before."""
        if account is None or account.funds.frozen is None or account.funds.frozen != ZERO:
            return False
        return self._quiet is not None and account.money == self._quiet.money and account.held == self._quiet.held


# --- keys ------------------------------------------------------------------------------------------------------------


def _keyed(lines: Sequence[OrderLine]) -> dict[str, OrderLine]:
    """``20261121-123456`` -> the order of that number; one without a number yet is left out.

    Where the table has no such column, a row is named by what it says, and by how many before it said the same.

    Raises:
        BadMessage: one number, two orders.
    """
    found: dict[str, OrderLine] = {}
    ordinals: dict[str, int] = {}
    for line in lines:
        name = f"{line.day:%Y%m%d}-"
        if line.number is None:
            name += f"{line.time}-{line.code}-{line.side or '?'}-{line.price or 'market'}-{line.quantity}"
            ordinals[name] = ordinals.get(name, 0) + 1
            name += f"-{ordinals[name]}"
        elif not line.number:
            continue
        else:
            name += line.number
        before = found.get(name)
        if before is not None and (before.code, before.quantity) != (line.code, line.quantity):
            raise BadMessage(f"order number {line.number} stands for {before.code} and for {line.code}")
        found[name] = line if before is None or _moved(line) > _moved(before) else before
    return found


def _moved(line: OrderLine) -> int:
    return line.filled + (line.canceled or 0)


def _merged(live: Mapping[str, OrderLine], past: Mapping[str, OrderLine]) -> dict[str, OrderLine]:
    """Each order once; the history was read later, and wins where it knows of more.

    Raises:
        BadMessage: one number, two orders.
    """
    merged = dict(past)
    for key, line in live.items():
        other = past.get(key)
        if other is not None and (other.code, other.quantity) != (line.code, line.quantity):
            raise BadMessage(f"order {key} is {line.code} on the cancel page, and {other.code} in the history")
        if other is None or _moved(other) <= _moved(line):
            merged[key] = line
    return merged
