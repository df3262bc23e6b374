"""Every endpoint by name, for ``sluice call`` and ``ctx.query``: key=value texts in, plain JSON values out."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any

import msgspec

from engine.domain.errors import BadMessage, ConfigError
from engine.gateways.amazingdata.client import AmazingDataClient, Scope, Work
from engine.gateways.amazingdata.messages import day_from_wire
from engine.gateways.amazingdata.periods import PERIODS
from engine.gateways.named_routes import Args, Route, call_named


class AmazingDataArgs(Args):
    """Readers of words only this gateway takes."""

    def flag(self, name: str) -> bool:
        given = self._texts.get(name, "false").lower()
        if given not in ("true", "false"):
            raise ConfigError(f"{self._route}: {name}={given!r}; write true or false")
        return given == "true"

    def codes(self) -> list[str]:
        return [code.strip() for code in self.text("codes").split(",") if code.strip()]

    def day(self, name: str) -> date:
        try:
            return day_from_wire(self.text(name))
        except BadMessage:
            raise ConfigError(f"{self._route}: {name}={self.text(name)!r} is no day; write 20240131") from None

    def span(self) -> tuple[date, date]:
        return self.day("start_date"), self.day("end_date")

    def period(self, default: str = "daily") -> str:
        given = self.text("period", default)
        if given and given not in PERIODS.values():
            raise ConfigError(f"{self._route}: period={given!r}; write {', '.join(PERIODS.values())}")
        return given

    def scope(self) -> Scope:
        start, end = self.span()
        table = {"security_type": self.text("security_type", "stock"), "start": start, "end": end}
        for name in ("period_type", "contract_type"):
            if self.text(name):
                table[name] = self.text(name)
        try:
            return msgspec.convert(table, Scope)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{self._route}: {error}") from error


SPAN = ("start_date", "end_date")
SCOPE = ("security_type", "period_type", "contract_type")


def _start(work: Work) -> Callable[[AmazingDataClient, AmazingDataArgs], Awaitable[Any]]:
    return lambda c, a: c.start_work(work, a.scope())


ROUTES: dict[str, Route[AmazingDataClient, AmazingDataArgs]] = {
    "login": Route(path="POST /auth/login", text="log in and get a token; without arguments as the configured user",
                   run=lambda c, a: c.login(a.text("username"), a.text("password")),
                   takes=("username", "password"), changes=True),
    "me": Route(path="GET /auth/me", text="the user of the token", run=lambda c, _: c.me()),
    "sdk_configs": Route(path="GET /configs/sdk", text="logins of the SDK behind the service",
                         run=lambda c, _: c.sdk_configs()),
    "create_sdk_config": Route(
        path="POST /configs/sdk", text="add a login of the SDK",
        run=lambda c, a: c.create_sdk_config(
            a.text("name"), a.text("username"), a.text("password"), a.text("host"), port=a.whole("port", 8600),
            local_path=a.text("local_path"), is_default=a.flag("is_default")),
        needs=("name", "username", "password", "host"), takes=("port", "local_path", "is_default"), changes=True),
    "test_sdk_config": Route(path="POST /configs/sdk/{id}/test", text="try a login of the SDK, up to a minute",
                             run=lambda c, a: c.test_sdk_config(a.whole("id")), needs=("id",), changes=True),
    "codes": Route(path="GET /base/codes", text="today's codes of a type, as EXTRA_STOCK_A",
                   run=lambda c, a: c.codes(a.text("security_type")), needs=("security_type",)),
    "calendar": Route(path="GET /base/calendar", text="trading days of SH, SZ or CFE",
                      run=lambda c, a: c.calendar(a.text("market"), *a.span()), needs=("market", *SPAN)),
    "code_info": Route(path="GET /base/codes/{code}/info", text="name, market and type of a code",
                       run=lambda c, a: c.code_info(a.text("code")), needs=("code",)),
    "stock_kline": Route(path="GET /stock/kline", text="bars of shares, unadjusted, as sent",
                         run=lambda c, a: c.stock_kline(a.codes(), *a.span(), a.period()),
                         needs=("codes", *SPAN), takes=("period",)),
    "stock_chart": Route(path="GET /stock/kline/{code}/chart", text="bars of one share in the chart form",
                         run=lambda c, a: c.stock_chart(a.text("code"), *a.span(), a.period()),
                         needs=("code", *SPAN), takes=("period",)),
    "stock_kline_batch": Route(path="POST /stock/kline/batch", text="as stock_kline, for up to 50 codes",
                               run=lambda c, a: c.stock_kline_batch(a.codes(), *a.span(), a.period("")),
                               needs=("codes", *SPAN), takes=("period",)),
    "future_kline": Route(path="GET /future/kline", text="bars of futures, with settlement and open interest",
                          run=lambda c, a: c.future_kline(a.codes(), *a.span(), a.period()),
                          needs=("codes", *SPAN), takes=("period",)),
    "future_varieties": Route(path="GET /cache/future-varieties", text="products of the futures exchanges",
                              run=lambda c, _: c.future_varieties()),
    "main_contracts": Route(path="GET /cache/main-contracts", text="today's main contract of each product",
                            run=lambda c, _: c.main_contracts()),
    "detect_missing": Route(path="POST /cache/detect-all-missing", text="what the server's cache lacks; takes minutes",
                            run=lambda c, a: c.detect_missing(a.scope()), needs=SPAN, takes=SCOPE, changes=True),
    "cache_all_missing": Route(path="POST /cache/cache-all-missing", text="let the server cache everything",
                               run=_start("cache-all-missing"), needs=SPAN, takes=SCOPE, changes=True),
    "fill_missing": Route(path="POST /cache/fill-missing", text="let the server cache what it lacks",
                          run=_start("fill-missing"), needs=SPAN, takes=SCOPE, changes=True),
    "task": Route(path="GET /cache/tasks/{task_id}", text="how far a task of the cache is",
                  run=lambda c, a: c.task(a.whole("task_id")), needs=("task_id",)),
    "tasks": Route(path="GET /cache/tasks", text="tasks of the cache, newest first",
                   run=lambda c, a: c.tasks(a.whole("page", 1), a.whole("page_size", 20)),
                   takes=("page", "page_size")),
    "balance_sheet": Route(path="GET /finance/balance-sheet", text="balance sheets by reporting period, as sent",
                           run=lambda c, a: c.statements("balance-sheet", a.codes(), *a.span()),
                           needs=("codes", *SPAN)),
    "income": Route(path="GET /finance/income", text="income statements by reporting period, as sent",
                    run=lambda c, a: c.statements("income", a.codes(), *a.span()), needs=("codes", *SPAN)),
    "cash_flow": Route(path="GET /finance/cash-flow", text="cash flow statements by reporting period, as sent",
                       run=lambda c, a: c.statements("cash-flow", a.codes(), *a.span()), needs=("codes", *SPAN)),
}  # fmt: skip


async def call_route(client: AmazingDataClient, gateway: str, route: str, args: Mapping[str, str]) -> Any:
    """See ``Gateway.call``."""
    return await call_named(ROUTES, AmazingDataArgs, client, gateway, route, args)
