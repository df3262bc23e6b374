"""When an exchange acts on cancels: before that a request is kept, not repeated (RELIABILITY 4.4; 5.1, C4f)."""

from typing import Protocol, runtime_checkable

from engine.domain.ids import InstrumentId
from engine.markets.rulebook import RuleBook
from engine.risk.view import RiskView


@runtime_checkable
class CancelWindows(Protocol):
    """A rule book that knows when its exchange acts on cancels."""

    def may_cancel(self, ts_ns: int) -> bool: ...


def refuses_cancels(view: RiskView, instrument: InstrumentId, now_ns: int) -> bool:
    """Whether the exchange is known not to act on a cancel now; False where nobody knows."""
    book = _book(view, instrument)
    return isinstance(book, CancelWindows) and not book.may_cancel(now_ns)


def takes_cancels(view: RiskView, instrument: InstrumentId, now_ns: int) -> bool:
    """Whether it can be expected to act on one now: by its windows, else by its hours."""
    book = _book(view, instrument)
    return book.may_cancel(now_ns) if isinstance(book, CancelWindows) else book.is_open(now_ns)


def _book(view: RiskView, instrument: InstrumentId) -> RuleBook:
    return view.books[view.instruments[instrument].market]
