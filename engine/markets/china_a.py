"""Mainland A shares, funds and convertible bonds at a mainland broker: RELIABILITY 4.1, rows 8 to 11.

Boards, lots, sizes, price limits and hours are in ``china_boards``, with their sources. Here:

* T+1: what is bought is sold on the next trading day (SSE 3.1.4); bonds the same day (SSE 3.1.5). So may be funds of
  foreign shares, bonds, gold and money (SSE 3.1.5, 2015-01-19) and of commodities (SZSE 2019-01-11, SSE 2020-01-20),
  which neither code nor kind tells: ``same_day`` of the instrument does.
* Market orders in continuous trading alone (SSE, SZSE). On STAR they carry a protection price (科创板股票交易特别规定,
  2019-03-01), which the broker's client fills in.
* Price cage of limit orders for shares in continuous trading (SSE and SZSE, from 2023-04-10; 深交所投资者服务部,
  主板投资入市手册 16, 2023-07-13): buy at most at the higher of 102 % of the base and ten ticks above it; sell
  mirrored. STAR 2 % alone (科创板股票交易特别规定). Beijing 5 % or ten ticks (BSE, 2021-11-15). A price between two
  ticks goes to the narrower. Funds and bonds have none here.
* No short sales: a margin account's are not this broker's to take.
* Fees. Duty and transfer fee are those of the day (``china_history``). Handling 0.00341 % (2023-08-28) and securities
  management 0.002 % are inside the commission at retail brokers and not counted again. Commission 0.025 %: common at
  brokers, a setting; 5 yuan an order at least (证监发〔2002〕21号, 2002-04-04), once however many fills it has. Funds
  and bonds pay commission alone.
* Price limits of the day, special treatment and first days: ``china_history``.
"""

from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.ids import code_of
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.money import CENT, ZERO
from engine.domain.timestamps import day_of
from engine.domain.verdict import Denial
from engine.markets.china_boards import (
    AUCTION_NS,
    BOARDS,
    CANCELS,
    NEVER_NS,
    ORDERS,
    ZONE,
    Board,
    Phase,
    board_of,
    lot_denial,
    next_order_ns,
    phase_of,
    phases_of,
    shanghai,
    share_cage,
    takes_orders,
)
from engine.markets.china_history import band, closes_by_auction, day_number, duty, transfer
from engine.markets.rulebook import FeesOfOrders

SHARES = frozenset({Board.MAIN, Board.CHINEXT, Board.STAR, Board.BEIJING})


def board_for(instrument: Instrument) -> Board:
    """The board of an instrument: what its kind says, else what its code says."""
    if instrument.kind is InstrumentKind.ETF:
        return Board.FUND
    if instrument.kind is InstrumentKind.BOND:
        return Board.BOND
    return board_of(code_of(instrument.id))


