"""Ex-dates of the last days, for what a reading of an account may show (``[reconcile] actions``)."""

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.data.actions import FILE, read_actions
from engine.domain.actions import CorporateAction
from engine.domain.ids import InstrumentId

LATELY_DAYS = 30
"""Dividends and new shares arrive within a few days of the ex-date; late ones within weeks."""


def recent_actions(
    catalog: str, trading_day: Callable[[InstrumentId], int | None]
) -> Callable[[InstrumentId], Sequence[CorporateAction]]:
    """Which actions took effect lately on an instrument; files are read once, when somebody first asks.

    Args:
        trading_day: the day it is for an instrument; None: not known, and nothing is recent.
    """
    known: dict[InstrumentId, tuple[CorporateAction, ...]] = {}

    def lately(instrument: InstrumentId) -> Sequence[CorporateAction]:
        day = trading_day(instrument)
        if not catalog or day is None:
            return ()
        if instrument not in known:
            path = Path(catalog) / instrument / FILE
            known[instrument] = read_actions(path) if path.is_file() else ()
        return [action for action in known[instrument] if day - LATELY_DAYS < action.ex_day <= day]

    return lately
