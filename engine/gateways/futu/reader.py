"""Reading an account: orders, fills, positions and funds over all its markets (contracts/futu.md 4, 11)."""

from collections.abc import Callable, Sequence

from engine.clock import Clock
from engine.domain.account import Balance, PositionRow
from engine.domain.commands import OrderType
from engine.domain.errors import BadMessage
from engine.domain.ids import InstrumentId, code_of
from engine.domain.order import Order
from engine.domain.timestamps import DAY_NS
from engine.gateways.futu import account_messages as a
from engine.gateways.futu import codes, orders
from engine.gateways.futu import routes as r
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.client import FutuClient
from engine.gateways.futu.hours import local_text
from engine.net.rate_limit import Priority


class AccountReader:
    """Asks every market of the account; each row once, and only answers about this very account.

    Args:
        account: the proven account.
    """

    def __init__(self, client: FutuClient, clock: Clock, account: Callable[[], orders.Account]) -> None:
        self.markets: tuple[int, ...] = ()
        """Header markets whose lists make up the account."""
        self._client = client
        self._clock = clock
        self._account = account

    async def orders(self, *, refresh: bool) -> tuple[list[t.Order], int]:
        """Every order of today, each once, and when the first reading began."""
        began = self._clock.now_ns
        found: dict[str, t.Order] = {}
        for market in self.markets:
            question = t.OrdersAsk(header=self._account().header(market), refresh_cache=refresh or None)
            answer = await self._client.ask(r.ORDERS, question, priority=Priority.READ)
            self._check(answer.header)
            for row in answer.order_list or []:
                found[row.order_id_ex or row.order_id] = row
        return list(found.values()), began

    async def fills(self) -> list[t.OrderFill]:
        found: dict[tuple[str, int | None], t.OrderFill] = {}
        for market in self.markets:
            question = t.FillsAsk(header=self._account().header(market), refresh_cache=True)
            answer = await self._client.ask(r.ORDER_FILLS, question, priority=Priority.READ)
            self._check(answer.header)
            for row in answer.order_fill_list or []:
                found[row.fill_id_ex or row.fill_id, row.status] = row
        return list(found.values())

    async def past(self, sought: Sequence[Order], today: Sequence[t.Order]) -> tuple[list[t.Order], list[t.OrderFill]]:
        """Orders of earlier days as the history has them, and what they filled: known by our remark, or by their id.

        Args:
            today: the list of the day; what is in it needs no history.
        """
        account, known = self._account(), [row for row in today if _is_one_of(row, sought)]
        missing = [order for order in sought if not any(_is_one_of(row, (order,)) for row in known)]
        rows, fills = dict[str, t.Order](), dict[tuple[str, int | None], t.OrderFill]()
        for market in dict.fromkeys(account.market_of(order.request.instrument) for order in missing):
            asked = [order for order in missing if account.market_of(order.request.instrument) == market]
            header, period = account.header(market), _period(asked, self._clock.now_ns)
            question = t.HistoryOrdersAsk(header=header, filter_conditions=period)
            answer = await self._client.ask(r.HISTORY_ORDERS, question, priority=Priority.READ)
            self._check(answer.header)
            ours = [row for row in answer.order_list or [] if _is_one_of(row, asked)]
            rows |= {row.order_id_ex or row.order_id: row for row in ours}
            if not any(row.fill_qty for row in ours):
                continue
            ids = {name for row in ours for name in (row.order_id_ex, row.order_id) if name and name != "0"}
            executed = t.HistoryFillsAsk(header=header, filter_conditions=period)
            told = await self._client.ask(r.HISTORY_ORDER_FILLS, executed, priority=Priority.READ)
            self._check(told.header)
            for fill in told.order_fill_list or []:
                if fill.order_id_ex in ids or fill.order_id in ids:
                    fills[fill.fill_id_ex or fill.fill_id, fill.status] = fill
        return list(rows.values()), list(fills.values())

    async def positions(self) -> tuple[PositionRow, ...]:
        found: dict[str, PositionRow] = {}
        for market in self.markets:
            question = a.PositionsAsk(header=self._account().header(market), refresh_cache=True)
            answer = await self._client.ask(r.POSITIONS, question, priority=Priority.READ)
            self._check(answer.header)
            for row in answer.position_list or []:
                one = orders.position_from_wire(row)
                if one is not None and one.quantity:
                    found[f"{row.position_id}/{one.instrument}"] = one
        return orders.merged_positions(list(found.values()))

    async def balances(self) -> tuple[Balance, ...]:
        answer = await self.funds(refresh=True)
        if answer.funds is None:
            raise BadMessage("/api/funds: an answer without funds")
        return orders.balances_from_wire(answer.funds, self._account().currency)

    async def funds(self, *, refresh: bool = False) -> a.FundsAnswer:
        """Funds of the account in its currency; also the probe that account and environment fit (contract 3).

        Raises:
            GatewayError
        """
        account = self._account()
        question = a.FundsAsk(
            header=account.header(self.markets[0]),
            refresh_cache=refresh or None,
            currency=codes.CURRENCY_CODES.get(account.currency),
        )
        answer = await self._client.ask(r.FUNDS, question, priority=Priority.READ)
        self._check(answer.header)
        return answer

    async def max_quantities(self, instrument: InstrumentId, price: float) -> t.MaxTrdQtys:
        """How much of it the account could buy and sell at a limit price.

        Raises:
            GatewayError
        """
        account, place = self._account(), codes.place_of(instrument)
        question = t.MaxTrdQtysAsk(
            header=account.header(account.market_of(instrument)),
            order_type=codes.ORDER_TYPES[OrderType.LIMIT],
            code=code_of(instrument),
            price=price,
            sec_market=place.sec_market,
        )
        answer = await self._client.ask(r.MAX_TRD_QTYS, question)
        if answer.max_trd_qtys is None:
            raise BadMessage("/api/max-trd-qtys: an answer without quantities")
        return answer.max_trd_qtys

    def _check(self, header: a.HeaderAnswer) -> None:
        """An answer about another account would be the worst evidence of all."""
        account = self._account()
        if header.acc_id != account.acc_id or header.trd_env != account.trd_env:
            raise BadMessage(f"asked for account {account.acc_id}, answered for {header.acc_id} env {header.trd_env}")


def _is_one_of(row: t.Order, orders_: Sequence[Order]) -> bool:
    return any(
        row.remark == order.request.client_id or (order.venue_id and order.venue_id in (row.order_id_ex, row.order_id))
        for order in orders_
    )


def _period(sought: Sequence[Order], now_ns: int) -> a.Filter:
    """From the day before the oldest was sent, whatever the venue's clock says, until now and a day."""
    place = codes.place_of(sought[0].request.instrument)
    first_ns = min(order.sent_ns for order in sought)
    return a.Filter(begin_time=local_text(first_ns - DAY_NS, place), end_time=local_text(now_ns + DAY_NS, place))
