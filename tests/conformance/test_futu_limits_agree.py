"""Our mirror of the gateway's limit layers beside the gateway's own, over streams of orders in time.

Both read one keys.json record and hear the same bytes; what the simulator counts is read from its own counters.
"""

import asyncio
import heapq
from collections import Counter
from decimal import Decimal
from itertools import count
from math import prod
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.money import exact
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS, format_time, parse_time
from engine.domain.verdict import Denial
from engine.entropy import Entropy
from engine.gateways.futu import routes as r
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.client import body_of
from engine.gateways.futu.limits import EDGE_NS, KeyRecord, LimitMirror
from engine.gateways.futu.orders import CANCEL, CHANGE, Account, Packets, order_to_wire
from engine.net.rate_limit import Ticket
from engine.simulators.futu import EXAMPLE_TOKEN, Limits, a_key
from engine.simulators.futu.bodies import read_body
from engine.simulators.futu.envelope import Denied
from engine.simulators.futu.keys import Key, KeyRing
from engine.simulators.futu.ledger import FutuAccount
from engine.simulators.futu.limits import Counters, LimitLayers, in_window
from engine.simulators.futu.routes import ROUTES
from tests.futu_builders import an_order
from tests.futu_simulator_builders import REAL, SIMULATE_HK, GatewayAtHand

ZONE = "Asia/Hong_Kong"
RATE_SPAN_NS = MINUTE_NS + SECOND_NS
"""The mirror lets a write go a minute and a second after its answer."""
CARD = "1001"
CASH = {"HKD": 1e12, "USD": 1e12, "CNH": 1e12}
MARKETS = {SIMULATE_HK: (1, 2, 3), REAL: (1, 2, 4)}
ACCOUNTS = (
    FutuAccount(acc_id=SIMULATE_HK, environment="simulate", markets=(1, 2, 3), cash=CASH),
    FutuAccount(acc_id=REAL, environment="real", markets=(1, 2, 4), kind="margin", cash=CASH, card_num=CARD),
)
LAST = {"00700.HK": 475.2, "AAPL.US": 268.57, "600000.SH": 11.86}
"""Last prices we know; 09988.HK has none."""
TERMS = (
    ("00700.HK", 300, "470.2"),
    ("00700.HK", 100, "470"),
    ("00700.HK", 100, None),
    ("09988.HK", 100, "158.4"),
    ("09988.HK", 100, None),
    ("AAPL.US", 3, "0.1"),
    ("AAPL.US", 7, "268.57"),
    ("600000.SH", 100, "11.86"),
    ("000001.SZ", 700, "11.73"),
)
WINDOWS = ("08:00-16:00", "9:30-16:00", "16:00-08:01", "07:58-08:00", "22:00-9:30", "10:00-10:00")
VALUES = sorted({float(Decimal(price) * quantity) for _, quantity, price in TERMS if price is not None})


class Sent(Struct, kw_only=True):
    """One write that left: what we counted for it, and what became of it."""

    sent_ns: int
    path: str
    body: bytes
    value: Decimal = Decimal(0)
    ticket: Ticket | None = None
    arrived_ns: int | None = None
    answered_ns: int | None = None
    added: float = 0.0


def rarely(values: st.SearchStrategy[Any], *, one_in: int) -> st.SearchStrategy[Any]:
    """None, but for one key in so many: with every layer on, nothing would pass."""
    return st.sampled_from([False] * (one_in - 1) + [True]).flatmap(lambda on: values if on else st.none())


def some(values: list[str]) -> st.SearchStrategy[Any]:
    """No list in most keys; else nearly everything, or nearly nothing."""
    few = st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)
    most = st.sampled_from(values).map(lambda left_out: tuple(value for value in values if value != left_out))
    return rarely(st.one_of(most, most, few), one_in=7)


def sums(terms: int) -> st.SearchStrategy[float | None]:
    """Caps at the very sum of some orders, and a cent beside it."""
    parts = st.lists(st.sampled_from(VALUES), min_size=1, max_size=terms)
    beside = st.sampled_from([0.0, 0.0, 0.01, -0.01])
    cap = st.builds(lambda some, off: max(float(sum(map(exact, some)) + exact(off)), 0.0), parts, beside)
    return rarely(cap, one_in=3)


