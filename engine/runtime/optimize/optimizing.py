"""The whole of ``optimize``: all of the data, then each window of a walk, on any pool of workers."""

from collections.abc import Callable

from msgspec import Struct

from engine.runtime.optimize.bayes import Bayes
from engine.runtime.optimize.grid import Grid
from engine.runtime.optimize.jobs import WHOLE, Job, Pool, Row, Span
from engine.runtime.optimize.objective import Objective
from engine.runtime.optimize.random_sets import RandomSets
from engine.runtime.optimize.ranking import Ranking, ranking_of
from engine.runtime.optimize.results_file import ResultsFile
from engine.runtime.optimize.search import Search, search_sets
from engine.runtime.optimize.space import Space
from engine.runtime.optimize.walk_forward import Walk, outcome_of, walk_of
from engine.runtime.optimize.windows import Window

SEARCHES = ("grid", "random", "bayes")


class Wanted(Struct, frozen=True, kw_only=True):
    """How to look."""

    search: str
    trials: int
    seed: int
    objective: Objective
    storage: str = ""
    study: str = "optimize"


class Outcome(Struct, frozen=True, kw_only=True):
    ranking: Ranking
    walk: Walk | None


class Optimizing:
    """One search over all of the data, and one in each train window."""

    def __init__(
        self,
        wanted: Wanted,
        space: Space,
        windows: list[Window],
        results: ResultsFile,
        fingerprint: str,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        """
        Raises:
            ConfigError: the space can not be searched so; the storage can not be used.
        """
        self._wanted = wanted
        self._windows = windows
        self._results = results
        self._progress = progress
        spans = [Span(), *(window.train for window in windows)]
        self._searches = {span.name: (span, self._search(space, span, fingerprint)) for span in spans}
        self.total = sum(search.total for _, search in self._searches.values()) + len(windows)
        self._done = 0

    def _search(self, space: Space, span: Span, fingerprint: str) -> Search:
        wanted = self._wanted
        if wanted.search == "grid":
            return Grid(space)
        if wanted.search == "random":
            return RandomSets(space, wanted.trials, wanted.seed)
        study = wanted.study if span.name == WHOLE else f"{wanted.study}, {span.name}"
        goal = f"{wanted.objective.name} {wanted.objective.min_trades}"
        about = f"{fingerprint} {span.from_ns} {span.to_ns} {goal}"
        return Bayes(space, wanted.trials, wanted.seed, storage=wanted.storage, study=study, about=about)

    async def run(self, pool: Pool) -> Outcome:
        """Every run; each is kept in the results file as it comes."""
        self._progress(0, self.total)
        rows = await self._rows(WHOLE, pool)
        trained = [await self._rows(window.train.name, pool) for window in self._windows]
        # The choices are made when all train windows are done, so that no worker waits for one.
        rankings = [ranking_of(some, self._wanted.objective) for some in trained]
        jobs = [
            None if ranking.best is None else Job(parameters=ranking.best.row.parameters, span=window.test)
            for window, ranking in zip(self._windows, rankings, strict=True)
        ]
        tests = await self._tests([job for job in jobs if job is not None], pool)
        outcomes = [
            outcome_of(window, ranking, None if job is None else tests[job.key], self._wanted.objective)
            for window, ranking, job in zip(self._windows, rankings, jobs, strict=True)
        ]
        return Outcome(
            ranking=ranking_of(rows, self._wanted.objective), walk=walk_of(outcomes) if self._windows else None
        )

    async def _rows(self, name: str, pool: Pool) -> list[Row]:
        span, search = self._searches[name]
        return await search_sets(
            search,
            pool,
            lambda parameters: Job(parameters=parameters, span=span),
            self._known,
            self._keep,
            self._wanted.objective.worth,
        )

    async def _tests(self, jobs: list[Job], pool: Pool) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for job in jobs:
            row = self._known(job)
            if row is None:
                pool.submit(job)
            else:
                found[job.key] = row
        while len(found) < len(jobs):
            row = await pool.next()
            self._keep(row)
            found[row.key] = row
        return found

    def _known(self, job: Job) -> Row | None:
        row = self._results.known(job)
        if row is not None:
            self._count()
        return row

    def _keep(self, row: Row) -> None:
        self._results.keep(row)
        self._count()

    def _count(self) -> None:
        self._done += 1
        self._progress(min(self._done, self.total), self.total)
