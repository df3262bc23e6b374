"""What the platform's cache holds: days and minutes that are not there until a task fetches them."""

from collections.abc import Iterable, Sequence

from engine.simulators.past import key_of, uniform


class Coverage:
    """Gaps drawn from the seed, by code and day.

    Args:
        gaps: share of days a code lacks altogether. holes: share of days from which some minutes are lacking.
        suspensions: share of days on which a code did not trade; no task changes those.
    """

    def __init__(self, seed: int, *, gaps: float, holes: float, suspensions: float) -> None:
        self._seed = seed
        self._gaps = gaps
        self._holes = holes
        self._suspensions = suspensions
        self._filled: set[tuple[str, int]] = set()
        self._whole: set[tuple[str, int]] = set()

    def missing(self, code: str, days: Sequence[int]) -> list[int]:
        """The days the cache lacks."""
        return [day for day in self._drawn("gap", code, days, self._gaps) if (code, day) not in self._filled]

    def suspended(self, code: str, days: Sequence[int]) -> list[int]:
        """The days without trading."""
        return self._drawn("suspended", code, days, self._suspensions)

    def hole(self, code: str, day: int, count: int) -> range:
        """The minutes (by number in the day) the cache lacks: up to half an hour in a row."""
        if not self._drawn("hole", code, [day], self._holes) or (code, day) in self._whole:
            return range(0)
        key = key_of(self._seed, f"hole/{code}")
        start, length = uniform(key, [day], 1)[0], uniform(key, [day], 2)[0]
        first = int(start * (count - 30))
        return range(first, first + 1 + int(length * 30))

    def fill(self, code: str, days: Iterable[int]) -> None:
        """A task fetched whole days."""
        wanted = list(days)
        self._filled |= {(code, day) for day in self._drawn("gap", code, wanted, self._gaps)}

    def refresh(self, code: str, days: Iterable[int]) -> None:
        """A task fetched days anew, minutes included."""
        wanted = list(days)
        self.fill(code, wanted)
        self._whole |= {(code, day) for day in self._drawn("hole", code, wanted, self._holes)}

    def _drawn(self, what: str, code: str, days: Sequence[int], share: float) -> list[int]:
        if not share or not days:
            return []
        points = uniform(key_of(self._seed, f"{what}/{code}"), days)
        return [day for day, point in zip(days, points, strict=True) if point < share]