limits_of_keys = st.builds(
    Limits,
    allowed_markets=some(["HK", "US", "CN", "HKCC"]),
    allowed_symbols=some(["HK.00700", "HK.09988", "US.AAPL", "SH.600000", "SZ.000001"]),
    allowed_trd_sides=some(["BUY", "SELL", "SELL_SHORT", "BUY_BACK"]),
    max_order_value=sums(1),
    max_daily_value=sums(6),
    hours_window=rarely(st.sampled_from(WINDOWS), one_in=4),
    max_orders_per_minute=rarely(st.integers(0, 6), one_in=2),
    allowed_acc_ids=rarely(st.sampled_from([(SIMULATE_HK,), (REAL,), (SIMULATE_HK, REAL), ()]), one_in=10),
    allowed_card_nums=rarely(st.sampled_from([(CARD,), ("7", CARD), ()]), one_in=12),
)
keys = st.tuples(
    limits_of_keys,
    st.sampled_from([None] * 8 + [60.0, 200.5]),  # seconds until it expires
    st.integers(0, 2),  # places left to cancels
    st.sampled_from([SIMULATE_HK, SIMULATE_HK, REAL]),
)
GAPS = (0.0, 0.0, 0.3, 1.0, 1.0, 2.0, 7.0, 20.0, 60.0, 61.5, 1800.0)
"""Seconds to the next order."""
ARRIVALS = (0.0, 0.1, 1.0, 2.0)
"""Seconds until the gateway counts it: at most ``EDGE_NS``."""
ANSWERS = (0.0, 0.2, 1.5)
"""Seconds from there to the answer."""
SIDES = (Side.BUY, Side.BUY, Side.BUY, Side.SELL, Side.SELL_SHORT, Side.BUY_BACK)
ACTS = ("order", "order", "order", "cancel", "change")
CHOICES = (ACTS, TERMS, GAPS, ARRIVALS, SIDES, ANSWERS)


def step_of(number: int) -> tuple[Any, ...]:
    """One step of a stream, of the many there are: one number is drawn faster than six choices."""
    chosen = []
    for choices in CHOICES:
        number, place = divmod(number, len(choices))
        chosen.append(choices[place])
    return tuple(chosen)


streams = st.tuples(
    st.sampled_from(["07:58:30", "07:59:58", "08:00:59", "09:29:59", "15:59:58"]),  # 08:00 in Hong Kong is midnight UTC
    st.lists(st.integers(0, prod(map(len, CHOICES)) - 1).map(step_of), min_size=6, max_size=16),
)


class Desks:
    """The simulated gateways of one test; each serves some streams, one a day, as one with them all grows slow."""

    def __init__(self) -> None:
        self.served = 0
        self.packets = Packets(Entropy(5).stream("packets"))
        self.passed: Counter[str] = Counter()
        self.denied: Counter[str] = Counter()

    def next(self, key: Key, start: str) -> GatewayAtHand:
        if self.served % 40 == 0:
            self._gateway = GatewayAtHand(accounts=ACCOUNTS, tick_seconds=86_400.0)
        day_ns = parse_time(f"2026-11-19 {start}", ZONE) + self.served % 40 * DAY_NS
        self.served += 1
        gateway, venue = self._gateway, self._gateway.venue
        gateway.clock.now_ns = day_ns
        venue.restart()
        venue.keys = KeyRing((key,), "simulator")
        venue.rejects.clear()
        for book in venue.ledger.books.values():
            book.unlocked = True
        return gateway


