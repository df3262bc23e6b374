"""Buying, selling and cancelling in the window, and what the window makes of it (contracts/easyths.md 3, 3.2)."""

from decimal import Decimal

from engine.domain.commands import Side
from engine.simulators.counter import STRATEGIES, Counter, CounterRefusal
from engine.simulators.easyths.desktop import Act
from engine.simulators.easyths.messages import Generation, Result
from engine.simulators.easyths.quirks import Quirk
from engine.simulators.easyths.validation import Params
from engine.simulators.quirks import QuirkPlan

STRATEGY_WORDS = {
    1: "对手方最优",
    2: "本方最优",
    3: "五档即成剩撤",
    4: "即成剩撤",
    5: "全额成交或撤",
    6: "五档即成剩转限",
}
DEFAULT_STRATEGY = 3
FINE = ("5", "1")
"""Codes that begin so are priced with three decimals since NEW."""
WORDS = {Side.BUY: "买入", Side.SELL: "卖出"}
WRONG_PLACE = "(-2147220991, '事件无法调用任何订户', (None, None, None, 0, None))"
NOTICE = "您的市价委托已成功提交，合同编号：{number}。"
SIDES = {"buy": (Side.BUY,), "sell": (Side.SELL,), "all": (Side.BUY, Side.SELL)}


def typed_price(code: str, price: float, generation: Generation) -> str:
    """The price as it is typed: two decimals, three for funds and bonds since NEW."""
    places = 3 if generation == "new" and code.startswith(FINE) else 2
    return f"{float(price):.{places}f}"


class OrderActs:
    """The order forms and the cancel page."""

    def __init__(self, counter: Counter, generation: Generation, quirks: QuirkPlan[Quirk]) -> None:
        self._counter = counter
        self._generation = generation
        self._quirks = quirks

    def acts(self) -> dict[str, Act]:
        return {
            "buy": lambda params, request, now_ns: self.limit(Side.BUY, params, request, now_ns),
            "sell": lambda params, request, now_ns: self.limit(Side.SELL, params, request, now_ns),
            "market_buy": lambda params, request, now_ns: self.market(Side.BUY, params, request, now_ns),
            "market_sell": lambda params, request, now_ns: self.market(Side.SELL, params, request, now_ns),
            "order_cancel": self.cancel,
        }

    def limit(self, side: Side, params: Params, request: int, now_ns: int) -> Result:
        """Success means: no window within 0.3 s, and the form was cleared."""
        code, quantity, word = params["stock_code"], params["quantity"], WORDS[side]
        price = typed_price(code, params["price"], self._generation)
        data = {"stock_code": code, "price": price, "quantity": quantity}
        submitted = f"成功提交{code}的{word}委托"
        quirk = self._quirks.happens(
            Quirk.SUCCESS_WITHOUT_ORDER,
            Quirk.FAILED_AFTER_PLACING,
            Quirk.FAILED_WITH_SUCCESS_TEXT,
            Quirk.ERROR_BEFORE_PLACING,
            Quirk.ERROR_AFTER_PLACING,
        )
        broken = Result(success=False, message=f"{word}操作异常: {WRONG_PLACE}", hard=True)
        match quirk:
            case Quirk.SUCCESS_WITHOUT_ORDER:
                return Result(success=True, message=submitted, data=data)
            case Quirk.FAILED_WITH_SUCCESS_TEXT:
                return Result(success=False, message=submitted, data=data)
            case Quirk.ERROR_BEFORE_PLACING:
                return broken
        if self._outside_limits(code, Decimal(price), now_ns):
            # The client asks whether it is meant, and the question is closed with no.
            return Result(success=False, message=submitted, data=data)
        try:
            self._counter.place(code, side, quantity, Decimal(price), now_ns, request=request)
        except CounterRefusal as refusal:
            late = self._quirks.happens(Quirk.LATE_POPUP) is not None
            message = submitted if late else f"提交失败：{refusal.text}"
            return Result(success=late, message=message, data=data)
        if quirk is Quirk.FAILED_AFTER_PLACING:
            said = f"{word}操作未能成功，请检查软件设置是否有项目要求不符的地方"
            return Result(success=False, message=said, data=data)
        return broken if quirk is Quirk.ERROR_AFTER_PLACING else Result(success=True, message=submitted, data=data)

    def market(self, side: Side, params: Params, request: int, now_ns: int) -> Result:
        """A strategy that the exchange does not have silently becomes the third; only the message tells."""
        code, quantity, word = params["stock_code"], params["quantity"], WORDS[side]
        share = self._counter.share(code)
        if share is None or share.kind == "bond":
            return Result(success=False, message=f"标的：{code}，不支持市价委托")
        wanted = params.get("execution_strategy", DEFAULT_STRATEGY)
        known = isinstance(wanted, int) and wanted in STRATEGIES[share.market]
        strategy = wanted if known else DEFAULT_STRATEGY
        said = f"市价{word}操作成功，{word}策略{STRATEGY_WORDS[strategy]}"
        if not known:
            said = (
                f"市价{word}操作成功，{word}策略在标的{code}情况下不支持，"
                f"已经使用默认策略：{STRATEGY_WORDS[strategy]}提交）"
            )
        data = {"stock_code": code, "quantity": quantity, "msg": said}
        quirk = self._quirks.happens(Quirk.SUCCESS_WITHOUT_ORDER, Quirk.MARKET_NOTICE)
        if quirk is Quirk.SUCCESS_WITHOUT_ORDER:
            return Result(success=True, message=said, data=data)
        try:
            placed = self._counter.place(code, side, quantity, None, now_ns, strategy=strategy, request=request)
        except CounterRefusal as refusal:
            if self._quirks.happens(Quirk.LATE_POPUP):
                return Result(success=True, message=said, data=data)
            return Result(success=False, message=f"市价{word}操作失败，错误：提交失败：{refusal.text}")
        if quirk is Quirk.MARKET_NOTICE:
            notice = NOTICE.format(number=placed.number)
            return Result(success=False, message=f"市价{word}操作失败，错误：{notice}")
        return Result(success=True, message=said, data=data)

    def cancel(self, params: Params, request: int, now_ns: int) -> Result:
        """Every live order of a code and a side; without a code everything, orders given by hand included."""
        code, kind = params.get("stock_code"), params.get("cancel_type", "all")
        if kind is None:
            return Result(success=False, message=f"不支持的撤单类型: {kind}", hard=True)
        quirk = self._quirks.happens(Quirk.CANCEL_NOT_SENT, Quirk.CANCEL_SAID_FAILED)
        stopped = quirk is Quirk.CANCEL_SAID_FAILED
        if quirk is not Quirk.CANCEL_NOT_SENT:
            for entrust in self._counter.live(now_ns):
                if code in {None, entrust.share.code6} and entrust.side in SIDES[kind]:
                    try:
                        self._counter.cancel(entrust, now_ns)
                    except CounterRefusal:
                        stopped = True
        said = f"撤销{code}的委托{'失败' if stopped else '成功'}" if code else "已成功撤销所有委托"
        return Result(success=not stopped, message=said, data={"stock_code": code, "operation": "cancel"})

    def _outside_limits(self, code: str, price: Decimal, now_ns: int) -> bool:
        share = self._counter.share(code)
        if not price.is_finite():
            return True
        if share is None:
            return False
        self._counter.advance(now_ns)
        low, high = self._counter.limits(share, now_ns)
        return not low <= price <= high
