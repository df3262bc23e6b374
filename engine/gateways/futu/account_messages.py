"""Accounts, funds and positions on the wire (contracts/futu.md 4, 6.6, 15).

Questions leave out what is not set. Answers read nulls, unknown keys and ids in either form; only what the official
protocol requires, and what we could not do without, must be there.
"""

from msgspec import Struct, field

from engine.gateways.futu.quote_messages import Ask
from engine.gateways.futu.wire import Id


class Header(Ask, frozen=True, kw_only=True, omit_defaults=False):
    """TrdHeader: which account, where. Always complete: a missing environment is refused, a wrong one is not."""

    trd_env: int
    acc_id: int
    trd_market: int


class HeaderAnswer(Struct, frozen=True):
    trd_env: int
    acc_id: Id
    trd_market: int
    jp_acc_type: int | None = None


class Filter(Ask, frozen=True, kw_only=True):
    """TrdFilterConditions; times are ``YYYY-MM-DD HH:MM:SS`` of the market."""

    code_list: list[str] | None = None
    id_list: list[int] | None = None
    begin_time: str | None = None
    end_time: str | None = None
    order_id_ex_list: list[str] | None = None
    filter_market: int | None = None


# --- accounts ---


class TradeAccount(Struct, frozen=True):
    trd_env: int
    acc_id: Id
    trd_market_auth_list: list[int] = field(default_factory=list)
    acc_type: int | None = None
    card_num: str | None = None
    security_firm: int | None = None
    sim_acc_type: int | None = None
    uni_card_num: str | None = None
    acc_status: int | None = None
    acc_role: int | None = None
    jp_acc_type: list[int] | None = None
    competition_acc_name: str | None = None
    acc_label: str | None = None


class Accounts(Struct, frozen=True):
    acc_list: list[TradeAccount]


class SubAccPushAsk(Ask, frozen=True, kw_only=True):
    acc_id_list: list[int]


class Empty(Struct, frozen=True):
    """An answer that says only: taken."""


class UnlockAsk(Ask, frozen=True, kw_only=True):
    unlock: bool
    pwd_md5: str | None = None
    security_firm: int | None = None
    acc_ids: list[int] | None = None
    sec_otp: str | None = None


class UnlockResult(Struct, frozen=True):
    acc_id: Id
    success: bool = False
    security_firm: int | None = None
    error_msg: str | None = None


class Unlocked(Struct, frozen=True):
    need_otp: bool | None = None
    account_result_list: list[UnlockResult] | None = None


# --- funds and positions ---


class FundsAsk(Ask, frozen=True, kw_only=True):
    header: Header
    refresh_cache: bool | None = None
    currency: int | None = None
    asset_category: int | None = None


class CashInfo(Struct, frozen=True):
    currency: int | None = None
    cash: float | None = None
    available_balance: float | None = None
    net_cash_power: float | None = None


class MarketInfo(Struct, frozen=True):
    """AccMarketInfo: assets by market."""

    trd_market: int | None = None
    assets: float | None = None


class Funds(Struct, frozen=True):
    power: float
    total_assets: float
    cash: float
    market_val: float
    frozen_cash: float
    debt_cash: float
    avl_withdrawal_cash: float
    currency: int | None = None
    available_funds: float | None = None
    unrealized_pl: float | None = None
    realized_pl: float | None = None
    risk_level: int | None = None
    initial_margin: float | None = None
    maintenance_margin: float | None = None
    cash_info_list: list[CashInfo] | None = None
    max_power_short: float | None = None
    net_cash_power: float | None = None
    long_mv: float | None = None
    short_mv: float | None = None
    pending_asset: float | None = None
    max_withdrawal: float | None = None
    risk_status: int | None = None
    margin_call_margin: float | None = None
    is_pdt: bool | None = None
    pdt_seq: str | None = None
    beginning_dtbp: float | None = None
    remaining_dtbp: float | None = None
    dt_call_amount: float | None = None
    dt_status: int | None = None
    securities_assets: float | None = None
    fund_assets: float | None = None
    bond_assets: float | None = None
    market_info_list: list[MarketInfo] | None = None
    crypto_mv: float | None = None
    exposure_level: int | None = None
    exposure_limit: float | None = None
    used_limit: float | None = None
    remaining_limit: float | None = None
    currency_warning: str | None = None


class FundsAnswer(Struct, frozen=True):
    header: HeaderAnswer
    funds: Funds | None = None


class PositionsAsk(Ask, frozen=True, kw_only=True):
    header: Header
    filter_conditions: Filter | None = None
    filter_pl_ratio_min: float | None = None
    filter_pl_ratio_max: float | None = None
    refresh_cache: bool | None = None
    asset_category: int | None = None
    currency: int | None = None
    option_strategy_view: bool | None = None


class Position(Struct, frozen=True):
    """``pl_ratio`` is percent; a short position has ``position_side`` 1."""

    position_id: Id
    position_side: int
    code: str
    name: str
    qty: float
    can_sell_qty: float
    price: float
    val: float
    pl_val: float
    cost_price: float | None = None
    pl_ratio: float | None = None
    sec_market: int | None = None
    td_pl_val: float | None = None
    td_trd_val: float | None = None
    td_buy_val: float | None = None
    td_buy_qty: float | None = None
    td_sell_val: float | None = None
    td_sell_qty: float | None = None
    unrealized_pl: float | None = None
    realized_pl: float | None = None
    currency: int | None = None
    trd_market: int | None = None
    diluted_cost_price: float | None = None
    average_cost_price: float | None = None
    average_pl_ratio: float | None = None
    combo_id: Id | None = None
    strategy_type: int | None = None
    position_type: int | None = None
    acc_id: Id | None = None
    jp_acc_type: int | None = None
    payout_if_win: float | None = None


class Positions(Struct, frozen=True):
    header: HeaderAnswer
    position_list: list[Position] | None = None
