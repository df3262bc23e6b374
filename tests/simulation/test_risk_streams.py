"""Random streams of orders, evidence and time against models too simple to be wrong; and the journal's replay of them.

The models keep every event and count from scratch at each question.
"""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.events import Fill, KillLevel, LatchCleared, LatchSet, OrderSubmitted
from engine.domain.ids import AccountId
from engine.domain.order import Evidence, Order, OrderReport, OrderState
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from engine.risk import RiskChecker, RiskView, limits_for
from engine.risk.windows import DayCounter, DaySum, RecentKeys, SlidingWindow
from tests.risk_builders import ACCOUNT, GAME, INSTRUMENT, NOON_NS, a_limit_order, a_view, an_order

GAPS = st.sampled_from([0, 1, SECOND_NS - 1, SECOND_NS, 3 * SECOND_NS, 30 * SECOND_NS, MINUTE_NS, HOUR_NS, 8 * HOUR_NS])
PLENTY = settings(max_examples=150, deadline=None)

# --- the counters by themselves --------------------------------------------------------------------------------------


@PLENTY
@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=60))
def test_a_sliding_window_counts_like_a_list(cap: int, steps: list[tuple[bool, int]]) -> None:
    """Stamps later than now - span, shown exactly up to cap + 1; never more than cap + 1 are kept."""
    span, now = 10, 0
    window, stamps = SlidingWindow(span, cap), list[int]()
    for adds, gap in steps:
        now += gap
        if adds:
            window.add(now)
            stamps.append(now)
        assert window.count(now) == min(cap + 1, sum(stamp > now - span for stamp in stamps))
        assert len(window._stamps) <= cap + 1


@PLENTY
@given(st.lists(st.tuples(st.integers(-1, 2), st.integers(1, 9)), max_size=40))
def test_day_counters_count_the_running_day(steps: list[tuple[int, int]]) -> None:
    """The day only rises; what comes late for a past day is put to the running one."""
    counter, total, day, seen = DayCounter(), DaySum(), 0, dict[int, list[int]]()
    for move, amount in steps:
        said = max(0, day + move)
        day = max(day, said)
        counter.add(said)
        total.add(said, Decimal(amount))
        seen.setdefault(day, []).append(amount)
        assert counter.count(day) == len(seen[day])
        assert total.total(day) == sum(seen[day])
        assert (counter.count(day + 1), total.total(day + 1)) == (0, 0)


@PLENTY
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 15), st.booleans()), max_size=60))
def test_recent_keys_remember_one_span(steps: list[tuple[str, int, bool]]) -> None:
    """The age of the last time a key was seen, within the span; no more entries than arrivals in one span."""
    span, now = 10, 0
    keys, seen = RecentKeys(span), list[tuple[int, str]]()
    for key, gap, adds in steps:
        now += gap
        if adds:
            keys.add(key, now)
            seen.append((now, key))
            assert len(keys) == sum(ts > now - span for ts, _ in seen)
            assert len(keys._last) <= len(keys)
        for asked in "abc":
            last = max((ts for ts, name in seen if name == asked and ts > now - span), default=None)
            assert keys.age_ns(asked, now) == (None if last is None else now - last)


# --- a whole stream --------------------------------------------------------------------------------------------------

TABLE: dict[str, dict[str, Any]] = {
    "orders_per_second": {"cap": 2, "scope": "strategy"},
    "orders_per_minute": {"cap": 4, "scope": "account"},
    "symbol_orders_per_minute": {"cap": 3},
    "orders_per_day": {"cap": 9, "scope": "engine"},
    "max_position": {"value": 9000, "quantity": 700},
    "max_daily_value": {"value": 12_000, "scope": "strategy"},
    "max_order_value": {"value": 5000},
    "max_order_quantity": {"quantity": 400},
    "price_collar": {"max_age": "1d"},
    "hours": {"start": "22:00", "end": "14:00"},
    "allowed_sides": {"sides": ["buy", "sell"]},
    "open_orders": {"cap": 6, "per_side": 3, "scope": "strategy"},
    "max_open_value": {"value": 20_000, "scope": "engine"},
    "self_match": {"scope": "account"},
    "repeated_fills": {"cap": 3, "window": "1m"},
    "quick_cancels": {"warn": 1, "stop": 2, "orders": 2},
    "message_rate": {"warn": 2, "stop": 4, "day_warn": 8, "day_stop": 12},
}
EVIDENCE = st.sampled_from([
    Evidence.SEND, Evidence.ACK, Evidence.REJECT, Evidence.AMBIGUOUS, Evidence.FILL, Evidence.CANCEL_REQUEST,
    Evidence.CANCELED, Evidence.ABSENT, Evidence.CANDIDATES,
])  # fmt: skip
SIDES = st.sampled_from([Side.BUY, Side.SELL])


