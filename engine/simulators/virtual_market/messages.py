"""The texts the venue answers with, and its two shapes of failure (contracts/virtual_market.md 1, 3, 7).

Texts quoted in the contract are exact; the others keep the parts it says to match on.
"""

import json
from typing import Any

from starlette.responses import PlainTextResponse, Response

NO_TOKEN = "未提供认证Token"  # noqa: S105
TOKEN_EXPIRED = "Token已过期"  # noqa: S105
TOKEN_INVALID = "无效的Token"  # noqa: S105
WRONG_LOGIN = "登录名或密码错误"
SERVER_ERROR = "服务器内部错误"
PORTFOLIO_ERROR = "获取持仓信息时发生内部错误"
BAD_CHAT_ID = "无效的QQ号"
STOCK_NOT_FOUND = "Stock not found"
LOGIN_TAKEN = "该登录名已被注册"
BAD_RESET_CODE = "重置码无效或已过期"
PASSWORD_RESET = "密码重置成功"  # noqa: S105
UNKNOWN_LOGIN = "用户不存在"

CLOSED = "❌ 交易失败\n当前市场状态为【已休市】，无法进行交易。"
ECONOMY_DOWN = "❌ 交易失败，经济系统未启用。"
BAD_QUANTITY = "❌ 数量必须是一个正整数。"
NOT_ONE_SHARE = "❌ 金币不足，连一股都买不起。"
NOTHING_TO_SELL = "❌ 你没有可供卖出的股票。"

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
INTERNAL_TEXT = "500 Internal Server Error\n\nServer got itself in trouble"


class Refusal(Exception):
    """The trade was understood and refused: 400 with ``success: false``."""


class BadBody(Exception):
    """A request body the venue notices to be wrong: 400 with ``error``."""


class Unhandled(Exception):
    """What the venue's own code trips over: 500 as plain text."""


def answer(body: Any, status: int = 200) -> Response:
    """JSON as the venue writes it: ``\\uXXXX`` for all that is not ASCII, a blank after comma and colon."""
    return Response(encode(body), status, media_type=JSON_TYPE)


def encode(body: Any) -> bytes:
    return json.dumps(body).encode()


def error(text: str, status: int) -> Response:
    return answer({"error": text}, status)


def text(status: int, body: str) -> Response:
    return PlainTextResponse(body, status)


def internal_text() -> Response:
    """An unhandled fault; the venue closes the connection after it."""
    return PlainTextResponse(INTERNAL_TEXT, 500, headers={"connection": "close"})


def unknown_stock(identifier: str) -> str:
    return f"❌ 找不到标识符为 '{identifier}' 的股票。"


def bought(price: float, quantity: int, name: str, cost: float, lock_minutes: int) -> str:
    return (
        f"✅ 买入成功！\n以 ${price:.2f}/股 的价格买入 {quantity} 股 {name}，花费 {cost:.2f} 金币。\n"
        f"⚠️ 注意：买入的股票将在 {lock_minutes} 分钟后解锁，方可卖出。"
    )


def too_few_coins(cost: float, coins: int) -> str:
    return f"❌ 金币不足！需要 {cost:.2f}，你只有 {coins}。"


def sold(
    quantity: int, market: float, fill: float, gross: float, fee: float, net: float, slip: float, profit: float
) -> str:
    """The slippage line shows from 0.1 % on; without it no line break follows the first sentence."""
    slippage = f"(因大单抛售产生 {slip * 100:.2f}% 滑点)\n" if slip >= 0.001 else ""
    return (
        f"✅ 卖出成功！{slippage}成交数量: {quantity} 股\n当前市价: ${market:.2f}\n您的成交均价: ${fill:.2f}\n"
        f"成交总额: {gross:.2f} 金币\n手续费(1%): -{fee:.2f} 金币\n实际收入: {net:.2f} 金币\n"
        f"{_mood(profit)} 本次交易盈亏: {profit:+.2f} 金币"
    )


def too_few_shares(sellable: int, seconds_to_unlock: int | None) -> str:
    hint = ""
    if seconds_to_unlock is not None:
        hint = f"\n下一批持仓大约在 {seconds_to_unlock // 60}分{seconds_to_unlock % 60}秒 后解锁。"
    return f"❌ 可卖数量不足！你只有 {sellable} 股可卖。{hint}"


def nothing_of_it_to_sell(name: str) -> str:
    return f"❌ 你没有可供卖出的【{name}】股票。"


def sold_line(name: str, quantity: int, net: float, profit: float) -> str:
    return f"- {name}: {quantity}股, 收入 {net:.2f} (盈亏 {profit:+.2f})"


def sold_everything(lines: list[str], net: float, profit: float) -> str:
    return "\n".join(
        [
            "✅ 清仓成功！",
            *lines,
            "--------------------",
            f"总收入: {net:.2f} 金币",
            f"{_mood(profit)} 总盈亏: {profit:+.2f} 金币",
        ]
    )


def _mood(profit: float) -> str:
    return "🎉" if profit >= 0 else "😭"
