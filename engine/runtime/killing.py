"""Carrying out a latch of level CANCEL: every order of its scope is withdrawn, and the venue shows it twice.

A campaign is one latch on one account. It asks for each cancel through the account's outbox, asks again what was
refused, keeps the request over breaks and windows without cancels, pages a person when the deadline has passed and
goes on (RELIABILITY 4.4). It ends with two readings in a row that show none of our orders working; it begins again when
one comes alive. No limit and no latch stands in its way, and a restart takes it up where the journal says (3.3, C20).
"""

from collections.abc import Mapping, Sequence

import anyio
from msgspec import Struct

from engine.clock import Clock
from engine.domain.account import AccountSnapshot, CancelScope
from engine.domain.commands import CancelOrder
from engine.domain.events import Alert, KillLevel, LatchCleared, LatchSet
from engine.domain.evidence import Evidence
from engine.domain.ids import AccountId, ClientOrderId
from engine.domain.order import Order, OrderState
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.execution import OrderManager
from engine.ports import Publish
from engine.risk.kill import FLATTENER
from engine.risk.view import RiskView
from engine.runtime.cancel_windows import takes_cancels
from engine.runtime.evidence import EvidenceSeeker
from engine.runtime.flattening import Flattener
from engine.runtime.outbox import Outbox
from engine.runtime.safety_settings import KillTable

STEP_NS = SECOND_NS
READ_EVERY_NS = 5 * SECOND_NS
IDLE_READ_NS = MINUTE_NS
PAGE_AGAIN_NS = 5 * MINUTE_NS
NONE_READS = 2
"""Consecutive readings that must show none."""
RETRY_GROWTH_MAX = 12
LISTED_MAX = 20
"""Orders named in one page."""


class Asked(Struct):
    """How often one order's cancel was asked for, and when last."""

    times: int
    at_ns: int


class Campaign(Struct, kw_only=True):
    """One latch on one account."""

    latch: LatchSet
    account: AccountId
    last_ns: int
    asked: dict[ClientOrderId, Asked] = {}
    open_ns: int = 0
    """Session time so far in which orders of the scope were open."""
    paged_ns: int = 0
    """``open_ns`` at the last page; 0: none yet."""
    none_reads: int = 0
    done: bool = False


