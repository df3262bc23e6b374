"""Reading the client's pages by copying them, and the ways in which that fails without a word (contract 3, 3.2)."""

from random import Random
from typing import Any

from engine.domain.timestamps import SECOND_NS
from engine.simulators.easyths.desktop import PAUSES_S, Act
from engine.simulators.easyths.messages import EVERY_CODE, NO_DATA, NO_HISTORY, NO_ORDERS, Result
from engine.simulators.easyths.quirks import Quirk
from engine.simulators.easyths.statements import Statements
from engine.simulators.easyths.tables import Table
from engine.simulators.easyths.validation import Params
from engine.simulators.quirks import QuirkPlan

CAPTCHA_NS = (SECOND_NS // 2, 5 * SECOND_NS // 2)
TABLE_QUIRKS = (
    Quirk.EMPTY_TABLE,
    Quirk.REPEATED_ROWS,
    Quirk.SHIFTED_COLUMNS,
    Quirk.CAPTCHA,
    Quirk.CAPTCHA_SOLVED,
)


def converted(table: Table, return_type: str, *, as_text: bool = False) -> Any:
    """A table as it is sent: rows, or a text; the empty forms are ``{}`` and a text of their own."""
    wants_rows = return_type in {"json", "dict"}
    if not table.rows:
        return {} if wants_rows else NO_DATA
    if wants_rows:
        return table.records(as_text=as_text)
    return table.markdown() if return_type == "markdown" else table.text()


class QueryActs:
    """``has_history`` is False for a broker that shows no orders of the past: empty, whatever was done."""

    def __init__(self, statements: Statements, quirks: QuirkPlan[Quirk], draw: Random, *, has_history: bool) -> None:
        self._statements = statements
        self._quirks = quirks
        self._draw = draw
        self._has_history = has_history

    def acts(self) -> dict[str, Act]:
        return {
            "order_query": self.orders,
            "historical_commission_query": self.history,
            "holding_query": self.holdings,
            "funds_query": self.funds,
        }

    def orders(self, params: Params, request: int, now_ns: int) -> Result:
        code = params.get("stock_code") or None
        result, table = self._copied(self._statements.cancel_page(code, now_ns))
        found = converted(table, params["return_type"]) if result.success else {}
        result.message = _said("委托查询", "order_query")
        result.data = {"orders": found or NO_ORDERS, "stock_code": code or EVERY_CODE}
        return result

    def history(self, params: Params, request: int, now_ns: int) -> Result:
        code, span = params.get("stock_code") or None, params.get("time_range", "当日")
        result, table = self._copied(self._statements.history(code, span, now_ns))
        if not self._has_history:
            table = Table(table.columns, [])
        if self._quirks.happens(Quirk.HISTORY_UNSUPPORTED):
            result.success = False
        # Without a return type the table stays what it was in memory.
        result.readable = result.readable and "return_type" in params
        found = converted(table, params.get("return_type", "json")) if result.success else {}
        result.message = _said("历史委托查询", "historical_commission_query")
        result.data = {"historical_orders": found or NO_HISTORY, "stock_code": code, "time_range": span}
        return result

    def holdings(self, params: Params, request: int, now_ns: int) -> Result:
        result, table = self._copied(self._statements.holdings(now_ns))
        result.message = _said("持仓查询", "holding_query")
        result.data = converted(table, params["return_type"])
        result.readable = result.success
        return result

    def funds(self, params: Params, request: int, now_ns: int) -> Result:
        found = self._statements.funds(now_ns)
        if self._quirks.happens(Quirk.MISSING_LABEL):
            del found[self._draw.choice(list(found))]
        return Result(success=True, message=None, data=found)

    def _copied(self, table: Table) -> tuple[Result, Table]:
        """A copy of a page, and what became of it."""
        result = Result(success=True, message=None)
        match self._quirks.happens(*TABLE_QUIRKS):
            case Quirk.EMPTY_TABLE:
                table = Table(table.columns, [])
            case Quirk.REPEATED_ROWS if table.rows:
                table = table.repeated(self._draw.randrange(len(table.rows)))
            case Quirk.SHIFTED_COLUMNS:
                table = table.shifted()
            case Quirk.CAPTCHA:
                result.success = False
                result.more_ns = CAPTCHA_NS[1]
                table = Table(table.columns, [])
            case Quirk.CAPTCHA_SOLVED:
                result.more_ns = self._quirks.span_ns(*CAPTCHA_NS)
        return result, table


def _said(what: str, name: str) -> str:
    return f"{what}完成，耗时{PAUSES_S[name]}秒"
