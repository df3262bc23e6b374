"""The forms of an answer: the envelope of a 200, and the objects of everything else (contracts/futu.md 2.2, 2.3).

Sentences quoted in the contract are exact; the others are ours and keep the words it says to match on.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

JSON_TYPE = "application/json"

MISSING_TOKEN = "missing bearer token"  # noqa: S105
INVALID_TOKEN = "invalid bearer token"  # noqa: S105
EXPIRED_TOKEN = "token expired"  # noqa: S105
BOUND_TOKEN = "token not allowed on this machine"  # noqa: S105
FORBIDDEN = "forbidden"
UNKNOWN_ROUTE = "unknown route"
BACKEND_DOWN = "backend disconnected"
LEGACY_PUSH = "sub-acc-push needs scope mode (keys file) and a bearer key"
INTERNAL = "internal server error"

LOCKED = "交易未解锁。请先调 /api/unlock-trade"
WRONG_PASSWORD = "交易密码错误"  # noqa: S105
PAUSED = "已暂停继续尝试"
NEED_OTP = "需要令牌动态密码"
WRONG_OTP = "令牌动态密码错误"
TIMED_OUT = "请求超时，最终请求结果以订单状态为准"
NOT_CHANGEABLE = "订单已不可操作"
BAD_LOT = "订单数量必须为每手股数的整数倍"
BAD_TICK = "价格不符合最小变动价位"
OUT_OF_RANGE = "价格超出允许范围"
NO_POWER = "购买力不足"
NO_POSITION = "可卖数量不足"
NO_SHORT = "该账户或证券不支持卖空"
BAD_TYPE = "该市场不支持此订单类型"
NOT_SIMULATED = "模拟交易不支持该接口"
NOT_SUBSCRIBED = "未订阅以下股票: {}"
NOT_READY = "已订阅，数据尚未就绪，请稍后再试"
QUOTA = "订阅额度不足"
TOO_EARLY = "订阅满1分钟后才可反订阅"
KLINE_QUOTA = "历史K线额度不足"


class BadRequest(Exception):
    """400: the body can not be used. Its text is the ``error``."""


class Denied(Exception):
    """401, 403, 404, 429 or 500 with ``error``; ``reason`` is the limit's name in the metrics, where it was one."""

    def __init__(self, status: int, text: str, *, reason: str | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.reason = reason


class Failed(Exception):
    """A business refusal: 200 with ``ret_type`` other than 0.

    Args:
        code: the backend's number; None where there is none. s2c: what comes along all the same.
    """

    def __init__(
        self, text: str, *, code: int | None = None, ret_type: int = -1, s2c: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.ret_type = ret_type
        self.s2c = s2c


def success(s2c: Mapping[str, Any]) -> dict[str, Any]:
    return {"ret_type": 0, "ret_msg": None, "err_code": None, "s2c": s2c}


def failure(problem: Failed, *, codes_as_text: bool = False) -> dict[str, Any]:
    code = problem.code
    shown = str(code) if code is not None and codes_as_text else code
    text = f"[err_code={'none' if code is None else code}] {problem.text}"
    return {"ret_type": problem.ret_type, "ret_msg": text, "err_code": shown, "s2c": problem.s2c}


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers=dict(headers or {}), media_type=JSON_TYPE)


def error(status: int, text: str) -> Response:
    """401 names its scheme in ``WWW-Authenticate``."""
    return answer({"error": text}, status, {"WWW-Authenticate": "Bearer"} if status == 401 else None)
