"""Statements by quarter, under the SDK's column names (contracts/amazingdata.md 5).

Figures are made up: those of Pudong Bank in 2023 are the examples', others are of its size times ``scale``, growing by
the year. Rows show from the day they were announced.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, Literal

from engine.simulators.amazingdata.forms import Forms
from engine.simulators.amazingdata.universe import Security

Statement = Literal["balance-sheet", "income", "cash-flow"]
BILLION = 1e9
BANK = 2
GROWTH = 1.04
_ENDS = ((3, 31), (6, 30), (9, 30), (12, 31))
_ANNOUNCED = ((4, 29), (8, 30), (10, 28), (4, 30))
"""The examples' days; the annual report's is in the next year."""


class Statements:
    """Records of a security between two reporting periods."""

    def __init__(self, forms: Forms) -> None:
        self._forms = forms

    def answer(
        self, statement: Statement, securities: list[Security], first: int, last: int, today: int
    ) -> dict[str, Any] | list[Any]:
        """``data`` of an answer, by code or as the form says."""
        found = {}
        for security in securities:
            rows = self._rows(statement, security, first, last, today)
            if rows or self._forms.no_data == "empty":
                found[security.code] = rows
        if self._forms.finance == "flat":
            return [row for rows in found.values() for row in rows]
        return found

    def _rows(
        self, statement: Statement, security: Security, first: int, last: int, today: int
    ) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        if not security.company:
            return rows
        last = min(last, today)
        if last < first:
            return rows
        for year in range(date.fromordinal(first).year, date.fromordinal(last).year + 1):
            for quarter in (1, 2, 3, 4):
                end = date(year, *_ENDS[quarter - 1])
                announced = date(year + (quarter == 4), *_ANNOUNCED[quarter - 1])
                if first <= end.toordinal() <= last and announced.toordinal() <= today:
                    rows += self._worded(statement, security, quarter, end, announced)
        return rows

    def _worded(
        self, statement: Statement, security: Security, quarter: int, end: date, announced: date
    ) -> list[dict[str, Any]]:
        size = security.scale * GROWTH ** (end.year - 2023)
        figures = _COLUMNS[statement](quarter, size, security.company)
        whole = self._forms.finance == "integers"
        dates: list[Any] = [f"{day:%Y%m%d}" for day in (end, announced, announced)]
        dates = [int(text) for text in dates] if whole else dates
        rows = []
        for kind in ("1", "6") if self._forms.finance == "several" else ("1",):
            head = {
                "MARKET_CODE": security.code,
                "SECURITY_NAME": security.name,
                "STATEMENT_TYPE": kind,
                "REPORT_TYPE": str(quarter),
                "REPORTING_PERIOD": dates[0],
                "ANN_DATE": dates[1],
                "ACTUAL_ANN_DATE": dates[2],
                "COMP_TYPE_CODE": security.company,
                "CURRENCY_CODE": "CNY",
            }
            rows.append(head | figures)
        if self._forms.finance == "lower":
            rows = [{name.lower(): value for name, value in row.items()} for row in rows]
        return rows


def _yuan(billions: float, size: float) -> float:
    return float(round(billions * BILLION * size))


def _balance_sheet(quarter: int, size: float, company: int) -> dict[str, Any]:
    bank, ordinary, later = company == BANK, company == 1, quarter - 1
    shares = float(round(29352175000 * size))
    return {
        "CURRENCY_CAP": _yuan(430 + later, size) if ordinary else None,
        "CASH_CENTRAL_BANK_DEPOSITS": _yuan(430 + later, size) if bank else None,
        "FIXED_ASSETS": _yuan(41, size),
        "GOODWILL": _yuan(5.35, size),
        "INV": _yuan(300 + later, size) if ordinary else None,
        "TOTAL_CUR_ASSETS": _yuan(5000 + 30 * later, size) if ordinary else None,
        "TOTAL_ASSETS": _yuan(8830 + 50 * later, size),
        "TOTAL_CUR_LIAB": _yuan(4000 + 20 * later, size) if ordinary else None,
        "TOTAL_LIAB": _yuan(8120 + 48 * later, size),
        "CAP_STOCK": shares,
        "TOT_SHARE": shares,
        "UNDISTRIBUTED_PRO": _yuan(220 + 2 * later, size),
        "MINORITY_EQUITY": _yuan(8.1, size),
        "TOT_SHARE_EQUITY_EXCL_MIN_INT": _yuan(706 + 2 * later, size),
        "TOT_SHARE_EQUITY_INCL_MIN_INT": _yuan(714 + 2 * later, size),
        "TOTAL_LIAB_SHARE_EQUITY": _yuan(8830 + 50 * later, size),
    }


def _income(quarter: int, size: float, company: int) -> dict[str, Any]:
    ordinary = company == 1
    return {
        "TOT_OPERA_REV": _yuan(48 * quarter, size),
        "OPERA_REV": _yuan(48 * quarter, size),
        "TOT_OPERA_COST": _yuan(31 * quarter, size) if ordinary else None,
        "OPERA_PROFIT": _yuan(17 * quarter, size),
        "TOTAL_PROFIT": _yuan(17 * quarter, size),
        "INCOME_TAX": _yuan(1.2 * quarter, size),
        "NET_PRO_INCL_MIN_INT_INC": _yuan(16 * quarter, size),
        "NET_PRO_EXCL_MIN_INT_INC": _yuan(15.8 * quarter, size),
        "NET_PRO_AFTER_DED_NR_GL": _yuan(15.5 * quarter, size),
        "BASIC_EPS": round(0.51 * quarter, 2),
        "DILUTED_EPS": round(0.47 * quarter, 2),
        "EBIT": _yuan(17.5 * quarter, size) if ordinary else None,
        "RD_EXP": _yuan(1.1 * quarter, size) if ordinary else None,
    }


def _cash_flow(quarter: int, size: float, company: int) -> dict[str, Any]:
    return {
        "NET_CASH_FLOWS_OPERA_ACT": _yuan(110 * quarter - 220, size),
        "NET_CASH_FLOWS_INV_ACT": _yuan(-40 * quarter, size),
        "NET_CASH_FLOWS_FIN_ACT": _yuan(30 * quarter, size),
        "BEG_BAL_CASH_CASH_EQU": _yuan(200, size),
        "END_BAL_CASH_CASH_EQU": _yuan(190 + 10 * quarter, size),
        "CASH_PAY_EMPLOYEE": _yuan(7 * quarter, size),
        "CASH_PAID_INV": _yuan(500 * quarter, size),
    }


_COLUMNS: dict[Statement, Callable[[int, float, int], dict[str, Any]]] = {
    "balance-sheet": _balance_sheet,
    "income": _income,
    "cash-flow": _cash_flow,
}
