"""The HTTP face: the 22 routes of the vendor's page (contracts/amazingdata.md 2)."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.simulators.amazingdata import messages
from engine.simulators.amazingdata.account_routes import AccountRoutes
from engine.simulators.amazingdata.cache_routes import CacheRoutes
from engine.simulators.amazingdata.data_routes import DataRoutes
from engine.simulators.amazingdata.messages import Failure, Invalid, Said
from engine.simulators.amazingdata.platform import BASE, AmazingData
from engine.simulators.faults import FaultyEdge

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(platform: AmazingData) -> Starlette:
    """The face of a platform; ``app.state.platform`` gives it back."""
    guard = Guard(platform)
    account, data, cache = AccountRoutes(platform), DataRoutes(platform), CacheRoutes(platform)
    routes = [Route(f"{BASE}/auth/login", guard.plain(account.log_in), methods=["POST"])]
    for method, path, handler in (*account.routes(), *data.routes(), *cache.routes()):
        routes.append(Route(f"{BASE}{path}", guard.private(handler), methods=[method]))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(FaultyEdge, plan=platform.faults, clock=platform.clock, wording=platform)],
        exception_handlers={HTTPException: guard.http_error},
    )
    app.state.platform = platform
    return app


class Guard:
    """Asks for the token, and words what a handler gives or raises."""

    def __init__(self, platform: AmazingData) -> None:
        self._platform = platform

    def plain(self, handler: Callable[[Request], Awaitable[Any]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            return await self._answer(handler, request)

        return endpoint

    def private(self, handler: Callable[[Request], Awaitable[Any]]) -> Endpoint:
        async def checked(request: Request) -> Any:
            request.state.number, request.state.user = self._platform.user(self._token(request))
            return await handler(request)

        return self.plain(checked)

    async def http_error(self, request: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)
        return self._refusal(problem.status_code, str(problem.detail), dict(problem.headers or {}))

    async def _answer(self, handler: Callable[[Request], Awaitable[Any]], request: Request) -> Response:
        try:
            given = await handler(request)
        except Failure as failure:
            return self._refusal(failure.status, failure.text)
        except Invalid as invalid:
            return _json({"detail": invalid.problems}, 422)
        data, message, status = given if isinstance(given, Said) else Said(given)
        return _json(messages.envelope(200, message, data), status)

    def _token(self, request: Request) -> str | None:
        """The scheme is read in any case.

        Raises:
            Failure: the framework's 403 without a header, where refusals have its form.
        """
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return token
        if self._platform.settings.forms.errors == "detail":
            raise Failure(403, "Not authenticated")
        return None

    def _refusal(self, status: int, text: str, headers: dict[str, str] | None = None) -> Response:
        code, body = self._platform.settings.forms.failure(status, text)
        return _json(body, code, headers)


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(messages.encode(body), status, headers=headers, media_type=messages.JSON_TYPE)
