"""Workers of ``optimize`` on other machines, by dask.distributed: what the runs need is sent to each of them once."""

import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

from engine.domain.errors import ConfigError, DataError
from engine.runtime.code_hashes import engine_hash
from engine.runtime.optimize.evaluation import evaluate
from engine.runtime.optimize.jobs import Job, Row
from engine.runtime.optimize.setup import Setup

RETRIES = 3
"""How often a run that failed on a worker is tried again; how many deaths of workers it may see is the scheduler's."""
CONNECT_SECONDS = 10


class ClusterPool:
    """Implements ``optimize_run.Workers``; made by ``cluster_pool``."""

    def __init__(self, client: Any, finished: Any) -> None:
        self._client = client
        self._shipped: Any = None
        self._finished = finished
        self._jobs: dict[str, Job] = {}
        self._numbers = itertools.count()

    async def begin(self, setup: Setup, fingerprint: str) -> None:
        """Bars, rules and the strategies' source to every worker, once."""
        del fingerprint
        self._shipped = await self._client.scatter(setup, broadcast=True, hash=False)

    def submit(self, job: Job) -> None:
        key = f"{self._shipped.key}-run-{next(self._numbers)}"
        self._jobs[key] = job
        self._finished.add(self._client.submit(evaluate, self._shipped, job, key=key, pure=False, retries=RETRIES))

    async def next(self) -> Row:
        future = await anext(self._finished)
        job = self._jobs.pop(future.key)
        if future.status == "finished":
            row: Row = await future
            return row
        why = await future.exception() if future.status == "error" else future.status
        problem = f"the cluster gave it up: {type(why).__name__}: {' '.join(str(why).split())[:300]}"
        return Row(key=job.key, parameters=job.parameters, span=job.span, problem=problem, lost=True)


@contextlib.asynccontextmanager
async def cluster_pool(address: str) -> AsyncIterator[ClusterPool]:
    """The workers of a scheduler.

    Raises:
        ConfigError: dask.distributed is not installed, nobody answers, there are no workers, or they have another
            version of the engine.
        DataError: the connection broke.
    """
    distributed = _imported()
    try:
        client = await distributed.Client(
            address, asynchronous=True, set_as_default=False, timeout=CONNECT_SECONDS, name="sluice optimize"
        )
    except (OSError, TimeoutError, ValueError) as why:
        raise ConfigError(
            f"--cluster {address}: no scheduler answers ({' '.join(str(why).split())[:200]}); start one with: "
            "dask scheduler, and workers with: dask worker ADDRESS --nthreads 1"
        ) from why
    async with client:
        try:
            await client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as why:
            raise ConfigError(f"--cluster {address}: it has no workers; start them: dask worker {address}") from why
        await _refuse_unless_alike(client, address)
        finished = distributed.as_completed(loop=client.loop)
        try:
            yield ClusterPool(client, finished)
        except OSError as why:
            raise DataError(f"--cluster {address}: the connection broke ({why}); go on with --resume") from why


async def _refuse_unless_alike(client: Any, address: str) -> None:
    """Raises:
    ConfigError: a worker's engine is not this one.
    """
    ours = engine_hash()
    answers = await client.run(engine_hash, on_error="return")
    for worker, theirs in sorted(answers.items()):
        if theirs != ours:
            what = "another version of the engine" if isinstance(theirs, str) else f"no engine ({theirs})"
            raise ConfigError(f"--cluster {address}: worker {worker} has {what}; install the same sluice there")


def _imported() -> Any:
    try:
        import distributed
    except ImportError as why:
        raise ConfigError("--cluster needs dask.distributed; install it: pip install 'sluice[cluster]'") from why
    return distributed
