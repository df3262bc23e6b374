"""An order, a change, a cancel as the gateway's body; and its rows as ours (contracts/futu.md 6, 15)."""

import random
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.account import Balance, FillRow, OrderRow, PositionRow
from engine.domain.commands import OrderType, SubmitOrder, TimeInForce
from engine.domain.errors import BadMessage, NotSent
from engine.domain.evidence import Evidence
from engine.domain.ids import InstrumentId, VenueOrderId, code_of
from engine.domain.money import exact_from_wire
from engine.gateways.futu import account_messages as a
from engine.gateways.futu import codes
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.hours import local_text
from engine.gateways.futu.wire import instant_from_wire, whole_from_wire

REMARK_MAX = 64
"""Bytes of UTF-8 (contract 6.1)."""
CHANGE, CANCEL = 1, 2
TRAIL_BY_AMOUNT = 2
SHORT = 1
_PRICE_STEP = Decimal("0.000001")


class Account(Struct, frozen=True, kw_only=True):
    """The proven pair of account and environment, and the markets it may trade."""

    acc_id: str
    trd_env: int
    markets: frozenset[int] = frozenset()
    """``trd_market_auth_list``; empty: not said."""
    currency: str = "HKD"
    security_firm: int | None = None

    @property
    def simulated(self) -> bool:
        return self.trd_env == codes.ENVIRONMENTS["simulate"]

    def market_of(self, instrument: InstrumentId) -> int:
        """The header's market for an instrument: what the account's own list says, where a place has two numbers."""
        place = codes.place_of(instrument)
        own = place.simulate_market if self.simulated else place.real_market
        other = place.real_market if self.simulated else place.simulate_market
        return other if self.markets and own not in self.markets and other in self.markets else own

    def header(self, market: int) -> a.Header:
        return a.Header(trd_env=self.trd_env, acc_id=int(self.acc_id), trd_market=market)


class Packets:
    """Fresh (conn_id, serial_no) pairs: one used twice would get the first order's answer (contract 1.4)."""

    def __init__(self, draw: random.Random) -> None:
        self._conn_id = draw.getrandbits(63) | 1
        self._serial = 0

    def next(self) -> t.PacketId:
        self._serial += 1
        return t.PacketId(conn_id=self._conn_id, serial_no=self._serial)


def order_to_wire(order: SubmitOrder, account: Account, packet: t.PacketId, *, outside_rth: bool = False) -> t.OrderAsk:
    """The question of one order.

    Raises:
        NotSent: the gateway, or the market, has no such order.
    """
    place = codes.place_of(order.instrument)
    kind = codes.ORDER_TYPES.get(order.type)
    side = codes.SIDES.get(order.side)
    tif = codes.TIFS.get(order.tif)
    problem = ""
    if kind is None or side is None or tif is None:
        problem = f"no {order.type} {order.side} {order.tif} orders here"
    elif place.suffix != "HK" and kind in codes.HONG_KONG_ONLY:
        problem = f"{order.type} orders are Hong Kong's alone"
    elif place.suffix in codes.LIMIT_ONLY and order.type is not OrderType.LIMIT:
        problem = "northbound orders are limit orders"
    elif len(order.client_id.encode()) > REMARK_MAX:
        problem = f"client id longer than the remark of {REMARK_MAX} bytes"
    market = account.market_of(order.instrument)
    if not problem and account.markets and market not in account.markets:
        problem = f"account {account.acc_id} may not trade market {codes.TRADE_MARKET_WORDS.get(market, market)}"
    if problem or kind is None or side is None or tif is None:
        raise NotSent(f"{order.instrument}: {problem}")
    trailing = kind in codes.TRAILING
    if (kind in codes.TRIGGERED and order.stop_price is None) or (trailing and order.trail is None):
        raise NotSent(f"{order.instrument}: a {order.type} order without its trigger")
    if kind in codes.PRICED and order.price is None:
        raise NotSent(f"{order.instrument}: a {order.type} order without a price")
    return t.OrderAsk(
        packet_id=packet,
        header=account.header(market),
        trd_side=side,
        order_type=kind,
        code=code_of(order.instrument),
        qty=float(order.quantity),
        # Some paths want the key present even where the type has no price (contract 6.1).
        price=float(order.price) if order.price is not None else 0.0,
        sec_market=place.sec_market,
        time_in_force=tif,
        remark=order.client_id,
        fill_outside_rth=True if outside_rth and place.suffix == "US" else None,
        aux_price=float(order.stop_price) if order.stop_price is not None and kind in codes.TRIGGERED else None,
        trail_type=TRAIL_BY_AMOUNT if trailing else None,
        trail_value=float(order.trail) if trailing and order.trail is not None else None,
        trail_spread=float(order.trail_limit) if trailing and order.trail_limit is not None else None,
        expire_time=local_text(order.expires_ns, place) if order.tif is TimeInForce.GTD else None,
    )


