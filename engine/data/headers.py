"""Which column of a file is which field: read by name, never by place; and which rows are of which instrument."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.domain.errors import DataError

TIME = "time"
SYMBOL = "symbol"
BAR_FIELDS = (TIME, "open", "high", "low", "close", "volume")
QUOTE_FIELDS = (TIME, "bid", "ask")
QUOTE_SIZES = ("bid_size", "ask_size")
QUOTE_LAST = ("last", "last_size")
DEPTH_MAX = 10
DEPTH = tuple(f"{side}{n}" for n in range(2, DEPTH_MAX + 1) for side in ("bid", "bid_size", "ask", "ask_size"))
"""Levels from the second on: ``bid2``, ``bid_size2``, ``ask2``, ``ask_size2``, ``bid3`` ..."""

# The first name that a file has is taken, so a full time comes before a mere day. Chinese names: as akshare and the
# exchanges' own downloads write them.
ALIASES: dict[str, tuple[str, ...]] = {
    TIME: (
        "datetime", "timestamp", "trade_time", "date_time", "ts", "dt", "ts_ns", "kline_time", "time_key", "bob",
        "time", "date", "trade_date", "交易时间", "时间", "日期", "交易日期",
    ),
    "open": ("open", "o", "open_price", "开盘", "开盘价"),
    "high": ("high", "h", "high_price", "最高", "最高价"),
    "low": ("low", "l", "low_price", "最低", "最低价"),
    "close": ("close", "c", "close_price", "收盘", "收盘价"),
    "volume": ("volume", "vol", "v", "成交量"),
    "bid": ("bid", "bid_price", "bid1", "bid_price1", "买一价"),
    "ask": ("ask", "ask_price", "ask1", "ask_price1", "卖一价"),
    "bid_size": ("bid_size", "bid_volume", "bid_vol", "bid_volume1", "bid_vol1", "买一量"),
    "ask_size": ("ask_size", "ask_volume", "ask_vol", "ask_volume1", "ask_vol1", "卖一量"),
    "last": ("last", "last_price", "trade_price", "最新价"),
    "last_size": ("last_size", "last_volume", "trade_size", "trade_volume"),
    SYMBOL: ("symbol", "instrument", "code", "ts_code", "order_book_id", "security", "ticker", "代码", "股票代码"),
}  # fmt: skip

_DIGITS = "一二三四五六七八九十"


def _deep_names(field: str) -> tuple[str, ...]:
    side, number = field[:3], "".join(letter for letter in field if letter.isdigit())
    digit = _DIGITS[int(number) - 1]
    if "size" in field:
        words = ("size", "volume", "vol")
        plain = [f"{side}_{word}{gap}{number}" for word in words for gap in ("", "_")]
        return (*plain, f"{'买' if side == 'bid' else '卖'}{digit}量")
    return field, f"{side}_price{number}", f"{side}_price_{number}", f"{'买' if side == 'bid' else '卖'}{digit}价"


ALIASES.update((name, _deep_names(name)) for name in DEPTH)

# Ways the world writes a venue. Source: ISO 10383 codes and the suffixes of the usual data sets.
_VENUES: dict[str, frozenset[str]] = {
    "SH": frozenset({"SH", "XSHG", "SSE", "SS", "SHSE"}),
    "SZ": frozenset({"SZ", "XSHE", "SZSE"}),
    "BJ": frozenset({"BJ", "XBSE", "BSE", "BJSE"}),
    "HK": frozenset({"HK", "XHKG", "HKEX", "SEHK"}),
    "US": frozenset({"US", "XNYS", "XNAS", "NYSE", "NASDAQ", "AMEX", "O", "N"}),
}
_VENUE_OF = {name: venue for venue, names in _VENUES.items() for name in names}

_ZONES = {
    "SH": "Asia/Shanghai", "SZ": "Asia/Shanghai", "BJ": "Asia/Shanghai", "VSM": "Asia/Shanghai", "CFE": "Asia/Shanghai",
    "SHF": "Asia/Shanghai", "INE": "Asia/Shanghai", "DCE": "Asia/Shanghai", "CZC": "Asia/Shanghai",
    "GFE": "Asia/Shanghai", "HK": "Asia/Hong_Kong", "US": "America/New_York",
}  # fmt: skip


def zone_of(instrument: str) -> str | None:
    """The time zone in which files of this venue's instruments usually are; None where nobody can know."""
    return _ZONES.get(instrument.rpartition(".")[2].upper())


def find_columns(
    path: Path,
    header: Sequence[str],
    needed: Sequence[str],
    optional: Sequence[str] = (),
    named: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Field -> the file's own name of its column. ``named`` (field -> column) goes before the aliases.

    Raises:
        DataError: a needed column is missing, or two columns carry the name.
    """
    named = dict(named or {})
    for field, column in named.items():
        if field not in ALIASES:
            raise DataError(
                f"data file {path}: there is no field {field!r} to give a column to; fields are "
                f"{', '.join(name for name in ALIASES if name not in DEPTH)}"
            )
        if column not in header:
            raise DataError(f"data file {path}, line 1: no column {column!r}; its columns are {', '.join(header)}")
    by_name: dict[str, list[str]] = {}
    for column in header:
        by_name.setdefault(column.strip().lower().replace(" ", "_"), []).append(column)
    found: dict[str, str] = {}
    missing: list[str] = []
    for field in (*needed, *optional):
        if field in named:
            found[field] = named[field]
            continue
        columns = next((by_name[alias] for alias in ALIASES[field] if alias in by_name), [])
        if len(columns) > 1:
            raise DataError(f"data file {path}, line 1: column {columns[0]!r} is there twice; rename or drop one")
        if columns:
            found[field] = columns[0]
        elif field in needed:
            missing.append(field)
    if missing:
        said = ", ".join(missing)
        raise DataError(
            f"data file {path}, line 1: no column for {said} among {', '.join(header) or 'nothing'}; "
            f"the first line must name the columns (accepted for {missing[0]}: {', '.join(ALIASES[missing[0]][:6])})"
        )
    return found


def is_symbol_of(text: str, instrument: str) -> bool:
    """Whether a file's symbol text means this instrument: ``000001.XSHG``, ``SH.000001``, ``sh000001``, ``000001``."""
    code, _, venue = instrument.upper().rpartition(".")
    said = text.strip().upper()
    if said in {f"{code}.{venue}", code}:
        return True
    head, dot, tail = said.rpartition(".")
    if not dot:
        return said in {f"{name}{code}" for name in _VENUES.get(venue, frozenset({venue}))}
    if tail == code:
        head, tail = tail, head
    return head == code and _VENUE_OF.get(tail, venue) == _VENUE_OF.get(venue, venue)
