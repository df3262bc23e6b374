"""Identifiers are types, so that an account can not be passed where an order is meant."""

from typing import NewType

InstrumentId = NewType("InstrumentId", str)
"""``600000.SH``, ``00700.HK``, ``AAPL.US``, ``IF2401.CFE``, ``CY.VSM``: code, dot, venue."""

ClientOrderId = NewType("ClientOrderId", str)
"""Ours, made before anything is sent."""

VenueOrderId = NewType("VenueOrderId", str)
"""Theirs, known only after they answered; text even where the venue counts in integers."""

AccountId = NewType("AccountId", str)
StrategyId = NewType("StrategyId", str)

EXTERNAL = StrategyId("EXTERNAL")
"""The owner of orders and positions that no strategy of ours made."""


def code_of(instrument: str) -> str:
    """The venue's own code: the part before the last dot (``CY`` of ``CY.VSM``)."""
    return instrument.rpartition(".")[0] or instrument