def place_of_row(row: t.Order | t.OrderFill | a.Position) -> codes.Place | None:
    """Where a row's code is listed; None for what nobody here trades."""
    if row.sec_market:
        return codes.BY_SEC_MARKET.get(row.sec_market)
    return codes.BY_TRADE_MARKET.get(row.trd_market or 0)


def order_row_from_wire(row: t.Order, evidence: Evidence, venue_id: VenueOrderId) -> OrderRow | None:
    """A row of the order list; None for a listing nobody here trades.

    Raises:
        BadMessage: quantities that are none.
    """
    place = place_of_row(row)
    if place is None:
        return None
    cum = whole_from_wire(row.fill_qty or 0.0, "fill_qty")
    return OrderRow(
        instrument=codes.instrument_from_wire(place, row.code),
        side=codes.SIDE_FROM_WIRE.get(row.trd_side),
        quantity=whole_from_wire(row.qty, "qty"),
        price=exact_from_wire(row.price, "price") if row.price else None,
        status=evidence,
        cum=cum,
        average_price=exact_from_wire(row.fill_avg_price, "fill_avg_price").quantize(_PRICE_STEP).normalize()
        if cum and row.fill_avg_price
        else None,
        venue_id=venue_id,
        client_tag=row.remark or "",
        ts_ns=instant_from_wire(row.create_timestamp, row.create_time, place.timezone),
        as_of_ns=instant_from_wire(row.update_timestamp, row.update_time, place.timezone),
        reason=(row.last_err_msg or "").strip(),
    )


def fill_row_from_wire(row: t.OrderFill, venue_id: VenueOrderId) -> FillRow | None:
    """One execution that stands; None for one taken back, or of a listing nobody here trades."""
    place = place_of_row(row)
    if place is None or row.status == 1:
        return None
    return FillRow(
        instrument=codes.instrument_from_wire(place, row.code),
        side=codes.SIDE_FROM_WIRE.get(row.trd_side),
        quantity=whole_from_wire(row.qty, "fill qty"),
        price=exact_from_wire(row.price, "fill price"),
        fill_id=row.fill_id_ex or str(row.fill_id),
        venue_id=venue_id,
        ts_ns=instant_from_wire(row.create_timestamp, row.create_time, place.timezone),
    )


def position_from_wire(row: a.Position) -> PositionRow | None:
    """One holding, short ones below zero; None for a listing nobody here trades. A broken share is left out."""
    place = place_of_row(row)
    if place is None:
        return None
    if not -1e15 < row.qty < 1e15:
        raise BadMessage(f"position of {row.code}: {row.qty!r}")
    quantity, sellable = abs(int(row.qty)), abs(int(row.can_sell_qty))
    if row.position_side == SHORT:
        quantity = -quantity
    cost = row.average_cost_price or row.diluted_cost_price or row.cost_price
    return PositionRow(
        instrument=codes.instrument_from_wire(place, row.code),
        quantity=quantity,
        sellable=sellable,
        average_price=exact_from_wire(cost, "cost") if cost else None,
    )


def balances_from_wire(funds: a.Funds, currency: str) -> tuple[Balance, ...]:
    """By currency where the answer splits them; else its one sum, in the currency it names or was asked in."""
    found: dict[str, Balance] = {}
    for row in funds.cash_info_list or []:
        word = codes.CURRENCIES.get(row.currency or 0)
        if word is not None and row.cash is not None:
            available = row.available_balance if row.available_balance is not None else row.cash
            total, free = exact_from_wire(row.cash, "cash"), exact_from_wire(available, "available_balance")
            found[word] = Balance(currency=word, total=total, available=free)
    if not found:
        word = codes.CURRENCIES.get(funds.currency or 0, currency)
        cash = exact_from_wire(funds.cash, "cash")
        frozen = exact_from_wire(funds.frozen_cash, "frozen_cash")
        found[word] = Balance(currency=word, total=cash, available=cash - frozen)
    return tuple(found.values())


def merged_positions(rows: list[PositionRow]) -> tuple[PositionRow, ...]:
    """One row an instrument: long and short legs of one are their sum."""
    found: dict[InstrumentId, PositionRow] = {}
    for row in rows:
        known = found.get(row.instrument)
        if known is None:
            found[row.instrument] = row
        else:
            sellable: Any = (known.sellable or 0) + (row.sellable or 0)
            found[row.instrument] = PositionRow(
                instrument=row.instrument, quantity=known.quantity + row.quantity, sellable=sellable
            )
    return tuple(found.values())
