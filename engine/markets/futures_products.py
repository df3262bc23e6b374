"""Futures products of the mainland: what one contract is, when it trades, what it ties up and costs.

Sources, by column:

* Multiplier and tick: index futures from the CFFEX contract tables (as quoted by JoinQuant's data dictionary for IF,
  IH and IC; IM's multiplier from pycffex 0.2.0); commodities from a table in the VeighNa forum (post 5651) and, for
  copper, aluminium and zinc, futuresclock open data (2026-08-10). Gold's tick: 0.05 in that post, 0.02 as known here of
  later years: not confirmed, and 0.02 is used.
* Night: a broker's table (crfutu.com.cn, 夜盘交易品种及交易时间, read 2026-11).
* Margin: index futures 12 %, the exchange's figure as known here; their contracts' least is 8 % (CFFEX tables).
  Commodities: rounded figures as known here. NOT CONFIRMED, all of them: they change often, and a broker adds to them
  (``margin_add``).
* Fees: index futures 0.0023 % of the value; closing the same day 0.0345 % (a public backtest's settings quote both),
  cut to 0.023 % on 2023-08-28: as known here, not confirmed. Commodities: as known here, NOT CONFIRMED: they too change
  often. Parts of the value, or yuan a contract.
* The most of one order: 20 contracts of index futures by limit (as known here), 500 else: not confirmed.
"""

from decimal import Decimal
from typing import NamedTuple

from engine.markets.china_history import day_named

DAY = ((540, 615), (630, 690), (810, 900))
"""09:00-10:15, 10:30-11:30, 13:30-15:00; minutes of the day."""
INDEX_DAY = ((570, 690), (780, 900))
NIGHTS = {"": (0, 0), "23:00": (1260, 1380), "01:00": (1260, 1500), "02:30": (1260, 1590)}
INDEX_CUT = day_named("2023-08-28")


class Fee(NamedTuple):
    """Of one contract: a part of its value, and yuan."""

    part: Decimal
    fixed: Decimal

    def of(self, value: Decimal) -> Decimal:
        return value * self.part + self.fixed


class Product(NamedTuple):
    code: str
    exchange: str
    multiplier: int
    tick: Decimal
    margin: Decimal
    fees: tuple[Fee, Fee, Fee]
    """To open, to close, to close what was opened the same day."""
    day: tuple[tuple[int, int], ...]
    night: tuple[int, int]
    most: int
    older: tuple[int, tuple[Fee, Fee, Fee]] | None = None
    """Until the day before this one, these fees."""

    def fees_on(self, day: int) -> tuple[Fee, Fee, Fee]:
        return self.older[1] if self.older is not None and day < self.older[0] else self.fees

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        return (*self.day, self.night) if self.night[1] else self.day

    @property
    def hours(self) -> str:
        return ", ".join(f"{a // 60:02d}:{a % 60:02d}-{b // 60 % 24:02d}:{b % 60:02d}" for a, b in self.spans)


def _fee(text: str) -> Fee:
    """``0.0001`` of the value, or ``3.02`` yuan with a y."""
    return Fee(Decimal(0), Decimal(text[:-1])) if text.endswith("y") else Fee(Decimal(text), Decimal(0))


def _fees(text: str) -> tuple[Fee, Fee, Fee]:
    opening, closing, today = (_fee(part) for part in text.split("/"))
    return opening, closing, today


def _product(row: str) -> Product:
    code, exchange, multiplier, tick, margin, fees, night = row.split()
    index = exchange == "CFFEX"
    return Product(
        code, exchange, int(multiplier), Decimal(tick), Decimal(margin), _fees(fees), INDEX_DAY if index else DAY,
        NIGHTS[night.strip("-")], 20 if index else 500,
        (INDEX_CUT, _fees("0.000023/0.000023/0.000345")) if index else None,
    )  # fmt: skip


_ROWS = """
IF CFFEX 300 0.2 0.12 0.000023/0.000023/0.00023 -
IH CFFEX 300 0.2 0.12 0.000023/0.000023/0.00023 -
IC CFFEX 200 0.2 0.12 0.000023/0.000023/0.00023 -
IM CFFEX 200 0.2 0.12 0.000023/0.000023/0.00023 -
RB SHFE 10 1 0.07 0.0001/0.0001/0.0001 23:00
HC SHFE 10 1 0.07 0.0001/0.0001/0.0001 23:00
CU SHFE 5 10 0.09 0.00005/0.00005/0.0001 01:00
AL SHFE 5 5 0.09 3y/3y/3y 01:00
ZN SHFE 5 5 0.09 3y/3y/0y 01:00
AU SHFE 1000 0.02 0.10 10y/10y/0y 02:30
AG SHFE 15 1 0.12 0.00005/0.00005/0.00005 02:30
RU SHFE 10 5 0.08 3y/3y/0y 23:00
SC INE 1000 0.1 0.10 20y/20y/0y 02:30
I DCE 100 0.5 0.13 0.0001/0.0001/0.0001 23:00
J DCE 100 0.5 0.20 0.0001/0.0001/0.00014 23:00
JM DCE 60 0.5 0.20 0.0001/0.0001/0.00014 23:00
M DCE 10 1 0.08 1.5y/1.5y/1.5y 23:00
Y DCE 10 2 0.08 2.5y/2.5y/2.5y 23:00
P DCE 10 2 0.08 2.5y/2.5y/2.5y 23:00
C DCE 10 1 0.08 1.2y/1.2y/1.2y 23:00
TA CZCE 5 2 0.07 3y/3y/0y 23:00
MA CZCE 10 1 0.08 2y/2y/6y 23:00
SR CZCE 10 1 0.07 3y/3y/0y 23:00
CF CZCE 5 5 0.07 4.3y/4.3y/0y 23:00
RM CZCE 10 1 0.09 1.5y/1.5y/1.5y 23:00
OI CZCE 10 1 0.09 2y/2y/2y 23:00
"""
PRODUCTS = {product.code: product for product in map(_product, _ROWS.strip().splitlines())}
"""Letters of a contract's code, upper case -> product."""
