"""Mainland rates by date: price limits, duty and transfer fee as they were on a day.

Sources. Where an exchange's, ministry's or clearing house's own text is named, its words were read as the open table
marina-rules 2026.10.26.5 (CC0) quotes them; "press" marks what only newspapers were read for.

Price limits, the part of the close before:

* 10 % since 1996-12-16 (CSRC; SZSE, 深市涨跌停板制度的由来, 2018-03-28).
* Main board, special treatment: 5 % since 1998-04-22 (same text; SSE chronicle of 1998), 10 % since 2026-07-06
  (上交所修订发布《上海证券交易所交易规则》, 2026-04-24; SZSE 深证上〔2026〕551号, 2026-04-24).
* ChiNext 10 % and, under special treatment, 5 % since 2009-10-30; 20 % for both since 2020-08-24 (SZSE 2020-08-21;
  深证上〔2020〕620号).
* STAR 20 % since 2019-07-22, special treatment or not (上证发〔2019〕23号, 18). Beijing 30 % since 2021-11-15
  (北证公告〔2021〕15号, 3.3.11).
* Funds 10 % since 1996-12-16; those of STAR indices 20 % since 2020-08-21 (上证发〔2020〕61号), told by their codes 588
  and 589. Those of ChiNext indices in Shenzhen have 20 % too (2020-08-24) but no code tells them: they stay at 10 %.
* Convertible bonds: none until 2022-08-01, then 20 %, and on the first day 57.3 % up and 43.3 % down of the issue
  price (可转换公司债券交易实施细则, 2022-07-29).
* First days of a listing: five without limits on STAR (since 2019-07-22), ChiNext (2020-08-24) and the main board
  (2023-04-10, SSE 上证发〔2023〕32号; SZSE 2023-03-06); one in Beijing (2021-11-15). On the main board and ChiNext
  before that the first day's prices lay between 64 % and 144 % of the issue price (SSE 上证发〔2013〕47号, 2013-12-13;
  SZSE 深证会〔2014〕54号, 2014-06-13), and freely before those days.
* A limit less than a tick away from the close is a tick away (SZSE 2011-02-28; SSE 2023-04-10).
* Not known here: the delisting period (its first day has no limits since 2020-12-31), relisted shares, B shares, REITs.

Duty, parts of the value: the seller alone 0.05 % since 2023-08-28 (财政部 税务总局公告2023年第39号) and 0.1 % since
2008-09-19 (财政部, 2008-09-19); both sides 0.1 % since 2008-04-24, 0.3 % since 2007-05-30, 0.1 % since 2005-01-24,
0.2 % since 2001-11-16, 0.4 % since 1998-06-12 (press). Before that the last is used.

Transfer fee, both sides: 0.001 % since 2022-04-29 (中国结算, 2022-04-28); 0.002 % since 2015-08-01 (中国结算,
2015-07-09), Beijing 0.0025 % until 2022-04-28; before that Shanghai 0.03 % of the face value of one yuan a share and
Shenzhen 0.00255 % of the value (the same notice names both; since when, and their minimum, was not found).

Closing auction 14:57-15:00: Shenzhen since 2006-07-01 (深交所交易规则 2006, 2.3.2); Shanghai's shares since 2018-08-20
(上交所调整收盘交易机制) and its funds since 2026-07-06 (上海证券交易所交易规则 2026). Shanghai's bonds have none here:
for convertible bonds no text was found.
"""

from bisect import bisect_right
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from engine.domain.instrument import Instrument
from engine.domain.money import ZERO, exact
from engine.domain.timestamps import DAY_NS, HOUR_NS
from engine.markets.china_boards import BOARDS, STAR_FUNDS, Board, is_special, shanghai

NEWEST = 10_000_000
"""A day number after all others: the rules as they stand."""
_EPOCH = date(1970, 1, 1).toordinal()

Limits = tuple[Decimal, Decimal] | None
"""Parts of the close before, down and up; None: no limits."""


def day_number(ts_ns: int) -> int:
    """The mainland's calendar day of an instant (its clocks have not been moved since 1991); ``NEWEST`` for 0."""
    return _EPOCH + (ts_ns + 8 * HOUR_NS) // DAY_NS if ts_ns else NEWEST


def day_named(text: str) -> int:
    """Number of a day written as 2026-07-06."""
    return date.fromisoformat(text).toordinal()


CHINEXT_REFORM = day_named("2020-08-24")
MAIN_REFORM = day_named("2023-04-10")
ST_REFORM = day_named("2026-07-06")
BOND_RULES = day_named("2022-08-01")
STAR_FUND_RULES = day_named("2020-08-21")
FIRST_DAY_SH, FIRST_DAY_SZ = day_named("2013-12-13"), day_named("2014-06-13")
LEAST_TICK_SZ, LEAST_TICK_SH = day_named("2011-02-28"), day_named("2023-04-10")
CLOSING_SZ, CLOSING_SH, CLOSING_SH_FUNDS = day_named("2006-07-01"), day_named("2018-08-20"), day_named("2026-07-06")
TENTH, FIFTH, TWENTIETH = Decimal("0.1"), Decimal("0.2"), Decimal("0.05")
FIRST_DAY = (Decimal("0.36"), Decimal("0.44"))
BOND_FIRST_DAY = (Decimal("0.433"), Decimal("0.573"))


