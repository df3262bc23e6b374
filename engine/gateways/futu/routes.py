"""The 41 routes of the page, each with its question, its answer and its pace; and the way to call one by name."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from msgspec import Struct

from engine.gateways.futu import account_messages as a
from engine.gateways.futu import lookup_messages as k
from engine.gateways.futu import quote_messages as q
from engine.gateways.futu import static_messages as s
from engine.gateways.futu import trade_messages as t

Q = TypeVar("Q", bound=q.Ask)
A = TypeVar("A")


class Route(Struct, Generic[Q, A], frozen=True, kw_only=True):
    """One route. ``wrapped``: the body goes inside ``c2s``, as it must for accounts and trades (contract 2.1).

    ``refresh``: it only counts against its pace when it asks past the gateway's cache (contract 8).
    """

    path: str
    ask: type[Q]
    answer: type[A]
    text: str
    scope: str = "qot:read"
    method: str = "POST"
    wrapped: bool = False
    pace: str = ""
    refresh: bool = False
    changes: bool = False
    """Something is different at the gateway or the broker afterwards."""


def _get(path: str, answer: type[A], text: str, scope: str = "qot:read") -> Route[s.Nothing, A]:
    return Route(path=path, ask=s.Nothing, answer=answer, text=text, method="GET", scope=scope)


def _data(path: str, ask: type[Q], answer: type[A], text: str, pace: str = "", **more: Any) -> Route[Q, A]:
    return Route(path=path, ask=ask, answer=answer, text=text, pace=pace, **more)


def _account(path: str, ask: type[Q], answer: type[A], text: str, pace: str = "", **more: Any) -> Route[Q, A]:
    return Route(path=path, ask=ask, answer=answer, text=text, pace=pace, scope="acc:read", wrapped=True, **more)


def _trade(path: str, ask: type[Q], answer: type[A], text: str, pace: str) -> Route[Q, A]:
    return Route(path=path, ask=ask, answer=answer, text=text, pace=pace, scope="trade", wrapped=True, changes=True)


GLOBAL_STATE = _get("/api/global-state", s.GlobalState, "logins, market states, server time")
USER_INFO = _get("/api/user-info", s.UserInfo, "the user, quotas and quote rights")
DELAY_STATISTICS = _get("/api/delay-statistics", s.DelayStatistics, "how long pushes and answers took")
SUBSCRIBE = _data("/api/subscribe", q.SubscribeAsk, q.Subscribed, "subscribe, register pushes, or end it", changes=True)
SUB_INFO = _get("/api/sub-info", q.SubInfo, "subscriptions and their quota")
QUOTE = _data("/api/quote", q.SecuritiesAsk, q.Quotes, "last prices of subscribed securities")
KLINE = _data("/api/kline", q.KlineAsk, q.Klines, "the latest bars of one subscribed security")
ORDERBOOK = _data("/api/orderbook", q.OrderbookAsk, q.Book, "the book of one subscribed security")
BROKER = _data("/api/broker", q.SecurityAsk, q.Brokers, "the broker queue of one subscribed security")
TICKER = _data("/api/ticker", q.TickerAsk, q.Tickers, "the latest trades of one subscribed security")
RT = _data("/api/rt", q.SecurityAsk, q.TimeShares, "the minute line of one subscribed security")
SNAPSHOT = _data("/api/snapshot", q.SecuritiesAsk, q.Snapshots, "quotes without a subscription, 400 codes", "snapshot")
STATIC_INFO = _data("/api/static-info", s.StaticInfoAsk, s.StaticInfos, "lot size, kind and name")
PLATE_SET = _data("/api/plate-set", k.PlateSetAsk, k.PlateSet, "plates of a market", "plate_set")
PLATE_SECURITY = _data(
    "/api/plate-security", k.PlateSecurityAsk, s.StaticInfos, "securities of a plate", "plate_security"
)
REFERENCE = _data("/api/reference", k.ReferenceAsk, s.StaticInfos, "related securities", "reference")
OWNER_PLATE = _data("/api/owner-plate", q.SecuritiesAsk, k.OwnerPlates, "plates of securities", "owner_plate")
OPTION_CHAIN = _data("/api/option-chain", k.OptionChainAsk, k.OptionChains, "options of a security", "option_chain")
WARRANT = _data("/api/warrant", k.WarrantAsk, k.Warrants, "warrants by filter", "warrant")
CAPITAL_FLOW = _data("/api/capital-flow", k.CapitalFlowAsk, k.CapitalFlow, "money flow over time", "capital_flow")
CAPITAL_DISTRIBUTION = _data(
    "/api/capital-distribution", q.SecurityAsk, k.CapitalDistribution, "money flow by size", "capital_distribution"
)
USER_SECURITY = _data(
    "/api/user-security", k.UserSecurityAsk, s.StaticInfos, "securities of a watch list", "user_security"
)
STOCK_FILTER = _data("/api/stock-filter", k.StockFilterAsk, k.FilteredStocks, "securities by filter", "stock_filter")
IPO_LIST = _data("/api/ipo-list", k.IpoListAsk, k.IpoList, "coming listings of a market", "ipo_list")
FUTURE_INFO = _data("/api/future-info", q.SecuritiesAsk, k.FutureInfos, "contract terms of futures", "future_info")
MARKET_STATE = _data("/api/market-state", q.SecuritiesAsk, s.MarketStates, "state of each market", "market_state")
HISTORY_KLINE = _data(
    "/api/history-kline", q.HistoryKlineAsk, q.HistoryKlines, "bars of the past, page by page", "history_first"
)
ACCOUNTS = _get("/api/accounts", a.Accounts, "trading accounts of this key", "acc:read")
SUB_ACC_PUSH: Route[a.SubAccPushAsk, a.Empty] = Route(
    path="/api/sub-acc-push", ask=a.SubAccPushAsk, answer=a.Empty, scope="acc:read", changes=True,
    text="register pushes of orders and fills",
)  # fmt: skip
FUNDS = _account("/api/funds", a.FundsAsk, a.FundsAnswer, "funds of an account", "funds", refresh=True)
POSITIONS = _account(
    "/api/positions", a.PositionsAsk, a.Positions, "positions of an account", "positions", refresh=True
)
ORDERS = _account("/api/orders", t.OrdersAsk, t.Orders, "orders of today", "orders", refresh=True)
ORDER_FILLS = _account("/api/order-fills", t.FillsAsk, t.OrderFills, "fills of today", "fills", refresh=True)
MAX_TRD_QTYS = _account(
    "/api/max-trd-qtys", t.MaxTrdQtysAsk, t.MaxTrdQtysAnswer, "how much can be bought or sold", "max_trd_qtys"
)
HISTORY_ORDERS = _account(
    "/api/history-orders", t.HistoryOrdersAsk, t.Orders, "orders of the past, real accounts", "history_orders"
)
HISTORY_ORDER_FILLS = _account(
    "/api/history-order-fills", t.HistoryFillsAsk, t.OrderFills, "fills of the past, real accounts", "history_fills"
)
MARGIN_RATIO = _account("/api/margin-ratio", t.MarginRatioAsk, t.MarginRatios, "margin ratios, percent", "margin_ratio")
ORDER_FEE = _account("/api/order-fee", t.OrderFeeAsk, t.OrderFees, "fees of orders, 400 a call", "order_fee")
UNLOCK_TRADE = _trade("/api/unlock-trade", a.UnlockAsk, a.Unlocked, "unlock or lock real trading", "unlock")
ORDER = _trade("/api/order", t.OrderAsk, t.Placed, "place an order, past our own risk checks", "order")
MODIFY_ORDER = _trade("/api/modify-order", t.ModifyAsk, t.Placed, "change or cancel, past our own checks", "modify")

ROUTES: Mapping[str, Route[Any, Any]] = {
    route.path.removeprefix("/api/").replace("-", "_"): route
    for route in (
        GLOBAL_STATE, USER_INFO, DELAY_STATISTICS, SUBSCRIBE, SUB_INFO, QUOTE, KLINE, ORDERBOOK, BROKER, TICKER, RT,
        SNAPSHOT, STATIC_INFO, PLATE_SET, PLATE_SECURITY, REFERENCE, OWNER_PLATE, OPTION_CHAIN, WARRANT, CAPITAL_FLOW,
        CAPITAL_DISTRIBUTION, USER_SECURITY, STOCK_FILTER, IPO_LIST, FUTURE_INFO, MARKET_STATE, HISTORY_KLINE,
        ACCOUNTS, SUB_ACC_PUSH, FUNDS, POSITIONS, ORDERS, ORDER_FILLS, MAX_TRD_QTYS, HISTORY_ORDERS,
        HISTORY_ORDER_FILLS, MARGIN_RATIO, ORDER_FEE, UNLOCK_TRADE, ORDER, MODIFY_ORDER,
    )
}  # fmt: skip
"""Name to call by -> route."""
TEXT_ROUTES = {"health": "/health", "metrics": "/metrics"}
"""Plain texts outside the table; no key needed."""


def line_of(route: Route[Any, Any]) -> str:
    """What a route does and takes, in one line."""
    required = set(route.ask.__struct_fields__[: len(route.ask.__struct_fields__) - len(route.ask.__struct_defaults__)])
    words = [f"{name}=..." if name in required else f"[{name}=...]" for name in route.ask.__struct_fields__]
    return f"{route.text}; {' '.join(words)}" if words else route.text
