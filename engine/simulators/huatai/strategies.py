"""Kinds of market order as the client lists them, by market, in its order (contracts/ht.md 3.1)."""

from typing import Any

SHANGHAI = {"五档即时成交剩余撤销": 3, "五档即时成交剩余转限价": 6}
SHENZHEN = {
    "对手方最优价格": 1,
    "本方最优价格": 2,
    "即时成交剩余撤销": 4,
    "五档即时成交剩余撤销": 3,
    "全额成交或撤销": 5,
}
"""Name -> the counter's number of it."""


def strategy_of(code: str, name: Any) -> int | None:
    """The number of the first kind whose name holds ``name``; of the first in the list where none is asked for."""
    market = code.partition(".")[2] or ("SH" if code.startswith(("5", "6", "9")) else "SZ")
    offered = SHANGHAI if market == "SH" else SHENZHEN
    if not name:
        return next(iter(offered.values()))
    return next((number for text, number in offered.items() if name in text), None)
