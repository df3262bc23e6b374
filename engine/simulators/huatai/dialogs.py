"""What the trading layer makes of the client's dialogs: ``data`` of a reply, and a code that says little.

An order's code is 200 only where the message is exactly ``success``, a cancel's only where it holds 成功; yet a client
that asks for confirmation has the question's text as the message (contracts/ht.md 3.1, 3.2).
"""

from typing import Any, Literal

from msgspec import Struct

from engine.simulators.huatai.wire import Reply

Layer = Literal["G1", "G2", "G3", "document"]
"""Generations of the trading layer; ``document`` answers as the vendor's page does."""
Style = Literal["none", "result", "confirm", "unreadable", "confirm_unreadable"]
"""Dialogs of an order: none, the result's, question and result; the same with a result that can not be read."""
CancelStyle = Literal["success", "result", "confirm", "text"]
"""What a good cancel brings: ``success``, that and a number, the question and a number, a text with 成功."""
NumberName = Literal["合同编号", "委托编号"]

SUBMIT_FAILED = "提交失败：{}"
STRATEGY_FAILED = "设置市价类型 {} 失败"
CLOSED_DIALOG = "关闭对话框: {}"
DIALOG_FAILED = "处理对话框失败: {}"
TRADE_FAILED = "交易失败: {}"
NOT_CANCELLABLE = "委托单状态错误不能撤单, 该委托单可能已经成交或者已撤"
BAD_LOT = "委托数量不符合规则"
ALL_CANCELLED = "全部撤单操作已提交"
CANCEL_DONE = "撤单成功"
NO_NEW_SHARES = "今日无新股"
NOTHING_TO_SUBSCRIBE = "没有发现可以申购的新股"
NO_NUMBER = "自动申购失败: '<=' not supported between instances of 'str' and 'int'"
SUBSCRIBED = "新股申购完成"


class Numbers(Struct, frozen=True):
    """The two numbers of an order or of a cancel, as the dialogs print them."""

    contract: str
    entrust: str

    def shown(self, name: NumberName) -> str:
        return self.contract if name == "合同编号" else self.entrust


class Wording(Struct, frozen=True, kw_only=True):
    """How outcomes are said."""

    layer: Layer
    style: Style
    cancel_style: CancelStyle
    number_name: NumberName

    @property
    def as_documented(self) -> bool:
        return self.layer == "document"

    def placed(self, numbers: Numbers, question: str) -> Reply:
        """An order that went in."""
        if self.as_documented:
            both = {"委托编号": numbers.entrust, "合同编号": numbers.contract}
            return _order_reply({"message": "success"} | both)
        readable = self.style in {"result", "confirm"}
        return self._order(question, numbers.shown(self.number_name) if readable else "")

    def refused(self, reason: str, question: str) -> Reply:
        """An order the counter did not take: the reason is lost wherever the question is the message."""
        if self.as_documented:
            return Reply(400, SUBMIT_FAILED.format(reason))
        if self.style in {"none", "result"}:
            return self.failed(SUBMIT_FAILED.format(reason))
        return self._order(question, "")

    def without_number(self, question: str) -> Reply:
        """What is said where the result can not be read."""
        return _order_reply({"message": "success"}) if self.as_documented else self._order(question, "")

    def failed(self, text: str) -> Reply:
        """An order that ended with an unexpected dialog, or an error of the automation."""
        number = {} if self.layer in {"G1", "document"} else {"entrust_id": ""}
        return _order_reply({"message": text} | number)

    def cancelled(self, order: Numbers, request: Numbers) -> Reply:
        """A cancel that went in; ``request`` has the cancel's own numbers, which is what newer layers give back."""
        if self.as_documented:
            return Reply(200, CANCEL_DONE, {"message": CANCEL_DONE, "合同编号": order.contract})
        number = request.shown(self.number_name)
        data: dict[str, Any] = {"message": "success"}
        match self.cancel_style:
            case "confirm":
                data["message"] = "您确认要撤销这1笔委托吗？"
            case "text":
                data["message"] = f"您的撤单委托已成功提交，{self.number_name}：{number}。"
        if self.layer != "G1" and self.cancel_style != "success":
            data["entrust_id"] = number
        return cancel_reply(data)

    def not_cancellable(self) -> Reply:
        """A cancel that found no row, or no list."""
        data = None if self.as_documented else {"message": NOT_CANCELLABLE}
        return Reply(400, NOT_CANCELLABLE, data)

    def subscribed(self, text: str, quantities: dict[str, int] | None = None) -> Reply:
        """What auto-ipo found or sent; ``quantities`` by code of what went in, None where nothing did."""
        if not self.as_documented or quantities is None:
            return Reply(400, text, {"message": text})
        rows = [{"证券代码": code.partition(".")[0], "申购数量": quantity} for code, quantity in quantities.items()]
        data = {"message": SUBSCRIBED, "可申购新股数量": len(rows), "已申购新股": rows}
        return Reply(200, SUBSCRIBED, data)

    def _order(self, question: str, number: str) -> Reply:
        asks = self.style.startswith("confirm")
        data = {"message": question if asks else "success"}
        if self.layer != "G1":
            data["entrust_id"] = number
        elif number and not asks:
            data[self.number_name] = number
        return _order_reply(data)


def cancel_reply(data: dict[str, Any]) -> Reply:
    return Reply(200 if "成功" in data["message"] else 400, data["message"], data)


def _order_reply(data: dict[str, Any]) -> Reply:
    return Reply(200 if data["message"] == "success" else 400, data["message"], data)
