"""A frame of ``/ws`` as what it says: market data, evidence about orders, the state of the gateway (contract 10)."""

import binascii
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from msgspec import Struct

from engine.domain.errors import BadMessage
from engine.domain.ids import InstrumentId
from engine.domain.market import BookLevel, OrderBook
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.codes import BY_QUOTE_MARKET, INTERVAL_OF_KL_TYPE, instrument_from_wire
from engine.gateways.futu.schema import RESPONSES
from engine.gateways.futu.wire import Id

PROGRAM_READY = 10
LIVE_PUSH = 1
NOTIFY_PROGRAM, NOTIFY_CONNECTION = 2, 3


class Frame(Struct, frozen=True):
    """The JSON around a body; keys nobody reads are left out."""

    proto_id: int
    body_b64: str
    type: str = ""
    event_type: str = ""
    sec_key: str | None = None
    sub_type: int | None = None
    rehab_type: int | None = None
    acc_id: int | str | None = None
    trd_market: str | None = None


class Price(Struct, frozen=True, gc=False):
    """Basic quote: the last price, no bid or ask (contract 10.3). ``ts_s`` is seconds since the epoch, 0: not said."""

    instrument: InstrumentId
    last: float
    ts_s: float
    suspended: bool
    previous_close: float
    volume: int
    spread: float


class Print(Struct, frozen=True, gc=False):
    instrument: InstrumentId
    sequence: int
    price: float
    size: float
    ts_s: float
    live: bool


class FormingBar(Struct, frozen=True, gc=False):
    """One K-line as pushed: again and again until its label is past. ``label_s`` is the bar's end."""

    instrument: InstrumentId
    interval_ns: int
    rehab_type: int
    label_s: float
    label: str
    open: float
    high: float
    low: float
    close: float
    volume: float


class MinuteLine(Struct, frozen=True, gc=False):
    """One point of the intraday line (RT)."""

    instrument: InstrumentId
    label: str
    price: float
    average: float
    volume: int


class BrokerPlace(Struct, frozen=True, gc=False):
    id: int
    name: str
    level: int


class BrokerQueue(Struct, frozen=True):
    """Who stands where on each side, best level first."""

    instrument: InstrumentId
    asks: tuple[BrokerPlace, ...]
    bids: tuple[BrokerPlace, ...]


class OrderPush(Struct, frozen=True):
    trd_env: int
    acc_id: str
    order: t.Order


class FillPush(Struct, frozen=True):
    trd_env: int
    acc_id: str
    fill: t.OrderFill


class GatewayState(Struct, frozen=True):
    """None: this notice does not say."""

    quotes_ready: bool | None = None
    trading_ready: bool | None = None


Pushed = Price | Print | FormingBar | MinuteLine | BrokerQueue | OrderBook | OrderPush | FillPush | GatewayState

_FRAMES = msgspec.json.Decoder(Frame)


def pushed_from_wire(frame: str | bytes) -> list[Pushed]:
    """What one frame says; empty for kinds nobody here reads.

    Raises:
        BadMessage: not a frame, or a body that can not be parsed.
    """
    try:
        head = _FRAMES.decode(frame)
        kind = RESPONSES.get(head.proto_id)
        if kind is None:
            return []
        message = kind()
        message.ParseFromString(binascii.a2b_base64(head.body_b64, strict_mode=True))
        if not message.HasField("s2c"):
            raise BadMessage(f"push {head.proto_id}: no message inside")
        return _READERS[head.proto_id](message.s2c)
    except BadMessage as error:
        raise BadMessage(error.message, body=_kept(frame)) from error
    except (msgspec.DecodeError, DecodeError, binascii.Error, UnicodeError, ValueError, RecursionError) as error:
        raise BadMessage(f"push: can not be read: {error}", body=_kept(frame)) from error


def _kept(frame: str | bytes) -> bytes:
    return frame.encode("utf-8", "replace") if isinstance(frame, str) else frame


INSTRUMENTS_MAX = 10_000
_INSTRUMENTS: dict[tuple[int, bytes], InstrumentId] = {}
"""Names already read: what the wire calls an instrument -> its id, which never changes."""


def _instrument(security: Any) -> InstrumentId | None:
    """None for a market nobody here trades."""
    key = (security.market, security.code)
    known = _INSTRUMENTS.get(key)
    if known is not None:
        return known
    place = BY_QUOTE_MARKET.get(security.market)
    if place is None or not security.code:
        return None
    found = instrument_from_wire(place, security.code.decode("ascii"))
    if len(_INSTRUMENTS) < INSTRUMENTS_MAX:
        _INSTRUMENTS[key] = found
    return found


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _price(body: Any) -> list[Pushed]:
    found: list[Pushed] = []
    for row in body.basic_qot_list:
        instrument = _instrument(row.security)
        # Nothing traded yet shows as zeros.
        if instrument is not None and 0 < row.cur_price < 1e12:
            found.append(
                Price(
                    instrument, row.cur_price, row.update_timestamp, row.is_suspended,
                    row.last_close_price, row.volume, row.price_spread,
                )
            )  # fmt: skip
    return found


