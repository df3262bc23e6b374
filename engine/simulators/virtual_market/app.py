"""The HTTP face: every route of the venue, documented or not (contracts/virtual_market.md 2)."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.simulators.faults import FaultyEdge
from engine.simulators.virtual_market import messages, quotes
from engine.simulators.virtual_market.limits import rule_of
from engine.simulators.virtual_market.messages import BadBody, Refusal, Unhandled, answer, error, internal_text
from engine.simulators.virtual_market.tokens import TokenRefused
from engine.simulators.virtual_market.venue import VirtualMarket

Endpoint = Callable[[Request], Awaitable[Response]]
_BEARER = "Bearer "


def make_app(venue: VirtualMarket) -> Starlette:
    """The face of a venue; ``app.state.venue`` gives it back."""
    public, private = PublicRoutes(venue), PrivateRoutes(venue)
    app = Starlette(
        routes=public.routes() + private.routes(),
        middleware=[
            Middleware(FaultyEdge, plan=venue.faults, clock=venue.clock, wording=venue),
            Middleware(LimitedApp, venue=venue),
        ],
        exception_handlers={
            HTTPException: _http_error,
            Refusal: _refused,
            BadBody: _bad_body,
            Unhandled: _unhandled,
            TokenRefused: _token_refused,
        },
    )
    # With it, a trailing slash would be another spelling; on the venue it is another path.
    app.router.redirect_slashes = False
    app.state.venue = venue
    return app


class LimitedApp:
    """The rate limit stands before the routes: an unknown path counts as well."""

    def __init__(self, app: ASGIApp, venue: VirtualMarket) -> None:
        self._app = app
        self._venue = venue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            client = scope.get("client")
            address = client[0] if client else ""
            rule = rule_of(scope["path"])
            user = _user_of(scope, self._venue) if rule is not None and rule.by_user else None
            if not self._venue.limiter.allows(scope["path"], address, user, self._venue.clock.now_ns):
                refusal = self._venue.throttled()
                response = Response(refusal.body, refusal.status, media_type=messages.JSON_TYPE)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


class PublicRoutes:
    """Logging in, prices, bars, ranking: no token needed."""

    def __init__(self, venue: VirtualMarket) -> None:
        self._venue = venue

    def routes(self) -> list[Route]:
        return [
            Route("/api/auth/login", self.login, methods=["POST"]),
            Route("/api/auth/register", self.register, methods=["POST"]),
            Route("/api/auth/forgot-password", self.forgot_password, methods=["POST"]),
            Route("/api/auth/reset-password", self.reset_password, methods=["POST"]),
            Route("/api/v1/stocks", self.stocks),
            Route("/api/v1/stock/{identifier}", self.stock),
            Route("/api/v1/stock/{identifier}/details", self.details),
            Route("/api/v1/market/overview", self.overview),
            Route("/api/kline/{identifier}", self.kline),
            Route("/api/get_user_hash", self.user_hash),
            Route("/api/v1/ranking", self.ranking),
        ]

    async def login(self, request: Request) -> Response:
        body = await _auth_body(request)
        if body is None or not isinstance(body.get("password"), str):
            return error(messages.SERVER_ERROR, 500)
        login = self._venue.logins.check(body.get("user_id"), body["password"])
        if login is None:
            return error(messages.WRONG_LOGIN, 401)
        token = self._venue.tokens.issue(login.chat_id, login.name, self._venue.now_ns())
        return answer({"access_token": token, "token_type": "bearer", "user_id": login.chat_id, "login_id": login.name})

    async def register(self, request: Request) -> Response:
        body = await _auth_body(request)
        name, password = _texts(body, "user_id", "password")
        if not name or not password:
            return error(messages.SERVER_ERROR, 500)
        if name in self._venue.logins.by_name:
            return error(messages.LOGIN_TAKEN, 409)
        code = self._venue.logins.register(name, password, self._venue.now_ns())
        return answer({"success": True, "verification_code": code})

    async def forgot_password(self, request: Request) -> Response:
        (name,) = _texts(await _auth_body(request), "user_id")
        if name not in self._venue.logins.by_name:
            # The venue says this with 200.
            return answer({"error": messages.UNKNOWN_LOGIN})
        return answer({"success": True, "reset_code": self._venue.logins.start_reset(name, self._venue.now_ns())})

    async def reset_password(self, request: Request) -> Response:
        name, code, password = _texts(await _auth_body(request), "user_id", "reset_code", "new_password")
        if not password or not self._venue.logins.reset(name, code, password, self._venue.now_ns()):
            return error(messages.BAD_RESET_CODE, 400)
        self._venue.save()
        return answer({"success": True, "message": messages.PASSWORD_RESET})

    async def stocks(self, request: Request) -> Response:
        self._venue.now_ns()
        return answer([quotes.stock_row(stock) for stock in self._venue.exchange.stocks])

    async def stock(self, request: Request) -> Response:
        self._venue.now_ns()
        stock = self._venue.ledger.find(request.path_params["identifier"])
        return error(messages.STOCK_NOT_FOUND, 404) if stock is None else answer(quotes.light(stock))

    async def details(self, request: Request) -> Response:
        self._venue.now_ns()
        identifier = request.path_params["identifier"]
        stock = self._venue.ledger.find(identifier)
        if stock is None:
            return error(f'Stock with identifier "{identifier}" not found', 404)
        return answer(quotes.details(stock, self._venue.exchange, self._venue.timezone))

    async def overview(self, request: Request) -> Response:
        self._venue.now_ns()
        exchange = self._venue.exchange
        return answer([quotes.overview_row(stock, exchange.interval_ns) for stock in exchange.stocks])

    async def kline(self, request: Request) -> Response:
        self._venue.now_ns()
        padding = quotes.integer(request.query_params.get("padding"), 0)
        stock = self._venue.ledger.find(request.path_params["identifier"])
        if stock is None or len(stock.bars) < 2:
            return error("not found", 404)
        bars = quotes.kline(stock, request.query_params.get("period", "1d"), padding, self._venue.timezone)
        held = self._holdings(stock.listing.code, request.query_params.get("user_hash"))
        return answer({"kline_history": bars, "user_holdings": held})

    async def user_hash(self, request: Request) -> Response:
        chat_id = request.query_params.get("qq_id", "")
        if not chat_id.isdigit():
            return error(messages.BAD_CHAT_ID, 400)
        return answer({"user_hash": _hash_of(chat_id)})

    async def ranking(self, request: Request) -> Response:
        self._venue.now_ns()
        return answer(self._venue.ledger.ranking(quotes.integer(request.query_params.get("limit"), 10)))

    def _holdings(self, code: str, user_hash: str | None) -> list[dict[str, Any]]:
        """The purchases of one stock, for the marks on the web page's chart; the form was not observed."""
        for account in self._venue.exchange.accounts.values():
            if user_hash == _hash_of(account.user):
                return [
                    {
                        "date": quotes.local_date(lot.bought_ns, self._venue.timezone),
                        "price": float(lot.price),
                        "quantity": lot.quantity,
                    }
                    for lot in account.lots
                    if lot.code == code
                ]
        return []


