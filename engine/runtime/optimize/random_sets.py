"""Sets drawn by a seed, no two equal."""

from collections.abc import Iterator

from engine.entropy import Entropy
from engine.runtime.optimize.search import EVERYTHING, Value
from engine.runtime.optimize.space import Parameters, Space


class RandomSets:
    """Implements ``search.Search``; the same seed draws the same sets, and more of them go on where fewer ended."""

    lag = EVERYTHING

    def __init__(self, space: Space, trials: int, seed: int) -> None:
        drawn = space.draw(Entropy(seed).stream("optimize"), trials)
        self.total = len(drawn)
        self._sets: Iterator[Parameters] = iter(drawn)

    def ask(self) -> Parameters | None:
        return next(self._sets, None)

    def tell(self, number: int, value: Value) -> None:
        """It has its order already."""