@st.composite
def orders(draw: st.DrawFn) -> SubmitOrder:
    fields = {
        "strategy": draw(st.sampled_from(["sma", "grid"])),
        "account": draw(st.sampled_from([ACCOUNT, AccountId("second")])),
        "instrument": draw(st.sampled_from([INSTRUMENT, GAME])),
        "side": draw(SIDES),
        "quantity": draw(st.sampled_from([100, 200, 300, 500])),
    }
    if draw(st.booleans()):
        return a_limit_order(draw(st.sampled_from(["9.9", "10", "10.1", "11"])), **fields)
    return an_order(**fields)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), GAPS, orders()),
        st.tuples(st.just("evidence"), GAPS, st.tuples(st.integers(0, 3), EVIDENCE, st.sampled_from([50, 100, 300]))),
        st.tuples(st.just("latch"), GAPS, st.tuples(st.sampled_from(["all", "strategy:sma"]), st.integers(0, 2))),
    ),
    min_size=12,  # else they are 5 long on average
    max_size=50,
)


def a_world() -> tuple[RiskView, RiskChecker]:
    view = a_view(cash="20000")
    view.portfolio.open_account(AccountId("second"), "CNY", Decimal(20_000)).cash["COIN"] = Decimal(20_000)
    view.capabilities[AccountId("second")] = view.capabilities[ACCOUNT]
    view.portfolio.marks[GAME], view.portfolio.marks_ns[GAME] = 10.0, NOON_NS
    return view, RiskChecker(limits_for("paper", TABLE), view)


