"""What a trading day asks of the engine besides trading: the check before the opening, and the work behind the close.

Each piece gives a sentence for the journal, or raises with what is wrong. None of them trades, and none is needed for
the gates to hold: an account that is not reconciled, a price that is too old, a clock that is off deny orders by
themselves, whether a check found it or not.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from engine.domain.errors import SluiceError
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, duration_ns, format_time
from engine.markets.rulebook import RuleBook
from engine.runtime.daemon_settings import DaemonTable
from engine.runtime.job_triggers import ClockTrigger, Due, Occasion, Phase, QuietTrigger, SessionTrigger
from engine.runtime.live import LiveRun
from engine.runtime.market_days import known_days, sittings_of
from engine.runtime.monitors import free_mib_of, offsets_of
from engine.runtime.scheduler import FAILURES, Job

LATE_NS: Mapping[Phase, int] = {
    Phase.PRE_OPEN: 6 * HOUR_NS,
    Phase.OPEN: 6 * HOUR_NS,
    Phase.LUNCH: 90 * MINUTE_NS,
    Phase.CLOSE: 12 * HOUR_NS,
    Phase.AFTER_CLOSE: 4 * DAY_NS,
}
"""How long after its moment a job is still of use; what is later is reported as missed."""
READ_SECONDS = 60.0
"""How long a reading of an account may be waited for (real time)."""
PRICE_AGE_NS = 12 * DAY_NS
"""No holiday of any market here is longer."""
CALENDAR_DAYS = 14
"""Fewer days of a calendar than these ahead are a reason to get a newer one."""
MEND = "install a newer exchange_calendars"


class NotReady(SluiceError):
    """A check found something; its text has all of it."""


Step = Callable[[str, Occasion], Awaitable[str]]
"""Market and occasion to a sentence about what was done."""


class Office(Struct, frozen=True, kw_only=True):
    """What is done with files and people, which differs between a daemon and a simulation; None: it is not done."""

    lighten: Callable[[], Awaitable[str]] | None = None
    """At lunch and at the close: shorten the journal's log."""
    after: Mapping[str, Step] = {}
    """Steps behind the close by name, in order: report, backup, fetch, summary."""
    summary: Callable[[Occasion], Awaitable[str]] | None = None
    """At ``[daemon] summary``, if that is given."""
    compact: Callable[[Occasion], Awaitable[str]] | None = None


