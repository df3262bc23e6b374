"""The gateway's numbers, and our words for them: the one place where both meet (contracts/futu.md 3 and 5)."""

import re
from enum import IntEnum

from msgspec import Struct

from engine.domain.commands import OrderType, Side, TimeInForce
from engine.domain.errors import BadMessage, ConfigError
from engine.domain.evidence import Evidence
from engine.domain.ids import InstrumentId, code_of
from engine.domain.timestamps import DAY_NS, MINUTE_NS

_CODE = re.compile(r"[0-9A-Za-z._&$#-]{1,40}\Z")

ENVIRONMENTS = {"simulate": 0, "real": 1}
"""The official protocol's TrdEnv; the page prints 1 and 2, which is wrong (contract 3)."""


class Place(Struct, frozen=True, kw_only=True):
    """Where an instrument is listed: the same place has another number in every part of the protocol."""

    suffix: str
    quote_market: int
    """QotMarket: ``security.market``, and the first part of ``sec_key``."""
    sec_market: int
    """TrdSecMarket of orders, fills and positions."""
    real_market: int
    """TrdMarket in the header for real accounts."""
    simulate_market: int
    word: str
    """As keys.json writes symbols: ``HK.00700``."""
    rules: str
    """Key into the engine's rule books."""
    currency: str
    timezone: str
    state_key: str
    """Field of global-state that tells whether it is open."""


PLACES = (
    Place(suffix="HK", quote_market=1, sec_market=1, real_market=1, simulate_market=1, word="HK",
          rules="hong_kong", currency="HKD", timezone="Asia/Hong_Kong", state_key="market_hk"),
    Place(suffix="US", quote_market=11, sec_market=2, real_market=2, simulate_market=2, word="US",
          rules="us", currency="USD", timezone="America/New_York", state_key="market_us"),
    Place(suffix="SH", quote_market=21, sec_market=31, real_market=4, simulate_market=3, word="SH",
          rules="china_connect", currency="CNH", timezone="Asia/Shanghai", state_key="market_sh"),
    Place(suffix="SZ", quote_market=22, sec_market=32, real_market=4, simulate_market=3, word="SZ",
          rules="china_connect", currency="CNH", timezone="Asia/Shanghai", state_key="market_sz"),
    Place(suffix="SG", quote_market=31, sec_market=41, real_market=6, simulate_market=6, word="SG",
          rules="", currency="SGD", timezone="Asia/Singapore", state_key="market_sg"),
    Place(suffix="JP", quote_market=41, sec_market=51, real_market=15, simulate_market=15, word="JP",
          rules="", currency="JPY", timezone="Asia/Tokyo", state_key="market_jp"),
)  # fmt: skip
BY_SUFFIX = {place.suffix: place for place in PLACES}
BY_QUOTE_MARKET = {place.quote_market: place for place in PLACES}
BY_SEC_MARKET = {place.sec_market: place for place in PLACES}
BY_TRADE_MARKET = {1: BY_SUFFIX["HK"], 2: BY_SUFFIX["US"], 6: BY_SUFFIX["SG"], 15: BY_SUFFIX["JP"]}
"""TrdMarket alone names a place only where one market is one exchange; 3 and 4 are Shanghai or Shenzhen."""
TRADE_MARKET_WORDS = {
    1: "HK", 2: "US", 3: "CN", 4: "HKCC", 5: "FUTURES", 6: "SG", 7: "CRYPTO", 8: "AU", 15: "JP", 111: "MY", 112: "CA",
}  # fmt: skip
"""As keys.json and the push frames write them."""
FUTURES_REAL, FUTURES_SIMULATE = 5, 10


def place_of(instrument: str) -> Place:
    """Where an instrument of ours is listed.

    Raises:
        ConfigError: no such suffix here.
    """
    place = BY_SUFFIX.get(instrument.rpartition(".")[2])
    if place is None or not code_of(instrument):
        raise ConfigError(f"futu: {instrument!r} is not listed here; ids end in .{', .'.join(BY_SUFFIX)}")
    return place


def instrument_from_wire(place: Place, code: str) -> InstrumentId:
    """``00700`` in Hong Kong is ``00700.HK``.

    Raises:
        BadMessage: no code: characters that none has, or more than any.
    """
    if not _CODE.match(code):
        raise BadMessage(f"code {code[:40]!r} is none")
    return InstrumentId(f"{code}.{place.suffix}")


def symbol_to_wire(instrument: str) -> str:
    """``HK.00700``, as limits and aliases write it."""
    return f"{place_of(instrument).word}.{code_of(instrument)}"


SIDES = {Side.BUY: 1, Side.SELL: 2, Side.SELL_SHORT: 3, Side.BUY_BACK: 4}
SIDE_FROM_WIRE = {code: side for side, code in SIDES.items()}
SIDE_WORDS = {Side.BUY: "BUY", Side.SELL: "SELL", Side.SELL_SHORT: "SELL_SHORT", Side.BUY_BACK: "BUY_BACK"}
"""As keys.json writes them."""

