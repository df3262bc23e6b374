"""One flight over a broker's desktop client: its quirks, its end, and a person who trades by hand beside us.

As in ``scenario``, the engine is a whole ``LiveRun`` with a journal on disk, killed and started again; the venue is the
simulator's app, EasyTHS or HT, over the in-memory network; prices come by push from a stream over the same market. The
counter behind the client is the oracle. Half the flights have nobody's hand in them: there every order is told apart,
and nothing may be booked as EXTERNAL. Where a person trades, the account must be exact all the same; which of two
identical orders was whose can not be said (RELIABILITY 3.5). Before the end he takes his orders back, and an operator
withdraws ours.
"""

import contextlib
import math
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any, ClassVar

import anyio

from engine.chaos.bare_market import bare_market
from engine.chaos.edge import Edge
from engine.chaos.faults import (
    DaemonFault,
    DaemonKind,
    ManualTrade,
    QuirkFault,
    Schedule,
    fault_name,
)
from engine.chaos.flying import flown_in
from engine.chaos.futu_traders import Crosser, Nagger, Waiter
from engine.chaos.hangar import Flight, Hangar
from engine.chaos.schedules import Terrain, draw_desktop_faults, draw_schedule
from engine.chaos.verdict import Watcher
from engine.chaos.world import Outcome
from engine.clock import Clock
from engine.domain.commands import Side
from engine.domain.events import KillLevel, PositionAdjusted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.order import TERMINAL, Order, OrderState
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.gateways.stream.adapter import Stream
from engine.gateways.surroundings import Surroundings
from engine.markets.china_a import ChinaA
from engine.markets.rulebook import RuleBook
from engine.ports import Gateway
from engine.runtime.live import LiveRun
from engine.runtime.reconciling import accept
from engine.simulators.counter import Counter as Counterdesk
from engine.simulators.counter import CounterAccount, CounterPace, CounterRefusal, Entrust, EntrustStatus, Opening
from engine.simulators.quirks import QuirkTrigger
from engine.simulators.stream import StreamSimulator

STREAM_PORT = 8801
ACCOUNT = AccountId("desk")
HURT_SECONDS = 10 * 60.0
FLY_SECONDS = 16 * 60.0
QUIET_SECONDS = 200.0
ACCEPT_SECONDS = 20.0
ORDERS_PER_MINUTE = 10
MAX_POSITION = 4_000
HELD = 2_000
LOT = 100
SHARES = ("600000.SH", "000001.SZ")
PRICE_AGE_NS = 3 * SECOND_NS
STARTS = (
    "2026-03-03T09:58:00+08:00",
    "2026-03-03T11:12:00+08:00",
    "2026-03-03T13:20:00+08:00",
    "2026-03-03T14:40:00+08:00",
)
"""In the morning; before the lunch break; in the afternoon; before the closing auction and the close."""


class HandWatcher(Watcher):
    """A watcher of an account that others trade too: what is booked as EXTERNAL is summed up, not accused at once."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.external: Counter[tuple[str, str]] = Counter()
        """(account, instrument) -> units booked as somebody else's."""
        self.hands: frozenset[str] | None = None
        """The accounts others trade; None: all."""

    def on_event(self, event: Any) -> None:
        theirs = isinstance(event, PositionAdjusted) and (self.hands is None or event.account in self.hands)
        if theirs and event.quantity and not event.reason.startswith("opening"):
            self.external[event.account, event.instrument] += event.quantity
            self._trace(f"{event}")
            return
        super().on_event(event)


