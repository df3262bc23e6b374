"""The conditions' form and page, and the page of reverse repos (contracts/easyths.md 3)."""

import math
from decimal import ROUND_HALF_UP, Decimal

from engine.domain.commands import Side
from engine.domain.money import exact
from engine.domain.timestamps import SECOND_NS
from engine.simulators.counter import Counter, CounterRefusal, Share
from engine.simulators.easyths.conditions import Condition, ConditionBook, ConditionState, expiry_ns
from engine.simulators.easyths.desktop import Act
from engine.simulators.easyths.messages import Generation, Result
from engine.simulators.easyths.orders import typed_price
from engine.simulators.easyths.queries import converted
from engine.simulators.easyths.quirks import Quirk
from engine.simulators.easyths.repo import REPOS, RepoDesk
from engine.simulators.easyths.validation import Params
from engine.simulators.quirks import QuirkPlan

WINDOW_NS = 5 * SECOND_NS // 2
REPO_WINDOW_NS = 5 * SECOND_NS
NOT_HELD = "不支持该品种的标的,请检查是否持仓该股票"


class ConditionActs:
    """Setting, showing and deleting conditions; each step of a price may turn one into an order."""

    def __init__(
        self, counter: Counter, book: ConditionBook, generation: Generation, timezone: str, quirks: QuirkPlan[Quirk]
    ) -> None:
        self._counter = counter
        self._book = book
        self._generation = generation
        self._timezone = timezone
        self._quirks = quirks
        counter.listen(self._look)

    def acts(self) -> dict[str, Act]:
        return {
            "condition_buy": self.buy,
            "stop_loss_profit": self.stop,
            "condition_order_query": self.query,
            "condition_order_cancel": self.delete,
        }

    def buy(self, params: Params, request: int, now_ns: int) -> Result:
        """Success means: the form was sent."""
        code, quantity = params["stock_code"], params["quantity"]
        target = typed_price(code, params["target_price"], self._generation)
        data = {"stock_code": code, "target_price": target, "quantity": quantity}
        share = self._counter.share(code)
        price = Decimal(target)
        quirk = self._window_quirk()
        if share is None or not price.is_finite() or quirk is Quirk.CONDITION_WINDOW_FAILED:
            said = f"执行{code}的条件单失败"
            return Result(success=False, message=said, data=data, more_ns=WINDOW_NS if quirk else 0)
        if quirk is not Quirk.CONDITION_NOT_SET:
            self._counter.advance(now_ns)
            falls = price <= self._counter.last(share)
            condition = self._condition(share, Side.BUY, quantity, params, request, now_ns)
            condition.kind, condition.price = "股价条件", price
            condition.low, condition.high = (price, None) if falls else (None, price)
            condition.words = f"股价{'<=' if falls else '>='}{target}元"
            self._add(condition)
        return Result(success=True, message=f"执行{code}的条件单成功", data=data)

    def stop(self, params: Params, request: int, now_ns: int) -> Result:
        """Needs a holding; without a quantity all of it that can be sold."""
        code = params["stock_code"]
        loss, profit = params["stop_loss_percent"], params["stop_profit_percent"]
        data = {"stock_code": code, "stop_loss_percent": loss, "stop_profit_percent": profit}
        held = [one for one in self._counter.holdings(now_ns) if one.code.startswith(f"{code}.")]
        share = self._counter.share(code)
        quirk = self._window_quirk()
        if quirk is Quirk.CONDITION_WINDOW_FAILED or not (math.isfinite(loss) and math.isfinite(profit)):
            return Result(success=False, message=f"执行{code}的止盈止损单失败", data=data, more_ns=WINDOW_NS)
        if share is None or not held:
            return Result(success=False, message=f"执行{code}的止盈止损单失败，{NOT_HELD}", data=data)
        quantity = params.get("quantity") or held[0].sellable
        if quirk is not Quirk.CONDITION_NOT_SET and quantity:
            condition = self._condition(share, Side.SELL, quantity, params, request, now_ns)
            condition.kind = "止盈止损"
            condition.low = _at(held[0].cost, -exact(loss), share)
            condition.high = _at(held[0].cost, exact(profit), share)
            condition.words = f"止盈{profit}% {condition.high}元 止损{loss}% {condition.low}元"
            self._add(condition)
        return Result(success=True, message=f"执行{code}的止盈止损单成功", data=data)

    def query(self, params: Params, request: int, now_ns: int) -> Result:
        """Those not triggered; cells are read off the page, so they are all text."""
        table = self._book.table(now_ns, self._timezone)
        said = f"条件单查询成功，共获取到{len(table.rows)}条数据"
        return Result(
            success=True, message=said, data=converted(table, params.get("return_type", "json"), as_text=True)
        )

    def delete(self, params: Params, request: int, now_ns: int) -> Result:
        """Everything that matches, whoever set it."""
        code, word = params.get("stock_code"), params.get("order_type")
        side = {"买入": Side.BUY, "卖出": Side.SELL}.get(word or "")
        count = self._book.delete(code, side, now_ns)
        self._counter.books.changed = True
        said = f"条件单删除成功,删除{count}条记录" if count else "没有符合筛选条件的条件单，无法进行删除操作"
        return Result(success=True, message=said, data={"stock_code": code, "order_type": word, "deleted_count": count})

    def _window_quirk(self) -> Quirk | None:
        return self._quirks.happens(Quirk.CONDITION_NOT_SET, Quirk.CONDITION_WINDOW_FAILED)

    def _add(self, condition: Condition) -> None:
        self._book.add(condition)
        self._counter.books.changed = True

    def _condition(
        self, share: Share, side: Side, quantity: int, params: Params, request: int, now_ns: int
    ) -> Condition:
        return Condition(
            kind="",
            code=share.code6,
            instrument=share.code,
            name=share.name,
            side=side,
            quantity=quantity,
            made_ns=now_ns,
            expires_ns=expiry_ns(now_ns, params.get("expire_days", 30)),
            request=request,
        )

    def _look(self, code: str, price: float, ts_ns: int) -> None:
        """One step of a price."""
        for condition in self._book.standing(ts_ns):
            if condition.instrument != code or ts_ns < condition.made_ns or not condition.met(price, price):
                continue
            condition.state = ConditionState.TRIGGERED
            self._counter.books.changed = True
            limit = exact(price) if condition.price is None else condition.price
            try:
                placed = self._counter.place(
                    code,
                    condition.side,
                    condition.quantity,
                    limit,
                    ts_ns,
                    source="condition",
                    request=condition.request,
                )
            except CounterRefusal:
                condition.state = ConditionState.REFUSED
            else:
                condition.order = str(placed.number)


