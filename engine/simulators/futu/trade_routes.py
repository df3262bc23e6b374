"""Trade routes: unlock, place, change and cancel."""

import hmac
from typing import Any

from engine.domain.timestamps import MINUTE_NS
from engine.simulators.futu import checks
from engine.simulators.futu.codes import CANCEL, CHANGE, DELETE, DISABLE, ENABLE
from engine.simulators.futu.envelope import (
    LOCKED,
    NEED_OTP,
    NOT_CHANGEABLE,
    PAUSED,
    TIMED_OUT,
    WRONG_OTP,
    WRONG_PASSWORD,
    BadRequest,
    Denied,
    Failed,
)
from engine.simulators.futu.keys import Key
from engine.simulators.futu.ledger import Book, Order
from engine.simulators.futu.limits import PREFIX
from engine.simulators.futu.rows import header_row
from engine.simulators.futu.venue import AnswerFault, FutuVenue, Handler

PAUSE_NS = MINUTE_NS
TRIES = 2


class TradeRoutes:
    """Handlers by path. Scopes, header and limit layers were checked before."""

    def __init__(self, venue: FutuVenue) -> None:
        self._venue = venue
        self._wrong = 0
        self._paused_until = 0

    def handlers(self) -> dict[str, Handler]:
        return {
            "/api/unlock-trade": self.unlock_trade,
            "/api/order": self.order,
            "/api/modify-order": self.modify_order,
        }

    def unlock_trade(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        settings, ids = self._venue.settings, body.get("acc_ids")
        books = [book for book in self._venue.ledger.books.values() if book.account.environment == "real"]
        if key is not None and key.limits.allowed_acc_ids is not None and not ids:
            raise Denied(403, "acc_ids required for a key with allowed_acc_ids", reason="other")
        for acc_id in ids or ():
            if key is not None and not key.allows_account(acc_id, self._venue.card(acc_id)):
                raise Denied(403, f"{PREFIX}account not allowed", reason="other")
        firm = body.get("security_firm")
        if ids:
            books = [book for book in books if book.account.acc_id in ids]
        if firm is not None:
            books = [book for book in books if book.account.security_firm in {None, firm}]
        if not body["unlock"]:
            return self._switch(books, unlocked=False)
        if now_ns < self._paused_until:
            raise Failed(PAUSED)
        password = body.get("pwd_md5")
        if not password:
            raise BadRequest("missing required field: pwd_md5")
        if not hmac.compare_digest(password.encode(), settings.trade_password_md5.encode()):
            self._miss(now_ns)
            raise Failed(WRONG_PASSWORD)
        if settings.otp is not None and body.get("sec_otp") != settings.otp:
            text = NEED_OTP if body.get("sec_otp") is None else WRONG_OTP
            raise Failed(text, s2c={"need_otp": True, "account_result_list": []})
        self._wrong = 0
        return self._switch(books, unlocked=True)

    def order(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        book = self._open_book(body)
        self._venue.pacing.check("/api/order", body, now_ns)
        fault = self._venue.answer_fault()
        if fault is AnswerFault.TIMEOUT_LOST:
            raise Failed(f"PlaceOrder: {TIMED_OUT}", code=100012, ret_type=-100)
        security = self._venue.traded(body, "PlaceOrder")
        terms = checks.terms(self._venue, book, security, body, now_ns)
        number, order_id, id_ex = self._venue.desk.next_ids(security, now_ns)
        header = body["header"]
        order = Order(
            number=number,
            order_id=order_id,
            order_id_ex=id_ex,
            acc_id=header["acc_id"],
            trd_market=header["trd_market"],
            security=security,
            created_ns=now_ns,
            updated_ns=now_ns,
            remark=body.get("remark"),
            session=body.get("session"),
            fill_outside_rth=body.get("fill_outside_rth"),
            expire_time=body.get("expire_time"),
            **terms,
        )
        self._venue.desk.place(order, now_ns)
        return self._answered(order, header, fault, "PlaceOrder")

    def modify_order(self, key: Key | None, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        book = self._open_book(body)
        self._venue.pacing.check("/api/modify-order", body, now_ns)
        fault = self._venue.answer_fault()
        if fault is AnswerFault.TIMEOUT_LOST:
            raise Failed(f"ModifyOrder: {TIMED_OUT}", code=100012, ret_type=-100)
        header, op = body["header"], body["modify_order_op"]
        if body.get("for_all"):
            return self._cancel_all(book, body, now_ns)
        order = self._named(book, body)
        if op not in {CHANGE, CANCEL, DISABLE, ENABLE, DELETE}:
            raise Failed(f"ModifyOrder: unknown modify_order_op {op}")
        if op != CANCEL and not order.security.place.changeable:
            raise Failed("ModifyOrder: A股通订单不支持改单")
        if op not in {CHANGE, CANCEL} and order.security.market != "HK":
            raise Failed("ModifyOrder: 该市场不支持此操作")
        match op:
            case 1:
                self._change(book, order, body, now_ns)
            case 2:
                self._venue.desk.cancel(order, now_ns)
            case 5:
                self._venue.desk.delete(order, now_ns)
            case _:
                self._venue.desk.switch(order, on=op == ENABLE, now_ns=now_ns)
        return self._answered(order, header, fault, "ModifyOrder")

    # Inside

    def _open_book(self, body: dict[str, Any]) -> Book:
        book = self._venue.ledger.book(body["header"]["acc_id"])
        if not book.account.enabled:
            raise Failed(f"account {book.account.acc_id} is disabled")
        if not book.unlocked:
            raise Failed(LOCKED, code=-401)
        return book

    def _change(self, book: Book, order: Order, body: dict[str, Any], now_ns: int) -> None:
        if order.is_final or order.status in {12, 13}:
            raise Failed(f"ModifyOrder: {NOT_CHANGEABLE}", code=10003)
        merged = checks.merged_body(order, body)
        terms = checks.terms(self._venue, book, order.security, merged, now_ns, old=order)
        if terms["quantity"] <= order.filled:
            raise Failed("ModifyOrder: 改单数量必须大于已成交数量")
        for name in ("quantity", "price", "reserve", "aux_price", "trail_type", "trail_value", "trail_spread"):
            setattr(order, name, terms[name])
        self._venue.desk.change(order, now_ns)

    def _cancel_all(self, book: Book, body: dict[str, Any], now_ns: int) -> dict[str, Any]:
        header = body["header"]
        if body["modify_order_op"] != CANCEL:
            raise Failed("ModifyOrder: for_all takes modify_order_op 2 alone")
        if book.account.environment == "simulate" and not self._venue.settings.simulate_cancel_all:
            raise Failed(f"ModifyOrder: {NOT_CHANGEABLE}")
        market = body.get("trd_market")
        for order in list(book.orders.values()):
            if not order.is_final and market in {None, 0, order.trd_market}:
                self._venue.desk.cancel(order, now_ns)
        head = header_row(header["trd_env"], header["acc_id"], header["trd_market"])
        return {"header": head, "order_id": 0, "order_id_ex": None}

    def _named(self, book: Book, body: dict[str, Any]) -> Order:
        order_id, id_ex = body.get("order_id", 0), body.get("order_id_ex")
        if order_id:
            found = book.orders.get(order_id)
        else:
            found = next((order for order in book.orders.values() if order.order_id_ex == id_ex), None)
        if found is None:
            raise Failed(f"ModifyOrder: order not found, order_id={order_id} order_id_ex={id_ex or ''}")
        return found

    def _answered(self, order: Order, header: dict[str, Any], fault: AnswerFault | None, what: str) -> dict[str, Any]:
        if fault is AnswerFault.TIMEOUT_DONE:
            raise Failed(f"{what}: {TIMED_OUT}", code=100012, ret_type=-100)
        head = header_row(header["trd_env"], header["acc_id"], header["trd_market"])
        if fault is AnswerFault.NO_IDS:
            return {"header": head, "order_id": None, "order_id_ex": None}
        return {"header": head, "order_id": order.order_id, "order_id_ex": order.order_id_ex}

    def _miss(self, now_ns: int) -> None:
        self._wrong += 1
        if self._wrong >= TRIES:
            self._wrong = 0
            self._paused_until = now_ns + PAUSE_NS

    def _switch(self, books: list[Book], *, unlocked: bool) -> dict[str, Any]:
        for book in books:
            book.unlocked = unlocked
        return {
            "need_otp": None,
            "account_result_list": [
                {
                    "acc_id": book.account.acc_id,
                    "success": True,
                    "security_firm": book.account.security_firm,
                    "error_msg": None,
                }
                for book in books
            ],
        }