def _prints(body: Any) -> list[Pushed]:
    instrument = _instrument(body.security)
    if instrument is None:
        return []
    return [
        Print(
            instrument, row.sequence, row.price, float(row.volume), row.recv_time or row.timestamp,
            row.push_data_type in (0, LIVE_PUSH),
        )
        for row in sorted(body.ticker_list, key=lambda row: row.sequence)
        if 0 < row.price < 1e12
    ]  # fmt: skip


def _bars(body: Any) -> list[Pushed]:
    instrument = _instrument(body.security)
    interval_ns = INTERVAL_OF_KL_TYPE.get(body.kl_type)
    if instrument is None or interval_ns is None:
        return []
    return [
        FormingBar(
            instrument, interval_ns, body.rehab_type, row.timestamp, _text(row.time), row.open_price, row.high_price,
            row.low_price, row.close_price, float(row.volume),
        )
        for row in body.kl_list
        if not row.is_blank and is_sound(row.open_price, row.high_price, row.low_price, row.close_price, row.volume)
    ]  # fmt: skip


def is_sound(opening: float, high: float, low: float, close: float, volume: float) -> bool:
    """Whether a bar's four prices fit each other and its volume can be; broken ones exist in real data (contract 9)."""
    return 0 < low <= min(opening, close) and max(opening, close) <= high < 1e12 and volume >= 0


def _book(body: Any) -> list[Pushed]:
    instrument = _instrument(body.security)
    if instrument is None:
        return []
    bids = tuple([BookLevel(at, float(row.volume)) for row in body.order_book_bid_list if 0 < (at := row.price) < 1e12])
    asks = tuple([BookLevel(at, float(row.volume)) for row in body.order_book_ask_list if 0 < (at := row.price) < 1e12])
    stamp = max(body.svr_recv_time_bid_timestamp, body.svr_recv_time_ask_timestamp)
    return [OrderBook(instrument, round(stamp * 1_000_000) * 1000 if 1e8 < stamp < 1e11 else 0, bids, asks)]


def _minute_line(body: Any) -> list[Pushed]:
    instrument = _instrument(body.security)
    if instrument is None:
        return []
    rows = [row for row in body.rt_list if not row.is_blank]
    return [MinuteLine(instrument, _text(row.time), row.price, row.avg_price, row.volume) for row in rows]


def _brokers(body: Any) -> list[Pushed]:
    instrument = _instrument(body.security)
    if instrument is None:
        return []
    asks, bids = (
        tuple(BrokerPlace(row.id, _text(row.name), row.pos) for row in side)
        for side in (body.broker_ask_list, body.broker_bid_list)
    )
    return [BrokerQueue(instrument, asks, bids)]


def _row(message: Any) -> dict[str, Any]:
    """Present fields by name: absent ones keep the struct's own default."""
    return {field.name: _text(value) if isinstance(value, bytes) else value for field, value in message.ListFields()}


def _order(body: Any) -> list[Pushed]:
    if not body.HasField("order") or not body.HasField("header"):
        raise BadMessage("order push: header or order is missing")
    row = _row(body.order)
    # An unset enum is no code at all; -1 is the protocol's own "unknown" status.
    fields: dict[str, Any] = {
        "trd_side": 0,
        "order_type": 0,
        "order_status": -1,
        "order_id_ex": "",
        "code": "",
        "qty": 0.0,
    } | row
    fields["order_id"] = Id(fields.get("order_id", 0))
    return [OrderPush(body.header.trd_env, str(body.header.acc_id), t.Order(**fields))]


def _fill(body: Any) -> list[Pushed]:
    if not body.HasField("order_fill") or not body.HasField("header"):
        raise BadMessage("fill push: header or fill is missing")
    row = _row(body.order_fill)
    if not row.get("fill_id_ex") and not row.get("fill_id"):
        raise BadMessage("fill push: it has no id")
    fields: dict[str, Any] = {"trd_side": 0, "code": "", "qty": 0.0, "price": 0.0} | row
    fields["fill_id"] = Id(fields.get("fill_id", 0))
    if "order_id" in fields:
        fields["order_id"] = Id(fields["order_id"])
    return [FillPush(body.header.trd_env, str(body.header.acc_id), t.OrderFill(**fields))]


def _notify(body: Any) -> list[Pushed]:
    if body.type == NOTIFY_CONNECTION and body.HasField("connect_status"):
        status = body.connect_status
        return [GatewayState(quotes_ready=status.qot_logined, trading_ready=status.trd_logined)]
    if body.type == NOTIFY_PROGRAM and body.HasField("program_status"):
        ready = body.program_status.type == PROGRAM_READY
        return [GatewayState(quotes_ready=ready, trading_ready=ready)]
    return []


_READERS = {
    3005: _price, 3007: _bars, 3009: _minute_line, 3011: _prints, 3013: _book, 3015: _brokers, 2208: _order,
    2218: _fill, 1003: _notify,
}  # fmt: skip
