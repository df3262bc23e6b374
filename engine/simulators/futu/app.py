"""The HTTP and WebSocket face: the order of checks in front of every handler (contracts/futu.md 12.1)."""

from typing import Any
from urllib.parse import urlsplit

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from engine.simulators.faults import FaultyEdge
from engine.simulators.futu import routes
from engine.simulators.futu.account_routes import AccountRoutes
from engine.simulators.futu.bodies import read_body
from engine.simulators.futu.codes import REAL, SIMULATE, TRD_MARKETS
from engine.simulators.futu.envelope import (
    BACKEND_DOWN,
    FORBIDDEN,
    LEGACY_PUSH,
    UNKNOWN_ROUTE,
    BadRequest,
    Denied,
    Failed,
    answer,
    error,
    failure,
    success,
)
from engine.simulators.futu.keys import TRADE_SCOPES, Key
from engine.simulators.futu.limits import PREFIX
from engine.simulators.futu.market_routes import MarketRoutes
from engine.simulators.futu.metrics import metrics_text
from engine.simulators.futu.reference_routes import ReferenceRoutes
from engine.simulators.futu.trade_routes import TradeRoutes
from engine.simulators.futu.venue import FutuVenue

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
TIMED_OUT = 100012


def make_app(venue: FutuVenue) -> Starlette:
    """The face of a venue; ``app.state.venue`` gives it back."""
    gate = Gate(venue)
    app = Starlette(
        routes=[
            Route("/health", gate.health),
            Route("/metrics", gate.metrics),
            WebSocketRoute("/ws", gate.push),
            Route("/{path:path}", gate.api, methods=METHODS),
        ],
        middleware=[Middleware(FaultyEdge, plan=venue.faults, clock=venue.clock, wording=venue)],
        exception_handlers={HTTPException: _http_error},
    )
    app.router.redirect_slashes = False
    app.state.venue = venue
    app.state.close = venue.close
    return app


