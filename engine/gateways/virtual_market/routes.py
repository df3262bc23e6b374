"""Every endpoint by name, for ``sluice call`` and ``ctx.query``: key=value texts in, plain JSON values out."""

from collections.abc import Mapping
from typing import Any, cast

from engine.domain.errors import ConfigError
from engine.gateways.named_routes import Args, Route, call_named
from engine.gateways.virtual_market.client import Period, VirtualMarketClient


class VirtualMarketArgs(Args):
    """Readers of words only this gateway takes."""

    def period(self) -> Period:
        given = self._texts.get("period", "1d")
        if given not in ("1d", "7d", "30d"):
            raise ConfigError(f"{self._route}: period={given!r}; write 1d, 7d or 30d")
        return cast(Period, given)


ROUTES: dict[str, Route[VirtualMarketClient, VirtualMarketArgs]] = {
    "login": Route(text="log in and get a token; without arguments as the configured user",
                   run=lambda c, a: c.login(a.text("user"), a.text("password")),
                   takes=("user", "password"), changes=True),
    "register": Route(text="begin a registration, answers the code for the chat robot",
                      run=lambda c, a: c.register(a.text("user"), a.text("password")),
                      needs=("user", "password"), changes=True),
    "forgot_password": Route(text="ask for a password reset code", run=lambda c, a: c.forgot_password(a.text("user")),
                             needs=("user",), changes=True),
    "reset_password": Route(
        text="set a new password",
        run=lambda c, a: c.reset_password(a.text("user"), a.text("reset_code"), a.text("new_password")),
        needs=("user", "reset_code", "new_password"), changes=True),
    "token": Route(text="the token in use, as the server echoes it", run=lambda c, _: c.token()),
    "stocks": Route(text="all stocks with their prices", run=lambda c, _: c.stocks()),
    "stock": Route(text="one stock: price, previous close, industry, volatility",
                   run=lambda c, a: c.stock(a.text("stock")), needs=("stock",)),
    "details": Route(text="one stock with its last 288 five-minute bars; 5 calls a minute",
                     run=lambda c, a: c.details(a.text("stock")), needs=("stock",)),
    "overview": Route(text="the market at a glance: hour's range, average, short trend",
                      run=lambda c, _: c.overview()),
    "kline": Route(text="bars of one stock; padding adds to (or trims) the 288 of 1d",
                   run=lambda c, a: c.kline(a.text("stock"), a.period(), a.whole("padding"), a.text("user_hash")),
                   needs=("stock",), takes=("period", "padding", "user_hash")),
    "user_hash": Route(text="the hash that shows a user's own buys on a chart",
                       run=lambda c, a: c.user_hash(a.text("qq_id")), needs=("qq_id",)),
    "ranking": Route(text="the richest users", run=lambda c, a: c.ranking(a.whole("limit", 10)), takes=("limit",)),
    "portfolio": Route(text="funds and holdings of the configured user", run=lambda c, _: c.portfolio()),
    "buy": Route(text="buy at the market, past our own risk checks",
                 run=lambda c, a: c.buy(a.text("stock"), a.whole("quantity")),
                 needs=("stock", "quantity"), changes=True),
    "sell": Route(text="sell at the market, past our own risk checks",
                  run=lambda c, a: c.sell(a.text("stock"), a.whole("quantity")),
                  needs=("stock", "quantity"), changes=True),
    "buy_all_in": Route(text="put all coins into one stock, past our own risk checks",
                        run=lambda c, a: c.buy_all_in(a.text("stock")), needs=("stock",), changes=True),
    "sell_all_stock": Route(text="sell all unlocked shares of one stock, past our own risk checks",
                            run=lambda c, a: c.sell_all_stock(a.text("stock")), needs=("stock",), changes=True),
    "sell_all_portfolio": Route(text="sell every unlocked share, past our own risk checks",
                                run=lambda c, _: c.sell_all_portfolio(), changes=True),
}  # fmt: skip


async def call_route(client: VirtualMarketClient, gateway: str, route: str, args: Mapping[str, str]) -> Any:
    """See ``Gateway.call``."""
    return await call_named(ROUTES, VirtualMarketArgs, client, gateway, route, args)
