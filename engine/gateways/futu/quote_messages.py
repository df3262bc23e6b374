"""Market data and subscriptions on the wire (contracts/futu.md 4, 15).

Messages whose fields the contract lists are typed to the field; those it only names (warrants, filters, options) keep
their rows as plain JSON, ``Row``.
"""

from typing import Any

from msgspec import Struct

from engine.gateways.futu.wire import Id

Row = dict[str, Any]


class Ask(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A question's body: what is not set is left out."""


class Security(Struct, frozen=True):
    """``market`` is a QotMarket."""

    market: int
    code: str


# --- subscriptions ---


class SubscribeAsk(Ask, frozen=True, kw_only=True):
    security_list: list[Security]
    sub_type_list: list[int]
    is_sub_or_un_sub: bool
    is_reg_or_un_reg_push: bool | None = None
    reg_push_rehab_type_list: list[int] | None = None
    is_first_push: bool | None = None
    is_unsub_all: bool | None = None
    is_sub_order_book_detail: bool | None = None
    extended_time: bool | None = None
    session: int | None = None


class Subscribed(Struct, frozen=True):
    """An answer that says only: taken."""


class SubInfoList(Struct, frozen=True):
    sub_type: int
    security_list: list[Security] | None = None


class ConnSubInfo(Struct, frozen=True):
    sub_info_list: list[SubInfoList] | None = None
    used_quota: int | None = None
    is_own_conn_data: bool | None = None
    security_firm: int | None = None
    option_used_quota: int | None = None


class SubInfo(Struct, frozen=True, kw_only=True):
    conn_sub_info_list: list[ConnSubInfo] | None = None
    total_used_quota: int
    remain_quota: int
    option_used_quota: int | None = None
    option_remain_quota: int | None = None


# --- pulled data ---


class SecuritiesAsk(Ask, frozen=True, kw_only=True):
    security_list: list[Security]


class SecurityAsk(Ask, frozen=True, kw_only=True):
    security: Security


class ExtendedHours(Struct, frozen=True):
    """PreAfterMarketData."""

    price: float | None = None
    high_price: float | None = None
    low_price: float | None = None
    volume: int | None = None
    turnover: float | None = None
    change_val: float | None = None
    change_rate: float | None = None
    amplitude: float | None = None


class BasicQot(Struct, frozen=True, kw_only=True):
    security: Security
    is_suspended: bool | None = None
    list_time: str | None = None
    price_spread: float | None = None
    update_time: str | None = None
    high_price: float | None = None
    open_price: float | None = None
    low_price: float | None = None
    cur_price: float
    last_close_price: float | None = None
    volume: int | None = None
    turnover: float | None = None
    turnover_rate: float | None = None
    amplitude: float | None = None
    dark_status: int | None = None
    option_ex_data: Row | None = None
    list_timestamp: float | None = None
    update_timestamp: float | None = None
    pre_market: ExtendedHours | None = None
    after_market: ExtendedHours | None = None
    sec_status: int | None = None
    future_ex_data: Row | None = None
    warrant_ex_data: Row | None = None
    name: str | None = None
    overnight: ExtendedHours | None = None
    hp_volume: float | None = None


class Quotes(Struct, frozen=True):
    basic_qot_list: list[BasicQot] | None = None


class KlineAsk(Ask, frozen=True, kw_only=True):
    rehab_type: int
    kl_type: int
    security: Security
    req_num: int


class KLine(Struct, frozen=True, kw_only=True):
    """``time`` is the bar's end; daily bars are stamped 00:00:00 of their day (contract 1.8)."""

    time: str
    is_blank: bool | None = None
    high_price: float | None = None
    open_price: float | None = None
    low_price: float | None = None
    close_price: float | None = None
    last_close_price: float | None = None
    volume: int | None = None
    turnover: float | None = None
    turnover_rate: float | None = None
    pe: float | None = None
    change_rate: float | None = None
    timestamp: float | None = None
    hp_volume: float | None = None


class Klines(Struct, frozen=True):
    security: Security
    kl_list: list[KLine] | None = None
    name: str | None = None


class HistoryKlineAsk(Ask, frozen=True, kw_only=True):
    """All but ``next_req_key`` stays the same from page to page (contract 9)."""

    rehab_type: int
    kl_type: int
    security: Security
    begin_time: str
    end_time: str
    max_count: int = 0
    need_kl_fields_flag: int | None = None
    next_req_key: list[int] | None = None
    extended_time: bool | None = None
    session: int | None = None


class HistoryKlines(Struct, frozen=True):
    security: Security
    kl_list: list[KLine] | None = None
    next_req_key: list[int] | None = None
    name: str | None = None


class OrderbookAsk(Ask, frozen=True, kw_only=True):
    security: Security
    num: int
    order_book_type: int | None = None


class OrderDetail(Struct, frozen=True):
    order_id: Id
    volume: int


class BookRow(Struct, frozen=True):
    """One level; the spelling of the count is the protocol's own."""

    price: float
    volume: int
    oreder_count: int | None = None
    detail_list: list[OrderDetail] | None = None
    hp_volume: float | None = None


class Book(Struct, frozen=True):
    security: Security
    order_book_ask_list: list[BookRow] | None = None
    order_book_bid_list: list[BookRow] | None = None
    svr_recv_time_bid: str | None = None
    svr_recv_time_bid_timestamp: float | None = None
    svr_recv_time_ask: str | None = None
    svr_recv_time_ask_timestamp: float | None = None
    name: str | None = None
    order_book_type: int | None = None


class BrokerRow(Struct, frozen=True):
    id: int | None = None
    name: str | None = None
    pos: int | None = None
    order_id: Id | None = None
    volume: int | None = None


class Brokers(Struct, frozen=True):
    security: Security
    broker_ask_list: list[BrokerRow] | None = None
    broker_bid_list: list[BrokerRow] | None = None
    name: str | None = None


class TickerAsk(Ask, frozen=True, kw_only=True):
    security: Security
    max_ret_num: int


class Ticker(Struct, frozen=True, kw_only=True):
    """``dir`` 1 buyer-initiated, 2 seller-initiated, 3 neutral (contract 5)."""

    time: str | None = None
    sequence: Id
    dir: int | None = None
    price: float
    volume: int
    turnover: float | None = None
    recv_time: float | None = None
    type: int | None = None
    type_sign: int | None = None
    push_data_type: int | None = None
    timestamp: float | None = None
    hp_volume: float | None = None


class Tickers(Struct, frozen=True):
    security: Security
    ticker_list: list[Ticker] | None = None
    name: str | None = None


class TimeShare(Struct, frozen=True, kw_only=True):
    time: str | None = None
    minute: int | None = None
    is_blank: bool | None = None
    price: float | None = None
    last_close_price: float | None = None
    avg_price: float | None = None
    volume: int | None = None
    turnover: float | None = None
    timestamp: float | None = None
    hp_volume: float | None = None


class TimeShares(Struct, frozen=True):
    security: Security
    rt_list: list[TimeShare] | None = None
    name: str | None = None


class SnapshotBasic(Struct, frozen=True, kw_only=True):
    security: Security
    name: str | None = None
    type: int | None = None
    is_suspend: bool | None = None
    list_time: str | None = None
    lot_size: int | None = None
    price_spread: float | None = None
    update_time: str | None = None
    high_price: float | None = None
    open_price: float | None = None
    low_price: float | None = None
    last_close_price: float | None = None
    cur_price: float | None = None
    volume: int | None = None
    turnover: float | None = None
    turnover_rate: float | None = None
    update_timestamp: float | None = None
    ask_price: float | None = None
    bid_price: float | None = None
    ask_vol: int | None = None
    bid_vol: int | None = None
    enable_margin: bool | None = None
    enable_short_sell: bool | None = None
    sec_status: int | None = None
    list_timestamp: float | None = None
    mortgage_ratio: float | None = None
    long_margin_initial_ratio: float | None = None
    short_sell_rate: float | None = None
    short_available_volume: int | None = None
    short_margin_initial_ratio: float | None = None
    amplitude: float | None = None
    avg_price: float | None = None
    bid_ask_ratio: float | None = None
    volume_ratio: float | None = None
    highest52_weeks_price: float | None = None
    lowest52_weeks_price: float | None = None
    highest_history_price: float | None = None
    lowest_history_price: float | None = None
    pre_market: ExtendedHours | None = None
    after_market: ExtendedHours | None = None
    close_price5_minute: float | None = None
    overnight: ExtendedHours | None = None
    hp_volume: float | None = None
    hp_ask_vol: float | None = None
    hp_bid_vol: float | None = None
    exchange_code: str | int | None = None


class Snapshot(Struct, frozen=True, kw_only=True):
    basic: SnapshotBasic
    equity_ex_data: Row | None = None
    warrant_ex_data: Row | None = None
    option_ex_data: Row | None = None
    index_ex_data: Row | None = None
    plate_ex_data: Row | None = None
    future_ex_data: Row | None = None
    trust_ex_data: Row | None = None


class Snapshots(Struct, frozen=True):
    snapshot_list: list[Snapshot] | None = None
