"""Who may log in: login names, passwords, registrations that wait for their chat robot, reset codes."""

import hashlib

from msgspec import Struct

from engine.domain.timestamps import MINUTE_NS
from engine.entropy import Entropy

CODE_LIFE_NS = 5 * MINUTE_NS
"""A verification code waits this long for the robot (contracts/virtual_market.md 2)."""


class Login(Struct, frozen=True, kw_only=True):
    name: str
    password_hash: str
    chat_id: str


class _Waiting(Struct, frozen=True):
    name: str
    password_hash: str
    until_ns: int


class Logins:
    """Passwords are kept as hashes only, so that a state file holds none."""

    def __init__(self, entropy: Entropy) -> None:
        self.by_name: dict[str, Login] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._resets: dict[str, tuple[str, int]] = {}
        self._entropy = entropy

    def add(self, name: str, password: str, chat_id: str) -> None:
        self.by_name[name] = Login(name=name, password_hash=hashed(name, password), chat_id=chat_id)

    def check(self, name: object, password: str) -> Login | None:
        login = self.by_name.get(name) if isinstance(name, str) else None
        return login if login is not None and login.password_hash == hashed(login.name, password) else None

    def register(self, name: str, password: str, now_ns: int) -> str:
        """A code of six digits; the account exists once ``confirm`` brings it."""
        code = self._code()
        self._waiting[code] = _Waiting(name, hashed(name, password), now_ns + CODE_LIFE_NS)
        return code

    def confirm(self, code: str, chat_id: str, now_ns: int) -> Login | None:
        """What the chat robot does with a code; None where it is unknown or too old."""
        waiting = self._waiting.pop(code, None)
        if waiting is None or now_ns >= waiting.until_ns:
            return None
        login = Login(name=waiting.name, password_hash=waiting.password_hash, chat_id=chat_id)
        self.by_name[login.name] = login
        return login

    def start_reset(self, name: str, now_ns: int) -> str:
        code = self._code()
        self._resets[name] = (code, now_ns + CODE_LIFE_NS)
        return code

    def reset(self, name: str, code: object, password: str, now_ns: int) -> bool:
        expected = self._resets.get(name)
        if expected is None or expected[0] != code or now_ns >= expected[1]:
            return False
        del self._resets[name]
        self.add(name, password, self.by_name[name].chat_id)
        return True

    def _code(self) -> str:
        return f"{self._entropy.stream('codes').randrange(1_000_000):06d}"


def hashed(name: str, password: str) -> str:
    return hashlib.sha256(f"{name}\0{password}".encode("utf-8", "surrogatepass")).hexdigest()
