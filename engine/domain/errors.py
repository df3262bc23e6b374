"""Errors, named by what the caller must do next (DESIGN, decision 16)."""

SENTENCE_MAX = 500
"""Characters of an error's text: much of it may be somebody else's words."""


class SluiceError(Exception):
    """Root of every error of the engine; its text is one printable line, whatever words of others are in it."""

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class GatewayError(SluiceError):
    """Something went wrong between us and a remote system."""

    def __init__(self, message: str, *, status: int | None = None, body: bytes = b"") -> None:
        super().__init__(message)
        self.message = str(self)
        self.status = status
        self.body = body


class NotSent(GatewayError):
    """Provably never left this machine: it is safe to decide anew."""


class Refused(GatewayError):
    """Provably not done; the reason is the remote system's own."""

    def __init__(
        self, message: str, *, status: int | None = None, body: bytes = b"", retry_after_ns: int | None = None
    ) -> None:
        super().__init__(message, status=status, body=body)
        self.retry_after_ns = retry_after_ns


class OutcomeUnknown(GatewayError):
    """May or may not have been done: look for evidence, never send again."""


class BadMessage(GatewayError):
    """The remote system sent something we can not read: never to be taken for "nothing there"."""


class ConfigError(SluiceError):
    """A mistake of the user, in one sentence that names the place and the mend."""


class DataError(ConfigError):
    """A market-data file that can not be used; names file, line and column."""


class JournalError(SluiceError):
    """The journal could not be written or read: no new orders from here on."""


class CascadeLimit(SluiceError):
    """Events went on causing events past the bus's limit: a loop in the wiring or in a strategy."""


def one_line(text: str) -> str:
    """A text for logs, terminals and journals: control and bidi characters escaped, one line, at most 500 characters
    (RELIABILITY 6, log injection).
    """
    if len(text) > SENTENCE_MAX:
        text = f"{text[: SENTENCE_MAX - 1]}…"
    if text.isprintable():
        return text
    words = " ".join(text.split())
    plain = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in words)
    return plain if len(plain) <= SENTENCE_MAX else f"{plain[: SENTENCE_MAX - 1]}…"
