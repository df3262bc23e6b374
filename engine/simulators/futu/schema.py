"""Push bodies as protobuf: the messages of contracts/futu.md 10.2 and 15 in a descriptor pool of our own.

proto2, every field optional, so that a body may leave out what it does not know. Written down as ``number name type``
with the official spelling; JSON rows with snake_case keys go in, bytes come out, null is absence. Broker, TickerDetail
and the parts of Notify are numbered as in the official definitions 10.11.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from engine.simulators.futu.bodies import snake

PACKAGE = "sluice.simulated.futu"

MESSAGES = {
    "TrdHeader": "1 trdEnv int32, 2 accID uint64, 3 trdMarket int32, 4 jpAccType int32",
    "Order": (
        "1 trdSide int32, 2 orderType int32, 3 orderStatus int32, 4 orderID uint64, 5 orderIDEx string, 6 code string,"
        " 7 name string, 8 qty double, 9 price double, 10 createTime string, 11 updateTime string, 12 fillQty double,"
        " 13 fillAvgPrice double, 14 lastErrMsg string, 15 secMarket int32, 16 createTimestamp double,"
        " 17 updateTimestamp double, 18 remark string, 19 timeInForce int32, 20 fillOutsideRTH bool,"
        " 21 auxPrice double, 22 trailType int32, 23 trailValue double, 24 trailSpread double, 25 currency int32,"
        " 26 trdMarket int32, 27 session int32, 28 jpAccType int32, 29 expireTime string,"
        " 30 orderAmount double, 31 strategyType int32"
    ),
    "OrderFill": (
        "1 trdSide int32, 2 fillID uint64, 3 fillIDEx string, 4 orderID uint64, 5 orderIDEx string, 6 code string,"
        " 7 name string, 8 qty double, 9 price double, 10 createTime string, 11 counterBrokerID int32,"
        " 12 counterBrokerName string, 13 secMarket int32, 14 createTimestamp double, 15 updateTimestamp double,"
        " 16 status int32, 17 trdMarket int32, 18 jpAccType int32"
    ),
    "Security": "1 market int32, 2 code string",
    "PreAfterMarketData": (
        "1 price double, 2 highPrice double, 3 lowPrice double, 4 volume int64, 5 turnover double, 6 changeVal double,"
        " 7 changeRate double, 8 amplitude double"
    ),
    "BasicQot": (
        "1 security Security, 2 isSuspended bool, 3 listTime string, 4 priceSpread double, 5 updateTime string,"
        " 6 highPrice double, 7 openPrice double, 8 lowPrice double, 9 curPrice double, 10 lastClosePrice double,"
        " 11 volume int64, 12 turnover double, 13 turnoverRate double, 14 amplitude double, 15 darkStatus int32,"
        " 17 listTimestamp double, 18 updateTimestamp double, 19 preMarket PreAfterMarketData,"
        " 20 afterMarket PreAfterMarketData, 21 secStatus int32, 24 name string, 25 overnight PreAfterMarketData,"
        " 26 hpVolume double"
    ),
    "KLine": (
        "1 time string, 2 isBlank bool, 3 highPrice double, 4 openPrice double, 5 lowPrice double, 6 closePrice double,"
        " 7 lastClosePrice double, 8 volume int64, 9 turnover double, 10 turnoverRate double, 11 pe double,"
        " 12 changeRate double, 13 timestamp double, 14 hpVolume double"
    ),
    "Ticker": (
        "1 time string, 2 sequence int64, 3 dir int32, 4 price double, 5 volume int64, 6 turnover double,"
        " 7 recvTime double, 8 type int32, 9 typeSign int32, 10 pushDataType int32, 11 timestamp double,"
        " 12 hpVolume double"
    ),
    "OrderBookDetail": "1 orderID int64, 2 volume int64",
    "OrderBook": (
        "1 price double, 2 volume int64, 3 orederCount int32, 4 detailList OrderBookDetail[], 5 hpVolume double"
    ),
    "TimeShare": (
        "1 time string, 2 minute int32, 3 isBlank bool, 4 price double, 5 lastClosePrice double, 6 avgPrice double,"
        " 7 volume int64, 8 turnover double, 9 timestamp double, 10 hpVolume double"
    ),
    "Broker": "1 id int64, 2 name string, 3 pos int32, 4 orderID int64, 5 volume int64",
    "GtwEvent": "1 eventType int32, 2 desc string",
    "ProgramStatusInfo": "1 type int32, 2 strExtDesc string",
    "ProgramStatus": "1 programStatus ProgramStatusInfo",
    "ConnectStatus": "1 qotLogined bool, 2 trdLogined bool",
    "APILevel": "3 apiLevel string",
    "APIQuota": "1 subQuota int32, 2 historyKLQuota int32",
    "UsedQuota": "1 usedSubQuota int32, 2 usedKLineQuota int32",
    "UpdateBasicQot": "1 basicQotList BasicQot[]",
    "UpdateKL": "1 rehabType int32, 2 klType int32, 3 security Security, 4 klList KLine[], 5 name string",
    "UpdateTicker": "1 security Security, 2 tickerList Ticker[], 3 name string",
    "UpdateOrderBook": (
        "1 security Security, 2 orderBookAskList OrderBook[], 3 orderBookBidList OrderBook[], 4 svrRecvTimeBid string,"
        " 5 svrRecvTimeBidTimestamp double, 6 svrRecvTimeAsk string, 7 svrRecvTimeAskTimestamp double, 8 name string,"
        " 9 orderBookType int32"
    ),
    "UpdateRT": "1 security Security, 2 rtList TimeShare[], 3 name string",
    "UpdateBroker": "1 security Security, 2 brokerAskList Broker[], 3 brokerBidList Broker[], 4 name string",
    "UpdateOrder": "1 header TrdHeader, 2 order Order",
    "UpdateOrderFill": "1 header TrdHeader, 2 orderFill OrderFill",
    "Notify": (
        "1 type int32, 2 event GtwEvent, 3 programStatus ProgramStatus, 4 connectStatus ConnectStatus,"
        " 6 apiLevel APILevel, 7 apiQuota APIQuota, 8 usedQuota UsedQuota"
    ),
}
"""Message -> its fields."""

BODIES = {
    1003: "Notify",
    2208: "UpdateOrder",
    2218: "UpdateOrderFill",
    3005: "UpdateBasicQot",
    3007: "UpdateKL",
    3009: "UpdateRT",
    3011: "UpdateTicker",
    3013: "UpdateOrderBook",
    3015: "UpdateBroker",
}
"""proto_id -> the message in ``s2c`` of its response."""

_SCALARS = {
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
    "uint64": descriptor_pb2.FieldDescriptorProto.TYPE_UINT64,
    "double": descriptor_pb2.FieldDescriptorProto.TYPE_DOUBLE,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
}


def _describe(file: descriptor_pb2.FileDescriptorProto, name: str, fields: str) -> None:
    message = file.message_type.add(name=name)
    for text in fields.split(","):
        number, field, kind = text.split()
        listed = kind.endswith("[]")
        described = message.field.add(name=field, number=int(number))
        described.label = (
            descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
            if listed
            else descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
        )
        kind = kind.removesuffix("[]")
        if kind in _SCALARS:
            described.type = _SCALARS[kind]
        else:
            described.type = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
            described.type_name = f".{PACKAGE}.{kind}"


def _responses() -> dict[int, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(name="futu_push.proto", package=PACKAGE, syntax="proto2")
    for name, fields in MESSAGES.items():
        _describe(file, name, fields)
    for body in BODIES.values():
        _describe(file, f"{body}Response", f"1 retType int32, 2 retMsg string, 3 errCode int32, 4 s2c {body}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        proto_id: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{body}Response"))
        for proto_id, body in BODIES.items()
    }


RESPONSES = _responses()
"""proto_id -> class of the whole response."""


def encoded(proto_id: int, s2c: Mapping[str, Any]) -> bytes:
    """A successful response with this ``s2c``; keys the schema does not have are left out."""
    response: Any = RESPONSES[proto_id]()
    response.retType = 0
    _fill(response.s2c, s2c)
    response.s2c.SetInParent()
    return bytes(response.SerializeToString())


def _fill(message: Any, row: Mapping[str, Any]) -> None:
    for name, key, holds_message in _fields(message.DESCRIPTOR):
        value = row.get(key)
        if value is None:
            continue
        if not holds_message:
            setattr(message, name, value)
        elif isinstance(value, list):
            for item in value:
                _fill(getattr(message, name).add(), item)
        else:
            part = getattr(message, name)
            part.SetInParent()
            _fill(part, value)


@cache
def _fields(descriptor: Any) -> tuple[tuple[str, str, bool], ...]:
    """Of each field its name, its key in a row, and whether it holds messages; the schema is one for all time."""
    return tuple((field.name, snake(field.name), field.message_type is not None) for field in descriptor.fields)
