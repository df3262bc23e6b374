"""E-mail by SMTP: TLS from the first byte (465), or STARTTLS (587), which is then insisted on.

``plain``: no TLS at all; only to this machine, where a relay may listen.
"""

from email.message import EmailMessage
from email.utils import formatdate
from typing import Annotated, Literal

import aiosmtplib
import anyio
import msgspec
from msgspec import Meta

from engine.control.notices.notice import NotTold, Picture
from engine.control.notices.posting import SECONDS
from engine.control.notices.reaching import Reaching
from engine.domain.errors import ConfigError
from engine.domain.secret import Secret
from engine.domain.timestamps import SECOND_NS
from engine.net.rest import is_this_machine


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``password``: where it is, as ``env:NAME``; nothing where the relay wants none."""

    host: str
    sender: str
    to: tuple[str, ...]
    port: Annotated[int, Meta(ge=1, le=65535)] = 465
    tls: Literal["tls", "starttls", "plain"] = "tls"
    user: str = ""
    password: str = ""

    def __post_init__(self) -> None:
        if not self.to:
            raise ValueError("to must name at least one address")
        if any("\n" in text or "\r" in text for text in (self.sender, *self.to, self.host)):
            raise ValueError("an address is one line")
        if self.tls == "plain" and not is_this_machine(self.host):
            raise ValueError('tls = "plain" is for a relay on this machine')

    def open(self, reaching: Reaching) -> "MailChannel":
        """Raises: ConfigError: the password is not there."""
        if self.user and not self.password:
            raise ConfigError(f"{reaching.where}: user is given, and no password; say where it is")
        password = reaching.secret(self.password, "password") if self.password else Secret("")
        return MailChannel(self, password, reaching.now_ns)


class MailChannel:
    """See the module; one connection a message."""

    def __init__(self, settings: Mail, password: Secret, now_ns: object) -> None:
        self._settings = settings
        self._password = password
        self._now_ns = now_ns

    async def send(self, title: str, text: str, picture: Picture | None) -> None:
        """Raises: NotTold."""
        settings = self._settings
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = settings.sender, ", ".join(settings.to), title
        message["Date"] = formatdate(self._now_ns() / SECOND_NS, usegmt=True)  # type: ignore[operator]
        message.set_content(text)
        if picture is not None:
            message.add_attachment(picture.body, maintype="image", subtype="png", filename=picture.name)
        try:
            with anyio.fail_after(SECONDS):
                await aiosmtplib.send(
                    message,
                    hostname=settings.host,
                    port=settings.port,
                    username=settings.user or None,
                    password=self._password.reveal() or None,
                    use_tls=settings.tls == "tls",
                    start_tls=settings.tls == "starttls",
                    timeout=SECONDS,
                )
        except TimeoutError:
            raise NotTold(f"the mail server did not answer within {SECONDS:g} s") from None
        except aiosmtplib.SMTPResponseException as why:
            raise NotTold(f"the mail server said {why.code}") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as why:
            raise NotTold(f"the mail could not be sent ({type(why).__name__})") from None

    async def close(self) -> None:
        """Nothing stays open."""
