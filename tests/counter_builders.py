"""A counter over a market whose prices a test writes down, minute by minute."""

from collections.abc import Mapping
from decimal import Decimal

from engine.domain.commands import Side
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar
from engine.domain.timestamps import MINUTE_NS, parse_time
from engine.markets.virtual import Virtual
from engine.simulators.counter import (
    DEFAULT_SHARES,
    Counter,
    CounterAccount,
    CounterPace,
    Entrust,
    Opening,
    Share,
)
from engine.simulators.exchange import Exchange, Listing
from engine.simulators.following import china_board
from engine.simulators.prices import Replay

EVE = "2026-11-17 16:00:00"
DAY = "2026-11-18"
"""A Wednesday; the market of these tests opens on its eve, so that the eve's close is the listed price."""
BANK = Share(code="600000.SH", name="浦发银行", price=10.0)
SHENZHEN = Share(code="000001.SZ", name="平安银行", price=10.0)
STAR = Share(code="688981.SH", name="中芯国际", price=50.0)
FUND = Share(code="510300.SH", name="沪深300ETF", price=3.5, kind="fund")
BOND = Share(code="113052.SH", name="兴业转债", price=110.0, kind="bond")
SHARES = (BANK, SHENZHEN, STAR, FUND, BOND)

WALKING = ("600000", "688981", "300750", "510300", "113052")

Prices = Mapping[str, tuple[float, float, float, float]]
"""End of a minute -> open, high, low, close."""
STILL: Prices = {"09:31": (10.0, 10.0, 10.0, 10.0)}


def local(text: str) -> int:
    """A time of ``DAY``, unless a date stands before it."""
    return parse_time(text if " " in text else f"{DAY} {text}", "Asia/Shanghai")


def held(code: str, quantity: int, price: str = "9.00") -> Opening:
    return Opening(code=code, quantity=quantity, price=Decimal(price))


class Bench:
    """A counter and its market; times are texts of the local day. Nothing fills in part unless ``partial`` says so."""

    def __init__(
        self,
        prices: Prices = STILL,
        *,
        share: Share = BANK,
        cash: str = "1000000",
        holdings: tuple[Opening, ...] = (),
        partial: float = 0.0,
        reject: float = 0.0,
        seed: int = 1,
    ) -> None:
        self.share = share
        self.exchange = Exchange((), seed=3, origin_ns=local(EVE), hours=Virtual())
        board = china_board(self.exchange, local(EVE))
        bars = [Bar(InstrumentId(share.code), local(end), *four, 1e6) for end, four in prices.items()]
        listing = Listing(code=share.code, name=share.name, price=share.price, tick=float(share.tick))
        self.exchange.list_on(board, listing, local(EVE), source=Replay(bars, by="time"))
        self.counter = Counter(
            self.exchange,
            CounterAccount(cash=Decimal(cash), holdings=holdings),
            seed=seed,
            now_ns=local(EVE),
            shares=(*(other for other in SHARES if other.code != share.code), share),
            pace=CounterPace(partial=partial, reject=reject),
        )

    def buy(self, quantity: int, price: str | None, when: str, strategy: int = 0) -> Entrust:
        return self.place(Side.BUY, quantity, price, when, strategy)

    def sell(self, quantity: int, price: str | None, when: str, strategy: int = 0) -> Entrust:
        return self.place(Side.SELL, quantity, price, when, strategy)

    def place(self, side: Side, quantity: int, price: str | None, when: str, strategy: int = 0) -> Entrust:
        limit = None if price is None else Decimal(price)
        return self.counter.place(self.share.code6, side, quantity, limit, local(when), strategy=strategy)

    def advance(self, when: str) -> None:
        self.counter.advance(local(when))

    def deals(self) -> list[tuple[int, str]]:
        """Quantity and price of every deal so far."""
        return [(deal.quantity, str(deal.price)) for deal in self.counter.books.deals]


def a_walking_counter(*, seed: int = 5, now: str = f"{DAY} 09:00:00") -> Counter:
    """A counter over default shares, whose prices go their own way, a step every five minutes."""
    exchange = Exchange((), seed=11, origin_ns=local(now), hours=Virtual())
    holdings = (held("600000.SH", 1250), held("688981.SH", 330, "40"), held("113052.SH", 70, "100"))
    shares = tuple(share for share in DEFAULT_SHARES if share.code6 in WALKING)
    return Counter(
        exchange,
        CounterAccount(holdings=holdings),
        seed=seed,
        now_ns=local(now),
        shares=shares,
        interval_ns=5 * MINUTE_NS,
    )
