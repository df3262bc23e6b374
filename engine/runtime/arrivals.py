"""Who is there when a run starts: gateways log in beside each other, and a late one keeps nobody waiting for ever.

With endless patience the start waits for all of them. With less it goes on with those that are there; orders of a late
one's accounts are denied, as they are not reconciled, until it has come, and then it is taken in as at a start: logged
in, evidence for what the last run left open, reconciled (RELIABILITY 3.2).
"""

from typing import TYPE_CHECKING, Any

import anyio

from engine.domain.errors import ConfigError, GatewayError
from engine.domain.ids import AccountId
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.ports import Gateway

if TYPE_CHECKING:
    from engine.runtime.live import LiveRun

RETRY_NS, RETRY_MAX_NS = 5 * SECOND_NS, 30 * SECOND_NS
SETTLE_NS = 10 * MINUTE_NS
"""How long a start waits for orders of unknown outcome before it says so and goes on."""


class Arrivals:
    """One a run; its tasks live in the run's task group."""

    def __init__(self, run: "LiveRun", tasks: Any) -> None:
        self._run = run
        self._tasks = tasks
        self._patience = run.patience_seconds
        self._here: dict[str, anyio.Event] = {name: anyio.Event() for name in run.gateways}
        """Set once a gateway is logged in."""
        self._even: dict[AccountId, anyio.Event] = {account.id: anyio.Event() for account in run.spec.accounts}
        """Set once an account's start is over."""
        self._refused: dict[str, ConfigError] = {}

    async def log_in(self) -> None:
        """Until all are, or patience is over.

        Raises:
            ConfigError: credentials or environment of one are wrong; with less than endless patience, of all.
        """
        for name, gateway in self._run.gateways.items():
            self._tasks.start_soon(self._connect, name, gateway)
        with anyio.move_on_after(self._patience):
            for event in self._here.values():
                await event.wait()
        if self._refused and len(self._refused) == len(self._here):
            raise next(iter(self._refused.values()))

    async def reconcile(self) -> None:
        """The accounts of those that are logged in, beside each other; until all are even, or patience is over."""
        spec = self._run.spec
        there = [account.id for account in spec.accounts if self._is_here(account.gateway)]
        for account in there:
            self._tasks.start_soon(self._at_start, account)
        with anyio.move_on_after(self._patience):
            for account in there:
                await self._even[account].wait()

    def go_on(self) -> None:
        """Feeds and account pushes of those that are logged in; the others are taken in as they come."""
        for name, gateway in self._run.gateways.items():
            if self._is_here(name):
                self._tasks.start_soon(gateway.run, self._run.core.bus.publish)
            else:
                self._run._alert(f"gateway:{name}", "is not there yet; its accounts do not trade until it is")
                self._tasks.start_soon(self._late, name, gateway)

    def seek(self) -> None:
        """Look for evidence, once a start is over, at every account that is there."""
        for account in self._run.spec.accounts:
            if self._is_here(account.gateway):
                self._tasks.start_soon(self._run.seekers[account.id].run)

    def _is_here(self, name: str) -> bool:
        return self._here[name].is_set() and name not in self._refused

    async def _late(self, name: str, gateway: Gateway) -> None:
        await self._here[name].wait()
        if name in self._refused:
            return
        mine = [account.id for account in self._run.spec.accounts if account.gateway == name]
        async with anyio.create_task_group() as starts:
            for account in mine:
                starts.start_soon(self._at_start, account)
        self._run._alert(f"gateway:{name}", "has come; its accounts are reconciled as far as they can be")
        self._tasks.start_soon(gateway.run, self._run.core.bus.publish)
        for account in mine:
            self._tasks.start_soon(self._run.seekers[account].run)

    async def _at_start(self, account: AccountId) -> None:
        await self._run.reconciling.at_start(account, self._run.clock.now_ns + SETTLE_NS)
        self._even[account].set()

    async def _connect(self, name: str, gateway: Gateway) -> None:
        wait_ns = RETRY_NS
        endless = self._patience == float("inf")
        while True:
            try:
                await gateway.connect()
            except ConfigError as error:
                if endless:
                    raise
                # Asking again with a wrong password locks accounts.
                self._refused[name] = error
                self._run._alert(f"gateway:{name}", f"{error}; it is not asked again before a reload or a restart")
            except GatewayError as error:
                text = f"not reachable: {error}; trying again in {wait_ns // SECOND_NS} s"
                self._run._alert(f"gateway:{name}", text)
                await self._run.clock.sleep(wait_ns)
                if not endless:
                    wait_ns = min(2 * wait_ns, RETRY_MAX_NS)
                continue
            self._here[name].set()
            return