class ChinaA(FeesOfOrders, Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fees are parts of the value, ``commission_min`` is in yuan an order; ``stamp_duty`` (of sales) and ``transfer``
    are the day's own unless they are set."""

    name: str = "china_a"
    timezone: str = ZONE
    currency: str = "CNY"
    commission: Decimal = Decimal("0.00025")
    commission_min: Decimal = Decimal(5)
    stamp_duty: Decimal | None = None
    transfer: Decimal | None = None

    def check(self, order: SubmitOrder, instrument: Instrument, now_ns: int, held: int) -> Denial | None:
        if instrument.suspended and self.is_suspended(instrument, now_ns):
            return Denial("INSTRUMENT", f"{instrument.id} is suspended on {day_of(now_ns, self.timezone)}")
        return self._session(order, now_ns) or self.form(order, instrument, held)

    def _session(self, order: SubmitOrder, now_ns: int) -> Denial | None:
        session = shanghai().on(now_ns)
        if session is None:
            return Denial("SESSION", "market closed: no mainland session today that is known")
        if not takes_orders(session, now_ns):
            return Denial("SESSION", "market closed: hours are 09:15-09:25, 09:30-11:30, 13:00-15:00 Asia/Shanghai")
        if order.type is OrderType.MARKET and phase_of(session, now_ns) is not Phase.CONTINUOUS:
            return Denial("SESSION", "market orders are taken in continuous trading alone: 09:30-11:30, 13:00-14:57")
        return None

    def form(self, order: SubmitOrder, instrument: Instrument, held: int) -> Denial | None:
        """The rules that hold at any hour: type, side, size, lot, tick."""
        market = order.type is OrderType.MARKET
        if not market and (order.type is not OrderType.LIMIT or order.price is None):
            return Denial("UNSUPPORTED", "mainland orders are limit or market orders")
        if order.side not in (Side.BUY, Side.SELL):
            return Denial("UNSUPPORTED", "no short sales at this broker")
        board = board_for(instrument)
        most = BOARDS[board].most_market if market else BOARDS[board].most
        if order.quantity > most:
            kind = "a market order" if market else "an order"
            return Denial("MAX_QTY", f"quantity {order.quantity} is above {most}, the most of {kind}")
        tick = BOARDS[board].tick
        if not market and order.price is not None and order.price % tick:
            return Denial("PRICE_RULE", f"price {order.price} is not on the tick of {tick}")
        return lot_denial(board, order.side, order.quantity, held)

    def price_band(
        self, instrument: Instrument, previous_close: float | None, ts_ns: int = 0
    ) -> tuple[float, float] | None:
        if not previous_close:
            return None
        return band(board_for(instrument), instrument, previous_close, day_number(ts_ns))

    def cages(self, ts_ns: int) -> bool:
        return self.phase(ts_ns) is Phase.CONTINUOUS

    def price_cage(self, side: Side, instrument: Instrument, base: float) -> Decimal | None:
        """How far a limit order may reach in continuous trading: highest price to buy, lowest to sell.

        Args:
            base: best price of the other side; without one the best of the own side, then the last price, then the
                close before.

        Returns:
            None where there is no cage.
        """
        return share_cage(board_for(instrument), side, base)

    def order_fee(self, side: Side, quantity: int, value: Decimal, instrument: Instrument, ts_ns: int = 0) -> Decimal:
        """Of one order altogether, ``value`` being the sum of price x quantity of its fills; nothing filled, no fee."""
        if not quantity:
            return ZERO
        board = board_for(instrument)
        fee = _cents(max(value * self.commission, self.commission_min))
        if board in SHARES:
            fee += _cents(self._transfer(board, instrument, quantity, value, ts_ns))
            fee += _cents(value * self._duty(side is Side.BUY, ts_ns))
        return fee

    def _transfer(self, board: Board, instrument: Instrument, quantity: int, value: Decimal, ts_ns: int) -> Decimal:
        if self.transfer is not None:
            return value * self.transfer
        return transfer(board, instrument.id.rpartition(".")[2], quantity, value, day_number(ts_ns))

    def _duty(self, buys: bool, ts_ns: int) -> Decimal:
        if self.stamp_duty is not None:
            return ZERO if buys else self.stamp_duty
        return duty(buys, day_number(ts_ns))

    def sells_same_day(self, instrument: Instrument) -> bool:
        """Whether what was bought today may be sold today."""
        return instrument.same_day or board_for(instrument) is Board.BOND

    def sellable_from_ns(self, bought_ns: int) -> int:
        """The opening auction of the next trading day, of every instrument; never, past the last day known."""
        following = shanghai().next_day(day_of(bought_ns, self.timezone).toordinal())
        session = None if following is None else shanghai().day(following)
        return NEVER_NS if session is None else session.open_ns - AUCTION_NS[0]

    def is_open(self, ts_ns: int) -> bool:
        session = shanghai().on(ts_ns)
        return session is not None and session.has(ts_ns)

    def trading_day(self, ts_ns: int) -> int:
        return shanghai().trading_day(ts_ns)

    def phase(self, ts_ns: int) -> Phase:
        """What the exchanges do at an instant."""
        return phase_of(shanghai().on(ts_ns), ts_ns)

    def may_cancel(self, ts_ns: int) -> bool:
        """Whether the exchanges act on a cancel at an instant: not in the last five minutes of the opening auction, in
        the closing auction, in breaks, or while closed."""
        return self.phase(ts_ns) in CANCELS

    def auction_end_ns(self, instrument: Instrument, ts_ns: int) -> int | None:
        session = shanghai().on(ts_ns)
        if session is None or phase_of(session, ts_ns) is not Phase.CLOSING_AUCTION:
            return None
        by_auction = closes_by_auction(board_for(instrument), instrument, day_number(ts_ns))
        return session.close_ns if by_auction else None

    def is_suspended(self, instrument: Instrument, ts_ns: int) -> bool:
        day = day_number(ts_ns)
        return any(span.has(day) for span in instrument.suspended)

    def next_order_ns(self, ts_ns: int) -> int | None:
        """Over the night and over holidays too; ``takes_from_ns`` is of one day."""
        return next_order_ns(ts_ns)

    def next_open_ns(self, ts_ns: int) -> int | None:
        return shanghai().next_open_ns(ts_ns)

    def takes_from_ns(self, ts_ns: int) -> int | None:
        """When the exchanges take an order that is ready at an instant; None after the day's last moment."""
        return self._next(ts_ns, ORDERS)

    def cancels_from_ns(self, ts_ns: int) -> int | None:
        """When the exchanges act on a cancel that is ready at an instant; None after the day's last moment."""
        return self._next(ts_ns, CANCELS)

    def _next(self, ts_ns: int, wanted: frozenset[Phase]) -> int | None:
        session = shanghai().on(ts_ns)
        if session is None:
            return None
        if phase_of(session, ts_ns) in wanted:
            return ts_ns
        return next((since for since, phase in phases_of(session) if since > ts_ns and phase in wanted), None)


def _cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)
