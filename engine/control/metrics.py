"""Prometheus metrics of a run: read from its books when somebody scrapes, but latencies, which are counted as they are.

Nothing here stands in the way of a quote; of an order two stopwatch readings and an entry in a histogram. What labels a
series is bounded: accounts, gateways and strategies by the config, instruments and denial codes by ``LABELS_MAX``.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from engine.clock import stopwatch_seconds
from engine.control.api.account_views import day_profit, invested, level_of
from engine.control.api.health_views import data_ages, reasons
from engine.domain.events import (
    JournalRecord,
    OrderAccepted,
    OrderCanceled,
    OrderDenied,
    OrderRejected,
    OrderSubmitted,
    OrderUnknown,
)
from engine.domain.ids import ClientOrderId
from engine.domain.market import FeedState
from engine.domain.timestamps import SECOND_NS

if TYPE_CHECKING:
    from engine.control.api.cockpit import Cockpit
    from engine.control.live_session import Session

LABELS_MAX = 200
OTHER = "other"
WAITING_MAX = 10_000
"""Orders whose answer is waited for at once, for their latency."""
TICK_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
ACK_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Meter:
    """Counts orders and their latencies in a run; one a session."""

    def __init__(self, held_seconds: Callable[[], float]) -> None:
        """``held_seconds``: real time since the input that the core works on came in."""
        self.registry = CollectorRegistry()
        self.decision = Histogram(
            "sluice_decision_seconds", "From a market event or timer to the order's acceptance by the gate",
            buckets=TICK_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.tick_to_order = Histogram(
            "sluice_tick_to_order_seconds", "From a market event or timer to the order's last byte handed over",
            buckets=TICK_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.order_to_ack = Histogram(
            "sluice_order_to_ack_seconds", "From the order's last byte to its venue's answer",
            ["account"], buckets=ACK_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.outcomes: dict[str, int] = dict.fromkeys(
            ("submitted", "denied", "accepted", "rejected", "canceled", "unknown"), 0
        )
        self.records = 0
        self._held_seconds = held_seconds
        self._decided: OrderedDict[ClientOrderId, float] = OrderedDict()
        self._left: OrderedDict[ClientOrderId, float] = OrderedDict()

    def watchers(self) -> tuple[tuple[type, Callable[[Any], None]], ...]:
        return (
            (OrderSubmitted, self._on_submitted),
            (OrderDenied, lambda _event: self._count("denied")),
            (OrderAccepted, self._on_accepted),
            (OrderRejected, self._on_rejected),
            (OrderCanceled, lambda _event: self._count("canceled")),
            (OrderUnknown, lambda _event: self._count("unknown")),
        )

    def on_record(self, _seq: int, _record: JournalRecord) -> None:
        self.records += 1

    def on_left(self, client_id: ClientOrderId, seconds: float) -> None:
        """Its last byte was handed over, so long after the gate let it through."""
        decided = self._decided.pop(client_id, None)
        if decided is not None:
            self.tick_to_order.observe(decided + seconds)
        _keep(self._left, client_id, stopwatch_seconds())

    def _on_submitted(self, event: OrderSubmitted) -> None:
        self._count("submitted")
        seconds = self._held_seconds()
        self.decision.observe(seconds)
        _keep(self._decided, event.client_id, seconds)

    def _on_accepted(self, event: OrderAccepted) -> None:
        self._count("accepted")
        self._answered(event)

    def _on_rejected(self, event: OrderRejected) -> None:
        self._count("rejected")
        self._answered(event)

    def _answered(self, event: OrderAccepted | OrderRejected) -> None:
        left = self._left.pop(event.client_id, None)
        if left is not None:
            self.order_to_ack.labels(event.account).observe(stopwatch_seconds() - left)

    def _count(self, name: str) -> None:
        self.outcomes[name] += 1


def _keep(known: OrderedDict[ClientOrderId, float], client_id: ClientOrderId, value: float) -> None:
    known[client_id] = value
    if len(known) > WAITING_MAX:
        known.popitem(last=False)


def exposition(cockpit: "Cockpit") -> bytes:
    """What ``/metrics`` answers: the text format of Prometheus."""
    session = cockpit.found
    registry = CollectorRegistry()
    registry.register(_Collected(cockpit))
    body = generate_latest(registry)
    return body if session is None else body + generate_latest(session.meter.registry)


class _Collected:
    """prometheus-client's collector: families made at each scrape."""

    def __init__(self, cockpit: "Cockpit") -> None:
        self._cockpit = cockpit

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        cockpit, session = self._cockpit, self._cockpit.found
        yield _gauge("sluice_up", "Whether a run is under way", [((), float(session is not None))])
        uptime = (cockpit.wall.now_ns - cockpit.began_ns) / SECOND_NS
        yield _gauge("sluice_uptime_seconds", "Since the API began", [((), uptime)])
        yield from _of_api(cockpit)
        if session is not None:
            yield from _of_run(session)
            yield from _of_orders(session)
            yield from _of_ways(session)
            yield from _of_data(session)
            yield from _of_accounts(session)


