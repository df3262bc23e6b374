"""Instruments, their latest prices, and candles with our fills."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.control.api.account_views import FillView, PriceView, fill_view, price_view
from engine.control.api.operation import Call, Operation
from engine.control.api.problems import Problem
from engine.control.api.scopes import Scope
from engine.control.api.shapes import number
from engine.domain.ids import InstrumentId
from engine.domain.timestamps import duration_ns


class InstrumentView(Struct, frozen=True, kw_only=True):
    """One instrument that is traded, held or priced in this run."""

    id: str
    name: str
    kind: str
    market: str
    currency: str
    lot: int
    tick: str
    multiplier: int
    open: bool | None
    """Whether its market is open now; ``null``: its calendar does not know."""
    price: PriceView | None


class CandleQuery(Struct, frozen=True, forbid_unknown_fields=True):
    instrument: Annotated[str, Meta(min_length=1, max_length=128)]
    interval: Annotated[str, Meta(max_length=16)] = ""
    """As ``5m``; empty: those the source has."""
    limit: Annotated[int, Meta(ge=1, le=5_000)] = 500


class Candle(Struct, frozen=True, array_like=True):
    """``[ms since 1970 of its end, open, high, low, close, volume]``."""

    t: int
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None


class Candles(Struct, frozen=True, kw_only=True):
    instrument: str
    bars: list[Candle]
    fills: list[FillView]
    """Ours of this instrument since the first bar, the oldest first."""


async def instruments(call: Call) -> list[InstrumentView]:
    core, spec = call.cockpit.core, call.cockpit.run.spec
    held = [name for book in core.portfolio.accounts.values() for name, p in book.positions.items() if p.quantity]
    named = [name for _, strategy in spec.strategies for name in strategy.instruments]
    return [_instrument(call, name) for name in dict.fromkeys([*named, *held, *core.portfolio.marks.latest])]


def _instrument(call: Call, name: InstrumentId) -> InstrumentView:
    core = call.cockpit.core
    spec = core.instruments[name]
    book = core.books.get(spec.market)
    return InstrumentView(
        id=spec.id,
        name=spec.name,
        kind=str(spec.kind),
        market=spec.market,
        currency=spec.currency,
        lot=spec.lot,
        tick=f"{spec.tick:f}",
        multiplier=spec.multiplier,
        open=None if book is None else book.is_open(core.clock.now_ns),
        price=price_view(core, name),
    )


async def candles(call: Call) -> Candles:
    asked: CandleQuery = call.query
    core, name = call.cockpit.core, InstrumentId(asked.instrument)
    if name not in core.instruments:
        raise Problem(404, "instrument", f"instrument {asked.instrument!r} is not known")
    try:
        interval_ns = duration_ns(asked.interval) if asked.interval else 0
    except ValueError as why:
        raise Problem(400, "query", f"interval: {why}") from None
    bars = core.history.last(name, min(asked.limit, core.history.keep), interval_ns)
    rows = zip(
        bars.ts_ns.tolist(),
        *(column.tolist() for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)),
        strict=True,
    )
    found = [Candle(ts_ns // 1_000_000, *(number(value) for value in row)) for ts_ns, *row in rows]
    since_ns = int(bars.ts_ns[0]) if len(bars) else 0
    fills = [f for f in call.cockpit.session.seen.fills if f.instrument == name and f.ts_ns >= since_ns]
    return Candles(instrument=name, bars=found, fills=[fill_view(fill) for fill in fills[-500:]])


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/instruments",
        scope=Scope.READ,
        act=instruments,
        summary="Instruments traded, held or priced in this run, with their latest prices",
        answer=list[InstrumentView],
    ),
    Operation(
        method="GET",
        path="/api/candles",
        scope=Scope.READ,
        act=candles,
        summary="The bars this run has seen of an instrument, and our fills in them",
        query=CandleQuery,
        answer=Candles,
        statuses=(404,),
    ),
)
