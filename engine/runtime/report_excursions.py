"""How far each round trip went against its holder, and in his favour, while it was on (MAE and MFE).

Of the highs and lows of the bars from the one the entry filled in (the first that ends at or after the entry) to the
last that ended before the exit, and of the two fill prices. The exit's own bar is left out, as most of it may come
after the exit; of the entry's bar what came before the entry is in. No decision of a run sees these figures.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from engine.domain.ids import InstrumentId
from engine.runtime.report_bars import ExtremesOf
from engine.runtime.report_reading import Reading
from engine.runtime.report_round_trips import RoundTrip


def spans_of(trips: Sequence[RoundTrip]) -> dict[InstrumentId, tuple[list[int], ExtremesOf]]:
    """Instrument -> places in ``trips``, and what takes its bars."""
    places: dict[InstrumentId, list[int]] = {}
    for place, trip in enumerate(trips):
        places.setdefault(InstrumentId(trip.instrument), []).append(place)
    return {
        instrument: (
            own,
            ExtremesOf(
                np.array([trips[place].entry_ns for place in own], np.int64),
                np.array([trips[place].exit_ns for place in own], np.int64),
            ),
        )
        for instrument, own in places.items()
    }


def with_excursions(
    trips: Sequence[RoundTrip],
    spans: Mapping[InstrumentId, tuple[list[int], ExtremesOf]],
    seen: frozenset[InstrumentId],
    reading: Reading,
) -> tuple[RoundTrip, ...]:
    """The trips with their excursions; of instruments without bars, and across a change of shares, without any."""
    changed: dict[InstrumentId, list[int]] = {}
    for row in reading.adjustments:
        if row.quantity:
            changed.setdefault(row.instrument, []).append(row.ts_ns)
    found = list(trips)
    for instrument, (places, extremes) in spans.items():
        if instrument not in seen:
            continue
        multiplier, changes = reading.multiplier(instrument), changed.get(instrument, [])
        for place, low, high in zip(places, extremes.low.tolist(), extremes.high.tolist(), strict=True):
            trip = trips[place]
            if any(trip.entry_ns < at_ns <= trip.exit_ns for at_ns in changes):
                continue
            found[place] = _with(trip, low * multiplier, high * multiplier)
    return tuple(found)


def _with(trip: RoundTrip, low: float, high: float) -> RoundTrip:
    entry, leave = trip.entry_price, trip.exit_price
    if entry <= 0:
        return trip
    # A comparison with NaN is false: a span without bars is left with the two fills.
    lowest, highest = min(entry, leave), max(entry, leave)
    lowest, highest = (low if low < lowest else lowest), (high if high > highest else highest)
    up, down = highest / entry - 1.0, 1.0 - lowest / entry
    against, favour = (down, up) if trip.direction == "long" else (up, down)
    return msgspec.structs.replace(trip, mae=against, mfe=favour)