class PrivateRoutes:
    """Portfolio and trades: with a token."""

    def __init__(self, venue: VirtualMarket) -> None:
        self._venue = venue

    def routes(self) -> list[Route]:
        return [
            Route("/api/auth/me/token", self.token),
            Route("/api/v1/portfolio", self.portfolio),
            Route("/api/v1/trade/buy", self.buy, methods=["POST"]),
            Route("/api/v1/trade/sell", self.sell, methods=["POST"]),
            Route("/api/v1/trade/buy_all_in", self.buy_all_in, methods=["POST"]),
            Route("/api/v1/trade/sell_all_stock", self.sell_all_stock, methods=["POST"]),
            Route("/api/v1/trade/sell_all_portfolio", self.sell_all_portfolio, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        self._user(request)
        return answer({"access_token": _token_of(request.headers.get("authorization")), "token_type": "bearer"})

    async def portfolio(self, request: Request) -> Response:
        user = self._user(request)
        self._venue.now_ns()
        return answer(self._venue.ledger.portfolio(user))

    async def buy(self, request: Request) -> Response:
        user = self._user(request)
        stock, quantity = await _order_of(request)
        return self._traded(self._venue.ledger.buy(user, stock, quantity, self._venue.now_ns(), _number(request)))

    async def sell(self, request: Request) -> Response:
        user = self._user(request)
        stock, quantity = await _order_of(request)
        return self._traded(self._venue.ledger.sell(user, stock, quantity, self._venue.now_ns(), _number(request)))

    async def buy_all_in(self, request: Request) -> Response:
        user = self._user(request)
        stock = await _identifier_of(request)
        return self._traded(self._venue.ledger.buy_all_in(user, stock, self._venue.now_ns(), _number(request)))

    async def sell_all_stock(self, request: Request) -> Response:
        user = self._user(request)
        stock = await _identifier_of(request)
        return self._traded(self._venue.ledger.sell_all_stock(user, stock, self._venue.now_ns(), _number(request)))

    async def sell_all_portfolio(self, request: Request) -> Response:
        user = self._user(request)
        return self._traded(self._venue.ledger.sell_all_portfolio(user, self._venue.now_ns(), _number(request)))

    def _traded(self, message: str) -> Response:
        return answer({"success": True, "message": message})

    def _user(self, request: Request) -> str:
        token = _token_of(request.headers.get("authorization"))
        if token is None:
            raise TokenRefused(messages.NO_TOKEN)
        return self._venue.tokens.chat_id(token, self._venue.clock.now_ns)


async def _json(request: Request) -> Any:
    """A JSON body whatever its Content-Type; NaN and Infinity are read, as Python does.

    Raises:
        ValueError: no JSON, or no UTF-8. Unhandled: nested too deeply.
    """
    body = (await request.body()).decode()
    try:
        return json.loads(body)
    except RecursionError:
        raise Unhandled from None


async def _auth_body(request: Request) -> dict[str, Any] | None:
    try:
        body = await _json(request)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


async def _order_of(request: Request) -> tuple[object, int]:
    """``stock_id`` and the whole number the venue makes of ``quantity`` (contract 7)."""
    try:
        body = await _json(request)
        return body["stock_id"], int(body["quantity"])
    except (ValueError, KeyError) as problem:
        raise BadBody(str(problem)) from None
    except (TypeError, OverflowError):
        raise Unhandled from None


async def _identifier_of(request: Request) -> object:
    try:
        return (await _json(request))["stock_identifier"]
    except (ValueError, KeyError, TypeError):
        raise Unhandled from None


def _texts(body: dict[str, Any] | None, *names: str) -> list[str]:
    """Fields that are text; "" for what is missing, no text, or half a surrogate pair."""
    values = ((body or {}).get(name) for name in names)
    return [value if isinstance(value, str) and _is_unicode(value) else "" for value in values]


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _token_of(header: str | None) -> str | None:
    """The scheme is case sensitive and one blank follows it; a second one belongs to the token."""
    return header[len(_BEARER) :] if header is not None and header.startswith(_BEARER) else None


def _user_of(scope: Scope, venue: VirtualMarket) -> str | None:
    token = _token_of(Request(scope).headers.get("authorization"))
    try:
        return None if token is None else venue.tokens.chat_id(token, venue.clock.now_ns)
    except TokenRefused:
        return None


def _hash_of(chat_id: str) -> str:
    return hashlib.sha256(chat_id.encode()).hexdigest()[:16]


def _number(request: Request) -> int:
    return int(request.scope["state"]["request"])


async def _http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    return Response(
        f"{problem.status_code}: {problem.detail}",
        problem.status_code,
        headers=dict(problem.headers or {}),
        media_type=messages.TEXT_TYPE,
    )


async def _refused(request: Request, problem: Exception) -> Response:
    return answer({"success": False, "message": str(problem)}, 400)


async def _bad_body(request: Request, problem: Exception) -> Response:
    return error(f"无效的请求体: {problem}", 400)


async def _unhandled(request: Request, problem: Exception) -> Response:
    return internal_text()


async def _token_refused(request: Request, problem: Exception) -> Response:
    return error(str(problem), 401)
