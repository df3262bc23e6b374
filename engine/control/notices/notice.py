"""What people are told, and how badly they need to know it."""

import enum
from typing import Any, Protocol, runtime_checkable

import msgspec
from msgspec import Struct

from engine.domain.errors import SluiceError


class Severity(enum.IntEnum):
    """``CRITICAL`` is a stop of trading, or what should be one: nothing holds it back."""

    INFO = 0
    WARNING = 1
    CRITICAL = 2


class Picture(Struct, frozen=True):
    """A PNG that goes with a notice."""

    name: str
    body: bytes


class Notice(Struct, frozen=True, kw_only=True):
    """One thing to tell. ``about`` and ``text`` are printable lines; ``ts_ns``: by the run's clock."""

    severity: Severity
    about: str
    text: str
    ts_ns: int
    picture: Picture | None = None

    @property
    def key(self) -> tuple[Severity, str, str]:
        """Two with the same one say the same."""
        return self.severity, self.about, self.text


class NotTold(SluiceError):
    """A message did not get through; the text has no part of an address or a secret."""


@runtime_checkable
class Channel(Protocol):
    """One way to people, open for use."""

    async def send(self, title: str, text: str, picture: Picture | None) -> None:
        """Send one message.

        Raises:
            NotTold: it did not get through.
        """

    async def close(self) -> None: ...


class Reply(Struct, frozen=True):
    """What a server answered."""

    status: int
    body: bytes

    def said(self) -> dict[str, Any]:
        """Its JSON object; empty where it is none."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return {}


def accepted(reply: Reply, *codes: str) -> None:
    """Look at an answer that says by a number in its body whether it took the message.

    Args:
        codes: names of the number in the body; the first that is there counts, and 0 is yes.

    Raises:
        NotTold: it says no, or is no such answer.
    """
    said = reply.said()
    found = next((said[name] for name in codes if name in said), None)
    if reply.status != 200 or found != 0:
        why = said.get("errmsg") or said.get("msg") or "no reason given"
        raise NotTold(f"it was not taken: {why} (status {reply.status}, code {found})")


def cut(text: str, most: int) -> str:
    """At most so many bytes of UTF-8, whole characters."""
    body = text.encode()
    return text if len(body) <= most else body[: most - 3].decode(errors="ignore") + "…"
