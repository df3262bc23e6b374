"""JSON Web Tokens signed with HMAC-SHA256 (RFC 7519, RFC 7515), as the venue's login gives out."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.simulators.virtual_market.messages import TOKEN_EXPIRED, TOKEN_INVALID


class TokenRefused(Exception):
    """Its text is the venue's own."""


class Tokens:
    """Signs and reads tokens; several live side by side, nothing revokes one (contracts/virtual_market.md 3).

    Args:
        secret: the signing key. days: life of a token.
    """

    def __init__(self, secret: str, days: float) -> None:
        self._secret = secret.encode()
        self._life_ns = round(days * DAY_NS)

    def issue(self, chat_id: str, login: str, now_ns: int) -> str:
        claims = {"sub": chat_id, "login_id": login, "exp": (now_ns + self._life_ns) // SECOND_NS}
        signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def chat_id(self, token: str, now_ns: int) -> str:
        """Whose token it is.

        Raises:
            TokenRefused: not ours, or expired.
        """
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode()):
            raise TokenRefused(TOKEN_INVALID)
        claims = json.loads(_unpad(signed.partition(".")[2]))
        if now_ns >= claims["exp"] * SECOND_NS:
            raise TokenRefused(TOKEN_EXPIRED)
        return str(claims["sub"])

    def _signature(self, signed: str) -> str:
        return _text(hmac.new(self._secret, signed.encode(), hashlib.sha256).digest())


def _part(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unpad(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise TokenRefused(TOKEN_INVALID) from None
