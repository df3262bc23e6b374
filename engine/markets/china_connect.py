"""Shanghai and Shenzhen through the connect from Hong Kong (northbound): RELIABILITY 4.1, rows 8 to 11.

* Limit orders only; no change of an order, only cancel (contracts/futu.md 5, ModifyOrderOp). T+1: what is bought today
  is sold on the next trading day at the earliest. No short sales here.
* Open on days that are trading days in Shanghai and in Hong Kong; opening auction 09:15-09:25, 09:30-11:30,
  13:00-15:00, whose last three minutes are the closing auction.
* Lots: buy in hundreds; a rest below a hundred is sold whole. STAR (688, 689): 200 at least, then singly (RELIABILITY
  4.1, row 9). At most 1 000 000 shares an order, ChiNext (300 to 302) 300 000, STAR 100 000 (row 10).
* Tick 0.01 CNY. Price limits of the day, closing auctions and suspensions are the exchanges' (``china_history``).
* Fees: HKEX, "Stock Connect: fees": handling 0.00341 % (2023-08-28), securities management 0.002 % and 0.002 % (HKSCC);
  duty and transfer fee of the day (``china_history``). What handling and management were before is not known here. The
  broker's own are settings.
"""

from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.ids import code_of
from engine.domain.instrument import Instrument
from engine.domain.money import CENT, ZERO
from engine.domain.timestamps import day_of
from engine.domain.verdict import Denial
from engine.markets.china_boards import (
    AUCTION_NS,
    BOARDS,
    CANCELS,
    NEVER_NS,
    ZONE,
    Board,
    Phase,
    board_of,
    lot_denial,
    next_order_ns,
    phase_of,
    shanghai,
    share_cage,
    takes_orders,
)
from engine.markets.china_boards import CENT_TICK as TICK
from engine.markets.china_history import band, closes_by_auction, day_number, duty, transfer
from engine.markets.rulebook import FeesOfOrders
from engine.markets.sessions import Session, Sessions, sessions_of

LEVIES = (Decimal("0.0000341"), Decimal("0.00002"), Decimal("0.00002"))
"""Handling, securities management and HKSCC."""
BOARDS_NORTHBOUND = frozenset({Board.CHINEXT, Board.STAR})
"""Besides the main board, whose rules hold for all else."""


