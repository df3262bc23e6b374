"""Every set of the space, in order."""

from collections.abc import Iterator

from engine.domain.errors import ConfigError
from engine.runtime.optimize.search import EVERYTHING, Value
from engine.runtime.optimize.space import Parameters, Space, listed

SETS_MAX = 1_000_000


class Grid:
    """Implements ``search.Search``."""

    lag = EVERYTHING

    def __init__(self, space: Space) -> None:
        """
        Raises:
            ConfigError: the space has no end, or too many sets.
        """
        size = space.size
        if size is None:
            endless = next(dimension.name for dimension in space.dimensions if not dimension.values)
            raise ConfigError(
                f"a grid needs a step for {endless}; write --range {endless}=LOW:HIGH:STEP, or add --search random"
            )
        if size > SETS_MAX:
            raise ConfigError(f"the grid has {size:,} sets; write larger steps, or add --search random --trials 500")
        self.total = size
        self._sets: Iterator[Parameters] = listed(space)

    def ask(self) -> Parameters | None:
        return next(self._sets, None)

    def tell(self, number: int, value: Value) -> None:
        """It has its order already."""
