"""Who plays a parent; and a parent that nobody here can play: it ends at once, and what it had sent is withdrawn."""

from typing import Any

from engine.algos import ALGOS
from engine.algos.parent import Parent, Plays
from engine.domain.account import Capabilities
from engine.domain.algos import AlgoState, SubmitAlgo
from engine.domain.errors import ConfigError


def plays_of(command: SubmitAlgo, sheet: Capabilities) -> Plays:
    """What plays a command: by its name, made of its settings."""
    make = ALGOS.get(command.name)
    if make is None:
        return Unplayed(f"there is no algorithm {command.name!r} here; there are: {', '.join(ALGOS)}")
    try:
        return make(command.algo, sheet)
    except ConfigError as why:
        return Unplayed(str(why))


class Unplayed:
    """A name that no package brings, or settings its algorithm does not take."""

    has_exits = False

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def step(self, parent: Parent) -> None:
        parent.stop(AlgoState.REJECTED, self._reason)

    def listens(self, parent: Parent) -> bool:
        return False

    def hear(self, parent: Parent, look: Any) -> bool:
        return False
