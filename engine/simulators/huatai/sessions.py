"""Sessions of the server: UUID4 ids in memory, thirty minutes idle at most (contracts/ht.md 2).

The one made by the automatic login serves calls without an id. It expires like the others, and nothing makes it anew
but a restart.
"""

from typing import Any

from msgspec import Struct

from engine.entropy import Entropy
from engine.simulators.huatai.wire import EXPIRED_SESSION, INVALID_SESSION
from engine.simulators.sessions import local_text


class Session(Struct):
    id: str
    created_ns: int
    active_ns: int


class SessionRefused(Exception):
    """HTTP 401; the text is the envelope's message."""


class SessionBook:
    """Who may call.

    Args:
        idle_ns: a session ends when more than this went by since its last accepted call.
    """

    def __init__(self, entropy: Entropy, idle_ns: int, timezone: str) -> None:
        self.automatic: str | None = None
        """Id of the automatic login's session."""
        self._open: dict[str, Session] = {}
        self._draw = entropy.stream("huatai/sessions")
        self._idle_ns = idle_ns
        self._timezone = timezone

    def open(self, now_ns: int) -> str:
        """The id of a new session."""
        session = Session(self._uuid4(), now_ns, now_ns)
        self._open[session.id] = session
        return session.id

    def admit(self, session_id: str, now_ns: int) -> str:
        """The id of the session a call runs under; an empty one asks for the automatic login's.

        Raises:
            SessionRefused: expired (said once), or not known.
        """
        name = session_id or self.automatic or ""
        session = self._open.get(name)
        if session is None:
            raise SessionRefused(INVALID_SESSION)
        if now_ns - session.active_ns > self._idle_ns:
            self.close(name)
            raise SessionRefused(EXPIRED_SESSION)
        session.active_ns = now_ns
        return name

    def close(self, session_id: str) -> None:
        self._open.pop(session_id, None)
        if session_id == self.automatic:
            self.automatic = None

    def clear(self) -> None:
        """What a restart does."""
        self._open.clear()
        self.automatic = None

    def log_in(self, now_ns: int) -> None:
        """The automatic login; an earlier one's session is replaced."""
        if self.automatic is not None:
            self.close(self.automatic)
        self.automatic = self.open(now_ns)

    def status(self, session_id: str | None) -> dict[str, Any]:
        """``data`` of session-status about one session."""
        session = self._open.get(session_id or "")
        if session is None:
            return {"is_logged_in": False, "session_id": None}
        return {
            "is_logged_in": True,
            "session_id": session.id,
            "created_at": local_text(session.created_ns, self._timezone),
            "last_active": local_text(session.active_ns, self._timezone),
            "is_auto_login": session.id == self.automatic,
        }

    def _uuid4(self) -> str:
        bits = self._draw.getrandbits(128) & ~(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62
        text = f"{bits:032x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
