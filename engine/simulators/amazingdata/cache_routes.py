"""Routes of the cache: futures overviews, detection, tasks."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request

from engine.simulators.amazingdata import messages
from engine.simulators.amazingdata.messages import Failure, Said
from engine.simulators.amazingdata.platform import AmazingData
from engine.simulators.amazingdata.reading import Field, body, day, integer, query
from engine.simulators.amazingdata.tasks import MILLISECOND_NS, Wanted
from engine.simulators.amazingdata.universe import PRODUCTS
from engine.simulators.china import day_of

Handler = Callable[[Request], Awaitable[Any]]


class CacheRoutes:
    def __init__(self, platform: AmazingData) -> None:
        self._platform = platform
        self._tasks = platform.tasks
        self._scale = platform.settings.forms.progress

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each route."""
        return [
            ("GET", "/cache/future-varieties", self.varieties),
            ("GET", "/cache/main-contracts", self.main_contracts),
            ("POST", "/cache/detect-all-missing", self.detect),
            ("POST", "/cache/cache-all-missing", self.cache_all),
            ("POST", "/cache/fill-missing", self.fill),
            ("GET", "/cache/tasks/{task_id}", self.task),
            ("GET", "/cache/tasks", self.listed),
        ]

    async def varieties(self, request: Request) -> Any:
        return {"varieties": sorted(PRODUCTS)}

    async def main_contracts(self, request: Request) -> Any:
        today = day_of(self._platform.now_ns())
        main = self._platform.universe.main_contract
        return {"main_contracts": {product: main(product, today) for product in sorted(PRODUCTS)}}

    async def detect(self, request: Request) -> Said:
        wanted = await self._wanted(request)
        self._platform.need_sdk()
        count = len(self._tasks.securities(wanted, self._platform.now_ns()))
        await self._platform.clock.sleep(count * self._platform.settings.detect_ms_per_code * MILLISECOND_NS)
        return Said(self._tasks.detect(wanted, self._platform.now_ns()), messages.DETECTED)

    async def cache_all(self, request: Request) -> Said:
        task = self._tasks.cache_all(await self._wanted(request), self._platform.now_ns())
        data = {"task_id": task.id, "status": "pending", "total_count": len(task.codes), "progress": 0.0}
        return Said(data, messages.TASK_CREATED)

    async def fill(self, request: Request) -> Said:
        task, count = self._tasks.fill(await self._wanted(request), self._platform.now_ns())
        if task is None:
            return Said({"task_id": None, "missing_count": 0, "status": "completed"}, messages.NOTHING_MISSING)
        return Said({"task_id": task.id, "missing_count": count, "status": "pending"}, messages.TASK_CREATED)

    async def task(self, request: Request) -> Any:
        now_ns = self._platform.now_ns()
        task = self._tasks.find(integer(request, "task_id"), now_ns)
        if task is None:
            raise Failure(404, messages.NO_TASK)
        return {"task": task.row(now_ns, self._scale)}

    async def listed(self, request: Request) -> Any:
        page, size = query(request, Field("page", "integer", 1, 1), Field("page_size", "integer", 20, 1))
        now_ns = self._platform.now_ns()
        tasks = self._tasks.listed(now_ns)
        items = [task.row(now_ns, self._scale) for task in tasks[(page - 1) * size : page * size]]
        return {"items": items, "total": len(tasks), "page": page, "page_size": size}

    async def _wanted(self, request: Request) -> Wanted:
        kind, period, start, end, contracts = await body(
            request,
            Field("security_type"),
            Field("period_type"),
            Field("start_date"),
            Field("end_date"),
            Field("contract_type", default="all"),
        )
        if kind not in {"stock", "future"}:
            raise messages.bad_type(kind)
        if period != "daily":
            raise messages.bad_period(period)
        if contracts not in {"all", "main"}:
            raise messages.bad_contract_type(contracts)
        return Wanted(security_type=kind, period_type=period, first=day(start), last=day(end), contract_type=contracts)
