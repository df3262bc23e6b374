"""What the client shows of the counter's books: rows of text for its tables, figures for the balance.

委托编号 counts up through the day, subscriptions of new shares included; 合同编号 is the counter's own number
(contracts/ht.md 3.4).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.simulators.counter import Counter, Deal, Entrust, EntrustStatus, Holding, Share
from engine.simulators.huatai.dialogs import Numbers
from engine.simulators.huatai.tables import LIVE_ORDERS, ORDERS, POSITIONS, TRADES, Sheet, sheet_of
from engine.simulators.sessions import local_text

if TYPE_CHECKING:
    from engine.simulators.huatai.settings import HuataiSimulator

STATUS_WORDS = {
    EntrustStatus.PENDING: "未报",
    EntrustStatus.OPEN: "未成交",
    EntrustStatus.PART: "部分成交",
    EntrustStatus.FILLED: "全部成交",
    EntrustStatus.WITHDRAWN: "全部撤单",
    EntrustStatus.PART_WITHDRAWN: "部分撤单",
    EntrustStatus.CANCEL_ASKED: "已报待撤",
    EntrustStatus.REJECTED: "废单",
}
MARKETS = {"SH": ("上海Ａ股", "A123456789"), "SZ": ("深圳Ａ股", "0212345678"), "BJ": ("北京Ａ股", "0212345678")}
"""Market -> its name and the account there, one of which looks like a number."""
NO_FIGURE = "--"
NO_PRICE = "0.000"


class NewShare(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new share that can be subscribed today. ``quantity`` is how much; 0 none, a text what the client shows."""

    code: str
    name: str
    price: float
    quantity: int | str


class Subscription(Struct, frozen=True, kw_only=True):
    """A subscription that was sent; ``after`` orders of its day had gone before it."""

    share: NewShare
    quantity: int
    ts_ns: int
    day: int
    after: int
    number: int


