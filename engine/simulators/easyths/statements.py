"""The account as the client's tables show it: orders, holdings, funds, all text (contracts/easyths.md 3.1)."""

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Literal

from msgspec import Struct

from engine.domain.commands import Side
from engine.domain.money import ZERO
from engine.domain.timestamps import datetime_from_ns
from engine.simulators.counter import Counter, Entrust, EntrustStatus, Holding
from engine.simulators.easyths.repo import Loan, RepoDesk
from engine.simulators.easyths.tables import Table

Words = Literal["long", "short"]
Separators = Literal["never", "sometimes", "always"]

ORDERS = (
    "委托时间",
    "证券代码",
    "证券名称",
    "操作",
    "备注",
    "委托数量",
    "成交数量",
    "撤消数量",
    "委托价格",
    "成交均价",
    "合同编号",
    "交易市场",
)
HISTORY = ("委托日期", *ORDERS, "股东帐户")
HOLDINGS = (
    "证券代码",
    "证券名称",
    "股票余额",
    "可用余额",
    "冻结数量",
    "成本价",
    "市价",
    "盈亏",
    "盈亏比例(%)",
    "市值",
    "交易市场",
    "股东帐户",
)
COLUMNS = frozenset({*HISTORY, *HOLDINGS})
BUTTONS = "操作"
"""The last column of the holdings: its cells are buttons, empty in a copy."""
MARKETS = {"SH": "上海Ａ股", "SZ": "深圳Ａ股", "BJ": "北京Ａ股"}
RANGES = {"当日": 1, "近一周": 7, "近一月": 30, "近三月": 90, "近一年": 365}
FUNDS = ("资金余额", "冻结金额", "可用金额", "可取金额", "股票市值", "总资产", "持仓盈亏")

STATUS_WORDS: dict[Words, dict[EntrustStatus, str]] = {
    "long": {
        EntrustStatus.PENDING: "未报",
        EntrustStatus.OPEN: "未成交",
        EntrustStatus.PART: "部分成交",
        EntrustStatus.FILLED: "全部成交",
        EntrustStatus.WITHDRAWN: "全部撤单",
        EntrustStatus.PART_WITHDRAWN: "部分撤单",
        EntrustStatus.REJECTED: "废单",
    },
    "short": {
        EntrustStatus.PENDING: "待报",
        EntrustStatus.OPEN: "已报",
        EntrustStatus.PART: "部成",
        EntrustStatus.FILLED: "已成",
        EntrustStatus.WITHDRAWN: "已撤",
        EntrustStatus.PART_WITHDRAWN: "部撤",
        EntrustStatus.REJECTED: "废单",
    },
}
SEPARATED = 0.3
"""Chance of a table to come with thousand separators where they come sometimes."""


class Style(Struct, frozen=True, kw_only=True):
    """How one broker's client looks: header variants, status words, separators, columns without a name."""

    headers: Mapping[str, str]
    words: Words
    separators: Separators
    nameless: bool
    timezone: str


