"""Each monitor speaks when it should, once, and stops trading where the specification says so."""

from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from engine.domain.commands import Side
from engine.domain.events import KillLevel, PositionAdjusted
from engine.domain.ids import EXTERNAL, ClientOrderId
from engine.domain.market import Quote
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.runtime.monitors import Monitors, Scene, free_mib_of
from engine.runtime.safety_settings import MonitorsTable
from tests.core_builders import ACCOUNT, STOCKS, Desk

STOCK = STOCKS[0]


class Bench:
    """A core with monitors over it, and what they said."""

    def __init__(self, **settings: Any) -> None:
        self.desk = Desk(cancel_scope="order", echoes_client_id=True)
        self.core = self.desk.core
        self.box = SimpleNamespace(waiting=0)
        self.journal = SimpleNamespace(next_seq=1, durable_seq=0, healthy=True)
        self.lag_ns = 0
        self.free: int | None = 50_000
        self.offsets: dict[str, int] = {}
        self.expiries: dict[str, int] = {}
        self.said: list[tuple[str, str]] = []
        self.latched: list[tuple[KillLevel, str]] = []
        scene = Scene(
            core=self.core,
            clock=self.desk.clock,
            boxes={ACCOUNT: self.box},  # type: ignore[dict-item]
            journal=self.journal,  # type: ignore[arg-type]
            intervals={STOCK: 0},
            worst_lag=lambda: self.lag_ns,
            free_mib=lambda: self.free,
            offsets=lambda: self.offsets,
            expiries=lambda: self.expiries,
        )
        self.monitors = Monitors(
            scene,
            MonitorsTable(**settings),
            lambda about, text: self.said.append((about, text)),
            lambda level, scope, _cause, _who: self.latched.append((level, scope)),
        )

    def pass_time(self, seconds: float, *, price: float | None = 40.0) -> None:
        self.desk.clock.now_ns += round(seconds * SECOND_NS)
        if price is not None:
            self.core.bus.publish(Quote(STOCK, self.desk.clock.now_ns, price, price))

    def decide(self, number: int, **terms: Any) -> None:
        self.desk.decide(number, **terms)
        order = self.core.manager.orders[ClientOrderId(f"s-{number}")]
        for finding in self.monitors._fills.on_submitted(
            SimpleNamespace(order=order.request, client_id=order.request.client_id, ts_ns=self.desk.clock.now_ns)  # type: ignore[arg-type]
        ):
            self.monitors._tell(finding, self.desk.clock.now_ns)

    def fill(self, number: int, price: str, *, fee: str = "0", quantity: int = 10) -> None:
        """As the wiring does: the books first, then the monitors."""
        heard: list[Any] = []
        publish = self.core.manager._publish_fill
        self.core.manager._publish_fill = lambda event: (publish(event), heard.append(event))
        self.core.manager._publish = _also(self.core.manager._publish, heard)
        self.core.bus.publish(
            OrderReport(
                account=ACCOUNT, client_id=ClientOrderId(f"s-{number}"), kind=Evidence.FILL, quantity=quantity,
                ts_ns=self.desk.clock.now_ns, price=Decimal(price), fee=Decimal(fee), fill_id=f"f-{number}",
            )
        )  # fmt: skip
        for event in heard:
            if type(event).__name__ == "Fill":
                self.monitors.on_fill(event)

    @property
    def words(self) -> list[str]:
        return [text for _, text in self.said]


def _also(publish: Callable[[Any], object], heard: list[Any]) -> Callable[[Any], object]:
    def both(event: Any) -> None:
        publish(event)
        heard.append(event)

    return both


def test_a_quiet_run_says_nothing() -> None:
    """Ten looks at a healthy run."""
    bench = Bench()
    for _ in range(10):
        bench.pass_time(5)
        bench.monitors.look()
    assert (bench.said, bench.latched) == ([], [])


def test_a_fill_far_from_the_last_price_is_said() -> None:
    """Forty at the market, filled at fifty."""
    bench = Bench()
    bench.decide(1)
    bench.desk.mark(1)
    bench.fill(1, "50")
    assert any("far from the last price" in text for text in bench.words)
    assert any("worse than the price it was decided at" in text for text in bench.words)


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "40.5"), (Side.SELL, "39.5")])
def test_slippage_above_one_percent_is_said_in_either_direction(side: Side, price: str) -> None:
    """A purchase above, a sale below the price of the decision."""
    bench = Bench()
    bench.decide(1, side=side)
    bench.desk.mark(1)
    bench.fill(1, price)
    assert [text for text in bench.words if "1.25% worse" in text]


def test_a_better_price_is_no_slippage() -> None:
    """Bought two percent below."""
    bench = Bench()
    bench.decide(1)
    bench.desk.mark(1)
    bench.fill(1, "39.2")
    assert bench.said == []


def test_a_fee_that_is_not_the_rule_books_is_said() -> None:
    """The free market takes 0.03 % of the value; this fill cost a coin."""
    bench = Bench()
    bench.decide(1)
    bench.desk.mark(1)
    bench.fill(1, "40", fee="1")
    assert any("in fees, where the rule book says 0.12" in text for text in bench.words)


def test_many_orders_for_few_fills_are_said_once_a_day() -> None:
    """Sixty orders, no fill: more than twenty for one."""
    bench = Bench()
    for number in range(1, 61):
        bench.decide(number, quantity=1)
    assert len(bench.said) == 1
    assert "orders for 0 fills today" in bench.words[0]


