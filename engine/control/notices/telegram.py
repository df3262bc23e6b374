"""Telegram's bot (core.telegram.org/bots/api): ``sendMessage`` of at most 4096 characters, ``sendPhoto`` with a file.

The token is in the path of the address. The API's address can be another one, as of a server of one's own.
"""

import msgspec

from engine.control.notices.notice import NotTold, Picture, Reply
from engine.control.notices.posting import Poster
from engine.control.notices.reaching import Reaching
from engine.domain.secret import Secret

CHARACTERS, CAPTION = 4096, 1024
BOUNDARY = "sluice-7f1c0e5a9d"


class Telegram(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``token``: where the bot's token is, as ``env:NAME``; ``chat``: the id of the chat."""

    token: str
    chat: str
    base_url: str = "https://api.telegram.org"

    def open(self, reaching: Reaching) -> "TelegramChannel":
        """Raises: ConfigError: the token is not there."""
        token = reaching.secret(self.token, "token").reveal()
        address = Secret(f"{self.base_url.rstrip('/')}/bot{token}")
        return TelegramChannel(reaching.poster_to(address), self.chat)


class TelegramChannel:
    """See the module."""

    def __init__(self, poster: Poster, chat: str) -> None:
        self._poster = poster
        self._chat = chat

    async def send(self, title: str, text: str, picture: Picture | None) -> None:
        """Raises: NotTold."""
        message = {"chat_id": self._chat, "text": f"{title}\n{text}"[:CHARACTERS]}
        taken(await self._poster.post(msgspec.json.encode(message), path="/sendMessage"))
        if picture is not None:
            body = form({"chat_id": self._chat, "caption": title[:CAPTION]}, picture)
            content_type = f"multipart/form-data; boundary={BOUNDARY}"
            taken(await self._poster.post(body, content_type, path="/sendPhoto"))

    async def close(self) -> None:
        await self._poster.close()


def taken(reply: Reply) -> None:
    """Raises: NotTold: ``ok`` is not true."""
    said = reply.said()
    if reply.status != 200 or said.get("ok") is not True:
        raise NotTold(f"it was not taken: {said.get('description') or 'no reason given'} (status {reply.status})")


def form(fields: dict[str, str], picture: Picture) -> bytes:
    """A form with a file (RFC 7578)."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'Content-Disposition: form-data; name="photo"; filename="{picture.name}"\r\nContent-Type: image/png'
    parts.append(f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + picture.body + b"\r\n")
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])
