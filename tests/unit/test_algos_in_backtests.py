"""The same orders in a backtest: the simulated venue has them itself, parents are played by the engine."""

from typing import Any

import pytest

from engine import AlgoChanged, Bar, Fill, OrderDenied, OrderEvent, Strategy, TimeInForce
from engine.domain.algos import AlgoEnded, AlgoStarted
from engine.domain.order import OrderReport
from engine.domain.timestamps import MINUTE_NS, parse_time
from engine.markets.china_a import ChinaA
from engine.matching import Friction, Latency, NextOpen, Path, Ticks, VolumeShare
from tests.builders import BarsOf, Row, a_backtest, a_walk, flat_rows, ran

LATE = Friction(model=Path(), latency=Latency(order="50ms", cancel="90s"), slippage=Ticks(ticks=2))


class Script(Strategy):
    """Does what it is told on each bar, and writes down what it hears."""

    def __init__(self, **acts: Any) -> None:
        super().__init__()
        self.acts = acts
        self.heard: list[str] = []
        self.bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        act = self.acts.get(f"bar{self.bars}")
        if act is not None:
            act(self, bar.instrument)

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        self.heard.append(f"{type(event).__name__} {event.client_id}")

    def on_fill(self, fill: Fill) -> None:
        self.heard.append(f"fill {fill.client_id} {fill.quantity}@{fill.price:.2f}")

    def on_algo(self, event: AlgoChanged) -> None:
        self.heard.append(f"{event.name} {event.state} {event.filled}")


def hear(rows: list[Row], sources: Any = (), model: Any = None, book: Any = None, **acts: Any) -> Script:
    script = Script(**acts)
    result, _ = ran(a_backtest(script, rows, sources=sources, model=model or Path(), book=book))
    assert not result.stopped
    return script


def test_a_stop_fills_inside_the_bar_that_meets_it() -> None:
    """The venue plays it, under its one id."""
    script = hear(
        [*flat_rows(10, 10), (10, 10.1, 9.0, 9.5)],
        bar1=lambda s, i: s.buy(i, 10),
        bar2=lambda s, i: s.sell(i, 10, stop=9.4),
    )
    assert script.heard == ["OrderAccepted s-1", "fill s-1 10@10.00", "OrderAccepted s-2", "fill s-2 10@9.40"]


def test_a_bracket_enters_and_leaves_once_in_the_order_of_the_bars_way() -> None:
    """A bar that holds both exits takes the one its way meets first; the strategy hears a cause before its effect."""
    rows = [*flat_rows(10, 10), (10, 11.2, 8.5, 9.0), (9, 12, 8, 9)]
    script = hear(rows, bar1=lambda s, i: s.bracket(i, 10, take_profit=11, stop_loss=9))
    assert script.heard == [
        "bracket working 0", "OrderAccepted s-a1.1", "fill s-a1.1 10@10.00", "OrderAccepted s-a1.2",
        "fill s-a1.2 10@11.00", "bracket filled 10",
    ]  # fmt: skip
    assert script.position("000001.SH") == 0


def test_a_brackets_exit_waits_for_the_day_its_shares_can_be_sold() -> None:
    """T+1: nothing on the day of the purchase, whatever the price did; the next morning's gap is met at its open."""
    times = ["09:31", "09:32", "09:33", "14:56"]
    ends = [parse_time(f"2026-03-02T{t}:00+08:00") for t in times]
    ends += [parse_time(f"2026-03-03T{t}:00+08:00") for t in ("09:31", "09:32")]
    rows = [*flat_rows(10, 10), (10, 10, 9.2, 9.2), *flat_rows(9.5), (9.3, 9.3, 9.2, 9.2), (9.2, 9.2, 9.1, 9.1)]
    source = BarsOf(rows, ends=ends, interval_ns=MINUTE_NS)
    script = hear(
        [], sources=[source], book=ChinaA(), bar1=lambda s, i: s.bracket(i, 100, take_profit=11, stop_loss=9.4)
    )
    assert [word for word in script.heard if word.startswith("fill")] == [
        "fill s-a1.1 100@10.00",
        "fill s-a1.2 100@9.20",
    ]


