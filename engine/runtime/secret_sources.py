"""Where a config's secrets are: a reference instead of the word, resolved when it is needed (RELIABILITY 6).

``env:NAME``, ``file:/path`` (mode 0600 or less, owned by who runs the engine, no link) or ``keyring:service/user``
(needs the extra ``keyring``). A word of its own in the config is refused: configs are shown, hashed and committed.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from engine.domain.errors import ConfigError
from engine.domain.secret import Secret

REFERENCE = re.compile(r"(env|file|keyring):(.+)")
FILE_BYTES = 65_536
FORMS = '"env:NAME", "file:/path" or "keyring:service/user"'


def is_reference(text: str) -> bool:
    """Whether a text says where a secret is, and is none itself."""
    return REFERENCE.fullmatch(text) is not None


def resolve(reference: str, environ: Mapping[str, str], where: str) -> Secret:
    """The word a reference names.

    Args:
        where: file, table and key, for the sentence; the sentence never has a part of the word.

    Raises:
        ConfigError: it is no reference, nothing is there, or others than its owner can read it.
    """
    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise ConfigError(f"{where}: a secret is not written here; say where it is: {FORMS}")
    kind, place = found[1], found[2]
    if kind == "env":
        word = environ.get(place, "")
        if not word:
            raise ConfigError(f"{where}: the environment variable {place} is not set; set it, or name another place")
        return Secret(word)
    return Secret(_from_file(Path(place), where) if kind == "file" else _from_keyring(place, where))


def with_secrets(environ: Mapping[str, str], table: Mapping[str, str], where: str) -> dict[str, str]:
    """The environment with the words of ``[secrets]`` in it, for the gateways, which find theirs there.

    Raises:
        ConfigError: as ``resolve``.
    """
    found = {name: resolve(text, environ, f"{where}, [secrets] {name}").reveal() for name, text in table.items()}
    return {**environ, **found}


def _from_file(path: Path, where: str) -> str:
    """First line of a file that only its owner can read; looked at through the open handle, so that nothing changes
    between the look and the reading."""
    no_follow = getattr(os, "O_NOFOLLOW", 0)
    try:
        handle = os.open(path, os.O_RDONLY | no_follow | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as why:
        raise ConfigError(f"{where}: {path} can not be opened ({why.strerror}); no link, and readable by you") from why
    try:
        seen = os.fstat(handle)
        if not stat.S_ISREG(seen.st_mode):
            raise ConfigError(f"{where}: {path} is no file; name one")
        if seen.st_mode & 0o077:
            raise ConfigError(f"{where}: others may read {path} (mode {seen.st_mode & 0o777:04o}); chmod 600 it")
        if hasattr(os, "getuid") and seen.st_uid not in (os.getuid(), 0):
            raise ConfigError(f"{where}: {path} belongs to somebody else; chown it to the user of the engine")
        word = os.read(handle, FILE_BYTES).decode().partition("\n")[0].strip()
    except UnicodeDecodeError:
        raise ConfigError(f"{where}: {path} is not UTF-8; save it as UTF-8") from None
    finally:
        os.close(handle)
    if not word:
        raise ConfigError(f"{where}: {path} is empty; write the secret into its first line")
    return word


def _from_keyring(place: str, where: str) -> str:
    service, slash, user = place.rpartition("/")
    if not slash or not service or not user:
        raise ConfigError(f'{where}: write it as "keyring:service/user"')
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise ConfigError(f"{where}: the keyring needs its library; pip install 'sluice[keyring]'") from None
    try:
        word: str | None = keyring.get_password(service, user)
    except keyring.errors.KeyringError as why:
        raise ConfigError(
            f"{where}: the keyring can not be asked ({type(why).__name__}); unlock it, or use env:"
        ) from why
    if not word:
        raise ConfigError(f"{where}: the keyring has nothing for {service}/{user}; keyring set {service} {user}")
    return word
