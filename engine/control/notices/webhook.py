"""Any server of one's own: a JSON object is posted, signed if there is a secret.

``{"title", "text", "ts_ns", "picture"}``; the picture is base64 of a PNG, or null. With a secret the header
``X-Sluice-Signature`` is ``t=SECONDS,v1=HEX``: HMAC-SHA256, keyed with the secret, over the seconds, a full stop and
the body. Any status from 200 to 299 is taken for yes.
"""

import base64
import hashlib
import hmac

import msgspec

from engine.clock import LiveClock
from engine.control.notices.notice import NotTold, Picture
from engine.control.notices.posting import Poster
from engine.control.notices.reaching import Reaching
from engine.domain.secret import Secret
from engine.domain.timestamps import SECOND_NS


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``url``: where the address is, as ``env:NAME``; ``secret``: where the key of the signature is, or nothing."""

    url: str
    secret: str = ""

    def open(self, reaching: Reaching) -> "WebhookChannel":
        """Raises: ConfigError: address or secret are not there."""
        return WebhookChannel(
            reaching.poster(self.url), reaching.secret(self.secret, "secret") if self.secret else Secret("")
        )


class WebhookChannel:
    """See the module."""

    def __init__(self, poster: Poster, secret: Secret) -> None:
        self._poster = poster
        self._secret = secret
        self._clock = LiveClock()

    async def send(self, title: str, text: str, picture: Picture | None) -> None:
        """Raises: NotTold."""
        shown = None if picture is None else base64.b64encode(picture.body).decode()
        body = msgspec.json.encode({"title": title, "text": text, "ts_ns": self._clock.now_ns, "picture": shown})
        headers = {}
        if self._secret:
            seconds = str(self._clock.now_ns // SECOND_NS)
            headers["x-sluice-signature"] = f"t={seconds},v1={signature(self._secret, seconds, body)}"
        reply = await self._poster.post(body, headers=headers)
        if not 200 <= reply.status < 300:
            raise NotTold(f"it was not taken (status {reply.status})")

    async def close(self) -> None:
        await self._poster.close()


def signature(secret: Secret, seconds: str, body: bytes) -> str:
    """For the header."""
    return hmac.digest(secret.reveal().encode(), seconds.encode() + b"." + body, hashlib.sha256).hex()
