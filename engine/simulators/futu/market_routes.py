"""Market data and system routes: 3xxx, and 1002 to 1007."""

from typing import Any

from engine.domain.timestamps import DAY_NS, SECOND_NS, parse_time
from engine.simulators.futu.candles import candles, latest
from engine.simulators.futu.codes import BY_KL_TYPE, Period, Sub
from engine.simulators.futu.envelope import KLINE_QUOTA, BadRequest, Failed
from engine.simulators.futu.keys import Key
from engine.simulators.futu.securities import Security
from engine.simulators.futu.subscriptions import SYMBOLS_MAX
from engine.simulators.futu.venue import FutuVenue, Handler

PAGE_MAX = 1000
SNAPSHOT_MAX = 400
QUOTA_DAYS_NS = 30 * DAY_NS
_STATES = ["hk", "us", "sh", "sz", "hk_future", "us_future", "sg_future", "jp_future", "sg", "my", "jp"]
FUTURE_OPEN = 23
RIGHTS = (
    "hk",
    "us",
    "sh",
    "sz",
    "hk_option",
    "hk_future",
    "us_option",
    "us_index",
    "us_otc",
    "us_future",
    "sg_future",
    "jp_future",
    "cc",
)
"""Markets whose quote right user-info tells."""


class MarketRoutes:
    """Handlers by path; each gets key, body and time, and gives back ``s2c``."""

    def __init__(self, venue: FutuVenue) -> None:
        self._venue = venue
        self._quoted: dict[str, int] = {}
        """Security -> when its history was asked for first: the quota of 30 days."""

    def handlers(self) -> dict[str, Handler]:
        return {
            "/api/global-state": self.global_state,
            "/api/user-info": self.user_info,
            "/api/delay-statistics": self.delay_statistics,
            "/api/subscribe": self.subscribe,
            "/api/sub-info": self.sub_info,
            "/api/quote": self.quote,
            "/api/kline": self.kline,
            "/api/orderbook": self.orderbook,
            "/api/broker": self.broker,
            "/api/ticker": self.ticker,
            "/api/rt": self.rt,
            "/api/snapshot": self.snapshot,
            "/api/static-info": self.static_info,
            "/api/market-state": self.market_state,
            "/api/history-kline": self.history_kline,
        }

    # System

    def global_state(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        venue = self._venue
        row: dict[str, Any] = {f"market_{name}": None for name in _STATES}
        for name, board in (("hk", "HK"), ("us", "US"), ("sh", "CN"), ("sz", "CN"), ("hk_future", "HK")):
            if board not in venue.sessions:
                # Nothing of that market is listed here.
                continue
            state = venue.sessions[board].state(now_ns)
            # Overnight and extended hours show as closed here (example 003 beside 025).
            row[f"market_{name}"] = 6 if state in {8, 10, 37} else state
        return row | {
            "market_us_future": FUTURE_OPEN,
            "qot_logined": venue.connected,
            "trd_logined": venue.connected,
            "server_ver": 1002,
            "server_build_no": 6708,
            "time": now_ns // SECOND_NS,
            "local_time": now_ns // 1_000_000 / 1000,
            "program_status": None,
            "qot_svr_ip_addr": None,
            "trd_svr_ip_addr": None,
            "conn_id": venue.conn_id,
        }

    def user_info(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        return {
            "nick_name": "simulated",
            "avatar_url": None,
            "api_level": "LV1",
            **{f"{name}_qot_right": 1 for name in RIGHTS},
            "is_need_agree_disclaimer": False,
            "user_id": self._venue.settings.user_id,
            "update_type": None,
            "web_key": None,
            "sub_quota": self._venue.settings.subscription_quota,
            "history_kl_quota": self._venue.settings.kline_quota,
        }

    def delay_statistics(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        return {
            "qot_push_statistics_list": [],
            "req_reply_statistics_list": [
                {
                    "proto_id": proto_id,
                    "count": count,
                    "total_cost_avg": 1.0,
                    "open_dcost_avg": 1.0,
                    "net_delay_avg": 0.0,
                    "is_local_reply": True,
                }
                for proto_id, count in sorted(self._venue.answered.items())
            ],
            "place_order_statistics_list": [],
        }

    # Subscriptions, and what needs one

    def subscribe(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        securities = [self._venue.known(row, "Qot_Sub") for row in body.get("security_list", [])]
        first = self._venue.subscriptions.change(securities, body, now_ns)
        for security, sub, rehab in first:
            self._venue.push_quote(security, sub, rehab, now_ns, first=True)
        return {}

    def sub_info(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        subscriptions = self._venue.subscriptions
        own = {
            "sub_info_list": subscriptions.listing(),
            "used_quota": subscriptions.used,
            "is_own_conn_data": True,
            "security_firm": None,
            "option_used_quota": None,
        }
        return {
            "conn_sub_info_list": [own],
            "total_used_quota": subscriptions.used,
            "remain_quota": subscriptions.quota - subscriptions.used,
            "option_used_quota": None,
            "option_remain_quota": None,
        }

    def quote(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        rows = body.get("security_list", [])
        if not rows:
            raise Failed("Qot_GetBasicQot: empty security_list")
        found = [self._subscribed(row, Sub.BASIC, now_ns) for row in rows]
        return {"basic_qot_list": [self._venue.quotes.basic(security) for security in found]}

    def kline(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        period = self._period(body)
        if not 1 <= body["req_num"] <= PAGE_MAX:
            raise Failed(f"Qot_GetKL: req_num must be 1 to {PAGE_MAX}")
        security = self._subscribed(body["security"], period.sub_type, now_ns)
        zone = security.place.timetable.timezone
        found = latest(self._venue.quotes.chronicle(security), period, body["req_num"], now_ns)
        return {"security": security.row(), "name": security.name, "kl_list": [candle.row(zone) for candle in found]}

    def orderbook(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        security = self._subscribed(body["security"], Sub.BOOK, now_ns)
        return self._venue.quotes.book(security, body["num"], pushed=False)

    def broker(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        return self._venue.quotes.brokers(self._subscribed(body["security"], Sub.BROKER, now_ns))

    def ticker(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        security = self._subscribed(body["security"], Sub.TICKER, now_ns)
        return self._venue.quotes.prints(security, min(body["max_ret_num"], PAGE_MAX))

    def rt(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        security = self._subscribed(body["security"], Sub.RT, now_ns)
        return self._venue.quotes.minute_line(security, last_only=False)

    # Without a subscription

    def snapshot(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        rows = body.get("security_list", [])
        if not 1 <= len(rows) <= SNAPSHOT_MAX:
            raise Failed(f"Qot_GetSecuritySnapshot: 1 to {SNAPSHOT_MAX} securities a request")
        found = [self._venue.known(row, "Qot_GetSecuritySnapshot") for row in rows]
        return {"snapshot_list": [self._venue.quotes.snapshot(security) for security in found]}

    def static_info(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        rows = body.get("security_list", [])
        if rows:
            if len(rows) > SYMBOLS_MAX:
                raise Failed(f"Qot_GetStaticInfo: at most {SYMBOLS_MAX} securities a request")
            found = [self._venue.known(row, "Qot_GetStaticInfo") for row in rows]
        elif "market" in body:
            kind = body.get("sec_type", 0)
            every = self._venue.securities.values()
            found = [one for one in every if one.qot_market == body["market"] and kind in {0, 3}]
        else:
            raise BadRequest("security_list must not be empty")
        return {"static_info_list": [self._venue.quotes.static(security) for security in found]}

    def market_state(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        rows = body.get("security_list", [])
        if not rows:
            raise Failed("Qot_GetMarketState: empty security_list")
        found = [self._venue.known(row, "Qot_GetMarketState") for row in rows]
        return {
            "market_info_list": [
                {
                    "security": security.row(),
                    "name": security.name,
                    "market_state": self._venue.sessions[security.place.board].state(now_ns),
                }
                for security in found
            ]
        }

    def history_kline(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        security, period = self._venue.known(body["security"], "Qot_RequestHistoryKL"), self._period(body)
        zone = security.place.timetable.timezone
        begin, end = self._moment(body["begin_time"], zone), self._moment(body["end_time"], zone, end=True)
        if begin > end:
            raise Failed("Qot_RequestHistoryKL: begin_time is after end_time")
        count = body.get("max_ack_kl_num") or 0
        if not 0 <= count <= PAGE_MAX:
            raise Failed(f"Qot_RequestHistoryKL: max_ack_kl_num must be 1 to {PAGE_MAX}")
        asked = bytes(body.get("next_req_key") or ())
        head = f":{security.key}:{period.word}:{body['rehab_type']}".encode()
        if asked:
            place, colon, rest = asked.partition(b":")
            if colon + rest != head or not place.isdigit():
                raise Failed("Qot_RequestHistoryKL: next_req_key does not belong to this request")
            begin = max(begin, int(place) * SECOND_NS)
        self._use_quota(security, now_ns)
        rows: list[dict[str, Any]] = []
        more: list[int] | None = None
        for candle in candles(self._venue.quotes.chronicle(security), period, begin, end, now_ns):
            if count and len(rows) == count:
                more = list(f"{candle.label_ns // SECOND_NS}".encode() + head)
                break
            rows.append(candle.row(zone))
        return {"security": security.row(), "name": security.name, "kl_list": rows, "next_req_key": more}

    # Inside

    def _subscribed(self, row: dict[str, Any], sub: int, now_ns: int) -> Security:
        name = f"{row['market']}_{row['code']}"
        security = self._venue.securities.get(name)
        self._venue.subscriptions.check(security, name, sub, now_ns)
        assert security is not None
        return security

    def _period(self, body: dict[str, Any]) -> Period:
        if body["rehab_type"] not in {0, 1, 2}:
            raise Failed(f"unknown rehab_type {body['rehab_type']}")
        period = BY_KL_TYPE.get(body["kl_type"])
        if period is None:
            raise Failed(f"unknown kl_type {body['kl_type']}")
        return period

    def _moment(self, text: str, zone: str, *, end: bool = False) -> int:
        try:
            moment = parse_time(text, zone)
        except ValueError:
            raise Failed(f"unreadable time {text!r}, use YYYY-MM-DD HH:MM:SS") from None
        return moment + DAY_NS - SECOND_NS if end and len(text.strip()) == 10 else moment

    def _use_quota(self, security: Security, now_ns: int) -> None:
        self._quoted = {name: ts for name, ts in self._quoted.items() if now_ns - ts < QUOTA_DAYS_NS}
        if security.key not in self._quoted and len(self._quoted) >= self._venue.settings.kline_quota:
            raise Failed(f"Qot_RequestHistoryKL: {KLINE_QUOTA}")
        self._quoted.setdefault(security.key, now_ns)
