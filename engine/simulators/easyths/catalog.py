"""The operations as the server lists them: 15 in NEW, 13 in OLD (contracts/easyths.md 2 and 3)."""

from typing import Any

from msgspec import Struct

from engine.simulators.easyths.messages import Generation

RETURN_TYPES = ("str", "json", "dict", "markdown")
TIME_RANGES = ("当日", "近一周", "近一月", "近三月", "近一年")
EXPIRE_DAYS = (1, 3, 5, 10, 20, 30)
CANCEL_TYPES = ("all", "sell", "buy")
MARKETS = ("上海", "深圳")
TERMS = ("1天期", "2天期", "3天期", "4天期", "7天期")
SIDES = ("买入", "卖出")
AUTHOR = "noimank"

Parameters = dict[str, dict[str, Any]]


class Entry(Struct, frozen=True):
    """One operation. ``queries``: it reads and changes nothing; ``since_new``: OLD does not have it."""

    name: str
    title: str
    description: str
    parameters: Parameters
    queries: bool = False
    since_new: bool = False

    def listed(self) -> dict[str, Any]:
        """As the list of operations shows it."""
        return {
            "name": self.title,
            "version": "1.0.0",
            "description": self.description,
            "author": AUTHOR,
            "operation_name": self.name,
            "parameters": self.parameters,
        }


def _code(required: bool, without: str = "") -> dict[str, Any]:
    text = "股票代码（6位数字）" + (f"，不指定则{without}" if without else "")
    return {
        "type": "string",
        "required": required,
        "description": text,
        "min_length": 6,
        "max_length": 6,
        "pattern": "^[0-9]{6}$",
    }


def _price(text: str) -> dict[str, Any]:
    return {"type": "number", "required": True, "description": text, "minimum": 0.01, "maximum": 10000}


def _quantity(text: str, *, required: bool = True) -> dict[str, Any]:
    return {
        "type": "integer",
        "required": required,
        "description": f"{text}（股票必须是100的倍数，可转债必须是10的倍数）",
        "minimum": 10,
        "multiple_of": 10,
    }


def _percent(text: str) -> dict[str, Any]:
    return {"type": "number", "required": True, "description": text, "minimum": 0.01, "maximum": 100}


def _choice(text: str, values: tuple[Any, ...], *, required: bool = False, default: Any = None) -> dict[str, Any]:
    kind = "integer" if isinstance(values[0], int) else "string"
    found: dict[str, Any] = {"type": kind, "required": required, "description": text, "enum": list(values)}
    return found if default is None else found | {"default": default}


def _limit(word: str) -> Parameters:
    return {"stock_code": _code(True), "price": _price(f"{word}价格"), "quantity": _quantity(f"{word}数量")}


def _market(word: str) -> Parameters:
    strategy = {
        "type": "integer",
        "required": False,
        "description": "成交策略：1-对手方最优 2-本方最优 3-五档即成剩撤 4-即成剩撤 5-全额成交或撤 6-五档即成剩转限",
        "default": 3,
        "minimum": 1,
        "maximum": 6,
    }
    return {"stock_code": _code(True), "quantity": _quantity(f"{word}数量"), "execution_strategy": strategy}


_EXPIRES = _choice("有效期，单位为自然日", EXPIRE_DAYS, default=30)
_RETURNS = _choice("结果返回类型", RETURN_TYPES, required=True)

ENTRIES = (
    Entry("buy", "BuyOperation", "买入股票操作", _limit("买入")),
    Entry("sell", "SellOperation", "卖出股票操作", _limit("卖出")),
    Entry("market_buy", "MarketBuyOperation", "市价买入股票操作", _market("买入"), since_new=True),
    Entry("market_sell", "MarketSellOperation", "市价卖出股票操作", _market("卖出"), since_new=True),
    Entry(
        "order_query",
        "OrderQueryOperation",
        "查询股票委托订单信息",
        {"return_type": _RETURNS, "stock_code": _code(False, "查询所有股票的委托")},
        queries=True,
    ),
    Entry(
        "historical_commission_query",
        "HistoricalCommissionQueryOperation",
        "查询股票历史委托订单信息",
        {
            "return_type": _RETURNS,
            "stock_code": _code(False, "查询所有股票的历史委托"),
            "time_range": _choice("查询时间范围，不指定则默认为当日", TIME_RANGES, default="当日"),
        },
        queries=True,
    ),
    Entry("holding_query", "HoldingQueryOperation", "查询股票持仓信息", {"return_type": _RETURNS}, queries=True),
    Entry("funds_query", "FundsQueryOperation", "查询账户资金信息", {}, queries=True),
    Entry(
        "order_cancel",
        "CancelOperation",
        "撤单操作",
        {
            "stock_code": _code(False, "撤销所有待成交委托"),
            "cancel_type": _choice("撤单类型，不指定则默认为全部撤单", CANCEL_TYPES),
        },
    ),
    Entry(
        "condition_buy",
        "ConditionBuyOperation",
        "条件买入股票操作",
        {
            "stock_code": _code(True),
            "target_price": _price("目标价格（触发价格）"),
            "quantity": _quantity("买入数量"),
            "expire_days": _EXPIRES,
        },
    ),
    Entry(
        "stop_loss_profit",
        "StopLossProfitOperation",
        "止盈止损操作",
        {
            "stock_code": _code(True),
            "stop_loss_percent": _percent("止损百分比（如3表示3%）"),
            "stop_profit_percent": _percent("止盈百分比（如5表示5%）"),
            "quantity": _quantity("卖出数量，不指定则卖完所有持仓", required=False),
            "expire_days": _EXPIRES,
        },
    ),
    Entry(
        "condition_order_query",
        "ConditionOrderQueryOperation",
        "查询条件单信息",
        {"return_type": _choice("结果返回类型", RETURN_TYPES, default="json")},
        queries=True,
    ),
    Entry(
        "condition_order_cancel",
        "ConditionOrderCancelOperation",
        "删除条件单",
        {"stock_code": _code(False, "删除所有条件单"), "order_type": _choice("订单类型", SIDES)},
    ),
    Entry("reverse_repo_query", "ReverseRepoQueryOperation", "查询国债逆回购年化利率信息", {}, queries=True),
    Entry(
        "reverse_repo_buy",
        "ReverseRepoOperation",
        "国债逆回购操作",
        {
            "market": _choice("交易市场", MARKETS, required=True),
            "time_range": _choice("回购期限", TERMS, required=True),
            "amount": {
                "type": "integer",
                "required": True,
                "description": "出借金额（必须是1000的倍数）",
                "minimum": 1000,
                "multiple_of": 1000,
            },
        },
    ),
)


def operations(generation: Generation) -> dict[str, Entry]:
    """What a generation offers, by name."""
    return {entry.name: entry for entry in ENTRIES if generation == "new" or not entry.since_new}
