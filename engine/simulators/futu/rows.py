"""Orders, fills, positions and funds as rows of an answer: every key of the message, null where there is nothing."""

from decimal import Decimal
from typing import Any

from engine.domain.money import ZERO
from engine.domain.timestamps import SECOND_NS
from engine.simulators.futu.ledger import (
    CURRENCIES,
    HKD_PER,
    LONG,
    SHORT,
    Book,
    Execution,
    Holding,
    Order,
)
from engine.simulators.sessions import local_text

_FUNDS_NULLS = (
    "available_funds",
    "unrealized_pl",
    "realized_pl",
    "risk_level",
    "initial_margin",
    "maintenance_margin",
    "cash_info_list",
    "max_power_short",
    "net_cash_power",
    "long_mv",
    "short_mv",
    "pending_asset",
    "max_withdrawal",
    "risk_status",
    "margin_call_margin",
    "is_pdt",
    "pdt_seq",
    "beginning_dtbp",
    "remaining_dtbp",
    "dt_call_amount",
    "dt_status",
    "securities_assets",
    "fund_assets",
    "bond_assets",
    "market_info_list",
    "crypto_mv",
    "exposure_level",
    "exposure_limit",
    "used_limit",
    "remaining_limit",
)
_POSITION_NULLS = (
    "td_pl_val",
    "td_trd_val",
    "td_buy_val",
    "td_buy_qty",
    "td_sell_val",
    "td_sell_qty",
    "unrealized_pl",
    "realized_pl",
    "currency",
    "trd_market",
    "diluted_cost_price",
    "average_cost_price",
    "average_pl_ratio",
    "combo_id",
    "strategy_type",
    "position_type",
    "acc_id",
    "jp_acc_type",
    "payout_if_win",
)


def header_row(trd_env: int, acc_id: int, trd_market: int) -> dict[str, Any]:
    return {"trd_env": trd_env, "acc_id": acc_id, "trd_market": trd_market, "jp_acc_type": None}


def stamp(ts_ns: int) -> float:
    """Seconds since the epoch; rows are stamped to the millisecond."""
    return ts_ns // 1_000_000 / 1000


def order_row(order: Order) -> dict[str, Any]:
    zone = order.security.place.timetable.timezone
    return {
        "trd_side": order.side,
        "order_type": order.kind,
        "order_status": int(order.status),
        "order_id": order.order_id,
        "order_id_ex": order.order_id_ex,
        "code": order.security.code,
        "name": order.security.name,
        "qty": float(order.quantity),
        "price": float(order.price),
        "create_time": local_text(order.created_ns, zone),
        "update_time": local_text(order.updated_ns, zone),
        "fill_qty": float(order.filled),
        "fill_avg_price": order.average,
        "last_err_msg": order.error,
        "sec_market": order.security.place.sec_market,
        "create_timestamp": stamp(order.created_ns),
        "update_timestamp": stamp(order.updated_ns),
        "remark": order.remark,
        "time_in_force": order.time_in_force,
        "fill_outside_rth": order.fill_outside_rth,
        "aux_price": order.aux_price,
        "trail_type": order.trail_type,
        "trail_value": order.trail_value,
        "trail_spread": order.trail_spread,
        "currency": order.security.place.currency,
        "trd_market": order.trd_market,
        "session": order.session,
        "jp_acc_type": None,
        "expire_time": order.expire_time,
        "order_amount": None,
        "strategy_type": None,
        "combo_legs": [],
    }


def fill_row(execution: Execution) -> dict[str, Any]:
    order = execution.order
    return {
        "trd_side": order.side,
        "fill_id": execution.fill_id,
        "fill_id_ex": execution.fill_id_ex,
        "order_id": order.order_id,
        "order_id_ex": order.order_id_ex,
        "code": order.security.code,
        "name": order.security.name,
        "qty": float(execution.quantity),
        "price": float(execution.price),
        "create_time": local_text(execution.ts_ns, order.security.place.timetable.timezone),
        "counter_broker_id": None,
        "counter_broker_name": None,
        "sec_market": order.security.place.sec_market,
        "create_timestamp": stamp(execution.ts_ns),
        "update_timestamp": None if execution.updated_ns is None else stamp(execution.updated_ns),
        "status": execution.status,
        "trd_market": order.trd_market,
        "jp_acc_type": None,
    }


