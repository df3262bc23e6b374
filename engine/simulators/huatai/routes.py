"""The routes below ``/api/trader``, and how each reads its body (contracts/ht.md 3)."""

from collections.abc import Callable
from math import isnan
from operator import contains
from typing import Any, Literal

from msgspec import Struct

from engine.simulators.huatai.wire import need

PREFIX = "/api/trader/"
LONGEST_S = 9_223_372_036.0
"""What the interpreter can sleep."""
RouteClass = Literal["order", "cancel", "query", "session", "tool"]


class Login(Struct, frozen=True):
    user: Any
    password: Any
    exe_path: Any


class LimitOrder(Struct, frozen=True):
    """``security`` as sent: that it must be text shows only when it is typed."""

    security: Any
    price: float
    amount: int


class MarketOrder(Struct, frozen=True):
    security: Any
    amount: int
    strategy: Any


class Route(Struct, frozen=True, kw_only=True):
    """``read`` makes of the body what the handler takes; None where no body is read. ``failure`` begins a 500's text.

    ``server``: which of the two has it.
    """

    name: str
    method: Literal["GET", "POST"]
    kind: RouteClass
    failure: str = ""
    read: Callable[[Any], Any] | None = None
    server: Literal["both", "A", "B"] = "both"
    opens: bool = False
    """It makes sessions, so none is asked for."""

    @property
    def allow(self) -> str:
        return "OPTIONS, GET, HEAD" if self.method == "GET" else "OPTIONS, POST"


def _connect(body: Any) -> Any:
    return body.get("exe_path", "")


def _login(body: Any) -> Login:
    need(body, "user", "password", "comm_password")
    return Login(body["user"], body["password"], body.get("exe_path"))


def _limit(body: Any) -> LimitOrder:
    need(body, "security", "price", "amount")
    _typable(body["security"])
    return LimitOrder(body["security"], round(float(body["price"]), 3), int(body["amount"]))


def _market(body: Any) -> MarketOrder:
    need(body, "security", "amount")
    _typable(body["security"])
    strategy = body.get("ttype")
    if strategy:
        # Names are looked for inside the client's: the interpreter says what is no text.
        contains("", strategy)
    return MarketOrder(body["security"], int(body["amount"]), strategy)


def _typable(security: Any) -> None:
    """What typing the code does with it: it takes the last six characters and looks at the first two."""
    _ = security[-6:], security.lower()


def _entrust_no(body: Any) -> Any:
    need(body, "entrust_no")
    return body["entrust_no"]


def _seconds(body: Any) -> float:
    need(body, "seconds")
    seconds = float(body["seconds"])
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if isnan(seconds):
        raise ValueError("Invalid value NaN (not a number)")
    if seconds > LONGEST_S:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")
    return seconds


_ALL = (
    Route(name="connect", method="POST", kind="session", failure="连接失败", read=_connect, opens=True),
    Route(name="login", method="POST", kind="session", failure="登录失败", read=_login, opens=True),
    Route(name="exit", method="POST", kind="session"),
    Route(name="session-status", method="GET", kind="session", server="A"),
    Route(name="balance", method="GET", kind="query"),
    Route(name="position", method="GET", kind="query"),
    Route(name="today-entrusts", method="GET", kind="query"),
    Route(name="today-trades", method="GET", kind="query"),
    Route(name="cancel-entrusts", method="GET", kind="query"),
    Route(name="buy", method="POST", kind="order", failure="买入失败", read=_limit),
    Route(name="sell", method="POST", kind="order", failure="卖出失败", read=_limit),
    Route(name="market-buy", method="POST", kind="order", failure="市价买入失败", read=_market),
    Route(name="market-sell", method="POST", kind="order", failure="市价卖出失败", read=_market),
    Route(name="cancel-entrust", method="POST", kind="cancel", failure="撤单失败", read=_entrust_no),
    Route(name="cancel-all-entrusts", method="POST", kind="cancel"),
    Route(name="auto-ipo", method="POST", kind="order"),
    Route(name="refresh", method="POST", kind="tool"),
    Route(name="wait", method="POST", kind="tool", failure="等待失败", read=_seconds, server="B"),
    Route(name="check-pop-dialog", method="GET", kind="tool", server="B"),
    Route(name="close-pop-dialog", method="POST", kind="tool", server="B"),
)

ROUTES = {PREFIX + route.name: route for route in _ALL}
