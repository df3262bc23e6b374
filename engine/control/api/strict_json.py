"""Request bodies as JSON, strictly: no duplicate keys, no NaN, 64-bit integers, at most 32 deep (RELIABILITY 6).

And whole characters: half a surrogate pair is none.
"""

import json
import re
from typing import Any

DEPTH_MAX = 32
INTEGER_MAX = 2**64
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKETS = re.compile(rb"[\[\]{}]")


def read(body: bytes) -> Any:
    """The one value in ``body``.

    Raises:
        ValueError: not JSON, or JSON that two readers could take for two things; one sentence.
    """
    if _depth(body) > DEPTH_MAX:
        raise ValueError(f"the body nests deeper than {DEPTH_MAX}")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"the body is not UTF-8 at byte {error.start}") from None
    value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)
    if "\\u" in text:
        _refuse_halves(value)
    return value


def _refuse_halves(value: Any) -> None:
    """Half a surrogate pair is text to Python and to nobody else: the journal could not write it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text has half a character in it: a surrogate without its other half") from None


def _depth(body: bytes) -> int:
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return 0
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _integer(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else INTEGER_MAX
    if not -(2**63) <= number < INTEGER_MAX:
        raise ValueError("an integer has more than 64 bits")
    return number
