"""The HTTP face: the session check in front of everything, then routes, bodies and handlers (contracts/ht.md 1, 2)."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.simulators.faults import FaultyEdge, connection_of
from engine.simulators.huatai.order_routes import OrderRoutes
from engine.simulators.huatai.query_routes import QueryRoutes
from engine.simulators.huatai.routes import PREFIX, ROUTES, Route
from engine.simulators.huatai.session_routes import SessionRoutes
from engine.simulators.huatai.sessions import SessionRefused
from engine.simulators.huatai.venue import Call, HuataiVenue
from engine.simulators.huatai.window import Gone
from engine.simulators.huatai.wire import (
    MISSING,
    MISSING_ON_THE_PAGE,
    PYTHON_ERRORS,
    MissingField,
    Reply,
    Unusable,
    answer,
    page,
    read_json,
)

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Handler = Callable[[Call], Awaitable[Reply]]


def make_app(venue: HuataiVenue) -> Starlette:
    """The face of a venue; ``app.state.venue`` gives it back."""
    app = Starlette(
        routes=[Path("/{path:path}", Gate(venue).api, methods=METHODS)],
        middleware=[
            Middleware(BreakingEdge),
            Middleware(FaultyEdge, plan=venue.faults, clock=venue.clock, wording=venue),
        ],
    )
    app.state.venue = venue
    return app


class BreakingEdge:
    """Breaks the connections of requests whose server is gone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Gone:
            connection_of(scope).abort()
            while (await receive())["type"] != "http.disconnect":
                pass


class Terms(Struct, frozen=True):
    """What a body was read into, or the answer it gets at once."""

    value: Any = None
    refusal: Reply | None = None


class Gate:
    """Everything between the socket and a handler."""

    def __init__(self, venue: HuataiVenue) -> None:
        self._venue = venue
        self._handlers: dict[str, Handler] = (
            SessionRoutes(venue).handlers() | QueryRoutes(venue).handlers() | OrderRoutes(venue).handlers()
        )

    async def api(self, request: Request) -> Response:
        route = ROUTES.get(request.url.path)
        if route is not None and not self._venue.offers(route):
            route = None
        session = ""
        if route is None or not route.opens or request.method != route.method:
            try:
                session = self._venue.admit(_session_id(request))
            except SessionRefused as problem:
                return answer(Reply(401, str(problem)), 401)
        if route is None:
            return page(404)
        if request.method == "OPTIONS":
            return Response(None, 200, headers={"allow": route.allow}, media_type="text/html; charset=utf-8")
        if request.method != route.method and (request.method, route.method) != ("HEAD", "GET"):
            return page(405, route.allow)
        terms = await self._terms(route, request)
        if terms.refusal is not None:
            return self._said(terms.refusal)
        call = Call(session, terms.value, int(request.scope["state"]["request"]))
        return self._said(await self._handlers[request.url.path.removeprefix(PREFIX)](call))

    def _said(self, reply: Reply) -> Response:
        return answer(reply, reply.code if self._venue.settings.http_codes else 200)

    async def _terms(self, route: Route, request: Request) -> Terms:
        if route.read is None:
            return Terms()
        try:
            return Terms(route.read(await read_json(request)))
        except MissingField as problem:
            text = MISSING_ON_THE_PAGE if self._venue.wording.as_documented else MISSING
            return Terms(refusal=Reply(400, text.format(problem)))
        except (Unusable, *PYTHON_ERRORS) as problem:
            return Terms(refusal=Reply(500, f"{route.failure}: {problem}"))


def _session_id(request: Request) -> str:
    """The first ``session_id`` of the query; header and body are not read."""
    return next(iter(request.query_params.getlist("session_id")), "")
