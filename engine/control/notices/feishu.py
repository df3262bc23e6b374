"""Feishu's custom bot with a signature (open.feishu.cn/document/client-docs/bot-v3/add-custom-bot).

The signature is the base64 of HMAC-SHA256 over nothing, keyed with the seconds, a line feed and the secret; both are in
the body. A picture needs an app's own login, which a bot has not, so it is told that there is one. Five messages a
second, a hundred a minute.
"""

import base64
import hashlib
import hmac

import msgspec

from engine.clock import LiveClock
from engine.control.notices.notice import Picture, accepted, cut
from engine.control.notices.posting import Poster
from engine.control.notices.reaching import Reaching
from engine.domain.secret import Secret
from engine.domain.timestamps import SECOND_NS

TEXT_BYTES = 16_000


class Feishu(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``url``, ``secret``: where the bot's address and its secret are, as ``env:NAME``."""

    url: str
    secret: str

    def open(self, reaching: Reaching) -> "FeishuChannel":
        """Raises: ConfigError: address or secret are not there."""
        return FeishuChannel(reaching.poster(self.url), reaching.secret(self.secret, "secret"))


class FeishuChannel:
    """See the module."""

    def __init__(self, poster: Poster, secret: Secret) -> None:
        self._poster = poster
        self._secret = secret
        self._clock = LiveClock()

    async def send(self, title: str, text: str, picture: Picture | None) -> None:
        """Raises: NotTold."""
        more = "" if picture is None else f"\n({picture.name}: by mail, or in the run's folder)"
        seconds = str(self._clock.now_ns // SECOND_NS)
        message = {
            "timestamp": seconds,
            "sign": signature(self._secret, seconds),
            "msg_type": "text",
            "content": {"text": cut(f"{title}\n{text}{more}", TEXT_BYTES)},
        }
        accepted(await self._poster.post(msgspec.json.encode(message)), "code", "StatusCode")

    async def close(self) -> None:
        await self._poster.close()


def signature(secret: Secret, seconds: str) -> str:
    """What Feishu reckons as well."""
    key = f"{seconds}\n{secret.reveal()}".encode()
    return base64.b64encode(hmac.digest(key, b"", hashlib.sha256)).decode()
