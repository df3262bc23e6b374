"""Mutations: what a broken line, a broken server or a hostile one makes of a good message (RELIABILITY 5.1, row N13).

Every choice comes from the ``random.Random`` passed in: the same seed, the same bytes.
"""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Draw = random.Random

NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 0.1, -0.0, 1e-320, 1e22, 1e300, 1.5,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TEXTS = (
    "", " ", "-", "--", "None", "nan", "NaN", "inf", "Infinity", "null", "true", "0", "-1", "1,000.000", "１２３", "٣",
    "1e5", "1e999", "1e999999999", "-1e-999999999", "0x10", "9" * 40, "9" * 5000, "1_000", "1.2.3", "²", "½", "+5",
    "600000", "1", "000001", "00700", "\u202e600000", "\x00", "\x1b[31mred", "a\nb\r\nc",
    "<html><body>502</body></html>",
    "2026-02-30", "0000-00-00", "99999999", "20261301", "24:00:00", "23:59:60", "9999-12-31T23:59:59Z", "10:00:01.5",
    "\ud800", "﷽" * 50, "x" * 600, "x" * 9000, "../../etc/passwd", "失败", "成功", "买入", "撤单", "废单", "港股",
)  # fmt: skip
SHAPES: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": None}, [{}], {"a": {"b": []}})
BYTES = (
    b"", b" ", b"null", b"0", b"[]", b"{}", b'""', b"true", b"NaN", b"-Infinity", b"\xef\xbb\xbf{}", b"\xff\xfe",
    b"\x00",
    b"<html><head><title>502 Bad Gateway</title></head></html>", b"Internal Server Error", "查询成功".encode("gbk"),
    b"[" * 200_000, b'{"a":' * 100_000, b'{"a":1}{"a":2}', b'{"a":1,}', b"{'a': 1}", b"9" * 10_000, b"\r\n\r\n",
)  # fmt: skip


SIZE_MAX = 400_000
"""Bytes of one input: more only costs time."""


def mutated(draw: Draw, seed: bytes) -> bytes:
    """One to three mutations of a message, by structure where it is JSON, else by bytes."""
    if draw.random() < 0.03:
        return draw.choice(BYTES)
    found = seed
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        by_structure = draw.random() < 0.7
        changed = json_mutated(draw, found) if by_structure else None
        found = (bytes_mutated(draw, found) if changed is None else changed)[:SIZE_MAX]
    return found


# --- bytes -----------------------------------------------------------------------------------------------------------


def bytes_mutated(draw: Draw, seed: bytes) -> bytes:
    """One mutation that knows nothing of what the bytes mean."""
    if not seed:
        return draw.randbytes(draw.randrange(1, 20))
    at, size = draw.randrange(len(seed)), draw.choice((1, 1, 2, 8, 40))
    match draw.randrange(10):
        case 0:
            return seed[:at]
        case 1:
            return seed[at:]
        case 2:
            flipped = bytearray(seed)
            flipped[at] ^= 1 << draw.randrange(8)
            return bytes(flipped)
        case 3:
            return seed[:at] + draw.randbytes(size) + seed[at:]
        case 4:
            return seed[:at] + seed[at + size :]
        case 5:
            other = draw.randrange(len(seed))
            return seed[:at] + seed[other : other + size] + seed[at:]
        case 6:
            return seed.decode("utf-8", "replace").encode("gbk", "replace")
        case 7:
            return _digit_changed(draw, seed)
        case 8:
            return seed[:at] + draw.choice(TEXTS).encode("utf-8", "replace") + seed[at:]
        case _:
            return seed + seed[at:]


def _digit_changed(draw: Draw, seed: bytes) -> bytes:
    digits = [place for place, byte in enumerate(seed) if 48 <= byte <= 57]
    if not digits:
        return seed[::-1]
    at = draw.choice(digits)
    new = draw.choice((b"0", b"9", b".", b"-", b"e", b",", b"00", b"", b"99999999999999999999", b"\xef\xbc\x91"))
    return seed[:at] + new + seed[at + 1 :]


# --- JSON ------------------------------------------------------------------------------------------------------------


def json_mutated(draw: Draw, seed: bytes) -> bytes | None:
    """One mutation of a JSON value; None where the bytes are none."""
    try:
        value = json.loads(seed)
    except (ValueError, RecursionError):
        return None
    places: list[tuple[Any, Any]] = []
    _places(value, places)
    if not places:
        return json_bytes(any_value(draw))
    holder, key = draw.choice(places)
    return json_bytes(value, twice=_changed(draw, holder, key, places))


