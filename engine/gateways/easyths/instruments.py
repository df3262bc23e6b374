"""Six digits and what they stand for: the market of a code, its price decimals and lot, the repo terms (contract 3)."""

import re
from collections.abc import Mapping
from decimal import Decimal

from engine.domain.ids import InstrumentId, code_of

SUFFIXES = ("SH", "SZ", "BJ")
_SHANGHAI = ("6", "5", "9", "11", "204", "7")
_BEIJING = ("4", "8", "92")
_CODE = re.compile(r"[0-9]{6}")

LOT = 100
BOND_LOT = 10
BONDS = ("11", "12")
"""Convertible bonds go in tens where the server knows it."""
B_SHARES = ("900", "200")
STAR = ("688", "689")
STAR_LEAST = 200
AMOUNT_MAX = 10_000_000

REPO_TERMS = {
    "204001": ("上海", "1天期"), "204002": ("上海", "2天期"), "204003": ("上海", "3天期"), "204004": ("上海", "4天期"),
    "204007": ("上海", "7天期"), "131810": ("深圳", "1天期"), "131811": ("深圳", "2天期"), "131800": ("深圳", "3天期"),
    "131809": ("深圳", "4天期"), "131801": ("深圳", "7天期"),
}  # fmt: skip
"""Repo code -> market and term (contract 3, reverse_repo_buy)."""
REPO_UNIT = 100
"""Yuan of face value in one unit of a repo order."""


def is_code(text: str) -> bool:
    return _CODE.fullmatch(text) is not None


def code_to_wire(instrument: str) -> str:
    """The six digits of an instrument of ours; empty if the client does not trade it."""
    code, _, suffix = instrument.rpartition(".")
    return code if suffix in SUFFIXES and is_code(code) else ""


def instrument_of(code: str, market: str, known: Mapping[str, InstrumentId]) -> InstrumentId:
    """By the row's market if it names one, else as the settings have it, else by the first digits."""
    if "港" in market:
        return InstrumentId(f"{code[-5:]}.HK")
    if "上海" in market or "沪" in market:
        return InstrumentId(f"{code}.SH")
    if "深" in market:
        return InstrumentId(f"{code}.SZ")
    if "北" in market:
        return InstrumentId(f"{code}.BJ")
    ours = known.get(code)
    if ours is not None:
        return ours
    if code.startswith(_BEIJING):
        return InstrumentId(f"{code}.BJ")
    return InstrumentId(f"{code}.{'SH' if code.startswith(_SHANGHAI) else 'SZ'}")


def known_codes(instruments: tuple[str, ...]) -> dict[str, InstrumentId]:
    """Code -> instrument of the settings; a code that two of them share names neither."""
    codes = [code_of(name) for name in instruments]
    return {code: InstrumentId(name) for code, name in zip(codes, instruments, strict=True) if codes.count(code) == 1}


def price_decimals(code: str, *, newer: bool) -> int:
    """How many decimals the server types into the price field; more would be rounded (contract 3, buy)."""
    return 3 if newer and code.startswith(("5", "1")) else 2


def has_decimals(price: Decimal, decimals: int) -> bool:
    return price == round(price, decimals)


def lot_of(code: str, *, newer: bool) -> int:
    """What a quantity must be a multiple of."""
    return BOND_LOT if newer and code.startswith(BONDS) else LOT
