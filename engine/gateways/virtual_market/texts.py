"""What the answers to trades say in words (contracts/virtual_market.md 7): tolerant patterns, no exceptions.

A text that can not be read gives None; the router then asks the portfolio. Nothing here guesses.
"""

import enum
import re
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from engine.domain.money import CENT
from engine.domain.timestamps import MINUTE_NS, SECOND_NS

SELL_FEE = Decimal("0.01")
TEXT_MAX = 4096
"""Longer texts of a single trade are not searched: none was ever a tenth of it."""
LIST_MAX = 65536

# A number is read whole or not at all: the first digits of a longer one would be a wrong one.
_QTY = r"([0-9]{1,18})(?![0-9.])"
_AMOUNT = r"(-?[0-9]{1,18}(?:\.[0-9]{1,8})?)(?!\.?[0-9])"
_BUY = re.compile(rf"以\s*\$\s*{_AMOUNT}\s*/股\s*的价格买入\s*{_QTY}\s*股\s*(.+?)\s*[，,]\s*花费\s*{_AMOUNT}\s*金币")
_LOCK = re.compile(r"将在\s*([0-9]{1,6})\s*分钟后解锁")
_SELL_QTY = re.compile(rf"成交数量[::]\s*{_QTY}\s*股")
_SELL_GROSS = re.compile(rf"成交总额[::]\s*{_AMOUNT}")
_SELL_FEE = re.compile(rf"手续费[^::\n]{{0,20}}[::]\s*-?\s*{_AMOUNT}")
_SELL_NET = re.compile(rf"实际收入[::]\s*{_AMOUNT}")
_LINE = re.compile(rf"^[ \t]*-[ \t]*(.{{1,80}}?)[::]\s*{_QTY}\s*股\s*[，,]\s*收入\s*{_AMOUNT}", re.MULTILINE)
_LISTED = re.compile(r"^[ \t]*-(?!-)", re.MULTILINE)
"""A line of the list, read or not; a rule of dashes is none."""
_SELLABLE = re.compile(rf"只有\s*{_QTY}\s*股可卖")
_UNLOCK = re.compile(r"([0-9]{1,5})\s*分\s*([0-9]{1,2})\s*秒\s*后解锁")


class Execution(Struct, frozen=True, kw_only=True):
    """What a success text says was done. Price and fee as in the text; cash moves in whole coins, see the contract."""

    quantity: int
    price: Decimal
    fee: Decimal
    name: str = ""
    lock_ns: int | None = None


class RefusalKind(enum.StrEnum):
    CLOSED = "market closed"
    FUNDS = "not enough coins"
    NOT_SELLABLE = "not enough sellable shares"
    NOTHING_TO_SELL = "nothing unlocked to sell"
    UNKNOWN_STOCK = "unknown stock"
    BAD_QUANTITY = "quantity must be a positive whole number"
    VENUE_TROUBLE = "trouble at the venue, nothing booked"
    OTHER = "refused"


class Refusal(Struct, frozen=True, kw_only=True):
    kind: RefusalKind
    text: str
    sellable: int | None = None
    """NOT_SELLABLE: shares that can be sold now."""
    unlock_ns: int | None = None
    """How long until the next lot unlocks; None where the text gives no hint: nothing is locked."""

    @property
    def reason(self) -> str:
        return f"{self.kind}: {' '.join(self.text.split())}"


_REFUSALS = (
    ("已休市", RefusalKind.CLOSED),
    ("金币不足", RefusalKind.FUNDS),
    ("买不起", RefusalKind.FUNDS),
    ("可卖数量不足", RefusalKind.NOT_SELLABLE),
    ("没有可供卖出的", RefusalKind.NOTHING_TO_SELL),
    ("找不到标识符为", RefusalKind.UNKNOWN_STOCK),
    ("必须是一个正整数", RefusalKind.BAD_QUANTITY),
    ("经济系统未启用", RefusalKind.VENUE_TROUBLE),
    ("扣款失败", RefusalKind.VENUE_TROUBLE),
    ("股价异常", RefusalKind.VENUE_TROUBLE),
    ("清仓失败", RefusalKind.VENUE_TROUBLE),
)


