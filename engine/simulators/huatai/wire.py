"""What goes over the wire: the envelope, the HTML pages of the development server, and how it reads a body.

The server is written in Python, and its answers show it: a value of the wrong kind comes back as the interpreter's own
sentence in the 500 envelope (contracts/ht.md 1). So bodies are read here by the very expressions, and what they raise
is what the caller gets.
"""

import json
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from engine.simulators.faults import Answer

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"
SERVER = b"Werkzeug/3.1.3 Python/3.11.9"

NOT_CONNECTED = "未连接到客户端"
MISSING = "缺少必填参数: {}"
MISSING_ON_THE_PAGE = "缺少必填参数：{}"
EXPIRED_SESSION = "会话已超时，请重新连接或登录"
INVALID_SESSION = "无效的会话ID，请重新连接或登录"

_WRONG_TYPE = (
    "415 Unsupported Media Type: Did not attempt to load JSON data because the request Content-Type was not "
    "'application/json'."
)
_PAGE = "<!doctype html>\n<html lang=en>\n<title>{status} {name}</title>\n<h1>{name}</h1>\n<p>{text}</p>\n"
_PAGES = {
    404: (
        "Not Found",
        (
            "The requested URL was not found on the server. If you entered the URL manually please check your "
            "spelling and try again."
        ),
    ),
    405: ("Method Not Allowed", "The method is not allowed for the requested URL."),
    429: ("Too Many Requests", "This user has exceeded an allotted request count. Try again later."),
    500: (
        "Internal Server Error",
        (
            "The server encountered an internal error and was unable to complete your request. Either the server is "
            "overloaded or there is an error in the application."
        ),
    ),
}

PYTHON_ERRORS = (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError)
"""What reading a body of a wrong kind raises."""


class Reply(Struct, frozen=True):
    """One envelope. HTTP says 200 whatever the code (contracts/ht.md 1)."""

    code: int
    message: str
    data: Any = None


class Unusable(Exception):
    """A body that can not be read as JSON; the text is what the server's own error says."""


class MissingField(Exception):
    """A required field is not there; its name."""


def encoded(reply: Reply) -> bytes:
    """Sorted keys, everything beyond ASCII escaped, laid out as in debug mode."""
    body = {"code": reply.code, "message": reply.message, "data": reply.data}
    return json.dumps(body, sort_keys=True, indent=2).encode() + b"\n"


def answer(reply: Reply, status: int = 200) -> Response:
    return Response(encoded(reply), status, media_type=JSON_TYPE)


def page(status: int, allow: str = "") -> Response:
    """An HTML page; ``allow`` is the header of a 405."""
    return Response(page_text(status), status, headers={"allow": allow} if allow else None, media_type=HTML_TYPE)


def page_text(status: int) -> bytes:
    name, text = _PAGES[status]
    return _PAGE.format(status=status, name=name, text=text).encode()


def page_answer(status: int) -> Answer:
    """The same for the faulty edge."""
    return Answer.of(status, HTML_TYPE, page_text(status))


async def read_json(request: Request) -> Any:
    """The body as the framework reads it: any JSON, Python's NaN and Infinity included.

    Raises:
        Unusable: another content type (the 415 text), or no JSON (the 400 text).
    """
    mimetype = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if mimetype != "application/json" and not (mimetype.startswith("application/") and mimetype.endswith("+json")):
        raise Unusable(_WRONG_TYPE)
    try:
        return json.loads(await request.body())
    except ValueError as problem:
        raise Unusable(f"400 Bad Request: Failed to decode JSON object: {problem}") from None
    except RecursionError as problem:
        raise Unusable(str(problem)) from None


def need(body: Any, *names: str) -> None:
    """Raises:
    MissingField: the first of the names that is not in the body. TypeError: the body has no names.
    """
    for name in names:
        if name not in body:
            raise MissingField(name)
