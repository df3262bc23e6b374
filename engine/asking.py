"""What an ``async def`` handler may ask its runner for."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from engine.domain.ids import InstrumentId


class SleepRequest(Struct, frozen=True):
    duration_ns: int


class NextBarRequest(Struct, frozen=True):
    instrument: InstrumentId


class CallRequest(Struct, frozen=True):
    function: Callable[..., Any]
    args: tuple[Any, ...]


class Ask:
    """The only thing an ``async def`` handler may await: a request its runner understands."""

    __slots__ = ("request",)

    def __init__(self, request: Any) -> None:
        self.request = request

    def __await__(self) -> Any:
        return (yield self.request)
