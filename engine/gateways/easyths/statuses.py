"""What an order's row says of its state: quantities decide, words are used only where they agree (contract 3.1)."""

import enum
import re
from collections.abc import Mapping

from engine.domain.errors import BadMessage, ConfigError
from engine.domain.evidence import Evidence


class Word(enum.StrEnum):
    """What a status word means; the values are what ``status_words`` of the settings may say."""

    NONE = ""
    OPEN = "open"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"


WORDS: dict[str, Word] = {
    **dict.fromkeys(("未成交", "未报", "待报", "已报", "正报", "已申报", "部分成交", "部成"), Word.OPEN),
    **dict.fromkeys(("已报待撤", "部成待撤", "待撤"), Word.OPEN),
    **dict.fromkeys(("全部成交", "已成", "全部已成", "成交", "已成交"), Word.FILLED),
    **dict.fromkeys(("全部撤单", "已撤", "全撤", "已撤单", "撤单"), Word.CANCELED),
    **dict.fromkeys(("部分撤单", "部撤", "部成部撤", "部成已撤"), Word.CANCELED),
    **dict.fromkeys(("废单", "无效", "拒绝"), Word.REJECTED),
}
"""Whole words only: 未成交 holds 成交 and is not filled, 已报待撤 holds 撤 and is live."""
_TAIL = re.compile(r"[(（:：\s].*\Z")


def words_with(more: Mapping[str, str], where: str) -> Mapping[str, Word]:
    """The words of the contract, and those that a user's client uses.

    Raises:
        ConfigError: a meaning there is not.
    """
    meanings = [meaning.value for meaning in Word if meaning]
    for word, meaning in more.items():
        if meaning not in meanings:
            raise ConfigError(f"{where}: status_words {word} = {meaning!r}; write one of {', '.join(meanings)}")
    return WORDS | {word: Word(meaning) for word, meaning in more.items()}


def word_of(text: str, words: Mapping[str, Word]) -> Word | None:
    """The meaning of a cell; None for a word nobody knows."""
    if not text:
        return Word.NONE
    return words.get(text) or words.get(_TAIL.sub("", text))


def evidence_of(
    quantity: int, filled: int, canceled: int | None, word: Word | None, *, live: bool, what: str
) -> Evidence:
    """WORKING, FILL (complete), CANCELED or REJECT.

    Args:
        canceled: None where the table has no such column.
        live: the row is on the client's cancel page, which has live orders only.

    Raises:
        BadMessage: quantities that contradict each other, or leave it to a word that nobody knows.
    """
    out = canceled or 0
    if quantity <= 0 or filled > quantity or filled + out > quantity:
        raise BadMessage(f"{what}: {filled} filled and {out} cancelled of {quantity}")
    if filled == quantity:
        return Evidence.FILL
    if out and filled + out == quantity:
        return Evidence.REJECT if word is Word.REJECTED and not filled else Evidence.CANCELED
    if word is None:
        raise BadMessage(
            f"{what}: a status word nobody knows, and quantities do not settle it; name it in status_words"
        )
    if word is Word.REJECTED and not filled:
        return Evidence.REJECT
    # A word that says "over" beside quantities that say "open" is believed only where the row is off the cancel page,
    # or where the table has no column that could say how much was withdrawn.
    if word is Word.CANCELED and (canceled is None or not live):
        return Evidence.CANCELED
    return Evidence.WORKING
