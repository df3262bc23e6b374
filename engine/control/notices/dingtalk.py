"""DingTalk's custom robot with a signature (open.dingtalk.com/document/robots/customize-robot-security-settings).

The signature is the base64 of HMAC-SHA256, keyed with the secret, over the milliseconds, a line feed and the secret; it
goes into the address with those milliseconds, which may be an hour off at most. The robot takes no pictures but by
address, so it is told that there is one. Twenty messages a minute.
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

TEXT_BYTES = 16_000


class DingTalk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``url``, ``secret``: where the robot's address and its secret (SEC...) are, as ``env:NAME``."""

    url: str
    secret: str
    mention_all: bool = False

    def open(self, reaching: Reaching) -> "DingTalkChannel":
        """Raises: ConfigError: address or secret are not there."""
        return DingTalkChannel(
            reaching.poster(self.url), reaching.secret(self.secret, "secret"), mention_all=self.mention_all
        )


class DingTalkChannel:
    """See the module."""

    def __init__(self, poster: Poster, secret: Secret, *, mention_all: bool) -> None:
        self._poster = poster
        self._secret = secret
        self._mention_all = mention_all
        self._clock = LiveClock()

    async def send(self, title: str, text: str, picture: Picture | None) -> None:
        """Raises: NotTold."""
        more = "" if picture is None else f"\n({picture.name}: by mail, or in the run's folder)"
        message = {
            "msgtype": "text",
            "text": {"content": cut(f"{title}\n{text}{more}", TEXT_BYTES)},
            "at": {"isAtAll": self._mention_all},
        }
        millis = str(self._clock.now_ns // 1_000_000)
        query = {"timestamp": millis, "sign": signature(self._secret, millis)}
        accepted(await self._poster.post(msgspec.json.encode(message), query=query), "errcode")

    async def close(self) -> None:
        await self._poster.close()


def signature(secret: Secret, millis: str) -> str:
    """What DingTalk reckons as well; not yet escaped for an address."""
    word = secret.reveal()
    return base64.b64encode(hmac.digest(word.encode(), f"{millis}\n{word}".encode(), hashlib.sha256)).decode()
