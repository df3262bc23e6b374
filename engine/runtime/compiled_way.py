"""The short way, compiled (``engine/native``): what it is told of a run, and when it may stand in for ``short_way``."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from engine import native
from engine.clock import ReplayClock
from engine.context import Context
from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import JournalRecord, OrderSent, OrderSubmitted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId, VenueOrderId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.marks import Mark, Marks
from engine.domain.money import ZERO, exact_price
from engine.domain.order import Evidence, Order, OrderReport, OrderState
from engine.execution import OrderManager
from engine.journal.chain import ENCODER
from engine.journal.memory import MemoryJournal
from engine.markets.free import Free
from engine.matching.next_open import NextOpen
from engine.matching.resting import Resting
from engine.matching.venue import SimulatedVenue
from engine.portfolio import AccountBook, Portfolio, Position, Reservation
from engine.risk.checker import FAILURES
from engine.risk.view import RiskView
from engine.runtime.short_way import costs_of_fills
from engine.runtime.wiring import Core
from engine.seat import Seat

_NUMBERS = (2**62 + 1, 2**62 + 2, 2**62 + 3)
"""Quantities and moments of the sample records: told apart by their bytes."""
_ORDER = SubmitOrder(
    client_id=ClientOrderId("~client id~"), account=AccountId("~account~"), strategy=StrategyId("~strategy~"),
    instrument=InstrumentId("~instrument~"), side=Side.BUY, quantity=_NUMBERS[0], ts_ns=_NUMBERS[1],
)  # fmt: skip
_AMOUNTS = (Decimal("12345.678901"), Decimal("98765.432109"))


def compiled(core: Core, venue: SimulatedVenue) -> Any:
    """Both steps for this run (``native.Way``); None where they are not compiled, or the journal is a file."""
    journal = core.journal
    if native.Way is None or not isinstance(journal, MemoryJournal) or core.record != journal.keep:
        return None
    manager, portfolio, view = core.manager, core.portfolio, core.view
    costs = {
        name: (fee_of, spec, book.commission if type(book := core.books[spec.market]) is Free else None)
        for name, (fee_of, spec) in costs_of_fills(core, venue).items()
    }
    way = native.Way(
        manager=manager, venue=venue, portfolio=portfolio, view=view, orders=manager.orders, working=manager.working,
        resting=venue.resting, accounts=portfolio.accounts, reservations=portfolio.reservations,
        own=portfolio.strategy_positions, marks=portfolio.marks, latches=view.latches, books=view.books,
        costs=costs, conditional=venue.conditional, pending=journal.pending,
        long_in=core.bus.publisher(SubmitOrder), long_out=venue.on_bar, match=venue.match,
        opens=type(venue.model) is NextOpen, exact_price=exact_price, pack=journal.pack,
        pour=journal.pour, sellable_from=portfolio.sellable_from, new_mark=_marker(portfolio),
        failures=FAILURES, placed=_placed(), clock=core.clock, zero=ZERO, nothing=str(ZERO),
        buy=Side.BUY, sell=Side.SELL, working_state=OrderState.WORKING, filled_state=OrderState.FILLED,
        like_held=Reservation(None, None, 0, 0), like_request=_ORDER, Seat=Seat,  # type: ignore[arg-type]
        like_rest=Resting(0, _ORDER, ZERO, 0, True, None, 0, 0, True, 0),
        Reservation=Reservation, Resting=Resting, Free=Free, SubmitOrder=SubmitOrder, Order=Order, Position=Position,
        AccountBook=AccountBook, Bar=Bar, Instrument=Instrument, Marks=Marks, ReplayClock=ReplayClock,
        OrderManager=OrderManager, SimulatedVenue=SimulatedVenue, Portfolio=Portfolio, RiskView=RiskView,
        Context=Context, **_records(core.checker.limits_id),
    )  # fmt: skip
    journal.written_by(way)
    return way


def hand_of(way: Any, context: Context) -> Any:
    """``Context.plain`` and ``position``, compiled; the same of what is no everyday call."""
    if type(context.catalogue) is not dict:
        return context.plain, context.position
    hand = native.Hand(
        way=way, context=context, catalogue=context.catalogue, prefix=context.id_prefix, account=context.account,
        strategy=context.strategy, long_way=context.plain,
    )  # fmt: skip
    return hand.plain, hand.position


def _marker(portfolio: Portfolio) -> Any:
    def mark(name: InstrumentId, price: Decimal, ts_ns: int) -> None:
        portfolio.marks.keep(name, Mark(float(price), ts_ns))

    return mark


def _placed() -> Order:
    """An order as the venue's yes leaves it."""
    placed = Order(_ORDER, queued=True)
    placed.place(0, VenueOrderId(""))
    return placed


def _records(limits: str) -> dict[str, tuple[bytes, ...]]:
    """What is the same in every record of a kind, between the values that are not, in the order they are written in."""
    sold = SubmitOrder(**{name: getattr(_ORDER, name) for name in _ORDER.__struct_fields__} | {"side": Side.SELL})
    whose: Sequence[object] = (_ORDER.client_id, _ORDER.account, _ORDER.strategy, _ORDER.instrument)
    order = (*whose, _ORDER.quantity, _ORDER.ts_ns, _NUMBERS[2], _AMOUNTS[0])
    terms: dict[str, Any] = {"account": _ORDER.account, "client_id": _ORDER.client_id}
    ack = OrderReport(**terms, kind=Evidence.ACK, ts_ns=_NUMBERS[0], venue_id=VenueOrderId("~venue id~"))
    fill = OrderReport(
        **terms, kind=Evidence.FILL, ts_ns=_NUMBERS[0], as_of_ns=_NUMBERS[1], quantity=_NUMBERS[2], price=_AMOUNTS[0],
        fee=_AMOUNTS[1], fill_id="~fill id~",
    )  # fmt: skip
    ours = {
        name: _pieces(OrderSubmitted(order=one, ts_ns=_NUMBERS[2], reserved_cash=_AMOUNTS[0], limits=limits), order)
        for name, one in (("bought", _ORDER), ("sold", sold))
    }
    sent = _pieces(OrderSent(client_id=_ORDER.client_id, ts_ns=_NUMBERS[0]), (_ORDER.client_id, _NUMBERS[0]))
    accepted = _pieces(ack, (ack.account, ack.ts_ns, ack.client_id, ack.venue_id))
    return {
        **{name: _end_to_end(intent, sent, accepted) for name, intent in ours.items()},
        "filled": _pieces(
            fill, (fill.account, fill.ts_ns, fill.client_id, fill.as_of_ns, fill.quantity, fill.price, fill.fee,
                   fill.fill_id),
        ),
    }  # fmt: skip


def _end_to_end(*records: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The pieces of records that are written one after the other."""
    joined = list(records[0])
    for record in records[1:]:
        joined[-1:] = [joined[-1] + record[0], *record[1:]]
    return tuple(joined)


def _pieces(record: JournalRecord, values: Sequence[object]) -> tuple[bytes, ...]:
    """The bytes of a record before, between and after its values.

    Raises:
        ValueError: a value does not come, or comes in another place.
    """
    rest, found = ENCODER.encode(record), []
    for value in values:
        before, mark, rest = rest.partition(ENCODER.encode(value))
        if not mark or mark in rest:
            raise ValueError(f"{value!r} is not where the compiled way writes it in {record!r}")
        found.append(before)
    return (*found, rest)
