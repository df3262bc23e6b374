"""Tokens: 256 random bits each, of which only the SHA-256 is kept, in a file for its owner alone (RELIABILITY 6).

A token reads ``sluice_<id>_<secret>``: the id finds its row, the secret proves it.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from engine.control.api.scopes import ALL, Scope
from engine.domain.errors import ConfigError
from engine.entropy import secret_text
from engine.journal.lock import ProcessLock
from engine.runtime.private_file import write_whole

PREFIX = "sluice"
FIRST = "token"
"""The file beside the hashes that holds the first token whole, for the commands of this machine's owner."""
TOKENS_MAX = 256


class Token(Struct, frozen=True, kw_only=True):
    """One token as it is kept. Times are ns UTC of the wall clock; 0: never."""

    id: str
    name: str
    sha256: str
    scopes: tuple[Scope, ...]
    created_ns: int
    expires_ns: int = 0
    revoked_ns: int = 0

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def over(self, now_ns: int) -> bool:
        """Whether it is expired or revoked."""
        return bool(self.revoked_ns) or bool(self.expires_ns and now_ns >= self.expires_ns)


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tokens: tuple[Token, ...] = ()


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def split(text: str) -> tuple[str, str]:
    """Id and secret of a token's text; both empty where it is none."""
    prefix, _, rest = text.partition("_")
    name, _, secret = rest.partition("_")
    return (name, secret) if prefix == PREFIX and name and secret else ("", "")


class TokenStore:
    """The file of hashes; looked at anew whenever it has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self._known: dict[str, Token] = {}

    @property
    def first(self) -> Path:
        """Where the first token stands whole."""
        return self.path.with_name(FIRST)

    def find(self, name: str) -> Token | None:
        """The token of an id.

        Raises:
            ConfigError: the file is there and can not be used.
        """
        self._look()
        return self._known.get(name)

    def all(self) -> tuple[Token, ...]:
        """Every token, the oldest first. Raises: ConfigError: as ``find``."""
        self._look()
        return tuple(self._known.values())

    def usable(self, now_ns: int) -> bool:
        """Whether there is a token that opens anything."""
        return any(not token.over(now_ns) for token in self.all())

    def create(self, name: str, scopes: Iterable[Scope], *, now_ns: int, expires_ns: int = 0) -> str:
        """A new token; its text is given here and never again.

        Raises:
            ConfigError: no scope, too many tokens, or no place to write to.
        """
        wanted = tuple(scope for scope in Scope if scope in frozenset(scopes))
        if not wanted:
            raise ConfigError(f"a token without a scope opens nothing; scopes are {', '.join(Scope)}")
        secret, number = secret_text(), hashlib.sha256(secret_text().encode()).hexdigest()[:8]
        made = Token(
            id=number,
            name=name,
            sha256=digest_of(secret),
            scopes=wanted,
            created_ns=now_ns,
            expires_ns=expires_ns,
        )
        with _held(self.path):
            tokens = self.all()
            if len(tokens) >= TOKENS_MAX:
                raise ConfigError(f"{self.path} holds {TOKENS_MAX} tokens; remove rows of those that are over")
            self._write((*tokens, made))
        return f"{PREFIX}_{number}_{secret}"

    def revoke(self, name: str, *, now_ns: int) -> Token | None:
        """Close a token, by its id, at once; None: there is none. Raises: ConfigError: as ``create``."""
        with _held(self.path):
            found = self.find(name)
            if found is None:
                return None
            closed = replace(found, revoked_ns=found.revoked_ns or now_ns)
            self._write(tuple(closed if token.id == name else token for token in self.all()))
        return closed

    def begin(self, *, now_ns: int) -> bool:
        """Make the first token where there is none yet, with every scope; whether one was made.

        Raises:
            ConfigError: no place to write to.
        """
        if self.path.exists():
            return False
        text = self.create("first", ALL, now_ns=now_ns)
        write_private(self.first, f"{text}\n".encode())
        return True

    def _look(self) -> None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._known = None, {}
            return
        except OSError as why:
            raise ConfigError(f"tokens {self.path}: can not be read ({why.strerror}); name another file") from why
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        if stamp == self._stamp:
            return
        refuse_unless_private(self.path)
        try:
            read = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError) as why:
            raise ConfigError(f"tokens {self.path}: is no file of tokens ({why}); move it away and start anew") from why
        self._stamp, self._known = stamp, {token.id: token for token in read.tokens}

    def _write(self, tokens: tuple[Token, ...]) -> None:
        write_private(self.path, msgspec.json.format(msgspec.json.encode(_File(tokens=tokens))) + b"\n")
        self._stamp = None


class _held:  # noqa: N801 - reads as a word in a with
    """Nobody else changes the file meanwhile. Raises: ConfigError: somebody does, or no place to write to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as why:
            raise ConfigError(f"tokens {self._path}: no place to write to ({why.strerror}); name another") from why
        self._lock = ProcessLock(self._path.with_name(f"{self._path.name}.lock"), f"the tokens {self._path}")

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def write_private(path: Path, body: bytes) -> None:
    """Whole or not at all, for its owner alone.

    Raises:
        ConfigError: no place to write to.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, body)
    except OSError as why:
        raise ConfigError(f"{path}: can not be written ({why.strerror}); name another place") from why


def refuse_unless_private(path: Path) -> None:
    """A file of secrets belongs to us, and nobody else may read it (RELIABILITY 6).

    Raises:
        ConfigError: it does not, or somebody may.
    """
    if hasattr(os, "getuid"):
        _refuse(path, path.stat(), (os.getuid(),))


def read_private(path: Path, folder: Path) -> bytes:
    """A file of secrets of the run whose data directory is ``folder``: ours, or to root its owner's.

    Root may read everything, so what is looked at is what was opened, and a link is not followed: a user of the engine
    can not have root take another's file for a token.

    Raises:
        ConfigError: it belongs to somebody else, or others may read it. OSError: it is not there, or is a link.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(handle, "rb") as file:
        if hasattr(os, "getuid"):
            us = os.getuid()
            _refuse(path, os.fstat(handle), (us,) if us else (us, folder.stat().st_uid))
        return file.read()


def _refuse(path: Path, found: os.stat_result, owners: tuple[int, ...]) -> None:
    if found.st_uid not in owners:
        raise ConfigError(f"{path}: belongs to another user; make a file of your own")
    if found.st_mode & 0o077:
        raise ConfigError(f"{path}: others can read it (mode {found.st_mode & 0o777:o}); say chmod 600 {path}")
