"""What is traded behind this face: markets with their sessions, price steps and fees, and the securities of each.

Price steps: HKEX spread table, Part A, with the first phase of 2025-08; US and mainland one cent. Fees are those of the
contract's order-fee example (Hong Kong), of the same form in the US and made to be plausible there; the mainland's are
the rule book's of the connect.
"""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Literal

from msgspec import Struct

from engine.domain.commands import Side
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.money import CENT
from engine.markets.china_connect import ChinaConnect
from engine.simulators.exchange import Exchange, Listing, Stock
from engine.simulators.futu.codes import CNH, HKD, QOT_MARKETS, SELL, SELL_SHORT, USD
from engine.simulators.sessions import CHINA, HONG_KONG, UNITED_STATES, Timetable

_HK_STEPS = (
    (0.25, 0.001),
    (0.5, 0.005),
    (20, 0.01),
    (50, 0.02),
    (100, 0.05),
    (200, 0.1),
    (500, 0.2),
    (1000, 0.5),
    (2000, 1.0),
    (5000, 2.0),
)


def hong_kong_tick(price: float) -> float:
    return next((step for limit, step in _HK_STEPS if price < limit), 5.0)


def cent_tick(price: float) -> float:
    return 0.01


CONNECT = ChinaConnect()
"""Lots, limits and fees of mainland shares through the connect."""
_SHARE = Instrument(id=InstrumentId("600000.SH"), market="china_connect")
Fees = dict[str, Decimal]
"""Title -> amount, in the order the gateway lists them."""


def _hong_kong_fees(side: int, quantity: int, value: Decimal) -> Fees:
    return {
        "佣金": _cents(max(value * Decimal("0.0003"), Decimal(3))),
        "平台使用费": Decimal(15),
        "印花税": (value * Decimal("0.001")).quantize(Decimal(1), ROUND_HALF_UP),
        "交收费": _cents(value * Decimal("0.000037")),
    }


def _us_fees(side: int, quantity: int, value: Decimal) -> Fees:
    fees = {
        "佣金": _cents(max(quantity * Decimal("0.0049"), Decimal("0.99"))),
        "平台使用费": _cents(max(quantity * Decimal("0.005"), Decimal(1))),
        "交收费": _cents(quantity * Decimal("0.003")),
    }
    if side in {SELL, SELL_SHORT}:
        fees["证监会规费"] = (value * Decimal("0.0000278")).quantize(CENT, ROUND_CEILING)
    return fees


def _china_fees(side: int, quantity: int, value: Decimal) -> Fees:
    """Those of the rule book, a title each; by its newest rates."""
    book_side = Side.SELL if side in {SELL, SELL_SHORT} else Side.BUY
    parts = CONNECT.fee_parts(book_side, quantity, value, _SHARE)
    titles = ("佣金", "平台使用费", "经手费", "证管费", "过户费", "交收费", "印花税")
    return {title: part for title, part in zip(titles, parts, strict=True) if part}


def _cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


class Market(Struct, frozen=True, kw_only=True):
    """One listing market. ``trd_markets``: headers under which its securities are traded."""

    word: str
    board: str
    sec_market: int
    currency: int
    exchange_code: str
    timetable: Timetable
    tick: Callable[[float], float]
    fees: Callable[[int, int, Decimal], Fees]
    trd_markets: tuple[int, ...]
    range_up: float
    """A limit price past last price x this is refused by the exchange; below, past last / this."""
    t_plus_1: bool = False
    changeable: bool = True


