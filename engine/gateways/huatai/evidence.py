"""What the tables say of orders: the state by quantities, then by words; executions; whether a table is whole.

Everything of a day is called by day and number, since the client counts anew every day (contracts/ht.md 3.4).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct

from engine.domain.account import FillRow, OrderRow
from engine.domain.evidence import Evidence
from engine.domain.ids import InstrumentId, VenueOrderId
from engine.domain.money import ZERO
from engine.gateways.huatai.tables import OrderLine, TradeLine

LIVE = ("待撤", "未报", "待报", "已报", "正报", "未成交", "部成", "部分成交", "未审批", "已受理")
FILLED = ("已成", "全部成交", "全部已成", "成交")
WITHDRAWN = ("已撤", "全部撤单", "部撤", "部分撤单", "撤单成功", "场内撤单", "内部撤单")
REJECTED = ("废单", "拒单", "非法委托")
_PRICE_STEP = Decimal("0.000001")


def venue_id(on: date, number: str) -> VenueOrderId:
    """``20240520-12345678``: numbers start anew every day. Empty for no number."""
    return VenueOrderId(f"{on:%Y%m%d}-{number}" if number else "")


def number_of(name: VenueOrderId, on: date) -> str:
    """The number behind an id of that day; empty for an id of another day, or none."""
    day, _, number = name.partition("-")
    return number if day == f"{on:%Y%m%d}" else ""


class Done(Struct, frozen=True):
    """What today-trades shows of one order."""

    quantity: int
    average: Decimal


def state_of(line: OrderLine, traded: Done | None) -> tuple[Evidence, int]:
    """State and filled quantity of a row. Where the quantities add up they decide, else the word (contract 3.4)."""
    word, quantity = line.word, line.quantity
    filled = line.filled
    if filled is None and traded is not None:
        filled = traded.quantity
    if filled is None and (word in FILLED or word.startswith("全部")) and "撤" not in word:
        filled = quantity
    cum, withdrawn = min(filled or 0, quantity), line.withdrawn or 0
    if cum >= quantity:
        return Evidence.FILL, quantity
    if withdrawn and cum + withdrawn >= quantity:
        return Evidence.CANCELED, cum
    if any(each in word for each in REJECTED):
        return (Evidence.CANCELED if cum else Evidence.REJECT), cum
    if any(each in word for each in WITHDRAWN):
        return Evidence.CANCELED, cum
    known = any(each in word for each in (*LIVE, *FILLED)) or (not word and line.states)
    # A word nobody lists proves that the order is there, not how it stands.
    return (Evidence.WORKING if known or cum else Evidence.AMBIGUOUS), cum


def order_row(line: OrderLine, traded: Done | None, as_of_ns: int = 0) -> OrderRow:
    """The row as the core reads it; the contract number names it, the other one is kept besides.

    Args:
        as_of_ns: when the table it stands in was asked for; 0: the row speaks of no moment of its own.
    """
    status, cum = state_of(line, traded)
    name = line.contract or line.entrust
    other = line.entrust if line.contract and line.entrust != line.contract else ""
    average = line.average or (traded.average if traded is not None and traded.quantity == cum else None)
    said = status in (Evidence.REJECT, Evidence.CANCELED, Evidence.AMBIGUOUS)
    return OrderRow(
        instrument=line.instrument,
        side=line.side,
        quantity=line.quantity,
        price=line.price,
        status=status,
        cum=cum,
        average_price=average.quantize(_PRICE_STEP).normalize() if cum and average else None,
        venue_id=venue_id(line.on, name),
        other_id=venue_id(line.on, other),
        ts_ns=line.ts_ns,
        as_of_ns=as_of_ns,
        reason=" ".join(filter(None, (line.word, line.reason))) if said else "",
    )


class Executions:
    """Today's trades as fills, each once; rows the client shows twice by mistake do not count twice.

    A row with a number of its own is one execution. Rows without are counted by content, and a count goes up only when
    two readings in a row agree (RELIABILITY 2.3); they belong to no order: such a table may also list sums that grow.
    """

    def __init__(self) -> None:
        self._before: Counter[str] = Counter()
        self._believed: Counter[str] = Counter()
        self._day: date | None = None

    def read(self, lines: Sequence[TradeLine], today: date) -> "Traded":
        """One reading of the table."""
        if today != self._day:
            self._day, self._before, self._believed = today, Counter(), Counter()
        now = Counter(_content(line) for line in lines if not line.trade)
        for content, count in now.items():
            agreed = min(count, self._before[content])
            self._believed[content] = max(self._believed[content], agreed)
        self._before = now
        kept: dict[str, TradeLine] = {}
        ordinals: Counter[str] = Counter()
        for line in lines:
            if line.trade:
                kept.setdefault(f"{line.on:%Y%m%d}-{line.trade}", line)
                continue
            content = _content(line)
            ordinals[content] += 1
            if ordinals[content] <= self._believed[content]:
                kept[f"{content}#{ordinals[content]}"] = line
        return Traded(kept)


class Traded:
    """Executions of one reading, by their ids."""

    def __init__(self, lines: dict[str, TradeLine]) -> None:
        self._lines = lines

    def of(self, order: OrderLine, orders: Sequence[OrderLine]) -> Done | None:
        """What was traded of an order, for tables of orders without that column; None: none, or not to be told.

        By its number; where trades bear none, by the code, if no other order of the day could have made them.
        """
        lines = [line for line in self._lines.values() if line.instrument == order.instrument and line.on == order.on]
        if any(line.contract or line.entrust for line in lines):
            lines = [line for line in lines if _belongs(line, order)]
        else:
            alike = [o for o in orders if o.instrument == order.instrument and _sides_fit(o.side, order.side)]
            lines = [line for line in lines if len(alike) == 1 and _sides_fit(line.side, order.side)]
        quantity = sum(line.quantity for line in lines)
        value = sum((line.price * line.quantity for line in lines), ZERO)
        return Done(quantity, value / quantity) if quantity else None

    def fills(self, orders: Sequence[OrderLine], name_of: Callable[[OrderLine], VenueOrderId]) -> tuple[FillRow, ...]:
        """Rows for the core; of an order where both it and the execution have a number.

        Args:
            name_of: the id the core knows an order by.
        """
        return tuple(self._fill(name, line, orders, name_of) for name, line in self._lines.items())

    def _fill(
        self,
        name: str,
        line: TradeLine,
        orders: Sequence[OrderLine],
        name_of: Callable[[OrderLine], VenueOrderId],
    ) -> FillRow:
        owner = VenueOrderId("")
        if line.trade and (line.contract or line.entrust):
            mine = [order for order in orders if _belongs(line, order)]
            owner = name_of(mine[0]) if len(mine) == 1 else owner
        return FillRow(
            instrument=line.instrument,
            side=line.side,
            quantity=line.quantity,
            price=line.price,
            fill_id=name,
            venue_id=owner,
            ts_ns=line.ts_ns,
        )


class Wholeness:
    """Whether an order that a reading does not show is not there: ``[]`` is also how a failed reading looks (5.8)."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], None] = {}
        self._day: date | None = None
        self._was_empty = False
        self._held: frozenset[InstrumentId] = frozenset()
        self._held_was_empty = False

    def of_orders(self, lines: Sequence[OrderLine], today: date) -> bool:
        """Every order of today seen before is there; and an empty table was empty in the reading before as well."""
        if today != self._day:
            self._day, self._seen, self._was_empty = today, {}, False
        mine = [line.numbers for line in lines if line.on == today and line.numbers]
        present = {number for numbers in mine for number in numbers}
        missing = any(present.isdisjoint(numbers) for numbers in self._seen)
        self._seen |= dict.fromkeys(mine)
        confirmed = bool(lines) or self._was_empty
        self._was_empty = not lines
        return confirmed and not missing

    def of_positions(self, held: Iterable[InstrumentId], market_value: Decimal | None) -> bool:
        """Whether an empty list of holdings is one: the balance shows no shares, and a second reading agrees."""
        now = frozenset(held)
        if now:
            self._held, self._held_was_empty = now, False
            return True
        confirmed = self._held_was_empty or (market_value is not None and not self._held)
        self._held_was_empty = True
        if not confirmed or (market_value is not None and market_value > ZERO):
            return False
        self._held = frozenset()
        return True


def _belongs(trade: TradeLine, order: OrderLine) -> bool:
    """By the same number: one is called like the other's column, or there is only one column to compare."""
    if trade.instrument != order.instrument or trade.on != order.on or not _sides_fit(trade.side, order.side):
        return False
    if trade.contract and order.contract:
        return trade.contract == order.contract
    if trade.entrust and order.entrust:
        return trade.entrust == order.entrust
    return any(number in order.numbers for number in (trade.contract, trade.entrust) if number)


def _sides_fit(first: object, second: object) -> bool:
    return first is None or second is None or first == second


def _content(line: TradeLine) -> str:
    side = line.side.value if line.side is not None else "?"
    return f"{line.on:%Y%m%d}/{line.instrument}/{side}/{line.price}/{line.quantity}/{line.time}"
