"""What a run has shown so far, bounded: for its API, its metrics and its log. It looks on and decides nothing.

The same from before a restart, as far as the journal tells: ``relived`` is given what the recovery relives.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from engine.domain.events import (
    AccountLink,
    Alert,
    EquitySampled,
    Fill,
    JournalRecord,
    OrderDenied,
    StrategyStopped,
)
from engine.domain.ids import AccountId
from engine.domain.jobs import StrategyStarted
from engine.domain.market import Bar, FeedStatus, OrderBook, Trade

FILLS_MAX, DENIALS_MAX, ALERTS_MAX, SAMPLES_MAX = 5_000, 2_000, 1_000, 5_000
RECORDS_MAX = 20_000
"""Records that may wait for the pump; it empties them many times a second."""

Ear = Callable[[Any], None]


class Seen:
    """One a run."""

    def __init__(self) -> None:
        self.fills: deque[Fill] = deque(maxlen=FILLS_MAX)
        self.denials: deque[OrderDenied] = deque(maxlen=DENIALS_MAX)
        self.alerts: deque[Alert] = deque(maxlen=ALERTS_MAX)
        self.equity: dict[AccountId, deque[EquitySampled]] = {}
        self.feeds: dict[str, FeedStatus] = {}
        self.links: dict[AccountId, AccountLink] = {}
        self.bars = self.trades = self.books = self.alerted = self.filled = 0
        """How many in this run."""
        self.records: deque[tuple[int, JournalRecord]] = deque(maxlen=RECORDS_MAX)
        self.fresh: deque[Any] = deque(maxlen=RECORDS_MAX)
        """Events that are not in the journal, for the pump."""
        self.pumped = False
        """Whether somebody empties ``records`` and ``fresh``."""
        self.record_ears: tuple[Callable[[int, JournalRecord], None], ...] = ()
        """Told of every record as it is appended."""

    def watchers(self) -> tuple[tuple[type, Ear], ...]:
        """For the wiring."""
        return (
            (Fill, self._on_fill),
            (OrderDenied, self.denials.append),
            (Alert, self._on_alert),
            (FeedStatus, self._on_feed),
            (AccountLink, self._on_link),
            (StrategyStopped, self._fresh),
            (StrategyStarted, self._fresh),
            (Bar, self._on_bar),
            (Trade, self._on_trade),
            (OrderBook, self._on_book),
        )

    def on_record(self, seq: int, record: JournalRecord) -> None:
        """A record was appended; it may not be durable yet."""
        if isinstance(record, EquitySampled):
            self._sampled(record)
        if self.pumped:
            self.records.append((seq, record))
        for ear in self.record_ears:
            ear(seq, record)

    def reliving(self, relive: Ear) -> Ear:
        """The recovery's own ``relive``, and this looking on."""

        def both(event: Any) -> None:
            relive(event)
            kind = event.__class__
            if kind is Fill:
                self.fills.append(event)
            elif kind is OrderDenied:
                self.denials.append(event)
            elif kind is EquitySampled:
                self._sampled(event)

        return both

    def _sampled(self, event: EquitySampled) -> None:
        self.equity.setdefault(event.account, deque(maxlen=SAMPLES_MAX)).append(event)

    def _fresh(self, event: Any) -> None:
        if self.pumped:
            self.fresh.append(event)

    def _on_fill(self, fill: Fill) -> None:
        self.filled += 1
        self.fills.append(fill)
        self._fresh(fill)

    def _on_alert(self, alert: Alert) -> None:
        self.alerted += 1
        self.alerts.append(alert)
        self._fresh(alert)

    def _on_feed(self, status: FeedStatus) -> None:
        self.feeds[status.feed] = status
        self._fresh(status)

    def _on_link(self, link: AccountLink) -> None:
        self.links[link.account] = link
        self._fresh(link)

    def _on_bar(self, _event: Bar) -> None:
        self.bars += 1

    def _on_trade(self, _event: Trade) -> None:
        self.trades += 1

    def _on_book(self, _event: OrderBook) -> None:
        self.books += 1
