"""Where a journal in PostgreSQL is, in words: urls, and the way to the driver, which is an extra."""

from types import ModuleType
from urllib.parse import unquote, urlsplit

import msgspec

from engine.domain.errors import ConfigError

SCHEMES = ("postgresql://", "postgres://")


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a journal is kept and how to get in; as text it shows no password."""

    url: str
    schema: str = "sluice"
    password: str = ""

    def __str__(self) -> str:
        return f"{self.url.partition('?')[0]}, schema {self.schema}"

    __repr__ = __str__


def is_url(place: str) -> bool:
    return place.startswith(SCHEMES)


def check_url(url: str, where: str, variable: str) -> None:
    """A url that can be shown: a password in it would be in configs, logs and lists of processes.

    Args:
        variable: the environment variable the password goes into instead.

    Raises:
        ConfigError: it is another kind of url, or holds a password; the message does not repeat it.
    """
    if not is_url(url):
        raise ConfigError(f"{where}: begin it with {SCHEMES[0]}, as {SCHEMES[0]}user@host:5432/database")
    try:
        parts = urlsplit(url)
        secret = parts.password is not None or "password=" in unquote(parts.query).lower()
    except ValueError as why:
        raise ConfigError(f"{where}: is no url; write it as {SCHEMES[0]}user@host:5432/database") from why
    if secret:
        raise ConfigError(f"{where}: passwords are not kept there; remove it and set {variable}")


def postgres() -> ModuleType:
    """``engine.journal.postgres``.

    Raises:
        ConfigError: the driver is not installed.
    """
    try:
        from engine.journal import postgres as module
    except ImportError as missing:
        raise ConfigError(
            f"a journal in PostgreSQL needs psycopg, which is not here ({missing}): pip install 'psycopg[binary]'"
        ) from missing
    return module
