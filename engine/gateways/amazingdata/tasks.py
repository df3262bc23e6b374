"""Work on the server's cache: started so that a lost answer starts nothing twice, and waited for (contract 5)."""

from collections.abc import Callable

from msgspec import Struct

from engine.clock import Clock
from engine.domain.errors import OutcomeUnknown, Refused
from engine.domain.timestamps import SECOND_NS
from engine.gateways.amazingdata.client import AmazingDataClient, Scope, Work
from engine.gateways.amazingdata.messages import Started, Task

POLL_NS = 2 * SECOND_NS
LIMIT_NS = 300 * SECOND_NS
"""Document, section 10.3. A run over the whole market takes longer: raise it."""
ABSENT_MAX = 3
"""Polls that may find no task right after it was made."""
_STOPPED = frozenset({"cancelled", "canceled"})

Progress = Callable[[Task], None]


class CacheTasks(Struct, frozen=True):
    client: AmazingDataClient
    clock: Clock
    poll_ns: int = POLL_NS
    limit_ns: int = LIMIT_NS

    async def start(self, work: Work, scope: Scope) -> Started:
        """Start work once. If the answer is lost, the list of tasks says whether it began.

        Raises:
            OutcomeUnknown: the answer is lost and no new task is listed; look again before starting another.
        """
        before = await self._newest()
        try:
            return await self.client.start_work(work, scope)
        except OutcomeUnknown as lost:
            page = await self.client.tasks()
            fresh = [t for t in page.items if t.id > before and t.security_type in (None, scope.security_type)]
            if len(fresh) != 1:
                raise OutcomeUnknown(
                    f"{work}: the answer was lost ({lost.message}) and {len(fresh)} new tasks are listed; "
                    "look into them before starting it again"
                ) from lost
            return Started(task_id=fresh[0].id, status=fresh[0].status, total_count=fresh[0].total_count)

    async def wait(self, task_id: int, progress: Progress = lambda _task: None) -> Task:
        """Poll until it is completed; ``error_count`` above 0 means in part.

        Raises:
            Refused: it failed, with the server's message, or was cancelled, or does not exist.
            OutcomeUnknown: not over within the limit; it goes on at the server.
        """
        give_up_ns = self.clock.now_ns + self.limit_ns
        absent = 0
        while True:
            task = await self._task(task_id)
            if task is None:
                absent += 1
                if absent > ABSENT_MAX:
                    raise Refused(f"task {task_id}: the server has no such task", status=404)
            else:
                progress(task)
                if task.status == "completed":
                    return task
                if task.status == "failed":
                    raise Refused(f"task {task_id} failed: {task.error_message or 'the server does not say why'}")
                if task.status in _STOPPED:
                    raise Refused(f"task {task_id} was cancelled at the server")
            if self.clock.now_ns >= give_up_ns:
                raise OutcomeUnknown(
                    f"task {task_id} is not over after {self.limit_ns / SECOND_NS:.0f} s; it goes on at the server: "
                    f"ask for it later by its number, {task_id}"
                )
            await self.clock.sleep(self.poll_ns)

    async def run(self, work: Work, scope: Scope, progress: Progress = lambda _task: None) -> Task | None:
        """Start and wait; None where there was nothing to do.

        Raises:
            Refused, OutcomeUnknown: as ``start`` and ``wait``.
        """
        begun = await self.start(work, scope)
        if begun.task_id is None:
            if begun.status not in ("completed", "") and begun.missing_count:
                raise OutcomeUnknown(f"{work}: the server gave no number to ask for; its status is {begun.status!r}")
            return None
        return await self.wait(begun.task_id, progress)

    async def _task(self, task_id: int) -> Task | None:
        try:
            return await self.client.task(task_id)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def _newest(self) -> int:
        page = await self.client.tasks()
        return max((task.id for task in page.items), default=0)
