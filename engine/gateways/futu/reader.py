"""Reading an account: orders, fills, positions and funds over all its markets (contracts/futu.md 4, 11)."""

from collections.abc import Callable

from engine.clock import Clock
from engine.domain.account import Balance, PositionRow
from engine.domain.commands import OrderType
from engine.domain.errors import BadMessage
from engine.domain.ids import InstrumentId, code_of
from engine.gateways.futu import account_messages as a
from engine.gateways.futu import codes, orders
from engine.gateways.futu import routes as r
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.client import FutuClient
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