def test_parts_leave_by_the_runs_timers_and_fill_on_the_bars_after() -> None:
    """One a slice; the last event says it is all."""
    script = hear(flat_rows(*range(10, 30)), bar1=lambda s, i: s.twap(i, 40, "8m", slices=4), model=NextOpen())
    fills = [word for word in script.heard if word.startswith("fill")]
    assert fills == [f"fill s-a1.{k} 10@{9 + 2 * k}.00" for k in (1, 2, 3, 4)]
    assert script.heard[-1] == "twap filled 40"


def test_a_share_of_the_volume_is_never_more_than_the_share() -> None:
    """A tenth of each bar's thousand."""
    script = hear(flat_rows(*[10.0] * 8), bar1=lambda s, i: s.participate(i, 250, 0.1, "1h"), model=NextOpen())
    assert [word.split()[2] for word in script.heard if word.startswith("fill")] == [
        "100@10.00",
        "100@10.00",
        "50@10.00",
    ]


def test_an_order_good_till_a_date_ends_at_its_time() -> None:
    """The venue has that time in force."""
    script = hear(flat_rows(*[10.0] * 6), bar1=lambda s, i: s.buy(i, 10, 9.0, until="2m"))
    assert script.heard == ["OrderAccepted s-1", "OrderExpired s-1"]


def test_immediate_or_cancel_stays_the_venues() -> None:
    """As before."""
    source = BarsOf(flat_rows(10, 10, 10), volume=50.0)
    script = hear(
        [], sources=[source], model=VolumeShare(share=0.1), bar1=lambda s, i: s.buy(i, 10, tif=TimeInForce.IOC)
    )  # fmt: skip
    assert script.heard == ["OrderAccepted s-1", "fill s-1 5@10.00", "OrderCanceled s-1"]


class Brackets(Strategy):
    """Enters every twenty bars."""

    def on_start(self) -> None:
        self.seen = 0

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        if self.seen % 20 == 0:
            close = bar.close
            self.bracket(bar.instrument, 10, take_profit=close * 1.0005, stop_loss=close * 0.9995)
        if self.seen % 50 == 0:
            self.twap(bar.instrument, 30, "10m", slices=3)


def test_a_run_with_parents_is_the_same_every_time_and_its_books_add_up() -> None:
    """Equal digests; no child more than its parent; every parent's end is in the journal."""
    runs = [ran(a_backtest(Brackets, a_walk(1_500), model=Path())) for _ in range(2)]
    assert runs[0][0].digest == runs[1][0].digest
    records = runs[0][1]
    started = {r.command.client_id: r.command for r in records if isinstance(r, AlgoStarted)}
    ended = {r.client_id: r for r in records if isinstance(r, AlgoEnded)}
    assert len(started) == 75 + 30
    bought: dict[str, int] = {}
    for record in records:
        if isinstance(record, OrderReport) and record.kind == "fill":
            parent, _, child = record.client_id.rpartition(".")
            if child == "1" or started[parent].name == "twap":  # type: ignore[index]
                bought[parent] = bought.get(parent, 0) + record.quantity
    assert all(quantity <= started[parent].quantity for parent, quantity in bought.items())  # type: ignore[index]
    assert sum(end.state == "filled" for end in ended.values()) > 80


class Declared(Strategy):
    """Trades by triggers alone, so that bars may be left out."""

    def on_start(self) -> None:
        bars = self.bars_of("000001.SH")
        self.when(bars.close.sma(5).crosses_above(bars.close.sma(20)), self.enter)

    def enter(self, bar: Bar) -> None:
        close = bar.close
        self.bracket("000001.SH", 10, take_profit=close * 1.0005, trail=0.4)
        self.participate("000001.SH", 250, 0.1, "20m", price=round(close + 0.2, 2))
        self.twap("000001.SH", 30, "7m", slices=3)
        self.sell("000001.SH", 5, stop=close * 0.999, until="1h")


@pytest.mark.parametrize("model", [Path(), NextOpen(), VolumeShare(share=0.05), LATE])
def test_parents_decide_the_same_where_bars_are_left_out(model: Any) -> None:
    """Columns or every bar: one journal, one digest."""
    runs = []
    for mode in ("event", "column"):
        backtest = a_backtest(Declared, a_walk(3_000), model=model, mode=mode)
        runs.append(ran(backtest))
        assert backtest.mode == mode
    assert sum(isinstance(record, AlgoStarted) for record in runs[0][1]) > 60
    assert runs[0][0].fills > 100
    assert runs[0][1] == runs[1][1]
    assert runs[0][0].digest == runs[1][0].digest
