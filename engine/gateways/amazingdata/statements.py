"""Financial statements: rows with the day they became known (contract 5, finance)."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from engine.domain.errors import BadMessage
from engine.domain.ids import InstrumentId
from engine.gateways.amazingdata.client import Statement
from engine.gateways.amazingdata.messages import day_from_wire

STATEMENTS: tuple[Statement, ...] = ("balance-sheet", "income", "cash-flow")
CONSOLIDATED = "1"
_WORDS = frozenset({"SECURITY_NAME", "CURRENCY_CODE"})
_KEYS = frozenset({
    "MARKET_CODE", "STATEMENT_TYPE", "REPORT_TYPE", "REPORTING_PERIOD", "ANN_DATE", "ACTUAL_ANN_DATE",
    "COMP_TYPE_CODE",
}) | _WORDS  # fmt: skip


class StatementRow(Struct, frozen=True):
    """One consolidated statement. Figures run from the year's beginning, in ``currency``; absent ones are left out.

    ``announced`` is the later of the two announcement days the service gives: nobody knew before its end.
    """

    instrument: InstrumentId
    statement: Statement
    period: date
    announced: date
    figures: dict[str, float]
    currency: str = "CNY"
    company_type: int = 1
    """1 ordinary, 2 bank, 3 insurer, 4 broker: much is absent by type."""


class Statements(Struct, frozen=True):
    rows: list[StatementRow]
    undated: int = 0
    """Rows left out because no announcement day was given: nobody can say when they were known."""
    other_kinds: int = 0
    """Rows left out because they are not the consolidated statement."""


def rows_from_wire(
    statement: Statement, answer: Mapping[str, Sequence[Mapping[str, Any]] | None] | Sequence[Mapping[str, Any]]
) -> Statements:
    """Rows of one answer, grouped by code or flat, names in either case.

    Raises:
        BadMessage: a row without code or period, or with a figure that is no number.
    """
    found: list[tuple[str, Mapping[str, Any]]] = []
    if isinstance(answer, Mapping):
        found += [(code, record) for code, records in answer.items() for record in records or ()]
    else:
        found += [("", record) for record in answer]
    rows: list[StatementRow] = []
    undated = others = 0
    for code, record in found:
        named = {key.upper(): value for key, value in record.items()}
        if str(named.get("STATEMENT_TYPE") or CONSOLIDATED) != CONSOLIDATED:
            others += 1
            continue
        announced = [day_from_wire(named[key]) for key in ("ANN_DATE", "ACTUAL_ANN_DATE") if named.get(key)]
        if not announced:
            undated += 1
            continue
        rows.append(_row(statement, code, named, max(announced)))
    return Statements(rows, undated, others)


def _row(statement: Statement, code: str, named: Mapping[str, Any], announced: date) -> StatementRow:
    instrument = str(named.get("MARKET_CODE") or code)
    period = named.get("REPORTING_PERIOD")
    if not instrument or not period:
        raise BadMessage(f"{statement}: a row has no MARKET_CODE or no REPORTING_PERIOD")
    figures: dict[str, float] = {}
    for key, value in named.items():
        if key in _KEYS or value is None or isinstance(value, bool):
            continue
        if isinstance(value, int | float):
            figures[key] = float(value)
        elif not isinstance(value, str):
            raise BadMessage(f"{statement} of {instrument}: {key} is no number")
    return StatementRow(
        instrument=InstrumentId(instrument),
        statement=statement,
        period=day_from_wire(period),
        announced=announced,
        figures=figures,
        currency=str(named.get("CURRENCY_CODE") or "CNY"),
        company_type=_company_type(named.get("COMP_TYPE_CODE") or 1, f"{statement} of {instrument}"),
    )


def _company_type(value: Any, what: str) -> int:
    """Raises: BadMessage: no number of two digits at most."""
    text = str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 2:
        raise BadMessage(f"{what}: COMP_TYPE_CODE {text[:40]!r} is none")
    return int(text)
