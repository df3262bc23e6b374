"""Watches what has happened and says what should be latched or told (RELIABILITY 4.2, 4.3).

It asks the limits that monitor: after each order that passed, each cancel that goes to a venue and each fill; and, at
most once a second, after a price, since losses are marked. It only raises latches, and none twice; a person who lowers
one whose cause is still there sees it raised again.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct

from engine.domain.commands import SubmitOrder
from engine.domain.events import Alert, DayPriced, Fill, JournalRecord, KillLevel, OrderSubmitted
from engine.domain.ids import AccountId, InstrumentId, StrategyId
from engine.domain.market import Bar, Quote, Trade
from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.risk.checker import FAILURES
from engine.risk.limit import Finding, Limit, Subject
from engine.risk.prices import NewDay
from engine.risk.view import RiskView

PERIOD_NS = SECOND_NS
WHO = "risk"


class Canceled(Protocol):
    """As ``CancelWanted``: an order that is asked back from its venue."""

    @property
    def order(self) -> Any: ...


class Holder(Struct, frozen=True, gc=False):
    """A ``Subject`` that has done nothing just now."""

    strategy: StrategyId
    account: AccountId
    instrument: InstrumentId


class RiskWatch:
    """One an engine, of the limits in force. ``latch(level, scope, cause, who)`` is the order gate's."""

    def __init__(
        self,
        limits: Sequence[Limit],
        view: RiskView,
        *,
        now_ns: Callable[[], int],
        latch: Callable[[KillLevel, str, str, str], None],
        record: Callable[[JournalRecord], object],
        publish: Callable[[Any], object],
    ) -> None:
        self.limits = tuple(limit for limit in limits if limit.monitors)
        self._of_strategies = tuple(limit for limit in self.limits if limit.name == "strategy_loss")
        self._of_accounts = tuple(limit for limit in self.limits if limit.name == "account_loss")
        self._view = view
        self._now_ns = now_ns
        self._latch = latch
        self._record = record
        self._publish = publish
        self._due_ns = 0
        self._told: dict[tuple[str, str], tuple[int, str]] = {}
        """(Limit, scope) -> day and key of the last finding that was told."""
        if view.prices is not None:
            view.prices.new_day += (self.on_new_day,)

    # --- what happens ------------------------------------------------------------------------------------------------

    def on_submitted(self, event: OrderSubmitted) -> None:
        self._ask(self.limits, event.order)

    def on_cancel(self, event: Canceled) -> None:
        self._ask(self.limits, event.order.request)

    def on_fill(self, fill: Fill) -> None:
        self._ask(self.limits, fill)

    def on_price(self, event: Bar | Quote | Trade) -> None:
        """Losses are marked: whoever holds anything is looked at, once a second."""
        now_ns = self._now_ns()
        profit = self._view.profit
        if now_ns < self._due_ns or profit is None:
            return
        self._due_ns = now_ns + PERIOD_NS
        looked_at: set[str] = set()
        for (strategy, account), lines in list(profit.lines.items()):
            for instrument in list(lines)[:1]:
                holder = Holder(strategy, account, instrument)
                self._ask(self._of_strategies, holder)
                if account not in looked_at:
                    looked_at.add(account)
                    self._ask(self._of_accounts, holder)

    def on_new_day(self, turn: NewDay) -> None:
        """What losses of the day are counted from: the close before where it is known, else the first price."""
        view = self._view
        profit = view.profit
        if profit is None or profit.first.get(turn.instrument, (-1,))[0] >= turn.day:
            return
        price = view.previous_close.get(turn.instrument, turn.price)
        priced = DayPriced(
            instrument=turn.instrument, day=turn.day, price=Decimal(repr(float(price))), ts_ns=self._now_ns()
        )
        self._record(priced)
        view.on_priced(priced)

    # --- what it means -----------------------------------------------------------------------------------------------

    def _ask(self, limits: Sequence[Limit], subject: Subject | SubmitOrder) -> None:
        now_ns = self._now_ns()
        for limit in limits:
            try:
                finding = limit.finding(subject, self._view, now_ns)
            except FAILURES as error:
                cause = f"could not be judged: {type(error).__name__}: {error}"
                finding = Finding(KillLevel.HALT, f"account:{subject.account}", cause)
            if finding is not None:
                self._take(limit, finding, now_ns)

    def _take(self, limit: Limit, finding: Finding, now_ns: int) -> None:
        told = (now_ns // DAY_NS, finding.key)
        news = self._told.get((limit.name, finding.scope)) != told
        if news and finding.press is not None:
            self._record(finding.press)
            self._view.on_press(finding.press)
        if finding.level > KillLevel.RUN:
            known = self._view.latches.get(finding.scope)
            if known is None or known.level < finding.level:
                self._latch(finding.level, finding.scope, f"{limit.name}: {finding.cause}", WHO)
        elif news:
            self._publish(Alert(ts_ns=now_ns, about=finding.scope, text=f"{limit.name}: {finding.cause}"))
        if news:
            self._told[limit.name, finding.scope] = told
