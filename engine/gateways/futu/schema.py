"""Our own small schema of the push bodies, built at run time in a private descriptor pool (contracts/futu.md 14, 15).

proto2 with every field optional: what the official definitions require may be missing in a push, and must not fail the
parse. Names of fields are the JSON keys; the numbers decide. Fields nobody here reads are left to the unknown fields.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "sluice.futu"
_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "int32": _FIELD.TYPE_INT32,
    "int64": _FIELD.TYPE_INT64,
    "uint64": _FIELD.TYPE_UINT64,
    "double": _FIELD.TYPE_DOUBLE,
    "bool": _FIELD.TYPE_BOOL,
    # Text comes as bytes: a wrong character in a name must not cost the price beside it.
    "text": _FIELD.TYPE_BYTES,
}

# Message: "number name type", * repeated.
_MESSAGES = {
    "Security": "1 market int32, 2 code text",
    "Extended": "1 price double, 2 high_price double, 3 low_price double, 4 volume int64, 5 turnover double",
    "BasicQot": "1 security Security, 2 is_suspended bool, 4 price_spread double, 5 update_time text,"
    " 6 high_price double, 7 open_price double, 8 low_price double, 9 cur_price double, 10 last_close_price double,"
    " 11 volume int64, 12 turnover double, 15 dark_status int32, 18 update_timestamp double, 19 pre_market Extended,"
    " 20 after_market Extended, 21 sec_status int32, 24 name text, 25 overnight Extended, 26 hp_volume double",
    "KLine": "1 time text, 2 is_blank bool, 3 high_price double, 4 open_price double, 5 low_price double,"
    " 6 close_price double, 7 last_close_price double, 8 volume int64, 9 turnover double, 10 turnover_rate double,"
    " 11 pe double, 12 change_rate double, 13 timestamp double, 14 hp_volume double",
    "Ticker": "1 time text, 2 sequence int64, 3 dir int32, 4 price double, 5 volume int64, 6 turnover double,"
    " 7 recv_time double, 8 type int32, 9 type_sign int32, 10 push_data_type int32, 11 timestamp double,"
    " 12 hp_volume double",
    "Detail": "1 order_id int64, 2 volume int64",
    "Level": "1 price double, 2 volume int64, 3 oreder_count int32, 4 detail_list *Detail, 5 hp_volume double",
    "TimeShare": "1 time text, 2 minute int32, 3 is_blank bool, 4 price double, 5 last_close_price double,"
    " 6 avg_price double, 7 volume int64, 8 turnover double, 9 timestamp double, 10 hp_volume double",
    "Broker": "1 id int64, 2 name text, 3 pos int32, 4 order_id int64, 5 volume int64",
    "Header": "1 trd_env int32, 2 acc_id uint64, 3 trd_market int32, 4 jp_acc_type int32",
    "Order": "1 trd_side int32, 2 order_type int32, 3 order_status int32, 4 order_id uint64, 5 order_id_ex text,"
    " 6 code text, 7 name text, 8 qty double, 9 price double, 10 create_time text, 11 update_time text,"
    " 12 fill_qty double, 13 fill_avg_price double, 14 last_err_msg text, 15 sec_market int32,"
    " 16 create_timestamp double, 17 update_timestamp double, 18 remark text, 19 time_in_force int32,"
    " 20 fill_outside_rth bool, 21 aux_price double, 22 trail_type int32, 23 trail_value double,"
    " 24 trail_spread double, 25 currency int32, 26 trd_market int32, 27 session int32, 28 jp_acc_type int32,"
    " 29 expire_time text, 30 order_amount double, 31 strategy_type int32",
    "OrderFill": "1 trd_side int32, 2 fill_id uint64, 3 fill_id_ex text, 4 order_id uint64, 5 order_id_ex text,"
    " 6 code text, 7 name text, 8 qty double, 9 price double, 10 create_time text, 11 counter_broker_id int32,"
    " 12 counter_broker_name text, 13 sec_market int32, 14 create_timestamp double, 15 update_timestamp double,"
    " 16 status int32, 17 trd_market int32, 18 jp_acc_type int32",
    "ProgramStatus": "1 type int32, 2 str_ext_desc text",
    "ConnectStatus": "1 qot_logined bool, 2 trd_logined bool",
    "UpdateBasicQot": "1 basic_qot_list *BasicQot",
    "UpdateKL": "1 rehab_type int32, 2 kl_type int32, 3 security Security, 4 kl_list *KLine, 5 name text",
    "UpdateTicker": "1 security Security, 2 ticker_list *Ticker, 3 name text",
    "UpdateOrderBook": "1 security Security, 2 order_book_ask_list *Level, 3 order_book_bid_list *Level,"
    " 4 svr_recv_time_bid text, 5 svr_recv_time_bid_timestamp double, 6 svr_recv_time_ask text,"
    " 7 svr_recv_time_ask_timestamp double, 8 name text, 9 order_book_type int32",
    "UpdateRT": "1 security Security, 2 rt_list *TimeShare, 3 name text",
    "UpdateBroker": "1 security Security, 2 broker_ask_list *Broker, 3 broker_bid_list *Broker, 4 name text",
    "UpdateOrder": "1 header Header, 2 order Order",
    "UpdateOrderFill": "1 header Header, 2 order_fill OrderFill",
    "Notify": "1 type int32, 3 program_status ProgramStatus, 4 connect_status ConnectStatus",
}
_PUSHED = {
    3005: "UpdateBasicQot", 3007: "UpdateKL", 3009: "UpdateRT", 3011: "UpdateTicker", 3013: "UpdateOrderBook",
    3015: "UpdateBroker", 2208: "UpdateOrder", 2218: "UpdateOrderFill", 1003: "Notify",
}  # fmt: skip
"""proto_id -> the message inside its ``s2c`` (contract 10.2)."""


def _message(name: str, text: str) -> Any:
    message = descriptor_pb2.DescriptorProto(name=name)
    for row in text.split(","):
        number, key, kind = row.split()
        repeated = kind.startswith("*")
        kind = kind.lstrip("*")
        field = message.field.add(name=key, number=int(number))
        field.label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
        if kind in _TYPES:
            field.type = _TYPES[kind]
        else:
            field.type = _FIELD.TYPE_MESSAGE
            field.type_name = f".{_PACKAGE}.{kind}"
    return message


def _build() -> dict[int, type[Any]]:
    file = descriptor_pb2.FileDescriptorProto(name="sluice_futu.proto", package=_PACKAGE, syntax="proto2")
    file.message_type.extend(_message(name, text) for name, text in _MESSAGES.items())
    for name in _PUSHED.values():
        wrapper = "1 ret_type int32, 2 ret_msg text, 3 err_code int32, 4 s2c "
        file.message_type.append(_message(f"{name}Response", wrapper + name))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        number: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}Response"))
        for number, name in _PUSHED.items()
    }


RESPONSES: dict[int, type[Any]] = _build()
"""proto_id -> class of the whole push message (``retType``, ``retMsg``, ``errCode``, ``s2c``)."""
