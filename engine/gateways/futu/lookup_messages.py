"""Plates, options, warrants, flows and filters on the wire (contracts/futu.md 4): what a person or a study looks up."""

from typing import Any

from msgspec import Struct

from engine.gateways.futu.quote_messages import Ask, Row, Security


class PlateSetAsk(Ask, frozen=True, kw_only=True):
    market: int
    plate_set_type: int


class PlateInfo(Struct, frozen=True):
    plate: Security
    name: str | None = None
    plate_type: int | None = None


class PlateSet(Struct, frozen=True):
    plate_info_list: list[PlateInfo] | None = None


class PlateSecurityAsk(Ask, frozen=True, kw_only=True):
    plate: Security
    sort_field: int | None = None
    ascend: bool | None = None


class ReferenceAsk(Ask, frozen=True, kw_only=True):
    security: Security
    reference_type: int


class OwnerPlate(Struct, frozen=True):
    security: Security
    plate_info_list: list[PlateInfo] | None = None
    name: str | None = None


class OwnerPlates(Struct, frozen=True):
    owner_plate_list: list[OwnerPlate] | None = None


class OptionChainAsk(Ask, frozen=True, kw_only=True):
    """``begin_time`` and ``end_time`` are days of expiry."""

    owner: Security
    begin_time: str
    end_time: str
    type: int | None = None
    condition: int | None = None
    index_option_type: int | None = None
    data_filter: Row | None = None


class OptionChains(Struct, frozen=True):
    option_chain: list[Row] | None = None


class WarrantAsk(Ask, frozen=True, kw_only=True):
    begin: int
    num: int
    sort_field: int
    ascend: bool
    owner: Security | None = None
    type_list: list[int] | None = None
    issuer_list: list[int] | None = None
    maturity_time_min: str | None = None
    maturity_time_max: str | None = None
    ipo_period: int | None = None
    price_type: int | None = None
    status: int | None = None
    cur_price_min: float | None = None
    cur_price_max: float | None = None
    strike_price_min: float | None = None
    strike_price_max: float | None = None
    street_min: float | None = None
    street_max: float | None = None
    conversion_min: float | None = None
    conversion_max: float | None = None
    vol_min: int | None = None
    vol_max: int | None = None
    premium_min: float | None = None
    premium_max: float | None = None
    leverage_ratio_min: float | None = None
    leverage_ratio_max: float | None = None
    delta_min: float | None = None
    delta_max: float | None = None
    implied_min: float | None = None
    implied_max: float | None = None
    recovery_price_min: float | None = None
    recovery_price_max: float | None = None
    price_recovery_ratio_min: float | None = None
    price_recovery_ratio_max: float | None = None


class Warrants(Struct, frozen=True):
    last_page: bool
    all_count: int
    warrant_data_list: list[Row] | None = None


class CapitalFlowAsk(Ask, frozen=True, kw_only=True):
    security: Security
    period_type: int | None = None
    begin_time: str | None = None
    end_time: str | None = None


class CapitalFlow(Struct, frozen=True):
    flow_item_list: list[Row] | None = None
    last_valid_time: str | None = None
    last_valid_timestamp: float | None = None


class CapitalDistribution(Struct, frozen=True, kw_only=True):
    capital_in_big: float
    capital_in_mid: float
    capital_in_small: float
    capital_out_big: float
    capital_out_mid: float
    capital_out_small: float
    update_time: str | None = None
    update_timestamp: float | None = None
    capital_in_super: float | None = None
    capital_out_super: float | None = None


class UserSecurityAsk(Ask, frozen=True, kw_only=True):
    group_name: str


class StockFilterAsk(Ask, frozen=True, kw_only=True):
    begin: int
    num: int
    market: int
    plate: Security | None = None
    base_filter_list: list[Row] | None = None
    accumulate_filter_list: list[Row] | None = None
    financial_filter_list: list[Row] | None = None
    pattern_filter_list: list[Row] | None = None
    custom_indicator_filter_list: list[Row] | None = None


class FilteredStocks(Struct, frozen=True):
    last_page: bool
    all_count: int
    data_list: list[Row] | None = None


class IpoListAsk(Ask, frozen=True, kw_only=True):
    market: int


class IpoList(Struct, frozen=True):
    ipo_list: list[Row] | None = None


class FutureInfos(Struct, frozen=True):
    future_info_list: list[dict[str, Any]] | None = None