_CHINA = {
    "board": "CN",
    "currency": CNH,
    "timetable": CHINA,
    "tick": cent_tick,
    "fees": _china_fees,
    "trd_markets": (3, 4),
    "range_up": 1.1,
    "t_plus_1": True,
    "changeable": False,
}
MARKETS = {
    1: Market(
        word="HK",
        board="HK",
        sec_market=1,
        currency=HKD,
        exchange_code="HKEX",
        timetable=HONG_KONG,
        tick=hong_kong_tick,
        fees=_hong_kong_fees,
        trd_markets=(1,),
        range_up=9.0,
    ),
    11: Market(
        word="US",
        board="US",
        sec_market=2,
        currency=USD,
        exchange_code="NASDAQ",
        timetable=UNITED_STATES,
        tick=cent_tick,
        fees=_us_fees,
        trd_markets=(2,),
        range_up=9.0,
    ),
    21: Market(word="SH", sec_market=31, exchange_code="SSE", **_CHINA),  # type: ignore[arg-type]
    22: Market(word="SZ", sec_market=32, exchange_code="SZSE", **_CHINA),  # type: ignore[arg-type]
}
"""QotMarket -> market."""


class Security(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One security this gateway knows; ``price`` is where it starts, in the market's currency."""

    code: str
    market: Literal["HK", "US", "SH", "SZ"]
    name: str
    price: float
    lot: int = 1
    volatility: float = 0.02
    spread: float = 0.0
    """Price step; 0 takes the market's table."""
    list_time: str = "2004-06-16"
    plates: tuple[str, ...] = ()
    shortable: bool = True
    margin: bool = True
    listing: str = ""
    """Code of a listing of the shared market that this is, as ``CY``; empty: ``<code>.<market>`` on its own board."""

    @property
    def qot_market(self) -> int:
        return QOT_MARKETS[self.market]

    @property
    def key(self) -> str:
        """As push frames name it: ``1_00700``."""
        return f"{self.qot_market}_{self.code}"

    @property
    def symbol(self) -> str:
        """As keys name it: ``HK.00700``."""
        return f"{self.market}.{self.code}"

    @property
    def is_mainland(self) -> bool:
        return self.market in {"SH", "SZ"}

    @property
    def instrument(self) -> Instrument:
        """As the rule book of the connect knows it."""
        return Instrument(id=InstrumentId(f"{self.code}.{self.market}"), market="china_connect", name=self.name)

    @property
    def place(self) -> Market:
        return MARKETS[self.qot_market]

    @property
    def exchange_code(self) -> str:
        return self.listing or f"{self.code}.{self.market}"

    def tick(self, price: float) -> float:
        return self.spread or self.place.tick(price)

    def row(self) -> dict[str, object]:
        return {"market": self.qot_market, "code": self.code}

    def stock(self, exchange: Exchange) -> Stock:
        stock = exchange.stock(self.exchange_code)
        assert stock is not None, self.exchange_code
        return stock

    def as_listing(self) -> Listing:
        return Listing(
            code=self.exchange_code, name=self.name, price=self.price, volatility=self.volatility, tick=self.spread
        )


def on_tick(price: float, step: float) -> bool:
    """Whether a price is a whole number of steps, floats' dust aside."""
    return abs(price / step - round(price / step)) < 1e-6


DEFAULT_SECURITIES = (
    Security(code="00700", market="HK", name="TENCENT", price=475.2, lot=100, plates=("BK1001", "BK1002")),
    Security(
        code="09988", market="HK", name="BABA-W", price=158.4, lot=100, list_time="2019-11-26", plates=("BK1001",)
    ),
    Security(code="00005", market="HK", name="HSBC HOLDINGS", price=108.3, lot=400, list_time="1970-12-31"),
    Security(code="AAPL", market="US", name="Apple", price=268.5, list_time="1980-12-12", plates=("BK2001",)),
    Security(code="MSFT", market="US", name="Microsoft", price=505.4, list_time="1986-03-13", plates=("BK2001",)),
    Security(
        code="600000", market="SH", name="浦发银行", price=11.86, lot=100, list_time="1999-11-10", shortable=False
    ),
    Security(
        code="000001", market="SZ", name="平安银行", price=11.72, lot=100, list_time="1991-04-03", shortable=False
    ),
)
