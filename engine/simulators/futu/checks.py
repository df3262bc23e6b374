"""What the broker looks at before it takes an order: type, lot, step, price, what is held, what can be paid."""

from decimal import Decimal
from typing import Any

from engine.domain.commands import Side
from engine.domain.money import ZERO, exact
from engine.domain.timestamps import parse_time
from engine.markets.china_boards import board_of, lot_denial
from engine.simulators.futu.codes import (
    BUY,
    BUY_BACK,
    CONDITIONAL,
    GTC,
    GTD,
    SELL,
    SELL_SHORT,
    SIDE_WORDS,
    TRAILING,
    UNPRICED,
)
from engine.simulators.futu.desk import kinds_of
from engine.simulators.futu.envelope import BAD_LOT, BAD_TICK, BAD_TYPE, NO_POSITION, NO_POWER, NO_SHORT, Failed
from engine.simulators.futu.ledger import LONG, MARGIN_SHORT, SHORT, Book, Order
from engine.simulators.futu.securities import Security, on_tick
from engine.simulators.futu.venue import FutuVenue

REMARK_BYTES = 64
WHAT = "PlaceOrder"


def merged_body(order: Order, body: dict[str, Any]) -> dict[str, Any]:
    """A change as the whole order it asks for: fields it leaves out stay; 0 as price or trigger leaves them too."""
    merged: dict[str, Any] = {
        "trd_side": order.side,
        "order_type": order.kind,
        "qty": body.get("qty") or float(order.quantity),
        "price": body.get("price") or float(order.price),
        "time_in_force": order.time_in_force,
    }
    for name in ("aux_price", "trail_type", "trail_value", "trail_spread"):
        merged[name] = body.get(name) or getattr(order, name)
    for name in ("adjust_price", "adjust_side_and_limit"):
        if name in body:
            merged[name] = body[name]
    return merged


def terms(
    venue: FutuVenue, book: Book, security: Security, body: dict[str, Any], now_ns: int, *, old: Order | None = None
) -> dict[str, Any]:
    """The checked terms of an order, as fields of ``Order``.

    Args:
        old: the order a change replaces; what it ties up counts as free.

    Raises:
        Failed: the broker does not take it.
    """
    side, kind = body["trd_side"], body["order_type"]
    if side not in SIDE_WORDS:
        raise Failed(f"{WHAT}: unknown trd_side {side}")
    if kind not in kinds_of(security.market):
        raise Failed(f"{WHAT}: {BAD_TYPE}")
    if len((body.get("remark") or "").encode()) > REMARK_BYTES:
        raise Failed(f"{WHAT}: remark is longer than {REMARK_BYTES} bytes")
    quantity = _quantity(security, side, body["qty"], _held(book, security))
    price = _price(security, kind, body)
    _conditions(security, kind, body)
    tif = body.get("time_in_force", 0)
    if tif not in {0, 1, 2, 3}:
        raise Failed(f"{WHAT}: unknown time_in_force {tif}")
    ask = venue.desk.views[security.key].ask
    reserve = price if price else exact(max(ask, body.get("aux_price") or 0.0))
    _afford(venue, book, security, side, quantity, reserve, now_ns, old)
    return {
        "side": side,
        "kind": kind,
        "quantity": quantity,
        "price": price,
        "reserve": reserve,
        "time_in_force": tif,
        "aux_price": body.get("aux_price"),
        "trail_type": body.get("trail_type"),
        "trail_value": body.get("trail_value"),
        "trail_spread": body.get("trail_spread"),
        **({} if old else {"expires_ns": _expiry(venue, security, tif, body, now_ns)}),
    }


def _held(book: Book, security: Security) -> int:
    found = book.holdings.get((security.key, LONG))
    return 0 if found is None else found.quantity


def _quantity(security: Security, side: int, asked: float, held: int) -> int:
    if not asked > 0 or asked != int(asked):
        raise Failed(f"{WHAT}: qty must be a whole number above 0")
    quantity = int(asked)
    if security.is_mainland:
        # Odd lots may be sold there, whole, not bought.
        book_side = Side.SELL if side == SELL else Side.BUY
        bad = lot_denial(board_of(security.code), book_side, quantity, held) is not None
    else:
        bad = bool(quantity % security.lot)
    if bad:
        raise Failed(f"{WHAT}: {BAD_LOT}")
    return quantity


def _price(security: Security, kind: int, body: dict[str, Any]) -> Decimal:
    if kind in UNPRICED:
        return ZERO
    price = body.get("price") or 0.0
    if not price > 0:
        raise Failed(f"{WHAT}: price must be above 0")
    step = security.tick(price)
    if not on_tick(price, step):
        if not body.get("adjust_price"):
            raise Failed(f"{WHAT}: {BAD_TICK}")
        limit = body.get("adjust_side_and_limit", 0.0)
        # Above 0 up, below 0 down, by at most that part of the price (official PlaceOrder).
        steps = int(price / step) + (1 if limit > 0 else 0)
        moved = round(steps * step, 4)
        if abs(moved - price) > abs(limit) * price:
            raise Failed(f"{WHAT}: {BAD_TICK}")
        price = moved
    return exact(round(price, 4))


def _conditions(security: Security, kind: int, body: dict[str, Any]) -> None:
    if kind in TRAILING:
        if body.get("trail_type") not in {1, 2} or not (body.get("trail_value") or 0.0) > 0:
            raise Failed(f"{WHAT}: trail_type and trail_value are required")
        if kind == 15 and body.get("trail_spread") is None:
            raise Failed(f"{WHAT}: trail_spread is required")
    elif kind in CONDITIONAL:
        aux = body.get("aux_price") or 0.0
        if not aux > 0:
            raise Failed(f"{WHAT}: aux_price is required")
        if not on_tick(aux, security.tick(aux)):
            raise Failed(f"{WHAT}: {BAD_TICK}")


def _afford(
    venue: FutuVenue,
    book: Book,
    security: Security,
    side: int,
    quantity: int,
    reserve: Decimal,
    now_ns: int,
    old: Order | None,
) -> None:
    currency, day = security.place.currency, venue.desk.day(security, now_ns)
    tied = old.remaining if old else 0
    wanted = quantity - (old.filled if old else 0)
    match side:
        case n if n == BUY:
            back = old.reserve * tied if old else ZERO
            if reserve * wanted > book.power(currency) + back:
                raise Failed(f"{WHAT}: {NO_POWER}")
        case n if n in {SELL, BUY_BACK}:
            holding = LONG if side == SELL else SHORT
            if wanted > book.sellable(security, holding, day) + tied:
                raise Failed(f"{WHAT}: {NO_POSITION}")
        case n if n == SELL_SHORT:
            if book.account.kind != "margin" or not security.shortable:
                raise Failed(f"{WHAT}: {NO_SHORT}")
            back = old.reserve * tied * MARGIN_SHORT if old else ZERO
            if reserve * wanted * MARGIN_SHORT > book.available(currency) + back:
                raise Failed(f"{WHAT}: {NO_POWER}")


def _expiry(venue: FutuVenue, security: Security, tif: int, body: dict[str, Any], now_ns: int) -> int:
    until = None
    if tif == GTD:
        try:
            until = parse_time(body.get("expire_time") or "", security.place.timetable.timezone)
        except ValueError:
            raise Failed(f"{WHAT}: expire_time is required for GTD") from None
        if until <= now_ns:
            raise Failed(f"{WHAT}: expire_time is past")
    return venue.desk.expiry(security, GTC if tif == GTC else tif, until, now_ns)
