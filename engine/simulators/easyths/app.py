"""The HTTP face: every route of the server but MCP (contracts/easyths.md 2)."""

from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulators.easyths import messages
from engine.simulators.easyths.bodies import Unprocessable, read_submission, read_timeout
from engine.simulators.easyths.edge import AddressCheck, Connections, KeyCheck, OneThread, RateLimit
from engine.simulators.easyths.generations import result_body, stats_body, status_body
from engine.simulators.easyths.messages import (
    Unserialisable,
    answer,
    detail,
    envelope,
    internal_text,
    local_text,
    not_found_text,
)
from engine.simulators.easyths.pages import page_routes
from engine.simulators.easyths.queue import QueueFull
from engine.simulators.easyths.venue import EasythsVenue
from engine.simulators.faults import FaultyEdge

SYSTEM = "/api/v1/system"
OPERATIONS = "/api/v1/operations"
QUEUE = "/api/v1/queue"


def make_app(venue: EasythsVenue) -> Starlette:
    """The face of a venue; ``app.state.venue`` gives it back."""
    settings = venue.settings
    app = Starlette(
        routes=[*SystemRoutes(venue).routes(), *OperationRoutes(venue).routes(), *page_routes(settings.generation)],
        middleware=[
            Middleware(Connections, host=venue),
            Middleware(FaultyEdge, plan=venue.faults, clock=venue.clock, wording=venue),
            Middleware(OneThread, host=venue, shared=settings.result_blocks),
            Middleware(RateLimit, host=venue, calls=settings.rate_limit),
            Middleware(
                CORSMiddleware, allow_origins=["*"], allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
            ),
            Middleware(KeyCheck, key=settings.api_key),
            Middleware(AddressCheck, allowed=settings.ip_whitelist),
        ],
        exception_handlers={
            HTTPException: _http_error,
            Unprocessable: _unprocessable,
            Unserialisable: _unserialisable,
        },
    )
    # Below /api a trailing slash is another path.
    app.router.redirect_slashes = False
    app.state.venue = venue
    return app


class SystemRoutes:
    """What says how the server is; none of it looks at the client."""

    def __init__(self, venue: EasythsVenue) -> None:
        self._venue = venue

    def routes(self) -> list[Route]:
        return [
            _get("/", self.root),
            _get(f"{SYSTEM}/health", self.health),
            _get(f"{SYSTEM}/status", self.status),
            _get(f"{SYSTEM}/info", self.info),
            _get(f"{QUEUE}/stats", self.stats),
        ]

    async def root(self, request: Request) -> Response:
        return answer({"message": "同花顺交易自动化API", "version": "1.0.0", "docs": "/docs"})

    async def health(self, request: Request) -> Response:
        venue = self._venue
        components: dict[str, Any] = {"automator": "connected" if venue.connected else "disconnected"}
        if venue.settings.document_fields:
            components["logged_in"] = venue.connected
        components["plugins"] = {"loaded": len(venue.operations)}
        data = {"status": "healthy", "timestamp": _now(venue), "components": components}
        return _said(venue, data, messages.HEALTHY)

    async def status(self, request: Request) -> Response:
        venue = self._venue
        automator: dict[str, Any] = {"connected": venue.connected}
        if venue.settings.document_fields:
            automator["logged_in"] = venue.connected
        automator |= {"app_path": venue.settings.app_path, "backend": "win32"}
        plugins = {
            "loaded_plugins": list(venue.operations),
            "plugin_count": len(venue.operations),
            "plugin_details": {name: entry.listed() for name, entry in venue.operations.items()},
        }
        return _said(venue, {"timestamp": _now(venue), "automator": automator, "plugins": plugins}, messages.FOUND)

    async def info(self, request: Request) -> Response:
        data = {
            "name": "同花顺交易自动化系统",
            "version": "1.0.0",
            "description": "基于pywinauto的同花顺交易软件自动化系统",
            "features": ["操作串行化", "优先级队列", "插件化架构", "RESTful API", "实时监控"],
        }
        return _said(self._venue, data, messages.FOUND)

    async def stats(self, request: Request) -> Response:
        venue = self._venue
        venue.now_ns()
        return _said(venue, stats_body(venue.queue, as_documented=venue.settings.document_fields), messages.FOUND)