class ChinaConnect(FeesOfOrders, Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Broker's fees as known of Futu (not confirmed): 0.03 %, 3 CNH at least, and 15 CNH; both once an order."""

    name: str = "china_connect"
    timezone: str = ZONE
    currency: str = "CNH"
    commission: Decimal = Decimal("0.0003")
    commission_min: Decimal = Decimal(3)
    platform_fee: Decimal = Decimal(15)

    def check(self, order: SubmitOrder, instrument: Instrument, now_ns: int, held: int) -> Denial | None:
        if instrument.suspended and self.is_suspended(instrument, now_ns):
            return Denial("INSTRUMENT", f"{instrument.id} is suspended on {day_of(now_ns, self.timezone)}")
        session = self._session(now_ns)
        if session is None:
            return Denial("SESSION", "market closed: no northbound session today that is known")
        if not takes_orders(session, now_ns):
            return Denial("SESSION", "market closed: hours are 09:15-09:25, 09:30-11:30, 13:00-15:00 Asia/Shanghai")
        if order.type is not OrderType.LIMIT or order.price is None:
            return Denial("UNSUPPORTED", "northbound orders are limit orders")
        if order.side not in (Side.BUY, Side.SELL):
            return Denial("UNSUPPORTED", "no short sales northbound")
        if order.price % TICK:
            return Denial("PRICE_RULE", f"price {order.price} is not on the tick of {TICK}")
        return self._lot(order, instrument, held)

    def _lot(self, order: SubmitOrder, instrument: Instrument, held: int) -> Denial | None:
        board = _board(instrument)
        most = BOARDS[board].most
        if order.quantity > most:
            return Denial("MAX_QTY", f"quantity {order.quantity} is above {most} shares an order")
        return lot_denial(board, order.side, order.quantity, held)

    def price_band(
        self, instrument: Instrument, previous_close: float | None, ts_ns: int = 0
    ) -> tuple[float, float] | None:
        if not previous_close:
            return None
        return band(_board(instrument), instrument, previous_close, day_number(ts_ns))

    def cages(self, ts_ns: int) -> bool:
        session = self._session(ts_ns)
        return session is not None and phase_of(session, ts_ns) is Phase.CONTINUOUS

    def price_cage(self, side: Side, instrument: Instrument, base: float) -> Decimal | None:
        """As of a mainland broker's orders: it is the exchanges' rule."""
        return share_cage(_board(instrument), side, base)

    def may_cancel(self, ts_ns: int) -> bool:
        """As of a mainland broker's orders."""
        return phase_of(self._session(ts_ns), ts_ns) in CANCELS

    def order_fee(self, side: Side, quantity: int, value: Decimal, instrument: Instrument, ts_ns: int = 0) -> Decimal:
        """Of one order altogether, each part rounded to the cent; nothing filled, no fee."""
        return sum(self.fee_parts(side, quantity, value, instrument, ts_ns), ZERO) if quantity else ZERO

    def fee_parts(
        self, side: Side, quantity: int, value: Decimal, instrument: Instrument, ts_ns: int = 0
    ) -> tuple[Decimal, ...]:
        """Commission, platform fee, handling, securities management, transfer, HKSCC and duty."""
        board, day = _board(instrument), day_number(ts_ns)
        clearing = transfer(board, instrument.id.rpartition(".")[2], quantity, value, day)
        parts = (
            max(value * self.commission, self.commission_min),
            self.platform_fee,
            *(value * levy for levy in LEVIES[:2]),
            clearing,
            value * LEVIES[2],
            value * duty(side is Side.BUY, day),
        )
        return tuple(part.quantize(CENT, ROUND_HALF_UP) for part in parts)

    def auction_end_ns(self, instrument: Instrument, ts_ns: int) -> int | None:
        session = self._session(ts_ns)
        if session is None or phase_of(session, ts_ns) is not Phase.CLOSING_AUCTION:
            return None
        by_auction = closes_by_auction(_board(instrument), instrument, day_number(ts_ns))
        return session.close_ns if by_auction else None

    def is_suspended(self, instrument: Instrument, ts_ns: int) -> bool:
        day = day_number(ts_ns)
        return any(span.has(day) for span in instrument.suspended)

    def sellable_from_ns(self, bought_ns: int) -> int:
        """The opening auction of the next northbound day; never, past the last one known."""
        day = day_of(bought_ns, self.timezone).toordinal()
        while (following := shanghai().next_day(day)) is not None:
            session = shanghai().day(following)
            if session is not None and self._hong_kong().day(following) is not None:
                return session.open_ns - AUCTION_NS[0]
            day = following
        return NEVER_NS

    def next_order_ns(self, ts_ns: int) -> int | None:
        """On northbound days."""
        at = next_order_ns(ts_ns)
        while at is not None and self._session(at) is None:
            session = shanghai().on(at)
            at = None if session is None else next_order_ns(session.close_ns)
        return at

    def next_open_ns(self, ts_ns: int) -> int | None:
        """On northbound days."""
        at = shanghai().next_open_ns(ts_ns)
        while at is not None and self._session(at) is None:
            session = shanghai().on(at)
            at = None if session is None else shanghai().next_open_ns(session.close_ns)
        return at

    def is_open(self, ts_ns: int) -> bool:
        session = self._session(ts_ns)
        return session is not None and session.has(ts_ns)

    def trading_day(self, ts_ns: int) -> int:
        return shanghai().trading_day(ts_ns)

    def _session(self, ts_ns: int) -> Session | None:
        session = shanghai().on(ts_ns)
        return session if session is not None and self._hong_kong().on(ts_ns) is not None else None

    @staticmethod
    def _hong_kong() -> Sessions:
        return sessions_of("XHKG", "Asia/Hong_Kong")


def _board(instrument: Instrument) -> Board:
    board = board_of(code_of(instrument.id))
    return board if board in BOARDS_NORTHBOUND else Board.MAIN
