"""Routes about plates, options, warrants, flows and lists: small tables made from the securities there are."""

from datetime import date, timedelta
from typing import Any

from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.simulators.chronicle import mixed, text_number
from engine.simulators.futu.envelope import Failed
from engine.simulators.futu.keys import Key
from engine.simulators.futu.rows import stamp
from engine.simulators.futu.securities import Security
from engine.simulators.futu.venue import FutuVenue, Handler
from engine.simulators.sessions import local_text

PLATES = {"BK1001": "科网股", "BK1002": "蓝筹", "BK2001": "美股科技"}
OPTION_DAYS_MAX = 30
FRIDAY = 4
SIZES = ("super", "big", "mid", "small")
GROUPS = ("全部", "All")


class ReferenceRoutes:
    """Handlers by path."""

    def __init__(self, venue: FutuVenue) -> None:
        self._venue = venue

    def handlers(self) -> dict[str, Handler]:
        return {
            "/api/plate-set": self.plate_set,
            "/api/plate-security": self.plate_security,
            "/api/reference": self.reference,
            "/api/owner-plate": self.owner_plate,
            "/api/option-chain": self.option_chain,
            "/api/warrant": self.warrant,
            "/api/capital-flow": self.capital_flow,
            "/api/capital-distribution": self.capital_distribution,
            "/api/user-security": self.user_security,
            "/api/stock-filter": self.stock_filter,
            "/api/ipo-list": self.ipo_list,
            "/api/future-info": self.future_info,
        }

    def plate_set(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        found = dict.fromkeys(code for one in self._of(body["market"]) for code in one.plates)
        return {"plate_info_list": [_plate(code, body["market"]) for code in found]}

    def plate_security(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        code = body["plate"]["code"]
        if code not in PLATES:
            raise Failed(f"Qot_GetPlateSecurity: unknown plate {code}")
        found = [one for one in self._venue.securities.values() if code in one.plates]
        found.sort(key=lambda one: one.code, reverse=body.get("ascend") is False)
        return {"static_info_list": [self._venue.quotes.static(one) for one in found]}

    def reference(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        """Neither warrants nor futures are listed here."""
        self._venue.known(body["security"], "Qot_GetReference")
        return {"static_info_list": []}

    def owner_plate(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        found = [self._venue.known(row, "Qot_GetOwnerPlate") for row in body.get("security_list", [])]
        return {
            "owner_plate_list": [
                {
                    "security": one.row(),
                    "name": one.name,
                    "plate_info_list": [_plate(code, one.qot_market) for code in one.plates],
                }
                for one in found
            ]
        }

    def option_chain(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        """Third Fridays in the asked span, five strikes around the price of now; the options are not traded."""
        owner = self._venue.known(body["owner"], "Qot_GetOptionChain")
        try:
            begin, end = date.fromisoformat(body["begin_time"][:10]), date.fromisoformat(body["end_time"][:10])
        except ValueError:
            raise Failed("Qot_GetOptionChain: unreadable begin_time or end_time") from None
        if not 0 <= (end - begin).days <= OPTION_DAYS_MAX:
            raise Failed(f"Qot_GetOptionChain: at most {OPTION_DAYS_MAX} days a request")
        days = [begin + timedelta(days=number) for number in range((end - begin).days + 1)]
        expiries = [day for day in days if day.weekday() == FRIDAY and 15 <= day.day <= 21]
        return {"option_chain": [self._expiry(owner, day, body.get("type", 0)) for day in expiries]}

    def warrant(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        return {"last_page": True, "all_count": 0, "warrant_data_list": []}

    def capital_flow(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        security = self._venue.known(body["security"], "Qot_GetCapitalFlow")
        chronicle, zone = self._venue.quotes.chronicle(security), security.place.timetable.timezone
        start = chronicle.sessions.instant(chronicle.sessions.day(now_ns), 0)
        rows, totals = [], dict.fromkeys(SIZES, 0.0)
        bars = chronicle.minutes(start, now_ns + MINUTE_NS)
        for bar in bars:
            for size in SIZES:
                share = mixed(text_number(security.symbol), bar.ts_ns, text_number(size)) % 2001 / 1000 - 1
                totals[size] += share * bar.volume * bar.close / 10
            rows.append(
                {
                    "in_flow": round(sum(totals.values()), 2),
                    "time": local_text(bar.ts_ns, zone),
                    "timestamp": float(bar.ts_ns // SECOND_NS),
                    "main_in_flow": round(totals["super"] + totals["big"], 2),
                    "super_in_flow": round(totals["super"], 2),
                    "big_in_flow": round(totals["big"], 2),
                    "mid_in_flow": round(totals["mid"], 2),
                    "sml_in_flow": round(totals["small"], 2),
                }
            )
        last = bars[-1].ts_ns if bars else now_ns
        return {
            "flow_item_list": rows,
            "last_valid_time": local_text(last, zone),
            "last_valid_timestamp": float(last // SECOND_NS),
        }

    def capital_distribution(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        security = self._venue.known(body["security"], "Qot_GetCapitalDistribution")
        value = self._venue.quotes.basic(security)["turnover"]
        row: dict[str, Any] = {}
        for size, share in zip(SIZES, (0.1, 0.2, 0.15, 0.05), strict=True):
            lean = mixed(text_number(security.symbol), text_number(size)) % 100 / 1000
            row[f"capital_in_{size}"] = round(value * (share + lean / 2), 2)
            row[f"capital_out_{size}"] = round(value * (share - lean / 2), 2)
        as_of = self._venue.quotes.as_of(security)
        zone = security.place.timetable.timezone
        return row | {"update_time": local_text(as_of, zone), "update_timestamp": stamp(as_of)}

    def user_security(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        if body["group_name"] not in GROUPS:
            raise Failed(f"Qot_GetUserSecurity: unknown group {body['group_name']}")
        return {"static_info_list": [self._venue.quotes.static(one) for one in self._venue.securities.values()]}

    def stock_filter(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        """Filters beyond market and plate are read by nobody: every security passes them."""
        begin, num = body["begin"], body["num"]
        if begin < 0 or not 1 <= num <= 200:
            raise Failed("Qot_StockFilter: begin must be 0 or more, num 1 to 200")
        plate = body.get("plate", {}).get("code")
        found = [one for one in self._of(body["market"]) if plate is None or plate in one.plates]
        page = found[begin : begin + num]
        lists = ("base", "accumulate", "financial", "pattern", "custom_indicator")
        return {
            "last_page": begin + num >= len(found),
            "all_count": len(found),
            "data_list": [
                {"security": one.row(), "name": one.name, **{f"{name}_data_list": [] for name in lists}} for one in page
            ],
        }

    def ipo_list(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        return {"ipo_list": []}

    def future_info(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        """No futures are listed here: a known security is no future, and has no entry."""
        for row in body.get("security_list", []):
            self._venue.known(row, "Qot_GetFutureInfo")
        return {"future_info_list": []}

    def _of(self, market: int) -> list[Security]:
        # Shanghai and Shenzhen are one plate market.
        markets = {21, 22} if market in {21, 22} else {market}
        return [one for one in self._venue.securities.values() if one.qot_market in markets]

    def _expiry(self, owner: Security, day: date, wanted: int) -> dict[str, Any]:
        step = max(owner.tick(owner.price), round(owner.price * 0.025, 1))
        middle = round(self._venue.quotes.last(owner) / step)
        chain = []
        for number in range(middle - 2, middle + 3):
            strike = round(number * step, 3)
            call = self._option(owner, day, strike, 1) if wanted in {0, 1} else None
            put = self._option(owner, day, strike, 2) if wanted in {0, 2} else None
            chain.append({"call": call, "put": put})
        start = self._venue.sessions[owner.place.board].instant(day, 0)
        return {"strike_time": day.isoformat(), "option": chain, "strike_timestamp": float(start // SECOND_NS)}

    def _option(self, owner: Security, day: date, strike: float, kind: int) -> dict[str, Any]:
        code = f"{owner.code}{day:%y%m%d}{'CP'[kind - 1]}{round(strike * 1000)}"
        row = self._venue.quotes.static(owner)
        row["basic"] |= {
            "security": {"market": owner.qot_market, "code": code},
            "id": mixed(text_number(code), round(strike * 1000)) >> 16,
            "lot_size": 100,
            "sec_type": 8,
            "name": code,
        }
        row["option_ex_data"] = {
            "type": kind,
            "owner": owner.row(),
            "strike_time": day.isoformat(),
            "strike_price": strike,
            "suspend": False,
            "market": owner.market,
            "strike_timestamp": None,
            "index_option_type": None,
        }
        return row


def _plate(code: str, market: int) -> dict[str, Any]:
    return {"plate": {"market": market, "code": code}, "name": PLATES.get(code, code), "plate_type": 3}
