"""The 41 routes as data: method, path, protocol number, message, scope and fields (contracts/futu.md 4).

A field reads ``name:type`` with ``!`` where it must be there and ``[]`` where it is a list. ``user_id`` and ids that
a handler judges itself (``packet_id``, ``acc_id``) are never demanded here.
"""

from msgspec import Struct

TABLE = """
GET  /api/global-state         1002 GetGlobalState             qot:read user_id:uint64
GET  /api/user-info            1005 GetUserInfo                qot:read flag:int32
GET  /api/delay-statistics     1007 GetDelayStatistics         qot:read type_list[]:int32 qot_push_stage:int32 segment_list[]:int32
POST /api/subscribe            3001 Qot_Sub                    qot:read security_list[]:Security sub_type_list[]:int32 is_sub_or_un_sub!:bool is_reg_or_un_reg_push:bool reg_push_rehab_type_list[]:int32 is_first_push:bool is_unsub_all:bool is_sub_order_book_detail:bool extended_time:bool session:int32
GET  /api/sub-info             3003 Qot_GetSubInfo             qot:read is_req_all_conn:bool
POST /api/quote                3004 Qot_GetBasicQot            qot:read security_list[]:Security
POST /api/kline                3006 Qot_GetKL                  qot:read rehab_type!:int32 kl_type!:int32 security!:Security req_num!:int32
POST /api/orderbook            3012 Qot_GetOrderBook           qot:read security!:Security num!:int32 order_book_type:int32
POST /api/broker               3014 Qot_GetBroker              qot:read security!:Security
POST /api/ticker               3010 Qot_GetTicker              qot:read security!:Security max_ret_num!:int32
POST /api/rt                   3008 Qot_GetRT                  qot:read security!:Security
POST /api/snapshot             3203 Qot_GetSecuritySnapshot    qot:read security_list[]:Security
POST /api/static-info          3202 Qot_GetStaticInfo          qot:read market:int32 sec_type:int32 security_list[]:Security
POST /api/plate-set            3204 Qot_GetPlateSet            qot:read market!:int32 plate_set_type!:int32
POST /api/plate-security       3205 Qot_GetPlateSecurity       qot:read plate!:Security sort_field:int32 ascend:bool
POST /api/reference            3206 Qot_GetReference           qot:read security!:Security reference_type!:int32
POST /api/owner-plate          3207 Qot_GetOwnerPlate          qot:read security_list[]:Security
POST /api/option-chain         3209 Qot_GetOptionChain         qot:read owner!:Security type:int32 condition:int32 begin_time!:string end_time!:string index_option_type:int32 data_filter:any
POST /api/warrant              3210 Qot_GetWarrant             qot:read begin!:int32 num!:int32 sort_field!:int32 ascend!:bool owner:Security *
POST /api/capital-flow         3211 Qot_GetCapitalFlow         qot:read security!:Security period_type:int32 begin_time:string end_time:string
POST /api/capital-distribution 3212 Qot_GetCapitalDistribution qot:read security!:Security
POST /api/user-security        3213 Qot_GetUserSecurity        qot:read group_name!:string
POST /api/stock-filter         3215 Qot_StockFilter            qot:read begin!:int32 num!:int32 market!:int32 plate:Security base_filter_list[]:any *
POST /api/ipo-list             3217 Qot_GetIpoList             qot:read market!:int32
POST /api/future-info          3218 Qot_GetFutureInfo          qot:read security_list[]:Security
POST /api/market-state         3223 Qot_GetMarketState         qot:read security_list[]:Security
POST /api/history-kline        3103 Qot_RequestHistoryKL       qot:read rehab_type!:int32 kl_type!:int32 security!:Security begin_time!:string end_time!:string max_ack_kl_num:int32 need_kl_fields_flag:int64 next_req_key:bytes extended_time:bool session:int32
GET  /api/accounts             2001 Trd_GetAccList             acc:read user_id:uint64 trd_category:int32 need_general_sec_account:bool
POST /api/sub-acc-push         2008 Trd_SubAccPush             acc:read acc_id_list[]:uint64
POST /api/funds                2101 Trd_GetFunds               acc:read header!:TrdHeader refresh_cache:bool currency:int32 asset_category:int32
POST /api/positions            2102 Trd_GetPositionList        acc:read header!:TrdHeader filter_conditions:Filter filter_pl_ratio_min:double filter_pl_ratio_max:double refresh_cache:bool asset_category:int32 currency:int32 option_strategy_view:bool
POST /api/orders               2201 Trd_GetOrderList           acc:read header!:TrdHeader filter_conditions:Filter filter_status_list[]:int32 refresh_cache:bool
POST /api/order-fills          2211 Trd_GetOrderFillList       acc:read header!:TrdHeader filter_conditions:Filter refresh_cache:bool
POST /api/max-trd-qtys         2111 Trd_GetMaxTrdQtys          acc:read header!:TrdHeader order_type!:int32 code!:string price!:double order_id:uint64 adjust_price:bool adjust_side_and_limit:double sec_market:int32 order_id_ex:string session:int32 position_id:uint64
POST /api/history-orders       2221 Trd_GetHistoryOrderList    acc:read header!:TrdHeader filter_conditions!:Filter filter_status_list[]:int32
POST /api/history-order-fills  2222 Trd_GetHistoryOrderFillList acc:read header!:TrdHeader filter_conditions!:Filter
POST /api/margin-ratio         2223 Trd_GetMarginRatio         acc:read header!:TrdHeader security_list[]:Security
POST /api/order-fee            2225 Trd_GetOrderFee            acc:read header!:TrdHeader order_id_ex_list[]:string
POST /api/unlock-trade         2005 Trd_UnlockTrade            trade unlock!:bool pwd_md5:string security_firm:int32 acc_ids[]:uint64 sec_otp:string
POST /api/order                2202 Trd_PlaceOrder             trade packet_id:PacketID header!:TrdHeader trd_side!:int32 order_type!:int32 code!:string qty!:double price:double adjust_price:bool adjust_side_and_limit:double sec_market:int32 remark:string time_in_force:int32 fill_outside_rth:bool aux_price:double trail_type:int32 trail_value:double trail_spread:double session:int32 position_id:uint64 expire_time:string amount:double pred_side:int32
POST /api/modify-order         2205 Trd_ModifyOrder            trade packet_id:PacketID header!:TrdHeader order_id:uint64 modify_order_op!:int32 for_all:bool trd_market:int32 qty:double price:double adjust_price:bool adjust_side_and_limit:double aux_price:double trail_type:int32 trail_value:double trail_spread:double order_id_ex:string
"""  # noqa: E501


