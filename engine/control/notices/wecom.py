"""WeCom's group robot (developer.work.weixin.qq.com/document/path/91770): the key is in the address.

Text of at most 2048 bytes; a picture is a message of its own, base64 with the MD5 of the bytes, at most 2 MiB. Twenty
messages a minute.
"""

import base64
import hashlib

import msgspec

from engine.control.notices.notice import Picture, accepted, cut
from engine.control.notices.posting import Poster
from engine.control.notices.reaching import Reaching

TEXT_BYTES = 2048


class WeCom(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``url``: where the robot's address is, as ``env:SLUICE_WECOM_URL``."""

    url: str
    mention_all: bool = False

    def open(self, reaching: Reaching) -> "WeComChannel":
        """Raises: ConfigError: the address is not there."""
        return WeComChannel(reaching.poster(self.url), mention_all=self.mention_all)


class WeComChannel:
    """See the module."""

    def __init__(self, poster: Poster, *, mention_all: bool) -> None:
        self._poster = poster
        self._mentioned = ["@all"] if mention_all else []

    async def send(self, title: str, text: str, picture: Picture | None) -> None:
        """Raises: NotTold."""
        content = cut(f"{title}\n{text}", TEXT_BYTES)
        await self._say({"msgtype": "text", "text": {"content": content, "mentioned_list": self._mentioned}})
        if picture is not None:
            image = {
                "base64": base64.b64encode(picture.body).decode(),
                "md5": hashlib.md5(picture.body, usedforsecurity=False).hexdigest(),
            }
            await self._say({"msgtype": "image", "image": image})

    async def _say(self, message: dict[str, object]) -> None:
        accepted(await self._poster.post(msgspec.json.encode(message)), "errcode")

    async def close(self) -> None:
        await self._poster.close()
