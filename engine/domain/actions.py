"""What a company does to its shares: cash dividends, bonus shares, splits and rights, as of an ex-date.

Reference price of the ex-date: (close before - cash + rights price x rights) / (1 + bonus + rights), over the split,
rounded half up to the tick (深圳证券交易所交易规则 2023, 4.4.2 and 上海证券交易所交易规则 2023, 4.3.2, as the exchanges
state the formula; the text was not read here). Price limits of the day count from it.
"""

from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from engine.domain.money import ZERO, exact

ONE = Decimal(1)


class CorporateAction(Struct, frozen=True, kw_only=True, gc=False):
    """Everything of one instrument on one ex-date, each a share held before it."""

    ex_day: int
    """Proleptic ordinal."""
    cash: Decimal = ZERO
    """Before tax, in the instrument's currency."""
    bonus: Decimal = ZERO
    """New shares for nothing (送股 and 转增): 0.3 for three for ten."""
    split: Decimal = ONE
    """Shares that one share becomes: 2 for a split in two, 0.1 for ten merged into one."""
    rights: Decimal = ZERO
    """New shares that may be bought at ``rights_price``."""
    rights_price: Decimal = ZERO

    @property
    def share_factor(self) -> Decimal:
        """Shares after one share before, rights not taken up."""
        return (ONE + self.bonus) * self.split

    def reference(self, close: Decimal, tick: Decimal) -> Decimal:
        """What a close is worth on the ex-date."""
        plain = (close - self.cash + self.rights_price * self.rights) / (ONE + self.bonus + self.rights) / self.split
        return max(tick, plain.quantize(tick, ROUND_HALF_UP))

    def outcome(self, held: int, *, takes_rights: bool = False) -> tuple[int, Decimal]:
        """Shares and cash that a holding of ``held`` gains or loses; fractions of a share lapse."""
        bonus = int(held * self.bonus)
        shares = int((held + bonus) * self.split) - held
        cash = held * self.cash
        if takes_rights:
            taken = int(held * self.rights)
            shares, cash = shares + taken, cash - taken * self.rights_price
        return shares, cash

    @property
    def text(self) -> str:
        """``dividend 0.5 and 0.3 new shares a share``."""
        parts = [f"dividend {self.cash}"] if self.cash else []
        parts += [f"{self.bonus} new shares"] if self.bonus else []
        parts += [f"split into {self.split}"] if self.split != ONE else []
        parts += [f"{self.rights} rights at {self.rights_price}"] if self.rights else []
        return f"{' and '.join(parts) or 'nothing'} a share"


def after(actions: tuple[CorporateAction, ...], close: float, tick: Decimal) -> float:
    """A close taken through several ex-dates, oldest first."""
    worth = exact(close)
    for action in actions:
        worth = action.reference(worth, tick)
    return float(worth)
