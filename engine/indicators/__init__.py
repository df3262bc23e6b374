"""One indicator a file; each has one arithmetic, bar by bar (``update``) and by column (``column``)."""

from engine.indicators.sma import Sma

INDICATORS: dict[str, type] = {"sma": Sma}
