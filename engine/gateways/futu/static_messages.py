"""System state and static data on the wire (contracts/futu.md 4)."""

from typing import Any

from msgspec import Struct

from engine.gateways.futu.quote_messages import Ask, Row, Security
from engine.gateways.futu.wire import Id


class Nothing(Ask, frozen=True, kw_only=True):
    """GET routes take no body."""


class GlobalState(Struct, frozen=True, kw_only=True):
    """Market states are QotMarketState; ``time`` is seconds since the epoch."""

    market_hk: int | None = None
    market_us: int | None = None
    market_sh: int | None = None
    market_sz: int | None = None
    market_hk_future: int | None = None
    qot_logined: bool
    trd_logined: bool
    server_ver: int | None = None
    server_build_no: int | None = None
    time: int | None = None
    local_time: float | None = None
    program_status: Any = None
    qot_svr_ip_addr: str | None = None
    trd_svr_ip_addr: str | None = None
    market_us_future: int | None = None
    conn_id: Id | None = None
    market_sg_future: int | None = None
    market_jp_future: int | None = None
    market_sg: int | None = None
    market_my: int | None = None
    market_jp: int | None = None


class UserInfo(Struct, frozen=True, kw_only=True):
    nick_name: str | None = None
    avatar_url: str | None = None
    api_level: str | None = None
    sub_quota: int | None = None
    history_kl_quota: int | None = None
    user_id: Id | None = None
    hk_qot_right: int | None = None
    us_qot_right: int | None = None
    cn_qot_right: int | None = None
    sh_qot_right: int | None = None
    sz_qot_right: int | None = None
    hk_future_qot_right: int | None = None
    hk_option_qot_right: int | None = None
    us_option_qot_right: int | None = None
    us_index_qot_right: int | None = None
    us_otc_qot_right: int | None = None
    us_future_qot_right: int | None = None
    sg_future_qot_right: int | None = None
    jp_future_qot_right: int | None = None
    cc_qot_right: int | None = None
    is_need_agree_disclaimer: bool | None = None
    update_type: int | None = None
    web_key: str | None = None


class DelayStatistics(Struct, frozen=True):
    qot_push_statistics_list: list[Row] | None = None
    req_reply_statistics_list: list[Row] | None = None
    place_order_statistics_list: list[Row] | None = None


class StaticInfoAsk(Ask, frozen=True, kw_only=True):
    market: int | None = None
    sec_type: int | None = None
    security_list: list[Security] | None = None


class StaticBasic(Struct, frozen=True, kw_only=True):
    security: Security
    id: Id | None = None
    lot_size: int | None = None
    sec_type: int | None = None
    name: str | None = None
    list_time: str | None = None
    delisting: bool | None = None
    list_timestamp: float | None = None
    exch_type: int | None = None


class StaticInfo(Struct, frozen=True, kw_only=True):
    basic: StaticBasic
    warrant_ex_data: Row | None = None
    option_ex_data: Row | None = None
    future_ex_data: Row | None = None


class StaticInfos(Struct, frozen=True):
    static_info_list: list[StaticInfo] | None = None


class MarketStateRow(Struct, frozen=True):
    security: Security
    market_state: int
    name: str | None = None


class MarketStates(Struct, frozen=True):
    market_info_list: list[MarketStateRow] | None = None
