"""A word that must not be seen: what prints, formats, logs, copies or stores it gets three stars (RELIABILITY 6)."""

import hmac
from typing import Any, SupportsIndex

STARS = "***"


class Secret(str):
    """As text it is ``***`` to everybody; ``reveal`` gives the word, to whoever puts it on the wire.

    ``repr``, ``str``, formats, ``%``, ``+`` and ``json`` all see the stars, a pickle holds nothing else, and msgspec
    refuses to encode it.
    """

    __slots__ = ("_word",)
    _word: str

    def __new__(cls, word: str) -> "Secret":
        made = super().__new__(cls, STARS)
        made._word = word
        return made

    def reveal(self) -> str:
        """The word itself."""
        return self._word

    def __repr__(self) -> str:
        return f"'{STARS}'"

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[Any, ...]:
        return Secret, (STARS,)

    def __bool__(self) -> bool:
        return bool(self._word)

    def __eq__(self, other: object) -> bool:
        """In constant time, and only to another secret: no word is equal to the stars."""
        if not isinstance(other, Secret):
            return False
        return hmac.compare_digest(self._word.encode(), other._word.encode())

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__
