"""A backtest over quotes, alone or together with bars of other instruments: always event after event."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from engine.clock import cpu_seconds
from engine.data.columns import Columns, QuoteColumns, QuoteSource
from engine.domain.errors import ConfigError
from engine.domain.events import SubscriptionRequested
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.market import DataKind, OrderBook
from engine.domain.timestamps import SECOND_NS
from engine.matching.fill_model import FillModel, ReadsBooks
from engine.matching.friction import Friction
from engine.runtime.backtest import Backtest
from engine.runtime.backtest_result import BacktestResult
from engine.runtime.matching_settings import refuse_unless_quotes_fill
from engine.runtime.quote_stage import QuoteStage
from engine.runtime.replay_quotes import Played, Rows, Span, made, spans
from engine.runtime.replay_venue import QuotesVenue, ReplayVenue
from engine.seat import overrides

WHY_EVENT = "quotes are played one by one"


class QuotesBacktest(Backtest):
    """As ``Backtest``; ``sources`` may be none.

    Orders fill from quotes or books; for an instrument of which the data has bars alone they are rejected. Positions
    are valued at the middle of bid and ask. The close before a day is the last trade's price, or that middle.

    Raises:
        ConfigError: the fill model reads bars; ``mode`` is ``column``.
    """

    def __init__(self, *, quotes: Sequence[QuoteSource], **given: Any) -> None:
        self.quotes = list(quotes)
        self._quoted = frozenset(source.instrument for source in self.quotes)
        self._books: frozenset[InstrumentId] = frozenset()
        self._seen = [0, 0]
        """Bars and quotes so far."""
        self._stage_of_quotes: QuoteStage | None = None
        self.making_cpu_seconds = 0.0
        """What went into making objects of columns; it is in no other figure but that of the whole."""
        super().__init__(**given)

    def run(self) -> BacktestResult:
        result = super().run()
        return replace(result, bars=self._seen[0], quotes=self._seen[1])

    def _shortest(self) -> int:
        return SECOND_NS

    def _data(self) -> list[Any]:
        return [*self.quotes, *self.sources]

    def _refuse_unless_fills(self, model: FillModel) -> None:
        refuse_unless_quotes_fill(model)
        inner = model.model if isinstance(model, Friction) else model
        if isinstance(inner, ReadsBooks):
            self._books = self._quoted

    def _door(self) -> ReplayVenue:
        return QuotesVenue(self.venue, self.core.manager, self._quoted, self._due)

    def _mode(self, asked: str) -> tuple[str, str]:
        if asked == "column":
            raise ConfigError(f"mode column: {WHY_EVENT}; run with mode event or auto")
        return "event", WHY_EVENT if asked == "auto" else ""

    def _stream(self) -> Iterator[Span]:
        return spans(self.quotes, self.sources, self._loaded)

    def _loaded(self, rows: Rows) -> None:
        if isinstance(rows, Columns):
            self._seen[0] += len(rows.ts_ns)
            self._load(rows)
            return
        self._seen[1] += len(rows.ts_ns)
        price = _prices(rows)
        # A quote is known at its instant: as a bar it ends there.
        bars = Columns(rows.instrument, 0, rows.ts_ns + 1, price, price, price, price, np.zeros(len(price)))
        for morning in self.days.load(bars):
            self.core.history.adjust(morning.instrument, morning.ts_ns, morning.price_factor, morning.share_factor)

    def _player(self) -> Callable[[Span], float]:
        core = self.core
        core.runner.start()
        if core.bus.subscribers(OrderBook) != (core.runner.on_book,):
            self._books = self._quoted
        stage = self._stage_of_quotes = QuoteStage(core, self.venue, self._turn, self._due, self._on_rescheduled)

        held: list[Played] = []

        def play(span: Span) -> float:
            before = cpu_seconds()
            # Objects of the span before are given back here, as part of making objects.
            held.clear()
            held.append(made(span, self._books))
            took = cpu_seconds() - before
            self.making_cpu_seconds += took
            stage.play(held[0])
            return took

        return play

    def _on_subscription(self, event: SubscriptionRequested) -> None:
        name, kind = event.instrument, event.kind
        if kind is DataKind.BAR:
            if any(source.instrument == name for source in self.sources) or name not in self._quoted:
                super()._on_subscription(event)
            elif not self.sources and not self._hears_quotes(event.strategy):
                raise ConfigError(
                    f"{event.strategy} wants bars of {name}, and the data has quotes of it: write on_quote, or make "
                    "bars of them first"
                )
            return
        if name not in self._quoted:
            return
        if kind is DataKind.BOOK and name not in self._books:
            if self._stage_of_quotes is not None:
                raise ConfigError(f"{event.strategy} wants books of {name} in the middle of a run: ask in on_start")
            self._books |= {name}
        self.core.runner.listen(event.strategy, kind, name, 0)
        if self._stage_of_quotes is not None:
            self._stage_of_quotes.listen_anew()
            self._due[0] = 0

    def _hears_quotes(self, strategy: StrategyId) -> bool:
        seat = self.core.runner.seats[strategy]
        return any(overrides(seat.strategy, f"on_{kind}") for kind in DataKind if kind is not DataKind.BAR)


def _prices(rows: QuoteColumns) -> Any:
    middle = (rows.bid + rows.ask) * 0.5
    return middle if rows.last is None else np.where(rows.last > 0, rows.last, middle)


class Middles:
    """Quotes as a source of bars without a length, each at the middle: what costs are measured against."""

    def __init__(self, source: QuoteSource) -> None:
        self._source = source
        self.instrument, self.path, self.tz, self.label, self.interval_ns = (
            source.instrument, source.path, source.tz, "end", 0,
        )  # fmt: skip

    def sha256(self) -> str:
        return self._source.sha256()

    def batches(self) -> Iterator[Columns]:
        for rows in self._source.batches():
            price, none = (rows.bid + rows.ask) * 0.5, np.zeros(len(rows.ts_ns))
            yield Columns(rows.instrument, 0, rows.ts_ns, price, price, price, price, none)