class Gate:
    """Everything between the socket and a handler."""

    def __init__(self, venue: FutuVenue) -> None:
        self._venue = venue
        self._handlers = (
            MarketRoutes(venue).handlers()
            | ReferenceRoutes(venue).handlers()
            | AccountRoutes(venue).handlers()
            | TradeRoutes(venue).handlers()
        )

    async def health(self, request: Request) -> Response:
        if not self._venue.connected:
            return error(503, BACKEND_DOWN)
        return PlainTextResponse("ok")

    async def metrics(self, request: Request) -> Response:
        return Response(metrics_text(self._venue), headers={"content-type": "text/plain; version=0.0.4"})

    async def api(self, request: Request) -> Response:
        route = routes.ROUTES.get(request.url.path)
        if route is None:
            return error(404, UNKNOWN_ROUTE)
        if request.method != route.method:
            return error(405, "method not allowed")
        raw = await request.body()
        key: Key | None = None
        try:
            key = self._admit(route, request)
            response = answer(self._handled(route, key, request, raw))
        except Denied as problem:
            if problem.reason is not None:
                self._venue.rejects[problem.reason, key.metric_id if key else "none"] += 1
            return error(problem.status, problem.text)
        except BadRequest as problem:
            return error(400, str(problem))
        self._venue.answered[route.proto_id] += 1
        if route.is_trade_write:
            self._venue.stir()
            self._venue.remember(self._venue.clock.now_ns)
            if self._venue.settings.answer_ms:
                await self._venue.clock.sleep(self._venue.settings.answer_ms * 1_000_000)
        return response

    async def push(self, socket: WebSocket) -> None:
        """``/ws``; handshake errors are HTTP answers."""
        venue = self._venue
        try:
            key = self._handshake(socket)
        except Denied as problem:
            await socket.send_denial_response(error(problem.status, problem.text))
            return
        await socket.accept()
        connection = venue.pusher.join(socket, key)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(connection.send_all, group)
                group.start_soon(venue.drive)
                await connection.receive_all()
                group.cancel_scope.cancel()
        finally:
            venue.pusher.leave(connection)

    # The checks, in the order of the contract

    def _admit(self, route: routes.Route, request: Request) -> Key | None:
        """Token and scope; None in legacy mode, for what it leaves open."""
        venue = self._venue
        if not venue.keys:
            if route.scope == "trade":
                raise Denied(401, "trade routes need a keys file and a bearer key")
            if route.path == "/api/sub-acc-push":
                raise Denied(403, LEGACY_PUSH)
            return None
        try:
            key = venue.keys.bearer(request.headers.get("authorization"), venue.clock.now_ns)
        except Denied:
            venue.auth["deny", "none"] += 1
            raise
        needed = TRADE_SCOPES if route.scope == "trade" else {route.scope}
        if not needed & set(key.scopes):
            venue.auth["forbidden", key.metric_id] += 1
            raise Denied(403, FORBIDDEN)
        venue.auth["allow", key.metric_id] += 1
        return key

    def _handled(self, route: routes.Route, key: Key | None, request: Request, raw: bytes) -> dict[str, Any]:
        venue = self._venue
        now_ns = venue.now_ns()
        if key is not None and route.is_trade_write:
            venue.limits.at_the_door(key, now_ns)
        body = read_body(route, raw, strict=venue.settings.strict_fields)
        value = 0.0
        try:
            if "header" in body:
                self._check_header(route, key, body["header"])
            elif route.path == "/api/unlock-trade" and key is not None and "trade:unlock" not in key.scopes:
                raise Denied(403, FORBIDDEN)
            if key is not None and route.path == "/api/order":
                value = venue.limits.place(key, body, venue.symbol(body), now_ns)
            elif key is not None and route.path == "/api/modify-order":
                venue.limits.modify(key, body)
            if route.path != "/api/global-state":
                venue.check_backend()
            if not route.is_trade_write:
                if route.path not in {"/api/order", "/api/modify-order"}:
                    self._pace(route, body, now_ns)
                return success(self._handlers[route.path](key, body, now_ns))
            assert key is not None
            return self._written(route, key, body, request, value, now_ns)
        except Failed as problem:
            return failure(problem, codes_as_text=venue.settings.error_codes == "text")

    def _written(
        self, route: routes.Route, key: Key, body: dict[str, Any], request: Request, value: float, now_ns: int
    ) -> dict[str, Any]:
        """One trade write, or the answer it got before under the same idempotency key."""
        venue, name = self._venue, _idempotency(body, request)
        known = venue.kept(key, name, now_ns) if name is not None else None
        if known is not None:
            return known
        try:
            reply = success(self._handlers[route.path](key, body, now_ns))
            venue.counters.add_daily(key.id, value, now_ns)
        except Failed as problem:
            if problem.code != TIMED_OUT:
                raise
            reply = failure(problem, codes_as_text=venue.settings.error_codes == "text")
        if name is not None:
            venue.keep(key, name, reply, now_ns)
        return reply

    def _check_header(self, route: routes.Route, key: Key | None, header: dict[str, Any]) -> None:
        env, market, acc_id = header.get("trd_env"), header.get("trd_market", 0), header.get("acc_id", 0)
        if env is None:
            raise BadRequest("missing required field: header.trd_env")
        if market not in TRD_MARKETS:
            raise BadRequest(f"invalid trd_market {market}")
        if route.scope == "trade" and key is not None:
            needed = {"trade:real"} if env != SIMULATE else {"trade:simulate", "trade:real"}
            if not needed & set(key.scopes):
                raise Denied(403, FORBIDDEN)
        if key is not None and acc_id and not key.allows_account(acc_id, self._venue.card(acc_id)):
            raise Denied(403, f"{PREFIX}account not allowed", reason="other")
        if not acc_id:
            raise Failed("invalid acc_id=0")
        book = self._venue.ledger.books.get(acc_id)
        if book is None:
            raise Failed(f"nonexisting acc_id={acc_id}")
        if env not in {SIMULATE, REAL} or book.account.trd_env != env:
            raise Failed(f"trd_env mismatch: acc_id={acc_id} trd_env={env}")
        if market not in book.account.markets:
            raise Failed(f"trd_market {market} is not authorised for acc_id={acc_id}")

    def _pace(self, route: routes.Route, body: dict[str, Any], now_ns: int) -> None:
        self._venue.pacing.check(route.path, body, now_ns)

    def _handshake(self, socket: WebSocket) -> Key | None:
        venue = self._venue
        origin = socket.headers.get("origin")
        if origin is not None and urlsplit(origin).hostname not in LOOPBACK:
            raise Denied(403, "origin not allowed")
        if not venue.keys:
            return None
        token = socket.query_params.get("token")
        if token:
            key = venue.keys.key(token, venue.clock.now_ns)
        else:
            key = venue.keys.bearer(socket.headers.get("authorization"), venue.clock.now_ns)
        if "qot:read" not in key.scopes:
            raise Denied(403, FORBIDDEN)
        return key


def _idempotency(body: dict[str, Any], request: Request) -> str | None:
    """The header's key, else the pair of packet_id, else none."""
    header = request.headers.get("idempotency-key")
    if header:
        return f"key {header}"
    packet = body.get("packet_id") or {}
    if packet.get("conn_id") is None or packet.get("serial_no") is None:
        return None
    return f"packet {packet['conn_id']}/{packet['serial_no']}"


async def _http_error(request: Request, problem: Exception) -> Response:
    status = getattr(problem, "status_code", 500)
    return error(status, UNKNOWN_ROUTE if status == 404 else "method not allowed")
