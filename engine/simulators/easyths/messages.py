"""What the server says: envelopes of both generations, its error forms, its times (contracts/easyths.md 1 and 2).

Texts quoted in the contract are exact. JSON is compact UTF-8, not escaped; an infinite number makes it impossible.
"""

import json
from typing import Any, Literal

from msgspec import Struct
from starlette.responses import PlainTextResponse, Response

from engine.domain.timestamps import datetime_from_ns
from engine.simulators.faults import Answer

Generation = Literal["new", "old"]

JSON_TYPE = "application/json"
TEXT_TYPE = "text/plain; charset=utf-8"
INTERNAL = "Internal Server Error"
NOT_FOUND = "Not Found"

UNKNOWN_OPERATION = "操作不存在"
CANNOT_CANCEL = "操作不存在或无法取消"
NOT_READY = "操作未完成或超时"
QUEUE_FULL = "队列已满，无法添加操作"
CANCELLED = "操作已取消"
SUBMITTED = "操作已添加到队列"
FOUND = "查询成功"
HEALTHY = "系统运行正常"
DONE = "操作成功"
INVALID_PARAMS = "参数验证失败：参数验证失败，请检查接口参数"
NOT_CONNECTED = "执行前检查失败：同花顺未连接或环境准备失败"
WINDOW_GONE = "执行前检查异常: (1400, 'SetForegroundWindow', '无效的窗口句柄。')"
NO_ORDERS = "没有对应的委托订单"
NO_HISTORY = "没有对应的历史委托订单"
NO_DATA = "空数据"
"""An empty table asked for as text."""
EVERY_CODE = "全部查询"

NO_KEY = {
    "error": "Unauthorized",
    "message": "Missing authentication credentials",
    "detail": "Please provide a valid API key in the Authorization header using the Bearer scheme",
}
WRONG_KEY = {
    "error": "Unauthorized",
    "message": "Invalid API key",
    "detail": "The provided API key is invalid",
}


class Unserialisable(Exception):
    """The answer can not be written as JSON: 500 as text."""


class Result(Struct, kw_only=True):
    """What an operation came to.

    ``message`` is the whole story of NEW; OLD puts it inside ``data``, or into ``error`` where ``hard`` (no data at
    all). ``readable`` is False for what no JSON can be made of. ``more_ns``: pauses
    beyond the usual ones.
    """

    success: bool
    message: str | None
    data: Any = None
    ts_ns: int = 0
    hard: bool = False
    readable: bool = True
    more_ns: int = 0


def encode(body: Any) -> bytes:
    """Raises:
    Unserialisable: a number in it is infinite.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        raise Unserialisable from None


def answer(body: Any, status: int = 200) -> Response:
    return Response(encode(body), status, media_type=JSON_TYPE)


def detail(status: int, reason: Any) -> Response:
    """An error as FastAPI words it."""
    return answer({"detail": reason}, status)


def refused(status: int, body: dict[str, str], headers: dict[str, str] | None = None) -> Response:
    """An error of the layers in front of the routes, which write their JSON with blanks."""
    return Response(json.dumps(body), status, headers=headers, media_type=JSON_TYPE)


def internal_text() -> Response:
    """An unhandled fault, a broken rate limit among them; the connection is closed after it."""
    return PlainTextResponse(INTERNAL, 500)


def not_found_text() -> Response:
    """Below ``/api`` an unknown path and a wrong method are the same."""
    return PlainTextResponse(NOT_FOUND, 404)


def broken() -> Answer:
    return Answer.of(500, TEXT_TYPE, INTERNAL.encode())


def local_text(ts_ns: int, timezone: str) -> str:
    """Naive ISO 8601; the fraction is missing where it is exactly zero."""
    return datetime_from_ns(ts_ns, timezone).replace(tzinfo=None).isoformat()


def envelope(
    data: Any, message: str, ts_ns: int, *, generation: Generation, timezone: str, success: bool = True
) -> dict[str, Any]:
    body: dict[str, Any] = {"success": success, "message": message, "data": data}
    if generation == "old":
        body["error"] = None
    return body | {"timestamp": local_text(ts_ns, timezone)}
