"""What every bar and quote must fulfil before the engine sees it; checked a batch at a time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.data.columns import Columns, Floats, Ints, QuoteColumns

Fault = tuple[int, str]
"""Place in the batch, and what is wrong with it and how to mend it: a part of a sentence."""

_MEND = "correct or delete that row"


def find_bad_bar(bars: Columns, after_ns: int | None) -> Fault | None:
    """The first bar that can not be; ``after_ns``: end of the bar before the batch, None if there is none.

    Prices finite and above 0, low <= open, close <= high, volume finite and not negative, times strictly rising.
    """
    open_, high, low, close, volume = bars.open, bars.high, bars.low, bars.close, bars.volume
    # Any NaN fails a comparison, and with low > 0 and high < inf all four are finite.
    sound = low > 0
    sound &= high < np.inf
    sound &= low <= np.minimum(open_, close)
    sound &= np.maximum(open_, close) <= high
    sound &= volume >= 0
    sound &= volume < np.inf
    row = -1 if sound.all() else int(np.argmin(sound))
    late = _first_not_later(bars.ts_ns, after_ns)
    if late is not None and (row < 0 or late[0] <= row):
        return late
    if row < 0:
        return None
    named = (("open", open_), ("high", high), ("low", low), ("close", close))
    return row, _unsound_number(row, named) or _unsound_bar(row, bars)


def find_bad_quote(quotes: QuoteColumns, after_ns: int | None) -> Fault | None:
    """The first quote that can not be: bid and ask finite and above 0, bid <= ask, sizes not negative, times never
    falling (two quotes may share an instant); a last price above 0 where something traded; levels in order."""
    bid, ask = quotes.bid, quotes.ask
    sound = (bid > 0) & (ask < np.inf) & (bid <= ask)
    sizes = _sizes(quotes)
    for _, size in sizes:
        sound &= (size >= 0) & (size < np.inf)
    last, last_size = quotes.last, quotes.last_size
    if last is not None and last_size is not None:
        sound &= ((last > 0) & (last < np.inf)) | (last_size == 0)
    for worse in _out_of_order(quotes):
        sound &= ~worse
    row = -1 if sound.all() else int(np.argmin(sound))
    late = _first_not_later(quotes.ts_ns, after_ns, may_repeat=True)
    if late is not None and (row < 0 or late[0] <= row):
        return late
    if row < 0:
        return None
    return row, _unsound_quote(row, quotes, sizes)


def _sizes(quotes: QuoteColumns) -> list[tuple[str, Floats]]:
    named = [("bid_size", quotes.bid_size), ("ask_size", quotes.ask_size)]
    if quotes.last_size is not None:
        named.append(("last_size", quotes.last_size))
    for n, (_, bids, _, asks) in enumerate(quotes.deeper, 2):
        named += [(f"bid_size{n}", bids), (f"ask_size{n}", asks)]
    return named


def _out_of_order(quotes: QuoteColumns) -> list[NDArray[np.bool_]]:
    """Of each level below the best: where it is not behind the one before it."""
    found = []
    bid, ask = quotes.bid, quotes.ask
    for next_bid, _, next_ask, _ in quotes.deeper:
        found.append(~((next_bid == 0) | ((next_bid > 0) & (next_bid < bid))))
        found.append(~((next_ask == 0) | ((next_ask > ask) & (next_ask < np.inf))))
        # Behind the end of a side there is nothing.
        bid, ask = next_bid, np.where(next_ask == 0, np.inf, next_ask)
    return found


def _unsound_quote(row: int, quotes: QuoteColumns, sizes: Sequence[tuple[str, Floats]]) -> str:
    bid, ask = quotes.bid, quotes.ask
    said = _unsound_number(row, (("bid", bid), ("ask", ask)))
    if said:
        return said
    if bid[row] > ask[row]:
        return f"bid {bid[row]:g} is above ask {ask[row]:g}; {_MEND}"
    if any(not 0 <= size[row] < np.inf for _, size in sizes):
        return f"a size is negative or no number ({', '.join(f'{n} {v[row]:g}' for n, v in sizes)}); {_MEND}"
    if any(worse[row] for worse in _out_of_order(quotes)):
        return f"a level of its book is not behind the one before it; {_MEND}"
    return f"something traded and last is no price; {_MEND}"


def _first_not_later(ts_ns: Ints, after_ns: int | None, *, may_repeat: bool = False) -> Fault | None:
    if not len(ts_ns):
        return None
    if after_ns is not None and (ts_ns[0] < after_ns or (ts_ns[0] == after_ns and not may_repeat)):
        return 0, _late(int(ts_ns[0]), after_ns)
    rising = ts_ns[1:] >= ts_ns[:-1] if may_repeat else ts_ns[1:] > ts_ns[:-1]
    if rising.all():
        return None
    row = int(np.argmin(rising)) + 1
    return row, _late(int(ts_ns[row]), int(ts_ns[row - 1]))


def _late(ts_ns: int, before_ns: int) -> str:
    if ts_ns == before_ns:
        return "the time is the same as in the row before; delete one of the two"
    return "the time is before that of the row before it; sort the rows by time"


def _unsound_number(row: int, named: Sequence[tuple[str, Floats]]) -> str:
    for name, values in named:
        value = float(values[row])
        if np.isnan(value):
            return f"{name} is missing or not a number; {_MEND}"
        if np.isinf(value):
            return f"{name} is infinite; {_MEND}"
        if value <= 0:
            return f"{name} {value:g} is not above 0; {_MEND}"
    return ""


def _unsound_bar(row: int, bars: Columns) -> str:
    open_, high, low, close = (float(v[row]) for v in (bars.open, bars.high, bars.low, bars.close))
    volume = float(bars.volume[row])
    if high < low:
        return f"high {high:g} is below low {low:g}; {_MEND}"
    for name, value in (("open", open_), ("close", close)):
        if value > high:
            return f"{name} {value:.10g} is above high {high:.10g}; {_MEND}"
        if value < low:
            return f"{name} {value:.10g} is below low {low:.10g}; {_MEND}"
    return f"volume {volume:g} is negative or no finite number; {_MEND}"
