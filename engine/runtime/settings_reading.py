"""TOML into frozen structs, strictly; every mistake is one sentence with the file, the table and the key.

Errors of ``msgspec`` name a place as ``$.account[0].gateway``; people read ``[[account]] number 1, gateway``.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from engine.domain.errors import ConfigError
from engine.runtime.secret_sources import FORMS, is_reference

T = TypeVar("T")

_SECRET_WORDS = frozenset({"password", "passwd", "token", "secret"})
_SECRET_KEYS = frozenset({"api_key", "apikey", "private_key", "secret_key", "access_key"})


def read_toml(path: Path, what: str = "config") -> dict[str, Any]:
    """The file as tables.

    Args:
        what: what the file is to the user, for the sentence.

    Raises:
        ConfigError: missing, not readable, not UTF-8, not TOML; names the line where there is one.
    """
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise ConfigError(f"{what} {path}: there is no such file; check the path") from None
    except OSError as why:
        raise ConfigError(f"{what} {path}: can not be opened ({why.strerror}); name a file that can be read") from why
    except UnicodeDecodeError as why:
        raise ConfigError(f"{what} {path}: is not UTF-8 at byte {why.start}; save it as UTF-8") from why
    except (ValueError, RecursionError) as why:
        # A TOMLDecodeError, a number of thousands of digits, or a path with a NUL in it.
        raise ConfigError(f"{what} {path}: is no TOML: {why}; correct that place") from why


def convert(table: Any, kind: type[T], where: str, *, ours: Iterable[str] = ()) -> T:
    """A table as a struct of ``kind``; nothing is guessed, nothing is ignored.

    Args:
        where: file and table for the sentence, as in ``config demo.toml, [gateway.prices]``; a whole document ends
            with the file.
        ours: keys that are read by somebody else and may be meant by a misspelt one.

    Raises:
        ConfigError: unknown key, missing key, wrong type, or a value out of range.
    """
    try:
        return msgspec.convert(table, kind, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(str(error), kind, where, list(ours))) from error


def near(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` or, if nothing is near, the list of all there is."""
    names = list(known)
    begins = [name for name in names if word and name.startswith(word)]
    close = begins[:3] or difflib.get_close_matches(word, names, n=3)
    return f"; did you mean {' or '.join(close)}?" if close else f"; there are: {', '.join(names) or 'none'}"


def refuse_secrets(table: Mapping[str, Any], where: str, path: str = "") -> None:
    """A config is shown, hashed and committed: what must stay secret is not in it.

    Raises:
        ConfigError: a key is named like a secret.
    """
    for key, value in table.items():
        place = f"{path}.{key}" if path else key
        if _is_secret(key) and isinstance(value, str) and not is_reference(value):
            raise ConfigError(
                f"{where}, {place}: secrets are not kept in files; remove the key and set the gateway's environment "
                f"variable instead, or say where it is: {FORMS}"
            )
        for number, child in enumerate(value if isinstance(value, list) else [value], 1):
            if isinstance(child, Mapping):
                refuse_secrets(child, where, f"{place} {number}" if isinstance(value, list) else place)


def _is_secret(key: str) -> bool:
    word = key.lower().replace("-", "_")
    return word in _SECRET_KEYS or word.rpartition("_")[2] in _SECRET_WORDS


def _sentence(text: str, kind: type, where: str, ours: list[str]) -> str:
    what, _, path = text.partition(" - at `")
    path = path.rstrip("`").rpartition("`")[2]
    place = _joined(where, _place(path))
    if (unknown := re.match(r"Object contains unknown field `(.*)`", what)) is not None:
        known = [*_keys_at(kind, path), *ours]
        return f"{place}: there is no key {unknown[1]!r}{near(unknown[1], known)}"
    if (missing := re.match(r"Object missing required field `(.*)`", what)) is not None:
        return f"{place}: the key {missing[1]!r} is missing; write it"
    what = what.replace("`", "")
    return f"{place}: {what[:1].lower()}{what[1:]}; correct it"


def _joined(where: str, place: str) -> str:
    if not place:
        return where
    return f"{where} {place}" if where.endswith("]") else f"{where}, {place}"


def _place(path: str) -> str:
    """``$.account[0].id`` as ``[[account]] number 1, id``; ``$.run.seed`` as ``[run] seed``."""
    table, _, rest = path.removeprefix("$").removeprefix(".").partition(".")
    indexed = re.fullmatch(r"(\w+)\[(\d+)\]", table)
    if indexed is not None:
        head = f"[[{indexed[1]}]] number {int(indexed[2]) + 1}"
        return f"{head}, {rest}" if rest else head
    return f"[{table}] {rest}".rstrip() if table else ""


def _keys_at(kind: Any, path: str) -> list[str]:
    """The keys that the struct at a place of ``kind`` takes."""
    for name in re.findall(r"\.(\w+)|\[", path.removeprefix("$")):
        if not name:
            kind = _inside(kind)
            continue
        fields = {field.encode_name: field.type for field in msgspec.structs.fields(_struct(kind))}
        kind = fields.get(name, kind)
    found = _struct(kind)
    return [field.encode_name for field in msgspec.structs.fields(found)] if found is not None else []


def _inside(kind: Any) -> Any:
    """What a list, tuple or dict holds."""
    held = [part for part in get_args(kind) if part is not Ellipsis]
    return held[-1] if held else kind


def _struct(kind: Any) -> Any:
    """The struct type in ``X``, ``X | None`` and the like."""
    for part in (kind, *get_args(kind)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None
