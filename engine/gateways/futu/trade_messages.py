"""Orders and fills on the wire (contracts/futu.md 4, 6, 15)."""

from msgspec import Struct

from engine.gateways.futu.account_messages import Filter, Header, HeaderAnswer
from engine.gateways.futu.quote_messages import Ask, Security
from engine.gateways.futu.wire import Id


class PacketId(Ask, frozen=True, kw_only=True, omit_defaults=False):
    """The gateway's second choice of idempotency key: a pair is used once, ever (contract 1.4)."""

    conn_id: int
    serial_no: int


# --- orders and fills ---


class OrdersAsk(Ask, frozen=True, kw_only=True):
    header: Header
    filter_conditions: Filter | None = None
    filter_status_list: list[int] | None = None
    refresh_cache: bool | None = None


class ComboLeg(Struct, frozen=True):
    code: str | None = None
    sec_market: int | None = None
    trd_side: int | None = None
    qty: float | None = None


class Order(Struct, frozen=True, kw_only=True):
    """One row of the order list, and the body of push 2208."""

    trd_side: int
    order_type: int
    order_status: int
    order_id: Id
    order_id_ex: str
    code: str
    name: str = ""
    qty: float
    price: float | None = None
    create_time: str = ""
    update_time: str = ""
    fill_qty: float | None = None
    fill_avg_price: float | None = None
    last_err_msg: str | None = None
    sec_market: int | None = None
    create_timestamp: float | None = None
    update_timestamp: float | None = None
    remark: str | None = None
    time_in_force: int | None = None
    fill_outside_rth: bool | None = None
    aux_price: float | None = None
    trail_type: int | None = None
    trail_value: float | None = None
    trail_spread: float | None = None
    currency: int | None = None
    trd_market: int | None = None
    session: int | None = None
    jp_acc_type: int | None = None
    expire_time: str | None = None
    order_amount: float | None = None
    strategy_type: int | None = None
    combo_legs: list[ComboLeg] | None = None


class Orders(Struct, frozen=True):
    header: HeaderAnswer
    order_list: list[Order] | None = None


class FillsAsk(Ask, frozen=True, kw_only=True):
    header: Header
    filter_conditions: Filter | None = None
    refresh_cache: bool | None = None


class OrderFill(Struct, frozen=True, kw_only=True):
    """One execution; ``status`` 1 was taken back, 2 was restated (contract 6.5)."""

    trd_side: int
    fill_id: Id
    fill_id_ex: str = ""
    order_id: Id | None = None
    order_id_ex: str | None = None
    code: str
    name: str = ""
    qty: float
    price: float
    create_time: str = ""
    counter_broker_id: int | None = None
    counter_broker_name: str | None = None
    sec_market: int | None = None
    create_timestamp: float | None = None
    update_timestamp: float | None = None
    status: int | None = None
    trd_market: int | None = None
    jp_acc_type: int | None = None


class OrderFills(Struct, frozen=True):
    header: HeaderAnswer
    order_fill_list: list[OrderFill] | None = None


class HistoryOrdersAsk(Ask, frozen=True, kw_only=True):
    header: Header
    filter_conditions: Filter
    filter_status_list: list[int] | None = None


class HistoryFillsAsk(Ask, frozen=True, kw_only=True):
    header: Header
    filter_conditions: Filter


class MaxTrdQtysAsk(Ask, frozen=True, kw_only=True):
    header: Header
    order_type: int
    code: str
    price: float
    order_id: int | None = None
    adjust_price: bool | None = None
    adjust_side_and_limit: float | None = None
    sec_market: int | None = None
    order_id_ex: str | None = None
    session: int | None = None
    position_id: int | None = None


class MaxTrdQtys(Struct, frozen=True):
    max_cash_buy: float
    max_position_sell: float
    max_cash_and_margin_buy: float | None = None
    max_sell_short: float | None = None
    max_buy_back: float | None = None
    long_required_im: float | None = None
    short_required_im: float | None = None
    session: int | None = None


class MaxTrdQtysAnswer(Struct, frozen=True):
    header: HeaderAnswer
    max_trd_qtys: MaxTrdQtys | None = None


class MarginRatioAsk(Ask, frozen=True, kw_only=True):
    header: Header
    security_list: list[Security]


class MarginRatioInfo(Struct, frozen=True):
    """Ratios in percent."""

    security: Security
    is_long_permit: bool | None = None
    is_short_permit: bool | None = None
    short_pool_remain: float | None = None
    short_fee_rate: float | None = None
    alert_long_ratio: float | None = None
    alert_short_ratio: float | None = None
    im_long_ratio: float | None = None
    im_short_ratio: float | None = None
    mcm_long_ratio: float | None = None
    mcm_short_ratio: float | None = None
    mm_long_ratio: float | None = None
    mm_short_ratio: float | None = None


class MarginRatios(Struct, frozen=True):
    header: HeaderAnswer
    margin_ratio_info_list: list[MarginRatioInfo] | None = None


class OrderFeeAsk(Ask, frozen=True, kw_only=True):
    """At most 400 ids a call."""

    header: Header
    order_id_ex_list: list[str]


class FeeItem(Struct, frozen=True):
    title: str | None = None
    value: float | None = None


class OrderFee(Struct, frozen=True):
    order_id_ex: str
    fee_amount: float | None = None
    fee_list: list[FeeItem] | None = None


class OrderFees(Struct, frozen=True):
    header: HeaderAnswer
    order_fee_list: list[OrderFee] | None = None


# --- writes ---


class OrderAsk(Ask, frozen=True, kw_only=True):
    packet_id: PacketId
    header: Header
    trd_side: int
    order_type: int
    code: str
    qty: float
    price: float | None = None
    adjust_price: bool | None = None
    adjust_side_and_limit: float | None = None
    sec_market: int | None = None
    time_in_force: int | None = None
    remark: str | None = None
    fill_outside_rth: bool | None = None
    aux_price: float | None = None
    trail_type: int | None = None
    trail_value: float | None = None
    trail_spread: float | None = None
    session: int | None = None
    position_id: int | None = None
    expire_time: str | None = None
    amount: float | None = None
    pred_side: int | None = None


class ModifyAsk(Ask, frozen=True, kw_only=True):
    """``modify_order_op`` 1 change, 2 cancel, 3 disable, 4 enable, 5 delete; ``qty`` is the wanted total."""

    packet_id: PacketId
    header: Header
    order_id: int
    modify_order_op: int
    for_all: bool | None = None
    trd_market: int | None = None
    qty: float | None = None
    price: float | None = None
    adjust_price: bool | None = None
    adjust_side_and_limit: float | None = None
    aux_price: float | None = None
    trail_type: int | None = None
    trail_value: float | None = None
    trail_spread: float | None = None
    order_id_ex: str | None = None


class Placed(Struct, frozen=True):
    """Of an order or a change: ids, and no state."""

    header: HeaderAnswer | None = None
    order_id: Id | None = None
    order_id_ex: str | None = None