def _of_api(cockpit: "Cockpit") -> Iterator[Metric]:
    requests = [((name, str(status)), float(count)) for (name, status), count in cockpit.requests.items()]
    yield _counter("sluice_api_requests", "Requests of the control API", requests, ("operation", "status"))
    yield _counter("sluice_api_faults", "Requests that failed by a fault of ours", [((), float(cockpit.faults))])
    yield _gauge("sluice_api_streams", "Streams that are open", [((), float(len(cockpit.streams.open)))])
    yield _counter("sluice_api_streams_cut", "Readers that were too slow", [((), float(cockpit.streams.cut))])
    yield _gauge("sluice_api_connections", "Connections that are open", [((), float(len(cockpit.crowd.open)))])
    yield _counter("sluice_api_connections_cut", "Connections that dawdled", [((), float(cockpit.crowd.cut))])


def _of_run(session: "Session") -> Iterator[Metric]:
    run = session.run
    journal, why = run.journal, list(reasons(session))
    yield _gauge("sluice_ready", "Whether orders may leave", [((), float(not why))])
    latches = [((latch.scope,), float(latch.level)) for latch in run.core.view.latches.values()]
    yield _gauge("sluice_kill_level", "Level of each latched scope: 1 reduce to 4 flatten", latches, ("scope",))
    yield _gauge("sluice_kill_level_worst", "The highest level of any scope", [((), float(level_of(run.core)))])
    events = (
        ("quote", session.links.quotes), ("bar", session.seen.bars), ("trade", session.seen.trades),
        ("book", session.seen.books), ("fill", session.seen.filled), ("alert", session.seen.alerted),
    )  # fmt: skip
    yield _counter("sluice_events", "Events heard", [((kind,), float(count)) for kind, count in events], ("kind",))
    yield _counter("sluice_journal_records", "Records appended", [((), float(session.meter.records))])
    behind = journal.next_seq - 1 - journal.durable_seq
    yield _gauge("sluice_journal_lag_records", "Records not on disk yet", [((), float(behind))])
    yield _gauge("sluice_journal_healthy", "Whether the journal takes records", [((), float(journal.healthy))])
    yield _gauge("sluice_loop_lag_seconds", "How late the last beat came", [((), run.safety.pulse.lag_ns / 1e9)])
    queued = [((str(name),), float(len(seat.queue))) for name, seat in run.core.runner.seats.items()]
    yield _gauge("sluice_strategy_queue", "Events waiting for a strategy", queued, ("strategy",))
    running = [((str(name),), float(not seat.stopped)) for name, seat in run.core.runner.seats.items()]
    yield _gauge("sluice_strategy_running", "Whether a strategy runs", running, ("strategy",))
    yield _counter("sluice_log_lines", "Lines written", [((), float(session.log.lines))])
    yield _counter("sluice_log_dropped", "Lines that were lost", [((), float(session.log.dropped))])