ORDER_TYPES = {
    OrderType.LIMIT: 1,
    OrderType.MARKET: 2,
    OrderType.ABSOLUTE_LIMIT: 5,
    OrderType.AUCTION: 6,
    OrderType.AUCTION_LIMIT: 7,
    OrderType.SPECIAL_LIMIT: 8,
    OrderType.SPECIAL_LIMIT_ALL: 9,
    OrderType.STOP: 10,
    OrderType.STOP_LIMIT: 11,
    OrderType.MARKET_IF_TOUCHED: 12,
    OrderType.LIMIT_IF_TOUCHED: 13,
    OrderType.TRAILING_STOP: 14,
    OrderType.TRAILING_STOP_LIMIT: 15,
}
PRICED = frozenset({1, 5, 7, 8, 9, 11, 13})
TRIGGERED = frozenset({10, 11, 12, 13})
"""They carry ``aux_price``."""
TRAILING = frozenset({14, 15})
CONDITIONAL = TRIGGERED | TRAILING
"""They wait armed at the broker, which status 1 then means."""
HONG_KONG_ONLY = frozenset({5, 6, 7, 8, 9})
LIMIT_ONLY = frozenset({"SH", "SZ"})
"""Northbound orders through the connect are limit orders (China Connect Rules, HKEX rule 14A06)."""
TIFS = {TimeInForce.DAY: 0, TimeInForce.GTC: 1, TimeInForce.IOC: 2, TimeInForce.GTD: 3}

CURRENCIES = {1: "HKD", 2: "USD", 3: "CNH", 4: "JPY", 5: "SGD", 6: "AUD", 7: "CAD", 8: "MYR", 9: "NZD"}
CURRENCY_CODES = {word: code for code, word in CURRENCIES.items()}


class Status(IntEnum):
    """OrderStatus (contract 6.4)."""

    UNSUBMITTED = 0
    UNKNOWN = -1
    WAITING = 1
    SUBMITTING = 2
    SUBMIT_FAILED = 3
    TIMEOUT = 4
    SUBMITTED = 5
    PART = 10
    FILLED = 11
    CANCELLING_PART = 12
    CANCELLING = 13
    CANCELLED_PART = 14
    CANCELLED = 15
    FAILED = 21
    DISABLED = 22
    DELETED = 23
    FILL_CANCELLED = 24


PENDING: frozenset[int] = frozenset({Status.UNSUBMITTED, Status.WAITING, Status.SUBMITTING})
REFUSED: frozenset[int] = frozenset({Status.SUBMIT_FAILED, Status.FAILED})
WITHDRAWN: frozenset[int] = frozenset({Status.CANCELLED_PART, Status.CANCELLED, Status.DELETED})
FINAL: frozenset[int] = REFUSED | WITHDRAWN | {Status.FILLED, Status.FILL_CANCELLED}
EVIDENCE: dict[int, Evidence] = {
    **dict.fromkeys(PENDING, Evidence.WORKING),
    **dict.fromkeys(WITHDRAWN, Evidence.CANCELED),
    Status.SUBMITTED: Evidence.WORKING,
    Status.PART: Evidence.WORKING,
    Status.CANCELLING: Evidence.WORKING,
    Status.CANCELLING_PART: Evidence.WORKING,
    Status.DISABLED: Evidence.WORKING,
    Status.FILLED: Evidence.FILL,
    Status.FILL_CANCELLED: Evidence.CANCELED,
}
"""What a row with this status says; a status that is not here says only that the row is there (AMBIGUOUS)."""
PROGRESS: dict[int, int] = {
    Status.UNSUBMITTED: 0, Status.WAITING: 1, Status.SUBMITTING: 2, Status.SUBMITTED: 3, Status.DISABLED: 3,
    Status.PART: 4, Status.CANCELLING: 5, Status.CANCELLING_PART: 6,
}  # fmt: skip
"""How far along a status is that is not the end: between two of one instant the further one wins."""


class Interval(Struct, frozen=True):
    """One bar length: K-lines and subscriptions number them differently (contract 5)."""

    kl_type: int
    sub_type: int


INTERVALS = {
    MINUTE_NS: Interval(1, 11),
    3 * MINUTE_NS: Interval(10, 17),
    5 * MINUTE_NS: Interval(6, 7),
    10 * MINUTE_NS: Interval(12, 18),
    15 * MINUTE_NS: Interval(7, 8),
    30 * MINUTE_NS: Interval(8, 9),
    60 * MINUTE_NS: Interval(9, 10),
    120 * MINUTE_NS: Interval(13, 19),
    180 * MINUTE_NS: Interval(14, 20),
    240 * MINUTE_NS: Interval(15, 21),
    DAY_NS: Interval(2, 6),
}
INTERVAL_OF_KL_TYPE = {interval.kl_type: span for span, interval in INTERVALS.items()}
SUB_BASIC, SUB_BOOK, SUB_TICKER, SUB_RT, SUB_BROKER = 1, 2, 4, 5, 14

OPEN_STATES = frozenset({3, 5, 13, 15, 21, 23})
"""QotMarketState with continuous trading; what is not known counts as closed."""


def interval_to_wire(interval_ns: int) -> Interval:
    """The gateway's two numbers of a bar length.

    Raises:
        ConfigError: it has no such bars.
    """
    found = INTERVALS.get(interval_ns)
    if found is None:
        minutes = ", ".join(str(span // MINUTE_NS) for span in INTERVALS if span < DAY_NS)
        raise ConfigError(f"futu: no bars of {interval_ns // 1_000_000_000} s; it has {minutes} minutes and 1d")
    return found
