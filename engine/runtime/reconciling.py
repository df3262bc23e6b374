"""When accounts are reconciled, and what is done with what is found.

At the start, after the way to an account broke, by its period, and when a person asks (RELIABILITY 3.2, 3.1 step 9).

Until an account whose link broke has been read again, and what the reading shows is decided, none of its new orders
leaves. What nothing explains latches the account; only a person's ``accept`` books it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import anyio

from engine.clock import LiveClock
from engine.domain.account import AccountSnapshot, Environment
from engine.domain.events import (
    AccountLink,
    AccountObserved,
    Alert,
    KillLevel,
    PositionAdjusted,
)
from engine.domain.ids import AccountId
from engine.domain.reconciled import ReconcileEnded, ReconcileStarted
from engine.domain.timestamps import SECOND_NS
from engine.reconciliation import ACCEPTED, Judgement
from engine.runtime.evidence import EvidenceSeeker
from engine.runtime.gate import RECONCILED
from engine.runtime.outbox import Outbox
from engine.runtime.reconcile_report import AccountReport, account_report
from engine.runtime.wiring import Core

RETRY_NS = 5 * SECOND_NS
WHO = "reconciliation"
"""Who sets the latch of an unexplained difference: accepting it lowers that one, and no other."""


class Reconciling:
    """One a live run."""

    def __init__(
        self,
        core: Core,
        boxes: Mapping[AccountId, Outbox],
        seekers: Mapping[AccountId, EvidenceSeeker],
        clock: LiveClock,
        ready: Callable[[], bool],
        environments: Mapping[AccountId, Callable[[], Environment | None]],
    ) -> None:
        """
        Args:
            ready: whether the start is over; before that a reading is the start's to judge.
            environments: which one each account's venue has proven to be.
        """
        self.latest: dict[AccountId, AccountReport] = {}
        """What the last reading of each account showed."""
        self._core = core
        self._boxes = boxes
        self._seekers = seekers
        self._clock = clock
        self._ready = ready
        self._environments = environments
        self._holds: dict[AccountId, int] = {}
        """Account -> the moment its link broke: a reading begun after that ends it."""
        self._due: dict[AccountId, None] = {}
        self._wake = anyio.Event()
        self._why: dict[AccountId, str] = {}
        self._written: dict[AccountId, bool] = {}
        self._to_start: dict[AccountId, None] = dict.fromkeys(boxes)
        """Accounts whose start is not over: a reading of theirs is the start's to judge."""

    # --- at the start ------------------------------------------------------------------------------------------------

    async def at_start(self, account: AccountId, deadline_ns: int) -> None:
        """Evidence for what the last run left open, then our book against the venue's."""
        seeker = self._seekers[account]
        self._hold_outbox(account)
        settled = await seeker.settle(deadline_ns)
        before: AccountSnapshot | None = None
        opening = not self._core.reconciler.opened.get(account, False)
        self.begin(account, "at the start")
        while settled:
            snapshot = await seeker.look()
            if snapshot is not None and snapshot.positions is not None:
                if not opening or not self._may_be_empty(account) or snapshot.shows_as(before):
                    report = self.take(snapshot, opening=opening)
                    if not report.doubt and (report.held or self._core.settles(snapshot)):
                        break
                before = snapshot
            await self._clock.sleep(RETRY_NS)
        text = "" if settled else "orders of unknown outcome are left; they block their account"
        self.close(account, text, ok=settled)
        self.proved(account, self._environments[account](), problem=text)

    def _may_be_empty(self, account: AccountId) -> bool:
        """Whether a table of this venue may be empty by failure: then two readings must agree (RELIABILITY 3.2)."""
        sheet = self._boxes[account].sheet
        return sheet.lists_orders and not sheet.echoes_client_id

    # --- while it runs -----------------------------------------------------------------------------------------------

    def on_account(self, event: AccountObserved) -> None:
        """Every reading, whoever asked for it."""
        account = event.snapshot.account
        if self._ready() and account in self._boxes and account not in self._to_start:
            self.take(event.snapshot)
            self._boxes[account].poke()

    def on_link(self, event: AccountLink) -> None:
        """The way to an account broke, or stands again."""
        account = event.account
        if account not in self._boxes:
            return
        if not event.up:
            self._holds.setdefault(account, event.ts_ns)
        elif account in self._holds:
            self._holds[account] = event.ts_ns
            self._due[account] = None
            self._wake.set()

    def held(self, account: AccountId) -> bool:
        """Whether no new order of it may leave: it has not been reconciled since its link broke."""
        return account in self._holds

    async def run(self) -> None:
        """Until cancelled: read what was out of sight, as soon as it is in sight."""
        while True:
            if not self._due:
                self._wake = anyio.Event()
                await self._wake.wait()
            for account in list(self._due):
                del self._due[account]
                await self._after_break(account)

    async def _after_break(self, account: AccountId) -> None:
        self.begin(account, "after a reconnect")
        # Where it breaks again, the next word that it stands brings us back here.
        while account in self._holds:
            read = await self._seekers[account].look()
            if account in self._holds:
                await self._clock.sleep(RETRY_NS)
            elif read is not None:
                self.close(account)

    async def on_demand(self, account: AccountId, seconds: float) -> AccountReport | None:
        """Read until what the readings show is decided, at most so many real seconds; None: no reading succeeded."""
        begun_ns = self._clock.now_ns
        self.begin(account, "on demand")
        with anyio.move_on_after(seconds):
            while True:
                await self._seekers[account].look()
                report = self._read_since(account, begun_ns)
                if report is not None and not report.doubt:
                    self.close(account)
                    break
                await self._clock.sleep(RETRY_NS)
        return self._read_since(account, begun_ns)

    def _read_since(self, account: AccountId, ts_ns: int) -> AccountReport | None:
        report = self.latest.get(account)
        return report if report is not None and report.read_ns >= ts_ns else None

    # --- what is done ------------------------------------------------------------------------------------------------

    def begin(self, account: AccountId, why: str) -> None:
        """One that is asked for begins: what it finds, or that it found nothing, will be written."""
        self._why[account], self._written[account] = why, False

    def proved(self, account: AccountId, environment: Environment | None, *, problem: str) -> None:
        """The start knows the account: what it proved itself to be; orders may leave, unless there is a problem."""
        view, name = self._core.view, f"account:{account} {RECONCILED}"
        self._to_start.pop(account, None)
        if environment is not None:
            view.environments[account] = environment
        if problem:
            view.readiness.block(name, problem)
        else:
            view.readiness.clear(name)

    def take(self, snapshot: AccountSnapshot, *, opening: bool = False) -> AccountReport:
        """Judge one reading; book, latch and tell what it decides."""
        account, reconciler = snapshot.account, self._core.reconciler
        had = account in reconciler.findings
        judgement = reconciler.judge(snapshot, opening=opening)
        report = self.latest[account] = account_report(self._core, snapshot, judgement)
        if judgement.booked or judgement.held or (had and account not in reconciler.findings):
            self._write(snapshot, judgement)
        if self._core.settles(snapshot) and not self._core.manager.undecided(account):
            self._core.view.readiness.clear(f"account:{account} {RECONCILED}")
        waits = judgement.doubt and judgement.rows
        if not waits and snapshot.as_of_ns >= self._holds.get(account, snapshot.as_of_ns + 1):
            del self._holds[account]
        return report

    def _write(self, snapshot: AccountSnapshot, judgement: Judgement) -> None:
        """Begin, rows, bookings, the latch, the end: rows count once the end is there (RELIABILITY 3.1, 3.3 C14)."""
        account, core = snapshot.account, self._core
        bad = [row for row in judgement.rows if not row.explained]
        booked: dict[str, int] = {}
        core.reconciled(
            ReconcileStarted(account=account, ts_ns=snapshot.ts_ns, why=self._why.get(account, "by its period"))
        )
        for row in judgement.rows:
            core.reconciled(row)
        for adjustment in judgement.booked:
            core.book(adjustment)
        if judgement.booked:
            booked = core.reconciler.strangers.booked(snapshot, core.reconciler.strangers.read(snapshot))
        text = f"{len(judgement.booked)} booked as EXTERNAL" if judgement.booked else "book and venue agree"
        if bad:
            found = ", ".join(row.amount for row in bad)
            text = f"unexplained difference: {found}; {bad[0].text}"
            self._latch(account, text)
        self._end(account, text, ok=not bad, strangers=booked)

    def _latch(self, account: AccountId, text: str) -> None:
        """No new order until a person accepts it; a scope that is as high already hears nothing."""
        scope = f"account:{account}"
        known = self._core.view.latches.get(scope)
        if known is None or known.level < KillLevel.HALT:
            self._core.manager.latch(KillLevel.HALT, scope, text, WHO)
        advice = f'{text}; no new orders until a person says: run.py accept {account} --reason "..."'
        self._core.bus.publish(Alert(ts_ns=self._clock.now_ns, about=scope, text=advice))

    def _end(self, account: AccountId, text: str, *, ok: bool, strangers: dict[str, int] | None = None) -> None:
        ts_ns = self._clock.now_ns
        self._core.reconciled(ReconcileEnded(account=account, ts_ns=ts_ns, ok=ok, text=text, strangers=strangers or {}))
        self._written[account] = True

    def close(self, account: AccountId, text: str = "", *, ok: bool = True) -> None:
        """The end of one that was asked for, if what it found has not been written already."""
        held = self._core.reconciler.findings.get(account, ())
        why = self._why.pop(account, "")
        if self._written.get(account) and not text:
            return
        if not held and ok:
            self._core.reconciled(ReconcileStarted(account=account, ts_ns=self._clock.now_ns, why=why))
        found = f"still unexplained: {', '.join(row.amount for row in held)}"
        self._end(account, text or (found if held else "book and venue agree"), ok=ok and not held)

    def _hold_outbox(self, account: AccountId) -> None:
        box = self._boxes[account]
        before = box.held
        box.held = lambda: before() or self.held(account)


def accept(core: Core, account: AccountId, who: str, reason: str) -> tuple[PositionAdjusted, ...]:
    """Book what nothing explained, in a person's name, and lower the latch that stood for it. Twice does nothing."""
    rows = core.reconciler.findings.get(account, ())
    scope, now_ns = f"account:{account}", core.clock.now_ns
    booked = core.reconciler.adjustments(None, rows, f"{ACCEPTED} by {who} ({reason})")
    if rows:
        core.reconciled(ReconcileStarted(account=account, ts_ns=now_ns, why=f"{ACCEPTED} by {who}"))
        for adjustment in booked:
            core.book(adjustment)
        text = f"{len(rows)} unexplained differences {ACCEPTED} by {who}: {reason}"
        core.reconciled(ReconcileEnded(account=account, ts_ns=now_ns, ok=True, text=text))
    latch: Any = core.view.latches.get(scope)
    if latch is not None and latch.who == WHO:
        core.manager.unlatch(scope, f"{ACCEPTED}: {reason}", who)
    return booked
