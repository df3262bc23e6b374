"""Orders, cancels and subscriptions through the client's window (contracts/ht.md 3.1 to 3.3)."""

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct

from engine.domain.commands import Side
from engine.domain.timestamps import SECOND_NS
from engine.simulators.counter import CounterRefusal, Entrust
from engine.simulators.huatai import window
from engine.simulators.huatai.dialogs import (
    ALL_CANCELLED,
    BAD_LOT,
    CLOSED_DIALOG,
    DIALOG_FAILED,
    NO_NEW_SHARES,
    NO_NUMBER,
    NOTHING_TO_SUBSCRIBE,
    STRATEGY_FAILED,
    TRADE_FAILED,
    cancel_reply,
)
from engine.simulators.huatai.quirks import AT_ORDER, HuataiQuirk
from engine.simulators.huatai.routes import LimitOrder, MarketOrder
from engine.simulators.huatai.strategies import strategy_of
from engine.simulators.huatai.tables import Cell, parsed
from engine.simulators.huatai.venue import Call, HuataiVenue
from engine.simulators.huatai.window import Turn, Typed
from engine.simulators.huatai.wire import NOT_CONNECTED, PYTHON_ERRORS, Reply

HANG_S = (31, 44)
"""How long an order hangs: past the caller's 30 s, in by second 45."""
SLOW_S = (5, 20)
AUTOMATION_ERROR = "'NoneType' object has no attribute 'window_text'"
SHORTEST_MATCHED = 100
"""The newest layer matches no number of one or two digits (contracts/ht.md 3.2)."""


class Form(Struct, frozen=True):
    """One order as it is to be typed."""

    side: Side
    security: str
    quantity: int
    price: float | None = None
    strategy: Any = None

    @property
    def page(self) -> str:
        return f"{'limit' if self.price is not None else 'market'} {self.side.value}"

    @property
    def typed_code(self) -> str:
        """The last six characters; a prefix sh or sz selects the market besides."""
        code, market = self.security[-6:], self.security[:2].upper()
        return f"{code}.{market}" if market in {"SH", "SZ"} else code

    def question(self) -> str:
        """The confirmation dialog's text."""
        word = "买入" if self.side is Side.BUY else "卖出"
        price = "市价" if self.price is None else f"{self.price:.3f}"
        return f"证券代码：{self.security[-6:]}\n{word}价格：{price}\n{word}数量：{self.quantity}\n\n您确定要{word}吗？"


