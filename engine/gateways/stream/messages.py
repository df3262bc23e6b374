"""Frames of the stream, both ways; times are integer nanoseconds UTC, prices JSON numbers.

We send::

    {"op":"subscribe","kind":"quote|trade|bar","instruments":["CY.VSM"],"interval":"5m"}      interval for bars only
    {"op":"ping"}

The server sends, told apart by ``type``::

    {"type":"subscribed","kind":"bar","instruments":["CY.VSM"],"interval":"5m"}
    {"type":"quote","instrument":"CY.VSM","ts":1,"bid":1.0,"ask":1.0,"bid_size":0,"ask_size":0}
    {"type":"trade","instrument":"CY.VSM","ts":1,"price":1.0,"size":1}
    {"type":"bar","instrument":"CY.VSM","ts":1,"interval":"5m","open":1,"high":1,"low":1,"close":1,"volume":0}
    {"type":"heartbeat","ts":1}   {"type":"pong"}   {"type":"error","message":"..."}

``ts`` of a bar is its end. A heartbeat comes at least every few seconds, in closed hours too, so silence means a dead
line. Unknown keys are ignored; an unknown ``type`` is an error.
"""

import math
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, json

from engine.domain.errors import BadMessage
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, DataKind, Quote, Trade
from engine.domain.timestamps import duration_ns
from engine.net.rest import decode_bytes

KINDS = (DataKind.QUOTE, DataKind.TRADE, DataKind.BAR)


class Subscribe(Struct, frozen=True, kw_only=True, omit_defaults=True):
    op: Literal["subscribe"]
    kind: str
    instruments: list[str]
    interval: str = ""


class Ping(Struct, frozen=True):
    op: Literal["ping"]


class SubscribedFrame(Struct, frozen=True, tag="subscribed", tag_field="type"):
    kind: str = ""
    instruments: list[str] = []
    interval: str = ""


class QuoteFrame(Struct, frozen=True, tag="quote", tag_field="type"):
    instrument: str
    ts: int
    bid: float
    ask: float
    bid_size: float = 0.0
    ask_size: float = 0.0


class TradeFrame(Struct, frozen=True, tag="trade", tag_field="type"):
    instrument: str
    ts: int
    price: float
    size: float = 0.0


class BarFrame(Struct, frozen=True, tag="bar", tag_field="type"):
    instrument: str
    ts: int
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0


class HeartbeatFrame(Struct, frozen=True, tag="heartbeat", tag_field="type"):
    ts: int = 0


class PongFrame(Struct, frozen=True, tag="pong", tag_field="type"):
    pass


class ErrorFrame(Struct, frozen=True, tag="error", tag_field="type"):
    message: str


ServerFrame = SubscribedFrame | QuoteFrame | TradeFrame | BarFrame | HeartbeatFrame | PongFrame | ErrorFrame


def subscribe_to_wire(kind: DataKind, instruments: Iterable[str], interval: str = "") -> str:
    frame = Subscribe(op="subscribe", kind=kind.value, instruments=list(instruments), interval=interval)
    # ``op`` has no default, so omit_defaults keeps it.
    return json.encode(frame).decode()


PING = json.encode(Ping(op="ping")).decode()


def frame_from_wire(frame: str | bytes) -> ServerFrame:
    """One frame.

    Raises:
        BadMessage: not JSON of a known type.
    """
    return decode_bytes(frame, ServerFrame, "stream")  # type: ignore[arg-type]


def event_from_wire(frame: ServerFrame) -> Bar | Quote | Trade | None:
    """The market data in a frame; None if it holds none.

    Raises:
        BadMessage: figures that can not be: not finite, not positive, a high below a low, no time.
    """
    if isinstance(frame, QuoteFrame):
        _check(frame.ts > 0 and _prices(frame.bid, frame.ask) and _sizes(frame.bid_size, frame.ask_size), frame)
        _check(frame.bid <= frame.ask, frame)
        instrument = InstrumentId(frame.instrument)
        return Quote(instrument, frame.ts, frame.bid, frame.ask, frame.bid_size, frame.ask_size)
    if isinstance(frame, TradeFrame):
        _check(frame.ts > 0 and _prices(frame.price) and _sizes(frame.size), frame)
        return Trade(InstrumentId(frame.instrument), frame.ts, frame.price, frame.size)
    if isinstance(frame, BarFrame):
        return _bar(frame)
    return None


def _bar(frame: BarFrame) -> Bar:
    _check(frame.ts > 0 and _prices(frame.open, frame.high, frame.low, frame.close) and _sizes(frame.volume), frame)
    low, high = min(frame.open, frame.close), max(frame.open, frame.close)
    _check(frame.low <= low <= high <= frame.high, frame)
    try:
        interval_ns = duration_ns(frame.interval)
    except ValueError as error:
        raise BadMessage(f"stream: {error}") from error
    return Bar(
        InstrumentId(frame.instrument),
        frame.ts,
        frame.open,
        frame.high,
        frame.low,
        frame.close,
        frame.volume,
        interval_ns,
    )


PRICE_MAX = 1e15


def _prices(*values: float) -> bool:
    return all(0 < value < PRICE_MAX for value in values)


def _sizes(*values: float) -> bool:
    return all(0 <= value < math.inf for value in values)


def _check(sane: bool, frame: ServerFrame) -> None:
    if not sane:
        raise BadMessage(f"stream: figures that can not be: {frame}"[:500])