def position_row(book: Book, holding: Holding, price: float, day: int) -> dict[str, Any]:
    security = holding.security
    value = price * holding.quantity
    cost = float(holding.cost)
    gain = value - cost if holding.side == LONG else cost - value
    average = float(holding.average)
    markets = [market for market in security.place.trd_markets if market in book.account.markets]
    row: dict[str, Any] = {
        "position_id": holding.position_id,
        "position_side": holding.side,
        "code": security.code,
        "name": security.name,
        "qty": float(holding.quantity),
        "can_sell_qty": float(book.sellable(security, holding.side, day)),
        "price": price,
        "cost_price": average,
        "val": round(value if holding.side == LONG else -value, 4),
        "pl_val": round(gain, 4),
        "pl_ratio": round(gain / cost * 100, 4) if cost else None,
        "sec_market": security.place.sec_market,
    }
    row |= dict.fromkeys(_POSITION_NULLS)
    return row | {
        "currency": security.place.currency,
        "trd_market": markets[0] if markets else None,
        "diluted_cost_price": average,
        "realized_pl": float(holding.realized) if holding.realized else None,
    }


def funds_row(book: Book, prices: dict[str, float], currency: int) -> dict[str, Any]:
    """Totals in one currency, at fixed rates; ``prices`` reads security key -> last price."""

    def total(amounts: dict[int, Decimal]) -> float:
        amount = sum((amount * HKD_PER[number] for number, amount in amounts.items()), ZERO) / HKD_PER[currency]
        return round(float(amount), 2)

    longs, shorts = dict.fromkeys(HKD_PER, ZERO), dict.fromkeys(HKD_PER, ZERO)
    for holding in book.holdings.values():
        sums = shorts if holding.side == SHORT else longs
        sums[holding.security.place.currency] += Decimal(str(prices[holding.security.key])) * holding.quantity
    numbers = [number for number in CURRENCIES.values() if number in book.cash]
    cash, frozen = dict(book.cash), {number: book.frozen(number) for number in numbers}
    available = {number: max(ZERO, book.available(number)) for number in numbers}
    market_value = total(longs) - total(shorts)
    debt = {number: max(ZERO, -amount) for number, amount in cash.items()}
    return {
        "power": total({number: book.power(number) for number in numbers}),
        "total_assets": round(total(cash) + market_value, 2),
        "cash": total(cash),
        "market_val": round(market_value, 2),
        "frozen_cash": total(frozen),
        "debt_cash": total(debt),
        "avl_withdrawal_cash": total(available),
        "currency": currency,
        **dict.fromkeys(_FUNDS_NULLS),
        "risk_level": -1,
        "cash_info_list": [
            {
                "currency": number,
                "cash": float(cash[number]),
                "available_balance": float(available[number]),
                "net_cash_power": None,
            }
            for number in numbers
        ],
        "net_cash_power": total(available),
        "market_info_list": [],
    }


def account_row(book: Book, *, as_text: bool) -> dict[str, Any]:
    """One entry of the account list; with text ids comes the label that newer builds add."""
    account = book.account
    row: dict[str, Any] = {
        "trd_env": account.trd_env,
        "acc_id": str(account.acc_id) if as_text else account.acc_id,
        "trd_market_auth_list": list(account.markets),
        "acc_type": 2 if account.kind == "margin" else 1,
        "card_num": account.card_num,
        "security_firm": account.security_firm,
        "sim_acc_type": account.sim_acc_type,
        "uni_card_num": account.uni_card_num,
        "acc_status": 0 if account.enabled else 1,
        "acc_role": account.acc_role,
        "jp_acc_type": [],
        "competition_acc_name": None,
    }
    return row | ({"acc_label": account.label} if as_text else {})


def seconds(ts_ns: int) -> int:
    return ts_ns // SECOND_NS