class Killing:
    """All campaigns of a run; ``serve`` is one task an account, which sleeps while there is no latch."""

    def __init__(
        self,
        *,
        manager: OrderManager,
        view: RiskView,
        boxes: Mapping[AccountId, Outbox],
        seekers: Mapping[AccountId, EvidenceSeeker],
        clock: Clock,
        publish: Publish,
        settings: KillTable,
        flattener: Flattener,
    ) -> None:
        self._manager = manager
        self._view = view
        self._boxes = boxes
        self._seekers = seekers
        self._clock = clock
        self._publish = publish
        self._settings = settings
        self._flattener = flattener
        self._campaigns: dict[AccountId, dict[str, Campaign]] = {account: {} for account in boxes}
        self._wakes = {account: anyio.Event() for account in boxes}

    @property
    def under_way(self) -> bool:
        """Whether a campaign has not come to its end."""
        return any(not one.done for all_of in self._campaigns.values() for one in all_of.values())

    # --- latches -----------------------------------------------------------------------------------------------------

    def on_latch(self, event: LatchSet) -> None:
        """Ask for the first cancels in the same turn; the tasks see to the rest."""
        latch = self._view.latches.get(event.scope)
        if latch is None or latch.level < KillLevel.CANCEL:
            return
        for account, campaigns in self._campaigns.items():
            known = campaigns.get(event.scope)
            if not self._concerns(event.scope, account) or (known is not None and known.latch.level >= latch.level):
                continue
            campaign = Campaign(latch=latch, account=account, last_ns=self._clock.now_ns)
            campaigns[event.scope] = campaign
            self._ask(campaign, self._open(campaign))
            self._wakes[account].set()

    def on_unlatch(self, event: LatchCleared) -> None:
        """A person has decided: nothing more is withdrawn for it."""
        for campaigns in self._campaigns.values():
            campaigns.pop(event.scope, None)

    def take_up(self) -> None:
        """After a restart: what is latched still is, and its cancels go on."""
        for latch in list(self._view.latches.values()):
            self.on_latch(latch)

    def _concerns(self, scope: str, account: AccountId) -> bool:
        kind, _, name = scope.partition(":")
        return kind != "account" or name == account

    # --- one account -------------------------------------------------------------------------------------------------

    async def serve(self, account: AccountId) -> None:
        """Until cancelled."""
        read_ns = 0
        while True:
            campaigns = list(self._campaigns[account].values())
            if not campaigns:
                self._wakes[account] = anyio.Event()
                await self._wakes[account].wait()
                continue
            for campaign in campaigns:
                self._round(campaign)
            if any(not one.done for one in campaigns) and self._clock.now_ns - read_ns >= self._pause_ns(campaigns):
                await self._read(account, campaigns)
                read_ns = self._clock.now_ns
            await self._clock.sleep(STEP_NS)

    def _pause_ns(self, campaigns: Sequence[Campaign]) -> int:
        """Between two readings; while no exchange acts on the cancels of what is open, nothing is learnt from more."""
        orders = [order for one in campaigns for order in self._open(one)]
        idle = orders and not any(self._takes_cancels(order) for order in orders)
        return IDLE_READ_NS if idle else READ_EVERY_NS

    def _round(self, campaign: Campaign) -> None:
        """Ask for what is still open, count the time it has been, page when that is too long."""
        now_ns = self._clock.now_ns
        elapsed_ns, campaign.last_ns = now_ns - campaign.last_ns, now_ns
        orders = self._open(campaign)
        if not orders:
            if campaign.done and campaign.latch.level is KillLevel.FLATTEN:
                self._flattener.step(campaign.latch.scope, campaign.account)
            return
        campaign.none_reads, campaign.done = 0, False
        self._ask(campaign, orders)
        if any(self._takes_cancels(order) for order in orders):
            campaign.open_ns += elapsed_ns
        due_ns = campaign.paged_ns + PAGE_AGAIN_NS if campaign.paged_ns else self._settings.deadline_ns
        if campaign.open_ns >= due_ns:
            campaign.paged_ns = campaign.open_ns
            self._page(campaign, orders)

    def _open(self, campaign: Campaign) -> list[Order]:
        """Our orders of the scope that are not ended, but for those that close positions."""
        flattens = campaign.latch.level is KillLevel.FLATTEN
        return [
            order
            for order in self._manager.working.values()
            if order.request.account == campaign.account
            and in_scope(campaign.latch.scope, order)
            and not (flattens and order.request.strategy == FLATTENER)
        ]

    def _ask(self, campaign: Campaign, orders: Sequence[Order]) -> None:
        """Once each at once; again when the venue refused and the wait is over and its exchange acts on cancels."""
        now_ns = self._clock.now_ns
        can = self._boxes[campaign.account].sheet.cancel_scope is not CancelScope.NONE
        for order in orders:
            client_id = order.request.client_id
            known = campaign.asked.get(client_id)
            if order.cancel_pending and known is None:
                campaign.asked[client_id] = Asked(1, now_ns)
            if order.cancel_pending or not (can or order.state is OrderState.QUEUED):
                continue
            if known is not None:
                wait_ns = self._settings.retry_ns * min(2 ** (known.times - 1), RETRY_GROWTH_MAX)
                if now_ns - known.at_ns < wait_ns or not self._takes_cancels(order):
                    continue
            campaign.asked[client_id] = Asked(1 if known is None else known.times + 1, now_ns)
            who = f"kill {campaign.latch.scope}"
            self._manager.on_cancel(CancelOrder(client_id=client_id, ts_ns=now_ns, who=who))

    def _takes_cancels(self, order: Order) -> bool:
        return takes_cancels(self._view, order.request.instrument, self._clock.now_ns)

    def _page(self, campaign: Campaign, orders: Sequence[Order]) -> None:
        listed = [
            f"{o.request.client_id} {o.state} {o.request.side} {o.leaves} {o.request.instrument}"
            f"{f' ({o.reason})' if o.reason else ''}"
            for o in orders[:LISTED_MAX]
        ]
        more = f" and {len(orders) - LISTED_MAX} more" if len(orders) > LISTED_MAX else ""
        seconds = campaign.open_ns // SECOND_NS
        self._say(
            campaign,
            f"PAGE: {len(orders)} orders are still open {seconds} s after everything was to be withdrawn; cancelling "
            f"goes on; look at the broker: {'; '.join(listed)}{more}",
        )

    # --- readings ----------------------------------------------------------------------------------------------------

    async def _read(self, account: AccountId, campaigns: Sequence[Campaign]) -> None:
        """One reading of the venue; what it shows is the judge's, whether it shows none is ours."""
        sheet = self._boxes[account].sheet
        waits = [one for one in campaigns if not one.done]
        if not sheet.lists_orders:
            # Where there is no list an order is over when it is decided, which looking brings about.
            if self._manager.undecided(account):
                await self._seekers[account].look()
            for campaign in waits:
                if not self._open(campaign):
                    self._finish(campaign, "every order is decided; this venue has no list to look at", ())
            return
        snapshot = await self._seekers[account].look()
        for campaign in waits:
            if snapshot is None or snapshot.orders is None or not snapshot.whole or self._open(campaign):
                campaign.none_reads = 0
                continue
            strangers = self._strangers(snapshot, campaign)
            campaign.none_reads += 1
            if campaign.none_reads >= NONE_READS:
                self._finish(campaign, f"{NONE_READS} readings in a row show none of ours working", strangers)

    def _strangers(self, snapshot: AccountSnapshot, campaign: Campaign) -> list[str]:
        """Live rows under the scope that are not ours: named, never touched."""
        kind, _, name = campaign.latch.scope.partition(":")
        if kind == "strategy":
            return []
        ours = {order.venue_id for order in self._manager.orders.values() if order.venue_id}
        return [
            f"{row.venue_id} {row.instrument}"
            for row in snapshot.orders or ()
            if row.status is Evidence.WORKING
            and row.venue_id not in ours
            and row.client_tag not in self._manager.orders
            and (kind != "symbol" or row.instrument == name)
        ]

    def _finish(self, campaign: Campaign, how: str, strangers: Sequence[str]) -> None:
        campaign.done = True
        left = f"; left alone, not ours: {', '.join(strangers[:LISTED_MAX])}" if strangers else ""
        self._say(campaign, f"everything of ours is withdrawn: {how}{left}")
        if campaign.latch.level is KillLevel.FLATTEN and not self._settings.flatten:
            self._say(campaign, "positions stay: [kill] flatten is off in the config")

    def _say(self, campaign: Campaign, text: str) -> None:
        about = f"kill:{campaign.latch.scope}"
        self._publish(Alert(ts_ns=self._clock.now_ns, about=about, text=f"{campaign.account}: {text}"))


def in_scope(scope: str, order: Order) -> bool:
    """Whether a latch's scope holds an order."""
    kind, _, name = scope.partition(":")
    request = order.request
    of = {"all": "", "account": request.account, "strategy": request.strategy, "symbol": request.instrument}
    return of.get(kind) == name
