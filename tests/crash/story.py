"""What one engine's lives left behind: its journal read back, and the books that follow from it."""

import contextlib
import sqlite3
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.clock import ReplayClock
from engine.domain.events import JournalRecord, OrderSent, OrderSubmitted
from engine.domain.ids import AccountId, ClientOrderId
from engine.domain.order import Evidence, OrderReport
from engine.entropy import Entropy
from engine.gateways.surroundings import Surroundings
from engine.journal import store
from engine.journal.chain import Chain, verified
from engine.journal.memory import MemoryJournal
from engine.runtime.live_settings import armed
from engine.runtime.settings import Settings, load_settings
from engine.runtime.wiring import Core


def records_of(path: Path) -> list[JournalRecord]:
    """Every durable record, whoever holds the file."""
    if not last_seq(path):
        return []
    with contextlib.closing(store.reader(path)) as db:
        return [record for batch in verified(store.rows(db), Chain()) for _, record in batch]


FOR_EVER_NS = 10**19
"""Ended orders are kept: the venue's books go back to the first."""


def last_seq(path: Path) -> int:
    """The number of the last durable record; 0 where nothing can be read yet."""
    if not path.exists():
        return 0
    try:
        with contextlib.closing(store.reader(path)) as db:
            return int(db.execute("SELECT COALESCE(MAX(seq), 0) FROM record").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def books_of(config: Path, environ: Any, records: list[JournalRecord], now_ns: int) -> Core:
    """The core as a restart would rebuild it from these records alone."""
    settings: Settings = load_settings(config)
    sheets = {}
    for account, row in settings.accounts.items():
        around = Surroundings(
            clock=ReplayClock(now_ns), entropy=Entropy(1), environ=environ, note=lambda _text, _fields: None
        )
        router = armed(settings.gateways[row.gateway].settings, arm=True).open(around).router
        sheets[account] = router.capabilities()
    core = Core(
        clock=ReplayClock(now_ns),
        journal=MemoryJournal(),
        instruments=settings.instruments,
        books=settings.books,
        limits=settings.limits,
        sheets=sheets,
        outside=lambda _strategy, _number, _request: None,
        note=lambda _text, _fields: None,
        keep_ended_ns=FOR_EVER_NS,
    )
    for account, row in settings.accounts.items():
        core.portfolio.open_account(AccountId(account), row.currency, Decimal(0))
    core.manager.recover(records, core.relive)
    return core


class Left:
    """What a journal shows at one moment."""

    def __init__(self, records: list[JournalRecord]) -> None:
        self.records = records
        self.intents = [r.order.client_id for r in records if isinstance(r, OrderSubmitted)]
        self.sent = Counter(r.client_id for r in records if isinstance(r, OrderSent))

    def reports(self, client_id: ClientOrderId) -> list[Evidence]:
        return [r.kind for r in self.records if isinstance(r, OrderReport) and r.client_id == client_id]

    @property
    def open_intents(self) -> list[ClientOrderId]:
        """Intended, never marked as sent, nothing known of them."""
        return [name for name in self.intents if not self.sent[name] and not self.reports(name)]

    @property
    def open_sends(self) -> list[ClientOrderId]:
        """Marked as sent, nothing known of them."""
        return [name for name in self.intents if self.sent[name] and not self.reports(name)]
