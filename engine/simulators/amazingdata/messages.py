"""Texts and envelope of the platform's answers (contracts/amazingdata.md 1; examples beside it).

Texts of the vendor's page and of the examples are exact; the others are made up in their style.
"""

import json
from typing import Any, NamedTuple

import msgspec

SUCCESS = "success"
LOGGED_IN = "登录成功"
CREATED = "创建成功"
DETECTED = "检测完成"
TASK_CREATED = "任务已创建"
NOTHING_MISSING = "没有缺失数据"

BAD_LOGIN = "用户名或密码错误"
BAD_TOKEN = "Token无效或已过期"  # noqa: S105
FORBIDDEN = "禁止访问"
BAD_DATE = "日期格式错误"
NO_CODES = "代码列表不能为空"
NAME_TAKEN = "配置名称已存在"
NO_CONFIG = "配置不存在"
NO_TASK = "任务不存在"
SDK_DOWN = "SDK未登录或连接断开"
SDK_TIMEOUT = "SDK登录失败: 连接超时"
SDK_BAD_LOGIN = "登录失败: 用户名或密码错误"
SDK_CONNECTED = "连接成功"

JSON_TYPE = "application/json"


class Said(NamedTuple):
    """The data of a good answer, its message and HTTP status."""

    data: Any
    message: str = SUCCESS
    status: int = 200


class Failure(Exception):
    """An answer with one of the page's error codes; its text is the platform's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Invalid(Exception):
    """Parameters of the wrong shape: HTTP 422 with the framework's list."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__("validation")
        self.problems = problems


def encode(body: Any) -> bytes:
    """JSON as the framework writes it: no blanks, Chinese as it is."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        # Half a surrogate pair, echoed: escaped, as it came.
        return json.dumps(body, separators=(",", ":")).encode()


def envelope(code: int, message: str, data: Any = None) -> dict[str, Any]:
    return {"code": code, "message": message, "data": data}


def bad_type(text: str) -> Failure:
    return Failure(400, f"不支持的证券类型: {text}")


def bad_period(text: str) -> Failure:
    return Failure(400, f"不支持的周期: {text}")


def bad_market(text: str) -> Failure:
    return Failure(400, f"不支持的市场: {text}")


def bad_contract_type(text: str) -> Failure:
    return Failure(400, f"不支持的合约类型: {text}")


def too_many_codes(most: int) -> Failure:
    return Failure(400, f"单次最多查询{most}个代码")


def unknown_code(code: str) -> Failure:
    return Failure(404, f"证券不存在: {code}")