class Statements:
    """Args:
    draw: gives numbers for what is none of the counter's orders.
    """

    def __init__(self, counter: Counter, settings: "HuataiSimulator", draw: Callable[[], int]) -> None:
        self.subscriptions: list[Subscription] = []
        self._counter = counter
        self._settings = settings
        self._draw = draw

    def funds(self, now_ns: int) -> dict[str, float]:
        """The balance, label -> yuan."""
        funds = self._counter.funds(now_ns)
        figures = {
            "资金余额": funds.cash,
            "可用金额": funds.available,
            "可取金额": funds.withdrawable,
            "股票市值": funds.market_value,
            "总资产": funds.total,
        }
        if self._settings.frozen_cash:
            figures["冻结资金"] = funds.frozen
        return {label: round(float(figure), 2) for label, figure in figures.items()}

    def positions(self, now_ns: int) -> Sheet:
        return sheet_of(POSITIONS[self._settings.columns], [self._position(h) for h in self._counter.holdings(now_ns)])

    def orders(self, now_ns: int) -> Sheet:
        """Today's, subscriptions included."""
        day = self._counter.day(now_ns)
        records = [self._order(entrust) for entrust in self._counter.entrusts(now_ns)]
        records += [self._subscription(one) for one in self.subscriptions if one.day == day]
        records.sort(key=lambda record: int(record["委托编号"]))
        return sheet_of(ORDERS[self._settings.columns], records)

    def live_orders(self, now_ns: int) -> Sheet:
        """Those that can be cancelled, in the counter's order."""
        live = self._counter.live(now_ns)
        return sheet_of(LIVE_ORDERS[self._settings.columns], [self._order(entrust) for entrust in live])

    def trades(self, now_ns: int) -> Sheet:
        columns = TRADES[self._settings.columns]
        if self._settings.columns == "client":
            columns = (*columns, *self._settings.deal_numbers)
        return sheet_of(columns, [self._deal(deal) for deal in self._counter.deals(now_ns)])

    def numbers(self, entrust: Entrust) -> Numbers:
        """The two numbers of an order as the client prints them."""
        before = sum(one.day == entrust.day and one.after < entrust.serial for one in self.subscriptions)
        return self._numbers(entrust.serial + before, entrust.number)

    def subscribe(self, share: NewShare, quantity: int, now_ns: int) -> None:
        """Note a subscription; it ties up no money."""
        self._counter.books.changed = True
        self.subscriptions.append(
            Subscription(
                share=share,
                quantity=quantity,
                ts_ns=now_ns,
                day=self._counter.day(now_ns),
                after=len(self._counter.entrusts(now_ns)),
                number=self._draw(),
            )
        )
        self._counter.remember()

    # Rows

    def _numbers(self, serial: int, number: int) -> Numbers:
        entrust = str(self._settings.entrust_first - 1 + serial)
        return Numbers(entrust if self._settings.same_numbers else str(number), entrust)

    def _order(self, entrust: Entrust) -> dict[str, str]:
        record = self._about(entrust.share, entrust.ts_ns, "委托")
        numbers = self.numbers(entrust)
        word = STATUS_WORDS[entrust.status]
        return record | {
            "操作": _side(entrust),
            "备注": word,
            "委托状态": word,
            "委托数量": str(entrust.quantity),
            "成交数量": str(entrust.filled),
            "撤消数量": str(entrust.withdrawn),
            "委托价格": NO_FIGURE if entrust.price is None else f"{entrust.price:.3f}",
            "成交均价": f"{entrust.average:.3f}" if entrust.filled else NO_PRICE,
            "委托编号": numbers.entrust,
            "合同编号": numbers.contract,
        }

    def _subscription(self, one: Subscription) -> dict[str, str]:
        earlier = sum(other.day == one.day for other in self.subscriptions[: self.subscriptions.index(one)])
        numbers = self._numbers(one.after + earlier + 1, one.number)
        record = self._about(Share(code=one.share.code, name=one.share.name, price=one.share.price), one.ts_ns, "委托")
        return record | {
            "操作": "申购",
            "备注": "已报",
            "委托状态": "已报",
            "委托数量": str(one.quantity),
            "成交数量": "0",
            "撤消数量": "0",
            "委托价格": f"{one.share.price:.3f}",
            "成交均价": NO_PRICE,
            "委托编号": numbers.entrust,
            "合同编号": numbers.contract,
        }

    def _position(self, holding: Holding) -> dict[str, str]:
        share = self._counter.share(holding.code)
        assert share is not None
        figures = {
            "股票余额": str(holding.quantity),
            "可用余额": str(holding.sellable),
            "成本价": f"{holding.cost:.3f}",
            "市价": f"{holding.last:.3f}",
            "盈亏": f"{holding.profit:.2f}",
            "市值": self._amount(holding.value),
            "备注": "",
        }
        figures |= {"持仓数量": figures["股票余额"], "可用数量": figures["可用余额"], "最新价": figures["市价"]}
        return self._about(share, 0, "委托") | figures

    def _deal(self, deal: Deal) -> dict[str, str]:
        numbers = self.numbers(deal.entrust)
        return self._about(deal.entrust.share, deal.ts_ns, "成交") | {
            "操作": _side(deal.entrust),
            "买卖方向": _side(deal.entrust),
            "成交数量": str(deal.quantity),
            "成交均价": f"{deal.price:.3f}",
            "成交价格": f"{deal.price:.3f}",
            "成交金额": self._amount(deal.price * deal.quantity),
            "委托编号": numbers.entrust,
            "合同编号": numbers.contract,
            "成交编号": str(deal.number),
        }

    def _about(self, share: Share, ts_ns: int, what: str) -> dict[str, str]:
        stamp = local_text(ts_ns, self._settings.timezone)
        market, account = MARKETS[share.market]
        date = stamp[:10].replace("-", "")
        return {
            "证券代码": share.code6,
            "证券名称": share.name,
            "交易市场": market,
            "股东帐户": account,
            "操作日期": date,
            "成交日期": date,
            f"{what}时间": stamp[11:] if self._settings.times == "colons" else stamp[11:].replace(":", ""),
        }

    def _amount(self, value: Decimal) -> str:
        return f"{value:,.3f}" if self._settings.separators else f"{value:.2f}"


def _side(entrust: Entrust) -> str:
    return "买入" if entrust.buys else "卖出"
