"""The server's API key: from the environment, or from the server's own config.toml (contract 1; RELIABILITY 6)."""

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from engine.domain.errors import ConfigError

FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def api_key(environ: Mapping[str, str], variable: str, file: str, where: str) -> str:
    """The variable's value, else ``[api] key`` of the file; empty if neither is given: the server may have none.

    Raises:
        ConfigError: a file that others can read, that can not be read, or that has no key; a key that can be none.
    """
    key = environ.get(variable, "").strip()
    if not key and file:
        key = _key_in(Path(file), where)
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(f"{where}: the key holds characters no key has; paste it again, one line")
    return key


def _key_in(path: Path, where: str) -> str:
    try:
        mode = path.stat().st_mode
        if os.name == "posix" and mode & FOR_OTHERS:
            raise ConfigError(f"{where}: key_file {path} can be read by others; run: chmod 600 {path}")
        table = tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise ConfigError(f"{where}: key_file {path} can not be read ({error.strerror}); correct the path") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{where}: key_file {path} is no TOML: {error}; correct it") from error
    api = table.get("api")
    key = api.get("key") if isinstance(api, dict) else None
    if not isinstance(key, str) or not key:
        raise ConfigError(f"{where}: key_file {path} has no key under [api]; add one, or remove key_file")
    return key
