"""What the gateway shows of one security: basic quote, snapshot, book, prints, brokers, minute line, static data."""

from collections import deque
from typing import Any

from engine.domain.market import Bar
from engine.domain.timestamps import MINUTE_NS, SECOND_NS, datetime_from_ns
from engine.simulators.chronicle import Chronicle, mixed, text_number
from engine.simulators.exchange import Exchange
from engine.simulators.futu.candles import turnover
from engine.simulators.futu.desk import Desk
from engine.simulators.futu.rows import stamp
from engine.simulators.futu.securities import Security
from engine.simulators.sessions import local_text

BROKERS = ("高盛", "摩根大通", "汇丰证券", "富途证券", "中银国际", "瑞银", "花旗", "盈透证券")
TICKERS_KEPT = 1000
LEVELS_MAX = 10
_SNAPSHOT_NULLS = (
    "mortgage_ratio",
    "long_margin_initial_ratio",
    "enable_short_sell",
    "short_sell_rate",
    "short_available_volume",
    "short_margin_initial_ratio",
    "amplitude",
    "avg_price",
    "bid_ask_ratio",
    "volume_ratio",
    "highest52_weeks_price",
    "lowest52_weeks_price",
    "highest_history_price",
    "lowest_history_price",
    "pre_market",
    "after_market",
)
BASIC_TAKEN = (
    "security",
    "name",
    "list_time",
    "price_spread",
    "update_time",
    "high_price",
    "open_price",
    "low_price",
    "last_close_price",
    "cur_price",
    "volume",
    "turnover",
    "turnover_rate",
    "list_timestamp",
    "update_timestamp",
)
"""Keys a snapshot has in common with the basic quote."""
_EX_DATA = ["equity", "warrant", "option", "index", "plate", "future", "trust"]


