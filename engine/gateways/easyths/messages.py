"""The server's JSON: two generations, one result, and many shapes of failure (contracts/easyths.md 1.1, 2)."""

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from engine.domain.errors import BadMessage, GatewayError, OutcomeUnknown, Refused
from engine.net.rest import Answer, decode

T = TypeVar("T")

DONE_WORDS = frozenset({"completed", "success"})
"""The document says ``success``, the server ``completed``."""
FAILED_WORD = "failed"
WAITING_WORDS = frozenset({"queued", "running"})
CANCELED_TEXT = "操作已取消"
QUEUE_FULL = "队列已满"
PROOFS = frozenset({401, 403, 404, 422})
"""Statuses of a submit that prove that nothing was queued (contract 5.1)."""
CLIENT = "connected"

_ID = re.compile(r"[0-9A-Za-z-]{8,64}")


class Envelope(Struct, frozen=True):
    """``data`` is read by whoever knows what it is."""

    success: bool
    data: Any = None
    message: str | None = None


class Submitted(Struct, frozen=True):
    operation_id: str
    status: str = ""
    queue_position: int | None = None


class Components(Struct, frozen=True):
    automator: str


class Health(Struct, frozen=True):
    components: Components


class OperationList(Struct, frozen=True):
    operations: dict[str, Any]
    count: int = 0


class Status(Struct, frozen=True):
    status: str
    result: dict[str, Any] | None = None
    error: str | None = None
    name: str = ""


class Result(Struct, frozen=True):
    """One result as it comes; ``error`` and the doubled fields of ``data`` are the older generation's."""

    success: bool
    data: Any = None
    message: str | None = None
    error: str | None = None


class Finished(Struct, frozen=True, kw_only=True):
    """One operation at its end: what it claims, the same for both generations."""

    success: bool
    data: Any
    message: str

    @property
    def is_canceled(self) -> bool:
        """It was taken out of the queue; whether it stays so a second look tells (contract 2.2)."""
        return not self.success and self.message.startswith(CANCELED_TEXT)


def finished_from_result(result: Any) -> Finished:
    """Flat (newer) or with success, message and reason inside ``data`` (older).

    Raises:
        BadMessage: no result.
    """
    try:
        read = msgspec.convert(result, Result)
    except msgspec.ValidationError as error:
        raise BadMessage(f"result: can not be read: {error}") from error
    inner = read.data if isinstance(read.data, dict) else {}
    words = (read.message, inner.get("message"), read.error)
    return Finished(
        success=read.success and inner.get("success") is not False,
        data=read.data,
        message=next((word for word in words if isinstance(word, str) and word), ""),
    )


def result_from_wire(answer: Answer) -> tuple[Finished, bool]:
    """The answer of ``/result``, and whether it has the older generation's form.

    Raises:
        BadMessage: it can not be read.
    """
    plain = decode(answer, dict[str, Any])
    data = plain.get("data")
    if isinstance(data, dict) and "operation_id" in data and "result" in data:
        # The outer success is true whatever the inner one says.
        return finished_from_result(data["result"]), True
    return finished_from_result(plain), False


def data_from_wire(answer: Answer, kind: type[T]) -> T:
    """The ``data`` of a good envelope.

    Raises:
        Refused, OutcomeUnknown: the answer is none. BadMessage: it is another.
    """
    if answer.status != 200:
        raise failure_from_wire(answer)
    envelope = decode(answer, Envelope)
    try:
        return msgspec.convert(envelope.data, kind)
    except msgspec.ValidationError as error:
        raise BadMessage(f"{answer.request}: can not be read: {error}", body=answer.body) from error


def submitted_from_wire(answer: Answer) -> Submitted:
    """What a submit was given: its id above all.

    Raises:
        Refused: provably not queued. OutcomeUnknown: may have been.
    """
    if answer.status != 200:
        raise failure_from_wire(answer)
    try:
        given = data_from_wire(answer, Submitted)
    except BadMessage as error:
        raise OutcomeUnknown(f"{answer.request}: taken, but {error.message}", status=200, body=answer.body) from error
    if not _ID.fullmatch(given.operation_id):
        raise OutcomeUnknown(f"{answer.request}: taken, but with an id that is none", status=200, body=answer.body)
    return given


def failure_from_wire(answer: Answer) -> GatewayError:
    """Any answer but a good one: Refused where the status proves that nothing was done, else OutcomeUnknown."""
    words = failure_words(answer)
    text = f"{answer.request}: HTTP {answer.status}: {words}"
    full = answer.status == 500 and QUEUE_FULL in words
    kind = Refused if answer.status in PROOFS or full else OutcomeUnknown
    return kind(text, status=answer.status, body=answer.body)


def failure_words(answer: Answer) -> str:
    """The server's own words, from any of its shapes; the first line of a text."""
    try:
        said = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = None
    if not isinstance(said, dict):
        first = answer.body[:200].decode("utf-8", "replace").splitlines()[:1]
        return first[0] if first else "(no text)"
    detail = said.get("detail")
    if isinstance(detail, list):
        parts = [f"{_place(item)}{item.get('msg', '')}" for item in detail if isinstance(item, dict)]
    else:
        parts = [str(said[key]) for key in ("error", "message", "detail", "ip") if isinstance(said.get(key), str)]
    return ": ".join(dict.fromkeys(part for part in parts if part))[:500] or "(no text)"


def _place(item: dict[str, Any]) -> str:
    where = item.get("loc")
    return f"{'.'.join(str(part) for part in where)}: " if isinstance(where, list) else ""


def may_be_throttle(answer: Answer) -> bool:
    """The rate limiter answers 500 in plain text, as does a result that can not be written down (contract 1.1)."""
    return answer.status == 500 and answer.content_type != "application/json"
