"""What the venue says of prices and bars (contracts/virtual_market.md 2 and 4)."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from engine.domain.market import Bar
from engine.domain.timestamps import HOUR_NS, MINUTE_NS, datetime_from_ns
from engine.simulators.exchange import BARS_KEPT, Exchange, Stock
from engine.simulators.prices import merge
from engine.simulators.virtual_market.messages import Unhandled

DAY_BARS = 288
_COARSE = {"7d": (7 * DAY_BARS, 30 * MINUTE_NS), "30d": (30 * DAY_BARS, HOUR_NS)}


def local_date(ts_ns: int, timezone: str) -> str:
    """The server's wall clock: no zone, no fraction."""
    return datetime_from_ns(ts_ns, timezone).replace(tzinfo=None, microsecond=0).isoformat()


def stock_row(stock: Stock) -> dict[str, Any]:
    return {"stock_id": stock.listing.code, "name": stock.listing.name, "current_price": stock.price}


def light(stock: Stock) -> dict[str, Any]:
    return stock_row(stock) | {
        "previous_close": stock.previous_close,
        "industry": stock.listing.industry,
        "volatility": stock.listing.volatility,
    }


def details(stock: Stock, exchange: Exchange, timezone: str) -> dict[str, Any]:
    """``day_open`` is the open of the first of the last 288 bars, whatever day that was."""
    bars = list(stock.bars)[-DAY_BARS:]
    day_open = bars[0].open if bars else stock.price
    change = stock.price - day_open
    return {
        "index": exchange.stocks.index(stock) + 1,
        "stock_id": stock.listing.code,
        "name": stock.listing.name,
        "current_price": stock.price,
        "change": round(change, 2),
        "change_percent": round(change / day_open * 100, 2),
        "day_open": day_open,
        "day_close": stock.price,
        "short_term_trend": trend(bars, ("看涨", "看跌", "盘整", "盘整")),
        "kline_data_24h": [bar_row(bar, timezone) for bar in bars],
    }


def overview_row(stock: Stock, interval_ns: int) -> dict[str, Any]:
    bars = list(stock.bars)
    hour = bars[-max(1, HOUR_NS // interval_ns) :]
    closes = [bar.close for bar in bars[-5:]]
    before = bars[-1].open if bars else None
    change = None if before is None else round(stock.price - before, 2)
    percent = None if before is None else round((stock.price - before) / before * 100, 2)
    return {
        "股票名称": stock.listing.name,
        "代码": stock.listing.code,
        "当前价格": stock.price,
        "1小时内最高价": max((bar.high for bar in hour), default=None),
        "1小时内最低价": min((bar.low for bar in hour), default=None),
        "5周期均线": sum(closes) / len(closes) if closes else None,
        "较5分钟前涨跌": {"value": change, "percent": percent},
        "短期趋势": trend(bars, ("上涨", "下跌", "震荡", "数据不足")),
    }


def kline(stock: Stock, period: str, padding: int, timezone: str) -> list[dict[str, Any]]:
    """``1d`` gives 288 + ``padding`` bars, cut out of the list as Python cuts: -288 and less give nearly all."""
    bars = list(stock.bars)
    if period in _COARSE:
        count, width_ns = _COARSE[period]
        offset_ns = _offset_ns(bars[-1].ts_ns, timezone)
        part = bars[-min(count + padding, BARS_KEPT) :]
        return [
            {"date": local_date(left - offset_ns, timezone)} | _prices(merge(list(group)))
            for left, group in groupby(part, lambda bar: (bar.ts_ns + offset_ns) // width_ns * width_ns)
        ]
    return [bar_row(bar, timezone) for bar in bars[-min(DAY_BARS + padding, BARS_KEPT) :]]


def bar_row(bar: Bar, timezone: str) -> dict[str, Any]:
    return {"date": local_date(bar.ts_ns, timezone)} | _prices(bar)


def trend(bars: Sequence[Bar], words: tuple[str, str, str, str]) -> str:
    """Up, down, sideways, too few bars: the last close against the mean of the five before, 0.5 % being sideways."""
    if len(bars) < 6:
        return words[3]
    mean = sum(bar.close for bar in list(bars)[-6:-1]) / 5
    move = bars[-1].close / mean - 1
    return words[0] if move > 0.005 else words[1] if move < -0.005 else words[2]


def integer(text: str | None, default: int) -> int:
    """A query parameter as the venue reads it.

    Raises:
        Unhandled: no integer.
    """
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise Unhandled from None


def _prices(bar: Any) -> dict[str, float]:
    return {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close}


def _offset_ns(ts_ns: int, timezone: str) -> int:
    offset = datetime_from_ns(ts_ns, timezone).utcoffset()
    assert offset is not None
    return round(offset.total_seconds()) * 1_000_000_000