class SessionWork:
    """One a run: makes the jobs of its markets, and is what they do."""

    def __init__(
        self, run: LiveRun, table: DaemonTable, office: Office, *, watched: Sequence[InstrumentId] = ()
    ) -> None:
        """``watched``: instruments besides the strategies' whose markets have jobs."""
        self._run = run
        self._table = table
        self._office = office
        self.sittings = sittings_of(traded_markets(run, watched))
        """Market -> its sittings, of every market something is traded on."""

    def jobs(self) -> list[Job]:
        """Every job of the run, by market and moment."""
        table, found = self._table, []
        closes = []
        for market, sittings in self.sittings.items():
            for phase in Phase:
                due = SessionTrigger(
                    sittings,
                    phase,
                    before_ns=duration_ns(table.pre_open),
                    behind_ns=duration_ns(table.after_close) if phase is Phase.AFTER_CLOSE else 0,
                )
                if phase is Phase.AFTER_CLOSE:
                    closes.append(due)
                if phase is Phase.LUNCH and due.after(self._run.clock.now_ns) is None:
                    continue
                found.append(self._job(market, phase, due))
        if self._office.summary is not None and table.summary is not None:
            due_at: Due = ClockTrigger(table.summary, table.timezone)
            found.append(Job(name="summary", due=due_at, work=self._office.summary, late_ns=12 * HOUR_NS))
        if self._office.compact is not None:
            quiet = QuietTrigger(
                self.sittings, closes, behind_ns=duration_ns(table.compact), clear_ns=duration_ns(table.quiet)
            )
            never = f"its markets are never all closed for {table.quiet}: the journal is not compacted, and grows"
            found.append(
                Job(name="compact", due=quiet, work=self._office.compact, late_ns=30 * MINUTE_NS, without_day=never)
            )
        return found

    def _job(self, market: str, phase: Phase, due: Due) -> Job:
        async def work(occasion: Occasion) -> str:
            return await works[phase](market, occasion)

        works: dict[Phase, Step] = {
            Phase.PRE_OPEN: self.check,
            Phase.OPEN: self.opened,
            Phase.LUNCH: self.paused,
            Phase.CLOSE: self.paused,
            Phase.AFTER_CLOSE: self.settled,
        }
        return Job(name=f"{phase}:{market}", due=due, work=work, late_ns=LATE_NS[phase])

    # --- before the opening ------------------------------------------------------------------------------------------

    async def check(self, market: str, occasion: Occasion) -> str:
        """Logged in, environment proven, reconciled, prices known, clocks together, room on the disk.

        Raises:
            NotReady: something is not.
        """
        run, found = self._run, []
        accounts = self.accounts_of(market)
        for account in accounts:
            found += await self._check_account(account)
        found += self._check_prices(market, occasion)
        if run.clock.real:
            most_ns = duration_ns(self._table.clock_skew)
            for whose, offset_ns in offsets_of(run.clock).items():
                if abs(offset_ns) > most_ns:
                    found.append(f"{whose} is {offset_ns / SECOND_NS:+.1f} s off")
        free = free_mib_of(run.spec.safety.folder)()
        if free is not None and free < self._table.disk_mib:
            found.append(f"{free} MiB are free on the disk, less than {self._table.disk_mib}")
        if not run.journal.healthy:
            found.append("the journal failed")
        found += [
            f"{scope} is latched at {latch.level.name}: {latch.cause}"
            for scope, latch in run.core.view.latches.items()
            if latch.level
        ]
        left = known_days(self.sittings[market], run.clock.now_ns)
        if left < CALENDAR_DAYS:
            found.append(f"its calendar is known for {left} days only: {MEND}")
        if found:
            raise NotReady("; ".join(found))
        return f"ready: {len(accounts)} accounts reconciled{self._unpriced(market)}"

    async def _check_account(self, account: AccountId) -> list[str]:
        run = self._run
        report = await run.reconciling.on_demand(account, READ_SECONDS)
        if report is None:
            return [f"account {account} could not be read"]
        blocked = run.core.view.readiness.not_ready.items()
        found = [why for scope, why in blocked if scope.partition(" ")[0] in ("all", f"account:{account}")]
        return [f"account {account}: {why}" for why in found]

    def _check_prices(self, market: str, occasion: Occasion) -> list[str]:
        """Instruments whose latest price is older than the sitting before. One that has none yet may be of a run that
        began since: ``_unpriced`` tells it."""
        since_ns = occasion.due_ns - PRICE_AGE_NS
        marks = self._run.core.portfolio.marks_ns
        old = [name for name in self.instruments_of(market) if 0 < (marks.get(name) or 0) < since_ns]
        return [f"the latest price of {', '.join(old)} is of before the last sitting"] if old else []

    def _unpriced(self, market: str) -> str:
        marks = self._run.core.portfolio.marks_ns
        none = [name for name in self.instruments_of(market) if not marks.get(name)]
        return f"; no price yet of {', '.join(none)}" if none else ""

    # --- while it sits -----------------------------------------------------------------------------------------------

    async def opened(self, market: str, _occasion: Occasion) -> str:
        """Who may trade now."""
        run = self._run
        seats = run.core.runner.seats.values()
        stopped = [f"{seat.name} ({seat.stopped})" for seat in seats if seat.stopped]
        told = f"{len(seats) - len(stopped)} strategies trade, {len(run.core.manager.working)} orders work"
        return f"{told}; stopped: {', '.join(stopped)}" if stopped else told

    async def paused(self, _market: str, _occasion: Occasion) -> str:
        """At lunch and at the close: what it is all worth, what strategies want kept, a short log."""
        self._sample()
        self._run.core.kept.save()
        told = f"{len(self._run.core.manager.working)} orders work"
        if self._office.lighten is not None:
            told = f"{told}; {await self._office.lighten()}"
        return told

    # --- behind the close --------------------------------------------------------------------------------------------

    async def settled(self, market: str, occasion: Occasion) -> str:
        """Every order decided, every account reconciled, then the office's steps; one that fails holds up no other.

        Raises:
            NotReady: a step failed; all were tried.
        """
        told, failed = [], []
        steps: dict[str, Step] = {"settle": self._settle, **self._office.after}
        for name, step in steps.items():
            try:
                told.append(f"{name}: {await step(market, occasion)}")
            except FAILURES as why:
                failed.append(f"{name}: {why or type(why).__name__}")
        self._run.core.kept.save()
        if failed:
            raise NotReady("; ".join([*failed, *told]))
        return "; ".join(told)

    async def _settle(self, market: str, _occasion: Occasion) -> str:
        run = self._run
        for account in self.accounts_of(market):
            if not await run.seekers[account].settle(run.clock.now_ns + 5 * MINUTE_NS):
                raise NotReady(f"account {account} has orders of unknown outcome")
            problems = await self._check_account(account)
            if problems:
                raise NotReady("; ".join(problems))
        self._sample()
        return f"{len(self.accounts_of(market))} accounts even, {len(run.core.manager.working)} orders work"

    def _sample(self) -> None:
        for account in self._run.spec.accounts:
            self._run._sample(account.id)

    # --- whose it is -------------------------------------------------------------------------------------------------

    def accounts_of(self, market: str) -> Sequence[AccountId]:
        """Accounts whose strategies trade on a market; all of them where none does."""
        spec = self._run.spec
        found: dict[AccountId, None] = {}
        for account, strategy in spec.strategies:
            if any(_of(spec.instruments[name].market, market) for name in strategy.instruments):
                found[account] = None
        return tuple(found or (account.id for account in spec.accounts))

    def instruments_of(self, market: str) -> Sequence[InstrumentId]:
        """Instruments of the strategies that trade on a market."""
        spec = self._run.spec
        named = dict.fromkeys(name for _, strategy in spec.strategies for name in strategy.instruments)
        return tuple(name for name in named if _of(spec.instruments[name].market, market))


def _of(own: str, market: str) -> bool:
    """An evening sitting is of the market it is named after."""
    return market in (own, f"{own}_night")


def traded_markets(run: LiveRun, watched: Sequence[InstrumentId] = ()) -> dict[str, RuleBook]:
    """The rule books of what the strategies trade, and of what is watched besides; in that order."""
    spec = run.spec
    names = [*(name for _, strategy in spec.strategies for name in strategy.instruments), *watched]
    markets = dict.fromkeys(spec.instruments[name].market for name in names if name in spec.instruments)
    return {name: spec.books[name] for name in markets if name in spec.books}


def spoken(jobs: Mapping[str, int], zone: str) -> list[str]:
    """``pre_open:china_a at 2026-03-02 09:00:00+08:00``, soonest first."""
    return [f"{name} at {format_time(due, zone)}" for name, due in sorted(jobs.items(), key=lambda item: item[1])]
