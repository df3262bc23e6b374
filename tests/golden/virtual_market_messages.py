"""Texts and bodies of the virtual market as recorded (contracts/virtual_market.md 3 to 7), and what they mean."""

from decimal import Decimal

BUY = (
    "✅ 买入成功！\n以 $57.75/股 的价格买入 100 股 智云科技，花费 5775.00 金币。\n"
    "⚠️ 注意：买入的股票将在 60 分钟后解锁，方可卖出。"
)
SELL_SLIPPED = (
    "✅ 卖出成功！(因大单抛售产生 5.00% 滑点)\n成交数量: 100000 股\n当前市价: $27.25\n您的成交均价: $25.89\n"
    "成交总额: 2588750.00 金币\n手续费(1%): -25887.50 金币\n实际收入: 2562862.50 金币\n😭 本次交易盈亏: -136250.00 金币"
)
SELL_PLAIN = (
    "✅ 卖出成功！成交数量: 10 股\n当前市价: $27.25\n您的成交均价: $27.25\n成交总额: 272.50 金币\n"
    "手续费(1%): -2.72 金币\n实际收入: 269.78 金币\n😭 本次交易盈亏: -1.00 金币"
)
LIQUIDATION = (
    "✅ 清仓成功！\n- 晨宇科技: 100股, 收入 3752.10 (盈亏 +12.00)\n"
    "- 大立农业: 5股, 收入 370.21 (盈亏 -3.10)\n总收入: 4122.31 金币"
)

SELLS = [
    (SELL_SLIPPED, 100000, Decimal("25.8875"), Decimal("25887.50")),
    (SELL_PLAIN, 10, Decimal("27.25"), Decimal("2.72")),
]

REFUSALS = [
    ("❌ 当前市场状态为【已休市】，无法进行交易。", "CLOSED", None, None),
    ("❌ 金币不足！需要 5775.00，你只有 12", "FUNDS", None, None),
    ("❌ 你的金币连一股都买不起！", "FUNDS", None, None),
    ("❌ 可卖数量不足！你只有 30 股可卖。下一批持仓大约在 12分5秒 后解锁。", "NOT_SELLABLE", 30, 725),
    ("❌ 可卖数量不足！你只有 30 股可卖。", "NOT_SELLABLE", 30, None),
    ("❌ 没有可供卖出的股票。", "NOTHING_TO_SELL", None, None),
    ("❌ 找不到标识符为 'XX' 的股票。", "UNKNOWN_STOCK", None, None),
    ("❌ 数量必须是一个正整数。", "BAD_QUANTITY", None, None),
    ("❌ 经济系统未启用，无法交易。", "VENUE_TROUBLE", None, None),
    ("❌ 扣款失败，请稍后再试。", "VENUE_TROUBLE", None, None),
    ("something nobody has seen", "OTHER", None, None),
]

EXCEEDED = "Rate limit exceeded."
FAILURES = [
    (400, b'{"success": false, "message": "\\u5931\\u8d25"}', "失败"),
    (401, b'{"error": "\\u672a\\u63d0\\u4f9b\\u8ba4\\u8bc1Token"}', "未提供认证Token"),
    (
        429,
        b'{"error": "Too Many Requests", "message": "Rate limit exceeded."}',
        "Too Many Requests: Rate limit exceeded.",
    ),
    (404, b"404: Not Found", "404: Not Found"),
    (500, b"500 Internal Server Error\n\nServer got itself in trouble", "500 Internal Server Error"),
    (500, b"", "(no text)"),
]
