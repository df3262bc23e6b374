"""Numbers of the official protocol this simulator speaks (contracts/futu.md 3 and 5)."""

from enum import IntEnum
from typing import NamedTuple

SIMULATE, REAL = 0, 1
TRD_MARKETS = frozenset({1, 2, 3, 4, 5, 6, 8, 15, 111, 112, 113, 123})
"""trd_market values the gateway takes in a header; 7 is none of them."""
MARKET_WORDS = {1: "HK", 2: "US", 3: "CN", 4: "HKCC", 5: "FUTURES", 6: "SG", 8: "AU", 15: "JP", 111: "MY", 112: "CA"}
SIDE_WORDS = {1: "BUY", 2: "SELL", 3: "SELL_SHORT", 4: "BUY_BACK"}
BUY, SELL, SELL_SHORT, BUY_BACK = 1, 2, 3, 4
DAY, GTC, IOC, GTD = 0, 1, 2, 3
CHANGE, CANCEL, DISABLE, ENABLE, DELETE = 1, 2, 3, 4, 5
HKD, USD, CNH = 1, 2, 3


class Kind(IntEnum):
    """OrderType. TWAP and VWAP (16 to 19) are refused here."""

    NORMAL = 1
    MARKET = 2
    ABSOLUTE_LIMIT = 5
    AUCTION = 6
    AUCTION_LIMIT = 7
    SPECIAL_LIMIT = 8
    SPECIAL_LIMIT_ALL = 9
    STOP = 10
    STOP_LIMIT = 11
    MARKET_IF_TOUCHED = 12
    LIMIT_IF_TOUCHED = 13
    TRAILING_STOP = 14
    TRAILING_STOP_LIMIT = 15


HONG_KONG_ONLY = frozenset({5, 6, 7, 8, 9})
CONDITIONAL = frozenset({10, 11, 12, 13, 14, 15})
TRAILING = frozenset({14, 15})
AUCTIONS = frozenset({6, 7})
UNPRICED = frozenset({2, 6, 10, 12, 14, 15})
"""Orders whose price field means nothing; a trailing stop limit takes its price from trail_spread."""


class Status(IntEnum):
    """OrderStatus (contracts/futu.md 6.4)."""

    WAITING = 1
    SUBMITTING = 2
    SUBMIT_FAILED = 3
    TIMED_OUT = 4
    SUBMITTED = 5
    FILLED_PART = 10
    FILLED_ALL = 11
    CANCELLING_PART = 12
    CANCELLING_ALL = 13
    CANCELLED_PART = 14
    CANCELLED_ALL = 15
    FAILED = 21
    DISABLED = 22
    DELETED = 23
    FILL_CANCELLED = 24


FINAL = frozenset({3, 11, 14, 15, 21, 23, 24})
MATCHABLE = frozenset({5, 10, 12, 13})
"""On the book: also while a cancel is on its way."""


class Sub(IntEnum):
    """SubType of what is no k-line."""

    BASIC = 1
    BOOK = 2
    TICKER = 4
    RT = 5
    BROKER = 14


class Period(NamedTuple):
    """One k-line period: its two numbers, a word for keys, its minutes (0: a calendar unit)."""

    kl_type: int
    sub_type: int
    word: str
    minutes: int


PERIODS = (
    Period(1, 11, "1m", 1),
    Period(10, 17, "3m", 3),
    Period(6, 7, "5m", 5),
    Period(12, 18, "10m", 10),
    Period(7, 8, "15m", 15),
    Period(8, 9, "30m", 30),
    Period(9, 10, "60m", 60),
    Period(13, 19, "120m", 120),
    Period(14, 20, "180m", 180),
    Period(15, 21, "240m", 240),
    Period(2, 6, "day", 0),
    Period(3, 12, "week", 0),
    Period(4, 13, "month", 0),
    Period(11, 15, "quarter", 0),
    Period(5, 16, "year", 0),
)
BY_KL_TYPE = {period.kl_type: period for period in PERIODS}
BY_SUB_TYPE = {period.sub_type: period for period in PERIODS}
SUB_TYPES = frozenset({1, 2, 4, 5, 14, 22, *BY_SUB_TYPE})
QOT_WORDS = {1: "HK", 2: "HK_FUTURE", 11: "US", 21: "SH", 22: "SZ", 31: "SG", 41: "JP", 51: "AU", 61: "MY", 71: "CA"}
QOT_MARKETS = {word: number for number, word in QOT_WORDS.items()}
