"""Secrets taken out of whatever is shown or kept: logs, API answers, words of others in the journal (RELIABILITY 6).

What is secret is known by its value: the environment variables that are named like secrets, and the files of
credentials a config names. Their usual disguises count too: percent-encoded, base64, MD5.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.domain.secret import Secret

STARS = "***"
SHORT = 4
"""Shorter values are no secrets, and would be found everywhere."""
_NAMES = re.compile(r"PASSWORD|PASSWD|TOKEN|SECRET|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|UNLOCK", re.IGNORECASE)
_FILES = ("key_file", "credentials_file", "password_file", "token_file")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(rb'"-?[0-9.]*"')
_SHAPES = re.compile(
    rb"(sluice_[0-9a-f]{8}_|[Bb]earer\s+|(?:session_?id|password|passwd|pwd|token|api_?key|secret)(?:=|%3[dD]))"
    rb"[^\s\"'&\\,;)}\]]+"
)
WORDS = ("reason", "text", "error", "cause", "after")
"""Fields of records that may hold somebody else's words."""
R = TypeVar("R", bound=Struct)
_HINTS = (
    b"sluice_", b"earer ", *(word + end for word in (
        b"ession_id", b"essionid", b"assword", b"asswd", b"pwd", b"oken", b"ecret", b"key"
    ) for end in (b"=", b"%3")),
)  # fmt: skip
"""Every shape has one of these: looking for them is quicker."""


class Redactor:
    """Knows secrets by value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        variants = [form for secret in secrets if len(secret) >= SHORT for form in _disguises(secret)]
        self._fields: dict[type, tuple[str, ...]] = {}
        # The longest first: one may be a part of another.
        self._variants = tuple(sorted(dict.fromkeys(variants), key=lambda form: (-len(form), form)))

    def text(self, text: str) -> str:
        """The text with stars where a secret was."""
        raw = text.encode("utf-8", "surrogatepass")
        found = self._starred(raw)
        return text if found is raw else found.decode("utf-8", "replace")

    def clean(self, body: bytes) -> bytes:
        """JSON with stars in its strings where a secret was; numbers are left alone, a password may look like one."""
        if not self._suspect(body):
            return body
        return _STRING.sub(self._in_string, body)

    def record(self, record: R) -> R:
        """A journal record with stars where the words of others hold a secret; nearly always the very same."""
        kind = record.__class__
        names = self._fields.get(kind)
        if names is None:
            names = self._fields[kind] = tuple(n for n in WORDS if n in getattr(kind, "__struct_fields__", ()))
        for name in names:
            words = getattr(record, name)
            if words and isinstance(words, str) and (clean := self.text(words)) is not words:
                record = replace(record, **{name: clean})
        return record

    def _in_string(self, match: re.Match[bytes]) -> bytes:
        string = match[0]
        if _NUMBER.fullmatch(string):
            # A figure that only has the digits of a secret among its own is a figure.
            return b'"' + STARS.encode() + b'"' if string[1:-1] in self._variants else string
        return b'"' + self._starred(string[1:-1]) + b'"'

    def _suspect(self, raw: bytes) -> bool:
        return any(form in raw for form in self._variants) or any(hint in raw for hint in _HINTS)

    def _starred(self, raw: bytes) -> bytes:
        if not self._suspect(raw):
            return raw
        found = raw
        for form in self._variants:
            if form in found:
                found = found.replace(form, STARS.encode())
        return _SHAPES.sub(rb"\1" + STARS.encode(), found)


def secrets_of(environ: Mapping[str, str], gateways: Iterable[Any] = (), files: Iterable[str] = ()) -> Iterator[str]:
    """Every secret a run may come across.

    Args:
        gateways: their settings, which may name files of credentials and variables of their own.
        files: further files of secrets.
    """
    names = [name for name in environ if _NAMES.search(name)]
    places = list(files)
    for settings in gateways:
        for field in getattr(settings, "__struct_fields__", ()):
            value = getattr(settings, field)
            if field.endswith("_env") and not field.startswith("user") and isinstance(value, str):
                names.append(value)
            elif field in _FILES and isinstance(value, str) and value:
                places.append(value)
    for name in dict.fromkeys(names):
        value = environ.get(name, "")
        yield (value.reveal() if isinstance(value, Secret) else value).strip()
    for place in places:
        yield from _words_of(Path(place))


def _words_of(path: Path) -> Iterator[str]:
    """The values in a file of credentials: what stands behind ``=`` or ``:`` in each line, or the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        if line.lstrip().startswith("#") or not re.search(r"[=:]", line):
            yield line.strip()
            continue
        name, _, value = (part.strip().strip("\"',") for part in re.split(r"([=:])", line, maxsplit=1))
        if not re.search("user", name, re.IGNORECASE):
            yield value


def _disguises(secret: str) -> Iterator[bytes]:
    raw = secret.encode("utf-8", "surrogatepass")
    yield raw
    yield msgspec.json.encode(secret)[1:-1]
    yield quote(secret, safe="").encode()
    yield quote(secret).encode()
    yield base64.b64encode(raw).rstrip(b"=")
    yield base64.urlsafe_b64encode(raw).rstrip(b"=")
    yield hashlib.md5(raw, usedforsecurity=False).hexdigest().encode()