class OrderRoutes:
    def __init__(self, venue: HuataiVenue) -> None:
        self._venue = venue

    def handlers(self) -> dict[str, Callable[[Call], Awaitable[Reply]]]:
        return {
            "buy": self.buy,
            "sell": self.sell,
            "market-buy": self.market_buy,
            "market-sell": self.market_sell,
            "cancel-entrust": self.cancel_entrust,
            "cancel-all-entrusts": self.cancel_all_entrusts,
            "auto-ipo": self.auto_ipo,
        }

    async def buy(self, call: Call) -> Reply:
        return await self._limit(Side.BUY, call)

    async def sell(self, call: Call) -> Reply:
        return await self._limit(Side.SELL, call)

    async def market_buy(self, call: Call) -> Reply:
        return await self._market(Side.BUY, call)

    async def market_sell(self, call: Call) -> Reply:
        return await self._market(Side.SELL, call)

    async def cancel_entrust(self, call: Call) -> Reply:
        """Find the row by its number and cancel it."""
        venue, wanted = self._venue, call.terms
        if venue.settings.layer in {"G2", "G3"}:
            try:
                wanted = int(wanted)
            except PYTHON_ERRORS as problem:
                return Reply(500, f"撤单失败: {problem}")
        venue.meddle()
        if not venue.window.up:
            return Reply(400, NOT_CONNECTED)
        quirk = venue.quirks.happens(HuataiQuirk.CANCEL_NOT_DONE)
        async with venue.window.turn() as turn:
            await turn.wait(window.CANCEL_S, 0.6)
            order = self._listed(wanted)
            if order is not None and quirk is None:
                order = order if self._withdraw(order) else None
            await turn.wait(window.CANCEL_S, 0.4)
            if order is None:
                return venue.wording.not_cancellable()
            return venue.wording.cancelled(venue.statements.numbers(order), venue.cancel_numbers())

    async def cancel_all_entrusts(self, call: Call) -> Reply:
        """Where the client asks for confirmation the question is closed, and nothing is cancelled."""
        venue = self._venue
        venue.meddle()
        if not venue.window.up:
            return Reply(400, NOT_CONNECTED)
        async with venue.window.turn() as turn:
            await turn.wait(window.CANCEL_ALL_S)
            orders = venue.counter.live(venue.clock.now_ns) if venue.window_readable else []
            if not venue.settings.cancel_all_confirms or venue.wording.as_documented:
                orders = [order for order in orders if self._withdraw(order)]
        if venue.wording.as_documented:
            return Reply(200, ALL_CANCELLED, {"message": ALL_CANCELLED, "撤销数量": len(orders)})
        return cancel_reply({"message": ALL_CANCELLED})

    async def auto_ipo(self, call: Call) -> Reply:
        """Subscribe every new share there is, all or nothing."""
        venue = self._venue
        venue.meddle()
        if not venue.window.up:
            return Reply(400, NOT_CONNECTED)
        async with venue.window.turn() as turn:
            await turn.wait(window.SUBSCRIBE_S)
            now_ns, found = venue.clock.now_ns, venue.settings.new_shares if venue.window_readable else ()
            if any(isinstance(share.quantity, str) for share in found):
                return Reply(500, NO_NUMBER)
            if not found:
                return venue.wording.subscribed(NO_NEW_SHARES)
            wanted = {share.code: share for share in found if share.quantity}
            for done in venue.statements.subscriptions:
                if done.day == venue.counter.day(now_ns):
                    wanted.pop(done.share.code, None)
            if not wanted:
                return venue.wording.subscribed(NOTHING_TO_SUBSCRIBE)
            quantities = {code: int(share.quantity) for code, share in wanted.items()}
            for code, share in wanted.items():
                venue.statements.subscribe(share, quantities[code], now_ns)
            return venue.wording.subscribed(f"您的{len(wanted)}笔新股申购委托已提交", quantities)

    # Inside

    async def _limit(self, side: Side, call: Call) -> Reply:
        terms: LimitOrder = call.terms
        return await self._place(Form(side, terms.security, terms.amount, terms.price), call.request)

    async def _market(self, side: Side, call: Call) -> Reply:
        terms: MarketOrder = call.terms
        return await self._place(Form(side, terms.security, terms.amount, None, terms.strategy), call.request)

    async def _place(self, form: Form, request: int) -> Reply:
        venue = self._venue
        if venue.wording.as_documented and form.quantity % 100:
            return Reply(400, BAD_LOT)
        venue.meddle()
        if not venue.window.up:
            return Reply(400, NOT_CONNECTED)
        quirk = venue.quirks.happens(*AT_ORDER)
        async with venue.window.turn() as turn:
            if quirk in {HuataiQuirk.TIMEOUT_NOT_PLACED, HuataiQuirk.TIMEOUT_THEN_PLACED}:
                low, high = HANG_S
                await turn.hang(venue.quirks.span_ns(low * SECOND_NS, high * SECOND_NS))
            if not venue.window.up:
                return venue.wording.failed(TRADE_FAILED.format(AUTOMATION_ERROR))
            if quirk is HuataiQuirk.TIMEOUT_NOT_PLACED:
                return venue.wording.failed(TRADE_FAILED.format("timed out"))
            popup = venue.window.take_popup()
            if popup is not None:
                return venue.wording.failed(CLOSED_DIALOG.format(popup))
            return await self._typed(form, turn, quirk, request)

    async def _typed(self, form: Form, turn: Turn, quirk: HuataiQuirk | None, request: int) -> Reply:
        venue, strategy = self._venue, 0
        if form.price is None:
            found = strategy_of(form.typed_code, form.strategy)
            if found is None:
                await turn.wait(window.STRATEGY_S)
                return Reply(400, STRATEGY_FAILED.format(form.strategy))
            strategy = found
        pause = 0.0 if quirk is HuataiQuirk.TIMEOUT_THEN_PLACED else window.ORDER_S
        typed = Typed(form.price, form.quantity)
        venue.window.write(form.page, typed)
        await turn.wait(pause, 0.5)
        shown = venue.window.press(form.page, typed)
        if shown is None:
            return venue.wording.failed(TRADE_FAILED.format(AUTOMATION_ERROR))
        outcome: Entrust | str | None = None
        if quirk is not HuataiQuirk.SUCCESS_NOT_PLACED:
            outcome = venue.submit(form.side, form.typed_code, shown, strategy, request)
        if quirk is HuataiQuirk.SLOW_DIALOG:
            low, high = SLOW_S
            await turn.hang(venue.quirks.span_ns(low * SECOND_NS, high * SECOND_NS))
        await turn.wait(pause, 0.5)
        if not venue.window.up:
            return venue.wording.failed(DIALOG_FAILED.format(AUTOMATION_ERROR))
        return self._said(outcome, form.question(), quirk, request)

    def _said(self, outcome: Entrust | str | None, question: str, quirk: HuataiQuirk | None, request: int) -> Reply:
        wording = self._venue.wording
        if isinstance(outcome, str):
            return wording.refused(outcome, question)
        if quirk is HuataiQuirk.REFUSED_TEXT_AFTER_PLACING:
            text = CLOSED_DIALOG.format("提示") if request % 2 else DIALOG_FAILED.format(AUTOMATION_ERROR)
            return wording.failed(text)
        if outcome is None or quirk is HuataiQuirk.PLACED_WITHOUT_NUMBER:
            return wording.without_number(question)
        return wording.placed(self._venue.statements.numbers(outcome), question)

    def _withdraw(self, order: Entrust) -> bool:
        try:
            self._venue.counter.cancel(order, self._venue.clock.now_ns)
        except CounterRefusal:
            return False
        return True

    def _listed(self, wanted: Any) -> Entrust | None:
        """The live order whose row has the number, compared as the layer compares."""
        venue = self._venue
        if not venue.window_readable:
            return None
        now_ns = venue.clock.now_ns
        orders = venue.counter.live(now_ns)
        rows = parsed(venue.statements.live_orders(now_ns), venue.settings.cells)
        found = (order for order, row in zip(orders, rows, strict=True) if self._matches(row, wanted))
        return next(found, None)

    def _matches(self, row: dict[str, Cell], wanted: Any) -> bool:
        layer = self._venue.settings.layer
        if layer == "document":
            return str(row["合同编号"]) == str(wanted)
        if layer == "G1":
            # No conversion: the cell was made a number, so that text never matches.
            return bool(row["合同编号"] == wanted)
        if layer == "G3" and abs(wanted) < SHORTEST_MATCHED:
            return False
        cell = row.get("委托编号", row.get("合同编号", ""))
        return str(cell).isdigit() and int(cell) == wanted
