"""Trading and accounts of the virtual market (contracts/virtual_market.md 6 and 7).

Arithmetic is done in floats and rounded where the venue rounds, so that messages agree with it to the last digit; what
is booked is kept exactly. A trade is booked in one go: where the real venue lets two simultaneous requests of one
account read the same balance, this one takes them one after the other (the contract allows it, 8).
"""

from collections.abc import Callable
from decimal import Decimal
from math import floor
from typing import Any

from engine.domain.commands import Side
from engine.domain.money import exact
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.simulators.accounts import Account, BookedTrade, Lot
from engine.simulators.exchange import Exchange, Stock
from engine.simulators.virtual_market import messages
from engine.simulators.virtual_market.messages import Refusal, Unhandled

FEE_RATE = 0.01
SLIP_PER_SHARE = 0.0000005
SLIP_MAX = 0.30


class Wealth:
    """What an account owns outside of the market; nothing here trades it."""

    def __init__(self, name: str, company_assets: float, bank_deposits: float, bank_loans: float) -> None:
        self.name = name
        self.company_assets = company_assets
        self.bank_deposits = bank_deposits
        self.bank_loans = bank_loans


class Ledger:
    """Books trades on an exchange's accounts, and is the oracle of what really happened.

    ``user`` is a chat id or a login name everywhere. ``economy = False`` plays the outside service being down.
    """

    def __init__(self, exchange: Exchange, *, lock_minutes: int, booked: Callable[[], None] = lambda: None) -> None:
        self.exchange = exchange
        self.economy = True
        self._lock_minutes = lock_minutes
        self._booked = booked
        self._wealth: dict[str, Wealth] = {}
        self._chat_ids: dict[str, str] = {}

    def open_account(self, chat_id: str, login: str, coins: int, wealth: Wealth) -> None:
        """Open it where it is not open already."""
        self._wealth[chat_id] = wealth
        self._chat_ids[login] = chat_id
        self.exchange.accounts.setdefault(chat_id, Account(user=chat_id, cash=Decimal(coins)))

    def known(self) -> list[str]:
        """Chat ids of all accounts of this face."""
        return list(self._wealth)

    # The oracle

    def account(self, user: str) -> Account:
        """Raises:
        KeyError: no such user.
        """
        return self.exchange.accounts[self._chat_ids.get(user, user)]

    def coins(self, user: str) -> int:
        return int(self.account(user).cash)

    def holdings(self, user: str) -> dict[str, int]:
        account = self.account(user)
        return {code: account.held(code) for code in account.codes()}

    def trades(self, user: str) -> list[BookedTrade]:
        """Every trade booked, in order."""
        return list(self.account(user).trades)

    # Stocks by what a client calls them

    def find(self, identifier: object) -> Stock | None:
        """By place in code order (from 1), by code in any case, or by name, in this order.

        Raises:
            Unhandled: not text.
        """
        if not isinstance(identifier, str):
            raise Unhandled
        stocks = self.exchange.stocks
        if identifier.isdecimal() and 1 <= int(identifier) <= len(stocks):
            return stocks[int(identifier) - 1]
        folded = identifier.upper()
        return next((s for s in stocks if s.listing.code.upper() == folded or s.listing.name == identifier), None)

    # Trading

    def buy(self, user: str, identifier: object, quantity: int, now_ns: int, request: int) -> str:
        """Raises:
        Refusal: nothing was booked.
        """
        self._ready(now_ns)
        if quantity <= 0:
            raise Refusal(messages.BAD_QUANTITY)
        return self._buy(self._known(identifier), user, quantity, now_ns, request)

    def buy_all_in(self, user: str, identifier: object, now_ns: int, request: int) -> str:
        """Raises:
        Refusal: nothing was booked.
        """
        self._ready(now_ns)
        stock = self._known(identifier)
        quantity = floor(max(self.coins(user), 0) / stock.price)
        if quantity < 1:
            raise Refusal(messages.NOT_ONE_SHARE)
        return self._buy(stock, user, quantity, now_ns, request)

    def sell(self, user: str, identifier: object, quantity: int, now_ns: int, request: int) -> str:
        """Raises:
        Refusal: nothing was booked.
        """
        self._ready(now_ns)
        if quantity <= 0:
            raise Refusal(messages.BAD_QUANTITY)
        stock = self._known(identifier)
        account, code = self.account(user), stock.listing.code
        sellable = account.sellable(code, now_ns)
        if sellable < quantity:
            unlock_ns = account.next_unlock_ns(code, now_ns)
            seconds = None if unlock_ns is None else -(-(unlock_ns - now_ns) // SECOND_NS)
            raise Refusal(messages.too_few_shares(sellable, seconds))
        return self._sell(stock, account, quantity, now_ns, request)[0]

    def sell_all_stock(self, user: str, identifier: object, now_ns: int, request: int) -> str:
        """Raises:
        Refusal: nothing was booked.
        """
        self._ready(now_ns)
        stock = self._known(identifier)
        account = self.account(user)
        sellable = account.sellable(stock.listing.code, now_ns)
        if not sellable:
            raise Refusal(messages.nothing_of_it_to_sell(stock.listing.name))
        return self._sell(stock, account, sellable, now_ns, request)[0]

    def sell_all_portfolio(self, user: str, now_ns: int, request: int) -> str:
        """Raises:
        Refusal: nothing was booked.
        """
        self._ready(now_ns)
        account = self.account(user)
        lines: list[str] = []
        total_net = total_profit = 0.0
        for code in account.codes():
            stock, sellable = self.exchange.stock(code), account.sellable(code, now_ns)
            # A delisted stock can not be sold; the venue leaves it out without a word.
            if stock is None or not sellable:
                continue
            _, net, profit = self._sell(stock, account, sellable, now_ns, request)
            lines.append(messages.sold_line(stock.listing.name, sellable, net, profit))
            total_net += net
            total_profit += profit
        if not lines:
            raise Refusal(messages.NOTHING_TO_SELL)
        return messages.sold_everything(lines, total_net, total_profit)

    # Reading an account as the venue tells it

    def portfolio(self, user: str) -> dict[str, Any]:
        account, wealth = self.account(user), self._wealth[self.account(user).user]
        rows: list[dict[str, Any]] = []
        stock_value = cost_basis = 0.0
        for code in account.codes():
            stock = self.exchange.stock(code)
            if stock is None:
                continue
            quantity, cost = account.held(code), float(account.cost(code))
            value = quantity * stock.price
            stock_value += value
            cost_basis += cost
            rows.append(
                {
                    "stock_id": code,
                    "name": stock.listing.name,
                    "quantity": quantity,
                    "avg_cost": round(cost / quantity, 2),
                    "market_value": round(value, 2),
                    "pnl": round(value - cost, 2),
                    "pnl_percent": round((value - cost) / cost * 100, 2) if cost else 0,
                }
            )
        profit = stock_value - cost_basis
        coins = int(account.cash) if self.economy else 0
        total = coins + stock_value + wealth.company_assets + wealth.bank_deposits - wealth.bank_loans
        return {
            "user_id": account.user,
            "total_assets": round(float(total), 2),
            "coins": coins,
            "stock_value": round(stock_value, 2),
            "company_assets": wealth.company_assets,
            "bank_deposits": wealth.bank_deposits,
            "bank_loans": wealth.bank_loans,
            "holdings_count": len(account.codes()),
            "holdings_detailed": rows,
            "total_pnl": profit if rows else 0,
            "total_pnl_percent": profit / cost_basis * 100 if cost_basis else 0,
            "user_name": wealth.name,
        }

    def ranking(self, limit: int) -> list[dict[str, Any]]:
        rows = [self.portfolio(chat_id) for chat_id in self._wealth]
        for row in rows:
            del row["user_name"]
        rows = [row for row in rows if row["total_assets"] > 0]
        rows.sort(key=lambda row: row["total_assets"], reverse=True)
        return rows[:limit]

    # Inside

    def _ready(self, now_ns: int) -> None:
        if not self.exchange.is_open(now_ns):
            raise Refusal(messages.CLOSED)
        if not self.economy:
            raise Refusal(messages.ECONOMY_DOWN)

    def _known(self, identifier: object) -> Stock:
        stock = self.find(identifier)
        if stock is None:
            raise Refusal(messages.unknown_stock(str(identifier)))
        return stock

    def _buy(self, stock: Stock, user: str, quantity: int, now_ns: int, request: int) -> str:
        account, price = self.account(user), stock.price
        try:
            cost = round(price * quantity, 2)
        except OverflowError:
            raise Unhandled from None
        if account.cash < cost:
            raise Refusal(messages.too_few_coins(cost, int(account.cash)))
        account.lots.append(
            Lot(
                code=stock.listing.code,
                quantity=quantity,
                price=exact(price),
                bought_ns=now_ns,
                sellable_ns=now_ns + self._lock_minutes * MINUTE_NS,
            )
        )
        self._book(account, stock, Side.BUY, quantity, price, cost, 0.0, -floor(cost), now_ns, request)
        return messages.bought(price, quantity, stock.listing.name, cost, self._lock_minutes)

    def _sell(
        self, stock: Stock, account: Account, quantity: int, now_ns: int, request: int
    ) -> tuple[str, float, float]:
        """Gives back the message, the net income and the profit before fees."""
        slip = min(quantity * SLIP_PER_SHARE, SLIP_MAX)
        fill = stock.price * (1 - slip)
        gross = round(fill * quantity, 2)
        fee = round(FEE_RATE * gross, 2)
        net = round(gross - fee, 2)
        cost = float(account.take(stock.listing.code, quantity, now_ns))
        profit = round(gross - cost, 2)
        self._book(account, stock, Side.SELL, quantity, fill, gross, fee, floor(net), now_ns, request)
        return messages.sold(quantity, stock.price, fill, gross, fee, net, slip, profit), net, profit

    def _book(
        self,
        account: Account,
        stock: Stock,
        side: Side,
        quantity: int,
        price: float,
        value: float,
        fee: float,
        cash_change: int,
        now_ns: int,
        request: int,
    ) -> None:
        account.cash += cash_change
        account.trades.append(
            BookedTrade(
                ts_ns=now_ns,
                side=side,
                code=stock.listing.code,
                quantity=quantity,
                price=exact(price),
                value=exact(value),
                fee=exact(fee),
                cash_change=Decimal(cash_change),
                request=request,
            )
        )
        self.exchange.press(stock.listing.code, quantity if side is Side.BUY else -quantity, now_ns)
        self.exchange.print_trade(stock.listing.code, round(price, 2), quantity, now_ns)
        self._booked()
