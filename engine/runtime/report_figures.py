"""Every figure of a report as plain values: what ``--json`` prints and the page is drawn from."""

from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec

from engine.domain.money import CENT, ZERO
from engine.domain.timestamps import format_time
from engine.runtime.report_costs import CostRow, costs_as_json
from engine.runtime.report_model import Report


def figures_of(report: Report) -> dict[str, Any]:
    """Everything but the long lists; see ``lists_of``. Amounts of money that must add up are text, exact."""
    tz = report.tz
    return {
        "title": report.title,
        "mode": report.mode,
        "tz": tz,
        "currency": report.currency,
        "from": format_time(report.started_ns, tz),
        "to": format_time(report.ended_ns, tz),
        "starting_equity": _cents(report.starting_equity),
        "final_equity": _cents(report.final_equity),
        "final_equity_exact": str(report.final_equity),
        "fills": len(report.fills),
        "orders": report.orders,
        "denied": sum(row.count for row in report.denials),
        "statistics": msgspec.to_builtins(report.statistics),
        "benchmark": _without(report.benchmark, "values"),
        "exposure": _without(report.exposure, "ts_ns", "gross", "net"),
        "rolling": None if report.rolling is None else {"window": report.rolling.window},
        "drawdowns": msgspec.to_builtins(report.falls),
        "monthly": [{"year": m.year, "month": m.month, "return": m.return_} for m in report.monthly],
        "yearly": [{"year": y.year, "return": y.return_} for y in report.yearly],
        "turnover": msgspec.to_builtins(report.turnover),
        "costs": costs_as_json(report.costs),
        "beside_net_profit": str(report.beside),
        "open_positions": msgspec.to_builtins(report.open_positions),
        "denials": msgspec.to_builtins(report.denials),
        "incidents": msgspec.to_builtins(report.incidents),
        "strategies": list(report.strategies),
        "accounts": list(report.accounts),
        "data": list(report.data),
        "config_hash": report.config_hash,
        "settings": report.settings,
        "matching": report.settings.get("fill_model", {}),
        "notes": list(report.notes),
    }


def lists_of(report: Report) -> dict[str, Any]:
    """Round trips, executions, price limits, and every curve sample by sample."""
    rolling, exposure, benchmark = report.rolling, report.exposure, report.benchmark
    return {
        "round_trips": [
            {("return" if key == "return_" else key): value for key, value in msgspec.to_builtins(trip).items()}
            for trip in report.round_trips
        ],
        "executions": msgspec.to_builtins(report.fills),
        "price_limits": msgspec.to_builtins(report.bands),
        "curves": {
            "equity": {
                "ts_ns": report.equity_ns,
                "equity": report.equity,
                "drawdown": report.drawdown,
                "benchmark": None if benchmark is None else benchmark.values,
            },
            "days": {"ts_ns": report.day_ns, "equity": report.day_equity},
            "rolling": None if rolling is None else msgspec.to_builtins(rolling),
            "exposure": None
            if exposure is None
            else {"ts_ns": exposure.ts_ns, "gross": exposure.gross, "net": exposure.net},
        },
    }


class Cents(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the costs in whole cents: ``gross - slippage - fees == net`` holds for it, and for the sum of all."""

    row: CostRow
    gross: Decimal
    slippage: Decimal | None
    delay: Decimal | None
    fees: Decimal
    net: Decimal


def in_cents(rows: Sequence[CostRow], total: CostRow) -> list[Cents]:
    """Rows that add up to ``total``, and ``total`` itself at the end; what people add up in their heads adds up."""
    nets = apportion([row.net for row in rows], total.net)
    fees = apportion([row.fees for row in rows], total.fees)
    slips = apportion([row.slippage or ZERO for row in rows], total.slippage or ZERO)
    made = [
        Cents(
            row=row,
            gross=net + fee + slip,
            slippage=None if row.slippage is None else slip,
            delay=None if row.delay is None else row.delay.quantize(CENT, ROUND_HALF_EVEN),
            fees=fee,
            net=net,
        )
        for row, net, fee, slip in zip(rows, nets, fees, slips, strict=True)
    ]
    net, fee, slip = sum(nets, ZERO), sum(fees, ZERO), sum(slips, ZERO)
    return [
        *made,
        Cents(
            row=total,
            gross=net + fee + slip,
            slippage=None if total.slippage is None else slip,
            delay=None if total.delay is None else total.delay.quantize(CENT, ROUND_HALF_EVEN),
            fees=fee,
            net=net,
        ),
    ]


def change_in_cents(report: Report) -> tuple[Decimal, Decimal]:
    """By what equity changed, and what of it is beside the strategies' net profit as ``in_cents`` has it."""
    final, starting = (
        amount.quantize(CENT, ROUND_HALF_EVEN) for amount in (report.final_equity, report.starting_equity)
    )
    net = ZERO if report.costs is None else report.costs.total.net.quantize(CENT, ROUND_HALF_EVEN)
    return final - starting, final - starting - net


def apportion(amounts: Sequence[Decimal], total: Decimal) -> list[Decimal]:
    """Amounts in cents that add up to their sum in cents, each less than a cent from what it was.

    ``total`` is that sum, exact. The cents that rounding down leaves go to those it took most from.
    """
    down = [amount.quantize(CENT, ROUND_DOWN) for amount in amounts]
    left = int((total.quantize(CENT, ROUND_HALF_EVEN) - sum(down, ZERO)) / CENT)
    step = CENT if left > 0 else -CENT
    rests = [(amount - cents) * (1 if left > 0 else -1) for amount, cents in zip(amounts, down, strict=True)]
    for place in sorted(range(len(down)), key=lambda i: -rests[i])[: abs(left)]:
        down[place] += step
    return down


def _without(part: msgspec.Struct | None, *names: str) -> dict[str, Any] | None:
    if part is None:
        return None
    return {key: value for key, value in msgspec.to_builtins(part).items() if key not in names}


def _cents(amount: Decimal) -> float:
    return float(amount.quantize(CENT, ROUND_HALF_EVEN))