def _of_orders(session: "Session") -> Iterator[Metric]:
    core = session.run.core
    outcomes = [((name,), float(count)) for name, count in session.meter.outcomes.items()]
    yield _counter("sluice_orders", "Orders of this run, by what became of them", outcomes, ("outcome",))
    codes = _capped(((code, float(count)) for code, count in core.view.denials.items()), sum)
    yield _counter("sluice_denials", "Orders our own limits refused", codes, ("code",))
    states: dict[tuple[str, str], float] = {}
    for order in core.manager.working.values():
        key = (str(order.request.account), str(order.state))
        states[key] = states.get(key, 0.0) + 1.0
    yield _gauge("sluice_open_orders", "Orders that may still fill", list(states.items()), ("account", "state"))
    ages = [core.clock.now_ns - o.sent_ns for o in core.manager.working.values() if o.state in ("unknown", "disputed")]
    oldest = max(ages, default=0) / SECOND_NS
    yield _gauge("sluice_unknown_age_seconds", "Age of the oldest order of unknown outcome", [((), oldest)])


def _of_ways(session: "Session") -> Iterator[Metric]:
    run = session.run
    now_ns = run.clock.now_ns
    boxes = [((str(account),), box) for account, box in run.boxes.items()]
    waiting = [(label, float(box.waiting)) for label, box in boxes]
    yield _gauge("sluice_outbox_queue", "Requests waiting to leave", waiting, ("account",))
    left = [(label, float(run.pace.left(box.router.account, now_ns))) for label, box in boxes]
    yield _gauge("sluice_gateway_budget_left", "Orders its gateway takes within this minute", left, ("account",))
    budget = [(label, float(box.sheet.orders_per_minute)) for label, box in boxes]
    yield _gauge("sluice_gateway_budget", "Orders its gateway takes in a minute", budget, ("account",))
    feeds = [((name,), float(s.state is FeedState.CONNECTED)) for name, s in session.seen.feeds.items()]
    yield _gauge("sluice_feed_connected", "Whether a feed says it is connected", feeds, ("gateway",))
    links = [((str(account),), float(link.up)) for account, link in session.seen.links.items()]
    yield _gauge("sluice_account_link", "Whether the way to an account stands", links, ("account",))


def _of_data(session: "Session") -> Iterator[Metric]:
    rows = data_ages(session)
    ages = _capped(((row.instrument, row.age_ms / 1000) for row in rows if row.age_ms is not None), max)
    yield _gauge("sluice_data_age_seconds", "Age of the last price", ages, ("instrument",))
    stale = sum(not row.fresh for row in rows)
    yield _gauge("sluice_data_stale", "Instruments without a fresh price in an open market", [((), float(stale))])


def _of_accounts(session: "Session") -> Iterator[Metric]:
    core = session.run.core
    equity: Rows = []
    profit: Rows = []
    worth: Rows = []
    even: Rows = []
    for account, book in core.portfolio.accounts.items():
        label = (str(account), book.currency)
        for found, rows in (
            (session.equity(account), equity),
            (day_profit(core, account), profit),
            (invested(core, account, core.clock.now_ns), worth),
        ):
            if found is not None:
                rows.append((label, float(found)))
        last = core.reconciler.last.get(account)
        if last is not None:
            even.append(((str(account),), float(last.ok)))
    labels = ("account", "currency")
    yield _gauge("sluice_equity", "What an account is worth", equity, labels)
    yield _gauge("sluice_day_profit", "Won since the trading day began", profit, labels)
    yield _gauge("sluice_invested", "All positions at their prices", worth, labels)
    yield _gauge("sluice_reconciled", "Whether book and venue agreed when last compared", even, ("account",))


Rows = list[tuple[tuple[str, ...], float]]


def _capped(rows: Iterable[tuple[str, float]], join: Callable[[list[float]], float]) -> Rows:
    """At most ``LABELS_MAX`` labels; the rest together as ``other``."""
    found = list(rows)
    kept: Rows = [((name,), value) for name, value in found[:LABELS_MAX]]
    rest = [value for _, value in found[LABELS_MAX:]]
    return [*kept, ((OTHER,), join(rest))] if rest else kept


def _gauge(name: str, text: str, rows: Any, labels: tuple[str, ...] = ()) -> Metric:
    return _filled(GaugeMetricFamily(name, text, labels=labels), rows)


def _counter(name: str, text: str, rows: Any, labels: tuple[str, ...] = ()) -> Metric:
    return _filled(CounterMetricFamily(name, text, labels=labels), rows)


def _filled(family: Any, rows: Any) -> Metric:
    for label, value in rows:
        family.add_metric(label, value)
    found: Metric = family
    return found