class Rate(NamedTuple):
    """From this day on; parts of the value."""

    since: int
    buyer: Decimal
    seller: Decimal


DUTY = tuple(
    Rate(day_named(since), Decimal(buyer), Decimal(seller))
    for since, buyer, seller in (
        ("1998-06-12", "0.004", "0.004"),
        ("2001-11-16", "0.002", "0.002"),
        ("2005-01-24", "0.001", "0.001"),
        ("2007-05-30", "0.003", "0.003"),
        ("2008-04-24", "0.001", "0.001"),
        ("2008-09-19", "0", "0.001"),
        ("2023-08-28", "0", "0.0005"),
    )
)
TRANSFER_ALL, TRANSFER_HALVED = day_named("2015-08-01"), day_named("2022-04-29")


def duty(buys: bool, day: int) -> Decimal:
    """Part of a share's value that one side of a trade pays on a day."""
    row = DUTY[max(0, bisect_right(DUTY, day, key=lambda row: row.since) - 1)]
    return row.buyer if buys else row.seller


def transfer(board: Board, venue: str, quantity: int, value: Decimal, day: int) -> Decimal:
    """What the clearing house takes of each side; not rounded."""
    if day >= TRANSFER_HALVED:
        return value * Decimal("0.00001")
    if board is Board.BEIJING:
        return value * Decimal("0.000025")
    if day >= TRANSFER_ALL:
        return value * Decimal("0.00002")
    return quantity * Decimal("0.0003") if venue == "SH" else value * Decimal("0.0000255")


def limits_of(board: Board, instrument: Instrument, day: int) -> Limits:
    """How far a day's prices may lie from the close before; of a first day, from the issue price."""
    listing = _listing_day(instrument, day)
    special = is_special_on(instrument, day)
    match board:
        case Board.STAR:
            return None if 0 < listing <= 5 else (FIFTH, FIFTH)
        case Board.CHINEXT if day >= CHINEXT_REFORM:
            return None if 0 < listing <= 5 and _listed(instrument) >= CHINEXT_REFORM else (FIFTH, FIFTH)
        case Board.BEIJING:
            return None if listing == 1 else (BOARDS[board].share, BOARDS[board].share)
        case Board.BOND:
            if day < BOND_RULES:
                return None
            return BOND_FIRST_DAY if listing == 1 else (FIFTH, FIFTH)
        case Board.FUND:
            wide = instrument.id.startswith(STAR_FUNDS) and day >= STAR_FUND_RULES
            return (FIFTH, FIFTH) if wide else (TENTH, TENTH)
        case _:
            if 0 < listing <= 5 and _listed(instrument) >= MAIN_REFORM:
                return None
            if listing == 1:
                return FIRST_DAY if day >= (FIRST_DAY_SH if _venue(instrument) == "SH" else FIRST_DAY_SZ) else None
            share = TWENTIETH if special and day < ST_REFORM else TENTH
            return share, share


def band(board: Board, instrument: Instrument, previous_close: float, day: int) -> tuple[float, float] | None:
    """Lowest and highest price of a day, each rounded to the tick, half up; None: no limits."""
    limits = limits_of(board, instrument, day)
    if limits is None:
        return None
    close, tick = exact(previous_close), BOARDS[board].tick
    low = (close * (1 - limits[0])).quantize(tick, ROUND_HALF_UP)
    high = (close * (1 + limits[1])).quantize(tick, ROUND_HALF_UP)
    if day >= (LEAST_TICK_SZ if _venue(instrument) == "SZ" else LEAST_TICK_SH):
        low, high = min(low, close - tick), max(high, close + tick)
    return float(max(low, tick, ZERO)), float(high)


def is_special_on(instrument: Instrument, day: int) -> bool:
    """Whether a share is under special treatment: by its dated spans, where it has any, else by its name."""
    spans = instrument.special
    return any(span.has(day) for span in spans) if spans else is_special(instrument.name)


def closes_by_auction(board: Board, instrument: Instrument, day: int) -> bool:
    """Whether 14:57-15:00 is a call auction for it on a day."""
    if _venue(instrument) != "SH":
        return day >= CLOSING_SZ
    if board is Board.BOND:
        return False
    return day >= (CLOSING_SH_FUNDS if board is Board.FUND else CLOSING_SH)


def _venue(instrument: Instrument) -> str:
    return instrument.id.rpartition(".")[2]


def _listed(instrument: Instrument) -> int:
    return instrument.listed.toordinal() if instrument.listed is not None else 0


def _listing_day(instrument: Instrument, day: int) -> int:
    """1 on the first trading day, up to 6 later; 0 where it is not known, or long ago."""
    first = _listed(instrument)
    if not first or not 0 <= day - first < 40:
        return 0
    number, at = 1, first
    while at < day and number < 6:
        following = shanghai().next_day(at)
        if following is None or following > day:
            break
        number, at = number + 1, following
    return number
