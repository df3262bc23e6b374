"""Conditions that wait at the broker: buy at a price, sell a holding that has won or lost enough (contract 3).

``STANDING`` ones are looked at with every step of their instrument's price; one that is met is gone from here and comes
back as a normal order. None has a number. The columns of their table are not in the contract: typical ones.
"""

import enum
from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import Side
from engine.domain.timestamps import DAY_NS, datetime_from_ns
from engine.simulators.easyths.tables import Table

COLUMNS = ("条件类型", "状态", "创建时间", "方向", "监控标的", "触发条件", "委托价格", "委托数量", "有效期", "操作")


class ConditionState(enum.StrEnum):
    STANDING = "standing"
    TRIGGERED = "triggered"
    REFUSED = "refused"
    """Triggered, and refused by the counter."""
    DELETED = "deleted"
    EXPIRED = "expired"


class Condition(Struct, kw_only=True):
    """One condition. It is met at or below ``low``, at or above ``high``; ``price`` is its order's limit, None the
    price of the moment."""

    kind: str
    code: str
    """As it was typed: six digits."""
    instrument: str
    name: str
    side: Side
    quantity: int
    made_ns: int
    expires_ns: int
    low: Decimal | None = None
    high: Decimal | None = None
    price: Decimal | None = None
    words: str = ""
    request: int = 0
    state: ConditionState = ConditionState.STANDING
    order: str | None = None
    """Number of the order it became."""

    def met(self, low: float, high: float) -> bool:
        """Whether a step between these two prices meets it."""
        fell = self.low is not None and low <= self.low
        return fell or (self.high is not None and high >= self.high)


class ConditionBook:
    """All conditions of the account, in the order they were set."""

    def __init__(self) -> None:
        self.conditions: list[Condition] = []

    def add(self, condition: Condition) -> None:
        self.conditions.append(condition)

    def standing(self, now_ns: int) -> list[Condition]:
        """Those that still wait; ones past their day expire here."""
        for condition in self.conditions:
            if condition.state is ConditionState.STANDING and now_ns >= condition.expires_ns:
                condition.state = ConditionState.EXPIRED
        return [condition for condition in self.conditions if condition.state is ConditionState.STANDING]

    def delete(self, code: str | None, side: Side | None, now_ns: int) -> int:
        """Delete every one that matches; gives back how many."""
        found = [
            condition
            for condition in self.standing(now_ns)
            if code in {None, condition.code} and side in {None, condition.side}
        ]
        for condition in found:
            condition.state = ConditionState.DELETED
        return len(found)

    def table(self, now_ns: int, timezone: str) -> Table:
        """The page of those not triggered, newest first, every cell a text."""
        rows = [_row(condition, timezone) for condition in reversed(self.standing(now_ns))]
        return Table(list(COLUMNS), rows)


def expiry_ns(now_ns: int, days: int) -> int:
    """The end of a condition that is good for so many calendar days."""
    return now_ns + days * DAY_NS


def _row(condition: Condition, timezone: str) -> list[str]:
    made = datetime_from_ns(condition.made_ns, timezone).strftime("%Y-%m-%d %H:%M:%S")
    until = datetime_from_ns(condition.expires_ns, timezone).strftime("%Y-%m-%d")
    return [
        condition.kind,
        "监控中",
        made,
        "买入" if condition.side is Side.BUY else "卖出",
        f"{condition.name} {condition.code}",
        condition.words,
        "现价" if condition.price is None else str(condition.price),
        str(condition.quantity),
        until,
        "",
    ]