class Statements:
    """Copies of the client's pages. ``live_only``: whether the cancel page leaves out what has ended."""

    def __init__(self, counter: Counter, repo: RepoDesk, style: Style, draw: Random, *, live_only: bool) -> None:
        self._counter = counter
        self._repo = repo
        self._style = style
        self._draw = draw
        self._live_only = live_only

    def cancel_page(self, code: str | None, now_ns: int) -> Table:
        """Orders of today that can be cancelled, newest first."""
        entrusts = self._counter.live(now_ns) if self._live_only else self._counter.entrusts(now_ns)
        today = self._counter.day(now_ns)
        loans = [loan for loan in self._repo.loans if loan.day == today]
        if self._live_only:
            loans = [loan for loan in loans if not loan.filled(now_ns)]
        return self._orders(ORDERS, entrusts, loans, code, now_ns)

    def history(self, code: str | None, time_range: str, now_ns: int) -> Table:
        """Every order of a period, newest first."""
        span = RANGES[time_range]
        first = self._counter.day(now_ns) - span + 1
        loans = [loan for loan in self._repo.loans if loan.day >= first]
        return self._orders(HISTORY, self._counter.entrusts(now_ns, span), loans, code, now_ns)

    def holdings(self, now_ns: int) -> Table:
        """What is held, by code."""
        commas = self._commas()
        rows = [self._holding(holding, commas) for holding in self._counter.holdings(now_ns)]
        table = self._table(HOLDINGS, rows)
        if self._style.nameless:
            table = Table([*table.columns, BUTTONS], [[*row, ""] for row in table.rows])
        return table

    def funds(self, now_ns: int) -> dict[str, str]:
        """Seven texts."""
        funds, commas = self._counter.funds(now_ns), self._commas()
        ordered, lent = self._repo.ordered(now_ns), self._repo.outstanding()
        profit = sum((holding.profit for holding in self._counter.holdings(now_ns)), ZERO)
        figures = (
            funds.cash + ordered,
            funds.frozen + ordered,
            funds.available,
            funds.withdrawable,
            funds.market_value,
            funds.total + lent,
            profit,
        )
        return {name: _text(figure, 2, commas) for name, figure in zip(FUNDS, figures, strict=True)}

    # Rows

    def _orders(
        self, columns: tuple[str, ...], entrusts: list[Entrust], loans: list[Loan], code: str | None, now_ns: int
    ) -> Table:
        commas = self._commas()
        found = [(entrust.ts_ns, self._entrust(entrust, commas)) for entrust in entrusts]
        found += [(loan.ts_ns, self._loan(loan, now_ns, commas)) for loan in loans]
        found = [(ts_ns, cells) for ts_ns, cells in found if code in {None, cells["证券代码"]}]
        # Equal times keep their order, the later one first.
        found.sort(key=_time)
        rows = [[cells[name] for name in columns] for _, cells in reversed(found)]
        table = self._table(columns, rows)
        if self._style.nameless:
            table = Table([*table.columns, f"Unnamed: {len(columns)}"], [[*row, ""] for row in table.rows])
        return table

    def _entrust(self, entrust: Entrust, commas: bool) -> dict[str, str]:
        share = entrust.share
        return self._moment(entrust.ts_ns) | {
            "证券代码": share.code6,
            "证券名称": share.name,
            "操作": "买入" if entrust.side is Side.BUY else "卖出",
            "备注": self.status_word(entrust),
            "委托数量": _text(Decimal(entrust.quantity), 0, commas),
            "成交数量": _text(Decimal(entrust.filled), 0, commas),
            "撤消数量": _text(Decimal(entrust.withdrawn), 0, commas),
            "委托价格": "市价" if entrust.price is None else _text(entrust.price, 3, commas),
            "成交均价": _text(entrust.average, 3, commas),
            "合同编号": str(entrust.number),
            "交易市场": MARKETS[share.market],
            "股东帐户": self._holder(share.market),
        }

    def _loan(self, loan: Loan, now_ns: int, commas: bool) -> dict[str, str]:
        filled, market = loan.filled(now_ns), "SH" if loan.repo.market == "上海" else "SZ"
        status = EntrustStatus.FILLED if filled else EntrustStatus.OPEN
        return self._moment(loan.ts_ns) | {
            "证券代码": loan.repo.code,
            "证券名称": loan.repo.name,
            "操作": "融券回购",
            "备注": STATUS_WORDS[self._style.words][status],
            "委托数量": _text(Decimal(loan.quantity), 0, commas),
            "成交数量": _text(Decimal(loan.quantity if filled else 0), 0, commas),
            "撤消数量": "0",
            "委托价格": _text(loan.rate, 3, commas),
            "成交均价": _text(loan.rate if filled else ZERO, 3, commas),
            "合同编号": str(loan.number),
            "交易市场": MARKETS[market],
            "股东帐户": self._holder(market),
        }

    def _holding(self, holding: Holding, commas: bool) -> list[str]:
        code, _, market = holding.code.rpartition(".")
        cost = holding.value - holding.profit
        percent = holding.profit * 100 / cost if cost else ZERO
        return [
            code,
            holding.name,
            _text(Decimal(holding.quantity), 0, commas),
            _text(Decimal(holding.sellable), 0, commas),
            _text(Decimal(self._on_order(holding.code)), 0, commas),
            _text(holding.cost, 3, commas),
            _text(holding.last, 3, commas),
            _text(holding.profit, 2, commas),
            _text(percent, 3, commas),
            _text(holding.value, 2, commas),
            MARKETS[market],
            self._holder(market),
        ]

    def status_word(self, entrust: Entrust) -> str:
        """What 备注 says of an order."""
        if entrust.status is EntrustStatus.CANCEL_ASKED:
            return "部成待撤" if entrust.filled else "已报待撤"
        return STATUS_WORDS[self._style.words][entrust.status]

    # Inside

    def _table(self, columns: tuple[str, ...], rows: list[list[str]]) -> Table:
        return Table([self._style.headers.get(name, name) for name in columns], rows)

    def _moment(self, ts_ns: int) -> dict[str, str]:
        local = datetime_from_ns(ts_ns, self._style.timezone)
        return {"委托日期": local.strftime("%Y%m%d"), "委托时间": local.strftime("%H:%M:%S")}

    def _holder(self, market: str) -> str:
        """Shanghai's accounts begin with a letter, Shenzhen's with a zero."""
        digits = self._counter.account.user[-9:].rjust(9, "0")
        return ("A" if market == "SH" else "0") + digits

    def _on_order(self, code: str) -> int:
        return sum(e.leaves for e in self._counter.books.live if e.code == code and not e.buys)

    def _commas(self) -> bool:
        # Always one draw a table, so that the setting moves nothing else.
        drawn = self._draw.random() < SEPARATED
        return self._style.separators == "always" or (drawn and self._style.separators == "sometimes")


def _text(number: Decimal, places: int, commas: bool) -> str:
    return f"{number:,.{places}f}" if commas else f"{number:.{places}f}"


def _time(found: tuple[int, dict[str, str]]) -> int:
    return found[0]