def _changed(draw: Draw, holder: Any, key: Any, places: Sequence[tuple[Any, Any]]) -> str:
    """Change one place; gives the text of a key that is to be written twice, or nothing."""
    old = holder[key]
    match draw.randrange(11):
        case 0:
            holder[key] = any_value(draw)
        case 1:
            del holder[key]
        case 2:
            holder[key] = _near(draw, old)
        case 3 if isinstance(holder, list):
            holder.insert(draw.randrange(len(holder) + 1), old)
        case 4 if isinstance(holder, dict):
            return str(key)
        case 5 if isinstance(holder, dict):
            del holder[key]
            holder[draw.choice((f"{key} ", f" {key}", str(key)[1:], f"{key}\u200b", str(key).upper()))] = old
        case 6:
            other, other_key = draw.choice(places)
            holder[key] = json.loads(json.dumps(other[other_key]))
        case 7:
            for _ in range(draw.choice((1, 3, 40, 900))):
                old = [old] if draw.random() < 0.5 else {"a": old}
            holder[key] = old
        case 8 if isinstance(old, list):
            holder[key] = old[:50] * draw.choice((0, 2, 50))
        case 9 if isinstance(holder, list) and len(holder) > 1:
            draw.shuffle(holder)
        case _:
            holder[key] = draw.choice(NUMBERS + TEXTS)
    return ""


def _near(draw: Draw, old: Any) -> Any:
    """The same thing in another type or a little wrong: what a copied table or another version makes of it."""
    makers: tuple[Callable[[Any], Any], ...] = (
        str,
        lambda one: f" {one} ",
        lambda one: f"{one:,.3f}" if isinstance(one, int | float) else f"{one},000",
        lambda one: -one if isinstance(one, int | float) else f"-{one}",
        float,
        int,
        lambda one: one + 1 if isinstance(one, int | float) else f"{one}1",
        lambda one: one / 3 if isinstance(one, int | float) else one[::-1],
        lambda one: f"{one}".lstrip("0"),
        lambda one: [one],
        lambda one: {"value": one},
        lambda one: f"{one}\u202e\u200f",
        lambda one: f"{one}\n{one}",
        lambda one: one * 1_000_000 if isinstance(one, int | float) else one[:100] * 30,
    )
    try:
        return draw.choice(makers)(old)
    except (ValueError, TypeError, OverflowError, MemoryError):
        return None


def _places(value: Any, found: list[tuple[Any, Any]], depth: int = 0) -> None:
    if depth > 40:
        return
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        found.append((value, key))
        _places(inner, found, depth + 1)


def any_value(draw: Draw) -> Any:
    return draw.choice((*NUMBERS, *TEXTS, *SHAPES, *SHAPES))


def json_bytes(value: Any, *, twice: str = "") -> bytes:
    """Compact JSON; ``twice`` names a key that is written a second time with another value."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        return b"[" * 3000
    if twice:
        named = json.dumps(twice, ensure_ascii=False)
        text = text.replace(f"{named}:", f"{named}:null,{named}:", 1)
    return text.encode("utf-8", "surrogatepass")


# --- text ------------------------------------------------------------------------------------------------------------


def text_mutated(draw: Draw, seed: str) -> str:
    """One to three mutations of a text: a command-line word, a name, a time, a message in words."""
    found = seed
    for _ in range(draw.choice((1, 1, 2, 3))):
        at, other = draw.randrange(len(found) + 1), draw.randrange(len(found) + 1)
        match draw.randrange(9):
            case 0:
                found = found[:at]
            case 1:
                found = found[:at] + draw.choice(TEXTS) + found[at:]
            case 2:
                found = found[:at] + found[at + 1 :]
            case 3:
                found = found[:at] + found[min(at, other) : max(at, other)] + found[at:]
            case 4:
                found = draw.choice(TEXTS)
            case 5:
                found = found[:at] + chr(draw.choice((0, 9, 10, 27, 0x202E, 0x200F, 0xFEFF, 0x0660, 0xFF11, 0x1F600)))
            case 6:
                found = found.translate({digit: 0xFF10 + digit - 48 for digit in range(48, 58)})
            case 7:
                found = found[:at] + draw.choice("0123456789.-+eE:,/\\ %$&'\"") + found[at + 1 :]
            case _:
                found = found[:at] + found[at:].swapcase() + found[:at]
    return found[:20_000]


def lines_mutated(draw: Draw, seed: bytes) -> bytes:
    """One mutation of a file of lines: repeated heads, merged, lost, swapped and cut lines; else bytes or a text."""
    lines = seed.split(b"\n")
    at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
    match draw.randrange(9):
        case 0:
            lines.insert(at, lines[0])
        case 1:
            lines[at : at + 2] = [b"".join(lines[at : at + 2])]
        case 2:
            del lines[at]
        case 3:
            lines[at], lines[other] = lines[other], lines[at]
        case 4:
            lines.insert(at, lines[other])
        case 5:
            cells = lines[at].split(b",")
            cells[draw.randrange(len(cells))] = str(any_value(draw)).encode("utf-8", "replace")
            lines[at] = b",".join(cells)
        case 6:
            lines[at] += draw.choice((b",", b",,", b'"', b"\r", b"\x00", b"#", b" "))
        case _:
            return bytes_mutated(draw, seed)
    return b"\n".join(lines)
