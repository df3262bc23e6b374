"""What the platform knows: shares, funds, indexes, and the futures contracts of each day.

The lists are those of the contract's examples; names are the exchanges'. Prices are levels the made-up past varies
around, near those of 2024-01. More shares are made up on request.
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from engine.simulators.china import Days
from engine.simulators.past import Path

STOCK, FUTURE, ETF, INDEX = "EXTRA_STOCK_A", "EXTRA_FUTURE", "EXTRA_ETF", "EXTRA_INDEX_A"
TYPES = (STOCK, FUTURE, ETF, INDEX)
_FRIDAY = 4
_SCALE_MAX = 5000


class Security(Struct, frozen=True, kw_only=True):
    """``company`` is the SDK's COMP_TYPE_CODE (1 ordinary, 2 bank, 3 insurer), 0 where there are no statements;
    ``scale`` is its size, 1 being Pudong Bank's."""

    code: str
    name: str
    type: str
    path: Path
    company: int = 0
    scale: float = 0.0

    @property
    def market(self) -> str:
        return self.code.rpartition(".")[2]


class Product(Struct, frozen=True, kw_only=True):
    """A futures product of CFFEX; those on one index share its path. ``quarterly`` ones trade three quarter months."""

    code: str
    name: str
    path: Path
    quarterly: bool = False


def _share(code: str, name: str, price: float, company: int = 1, scale: float = 0.02, band: float = 0.0995) -> Security:
    volume = round(2e8 / price**0.5, -2)
    path = Path(name=code, price=price, volume=volume, band=band)
    return Security(code=code, name=name, type=STOCK, path=path, company=company, scale=scale)


def _fund(code: str, name: str, price: float) -> Security:
    path = Path(name=code, price=price, volatility=0.012, tick=0.001, volume=4e8, lot=100)
    return Security(code=code, name=name, type=ETF, path=path)


def _index(code: str, name: str, price: float) -> Security:
    path = Path(name=code, price=price, volatility=0.011, tick=0.01, volume=3e10, lot=100, band=0.3)
    return Security(code=code, name=name, type=INDEX, path=path)


SECURITIES = (
    _share("600000.SH", "浦发银行", 6.62, company=2, scale=1.0),
    _share("600004.SH", "白云机场", 10.1),
    _share("600006.SH", "东风股份", 5.7),
    _share("601318.SH", "中国平安", 40.3, company=3, scale=1.3),
    _share("688981.SH", "中芯国际", 53.0, band=0.1995),
    _share("000001.SZ", "平安银行", 9.39, company=2, scale=0.6),
    _share("000002.SZ", "万科A", 10.51, scale=0.17),
    _share("000333.SZ", "美的集团", 54.6, scale=0.05),
    _share("300750.SZ", "宁德时代", 163.0, scale=0.07, band=0.1995),
    _share("430047.BJ", "诺思兰德", 12.8, scale=0.0001, band=0.2995),
    _fund("510050.SH", "上证50ETF", 2.352),
    _fund("510300.SH", "沪深300ETF", 3.456),
    _fund("588000.SH", "科创50ETF", 0.871),
    _fund("159915.SZ", "创业板ETF", 1.834),
    _fund("159919.SZ", "沪深300ETF", 3.502),
    _index("000001.SH", "上证指数", 2962.28),
    _index("000016.SH", "上证50", 2319.0),
    _index("000300.SH", "沪深300", 3390.0),
    _index("000905.SH", "中证500", 5400.0),
    _index("399001.SZ", "深证成指", 9480.0),
    _index("399006.SZ", "创业板指", 1880.0),
    _index("899050.BJ", "北证50", 1080.0),
)


def _on_index(code: str, name: str, index: str, price: float, multiplier: float) -> Product:
    path = Path(name=index, price=price, volatility=0.011, tick=0.2, volume=8e4, lot=1, multiplier=multiplier)
    return Product(code=code, name=name, path=path)


def _on_bond(code: str, name: str, price: float, volatility: float, tick: float) -> Product:
    path = Path(
        name=code,
        price=price,
        volatility=volatility,
        tick=tick,
        volume=6e4,
        lot=1,
        minutes=255,
        multiplier=1e4,
        band=0.02,
    )
    return Product(code=code, name=name, path=path, quarterly=True)


PRODUCTS = {
    product.code: product
    for product in (
        _on_index("IC", "中证500股指期货", "000905.SH", 5400.0, 200.0),
        _on_index("IF", "沪深300股指期货", "000300.SH", 3390.0, 300.0),
        _on_index("IH", "上证50股指期货", "000016.SH", 2319.0, 300.0),
        _on_index("IM", "中证1000股指期货", "000852.SH", 5850.0, 200.0),
        _on_bond("T", "10年期国债期货", 102.9, 0.0012, 0.005),
        _on_bond("TF", "5年期国债期货", 102.3, 0.0008, 0.005),
        _on_bond("TL", "30年期国债期货", 102.0, 0.003, 0.01),
        _on_bond("TS", "2年期国债期货", 101.4, 0.0004, 0.002),
    )
}
"""Multipliers and ticks: CFFEX contract specifications. IM has no index in the lists and moves on 000852.SH's path."""