class OperationRoutes:
    """Submitting, following and cancelling operations."""

    def __init__(self, venue: EasythsVenue) -> None:
        self._venue = venue

    def routes(self) -> list[Route]:
        return [
            _get(f"{OPERATIONS}/", self.listing),
            Route(f"{OPERATIONS}/{{name}}", self.submit, methods=["POST"]),
            Route(f"{OPERATIONS}/{{operation_id}}", self.cancel, methods=["DELETE"]),
            _get(f"{OPERATIONS}/{{operation_id}}/status", self.status),
            _get(f"{OPERATIONS}/{{operation_id}}/result", self.result),
        ]

    async def listing(self, request: Request) -> Response:
        listed = {name: entry.listed() for name, entry in self._venue.operations.items()}
        return _said(self._venue, {"operations": listed, "count": len(listed)}, messages.FOUND)

    async def submit(self, request: Request) -> Response:
        venue, name = self._venue, request.path_params["name"]
        submission = read_submission(await request.body(), request.headers.get("content-type"))
        if name not in venue.operations:
            return detail(404, f"操作 '{name}' 不存在")
        try:
            operation = venue.submit(name, submission, request.scope["state"]["request"])
        except QueueFull:
            return detail(500, messages.QUEUE_FULL)
        data = {
            "operation_id": operation.id,
            "status": operation.status.value,
            "queue_position": venue.queue.queued,
        }
        return _said(venue, data, messages.SUBMITTED)

    async def status(self, request: Request) -> Response:
        venue = self._venue
        venue.now_ns()
        operation = venue.queue.operations.get(request.path_params["operation_id"])
        if operation is None:
            return detail(404, messages.UNKNOWN_OPERATION)
        if venue.settings.generation == "old":
            return internal_text()
        body = status_body(operation, venue.settings.timezone, as_documented=venue.settings.document_fields)
        return _said(venue, body, messages.FOUND)

    async def result(self, request: Request) -> Response:
        """Wait for a result, as long as it takes where no timeout is given: for ever on an unknown id."""
        venue, operation_id = self._venue, request.path_params["operation_id"]
        timeout = read_timeout(request.query_params.get("timeout"))
        start_ns = venue.now_ns()
        deadline_ns = None if timeout is None else start_ns + round(max(timeout, 0.0) * 1e9)
        if not await venue.passed(operation_id, deadline_ns):
            return detail(408, messages.NOT_READY)
        operation = venue.queue.operations[operation_id]
        if operation.result is None or (operation.cancelled and venue.settings.generation == "old"):
            return detail(408, messages.NOT_READY)
        body = result_body(operation.name, operation.result, venue.settings.generation, venue.settings.timezone)
        if venue.settings.generation == "new":
            return answer(body)
        return _said(venue, {"operation_id": operation_id, "result": body}, messages.DONE)

    async def cancel(self, request: Request) -> Response:
        venue = self._venue
        if not venue.queue.cancel(request.path_params["operation_id"], venue.now_ns()):
            return detail(404, messages.CANNOT_CANCEL)
        return _said(venue, None, messages.CANCELLED)


def _get(path: str, endpoint: Any) -> Route:
    route = Route(path, endpoint, methods=["GET"])
    # The server's framework answers no HEAD.
    route.methods = {"GET"}
    return route


def _said(venue: EasythsVenue, data: Any, message: str) -> Response:
    settings = venue.settings
    return answer(
        envelope(data, message, venue.clock.now_ns, generation=settings.generation, timezone=settings.timezone)
    )


def _now(venue: EasythsVenue) -> str:
    return local_text(venue.now_ns(), venue.settings.timezone)


async def _http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    # Everything below /api that no route answers lands in the mounted MCP application.
    if request.url.path == "/api" or request.url.path.startswith("/api/"):
        return not_found_text()
    response = detail(problem.status_code, problem.detail)
    response.headers.update(problem.headers or {})
    return response


async def _unprocessable(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Unprocessable)
    try:
        return detail(422, problem.reasons)
    except Unserialisable:
        return internal_text()


async def _unserialisable(request: Request, problem: Exception) -> Response:
    return internal_text()
