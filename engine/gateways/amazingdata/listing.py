"""Lists of codes as instruments. The type is the list a code came from, never its suffix (contract 3)."""

import re
from collections.abc import Iterable
from decimal import Decimal

from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument, InstrumentKind

KINDS = {
    "EXTRA_STOCK_A": InstrumentKind.STOCK,
    "EXTRA_ETF": InstrumentKind.ETF,
    "EXTRA_INDEX_A": InstrumentKind.INDEX,
    "EXTRA_FUTURE": InstrumentKind.FUTURE,
}

# CFFEX contract specifications (cffex.com.cn, product pages, read 2026-11): yuan a point and smallest step.
CFFEX = {
    "IF": (300, "0.2"), "IH": (300, "0.2"), "IC": (200, "0.2"), "IM": (200, "0.2"),
    "TS": (20_000, "0.002"), "TF": (10_000, "0.005"), "T": (10_000, "0.005"), "TL": (10_000, "0.01"),
}  # fmt: skip
_PRODUCT = re.compile(r"([A-Za-z]+)\d+\.CFE\Z", re.ASCII)


def instruments_from_codes(
    security_type: str, codes: Iterable[str], *, stock_market: str, future_market: str
) -> list[Instrument]:
    """Instruments of one list. Futures of exchanges other than CFFEX get lot, tick and multiplier from config."""
    kind = KINDS[security_type]
    found = []
    for code in codes:
        if kind is InstrumentKind.FUTURE:
            match = _PRODUCT.match(code)
            multiplier, tick = CFFEX.get(match[1].upper(), (1, "0.01")) if match else (1, "0.01")
            found.append(
                Instrument(
                    id=InstrumentId(code), kind=kind, market=future_market, tick=Decimal(tick), multiplier=multiplier
                )
            )
        else:
            tick = "0.001" if kind is InstrumentKind.ETF else "0.01"
            lot = 1 if kind is InstrumentKind.INDEX else 100
            found.append(Instrument(id=InstrumentId(code), kind=kind, market=stock_market, lot=lot, tick=Decimal(tick)))
    return found
