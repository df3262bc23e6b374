"""What AmazingData sends, as structs; every form of an answer that the contract lists is taken (contract 1 to 5)."""

import json
from datetime import date
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from engine.domain.errors import BadMessage
from engine.net.rest import Answer

T = TypeVar("T")

Number = float | None


class Envelope(Struct):
    """Around every answer. ``detail`` is what the server's framework says instead of ``message``."""

    code: int | str | None = None
    message: str | None = None
    detail: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET


class Login(Struct, frozen=True):
    access_token: str
    token_type: str = "bearer"  # noqa: S105 - a kind of token
    expires_in: float = 86_400
    """Seconds from the login on."""


class User(Struct, frozen=True):
    id: int
    username: str
    email: str | None = None
    role: str = ""
    is_active: bool = True


class SdkConfig(Struct, frozen=True):
    """One login of the data SDK behind the service; its password never comes back."""

    id: int
    name: str = ""
    username: str = ""
    host: str = ""
    port: int = 8600
    local_path: str | None = None
    is_default: bool = False
    is_active: bool | None = None
    created_at: str | None = None
    updated_at: str | None = None


class SdkConfigs(Struct, frozen=True):
    items: list[SdkConfig] = []
    total: int = 0


class SdkTest(Struct, frozen=True):
    """``response_time`` in seconds. A test that failed is a good answer with ``success`` false."""

    success: bool
    message: str = ""
    response_time: float | None = None


class CodeInfo(Struct, frozen=True):
    code: str
    name: str = ""
    market: str = ""
    type: str = ""
    pre_close: Number = None
    high_limited: Number = None
    low_limited: Number = None
    price_tick: Number = None
    security_status: str | int | None = None


class Row(Struct, frozen=True, gc=False):
    """One bar as sent; times are Asia/Shanghai wall time, under one of three names."""

    trade_date: str | int | None = None
    kline_time: str | int | None = None
    trade_time: str | int | None = None
    open: Number = None
    high: Number = None
    low: Number = None
    close: Number = None
    volume: Number = None
    amount: Number = None
    settle: Number = None
    open_interest: Number = None

    @property
    def time(self) -> str | int | None:
        """A full time goes before a mere day."""
        if self.kline_time is not None:
            return self.kline_time
        return self.trade_time if self.trade_time is not None else self.trade_date


Klines = dict[str, list[Row] | None]


class Chart(Struct, frozen=True, rename={"category_data": "categoryData"}):
    """``values`` are open, close, low, high, volume; ``volumes`` plain or [index, volume, sign]."""

    category_data: list[str | int]
    values: list[list[Number]]
    volumes: list[Number | list[Number]] = []

    def volume(self, row: int) -> float:
        entry = self.volumes[row]
        found = entry[1] if isinstance(entry, list) else entry
        return float(found or 0.0)


class Variety(Struct, frozen=True):
    """A product of a futures exchange; letter case is the exchange's."""

    code: str
    name: str = ""
    exchange: str = ""


class Detection(Struct, frozen=True):
    """What the server's cache lacks. Counts are of codes."""

    task_id: int | None = None
    status: str = ""
    total_count: int = 0
    complete_count: int = 0
    missing_count: int = 0
    error_count: int = 0
    daily_stats: dict[str, Any] = {}
    missing_codes: list[str] = []


class Started(Struct, frozen=True):
    """Answer of a call that starts work; ``task_id`` is None where there was nothing to do."""

    task_id: int | None = None
    status: str = ""
    total_count: int = 0
    missing_count: int = 0
    progress: Number = None


class Task(Struct, frozen=True):
    id: int
    status: str = ""
    progress: Number = None
    total_count: int = 0
    success_count: int = 0
    error_count: int = 0
    error_message: str | None = None
    task_type: str | None = None
    security_type: str | None = None
    period_type: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None

    @property
    def share(self) -> float:
        """Done, 0 to 1, for show: the scale of ``progress`` is not stated, so counts go before it."""
        if self.total_count > 0 and self.success_count + self.error_count:
            done = (self.success_count + self.error_count) / self.total_count
        else:
            done = self.progress or 0.0
            done = done / 100 if done > 1 else done
        return min(max(done, 0.0), 1.0)


class TaskPage(Struct, frozen=True):
    items: list[Task] = []
    total: int | None = None
    page: int | None = None
    page_size: int | None = None


class _Code(Struct, frozen=True):
    code: str


def envelope_from_wire(answer: Answer) -> Envelope:
    """The envelope; a body that is none becomes one without a code and data, its text as the message.

    A bare ``NaN`` is no JSON, but comes; it is read as null (contract 4).
    """
    try:
        return msgspec.json.decode(answer.body, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    if b"NaN" in answer.body or b"Infinity" in answer.body:
        try:
            mended = json.loads(answer.body, parse_constant=lambda _name: None)
            return msgspec.json.decode(msgspec.json.encode(mended), type=Envelope)
        except (ValueError, RecursionError, msgspec.DecodeError):
            pass
    return Envelope(message=answer.body[:200].decode("utf-8", "replace").strip() or "(no text)")


def status_of(answer: Answer, envelope: Envelope) -> int:
    """What the call came to: the HTTP status, unless that is good and the envelope's code is not."""
    if not 200 <= answer.status < 300 or envelope.code is None:
        return answer.status
    try:
        code = int(envelope.code)
    except ValueError:
        return 500
    return 200 if code == 200 else code


def words_of(envelope: Envelope) -> str:
    """The server's own words, whichever of the three forms they came in."""
    if envelope.message:
        return envelope.message
    if envelope.detail is UNSET:
        return "(no text)"
    try:
        detail = msgspec.json.decode(envelope.detail)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "(no text)"
    if isinstance(detail, list):
        return "; ".join(_complaint(entry) for entry in detail) or "(no text)"
    return str(detail)


def _complaint(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    where = ".".join(str(part) for part in entry.get("loc", ()))
    return f"{where}: {entry.get('msg', '')}".strip(": ")


def data_from_wire(answer: Answer, envelope: Envelope, kind: type[T]) -> T:
    """The payload as ``kind``.

    Raises:
        BadMessage: no payload, or one of another shape.
    """
    if envelope.data is UNSET:
        raise BadMessage(f"{answer.request}: the answer has no data", status=answer.status, body=answer.body)
    try:
        return msgspec.json.decode(envelope.data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        text = f"{answer.request}: can not be read: {error}"
        raise BadMessage(text, status=answer.status, body=answer.body) from error


def codes_from_wire(entries: list[str | dict[str, Any]]) -> list[str]:
    """Codes, sent as texts or as objects with a ``code``, once each, in the server's order.

    Raises:
        BadMessage: an object without a code.
    """
    try:
        return list(dict.fromkeys(e if isinstance(e, str) else msgspec.convert(e, _Code).code for e in entries))
    except msgspec.ValidationError as error:
        raise BadMessage(f"list of codes: {error}") from error


def varieties_from_wire(entries: list[str | Variety]) -> list[Variety]:
    return [Variety(entry) if isinstance(entry, str) else entry for entry in entries]


def day_from_wire(value: str | int) -> date:
    """``20240102``, 20240102, ``2024-01-02``, or a time of that day.

    Raises:
        BadMessage: none of these.
    """
    text = str(value).strip()
    try:
        if text[:8].isdigit():
            return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise BadMessage(f"day {text[:40]!r}: {error}") from error


def day_to_wire(day: date) -> str:
    return day.strftime("%Y%m%d")
