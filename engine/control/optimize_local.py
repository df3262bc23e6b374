"""Workers of ``optimize`` as processes of this machine; one that dies is replaced, and its set is run again."""

import contextlib
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping

import anyio
import msgspec
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from engine.control.optimize_worker import REFUSED, Task
from engine.control.options import path_as_text
from engine.domain.errors import DataError
from engine.runtime.optimize.jobs import ENCODER, ROW_DECODER, Job, Row
from engine.runtime.optimize.setup import Setup

DEATHS_MAX = 3
"""A set whose process ended so often is given up; so is a worker that so often did not start."""
_LINE_MAX = 1 << 28
_COMMAND = [sys.executable, "-m", "engine.control.optimize_worker"]
_GONE = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalPool:
    """Implements ``optimize_run.Workers``; made by ``local_pool``."""

    def __init__(self, task: Task, environ: Mapping[str, str]) -> None:
        self._task = task
        self._fingerprint = ""
        self._begun = anyio.Event()
        self._environ = {**environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        # Each worker is one thread: more of them in one process would only fight over the cores.
        self._environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
        self._waiting: deque[Job] = deque()
        self._wake = anyio.Event()
        self._rows_in, self._rows_out = anyio.create_memory_object_stream[Row](2**31)
        self._deaths: dict[str, int] = {}
        self._processes: dict[int, Process] = {}
        self.restarts = 0

    @property
    def pids(self) -> list[int]:
        """Of the workers that are running now."""
        return [self._processes[number].pid for number in sorted(self._processes)]

    def submit(self, job: Job) -> None:
        self._waiting.append(job)
        self._wake.set()

    async def next(self) -> Row:
        return await self._rows_out.receive()

    async def begin(self, setup: Setup, fingerprint: str) -> None:
        """They read the data themselves; that it is the same is what the fingerprint says."""
        del setup
        self._fingerprint = fingerprint
        self._begun.set()

    async def serve(self, number: int, started: anyio.Event) -> None:
        """One worker's life, and that of those who replace it.

        Args:
            started: set once the first was told what it is to read; one that is set already: wait for work first.

        Raises:
            DataError: it does not start.
        """
        failed = 0
        while True:
            if started.is_set():
                await self._work_there()
            process = await anyio.open_process(_COMMAND, stderr=None, env=self._environ, start_new_session=True)
            self._processes[number] = process
            try:
                failed = 0 if await self._feed(process, started) else failed + 1
            finally:
                with anyio.CancelScope(shield=True):
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
            self.restarts += 1
            if failed >= DEATHS_MAX:
                raise DataError("a worker process of optimize does not start; its own words are above")

    async def _feed(self, process: Process, started: anyio.Event) -> bool:
        """Jobs and rows until the process is gone; whether it ever was ready.

        Raises:
            DataError: it can not use the data, or does not have the same data, code or rules as we.
        """
        assert process.stdin is not None
        assert process.stdout is not None
        answers = BufferedByteReceiveStream(process.stdout)
        try:
            await process.stdin.send(msgspec.json.encode(self._task, enc_hook=path_as_text) + b"\n")
            started.set()
            ready = (await answers.receive_until(b"\n", _LINE_MAX)).decode()
        except _GONE:
            return False
        if ready.startswith(REFUSED):
            raise DataError(ready.removeprefix(REFUSED))
        await self._begun.wait()
        if ready != self._fingerprint:
            raise DataError("a worker found other data or other code than this process: a file changed meanwhile")
        while True:
            job = await self._job()
            try:
                await process.stdin.send(ENCODER.encode(job) + b"\n")
                self._rows_in.send_nowait(ROW_DECODER.decode(await answers.receive_until(b"\n", _LINE_MAX)))
            except _GONE:
                await self._bury(process, job)
                return True

    async def _work_there(self) -> None:
        """Where every run is in the results file already, no process is started."""
        while not self._waiting:
            if self._wake.is_set():
                self._wake = anyio.Event()
            await self._wake.wait()

    async def _job(self) -> Job:
        await self._work_there()
        return self._waiting.popleft()

    async def _bury(self, process: Process, job: Job) -> None:
        """The job goes to another worker, unless it has ended too many."""
        deaths = self._deaths[job.key] = self._deaths.get(job.key, 0) + 1
        if deaths < DEATHS_MAX:
            self.submit(job)
            return
        code = await process.wait()
        problem = f"its worker process ended {deaths} times (exit code {code})"
        self._rows_in.send_nowait(
            Row(key=job.key, parameters=job.parameters, span=job.span, problem=problem, lost=True)
        )


@contextlib.asynccontextmanager
async def local_pool(
    task: Task, workers: int, environ: Mapping[str, str], *, lazy: bool = False
) -> AsyncIterator[LocalPool]:
    """So many worker processes, which end with the block.

    Args:
        lazy: start them when there is work for them; else they read their data while the block reads its own.
    """
    pool = LocalPool(task, environ)
    async with anyio.create_task_group() as group:
        for number in range(workers):
            started = anyio.Event()
            if lazy:
                started.set()
            group.start_soon(pool.serve, number, started)
            await started.wait()
        yield pool
        group.cancel_scope.cancel()