class RepoActs:
    """The page of reverse repos: its rates, and lending at one of them."""

    def __init__(self, desk: RepoDesk, quirks: QuirkPlan[Quirk]) -> None:
        self._desk = desk
        self._quirks = quirks

    def acts(self) -> dict[str, Act]:
        return {"reverse_repo_query": self.query, "reverse_repo_buy": self.lend}

    def query(self, params: Params, request: int, now_ns: int) -> Result:
        if self._quirks.happens(Quirk.REPO_WINDOW_FAILED):
            said = "查询国债逆回购年化利率失败"
            return Result(success=False, message=said, more_ns=REPO_WINDOW_NS)
        rows = [
            {"市场类型": f"{repo.market}市场", "时间类型": repo.term, "年化利率": f"{self._desk.rate(repo, now_ns)}%"}
            for repo in REPOS
        ]
        return Result(success=True, message="查询国债逆回购年化利率成功", data=rows)

    def lend(self, params: Params, request: int, now_ns: int) -> Result:
        """The rate is in the message alone; which row was lent at, only the orders tell."""
        desk, amount = self._desk, params["amount"]
        data = {"market": params["market"], "time_range": params["time_range"], "amount": amount}
        quirk = self._quirks.happens(Quirk.REPO_WINDOW_FAILED, Quirk.REPO_WRONG_ROW)
        if quirk is Quirk.REPO_WINDOW_FAILED:
            return Result(success=False, message="国债逆回购操作成功", data=data, more_ns=REPO_WINDOW_NS)
        if quirk is not Quirk.REPO_WRONG_ROW:
            wanted = (params["market"], params["time_range"])
            desk.selected = next(repo for repo in REPOS if (repo.market, repo.term) == wanted)
        available = desk.available(now_ns)
        if amount > available:
            said = f"国债逆回购操作失败，计划出借金额：{amount} 元， 可用金额：{available:.2f} 元"
            return Result(success=False, message=said, data=data)
        desk.lend(desk.selected, amount, now_ns, request)
        rate = desk.rate(desk.selected, now_ns)
        said = f"国债逆回购操作成功， 成功出借:{amount} 元， 年化利率为：{rate}%"
        return Result(success=True, message=said, data=data)


def _at(cost: Decimal, percent: Decimal, share: Share) -> Decimal:
    """A price so many percent from the cost, on the tick."""
    raw = cost * (100 + percent) / 100
    return (raw / share.tick).quantize(Decimal(1), ROUND_HALF_UP) * share.tick