class Field(Struct, frozen=True):
    name: str
    type: str
    is_list: bool
    required: bool


class Route(Struct, frozen=True, kw_only=True):
    """One route; ``open_ended``: filters beyond the listed fields are taken unread."""

    method: str
    path: str
    proto_id: int
    message: str
    scope: str
    fields: dict[str, Field]
    open_ended: bool

    @property
    def is_trade_write(self) -> bool:
        """Rate and hours stand before its body is read: place, change and cancel."""
        return self.path in {"/api/order", "/api/modify-order"}


def _field(text: str) -> Field:
    name, kind = text.split(":")
    bare = name.rstrip("!").removesuffix("[]")
    return Field(bare, kind, name.endswith("[]"), name.endswith("!"))


def _route(line: str) -> Route:
    method, path, proto_id, message, scope, *fields = line.split()
    found = {field.name: field for field in map(_field, (text for text in fields if text != "*"))}
    return Route(
        method=method,
        path=path,
        proto_id=int(proto_id),
        message=message,
        scope=scope,
        fields=found,
        open_ended="*" in fields,
    )


ROUTES = {route.path: route for route in map(_route, TABLE.strip().splitlines())}

MESSAGES = {
    "Security": {"market": "int32", "code": "string"},
    "TrdHeader": {"trd_env": "int32", "acc_id": "uint64", "trd_market": "int32", "jp_acc_type": "int32"},
    "PacketID": {"conn_id": "uint64", "serial_no": "uint32"},
    "Filter": {
        "code_list": "string[]",
        "id_list": "uint64[]",
        "begin_time": "string",
        "end_time": "string",
        "order_id_ex_list": "string[]",
        "filter_market": "int32",
    },
}
"""Messages inside of requests: field -> type."""
