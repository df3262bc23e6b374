"""Which sets are tried: what every way of searching answers, and the loop that keeps the workers busy with them.

The order in which a search is asked and told never depends on which run ended first: set ``n`` is asked for when the
first ``n - lag + 1`` are told, in order. So the same search tries the same sets with one worker or with fifty.
"""

from collections.abc import Callable
from typing import Protocol

from engine.runtime.optimize.jobs import Job, Pool, Row
from engine.runtime.optimize.space import Parameters

EVERYTHING = 2**62
Value = float | None
"""What a set is worth, more is better; None: it is not fit."""


class Search(Protocol):
    @property
    def lag(self) -> int:
        """How many sets may be out at once."""

    @property
    def total(self) -> int: ...

    def ask(self) -> Parameters | None:
        """The next set; None: there are no more."""

    def tell(self, number: int, value: Value) -> None:
        """What the set of that number came to."""


async def search_sets(
    search: Search,
    pool: Pool,
    job_of: Callable[[Parameters], Job],
    known: Callable[[Job], Row | None],
    keep: Callable[[Row], None],
    worth: Callable[[Row], Value],
) -> list[Row]:
    """Every set of a search, each run once; gives the rows in the order of the search, each set once.

    Args:
        known: a row that is there already, from before an interruption.
        keep: called with each new row as it comes.
    """
    asked: list[str] = []
    rows: dict[str, Row] = {}
    out: set[str] = set()
    told, ended = 0, False
    while True:
        if not ended and len(asked) - told < search.lag:
            parameters = search.ask()
            if parameters is None:
                ended = True
                continue
            job = job_of(parameters)
            asked.append(job.key)
            if job.key not in rows and job.key not in out:
                found = known(job)
                if found is None:
                    out.add(job.key)
                    pool.submit(job)
                else:
                    rows[job.key] = found
        elif told < len(asked) and asked[told] in rows:
            search.tell(told, worth(rows[asked[told]]))
            told += 1
        elif told == len(asked):
            return [rows[key] for key in dict.fromkeys(asked)]
        else:
            row = await pool.next()
            out.discard(row.key)
            rows[row.key] = row
            keep(row)