class Universe:
    """Everything by code. ``more`` shares are made up beyond the examples' ten."""

    def __init__(self, days: Days, more: int = 0) -> None:
        self._days = days
        named = [*SECURITIES, *_made_up(more)]
        rank = {"SH": 0, "SZ": 1, "BJ": 2}
        self._by_code = {security.code: security for security in sorted(named, key=lambda s: rank[s.market])}

    def codes(self, kind: str, today: int) -> list[str]:
        """Codes of a type as of a day, Shanghai first."""
        if kind == FUTURE:
            return [code for product in PRODUCTS for code in self.contracts(product, today)]
        return [code for code, security in self._by_code.items() if security.type == kind]

    def find(self, code: str) -> Security | None:
        """A security, or a futures contract of whatever month."""
        known = self._by_code.get(code)
        if known is not None:
            return known
        parts = _contract_of(code)
        if parts is None:
            return None
        product, month = parts
        path = product.path
        # A little below the index, more so the later it ends; bonds as they are.
        basis = 1.0 if product.quarterly else 1 - 0.0005 * (month % 12 + 1)
        name = f"{product.name}{_label(month)}"
        return Security(code=code, name=name, type=FUTURE, path=replace(path, price=path.price * basis))

    def contracts(self, product: str, today: int) -> list[str]:
        """Contracts of a product that are listed on a day, nearest first.

        CFFEX: index futures have this month, the next one and the two quarter months after it; treasury futures the
        three nearest quarter months.
        """
        return [f"{product}{_label(month)}.CFE" for month in self._months(PRODUCTS[product], today)]

    def listed(self, code: str, day: int) -> bool:
        """Whether a futures contract trades on a day."""
        parts = _contract_of(code)
        return parts is not None and parts[1] in self._months(parts[0], day)

    def main_contract(self, product: str, today: int) -> str:
        """The contract that most would trade: the nearest, the next from three days before its end; of bonds the first
        whose delivery month has not begun. The platform's own rule is not known (contracts/amazingdata.md 4)."""
        months = self._months(PRODUCTS[product], today)
        if PRODUCTS[product].quarterly:
            day = date.fromordinal(today)
            rolled = months[0] <= day.year * 12 + day.month - 1
        else:
            rolled = self.last_day(PRODUCTS[product], months[0]) - today < 3
        return f"{product}{_label(months[1] if rolled else months[0])}.CFE"

    def last_day(self, product: Product, month: int) -> int:
        """Third Friday of an index future's month, second of a treasury future's; the next trading day if closed."""
        year, index = divmod(month, 12)
        first = date(year, index + 1, 1)
        friday = 1 + (_FRIDAY - first.weekday()) % 7 + (7 if product.quarterly else 14)
        assert friday <= monthrange(year, index + 1)[1]
        day = first.replace(day=friday).toordinal()
        return day if day > self._days.last else self._days.at_or_after(day)

    def _months(self, product: Product, today: int) -> list[int]:
        day = date.fromordinal(today)
        front = day.year * 12 + day.month - 1
        if today > self.last_day(product, front):
            front += 1
        if product.quarterly:
            first = _quarter(front)
            if first == front and today > self.last_day(product, first):
                first += 3
            return [first, first + 3, first + 6]
        later = _quarter(front + 2)
        return [front, front + 1, later, later + 3]


def _quarter(month: int) -> int:
    """The first quarter month from a month (year x 12 + month - 1) on."""
    return month + (2 - month) % 3


def _label(month: int) -> str:
    return f"{month // 12 % 100:02d}{month % 12 + 1:02d}"


def _contract_of(code: str) -> tuple[Product, int] | None:
    name, _, market = code.rpartition(".")
    product = PRODUCTS.get(name[:-4])
    digits = name[-4:]
    if market != "CFE" or product is None or not digits.isascii() or not digits.isdigit():
        return None
    year, month = 2000 + int(digits[:2]), int(digits[2:])
    if not 1 <= month <= 12 or (product.quarterly and month % 3):
        return None
    return product, year * 12 + month - 1


def _made_up(count: int) -> Iterable[Security]:
    if not 0 <= count <= _SCALE_MAX:
        raise ValueError(f"more_stocks must be 0 to {_SCALE_MAX}, not {count}")
    for number in range(count):
        code = f"{603000 + number // 2:06d}.SH" if number % 2 == 0 else f"{2000 + number // 2:06d}.SZ"
        price = 3.0 + (number * 7919 % 9700) / 100
        yield _share(code, f"模拟{number + 1:04d}", price, scale=0.001 + number % 50 / 2000)
