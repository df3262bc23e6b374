"""Routes of codes, calendar, K-lines and statements."""

from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from typing import Any

from starlette.requests import Request

from engine.simulators.amazingdata import messages
from engine.simulators.amazingdata.bars import PERIODS
from engine.simulators.amazingdata.finance import Statement
from engine.simulators.amazingdata.platform import AmazingData
from engine.simulators.amazingdata.reading import Field, body, code_list, day, query
from engine.simulators.amazingdata.universe import FUTURE, TYPES, Security
from engine.simulators.china import day_of

Handler = Callable[[Request], Awaitable[Any]]
MARKETS = ("SH", "SZ", "CFE")
_DATES = (Field("start_date"), Field("end_date"))
_PERIOD = Field("period", default="daily")


class DataRoutes:
    def __init__(self, platform: AmazingData) -> None:
        self._platform = platform

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each route."""
        return [
            ("GET", "/base/codes", self.codes),
            ("GET", "/base/calendar", self.calendar),
            ("GET", "/base/codes/{code}/info", self.info),
            ("GET", "/stock/kline", partial(self.kline, futures=False)),
            ("GET", "/stock/kline/{code}/chart", self.chart),
            ("POST", "/stock/kline/batch", self.batch),
            ("GET", "/future/kline", partial(self.kline, futures=True)),
            ("GET", "/finance/balance-sheet", partial(self.statements, statement="balance-sheet")),
            ("GET", "/finance/income", partial(self.statements, statement="income")),
            ("GET", "/finance/cash-flow", partial(self.statements, statement="cash-flow")),
        ]

    async def codes(self, request: Request) -> Any:
        (kind,) = query(request, Field("security_type"))
        if kind not in TYPES:
            raise messages.bad_type(kind)
        self._platform.need_sdk()
        found = self._platform.universe.codes(kind, day_of(self._platform.now_ns()))
        if self._platform.settings.forms.codes == "objects":
            return [{"code": code, "name": "", "market": code.rpartition(".")[2]} for code in found]
        return found

    async def calendar(self, request: Request) -> Any:
        """It ends at the current day: what comes is not published (contracts/amazingdata.md 3)."""
        market, start, end = query(request, Field("market"), *_DATES)
        if market not in MARKETS:
            raise messages.bad_market(market)
        first, last = day(start), day(end)
        today = day_of(self._platform.now_ns())
        found = [date.fromordinal(number) for number in self._platform.days.between(first, min(last, today))]
        match self._platform.settings.forms.calendar:
            case "integers":
                return [int(f"{each:%Y%m%d}") for each in found]
            case "dashed":
                return [each.isoformat() for each in found]
        return [f"{each:%Y%m%d}" for each in found]

    async def info(self, request: Request) -> Any:
        security = self._known(request.path_params["code"])
        return {"code": security.code, "name": security.name, "market": security.market, "type": security.type}

    async def kline(self, request: Request, *, futures: bool) -> Any:
        codes, start, end, period = query(request, Field("codes"), *_DATES, _PERIOD)
        return self._bars(codes, start, end, period, futures=futures)

    async def batch(self, request: Request) -> Any:
        codes, start, end, period = await body(request, Field("codes", "texts"), *_DATES, _PERIOD)
        return self._bars(codes, start, end, period, futures=False)

    async def chart(self, request: Request) -> Any:
        start, end, period = query(request, *_DATES, _PERIOD)
        width, first, last = _width(period), day(start), day(end)
        security = self._known(request.path_params["code"])
        if security.type == FUTURE:
            raise messages.unknown_code(security.code)
        bars = self._platform.bars
        rows = list(bars.rows(security, first, last, width, self._platform.now_ns()))
        volumes: list[Any] = [row.volume for row in rows]
        if self._platform.settings.forms.chart == "triples":
            # The sample this form is from marks a falling bar with 1.
            volumes = [
                [number, row.volume, 1 if (row.open or 0) > (row.close or 0) else -1] for number, row in enumerate(rows)
            ]
        return {
            "categoryData": [bars.label(row, width) for row in rows],
            "values": [[row.open, row.close, row.low, row.high, row.volume] for row in rows],
            "volumes": volumes,
        }

    async def statements(self, request: Request, *, statement: Statement) -> Any:
        codes, start, end = query(request, Field("codes"), *_DATES)
        wanted = code_list(codes, self._platform.settings.codes_max)
        first, last = day(start), day(end)
        found = [security for code in wanted if (security := self._platform.universe.find(code)) is not None]
        today = day_of(self._platform.now_ns())
        return self._platform.statements.answer(statement, found, first, last, today)

    def _bars(self, codes: str | list[str], start: str, end: str, period: str, *, futures: bool) -> dict[str, Any]:
        wanted = code_list(codes, self._platform.settings.codes_max)
        width, first, last = _width(period), day(start), day(end)
        now_ns, found = self._platform.now_ns(), {}
        for code in wanted:
            security = self._platform.universe.find(code)
            rows = []
            if security is not None and (security.type == FUTURE) is futures:
                rows = self._platform.bars.labelled(security, first, last, width, now_ns)
            if rows or self._platform.settings.forms.no_data == "empty":
                found[code] = rows
        return found

    def _known(self, code: str) -> Security:
        security = self._platform.universe.find(code)
        if security is None:
            raise messages.unknown_code(code)
        return security


def _width(period: str) -> int:
    """Minutes of a bar, 0 for a day.

    Raises:
        Failure: a period the page does not name.
    """
    if period not in PERIODS:
        raise messages.bad_period(period)
    return PERIODS[period]