class Stream:
    """Plays steps through a checker, and keeps every event it told the view, in order, as a journal does."""

    def __init__(self) -> None:
        self.view, self.checker = a_world()
        self.now_ns = NOON_NS
        self.orders: list[Order] = []
        self.left: list[tuple[int, SubmitOrder]] = []
        """What counts towards rates: when, and for which order."""
        self.fills: list[Fill] = []
        self.told: list[Any] = []

    def play(self, step: tuple[str, int, Any]) -> None:
        what, gap, detail = step
        self.now_ns += gap
        if what == "order":
            order: SubmitOrder = an_order(
                **{field: getattr(detail, field) for field in detail.__struct_fields__}
                | {"client_id": f"c-{len(self.orders)}", "ts_ns": self.now_ns}
            )
            self.compare(order)
            if self.checker.check(order, self.now_ns) is None or order.quantity == 200:
                self.tell(OrderSubmitted(order=order, ts_ns=self.now_ns))
        elif what == "evidence" and self.orders:
            index, kind, quantity = detail
            order_id = self.orders[index % len(self.orders)].request.client_id
            self.tell(
                OrderReport(
                    account=ACCOUNT, client_id=order_id, kind=kind, ts_ns=self.now_ns, quantity=quantity,
                    price=Decimal(10) if kind is Evidence.FILL else None, fill_id=f"f-{len(self.told)}",
                )
            )  # fmt: skip
        elif what == "latch":
            scope, level = detail
            if level:
                self.tell(LatchSet(level=KillLevel(level), scope=scope, cause="t", who="t", ts_ns=self.now_ns))
            else:
                self.tell(LatchCleared(scope=scope, reason="t", who="t", ts_ns=self.now_ns))

    def tell(self, event: Any) -> None:
        """What the order gate does with an event of the journal, live and at replay alike."""
        self.told.append(event)
        view = self.view
        if isinstance(event, OrderSubmitted):
            order = Order(event.order)
            order.apply(OrderReport(account=event.order.account, kind=Evidence.RISK_OK, ts_ns=event.ts_ns))
            self.orders.append(order)
            self.left.append((event.ts_ns, event.order))
            view.portfolio.on_submitted(event)
            view.on_submitted(event)
        elif isinstance(event, LatchSet):
            view.on_latch(event)
        elif isinstance(event, LatchCleared):
            view.on_unlatch(event)
        else:
            self.join(event)

    def join(self, event: OrderReport) -> None:
        order = next(one for one in self.orders if one.request.client_id == event.client_id)
        request = order.request
        if event.kind is Evidence.CANCEL_REQUEST:
            self.left.append((event.ts_ns, request))
            self.view.on_cancel(request, event.ts_ns, order.sent_ns)
        change = order.apply(event)
        if change.cum_delta > 0:
            fill = Fill(
                client_id=request.client_id, account=request.account, strategy=request.strategy,
                instrument=request.instrument, side=request.side, quantity=change.cum_delta, price=Decimal(10),
                fee=Decimal(0), ts_ns=event.ts_ns,
            )  # fmt: skip
            self.fills.append(fill)
            self.view.portfolio.on_fill(fill)
            self.view.on_fill(fill)
        self.view.portfolio.on_order_changed(order)
        self.view.on_order_changed(order)

    # --- the models --------------------------------------------------------------------------------------------------

    def in_last(self, span_ns: int, order: SubmitOrder, *fields: str) -> int:
        """Orders and cancels later than now - span that agree with this order in these fields."""
        return sum(
            ts_ns > self.now_ns - span_ns and all(getattr(one, f) == getattr(order, f) for f in fields)
            for ts_ns, one in self.left
        )

    def day(self, instrument: str, ts_ns: int) -> int:
        shift_ns = 8 * HOUR_NS if instrument == GAME else 0
        return (ts_ns + shift_ns) // DAY_NS

    def today(self, order: SubmitOrder) -> int:
        day = self.day(order.instrument, self.now_ns)
        return sum(
            one.instrument == order.instrument and self.day(one.instrument, ts_ns) == day for ts_ns, one in self.left
        )

    def traded(self, order: SubmitOrder) -> Decimal:
        """Fills of today and what open orders may add, of this strategy on this market."""
        day = self.day(order.instrument, self.now_ns)
        filled = sum(
            (
                fill.price * fill.quantity
                for fill in self.fills
                if (fill.strategy, fill.instrument) == (order.strategy, order.instrument)
                and self.day(fill.instrument, fill.ts_ns) == day
            ),
            Decimal(0),
        )
        still = sum(
            (
                (one.request.price or Decimal(10)) * one.exposure
                for one in self.orders
                if (one.request.strategy, one.request.instrument) == (order.strategy, order.instrument)
            ),
            Decimal(0),
        )
        return filled + still

    def same_way(self, order: SubmitOrder) -> list[Order]:
        key = (order.account, order.instrument, order.side)
        return [one for one in self.orders if (one.request.account, one.request.instrument, one.request.side) == key]

    def compare(self, order: SubmitOrder) -> None:
        """Every counter against its model, at this instant, for this order; and explain against check."""
        view, now_ns = self.view, self.now_ns
        capped = {
            "orders_per_second": (2, self.in_last(SECOND_NS, order, "strategy")),
            "orders_per_minute": (4, self.in_last(MINUTE_NS, order, "account")),
            "symbol_orders_per_minute": (3, self.in_last(MINUTE_NS, order, "account", "instrument")),
        }
        for name, (cap, count) in capped.items():
            assert view.rates[name].count(order, now_ns) == min(count, cap + 1), name
        instrument = view.instruments[order.instrument]
        day = view.trading_day(instrument, now_ns)
        assert view.day_rates["orders_per_day"].count(order, instrument.market, day) == self.today(order)
        turnover = view.turnovers["max_daily_value"]
        key = turnover.key(order.strategy, order.account, order.instrument, instrument.market)
        assert turnover.total(key, day) == self.traded(order)
        same_way = self.same_way(order)
        assert view.working(order.account, order.instrument, order.side) == sum(one.exposure for one in same_way)
        undecided = sum(one.state in {OrderState.UNKNOWN, OrderState.DISPUTED} for one in same_way)
        assert view.undecided(order.account, order.instrument, order.side) == undecided
        assert view.recent is not None
        fields = ("strategy", "instrument", "side", "quantity", "price")
        again = [
            event.ts_ns
            for event in self.told
            if isinstance(event, OrderSubmitted)
            and event.ts_ns > now_ns - 3 * SECOND_NS
            and all(getattr(event.order, field) == getattr(order, field) for field in fields)
        ]
        asked = tuple(getattr(order, field) for field in fields)
        assert view.recent.age_ns(asked, now_ns) == (now_ns - again[-1] if again else None)
        self.explain_agrees(order)

    def explain_agrees(self, order: SubmitOrder) -> None:
        denial = self.checker.check(order, self.now_ns)
        verdicts = self.checker.explain(order, self.now_ns)
        assert [one.check for one in verdicts] == [limit.name for limit in self.checker.limits]
        failed = [one for one in verdicts if not one.passed]
        assert all(one.figures for one in verdicts)
        found = None if denial is None else (denial.code, denial.reason)
        assert found == ((failed[0].code, failed[0].reason) if failed else None)
        assert self.checker.errors == 0


