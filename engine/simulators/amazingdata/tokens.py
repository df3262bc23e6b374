"""JSON Web Tokens signed with HMAC-SHA256 (RFC 7519), with the claims of the contract's login example."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from engine.domain.timestamps import SECOND_NS


class Tokens:
    """Issues and reads tokens; nothing revokes one before its end.

    Args:
        secret: the signing key. seconds: life of a token.
    """

    def __init__(self, secret: str, seconds: int) -> None:
        self._secret = secret.encode()
        self.seconds = seconds

    def issue(self, user_id: int, username: str, now_ns: int) -> str:
        claims = {"sub": str(user_id), "username": username, "exp": now_ns // SECOND_NS + self.seconds}
        signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def user_id(self, token: str, now_ns: int) -> int | None:
        """Whose token it is; None where it is not ours, or over."""
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode("utf-8", "replace")):
            return None
        try:
            claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        except (binascii.Error, ValueError):
            return None
        return None if now_ns >= claims["exp"] * SECOND_NS else int(claims["sub"])

    def _signature(self, signed: str) -> str:
        raw = signed.encode("utf-8", "replace")
        return _text(hmac.new(self._secret, raw, hashlib.sha256).digest())


def _part(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
