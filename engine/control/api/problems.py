"""What the API answers when it does not do what it was asked: a status and one sentence."""

from collections.abc import Mapping
from typing import Any


class Problem(Exception):
    """Becomes ``{"error": text, "code": code, ...}`` with that status."""

    def __init__(
        self, status: int, code: str, text: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.headers = dict(headers or {})
        self.more = more