def reading_of(stream: Stream) -> list[Any]:
    """All that limits can see, for every order there could be next."""
    view, now_ns, read = stream.view, stream.now_ns, list[Any]()
    for account in (ACCOUNT, AccountId("second")):
        for instrument in (INSTRUMENT, GAME):
            for side in (Side.BUY, Side.SELL):
                for strategy in ("sma", "grid"):
                    order = an_order(account=account, instrument=instrument, side=side, strategy=strategy)
                    read.append([verdict.figures for verdict in stream.checker.explain(order, now_ns)])
                    read.append(stream.checker.check(order, now_ns))
                    read.append(view.latch(order))
    return [*read, len(view.exposures), view.latches]


@PLENTY
@given(STEPS)
def test_counters_agree_with_the_models_and_explain_with_check(steps: list[tuple[str, int, Any]]) -> None:
    """At every order of a random stream each counter equals its count from scratch."""
    stream = Stream()
    for step in steps:
        stream.play(step)
    for side in (Side.BUY, Side.SELL):
        stream.compare(an_order(side=side, ts_ns=stream.now_ns))


@PLENTY
@given(STEPS)
def test_replaying_the_journal_rebuilds_every_counter(steps: list[tuple[str, int, Any]]) -> None:
    """A new view told the same events answers every question alike, whatever was asked in between."""
    stream = Stream()
    for step in steps:
        stream.play(step)
    again = Stream()
    for event in stream.told:
        again.tell(event)
    again.now_ns = stream.now_ns
    assert reading_of(again) == reading_of(stream)


@PLENTY
@given(STEPS)
def test_what_the_gate_lets_through_never_passes_a_cap(steps: list[tuple[str, int, Any]]) -> None:
    """With only checked orders leaving, no count, position or value goes above its cap at any instant."""
    stream = Stream()
    for step in steps:
        if step[0] == "order" and step[2].quantity == 200:
            continue  # those leave unchecked in the other tests
        if step[0] == "evidence" and step[2][1] in (Evidence.CANCEL_REQUEST, Evidence.ABSENT):
            continue  # cancels are let through above the cap, and what was proven absent may come back
        stream.play(step)
        for order in {(one.request.account, one.request.instrument): one.request for one in stream.orders}.values():
            assert stream.in_last(SECOND_NS, order, "strategy") <= 2
            assert stream.in_last(MINUTE_NS, order, "account") <= 4
            assert stream.today(order) <= 9
            held = stream.view.position(order.account, order.instrument)
            assert held + stream.view.working(order.account, order.instrument, Side.BUY) <= 700
            assert stream.view.portfolio.sellable(order.account, order.instrument, stream.now_ns) >= 0


@PLENTY
@given(
    orders(),
    st.fixed_dictionaries(
        {},
        optional={
            "quantity": st.sampled_from([0, -1, True, 1.5, float("nan"), None, "5", 10**30]),
            "price": st.sampled_from([Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-0"), 10.0, "x"]),
            "side": st.sampled_from(["buy", None, 1, []]),
            "type": st.sampled_from([*OrderType, "market", None, []]),
            "tif": st.sampled_from(["day", None]),
            "account": st.sampled_from(["nobody", None, []]),
            "instrument": st.sampled_from(["nothing", None, []]),
            "strategy": st.sampled_from(["", None]),
        },
    ),
)
def test_nonsense_is_denied_and_never_raised(order: SubmitOrder, nonsense: dict[str, Any]) -> None:
    """Whatever is in the fields, the checker answers; and explains the same answer."""
    for profile in ("paper", "backtest"):
        view, _ = a_world()
        checker = RiskChecker(limits_for(profile, {}), view)
        strange = an_order(**{field: getattr(order, field) for field in order.__struct_fields__} | nonsense)
        denial = checker.check(strange, NOON_NS)
        failed = [one for one in checker.explain(strange, NOON_NS) if not one.passed]
        assert (denial.code if denial else None) == (failed[0].code if failed else None)
        if set(nonsense) - {"type"}:
            assert denial is not None
