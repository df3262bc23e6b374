"""Parents under any sequence of fills, refusals, unknown outcomes, cancels and crashes: nothing is ever doubled."""

from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.domain.algos import AlgoEnded, AlgoStarted, SubmitAlgo
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.order import TERMINAL, Evidence, Order, OrderState, Proof
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from tests.algo_builders import NAME, House

STOPS = {"order_types": frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP})}
SIZE = 100


class Parents(RuleBasedStateMachine):
    """The venue does what it likes within what a venue may do; the engine may die at any moment."""

    terms: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.house = self._watched(House(**self.terms).start())
        self.house.quote(10.0)
        self.price = 10.0

    def _watched(self, house: House) -> House:
        """Nothing reaches the venue while the outcome of a child of the same parent is not known."""

        def look(order: SubmitOrder) -> None:
            parent = house.core.algos._owners.get(order.client_id)
            while parent is not None:
                assert not parent.blocked, order
                parent = parent.outer

        house.answers = look
        return house

    # --- what is asked for ---

    @rule(
        kind=st.sampled_from(["stop", "trail", "two", "bracket", "trailing bracket", "twap", "iceberg", "pov", "ioc"])
    )
    def start(self, kind: str) -> None:
        strategy = self.house.strategy
        if len(self.house.core.algos.parents) > 3:
            return
        low, high = round(self.price * 0.95, 2), round(self.price * 1.05, 2)
        match kind:
            case "stop":
                strategy.sell(NAME, SIZE, stop=low)
            case "trail":
                strategy.sell(NAME, SIZE, trail=0.3)
            case "two":
                strategy.sell(NAME, SIZE, take_profit=high, stop=low)
            case "bracket":
                strategy.bracket(NAME, SIZE, self.price, take_profit=high, stop_loss=low)
            case "trailing bracket":
                strategy.bracket(NAME, SIZE, trail_percent=5)
            case "twap":
                strategy.twap(NAME, SIZE, "10m", slices=4)
            case "iceberg":
                strategy.iceberg(NAME, SIZE, self.price, 30)
            case "pov":
                strategy.participate(NAME, SIZE, 0.1, "10m")
            case "ioc":
                strategy.buy(NAME, SIZE, self.price, until="5m")

    @rule(which=st.integers(0, 3))
    def cancel(self, which: int) -> None:
        parents = list(self.house.core.algos.parents)
        if which < len(parents):
            self.house.strategy.cancel(parents[which])

    # --- what the venue does ---

    def _some(self, which: int, *states: OrderState) -> Order | None:
        found = [order for order in self.house.core.manager.orders.values() if order.state in states]
        return found[which % len(found)] if found else None

    @rule(which=st.integers(0, 9), how=st.sampled_from(["ack", "ack", "ack", "reject", "unknown"]))
    def answer(self, which: int, how: str) -> None:
        order = self._some(which, OrderState.PENDING_NEW)
        if order is not None:
            name = order.request.client_id
            {
                "ack": lambda: self.house.ack(name),
                "reject": lambda: self.house.report(name, Evidence.REJECT, reason="no"),
                "unknown": lambda: self.house.unknown(name),
            }[how]()

    @rule(which=st.integers(0, 9), part=st.integers(1, 100))
    def fill(self, which: int, part: int) -> None:
        live = (OrderState.WORKING, OrderState.PARTIAL, OrderState.PENDING_CANCEL, OrderState.UNKNOWN)
        order = self._some(which, OrderState.PENDING_NEW, *live)
        if order is not None:
            self.house.fill(order.request.client_id, max(1, order.leaves * part // 100), f"{self.price:.2f}")

    @rule(which=st.integers(0, 9), agrees=st.booleans())
    def answer_cancel(self, which: int, agrees: bool) -> None:
        order = self._some(which, OrderState.PENDING_CANCEL)
        if order is not None:
            name = order.request.client_id
            self.house.canceled(name) if agrees else self.house.report(name, Evidence.CANCEL_REJECT, reason="no")

    @rule(which=st.integers(0, 9), found=st.sampled_from(["absent", "there", "never left"]))
    def decide_unknown(self, which: int, found: str) -> None:
        order = self._some(which, OrderState.UNKNOWN)
        if order is not None:
            name = order.request.client_id
            if found == "there":
                self.house.ack(name)
            else:
                self.house.absent(name, Proof.INFERRED if found == "absent" else Proof.LOCAL)

    @rule(which=st.integers(0, 9))
    def expire(self, which: int) -> None:
        order = self._some(which, OrderState.WORKING, OrderState.PARTIAL)
        if order is not None:
            self.house.report(order.request.client_id, Evidence.EXPIRED, reason="day over")

    # --- the world ---

    @rule(step=st.integers(-30, 30))
    def move(self, step: int) -> None:
        self.price = round(max(1.0, self.price + step / 10), 2)
        self.house.quote(self.price)

    @rule(size=st.integers(1, 1_000))
    def trade(self, size: int) -> None:
        self.house.trade(self.price, size)

    @rule(minutes=st.integers(1, 4))
    def wait(self, minutes: int) -> None:
        self.house.wait(minutes * MINUTE_NS)

    @rule(heard=st.booleans())
    def crash(self, heard: bool) -> None:
        house = self.house
        known = {parent.id: self._shape(parent) for parent in house.core.algos.parents.values()}
        self.house = self._watched(house.again())
        found = {parent.id: self._shape(parent) for parent in self.house.core.algos.parents.values()}
        assert found.keys() == known.keys()
        assert {name: shape[0] for name, shape in found.items()} == {name: shape[0] for name, shape in known.items()}
        self.house.start()
        if heard:
            self.house.quote(self.price)

    @staticmethod
    def _shape(parent: Any) -> tuple[dict[str, int], int]:
        return {name: child.cum for name, child in parent.children.items()}, parent.number

    @precondition(lambda self: self.house.core.algos.parents)
    @rule()
    def crash_twice(self) -> None:
        self.house = self.house.again()
        self.house = self._watched(self.house.again()).start()

    # --- what must hold ---

    @invariant()
    def never_more_than_asked_for(self) -> None:
        """Of a parent's side: filled, or still able to fill, by the judge's own orders."""
        commands = self._commands()
        bought: dict[str, int] = {}
        sold: dict[str, int] = {}
        for order in self.house.core.manager.orders.values():
            parent = self._of(order.request.client_id, commands)
            if parent is None:
                continue
            may = order.cum + (0 if order.state in TERMINAL else max(0, order.quantity - order.cum))
            own = order.request.side is commands[parent].side
            (bought if own else sold)[parent] = (bought if own else sold).get(parent, 0) + may
        for parent, quantity in bought.items():
            assert quantity <= commands[parent].quantity, (parent, quantity)
        for parent, quantity in sold.items():
            entered = self._entered(parent)
            assert quantity <= entered, (parent, quantity, entered)

    @invariant()
    def ends_are_said_once(self) -> None:
        """One end a parent in the journal, and none without a beginning."""
        ends = [r.client_id for _, r in self.house.journal.records() if isinstance(r, AlgoEnded)]
        assert len(ends) == len(set(ends))
        assert set(ends) <= self._commands().keys()

    def _commands(self) -> dict[str, SubmitAlgo]:
        rows = [r for _, r in self.house.journal.records()]
        return {r.command.client_id: r.command for r in rows if isinstance(r, AlgoStarted)}

    @staticmethod
    def _of(name: str, commands: dict[str, SubmitAlgo]) -> str | None:
        """The outermost parent of an order."""
        found = None
        stem = name
        while True:
            if stem in commands:
                found = stem
            head, _, tail = stem.rpartition(".")
            if not tail.isdigit() or not head:
                return found
            stem = head

    def _entered(self, parent: str) -> int:
        orders = self.house.core.manager.orders.values()
        mine = [o for o in orders if self._of(o.request.client_id, self._commands()) == parent]
        return sum(order.cum for order in mine if order.request.side is Side.BUY)

    def teardown(self) -> None:
        """Once the venue answers everything, every cancelled parent comes to an end."""
        house = self.house
        house.takes_all()
        house.quote(self.price)
        for name in list(house.core.algos.parents):
            house.strategy.cancel(name)
        for _ in range(12):
            for order in list(house.core.manager.working.values()):
                name = order.request.client_id
                if order.state in (OrderState.PENDING_NEW, OrderState.UNKNOWN):
                    house.ack(name)
                if order.cancel_pending:
                    house.canceled(name)
            house.wait(10 * SECOND_NS)
        assert house.core.algos.parents == {}, house.core.algos.parents


class WithStops(Parents):
    """As ``Parents``, at a venue that has stops."""

    terms: ClassVar[dict[str, Any]] = {"sheet": STOPS}


SHORT = settings(max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LONG = settings(SHORT, max_examples=2_000, stateful_step_count=60)
TestParents = Parents.TestCase
TestParents.settings = SHORT
TestWithStops = WithStops.TestCase
TestWithStops.settings = SHORT


@pytest.mark.long
def test_parents_for_long() -> None:
    """Two thousand lives of sixty steps."""
    from hypothesis.stateful import run_state_machine_as_test

    for machine in (Parents, WithStops):
        run_state_machine_as_test(machine, settings=LONG)
