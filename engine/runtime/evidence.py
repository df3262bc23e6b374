"""Looking for what became of an order, and at the account at the period its venue asks for.

It only reads; what a reading proves is the core's to judge. It never gives up and never decides by time.
"""

from collections.abc import Callable

from engine import traps
from engine.clock import Clock
from engine.domain.account import AccountSnapshot
from engine.domain.errors import GatewayError
from engine.domain.events import AccountObserved, Alert
from engine.domain.order import OrderState
from engine.domain.timestamps import SECOND_NS
from engine.execution import OrderManager
from engine.ports import OrderRouter, Publish, ReadsPast

SEEK_EVERY_NS = 2 * SECOND_NS
ALERT_AFTER_NS = 120 * SECOND_NS
"""An order still undecided after this is a person's to know of (RELIABILITY 3.5)."""


class EvidenceSeeker:
    """One an account."""

    every_ns = SEEK_EVERY_NS

    def __init__(
        self, router: OrderRouter, manager: OrderManager, clock: Clock, publish: Publish, poke: Callable[[], None]
    ) -> None:
        self._router = router
        self._manager = manager
        self._clock = clock
        self._publish = publish
        self._poke = poke
        self._alerted: set[str] = set()

    async def run(self) -> None:
        """Until cancelled: often while an order is undecided, else once a snapshot period."""
        period_ns = self._router.capabilities().snapshot_period_ns
        read_ns = self._clock.now_ns
        while True:
            await self._clock.sleep(self.every_ns)
            unknown = self._unknown()
            if unknown or self._clock.now_ns - read_ns >= period_ns:
                await self.look()
                read_ns = self._clock.now_ns
            self._alert(unknown)

    async def look(self) -> AccountSnapshot | None:
        """One reading, told to the core; None if it failed (the next one may not)."""
        try:
            snapshot = await self._read()
        except GatewayError as error:
            account = f"account:{self._router.account}"
            self._publish(Alert(ts_ns=self._clock.now_ns, about=account, text=f"reading failed: {error}"))
            return None
        self._publish(AccountObserved(snapshot=snapshot))
        self._poke()
        return snapshot

    async def _read(self) -> AccountSnapshot:
        """A list of the day; where orders of before are open, what the venue's history says of them as well."""
        sought = self._manager.of_before(self._router.account)
        if sought and isinstance(self._router, ReadsPast):
            return await self._router.snapshot_of(sought)
        return await self._router.snapshot()

    async def settle(self, deadline_ns: int) -> bool:
        """Look until no order of the account is undecided; False if some still are at the deadline."""
        traps.passed("C25")
        while self._manager.undecided(self._router.account):
            if self._clock.now_ns >= deadline_ns:
                return False
            await self.look()
            if self._manager.undecided(self._router.account):
                await self._clock.sleep(SEEK_EVERY_NS)
        return True

    def _unknown(self) -> list[str]:
        return [
            order.request.client_id
            for order in self._manager.undecided(self._router.account)
            if order.state is OrderState.UNKNOWN
        ]

    def _alert(self, unknown: list[str]) -> None:
        now_ns = self._clock.now_ns
        for client_id in unknown:
            order = self._manager.orders[client_id]  # type: ignore[index]
            if client_id not in self._alerted and now_ns - order.sent_ns > ALERT_AFTER_NS:
                self._alerted.add(client_id)
                text = "its outcome is still unknown after 120 s; it blocks its account until evidence comes"
                self._publish(Alert(ts_ns=now_ns, about=f"order:{client_id}", text=text))
        self._alerted &= set(unknown)