class Stream:
    """One key, one gateway, one mirror; writes are under way for as long as the example says."""

    def __init__(self, desks: Desks, key_terms: Any, start: str) -> None:
        limits, expires, self.reserve, acc_id = key_terms
        key = a_key(EXAMPLE_TOKEN, limits=limits)
        self.desks = desks
        self.gateway = desks.next(key, start)
        self.clock = self.gateway.clock
        if expires is not None:
            moment_ns = self.clock.now_ns + round(expires * SECOND_NS)
            key = msgspec.structs.replace(key, expires_at=format_time(moment_ns, ZONE).replace(" ", "T"))
            self.gateway.venue.keys = KeyRing((key,), "simulator")
        self.key = key
        env = 1 if acc_id == REAL else 0
        self.account = Account(acc_id=str(acc_id), trd_env=env, markets=frozenset(MARKETS[acc_id]))
        self.card = CARD if acc_id == REAL else None
        self.mirror = LimitMirror(
            msgspec.json.decode(msgspec.json.encode(key), type=KeyRecord),
            self.clock,
            acc_id=str(acc_id),
            market_of=self.account.market_of,
            price_of=LAST.get,
            hours_timezone=ZONE,
            card_num=self.card,
            cancel_reserve=self.reserve,
        )
        self.sent: list[Sent] = []
        self.placed: SubmitOrder | None = None
        self._events: list[tuple[int, int, str, Sent]] = []
        self._turn = count()

    async def play(self, steps: list[Any]) -> None:
        for what, (instrument, quantity, price), gap, arrives, side, answers in steps:
            await self.move(self.clock.now_ns + round(gap * SECOND_NS))
            kind = OrderType.LIMIT if price is not None else OrderType.MARKET
            order = an_order(quantity, price, instrument=instrument, side=side, kind=kind)
            sent = self.place(order) if what == "order" else self.modify(order, CHANGE if what == "change" else CANCEL)
            if sent is not None:
                self.sent.append(sent)
                arrive_ns = self.clock.now_ns + round(arrives * SECOND_NS)
                self._later(arrive_ns, "arrive", sent)
                self._later(arrive_ns + round(answers * SECOND_NS), "answer", sent)
        await self.move(self.clock.now_ns + MINUTE_NS)

    def place(self, order: SubmitOrder) -> Sent | None:
        question = order_to_wire(order, self.account, self.desks.packets.next())
        denial = self.mirror.denial(order)
        body = body_of(r.ORDER, question)
        if denial is not None:
            self.desks.denied[denial.code] += 1
            self.no_room(denial, body, order.quantity, order.price, order)
            return None
        self.desks.passed["order"] += 1
        self.placed = order
        ticket = self.mirror.leaves(order)
        return Sent(
            sent_ns=self.clock.now_ns, path="order", body=body, value=_value(order) or Decimal(0), ticket=ticket
        )

    def modify(self, order: SubmitOrder, operation: int) -> Sent | None:
        """A cancel or a change of the last order that was placed; of none there is nothing to do."""
        if self.placed is None:
            return None
        quantity, price = (order.quantity, order.price) if operation == CHANGE else (0, None)
        question = t.ModifyAsk(
            packet_id=self.desks.packets.next(),
            header=self.account.header(self.account.market_of(self.placed.instrument)),
            order_id=1,
            modify_order_op=operation,
            qty=float(quantity),
            price=float(price or 0),
        )
        denial = self.mirror.denial_of_change(quantity, price)
        body = body_of(r.MODIFY_ORDER, question)
        if denial is not None:
            self.desks.denied[f"{denial.code} change"] += 1
            self.no_room(denial, body, quantity, price, None)
            return None
        if self._expired(self.clock.now_ns + EDGE_NS):
            return None
        self.desks.passed["modify-order"] += 1
        return Sent(sent_ns=self.clock.now_ns, path="modify-order", body=body, ticket=self.mirror.leaves())

    async def move(self, to_ns: int) -> None:
        """Let time go by, with arrivals and answers."""
        while self._events and self._events[0][0] <= to_ns:
            self.clock.now_ns, _, event, sent = heapq.heappop(self._events)
            if event == "answer":
                sent.answered_ns = self.clock.now_ns
                self.mirror.answered(sent.ticket)
            else:
                await self.arrive(sent)
        self.clock.now_ns = to_ns

    async def arrive(self, sent: Sent) -> None:
        """The bytes we send, over HTTP; no limit layer may refuse them."""
        now_ns, counters = self.clock.now_ns, self.gateway.venue.counters
        before = counters.daily(self.key.id, now_ns)
        response = await self.gateway.client.post(f"/api/{sent.path}", content=sent.body)
        assert response.status_code == 200, (response.text, self.key.limits)
        assert not self.gateway.venue.rejects
        sent.arrived_ns = now_ns
        sent.added = counters.daily(self.key.id, now_ns) - before

    def _later(self, ts_ns: int, event: str, sent: Sent) -> None:
        heapq.heappush(self._events, (ts_ns, next(self._turn), event, sent))

    def _expired(self, now_ns: int) -> bool:
        return self.key.expires_at is not None and now_ns >= parse_time(self.key.expires_at)

    # --- whether there was room ---

    def no_room(
        self, denial: Denial, body: bytes, quantity: int, price: Decimal | None, order: SubmitOrder | None
    ) -> None:
        """The gateway's own checks and counts, and the mirror's margin, leave no room where we denied."""
        limits, now_ns = self.key.limits, self.clock.now_ns
        value = _value(order) if order is not None else quantity * (price or Decimal(0))
        match denial.code.removeprefix("GATEWAY_"):
            case "FORBIDDEN":
                allowed = self.key.allows_account(int(self.account.acc_id), self.card)
                assert not allowed or self._expired(now_ns + EDGE_NS)
            case "MARKET" | "SYMBOL" | "SIDE" as layer:
                assert self._list_that_refuses(body) == layer.lower()
            case "HOURS":
                spec = limits.hours_window or ""
                assert not all(in_window(spec, now_ns + shift, ZONE) for shift in (-EDGE_NS, 0, EDGE_NS))
            case "PER_ORDER":
                cap = limits.max_order_value
                # Without any price we take no order that a cap of value stands over.
                unknown = value is None and (cap is not None or limits.max_daily_value is not None)
                assert unknown or (value is not None and cap is not None and float(value) >= cap * (1 - 1e-12))
            case "RATE":
                assert self._writes(now_ns) >= self._ceiling(is_order=order is not None)
            case "DAILY":
                assert limits.max_daily_value is not None
                assert value is not None
                assert self._spent(now_ns) + float(value) >= limits.max_daily_value * (1 - 1e-9)
            case other:
                raise AssertionError(f"no such layer: {other}")

    def _list_that_refuses(self, body: bytes) -> str | None:
        """What the gateway's lists say to this very body, money and time left out."""
        lists = msgspec.structs.replace(self.key.limits, max_order_value=None, max_daily_value=None)
        layers = LimitLayers(Counters(), timezone=ZONE, statuses="modern", texts="full")
        fields = read_body(ROUTES["/api/order"], body, strict=True)
        try:
            key = msgspec.structs.replace(self.key, limits=lists)
            layers.place(key, fields, self.gateway.venue.symbol(fields), self.clock.now_ns)
        except Denied as denied:
            return denied.reason
        return None

    def _ceiling(self, *, is_order: bool) -> int:
        cap = self.key.limits.max_orders_per_minute
        assert cap is not None
        return max(cap - self.reserve, min(cap, 1)) if is_order else cap

    def _writes(self, now_ns: int) -> int:
        """What the gateway counts in 60 s, what is under way, and what it forgot within our margin."""
        counted = self.gateway.venue.counters.writes(self.key.id, now_ns)
        arrived = [one for one in self.sent if one.arrived_ns is not None]
        recent = [one for one in arrived if one.arrived_ns is not None and now_ns - one.arrived_ns < MINUTE_NS]
        assert counted == len(recent)
        lingering = [
            one
            for one in arrived
            if one not in recent and (one.answered_ns is None or now_ns - one.answered_ns < RATE_SPAN_NS)
        ]
        return counted + len(self.sent) - len(arrived) + len(lingering)

    def _spent(self, now_ns: int) -> float:
        """The gateway's sum of today, and what we count above it: under way, refused, without a price, at midnight."""
        spent, today = self.gateway.venue.counters.daily(self.key.id, now_ns), now_ns // DAY_NS
        for one in self.sent:
            if today in {(one.sent_ns + shift) // DAY_NS for shift in (-EDGE_NS, 0, EDGE_NS)}:
                here = one.arrived_ns is not None and one.arrived_ns // DAY_NS == today
                spent += float(one.value) - (one.added if here else 0.0)
        return spent


def _value(order: SubmitOrder) -> Decimal | None:
    """As the mirror documents it: at its price, else at the last price we know."""
    last = LAST.get(order.instrument)
    price = order.price if order.price is not None else exact(last) if last is not None else None
    return None if price is None else price * order.quantity


@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.long)])
def test_the_gateway_refuses_nothing_we_passed_and_we_deny_nothing_that_has_room(count: int) -> None:
    """Over many streams under random keys, in the bytes we send; of a thousand no layer is left untried."""
    desks = Desks()

    with asyncio.Runner() as runner:

        @settings(max_examples=count, deadline=None, derandomize=True, database=None)
        @given(keys, streams)
        def agree(key_terms: Any, stream: Any) -> None:
            start, steps = stream
            runner.run(Stream(desks, key_terms, start).play(steps))

        agree()
    assert desks.served >= count
    assert desks.passed["order"] >= count
    if count < 1_000:
        assert len(desks.denied) >= 4
        return
    layers = ("FORBIDDEN", "MARKET", "SYMBOL", "SIDE", "HOURS", "PER_ORDER", "RATE", "DAILY")
    tried = {f"GATEWAY_{layer}" for layer in layers}
    tried |= {"GATEWAY_RATE change", "GATEWAY_PER_ORDER change"}
    assert set(desks.denied) >= tried
    assert desks.passed["modify-order"] >= 100