class DesktopHangar(Hangar):
    """What outlives the engine's lives; the two clients' own are below."""

    hurt_seconds = HURT_SECONDS
    fly_seconds = FLY_SECONDS
    starts = STARTS
    account_name = ACCOUNT
    currency = "CNY"
    price_age_ns = PRICE_AGE_NS
    orders_per_minute = ORDERS_PER_MINUTE
    max_position = MAX_POSITION
    held = HELD
    """Shares of each kind the account begins with."""
    shares: tuple[str, ...] = SHARES
    caps: ClassVar[Any] = {
        "orders_per_minute": {"cap": ORDERS_PER_MINUTE},
        "max_order_value": {"value": "400000"},
        "max_position": {"quantity": MAX_POSITION, "value": "2000000"},
        "max_daily_value": {"value": "100000000"},
    }
    traders: ClassVar[Any] = (Crosser, Waiter, Nagger)
    polls: ClassVar[Any] = {"account_poll": "60s"}
    drill_seconds_max = 200.0
    order_paths: frozenset[str] = frozenset()
    quirks: tuple[str, ...] = ()
    lists_ended = True
    """Whether the venue shows orders that are over."""
    routes: tuple[str, ...] = ("*", "order", "query")

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        struck = [f for f in self.world.schedule if isinstance(f, DaemonFault | ManualTrade)]
        self.timers = [
            self.world.loop.call_later(fault.at_seconds, self._strike, fault)
            for fault in struck
            if fault.port in (0, self.port)
        ]
        self.by_hand = any(isinstance(f, ManualTrade) and f.port in (0, self.port) for f in struck)
        self._manual: list[Entrust] = []

    def watch(self) -> HandWatcher:
        return HandWatcher(self.accuse, self.flight.checked, self.world.trace, self.booked, self.price_age_ns)

    def shared_exchange(self) -> Any:
        """Where its shares are listed; another bay's too, if they are to share it."""
        return bare_market(self.world.seed, self.clock)

    # --- the world ---------------------------------------------------------------------------------------------------

    @property
    def account(self) -> CounterAccount:
        holdings = tuple(Opening(code=code, quantity=self.held, price=Decimal(10)) for code in self.shares)
        return CounterAccount(cash=Decimal(2_000_000), holdings=holdings)

    @property
    def counter(self) -> Counterdesk:
        found: Counterdesk = self.venue.counter
        return found

    @property
    def pace(self) -> CounterPace:
        return CounterPace(partial=self.world.entropy.stream("chaos/pace").choice((0.0, 0.3, 0.8)))

    def script(self) -> tuple[QuirkTrigger, ...]:
        found = [f for f in self.world.schedule if isinstance(f, QuirkFault) and f.port in (0, self.port)]
        return tuple(QuirkTrigger(quirk=fault.quirk, occasion=fault.occasion) for fault in found)

    def servers(self) -> dict[int, Any]:
        return self.stream(self.venue.exchange)

    def stream(self, exchange: Any) -> dict[int, Any]:
        """The prices of that market, pushed."""
        clock = self.clock if self.whole is None else self.whole.clock
        stream = StreamSimulator().app(clock, Entropy(self.world.seed), exchange=exchange)
        return {STREAM_PORT: Edge(stream, self.world, STREAM_PORT, lambda _path: False)}

    def gateways(self, clock: Clock, entropy: Entropy) -> dict[str, Gateway]:
        around = Surroundings(clock=clock, entropy=entropy)
        prices: Any = Stream(url=f"ws://127.0.0.1:{STREAM_PORT}/stream", market="china_a").open(around)
        return {"prices": prices, self.gateway: self.open(clock, entropy)}

    def carries_order(self, path: str) -> bool:
        return path in self.order_paths

    def _strike(self, fault: DaemonFault | ManualTrade) -> None:
        self.world.network.note(fault)
        self.world.trace(fault_name(fault))
        if isinstance(fault, ManualTrade):
            self._trade_by_hand(fault)
        elif fault.kind is DaemonKind.RESTART:
            self.venue.restart()
        else:
            self.lose_client()
            self.timers.append(self.world.loop.call_later(fault.seconds, self.client_back))

    def present_ns(self) -> int:
        """The time, with the server caught up to it."""
        return self.clock.now_ns

    def lose_client(self) -> None:
        """The client ends; its server goes on."""

    def client_back(self) -> None:
        """Somebody starts it again."""

    def _trade_by_hand(self, fault: ManualTrade) -> None:
        code = self.shares[fault.share % len(self.shares)]
        quote = self.venue.exchange.quote(code, self.clock.now_ns)
        side, quantity = Side.BUY if fault.buys else Side.SELL, fault.lots * LOT
        price = Decimal(str(quote.ask if fault.buys is fault.crosses else quote.bid)).quantize(Decimal("0.01"))
        ours = (order for order in reversed(self.file.orders.values()) if order.account == self.account_name)
        if fault.copies and (newest := next(ours, None)) is not None:
            code, side, quantity = str(newest.instrument), newest.side, newest.quantity
            price = newest.price or price
        with contextlib.suppress(CounterRefusal):
            found = self.counter.place(code, side, quantity, price, self.present_ns(), source="manual")
            self._manual.append(found)
            timer = self.world.loop.call_later(fault.withdrawn_seconds, self._withdraw, found)
            self.timers.append(timer)

    def _withdraw(self, entrust: Entrust) -> None:
        with contextlib.suppress(CounterRefusal):
            self.counter.cancel(entrust, self.present_ns())

    def still_seconds(self) -> float:
        """For how long no order of a person has moved the account; 0 while one may."""
        now_ns = self.present_ns()
        if any(not entrust.is_final for entrust in self._manual):
            return 0.0
        return min(((now_ns - entrust.updated_ns) / SECOND_NS for entrust in self._manual), default=math.inf)

    def heal(self) -> None:
        super().heal()
        self.venue.quirks.script.clear()
        self.venue.quirks.active = False
        for timer in self.timers:
            timer.cancel()
        self.client_back()
        for entrust in self._manual:
            self._withdraw(entrust)

    def count_faults(self) -> None:
        super().count_faults()
        fired = self.world.network.fired
        fired.update({f"quirk.{quirk.value}": n for quirk, n in self.venue.quirks.fired.items()})

    async def errand(self, run: LiveRun) -> None:
        """Where a person trades by hand, an operator accepts what nothing else explains; nowhere else may that be."""
        while self.by_hand:
            await anyio.sleep(ACCEPT_SECONDS)
            if run.core.reconciler.findings.get(self.account_name):
                accept(run.core, self.account_name, "operator", "traded by hand")
                self.flight.checked["accepted"] += 1

    async def quiet(self, run: LiveRun) -> None:
        """Nothing new, and everything that still works is withdrawn."""
        run.core.manager.latch(KillLevel.CANCEL, "all", "the end of the flight", "operator")
        await anyio.sleep(QUIET_SECONDS)

    # --- the engine --------------------------------------------------------------------------------------------------

    def instruments(self) -> dict[InstrumentId, Instrument]:
        ids = tuple(InstrumentId(code) for code in self.shares)
        return {name: Instrument(id=name, market="china_a", currency="CNY", lot=LOT) for name in ids}

    def books(self) -> dict[str, RuleBook]:
        return {"china_a": ChinaA()}

    # --- the verdict -------------------------------------------------------------------------------------------------

    def ours(self) -> defaultdict[ClientOrderId, list[Entrust]]:
        """Client id -> the orders at the counter that its request made."""
        found: defaultdict[ClientOrderId, list[Entrust]] = defaultdict(list)
        for entrust in self.counter.entrusts(self.clock.now_ns):
            if entrust.source == "client":
                for order in self.witness.owners.get(entrust.request, ()):
                    found[order.client_id].append(entrust)
        return found

    def booked(self, client_id: ClientOrderId) -> bool:
        """Whether the counter has taken a request of this order.

        Where a person trades and no list shows what ended, nobody can tell: then it is not asked. Neither can of one
        that was withdrawn whole by a life whose journal had failed.
        """
        if self.by_hand and not self.lists_ended:
            return False
        traceless = {EntrustStatus.REJECTED, *(() if self.lists_ended else (EntrustStatus.WITHDRAWN,))}
        return any(entrust.status not in traceless for entrust in self.ours().get(client_id, []))

    def over(self, order: Order, lag_ns: int) -> bool:
        now_ns, found = self.present_ns(), self.ours().get(order.request.client_id, [])
        return all(entrust.is_final and now_ns - entrust.updated_ns > lag_ns for entrust in found)

    def compare(self, run: LiveRun) -> None:
        """Every order of ours once at the counter, every fill booked once, our books the counter's."""
        now_ns, checked = self.present_ns(), self.flight.checked
        theirs = self.ours()
        for entrust in self.counter.entrusts(now_ns):
            checked["venue orders"] += 1
            checked["manual orders"] += entrust.source == "manual"
            if entrust.source == "client" and not self.witness.owners.get(entrust.request):
                self.accuse(f"lost: {entrust.side} {entrust.quantity} {entrust.code} belongs to no order of ours")
        deals = Counter(deal.entrust.number for deal in self.counter.deals(now_ns))
        in_parts = sum(1 for e in self.counter.entrusts(now_ns) if 0 < e.filled < e.quantity or deals[e.number] > 1)
        self.world.network.fired.update({"order.partial": in_parts} if in_parts else {})
        for client_id, found in theirs.items():
            if len(found) > 1:
                self.accuse(f"I5 duplicated: {client_id} is {len(found)} orders at the counter")
        checked["trades"] += len(self.counter.deals(now_ns))
        orders = self.orders(run)
        for alert in self.watcher.alerts if not self.by_hand else ():
            if alert.text.startswith("resurrected") and any(name in alert.about for name in orders):
                self.accuse(f"I7: {alert.about} was called absent too soon: {alert.text}")
        disputed = [o for o in orders.values() if o.state is OrderState.DISPUTED]
        for client_id, known in orders.items():
            checked["orders"] += 1
            self._compare_order(known, theirs.get(client_id, []), run)
        self._compare_books(run, theirs, strict=not self.by_hand and not disputed)

    def _compare_order(self, known: Order, found: list[Entrust], run: LiveRun) -> None:
        name, state = known.request.client_id, known.state
        if state is OrderState.DISPUTED:
            self.flight.checked["disputed"] += 1
            if not any(name in alert.about or name in alert.text for alert in self.watcher.alerts):
                self.accuse(f"I7: {name} is disputed and nobody was told")
            return
        if self.by_hand and not found:
            found = self._taken_for_ours(known)
        filled = sum(entrust.filled for entrust in found)
        live = any(not entrust.is_final for entrust in found)
        if state not in TERMINAL and not (live and known.cum == filled):
            self.accuse(f"I7: {name} is still {state} at the end with {known.cum} filled, the counter {filled}")
        if self.by_hand:
            return
        if known.cum < filled:
            self.accuse(f"lost: {name} {state}: {filled} filled at the counter, {known.cum} with us")
        elif known.cum > filled:
            self.accuse(f"I3 duplicated: {name} {state}: {known.cum} with us, {filled} at the counter")

    def _taken_for_ours(self, known: Order) -> list[Entrust]:
        """A person's order just like it, entered while its outcome was unknown: that no list can tell from it
        (docs/reliability.md, what cannot be promised)."""
        number = known.venue_id.partition("-")[2]
        manual = [one for one in self.counter.entrusts(self.clock.now_ns) if one.source == "manual"]
        return [one for one in manual if number in (str(one.number), str(one.serial))]

    def _compare_books(self, run: LiveRun, theirs: dict[ClientOrderId, list[Entrust]], *, strict: bool) -> None:
        now_ns = self.clock.now_ns
        book = run.core.portfolio.accounts[self.account_name]
        positions = {str(i): p.quantity for i, p in book.positions.items() if p.quantity}
        holdings = {row.code: row.quantity for row in self.counter.holdings(now_ns) if row.quantity}
        if positions != holdings:
            self.accuse(f"I3: we hold {positions}, the counter says {holdings}")
        cash, funds = book.cash[book.currency], self.counter.funds(now_ns)
        if cash != funds.cash:
            self.accuse(f"I3: our cash is {cash}, the counter's {funds.cash}")
        booked: Counter[tuple[str, str]] = self.watcher.external  # type: ignore[attr-defined]
        external = {name: n for (account, name), n in booked.items() if n and account == self.account_name}
        if strict and external:
            self.accuse(f"lost: {external} had to be booked, though nobody but us traded")
        self._limits(theirs)

    def _limits(self, theirs: dict[ClientOrderId, list[Entrust]]) -> None:
        """I6 on the counter's own ledger."""
        if self.by_hand:
            return
        caps = {e.number: self.cap_of(o) for o in self.file.orders.values() for e in theirs.get(o.client_id, ())}
        held: Counter[str] = Counter(dict.fromkeys(self.shares, self.held))
        for deal in sorted(self.counter.deals(self.clock.now_ns), key=lambda deal: deal.ts_ns):
            code, side = deal.entrust.code, deal.entrust.side
            held[code] += side.sign * deal.quantity
            cap = caps.get(deal.entrust.number, self.max_position)
            if held[code] < 0 or (side is Side.BUY and held[code] > cap):
                self.accuse(f"I6 breach: {held[code]} {code} held (cap {cap})")


class Scenario:
    """As a module of ``fleet.SCENARIOS``: what is flown over one of the clients."""

    def __init__(self, hangar: type[DesktopHangar]) -> None:
        self._hangar = hangar
        self._terrain = Terrain(
            ports=(hangar.port,),
            connections=180,
            exchanges=8,
            answer_bytes=700,
            horizon_seconds=HURT_SECONDS,
            late_seconds=60.0,
            server_routes=hangar.routes,
            calls=90,
            processes=("engine",),
            seams=2000,
        )

    def schedule_of(self, seed: int) -> Schedule:
        """What goes wrong in the flight of a seed."""
        draw = Entropy(seed).stream("chaos/schedule")
        desktop = draw_desktop_faults(draw, HURT_SECONDS, quirks=self._hangar.quirks, shares=len(SHARES))
        return (*draw_schedule(draw, self._terrain), *desktop)

    def flown(self, seed: int, schedule: Schedule | None = None) -> tuple[Outcome[Flight], Flight]:
        """Fly one seed; a flight that could not end has an accusation for it."""
        return flown_in(self._hangar, seed, self.schedule_of(seed) if schedule is None else schedule)
