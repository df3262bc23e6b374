"""The deepest drawdowns of a run, one a row: from which peak, to which bottom, and when it was made good."""

import numpy as np
from msgspec import Struct

from engine.runtime.report_candles import Floats, Ints

FALLS_MAX = 10


class Fall(Struct, frozen=True, kw_only=True, gc=False):
    """One stretch below an earlier peak, from that peak to the first sample at or above it again."""

    depth: float
    """Largest loss from the peak, as a fraction of it, positive."""
    peak_ns: int
    bottom_ns: int
    recovered_ns: int
    """0: not yet."""
    falling_ns: int
    """From the peak to the bottom."""
    lasted_ns: int
    """From the peak to the recovery, else to the end."""


def deepest_falls(ts_ns: Ints, equity: Floats, count: int = FALLS_MAX) -> tuple[Fall, ...]:
    """At most ``count``, deepest first; of equal ones the earlier. Each peak is the last sample at its height."""
    peaks = np.maximum.accumulate(equity)
    under = (equity < peaks) & (peaks > 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], under, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    if not len(begins):
        return ()
    curve = np.where(under, 1.0 - equity / np.where(peaks > 0, peaks, 1.0), 0.0)
    depths = np.maximum.reduceat(curve, begins)
    found = []
    for place in np.argsort(-depths, kind="stable")[:count].tolist():
        begin, end = int(begins[place]), int(ends[place])
        bottom = begin + int(np.argmax(curve[begin:end]))
        recovered = end < len(equity)
        peak_ns, over_ns = int(ts_ns[begin - 1]), int(ts_ns[end if recovered else -1])
        found.append(
            Fall(
                depth=float(depths[place]),
                peak_ns=peak_ns,
                bottom_ns=int(ts_ns[bottom]),
                recovered_ns=over_ns if recovered else 0,
                falling_ns=int(ts_ns[bottom]) - peak_ns,
                lasted_ns=over_ns - peak_ns,
            )
        )
    return tuple(found)