class Quotes:
    """Rows about securities. ``hear`` must get every step after the desk did."""

    def __init__(
        self, exchange: Exchange, desk: Desk, chronicles: dict[str, Chronicle], seed: int, now_ns: int
    ) -> None:
        self._exchange = exchange
        self._desk = desk
        self._chronicles = chronicles
        self._seed = seed
        self._prints: dict[str, deque[dict[str, Any]]] = {}
        self._stamps: dict[str, int] = {}
        self._start_ns = now_ns

    def chronicle(self, security: Security) -> Chronicle:
        return self._chronicles[security.key]

    def resume(self, key: str, ts_ns: int) -> None:
        """A security last moved in an earlier life."""
        self._stamps[key] = ts_ns

    def hear(self, security: Security, bar: Bar) -> None:
        """Keep the print of one step."""
        view = self._desk.views[security.key]
        self._stamps[security.key] = bar.ts_ns
        prints = self._prints.setdefault(security.key, deque(maxlen=TICKERS_KEPT))
        prints.append(
            {
                "time": local_text(bar.ts_ns, security.place.timetable.timezone),
                "sequence": bar.ts_ns // 1000 * 1000 + security.qot_market,
                "dir": 1 if bar.close >= view.ask else 2,
                "price": bar.close,
                "volume": int(bar.volume),
                "turnover": round(bar.close * bar.volume, 4),
                "recv_time": stamp(bar.ts_ns),
                "type": 1,
                "type_sign": 32,
                "push_data_type": 1,
                "timestamp": float(bar.ts_ns // SECOND_NS),
                "hp_volume": None,
            }
        )

    def as_of(self, security: Security) -> int:
        """When the security last moved."""
        return self._stamps.get(security.key, self._start_ns)

    def last(self, security: Security) -> float:
        return security.stock(self._exchange).price

    def _today(self, security: Security) -> tuple[Bar | None, float, float]:
        """The day's bar, the close before it, and the day's value."""
        chronicle, ts_ns = self.chronicle(security), self.as_of(security)
        day = chronicle.day(ts_ns)
        before = chronicle.close_before(chronicle.sessions.day(ts_ns))
        return day, before, turnover(day) if day is not None else 0.0

    def basic(self, security: Security) -> dict[str, Any]:
        """Before the first trade of a day, open, high and low are 0 (contracts/futu.md 10.3)."""
        day, before, value = self._today(security)
        ts_ns, price = self.as_of(security), self.last(security)
        return {
            "security": security.row(),
            "name": security.name,
            "is_suspended": False,
            "list_time": security.list_time,
            "price_spread": security.tick(price),
            "update_time": local_text(ts_ns, security.place.timetable.timezone),
            "high_price": day.high if day else 0.0,
            "open_price": day.open if day else 0.0,
            "low_price": day.low if day else 0.0,
            "cur_price": price,
            "last_close_price": before,
            "volume": int(day.volume) if day else 0,
            "turnover": round(value, 2),
            "turnover_rate": round(day.volume / 1e8, 3) if day else 0.0,
            "amplitude": round((day.high - day.low) / before * 100, 3) if day else 0.0,
            "dark_status": 0,
            "option_ex_data": None,
            "list_timestamp": None,
            "update_timestamp": stamp(ts_ns),
            "pre_market": None,
            "after_market": None,
            "sec_status": 1,
            "future_ex_data": None,
            "warrant_ex_data": None,
            "overnight": None,
            "hp_volume": None,
        }

    def snapshot(self, security: Security) -> dict[str, Any]:
        basic, quote = self.basic(security), self._desk.views[security.key]
        bid, ask = self._levels(security, 1)
        row = {name: basic[name] for name in BASIC_TAKEN} | {
            "type": 3,
            "is_suspend": False,
            "lot_size": security.lot,
            "ask_price": quote.ask,
            "bid_price": quote.bid,
            "ask_vol": ask[0]["volume"],
            "bid_vol": bid[0]["volume"],
            "enable_margin": security.margin,
            **dict.fromkeys(_SNAPSHOT_NULLS),
            "sec_status": 1,
            "close_price5_minute": None,
            "overnight": None,
            "hp_volume": None,
            "hp_ask_vol": None,
            "hp_bid_vol": None,
            "exchange_code": security.place.exchange_code,
        }
        return {"basic": row} | {f"{name}_ex_data": None for name in _EX_DATA}

    def static(self, security: Security) -> dict[str, Any]:
        basic = {
            "security": security.row(),
            "id": mixed(text_number(security.symbol)) >> 16,
            "lot_size": security.lot,
            "sec_type": 3,
            "name": security.name,
            "list_time": security.list_time,
            "delisting": False,
            "list_timestamp": None,
            "exch_type": None,
        }
        return {"basic": basic, "warrant_ex_data": None, "option_ex_data": None, "future_ex_data": None}

    def book(self, security: Security, levels: int, *, pushed: bool) -> dict[str, Any]:
        """Both sides, best first; texts of the times come with pushes only."""
        bids, asks = self._levels(security, levels)
        ts_ns = self.as_of(security)
        text = local_text(ts_ns, security.place.timetable.timezone) if pushed else None
        return {
            "security": security.row(),
            "name": security.name,
            "order_book_ask_list": asks,
            "order_book_bid_list": bids,
            "svr_recv_time_bid": text,
            "svr_recv_time_bid_timestamp": stamp(ts_ns),
            "svr_recv_time_ask": text,
            "svr_recv_time_ask_timestamp": stamp(ts_ns),
            "order_book_type": None,
        }

    def prints(self, security: Security, count: int, *, push_type: int | None = None) -> dict[str, Any]:
        """The last prints, oldest first. ``push_type`` 3 marks what a new subscriber gets from the cache."""
        rows = list(self._prints.get(security.key, ()))[-count:] if count > 0 else []
        if push_type is not None:
            rows = [row | {"push_data_type": push_type} for row in rows]
        return {"security": security.row(), "name": security.name, "ticker_list": rows}

    def brokers(self, security: Security) -> dict[str, Any]:
        def queue(side: int) -> list[dict[str, Any]]:
            number = self._noise(security, side) % len(BROKERS)
            order = [(number + step) % len(BROKERS) for step in range(5)]
            return [
                {"id": 1000 + place, "name": BROKERS[place], "pos": position, "order_id": None, "volume": None}
                for position, place in enumerate(order, 1)
            ]

        bids, asks = queue(77), queue(78)
        return {"security": security.row(), "name": security.name, "broker_ask_list": asks, "broker_bid_list": bids}

    def minute_line(self, security: Security, *, last_only: bool) -> dict[str, Any]:
        chronicle, ts_ns, zone = self.chronicle(security), self.as_of(security), security.place.timetable.timezone
        today = chronicle.sessions.day(ts_ns)
        bars = chronicle.minutes(chronicle.sessions.instant(today, 0), ts_ns + MINUTE_NS)
        before, rows, value, volume = chronicle.close_before(today), [], 0.0, 0.0
        for bar in bars:
            value, volume = value + turnover(bar), volume + bar.volume
            if last_only and bar is not bars[-1]:
                continue
            local = datetime_from_ns(bar.ts_ns, zone)
            rows.append(
                {
                    "time": local_text(bar.ts_ns, zone),
                    "minute": local.hour * 60 + local.minute,
                    "is_blank": False,
                    "price": bar.close,
                    "last_close_price": before,
                    "avg_price": round(value / volume, 4) if volume else bar.close,
                    "volume": int(bar.volume),
                    "turnover": round(turnover(bar), 2),
                    "timestamp": float(bar.ts_ns // SECOND_NS),
                    "hp_volume": None,
                }
            )
        return {"security": security.row(), "name": security.name, "rt_list": rows}

    def _levels(self, security: Security, levels: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        view, count = self._desk.views[security.key], min(max(levels, 0), LEVELS_MAX)
        step = security.tick(view.last)

        def side(best: float, direction: int) -> list[dict[str, Any]]:
            rows = []
            for level in range(count):
                price = round(best + direction * level * step, 4)
                noise = self._noise(security, direction * (level + 1))
                volume = security.lot * (1 + noise % 500)
                orders = 1 + (noise >> 20) % 60
                if price > 0:
                    rows.append(
                        {"price": price, "volume": volume, "oreder_count": orders, "detail_list": [], "hp_volume": None}
                    )
            return rows

        return side(view.bid, -1), side(view.ask, 1)

    def _noise(self, security: Security, number: int) -> int:
        return mixed(self._seed, text_number(security.symbol), self.as_of(security) // SECOND_NS, number)