def test_an_order_of_unknown_outcome_is_said_after_a_minute_and_again_later() -> None:
    """Not at 55 s; at 65 s; not again at once; again after ten minutes."""
    bench = Bench()
    bench.decide(1)
    bench.desk.mark(1)
    bench.pass_time(55)
    bench.monitors.look()
    assert bench.said == []
    bench.pass_time(10)
    bench.monitors.look()
    bench.monitors.look()
    assert len(bench.said) == 1
    assert bench.said[0][0] == "order:s-1"
    for _ in range(121):
        bench.pass_time(5)
        bench.monitors.look()
    assert len(bench.said) == 2


def test_an_account_whose_worth_jumps_is_said() -> None:
    """Ten percent of the position's price within a minute, on half the account."""
    bench = Bench()
    bench.decide(1, quantity=1_000)
    bench.desk.mark(1)
    bench.fill(1, "40", quantity=1_000)
    bench.monitors.look()
    bench.pass_time(20, price=36.0)
    bench.monitors.look()
    assert any("within a minute" in text for text in bench.words)


def test_the_first_price_of_what_was_held_is_no_jump() -> None:
    """Before it the shares stood at cost: nothing was gained or lost."""
    bench = Bench()
    held = STOCKS[1]
    del bench.core.portfolio.marks.latest[held]
    adjusted = PositionAdjusted(account=ACCOUNT, strategy=EXTERNAL, instrument=held, ts_ns=1, quantity=1_000)
    bench.core.bus.publish(adjusted)
    bench.monitors.look()
    bench.pass_time(20)
    bench.core.bus.publish(Quote(held, bench.desk.clock.now_ns, 40.0, 40.0))
    bench.monitors.look()
    assert bench.said == []


def test_polled_bars_may_be_as_old_as_one_missed_poll_makes_them() -> None:
    """A bar is as long under way as it lasts, then waits for its poll: at a minute each, four minutes."""
    bench = Bench()
    bench.core.view.feed_interval_ns[STOCK] = MINUTE_NS
    bench.monitors._scene.intervals[STOCK] = MINUTE_NS  # type: ignore[index]
    bench.monitors.look()
    bench.pass_time(235, price=None)
    bench.monitors.look()
    assert bench.said == []
    bench.pass_time(10, price=None)
    bench.monitors.look()
    assert len(bench.said) == 1


def test_what_comes_and_goes_is_said_once_in_its_time() -> None:
    """A feed at the edge of its age would fill the log."""
    bench = Bench()
    bench.core.view.feed_interval_ns[STOCK] = 0
    bench.monitors.look()
    for _ in range(3):
        bench.pass_time(61, price=None)
        bench.monitors.look()
        bench.pass_time(1)
        bench.monitors.look()
    assert len(bench.said) == 1


def test_a_symbol_without_prices_in_an_open_market_is_said() -> None:
    """A minute and a bit after the last one; nothing where nobody subscribed."""
    bench = Bench()
    bench.monitors.look()
    bench.pass_time(90, price=None)
    bench.monitors.look()
    assert bench.said == []
    bench.core.view.feed_interval_ns[STOCK] = 0
    bench.monitors.look()
    bench.pass_time(61, price=None)
    bench.monitors.look()
    assert bench.said == [(f"symbol:{STOCK}", "no price for 61 s while its market is open")]


@pytest.mark.parametrize(
    ("set_up", "about", "words"),
    [
        (lambda b: setattr(b.box, "waiting", 51), f"account:{ACCOUNT}", "51 requests wait"),
        (lambda b: setattr(b, "lag_ns", 300_000_000), "run", "300 ms late"),
        (lambda b: setattr(b.journal, "next_seq", 1_002), "journal", "1001 records are not on disk"),
        (lambda b: setattr(b, "free", 900), "disk", "900 MiB"),
        (lambda b: b.offsets.update(x=600_000_000), "clock", "+0.6 s"),
        (lambda b: b.expiries.update(futu=b.desk.clock.now_ns + 9 * MINUTE_NS), "gateway:futu", "ends in 540 s"),
    ],
)
def test_what_is_wrong_with_the_run_itself_is_said_and_stops_nothing(
    set_up: Callable[[Bench], None], about: str, words: str
) -> None:
    """Queue, lag, journal, disk, clock, login: an alert within one look, no latch."""
    bench = Bench()
    set_up(bench)
    bench.monitors.look()
    assert [(where, words in text) for where, text in bench.said] == [(about, True)]
    assert bench.latched == []


@pytest.mark.parametrize(
    "set_up", [lambda b: setattr(b, "free", 199), lambda b: b.offsets.update(x=-2_100_000_000)], ids=["disk", "clock"]
)
def test_a_full_disk_and_a_wrong_clock_stop_trading(set_up: Callable[[Bench], None]) -> None:
    """Below 200 MiB, or more than two seconds off: HALT for all."""
    bench = Bench()
    set_up(bench)
    bench.monitors.look()
    assert bench.latched == [(KillLevel.HALT, "all")]


def test_the_room_on_the_disk_is_asked_of_the_folder_that_is_there(tmp_path: Any) -> None:
    """A folder that will be made is on the disk of its parent; a run without files has none."""
    free = free_mib_of(tmp_path / "not" / "yet")()
    assert free is not None
    assert free > 0
    assert free_mib_of(None)() is None
