"""Every endpoint of AmazingData, typed in and out (contract 2).

Each method raises ``NotSent``, ``Refused``, ``OutcomeUnknown``, ``BadMessage`` as their names say, and ``ConfigError``
for a login the server does not take.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal
from urllib.parse import quote as quoted

from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.gateways.amazingdata import messages as m
from engine.gateways.amazingdata.calls import Calls
from engine.gateways.amazingdata.periods import SECURITY_TYPES, checked_code
from engine.net.rate_limit import Priority

CODES_MAX = 50
"""Codes in one call (document, section 10.2)."""
_AT_ONCE = frozenset({408, 429, 502, 503, 504})
"""Statuses that bar calls repeat; their 500 may mean one bad code, and is halved instead (contract 4)."""

Statement = Literal["balance-sheet", "income", "cash-flow"]
Work = Literal["cache-all-missing", "fill-missing"]
_ByCode: Any = dict[str, list[dict[str, Any]] | None] | list[dict[str, Any]]


class Scope(Struct, frozen=True, kw_only=True):
    """What a cache call is about: ``stock`` or ``future``, ``daily``, both days included."""

    security_type: Literal["stock", "future"] = "stock"
    period_type: str = "daily"
    start: date
    end: date
    contract_type: Literal["all", "main"] | None = None

    def to_wire(self) -> dict[str, str]:
        body = {
            "security_type": self.security_type,
            "period_type": self.period_type,
            "start_date": m.day_to_wire(self.start),
            "end_date": m.day_to_wire(self.end),
        }
        return body if self.contract_type is None else {**body, "contract_type": self.contract_type}


class AmazingDataClient:
    def __init__(self, calls: Calls) -> None:
        self.calls = calls

    # --- login ---

    async def login(self, user: str = "", password: str = "") -> m.Login:
        """POST /auth/login; the session does it by itself."""
        return await self.calls.login(user, password)

    async def me(self) -> m.User:
        return await self.calls.read("GET", "/auth/me", m.User)

    # --- logins of the SDK behind the service ---

    async def sdk_configs(self) -> m.SdkConfigs:
        return await self.calls.read("GET", "/configs/sdk", m.SdkConfigs)

    async def create_sdk_config(
        self,
        name: str,
        username: str,
        password: str,
        host: str,
        *,
        port: int = 8600,
        local_path: str = "",
        is_default: bool = False,
    ) -> m.SdkConfig:
        body: dict[str, Any] = {
            "name": name, "username": username, "password": password, "host": host, "port": port,
            "is_default": is_default,
        }  # fmt: skip
        if local_path:
            body["local_path"] = local_path
        return await self.calls.start("/configs/sdk", m.SdkConfig, body=body)

    async def test_sdk_config(self, config_id: int) -> m.SdkTest:
        """Takes up to a minute."""
        return await self.calls.start(f"/configs/sdk/{config_id}/test", m.SdkTest)

    # --- codes and days ---

    async def codes(self, security_type: str) -> list[str]:
        """Today's list: it has no history, so a backtest over it knows who survived.

        Raises:
            ConfigError: no such type.
        """
        if security_type not in SECURITY_TYPES:
            raise ConfigError(f"amazingdata: no security type {security_type!r}; it has {', '.join(SECURITY_TYPES)}")
        params = {"security_type": security_type}
        return m.codes_from_wire(await self.calls.read("GET", "/base/codes", list[str | dict[str, Any]], params=params))

    async def calendar(self, market: str, start: date, end: date) -> list[date]:
        """Trading days, in order. Short or empty where the service does not know yet: never "all closed"."""
        params = {"market": market, "start_date": m.day_to_wire(start), "end_date": m.day_to_wire(end)}
        entries = await self.calls.read("GET", "/base/calendar", list[str | int], params=params)
        days = {m.day_from_wire(entry) for entry in entries}
        return sorted(day for day in days if start <= day <= end)

    async def code_info(self, code: str) -> m.CodeInfo:
        return await self.calls.read("GET", f"/base/codes/{_segment(code)}/info", m.CodeInfo)

    # --- bars, as rows ---

    async def stock_kline(
        self, codes: Sequence[str], start: date, end: date, period: str, priority: Priority = Priority.READ
    ) -> m.Klines:
        params = {"codes": _joined(codes), **_dates(start, end), "period": period}
        return await self.calls.read(
            "GET", "/stock/kline", m.Klines, params=params, priority=priority, passing=_AT_ONCE
        )

    async def stock_kline_batch(
        self, codes: Sequence[str], start: date, end: date, period: str = "", priority: Priority = Priority.READ
    ) -> m.Klines:
        """``period`` may be left out: daily."""
        _joined(codes)
        body: dict[str, Any] = {"codes": list(codes), **_dates(start, end)}
        if period:
            body["period"] = period
        return await self.calls.read(
            "POST", "/stock/kline/batch", m.Klines, body=body, priority=priority, passing=_AT_ONCE
        )

    async def stock_chart(self, code: str, start: date, end: date, period: str) -> m.Chart:
        params = {**_dates(start, end), "period": period}
        return await self.calls.read("GET", f"/stock/kline/{_segment(code)}/chart", m.Chart, params=params)

    async def future_kline(
        self, codes: Sequence[str], start: date, end: date, period: str, priority: Priority = Priority.READ
    ) -> m.Klines:
        params = {"codes": _joined(codes), **_dates(start, end), "period": period}
        return await self.calls.read(
            "GET", "/future/kline", m.Klines, params=params, priority=priority, passing=_AT_ONCE
        )

    async def future_varieties(self) -> list[m.Variety]:
        kind = dict[str, list[str | m.Variety]]
        answer = await self.calls.read("GET", "/cache/future-varieties", kind)
        return m.varieties_from_wire(answer.get("varieties", []))

    async def main_contracts(self) -> dict[str, str | None]:
        """Product -> today's main contract, None where it has none; no history."""
        answer = await self.calls.read("GET", "/cache/main-contracts", dict[str, dict[str, str | None]])
        return answer.get("main_contracts", {})

    # --- the server's cache ---

    async def detect_missing(self, scope: Scope) -> m.Detection:
        """Answers when done: takes minutes."""
        return await self.calls.start("/cache/detect-all-missing", m.Detection, body=scope.to_wire())

    async def start_work(self, work: Work, scope: Scope) -> m.Started:
        """``cache-all-missing`` or ``fill-missing``; see ``CacheTasks.start``, which copes with a lost answer."""
        return await self.calls.start(f"/cache/{work}", m.Started, body=scope.to_wire())

    async def task(self, task_id: int) -> m.Task | None:
        """None where the server says that it has no such task, in the null form; its 404 is ``Refused``."""
        answer = await self.calls.read("GET", f"/cache/tasks/{task_id}", dict[str, m.Task | None])
        return answer.get("task")

    async def tasks(self, page: int = 1, page_size: int = 20) -> m.TaskPage:
        params = {"page": page, "page_size": page_size}
        return await self.calls.read("GET", "/cache/tasks", m.TaskPage, params=params)

    # --- statements, as sent ---

    async def statements(
        self, statement: Statement, codes: Sequence[str], start: date, end: date
    ) -> dict[str, list[dict[str, Any]] | None] | list[dict[str, Any]]:
        """Reporting periods from ``start`` to ``end``; see ``statements.rows_from_wire``."""
        params = {"codes": _joined(codes), **_dates(start, end)}
        answer: dict[str, list[dict[str, Any]] | None] | list[dict[str, Any]] = await self.calls.read(
            "GET", f"/finance/{statement}", _ByCode, params=params
        )
        return answer


def _dates(start: date, end: date) -> dict[str, str]:
    if end < start:
        raise ConfigError(f"amazingdata: the last day {end} is before the first, {start}")
    return {"start_date": m.day_to_wire(start), "end_date": m.day_to_wire(end)}


def _joined(codes: Sequence[str]) -> str:
    if not 0 < len(codes) <= CODES_MAX:
        raise ConfigError(f"amazingdata: {len(codes)} codes in one call; give 1 to {CODES_MAX}")
    return ",".join(checked_code(code) for code in codes)


def _segment(code: str) -> str:
    return quoted(checked_code(code), safe="")