def refusal_from_text(text: str) -> Refusal:
    """Always an answer: a text nobody has seen before is ``OTHER`` and quoted."""
    text = text[:TEXT_MAX]
    kind = next((kind for part, kind in _REFUSALS if part in text), RefusalKind.OTHER)
    sellable = _SELLABLE.search(text)
    unlock = _UNLOCK.search(text)
    return Refusal(
        kind=kind,
        text=text,
        sellable=int(sellable[1]) if sellable else None,
        unlock_ns=int(unlock[1]) * MINUTE_NS + int(unlock[2]) * SECOND_NS if unlock else None,
    )


def buy_from_text(text: str) -> Execution | None:
    """A buy, also an all-in: the printed price is the market's own, two decimals, and there is no fee."""
    match = _BUY.search(text) if len(text) <= TEXT_MAX else None
    if match is None:
        return None
    price, quantity, cost = Decimal(match[1]), int(match[2]), Decimal(match[4])
    if quantity <= 0 or price <= 0 or cost < 0:
        return None
    if (price * quantity).quantize(CENT, ROUND_HALF_UP) != cost:
        price = cost / quantity
    lock = _LOCK.search(text)
    return Execution(
        quantity=quantity,
        price=price,
        fee=Decimal(0),
        name=match[3],
        lock_ns=int(lock[1]) * MINUTE_NS if lock else None,
    )


def sell_from_text(text: str) -> Execution | None:
    """A sale, also of all of one stock: price is turnover over quantity, since the printed average is rounded."""
    if len(text) > TEXT_MAX:
        return None
    found_quantity, found_gross, found_fee = _SELL_QTY.search(text), _SELL_GROSS.search(text), _SELL_FEE.search(text)
    if found_quantity is None or found_gross is None:
        return None
    quantity, gross = int(found_quantity[1]), Decimal(found_gross[1])
    if quantity <= 0 or gross < 0:
        return None
    if found_fee is not None:
        fee = abs(Decimal(found_fee[1]))
    else:
        net = _SELL_NET.search(text)
        fee = gross - Decimal(net[1]) if net else fee_of(gross)
    if gross <= 0 or not 0 <= fee <= gross:
        return None
    return Execution(quantity=quantity, price=gross / quantity, fee=fee)


def liquidation_from_text(text: str) -> dict[str, Execution]:
    """Sold lines by stock *name*; a text without any, or with one that can not be read, gives an empty dict.

    A line that is left out would say of its stock that it was not sold.
    """
    sold: dict[str, Execution] = {}
    text = text[:LIST_MAX]
    found = list(_LINE.finditer(text))
    if len(found) != len(_LISTED.findall(text)):
        return {}
    for match in found:
        quantity, net = int(match[2]), Decimal(match[3])
        if quantity <= 0 or net <= 0 or match[1].strip() in sold:
            return {}
        gross = gross_of(net)
        sold[match[1].strip()] = Execution(quantity=quantity, price=gross / quantity, fee=gross - net, name=match[1])
    return sold


def fee_of(gross: Decimal) -> Decimal:
    """1 % of a sale, rounded to cents (contract 7)."""
    return (gross * SELL_FEE).quantize(CENT, ROUND_HALF_UP)


def gross_of(net: Decimal) -> Decimal:
    """The turnover whose fee leaves ``net``, to the cent; the lists of a liquidation print only ``net``."""
    near = (net / (1 - SELL_FEE)).quantize(CENT, ROUND_HALF_UP)
    for step in (0, 1, -1, 2, -2):
        gross = near + step * CENT
        if gross - fee_of(gross) == net:
            return gross
    return near
