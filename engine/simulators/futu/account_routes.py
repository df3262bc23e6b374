"""Account routes: discovery, push registration, funds, positions, orders, fills, what can be traded."""

from typing import Any

from engine.domain.money import ZERO
from engine.domain.timestamps import DAY_NS, parse_time
from engine.simulators.futu.codes import HONG_KONG_ONLY, UNPRICED
from engine.simulators.futu.envelope import LEGACY_PUSH, NOT_SIMULATED, Denied, Failed
from engine.simulators.futu.keys import Key
from engine.simulators.futu.ledger import CURRENCIES, LONG, SHORT, Book, Order
from engine.simulators.futu.limits import PREFIX
from engine.simulators.futu.rows import account_row, fill_row, funds_row, header_row, order_row, position_row, stamp
from engine.simulators.futu.venue import FutuVenue, Handler

HISTORY_DAYS_NS = 90 * DAY_NS
FEES_MAX = 400


class AccountRoutes:
    """Handlers by path. The header of a body was checked before."""

    def __init__(self, venue: FutuVenue) -> None:
        self._venue = venue
        self._cached: dict[tuple[str, int], tuple[int, Any]] = {}

    def handlers(self) -> dict[str, Handler]:
        return {
            "/api/accounts": self.accounts,
            "/api/sub-acc-push": self.sub_acc_push,
            "/api/funds": self.funds,
            "/api/positions": self.positions,
            "/api/orders": self.orders,
            "/api/order-fills": self.order_fills,
            "/api/max-trd-qtys": self.max_trd_qtys,
            "/api/history-orders": self.history_orders,
            "/api/history-order-fills": self.history_order_fills,
            "/api/margin-ratio": self.margin_ratio,
            "/api/order-fee": self.order_fee,
        }

    def accounts(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        """Restricted keys see only their accounts."""
        books = self._venue.ledger.books.values()
        shown = [
            book for book in books if key is None or key.allows_account(book.account.acc_id, book.account.card_num)
        ]
        as_text = self._venue.settings.account_ids == "text"
        return {"acc_list": [account_row(book, as_text=as_text) for book in shown]}

    def sub_acc_push(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        if key is None:
            raise Denied(403, LEGACY_PUSH)
        wanted = body.get("acc_id_list", [])
        books = self._venue.ledger.books
        strangers = [acc_id for acc_id in wanted if acc_id not in books]
        for acc_id in wanted:
            card = books[acc_id].account.card_num if acc_id in books else None
            if not key.allows_account(acc_id, card):
                raise Denied(403, f"{PREFIX}account not allowed", reason="other")
        if strangers:
            raise Failed(f"Trd_SubAccPush: nonexisting acc_id={strangers[0]}")
        # As in the official service, each registration replaces the one before.
        self._venue.subscriptions.accounts = list(dict.fromkeys(wanted))
        return {}

    def funds(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        book = self._book(body)
        currencies = [CURRENCIES[word] for word in book.account.cash]
        currency = body.get("currency")
        if currency is None:
            if len(currencies) > 1:
                raise Failed("Trd_GetFunds: currency is required for this account")
            currency = currencies[0]
        if currency not in CURRENCIES.values() or (len(currencies) == 1 and currency != currencies[0]):
            raise Failed(f"Trd_GetFunds: unsupported currency {currency}")
        prices = {name: self._venue.quotes.last(one) for name, one in self._venue.securities.items()}
        row = self._lagged("funds", body, now_ns, lambda: {c: funds_row(book, prices, c) for c in CURRENCIES.values()})
        return {"header": self._header(body), "funds": row[currency]}

    def positions(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        book = self._book(body)
        conditions = body.get("filter_conditions", {})

        def read() -> list[dict[str, Any]]:
            return [
                position_row(
                    book, one, self._venue.quotes.last(one.security), self._venue.desk.day(one.security, now_ns)
                )
                for one in book.holdings.values()
                if one.quantity
            ]

        rows = self._lagged("positions", body, now_ns, read)
        low, high = body.get("filter_pl_ratio_min"), body.get("filter_pl_ratio_max")
        rows = [
            row
            for row in rows
            if _matches(conditions, row)
            and (low is None or (row["pl_ratio"] or 0.0) >= low)
            and (high is None or (row["pl_ratio"] or 0.0) <= high)
            and body.get("currency") in {None, row["currency"]}
        ]
        return {"header": self._header(body), "position_list": rows}

    def orders(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        """Orders of today and those still open; without refresh_cache as they were a lag ago."""
        lag_ns = 0 if body.get("refresh_cache") else self._venue.settings.query_lag_ms * 1_000_000
        found = []
        for order in self._book(body).orders.values():
            row = _version(order, now_ns - lag_ns)
            fresh = self._is_today(order.created_ns, order, now_ns) or self._is_today(order.updated_ns, order, now_ns)
            if row is not None and (fresh or not order.is_final):
                found.append(row)
        return {"header": self._header(body), "order_list": self._chosen(found, body)}

    def order_fills(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        book = self._real(body)
        rows = [fill_row(one) for one in book.fills if self._is_today(one.ts_ns, one.order, now_ns)]
        return {"header": self._header(body), "order_fill_list": self._chosen(rows, body)}

    def history_orders(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        book = self._real(body)
        since = now_ns - HISTORY_DAYS_NS if "begin_time" not in body["filter_conditions"] else 0
        rows = [order_row(one) for one in book.orders.values() if one.is_final and one.created_ns >= since]
        return {"header": self._header(body), "order_list": self._chosen(rows, body)}

    def history_order_fills(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        book = self._real(body)
        since = now_ns - HISTORY_DAYS_NS if "begin_time" not in body["filter_conditions"] else 0
        rows = [fill_row(one) for one in book.fills if one.ts_ns >= since]
        return {"header": self._header(body), "order_fill_list": self._chosen(rows, body)}

    def max_trd_qtys(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        book = self._book(body)
        security = self._venue.traded(body, "Trd_GetMaxTrdQtys")
        if body["order_type"] in HONG_KONG_ONLY and security.market != "HK":
            raise Failed("Trd_GetMaxTrdQtys: order_type")
        view, day = self._venue.desk.views[security.key], self._venue.desk.day(security, now_ns)
        price = view.ask if body["order_type"] in UNPRICED else body["price"]
        if price <= 0:
            raise Failed("Trd_GetMaxTrdQtys: price must be above 0")
        currency, lot = security.place.currency, security.lot

        def lots(money: Any) -> float:
            return float(int(float(money) / price) // lot * lot)

        free = max(ZERO, book.available(currency))
        margin = book.account.kind == "margin"
        short = lots(float(free) / 0.6) if margin and security.shortable else None
        held_short = book.sellable(security, SHORT, day)
        return {
            "header": self._header(body),
            "max_trd_qtys": {
                "max_cash_buy": lots(free),
                "max_cash_and_margin_buy": lots(book.power(currency)),
                "max_position_sell": float(book.sellable(security, LONG, day)),
                "max_sell_short": short,
                "max_buy_back": float(held_short) if held_short else None,
                "long_required_im": round(price * lot * 0.2, 3) if margin else None,
                "short_required_im": round(price * lot * 0.6, 3) if margin and security.shortable else None,
                "session": None,
            },
        }

    def margin_ratio(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        rows = []
        for asked in body.get("security_list", []):
            security = self._venue.known(asked, "Trd_GetMarginRatio")
            short = security.shortable
            rows.append(
                {
                    "security": security.row(),
                    "is_long_permit": security.margin,
                    "is_short_permit": short,
                    "short_pool_remain": 1_250_000.0 if short else 0.0,
                    "short_fee_rate": 0.5 if short else None,
                    "alert_long_ratio": None,
                    "alert_short_ratio": None,
                    "im_long_ratio": 20.0,
                    "im_short_ratio": 60.0 if short else None,
                    "mcm_long_ratio": None,
                    "mcm_short_ratio": None,
                    "mm_long_ratio": 18.0,
                    "mm_short_ratio": 50.0 if short else None,
                }
            )
        return {"header": self._header(body), "margin_ratio_info_list": rows}

    def order_fee(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        book = self._real(body)
        wanted = body.get("order_id_ex_list", [])
        if len(wanted) > FEES_MAX:
            raise Failed(f"Trd_GetOrderFee: at most {FEES_MAX} orders a request")
        rows = [
            {
                "order_id_ex": order.order_id_ex,
                "fee_amount": float(sum(order.fees.values())),
                "fee_list": [{"title": title, "value": float(value)} for title, value in order.fees.items()],
            }
            for name in wanted
            for order in book.orders.values()
            if order.order_id_ex == name and order.fees
        ]
        return {"header": self._header(body), "order_fee_list": rows}

    # Inside

    def _book(self, body: dict[str, Any]) -> Book:
        return self._venue.ledger.book(body["header"]["acc_id"])

    def _real(self, body: dict[str, Any]) -> Book:
        book = self._book(body)
        if book.account.environment == "simulate":
            raise Failed(NOT_SIMULATED)
        return book

    def _header(self, body: dict[str, Any]) -> dict[str, Any]:
        head = body["header"]
        return header_row(head["trd_env"], head["acc_id"], head["trd_market"])

    def _lagged(self, what: str, body: dict[str, Any], now_ns: int, read: Any) -> Any:
        """What the cache holds: read anew on refresh_cache, or when it is older than the lag."""
        place = (what, body["header"]["acc_id"])
        lag_ns = self._venue.settings.query_lag_ms * 1_000_000
        known = self._cached.get(place)
        if known is None or body.get("refresh_cache") or now_ns - known[0] >= lag_ns:
            self._cached[place] = known = (now_ns, read())
        return known[1]

    def _is_today(self, ts_ns: int, order: Order, now_ns: int) -> bool:
        desk = self._venue.desk
        return desk.day(order.security, ts_ns) == desk.day(order.security, now_ns)

    def _chosen(self, rows: list[dict[str, Any]], body: dict[str, Any]) -> list[dict[str, Any]]:
        conditions, states = body.get("filter_conditions", {}), body.get("filter_status_list", [])
        return [
            row
            for row in rows
            if _matches(conditions, row)
            and self._in_time(conditions, row)
            and (not states or row["order_status"] in states)
        ]

    def _in_time(self, conditions: dict[str, Any], row: dict[str, Any]) -> bool:
        zone = self._venue.zone_of(row["sec_market"])
        for name, sign in (("begin_time", 1), ("end_time", -1)):
            text = conditions.get(name)
            if not text:
                continue
            try:
                limit = stamp(parse_time(text, zone))
            except ValueError:
                raise Failed(f"unreadable time {text!r}, use YYYY-MM-DD HH:MM:SS") from None
            if (row["create_timestamp"] - limit) * sign < 0:
                return False
        return True


def _matches(conditions: dict[str, Any], row: dict[str, Any]) -> bool:
    codes, ids, names = (conditions.get(key) or [] for key in ("code_list", "id_list", "order_id_ex_list"))
    market = conditions.get("filter_market")
    number = row.get("fill_id", row.get("order_id", row.get("position_id")))
    return (
        (not codes or row["code"] in codes)
        and (not ids or number in ids)
        and (not names or row.get("order_id_ex") in names)
        and market in {None, 0, row["trd_market"]}
    )


def _version(order: Order, ts_ns: int) -> dict[str, Any] | None:
    """The order's row as of an instant; None before it was placed."""
    return next((row for changed_ns, row in reversed(order.versions) if changed_ns <= ts_ns), None)
