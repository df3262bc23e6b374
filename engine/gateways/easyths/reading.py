"""Reading the account: two order tables, holdings and money, in one turn of the server's queue (contract 5.2, 5.6)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from engine.clock import Clock
from engine.domain.account import AccountSnapshot, Balance, OrderRow, PositionRow
from engine.domain.errors import BadMessage, Refused
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.money import ZERO
from engine.domain.order import Order
from engine.domain.timestamps import day_of
from engine.gateways.easyths.client import EasythsClient
from engine.gateways.easyths.daybook import DayBook, Reading
from engine.gateways.easyths.instruments import instrument_of
from engine.gateways.easyths.operations import OPERATIONS, TODAY
from engine.gateways.easyths.rows import (
    Condition,
    Funds,
    Holding,
    OrderLine,
    conditions_from_rows,
    funds_from_wire,
    holdings_from_rows,
    orders_from_rows,
)
from engine.gateways.easyths.tables import Row, rows_from_wire

CURRENCY = "CNY"
SPANS = {"近一周": 7, "近一月": 30, "近三月": 90}
LONGEST = "近一年"
"""Periods of the history, and how many days each reaches back, today included (contract 3)."""
ROOM = Decimal(1)
"""Yuan that sums of rounded amounts may be apart."""

Note = Callable[[str, Mapping[str, Any]], None]


def table_of(name: str, data: Any) -> list[Row]:
    """The rows in an operation's data: under the page's name for them (older), or bare (newer).

    Raises:
        BadMessage: no table.
    """
    key = OPERATIONS[name].table
    if isinstance(data, dict) and key in data:
        return rows_from_wire(data[key], name)
    return rows_from_wire(data, name)


class AccountReader:
    """Whoever calls it holds the client's turn, except for ``funds_alone``."""

    def __init__(
        self, client: EasythsClient, clock: Clock, book: DayBook, account: AccountId, timezone: str,
        known: Mapping[str, InstrumentId], note: Note,
    ) -> None:  # fmt: skip
        self.began_ns = 0
        """When the last whole reading began."""
        self.funds_ns = 0
        """When money was last read with success."""
        self._client = client
        self._clock = clock
        self._book = book
        self._account = account
        self._timezone = timezone
        self._known = known
        self._note = note

    async def live_rows(self) -> list[OrderRow]:
        """The cancel page.

        Raises:
            GatewayError: it could not be read.
        """
        began = self._clock.now_ns
        lines = await self._live()
        return self._book.live_rows(lines, self._day(began), began)

    async def snapshot(self, sought: Sequence[Order] = ()) -> AccountSnapshot:
        """Orders first, then holdings and money, which so are never behind the orders.

        Args:
            sought: orders of earlier days, which a history of more than the day is asked for.

        Raises:
            GatewayError: a part could not be read.
        """
        began = self._clock.now_ns
        live = await self._live()
        history = await self._history(TODAY)
        old = await self._past(sought, began) if sought else None
        holdings = await self._holdings()
        funds = await self.funds()
        reading = Reading(
            day=self._day(began), as_of_ns=began, live=live, history=history, holdings=holdings, funds=funds
        )
        listing = self._book.take(reading)
        self.began_ns = began
        held = None if reading.account is None else self._positions(holdings)
        return AccountSnapshot(
            account=self._account,
            as_of_ns=began,
            ts_ns=self._clock.now_ns,
            balances=balances_of(funds),
            positions=held,
            orders=(*listing.rows, *(old or ())),
            past=None if not sought else old is not None,
            whole=listing.whole,
            live_only=listing.live_only,
        )

    async def funds(self) -> Funds:
        """Raises: Refused: the client shows no money: it is not logged in. GatewayError: it could not be read."""
        funds = funds_from_wire((await self._client.query("funds_query")).data, "funds_query")
        if funds.total is None:
            raise Refused("funds_query: no 总资产; the trading client is not logged in, or was ended")
        self.funds_ns = self._clock.now_ns
        return funds

    async def funds_alone(self) -> Funds:
        """As ``funds``, in a turn of its own: the only proof that the trading client lives (contract 5.1)."""
        async with self._client.turn():
            return await self.funds()

    async def conditions(self) -> list[Condition]:
        """Conditions that wait at the client.

        Raises:
            GatewayError: they could not be read.
        """
        finished = await self._client.query("condition_order_query")
        return conditions_from_rows(table_of("condition_order_query", finished.data), "condition_order_query")

    async def _live(self) -> list[OrderLine]:
        finished = await self._client.query("order_query")
        return orders_from_rows(table_of("order_query", finished.data), "order_query")

    async def _past(self, sought: Sequence[Order], began_ns: int) -> list[OrderRow] | None:
        """Rows of earlier days that are, or may be, orders that are sought; None where there is no row of them at all:
        an empty history proves nothing (contract 3.2)."""
        today = self._day(began_ns)
        age = (today - min(self._day(order.sent_ns) for order in sought)).days
        lines = await self._history(next((name for name, days in SPANS.items() if age < days), LONGEST))
        earlier = [line for line in lines or () if line.day is not None and line.day < today]
        return self._book.past_rows(earlier, sought, began_ns) if earlier else None

    async def _history(self, span: str) -> list[OrderLine] | None:
        """None where the client says that it could not show it: some brokers do not offer it."""
        name = "historical_commission_query"
        try:
            finished = await self._client.query(name, {"time_range": span})
        except Refused as refused:
            if refused.status is not None:
                raise
            self._note("router.no_history", {"account": self._account, "reason": refused.message})
            return None
        return orders_from_rows(table_of(name, finished.data), name)

    async def _holdings(self) -> list[Holding]:
        finished = await self._client.query("holding_query")
        return holdings_from_rows(table_of("holding_query", finished.data), "holding_query")

    def _positions(self, holdings: list[Holding]) -> tuple[PositionRow, ...]:
        found: dict[InstrumentId, PositionRow] = {}
        for one in holdings:
            instrument = instrument_of(one.code, one.market, self._known)
            if instrument in found:
                raise BadMessage(f"holding_query: two holdings of {instrument}")
            found[instrument] = PositionRow(
                instrument=instrument, quantity=one.quantity, sellable=one.sellable, average_price=one.cost
            )
        return tuple(found.values())

    def _day(self, ts_ns: int) -> date:
        return day_of(ts_ns, self._timezone)


def balances_of(funds: Funds) -> tuple[Balance, ...] | None:
    """Cash in all, and what of it is free: what is frozen is the difference. None where the labels were not found.

    The balance of the client's first label is of last night at some brokers; all assets less all securities is of now,
    if free and frozen money bear it out.
    """
    available = funds.available
    if available is None:
        return None
    most = available + (funds.frozen if funds.frozen is not None else max(ZERO, (funds.balance or ZERO) - available))
    total = most
    if funds.total is not None and funds.securities is not None:
        worth = funds.total - funds.securities
        if available <= worth <= most + ROOM:
            total = worth
    return (Balance(currency=CURRENCY, total=total, available=available),)
