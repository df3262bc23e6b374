"""Second exchanges of one market: each with sessions, price steps and marks of its own."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from engine.domain.timestamps import SECOND_NS
from engine.simulators.prices import Figures
from engine.simulators.sessions import Sessions


class Hours(Protocol):
    """What the exchange asks a rule book of ``engine.markets``."""

    def is_open(self, ts_ns: int) -> bool: ...

    def trading_day(self, ts_ns: int) -> int: ...


class Board(Struct, frozen=True, kw_only=True):
    """A second exchange in the same market, with sessions and marks of its own: Hong Kong, New York, Shanghai.

    Codes of its listings are whole instrument ids (``00700.HK``). ``tick`` gives the price step at a price.
    """

    name: str
    sessions: Sessions
    tick: Callable[[float], float]
    interval_ns: int = SECOND_NS
    volatility_scale: float = 0.0115
    """Step of one mark as a part of the listing's volatility: 0.2 x sqrt(1 s / 300 s), as the game's five minutes."""
    seed: int | None = None
    """Of walks and made past; None takes the exchange's."""


class Standing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a board's listing stood in an earlier life of the market, at its last step (``ts_ns``).

    ``fine``: where its walk is between two price steps. ``touch``: best bid and ask. ``previous_close``: what bounds
    the day's prices, 0 before the first step.
    """

    ts_ns: int
    price: float
    fine: float
    touch: tuple[float, float]
    previous_close: float
    before: float
    """The close before the day of that step, as the chronicle has it."""
    day: Figures | None
    """That day as one bar; None before its first minute."""


class Course:
    """How far one board has come."""

    def __init__(self, board: Board | None, hours: Hours, interval_ns: int, origin_ns: int) -> None:
        self.board = board
        self.hours = hours
        self.interval_ns = interval_ns
        self.next_mark = -(-origin_ns // interval_ns) * interval_ns
        self.day: int | None = None
        self.codes: list[str] = []
        """Listed on the board, in order; empty for the main one."""
