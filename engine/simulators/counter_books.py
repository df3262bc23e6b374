"""What a mainland broker's counter knows of one account: orders, deals, holdings, money. The oracle of tests.

Money is Decimal in yuan, quantities are whole units, times ns UTC. A limit order to buy ties up its price and fees
until it ends; a market order the highest price of the day. Fees are those of ``ChinaA.order_fee``, charged as fills
come.
"""

import enum
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from msgspec import Struct

from engine.domain.commands import Side
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.money import CENT, ZERO
from engine.markets.china_a import ChinaA
from engine.markets.china_boards import BOARDS, Board, board_of, is_special
from engine.simulators.past import Path

KINDS = {"stock": InstrumentKind.STOCK, "fund": InstrumentKind.ETF, "bond": InstrumentKind.BOND}


class Share(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something this counter trades. ``code`` is the exchange's, as ``600000.SH``; ``price`` the level it moves around
    where nobody listed it before."""

    code: str
    name: str
    price: float
    kind: Literal["stock", "fund", "bond"] = "stock"

    @property
    def code6(self) -> str:
        return self.code.rpartition(".")[0]

    @property
    def market(self) -> str:
        """``SH``, ``SZ`` or ``BJ``."""
        return self.code.rpartition(".")[2]

    @property
    def board(self) -> Board:
        return {"fund": Board.FUND, "bond": Board.BOND}.get(self.kind) or board_of(self.code6)

    @property
    def tick(self) -> Decimal:
        return BOARDS[self.board].tick

    @property
    def instrument(self) -> Instrument:
        return Instrument(
            id=InstrumentId(self.code), kind=KINDS[self.kind], market="china_a", tick=self.tick, name=self.name
        )

    @property
    def path(self) -> Path:
        """The way it goes; that of the data platform's list where the code is in it (one market, one price)."""
        if self.kind == "fund":
            return Path(name=self.code, price=self.price, volatility=0.012, tick=0.001, volume=4e8, lot=100)
        band = (0.05 if is_special(self.name) else float(BOARDS[self.board].share)) - 0.0005
        volume, tick = round(2e8 / self.price**0.5, -2), float(self.tick)
        return Path(name=self.code, price=self.price, volume=volume, band=band, tick=tick)


DEFAULT_SHARES = (
    Share(code="600000.SH", name="浦发银行", price=6.62),
    Share(code="600036.SH", name="招商银行", price=36.5),
    Share(code="688981.SH", name="中芯国际", price=53.0),
    Share(code="000001.SZ", name="平安银行", price=9.39),
    Share(code="000858.SZ", name="五粮液", price=128.0),
    Share(code="300750.SZ", name="宁德时代", price=163.0),
    Share(code="510300.SH", name="沪深300ETF", price=3.456, kind="fund"),
    Share(code="113052.SH", name="兴业转债", price=108.5, kind="bond"),
)
"""Those the data platform lists too have its prices."""


class Opening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A holding an account starts with, bought before today: ``price`` is what one unit cost."""

    code: str
    quantity: int
    price: Decimal

    def __post_init__(self) -> None:
        if self.quantity <= 0 or self.price < 0:
            raise ValueError(f"the opening of {self.code} needs a quantity above 0 and a price of 0 or more")


class CounterAccount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account at the broker; ``user`` is its 资金账号."""

    user: str = "12345678"
    cash: Decimal = Decimal("1000000")
    holdings: tuple[Opening, ...] = ()


class EntrustStatus(enum.StrEnum):
    PENDING = "pending"
    """Not at the exchange yet: 未报."""
    OPEN = "open"
    PART = "part"
    FILLED = "filled"
    WITHDRAWN = "withdrawn"
    PART_WITHDRAWN = "part_withdrawn"
    CANCEL_ASKED = "cancel_asked"
    """Still live: 待撤."""
    REJECTED = "rejected"
    """Refused after it was accepted: 废单."""


ENDED = frozenset({EntrustStatus.FILLED, EntrustStatus.WITHDRAWN, EntrustStatus.PART_WITHDRAWN, EntrustStatus.REJECTED})

Source = Literal["client", "manual", "condition"]


class Entrust(Struct, kw_only=True, eq=False):
    """One order and where it stands: 委托. Only the counter changes it.

    ``number`` is the 合同编号, ``serial`` the 委托编号, which begins anew each day; ``day`` its trading day (ordinal);
    ``strategy`` 1 to 6 of a market order, 0 of a limit order; ``value`` the sum of price x quantity of its fills.
    """

    number: int
    serial: int
    ts_ns: int
    day: int
    share: Share
    side: Side
    quantity: int
    price: Decimal | None
    strategy: int = 0
    status: EntrustStatus = EntrustStatus.PENDING
    filled: int = 0
    withdrawn: int = 0
    value: Decimal = ZERO
    fees: Decimal = ZERO
    reason: str = ""
    source: Source = "client"
    request: int = 0
    updated_ns: int = 0
    limit: Decimal = ZERO
    """The worst price it may trade at now: of a market order the day's limit, until a rest becomes a limit order."""
    arrived_ns: int | None = None
    """When it came to the exchange."""
    met: bool = False
    """It met the book once: what is left of it rests."""

    @property
    def code(self) -> str:
        return self.share.code

    @property
    def name(self) -> str:
        return self.share.name

    @property
    def market(self) -> bool:
        return self.strategy != 0

    @property
    def buys(self) -> bool:
        return self.side is Side.BUY

    @property
    def leaves(self) -> int:
        """Units that may still fill; 0 once it has ended."""
        return 0 if self.is_final else self.quantity - self.filled

    @property
    def is_final(self) -> bool:
        return self.status in ENDED

    @property
    def rejected(self) -> bool:
        return self.status is EntrustStatus.REJECTED

    @property
    def average(self) -> Decimal:
        """Mean price of its fills, 0 without any; not rounded."""
        return self.value / self.filled if self.filled else ZERO


class Deal(Struct, frozen=True, kw_only=True, eq=False):
    """One fill: 成交. ``fee`` is what it added to the order's fees."""

    number: int
    entrust: Entrust
    ts_ns: int
    day: int
    quantity: int
    price: Decimal
    fee: Decimal


class Holding(Struct, frozen=True, kw_only=True):
    """A position as the counter shows it. ``cost`` is what one unit cost, purchase fees included."""

    code: str
    name: str
    quantity: int
    sellable: int
    cost: Decimal
    last: Decimal
    value: Decimal
    profit: Decimal


class Funds(Struct, frozen=True, kw_only=True):
    """资金余额 (with what is frozen), 冻结, 可用, 可取, 市值, 总资产."""

    cash: Decimal
    frozen: Decimal
    available: Decimal
    withdrawable: Decimal
    market_value: Decimal
    total: Decimal


class Lot(Struct):
    """What is held of one share; ``bought`` of it on ``bought_day``."""

    share: Share
    quantity: int = 0
    cost: Decimal = ZERO
    bought: int = 0
    bought_day: int = 0


class Books:
    """One account's books."""

    def __init__(self, account: CounterAccount, shares: dict[str, Share], rules: ChinaA) -> None:
        self.cash = account.cash
        self.fees = ZERO
        self.entrusts: list[Entrust] = []
        self.deals: list[Deal] = []
        self.lots: dict[str, Lot] = {}
        self.proceeds = (0, ZERO)
        """A day, and what was sold for on it."""
        self.changed = False
        """Something is not on disk yet, where they are kept there."""
        self._rules = rules
        self._live: list[Entrust] = []
        for opening in account.holdings:
            share = shares.get(opening.code)
            if share is None:
                raise ConfigError(f"account {account.user} holds {opening.code}, which is none of the counter's shares")
            lot = self.lots.setdefault(share.code, Lot(share=share))
            lot.quantity += opening.quantity
            lot.cost += opening.price * opening.quantity

    # Reading

    @property
    def live(self) -> list[Entrust]:
        """Orders that have not ended, in the order they came."""
        return self._live

    def held(self, code: str) -> int:
        return self.lots[code].quantity if code in self.lots else 0

    def sellable(self, code: str, day: int) -> int:
        """Units neither bought today under T+1 nor on order to be sold."""
        lot = self.lots.get(code)
        if lot is None:
            return 0
        same_day = self._rules.sells_same_day(lot.share.instrument)
        locked = lot.bought if lot.bought_day == day and not same_day else 0
        on_order = sum(e.leaves for e in self._live if e.code == code and not e.buys)
        return max(0, lot.quantity - locked - on_order)

    def frozen(self) -> Decimal:
        """Money that open purchases may still cost."""
        return sum((self.reserve(entrust) for entrust in self._live if entrust.buys), ZERO)

    def reserve(self, entrust: Entrust) -> Decimal:
        """The most an order to buy may still cost, fees included."""
        rest = entrust.limit * entrust.leaves
        quantity, value = entrust.filled + entrust.leaves, entrust.value + rest
        whole = self._rules.order_fee(entrust.side, quantity, value, entrust.share.instrument, entrust.ts_ns)
        return rest + whole - entrust.fees

    def holdings(self, last: dict[str, Decimal], day: int) -> list[Holding]:
        """What is held, by code, at last prices."""
        return [
            Holding(
                code=code,
                name=lot.share.name,
                quantity=lot.quantity,
                sellable=self.sellable(code, day),
                cost=(lot.cost / lot.quantity).quantize(Decimal("0.001"), ROUND_HALF_UP),
                last=last[code],
                value=last[code] * lot.quantity,
                profit=(last[code] * lot.quantity - lot.cost).quantize(CENT, ROUND_HALF_UP),
            )
            for code, lot in sorted(self.lots.items())
            if lot.quantity
        ]

    def funds(self, last: dict[str, Decimal], day: int) -> Funds:
        """Money now; what was sold for today can be spent, not taken out."""
        frozen = self.frozen()
        available = self.cash - frozen
        proceeds = self.proceeds[1] if self.proceeds[0] == day else ZERO
        market_value = sum((last[code] * lot.quantity for code, lot in self.lots.items()), ZERO)
        return Funds(
            cash=self.cash,
            frozen=frozen,
            available=available,
            withdrawable=max(ZERO, available - proceeds),
            market_value=market_value.quantize(CENT, ROUND_HALF_UP),
            total=(self.cash + market_value).quantize(CENT, ROUND_HALF_UP),
        )

    # Booking

    def take_up(self, entrusts: list[Entrust], deals: list[Deal]) -> None:
        """Go on with the orders and fills of an earlier life, in the order they came."""
        self.entrusts, self.deals = entrusts, deals
        self._live = [entrust for entrust in entrusts if not entrust.is_final]

    def open(self, entrust: Entrust) -> None:
        self.changed = True
        self.entrusts.append(entrust)
        self._live.append(entrust)

    def close(self, entrust: Entrust) -> None:
        """An order has ended: nothing is tied up for it any more."""
        self._live = [other for other in self._live if other is not entrust]

    def fill(self, entrust: Entrust, quantity: int, price: Decimal, *, number: int, ts_ns: int, day: int) -> Deal:
        """Book one fill of an order."""
        value = price * quantity
        self.changed = True
        entrust.filled += quantity
        entrust.value += value
        share = entrust.share.instrument
        whole = self._rules.order_fee(entrust.side, entrust.filled, entrust.value, share, entrust.ts_ns)
        fee, entrust.fees = whole - entrust.fees, whole
        self.fees += fee
        self.cash += (-value if entrust.buys else value) - fee
        self._move(entrust, quantity, value, fee, day)
        deal = Deal(number=number, entrust=entrust, ts_ns=ts_ns, day=day, quantity=quantity, price=price, fee=fee)
        self.deals.append(deal)
        return deal

    def _move(self, entrust: Entrust, quantity: int, value: Decimal, fee: Decimal, day: int) -> None:
        lot = self.lots.setdefault(entrust.code, Lot(share=entrust.share))
        if entrust.buys:
            lot.quantity += quantity
            lot.cost += value + fee
            if lot.bought_day != day:
                lot.bought_day, lot.bought = day, 0
            lot.bought += quantity
            return
        lot.cost -= lot.cost * quantity / lot.quantity if quantity < lot.quantity else lot.cost
        lot.quantity -= quantity
        since, proceeds = self.proceeds
        self.proceeds = (day, (proceeds if since == day else ZERO) + value - fee)
