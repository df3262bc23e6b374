"""What a simulated system does besides its duty: misleading answers, pop-ups, empty tables; named, counted, by seed.

Unlike ``faults``, which hurt the wire, a quirk changes what is done or said inside. The code that has an occasion for
some of them asks the plan which one, if any, it is this time.
"""

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from engine.entropy import Entropy

Q = TypeVar("Q", bound=enum.StrEnum)


class QuirkTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Play ``quirk`` on its ``occasion``-th occasion, from 1."""

    quirk: str
    occasion: int


class QuirkPlan(Generic[Q]):
    """Says for each occasion which quirk it gets. ``fired`` counts them; ``active = False`` ends the drawn ones.

    Args:
        kinds: the enum of the face's quirks. chances: quirk -> chance an occasion.
        script: what happens for certain; cleared to end it.

    Raises:
        ValueError: a quirk the face does not have, or a chance that is none.
    """

    def __init__(
        self,
        kinds: type[Q],
        chances: Mapping[str, float],
        script: Sequence[QuirkTrigger],
        entropy: Entropy,
        stream: str,
    ) -> None:
        names = [*chances, *(trigger.quirk for trigger in script)]
        strange = sorted(set(names) - {kind.value for kind in kinds})
        if strange:
            raise ValueError(f"there is no quirk {strange[0]!r}; there are {', '.join(kind.value for kind in kinds)}")
        if any(not 0 <= chance <= 1 for chance in chances.values()):
            raise ValueError("the chance of a quirk is between 0 and 1")
        self.fired: Counter[Q] = Counter()
        self.active = True
        self.script = list(script)
        self._chances = {kinds(name): chance for name, chance in chances.items()}
        self._occasions: Counter[Q] = Counter()
        self._draw = entropy.stream(stream)

    def happens(self, *among: Q) -> Q | None:
        """One occasion for these; the one that happens, None if none does."""
        # Always one draw an occasion: switching a quirk off must not move the later ones.
        point = self._draw.random()
        for quirk in among:
            self._occasions[quirk] += 1
        chosen = next((quirk for quirk in among if self._scripted(quirk)), None)
        if chosen is None and self.active:
            for quirk in among:
                point -= self._chances.get(quirk, 0.0)
                if point < 0:
                    chosen = quirk
                    break
        if chosen is not None:
            self.fired[chosen] += 1
        return chosen

    def span_ns(self, lowest_ns: int, highest_ns: int) -> int:
        """A span for something slow."""
        return self._draw.randint(lowest_ns, highest_ns)

    def _scripted(self, quirk: Q) -> bool:
        return any(t.quirk == quirk.value and t.occasion == self._occasions[quirk] for t in self.script)
