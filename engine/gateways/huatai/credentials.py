"""Who logs in: from the environment, or from the vendor's config.ini where only its owner can read it (page 8.1)."""

import configparser
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from engine.domain.errors import ConfigError

HIDDEN = "***"


class Credentials:
    """Secrets that no ``repr`` shows. ``user`` and ``password`` empty: there are none, the client must be logged in.

    ``exe_path`` is the client's program on the server's machine; empty: the server looks for it.
    """

    __slots__ = ("comm_password", "exe_path", "password", "user")

    def __init__(self, user: str = "", password: str = "", comm_password: str = "", exe_path: str = "") -> None:
        self.user = user
        self.password = password
        self.comm_password = comm_password
        self.exe_path = exe_path

    def __repr__(self) -> str:
        return f"Credentials({HIDDEN})"

    @property
    def given(self) -> bool:
        return bool(self.user and self.password)

    def hide(self, text: str) -> str:
        """The text without our secrets, should the server have repeated one."""
        for secret in (self.password, self.comm_password):
            if len(secret) > 3:
                text = text.replace(secret, HIDDEN)
        return text


def credentials_from(environ: Mapping[str, str], names: tuple[str, str, str], path: str, where: str) -> Credentials:
    """The environment's where it has any, else the file's.

    Args:
        names: of the variables of user, password and communication password.
        path: of the config.ini; empty: none.

    Raises:
        ConfigError: a file that others may read, or that can not be read.
    """
    found = credentials_from_file(path, where) if path else Credentials()
    user, password, comm_password = (environ.get(name, "") for name in names)
    if user or password:
        return Credentials(user, password, comm_password, found.exe_path)
    return found


def credentials_from_file(path: str, where: str) -> Credentials:
    """``[Trader] exe_path`` and ``[Account] user, password, comm_password``.

    Raises:
        ConfigError: as ``credentials_from``.
    """
    try:
        mode = Path(path).stat().st_mode
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(
                f"{where}: credentials_file {path!r} can be read by others ({stat.filemode(mode)}); "
                f"write: chmod 600 {path}"
            )
        raw = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{where}: credentials_file {path!r} can not be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What a Chinese Windows writes by itself.
        text = raw.decode("gb18030", "replace")
    # No interpolation: a password may hold a percent sign.
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        # The parser's own words quote the line, which may be that of a password.
        raise ConfigError(f"{where}: credentials_file {path!r} is no config.ini; write [Account] first") from None
    account = parser["Account"] if parser.has_section("Account") else {}
    trader = parser["Trader"] if parser.has_section("Trader") else {}
    made = Credentials(
        account.get("user", "").strip(),
        account.get("password", "").strip(),
        account.get("comm_password", "").strip(),
        trader.get("exe_path", "").strip(),
    )
    if not made.given:
        raise ConfigError(f"{where}: credentials_file {path!r}: [Account] needs user, password and comm_password")
    return made
