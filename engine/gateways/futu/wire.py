"""The form of every answer: envelope, ids that may be numbers or texts, times, and failures as our errors."""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from engine.domain.errors import BadMessage, GatewayError, OutcomeUnknown, Refused
from engine.domain.timestamps import parse_time
from engine.gateways.futu import texts
from engine.net.rest import Answer

T = TypeVar("T")

OK, FAILED = 0, -1
PROOFS = frozenset({400, 401, 403, 404, 429})
"""Statuses that prove that nothing was done (RELIABILITY 3.5, last paragraph)."""


class Id(str):
    """An id as text: uint64 may pass 2^63, and comes as a number or as a text (contract 1.6)."""

    __slots__ = ()


class Envelope(Struct, frozen=True):
    """Around every answer with status 200; ``s2c`` is the message itself."""

    ret_type: int
    ret_msg: str | None = None
    err_code: int | str | None = None
    s2c: msgspec.Raw = msgspec.Raw(b"null")


class Failure(Struct, frozen=True):
    error: str


def _read_custom(kind: type, value: Any) -> Any:
    if kind is Id:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"an id is a number or a text, not {type(value).__name__}")
        text = str(value)
        if not text.isascii() or not text.isprintable() or len(text) > 128:
            raise ValueError("an id of characters no id has")
        return Id(text)
    raise NotImplementedError(kind)


_ENVELOPES = msgspec.json.Decoder(Envelope)
_FAILURES = msgspec.json.Decoder(Failure)
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError)


def read(body: bytes | msgspec.Raw, kind: type[T], origin: str) -> T:
    """JSON as ``kind``, ids as text.

    Raises:
        BadMessage: not JSON of that shape.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind, dec_hook=_read_custom)
    try:
        found: T = decoder.decode(body)
    except _UNREADABLE as error:
        raise BadMessage(f"{origin}: can not be read: {error}", body=bytes(body)) from error
    return found


def answer_from_wire(answer: Answer, kind: type[T], now_ns: int) -> T:
    """The message of a good answer.

    Raises:
        Refused: provably not done. OutcomeUnknown: may have been done. BadMessage: status 200 that can not be read.
    """
    envelope = envelope_from_wire(answer, now_ns)
    if envelope.ret_type != OK:
        raise failure_from_envelope(envelope, answer)
    body = bytes(envelope.s2c)
    return read(b"{}" if body == b"null" else body, kind, answer.request)


def envelope_from_wire(answer: Answer, now_ns: int) -> Envelope:
    """The envelope of an answer with status 200.

    Raises:
        Refused, OutcomeUnknown: by status. BadMessage: status 200 without an envelope.
    """
    if answer.status != 200:
        raise failure_from_status(answer, now_ns)
    try:
        return _ENVELOPES.decode(answer.body)
    except _UNREADABLE as error:
        raise BadMessage(f"{answer.request}: can not be read: {error}", status=200, body=answer.body) from error


def failure_from_envelope(envelope: Envelope, answer: Answer) -> GatewayError:
    """A business failure: refused, unless its code or return type leaves the outcome open (contract 2.2, 6.3)."""
    text = envelope.ret_msg or ""
    code = code_of_failure(envelope)
    words = texts.sentence_from_text(text) or f"ret_type {envelope.ret_type} without a word"
    message = f"{answer.request}: {words}"
    if envelope.ret_type != FAILED or code in texts.TIMEOUT_CODES:
        return OutcomeUnknown(message, status=200, body=answer.body)
    return Refused(message, status=200, body=answer.body, retry_after_ns=texts.frequency_wait_ns(text))


def code_of_failure(envelope: Envelope) -> str:
    """The backend's code, from its own field or from the front of the sentence; empty if there is none."""
    if envelope.err_code is not None and str(envelope.err_code) not in ("", "none"):
        return str(envelope.err_code)
    return texts.code_from_text(envelope.ret_msg or "")


def failure_from_status(answer: Answer, now_ns: int) -> GatewayError:
    """Any status but 200: the listed ones prove that nothing was done, the rest proves nothing."""
    words = failure_words(answer)
    message = f"{answer.request}: HTTP {answer.status}: {words}"
    if answer.status not in PROOFS:
        return OutcomeUnknown(message, status=answer.status, body=answer.body)
    limit = texts.limit_from_text(answer.status, words, answer.retry_after_ns(now_ns))
    wait = limit.retry_after_ns if limit is not None else None
    return Refused(message, status=answer.status, body=answer.body, retry_after_ns=wait)


def failure_words(answer: Answer) -> str:
    """The ``error`` of a failure, or the first line of a text."""
    try:
        return _FAILURES.decode(answer.body).error
    except _UNREADABLE:
        first = answer.body[:200].decode("utf-8", "replace").splitlines()[:1]
        return first[0] if first else "(no text)"


def instant_from_wire(timestamp: float | None, text: str | None, timezone: str) -> int:
    """Nanoseconds UTC of an update: its timestamp if there is one, else its local text; 0 if neither can be read."""
    if timestamp is not None and 0 < timestamp < 1e11:
        # To the microsecond: the float holds no more.
        return round(timestamp * 1_000_000) * 1000
    if not text:
        return 0
    try:
        return parse_time(text, timezone)
    except ValueError:
        return 0


def whole_from_wire(value: float, what: str) -> int:
    """A quantity: the protocol's double that must be a whole number.

    Raises:
        BadMessage: it is not.
    """
    if not -1e15 < value < 1e15 or value != int(value):
        raise BadMessage(f"{what}: {value!r} is no whole quantity")
    return int(value)
