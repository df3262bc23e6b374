"""One flight over all five remote systems at once: one world, one run with four accounts, one journal, one process.

The virtual market, Futu and the two desktop brokers each have an account, strategies, a witness and a verdict of their
own, those of their own scenarios; the data platform feeds bars and works on its cache. Whatever strikes the process or
the journal strikes all of them. A flight is short, so that many can be flown: the hurt phase lasts minutes, and its
faults are dense. See ``all_schedule`` for what goes wrong, and ``matrix`` for the rows that are played.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import anyio

from engine.chaos import all_schedule
from engine.chaos.bare_market import bare_market
from engine.chaos.data_bay import DataBay
from engine.chaos.desktop_scenario import DesktopHangar, HandWatcher
from engine.chaos.easyths_scenario import EasythsHangar
from engine.chaos.faults import Schedule
from engine.chaos.flying import flown_in
from engine.chaos.futu_scenario import FutuHangar
from engine.chaos.futu_traders import Crosser, Waiter
from engine.chaos.hangar import Flight, Hangar
from engine.chaos.huatai_scenario import HuataiHangar
from engine.chaos.mishaps import LimitFault, RaceFault, StrategyFault, SuspendFault
from engine.chaos.scenario import MarketHangar
from engine.chaos.traders import Churner, Sloppy
from engine.chaos.troublemakers import FAULTY, RACERS, Racer, Steady
from engine.chaos.wide import WIDE
from engine.chaos.world import Outcome, World
from engine.clock import Clock
from engine.domain.commands import SubmitOrder
from engine.domain.events import KillLevel
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.order import OrderState
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.markets.rulebook import RuleBook
from engine.ports import Gateway
from engine.risk.profiles import limits_for
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.live import AccountSpec, LiveRun, LiveSpec
from engine.simulators.counter import DEFAULT_SHARES

LIVELY_SECONDS = 40.0
"""So long the last life trades at least."""
QUIET_SECONDS = 30.0
LOOK_SECONDS = 10.0
QUIET_LOOKS_MAX = 40
TWO_READINGS_SECONDS = 300.0
"""What a person did last is found by two readings of the account, each a period after the one before."""
MAX_POSITION = 2_600
MAX_ORDER = 3_000
ORDERS_PER_MINUTE = 12


LISTED = tuple(share for share in DEFAULT_SHARES if share.code in {"600000.SH", "000001.SZ", "600036.SH", "300750.SZ"})


class MarketBay(MarketHangar):
    """The virtual market's."""

    max_order = MAX_ORDER
    traders: ClassVar[Any] = (Churner, Sloppy, Steady)
    polls: ClassVar[Any] = {"poll": "60s", "account_poll": "150s"}
    price_age_ns = 122 * SECOND_NS


class FutuBay(FutuHangar):
    """Futu's."""

    tick_seconds = 10.0
    traders: ClassVar[Any] = (Crosser, Waiter, Steady)
    polls: ClassVar[Any] = {"order_poll": "40s", "account_poll": "120s", "state_poll": "60s", "stale": "45s"}


class SharedDesk(DesktopHangar):
    """A desktop broker over the market that the stream shows."""

    traders: ClassVar[Any] = (Crosser, Waiter, Steady)
    polls: ClassVar[Any] = {"account_poll": "110s"}
    hurry = 0.4
    board: ClassVar[Any] = {"shares": LISTED, "tick_seconds": 6.0}

    def shared_exchange(self) -> Any:
        whole = self.whole
        assert isinstance(whole, AllHangar)
        # Who goes by a clock of his own keeps a market of his own: the other one must not run ahead.
        return whole.exchange if self.clock is whole.clock else super().shared_exchange()

    def sane(self, order: SubmitOrder, price: float) -> bool:
        """Whether a price is within the day's limits of what is ordered, as the exchange has them."""
        close = self.venue.exchange.stock(str(order.instrument)).previous_close
        return not close or abs(price / close - 1) < 0.2001


class EasythsBay(SharedDesk, EasythsHangar):
    """EasyTHS's. The stream of prices is served beside it."""

    def servers(self) -> dict[int, Any]:
        whole = self.whole
        assert isinstance(whole, AllHangar)
        return self.stream(whole.exchange)


class HuataiBay(SharedDesk, HuataiHangar):
    """The HT client's: other shares, so that the two accounts do not trade against each other."""

    port = all_schedule.HUATAI_PORT
    account_name = AccountId("desk2")
    shares: tuple[str, ...] = ("600036.SH", "300750.SZ")

    def servers(self) -> dict[int, Any]:
        return {}

    def gateways(self, clock: Clock, entropy: Entropy) -> dict[str, Gateway]:
        return {self.gateway: self.open(clock, entropy)}


BAYS: tuple[type[Hangar], ...] = (EasythsBay, HuataiBay, FutuBay, MarketBay, DataBay)


class AllHangar(Hangar):
    """The whole: what is shared by the bays, and what is merged from theirs."""

    starts: tuple[str, ...] = tuple(all_schedule.STARTS)
    fly_after_seconds = all_schedule.CALM_SECONDS
    orders_per_minute = ORDERS_PER_MINUTE
    max_position = MAX_POSITION
    kinds: tuple[type[Hangar], ...] = BAYS

    def __init__(self, world: World, place: Path) -> None:
        asleep = sum(fault.seconds for fault in world.schedule if isinstance(fault, SuspendFault))
        self.hurt_seconds = all_schedule.HURT_SECONDS + asleep
        self.fly_seconds = self.hurt_seconds + self.fly_after_seconds
        self._caps: list[tuple[int, int]] = []
        self._races = [fault for fault in world.schedule if isinstance(fault, RaceFault)]
        self._raced: set[float] = set()
        super().__init__(world, place)

    def furnish(self) -> None:
        self.latch_seconds = None
        # The mainland's market, which the stream shows and both desktop brokers and the platform trade and tell of.
        self.exchange: Any = bare_market(self.world.seed, self.clock)
        self.bays: list[Hangar] = []
        for kind in self.kinds:
            self.bays.append(kind(self.world, self.path.parent, self))
        self._note_start()
        self.traded = {bay.account_name: bay for bay in self.bays if not isinstance(bay, DataBay)}
        self.watcher = watcher = HandWatcher(
            self.accuse,
            self.flight.checked,
            self.world.trace,
            self.booked,
            self._price_age,
            ill=lambda name: name.startswith("faulty"),
            sane=self._sane,
            shut=self._shut,
        )
        # What is found there is summed up; where nobody traded by hand and nothing is disputed, the end must be even.
        watcher.hands = frozenset(name for name, bay in self.traded.items() if isinstance(bay, DesktopHangar))
        for bay in self.bays:
            bay.watcher = watcher

    def _note_start(self) -> None:
        start = next(label for text, label in all_schedule.STARTS.items() if parse_time(text) == self.start_ns)
        self.world.network.fired[f"start.{start}"] += 1

    # --- the world ---------------------------------------------------------------------------------------------------

    def served(self) -> dict[int, Any]:
        return {port: app for bay in self.bays for port, app in bay.served().items()}

    def gateways(self, clock: Clock, entropy: Entropy) -> dict[str, Gateway]:
        found: dict[str, Gateway] = {}
        for bay in reversed(self.bays):
            found.update(bay.gateways(clock, entropy))
        return found

    def requests(self) -> int:
        return sum(bay.requests() for bay in self.bays)

    def booked(self, client_id: ClientOrderId) -> bool:
        order = self.file.orders.get(client_id)
        return order is not None and self.traded[order.account].booked(client_id)

    def heal(self) -> None:
        for bay in self.bays:
            bay.heal()
        self.world.heal()
        self.world.trace("healed")

    def count_faults(self) -> None:
        for bay in self.bays:
            bay.count_faults()

    async def errand(self, run: LiveRun) -> None:
        async with anyio.create_task_group() as errands:
            for bay in self.bays:
                errands.start_soon(bay.errand, run)

    async def quiet(self, run: LiveRun) -> None:
        # A life that began late is let begin: how long that may take is bounded like everything else.
        await run.ready.wait()
        await anyio.sleep(LIVELY_SECONDS)
        self.landing = True
        if "all" in run.core.view.latches:
            run.core.manager.unlatch("all", "drill over", "operator")
        run.core.manager.latch(KillLevel.CANCEL, "all", "the end of the flight", "operator")
        await anyio.sleep(QUIET_SECONDS)
        for _ in range(QUIET_LOOKS_MAX):
            if self._settled(run):
                return
            await anyio.sleep(LOOK_SECONDS)

    def _settled(self, run: LiveRun) -> bool:
        """Nothing is open, and every account has been quiet for longer than its venue's lag: readings count again."""
        manager, now_ns = run.core.manager, run.clock.now_ns
        by_hand = [bay for bay in self.bays if isinstance(bay, DesktopHangar) and bay.by_hand]
        if by_hand and self.world.loop.seconds < self.hurt_seconds + TWO_READINGS_SECONDS:
            return False
        # No order can be taken back in a closing auction: a person's may fill at the close, long after the calm began.
        if any(bay.still_seconds() < TWO_READINGS_SECONDS for bay in by_hand):
            return False
        lags = {name: run.boxes[name].sheet.max_lag_ns for name in self.traded}
        if any(now_ns - manager.last_change_ns.get(name, 0) <= lag_ns for name, lag_ns in lags.items()):
            return False
        # A disputed order stays so until a person decides: waiting for it ends where the venue has nothing more of it.
        return all(
            order.state is OrderState.DISPUTED
            and self.traded[order.request.account].over(order, lags[order.request.account])
            for order in manager.working.values()
        )

    def compare(self, run: LiveRun) -> None:
        for bay in self.bays:
            bay.compare(run)

    def _price_age(self, order: SubmitOrder) -> int:
        return self.traded[order.account].price_age_ns

    def _sane(self, order: SubmitOrder, price: float) -> bool:
        bay = self.traded[order.account]
        return bay.sane(order, price) if isinstance(bay, SharedDesk) else True

    def _shut(self, order: SubmitOrder) -> bool:
        """Whether the exchange itself is closed."""
        exchange: Any = self.traded[order.account].venue.exchange
        stock = exchange.stock(exchange.code_of(str(order.instrument)))
        hours = exchange if stock is None or stock.board is None else stock.board.sessions
        return not hours.is_open(self.clock.now_ns)

    # --- the engine --------------------------------------------------------------------------------------------------

    def cap_of(self, order: SubmitOrder) -> int:
        return next((cap for since_ns, cap in reversed(self._caps) if since_ns <= order.ts_ns), MAX_POSITION)

    def accounts(self) -> tuple[AccountSpec, ...]:
        return tuple(account for bay in self.bays for account in bay.accounts())

    def instruments(self) -> dict[InstrumentId, Instrument]:
        return {name: one for bay in self.bays for name, one in bay.instruments().items()}

    def books(self) -> dict[str, RuleBook]:
        return {name: book for bay in self.bays for name, book in bay.books().items()}

    def strategies(self) -> tuple[tuple[AccountId, StrategySpec], ...]:
        found = [each for bay in self.bays for each in bay.strategies()]
        for bay in self.traded.values():
            found += self._racers(bay)
        ill = [fault for fault in self.world.schedule if isinstance(fault, StrategyFault)]
        accounts = list(self.traded.values())
        for number, fault in enumerate(ill):
            bay = accounts[number % len(accounts)]
            lot = next(iter(bay.instruments().values())).lot

            def make(fault: StrategyFault = fault, lot: int = lot) -> Any:
                made = FAULTY[fault.kind](lot=lot)
                made.kind, made.call_number = fault.kind, fault.call
                made.fires = lambda: self.world.network.note(fault)
                return made

            name = StrategyId(f"faulty_{fault.kind.value}_{number}")
            found.append((bay.account_name, StrategySpec(name=name, make=make, instruments=tuple(bay.instruments()))))
        return tuple(found)

    def _racers(self, bay: Hangar) -> list[tuple[AccountId, StrategySpec]]:
        if not self._races:
            return []
        ids = tuple(bay.instruments())[:1]
        lot = bay.instruments()[ids[0]].lot
        room = MAX_POSITION - (bay.held if isinstance(bay, DesktopHangar) else 0)

        def make(number: int) -> Any:
            made = Racer(seed=self.world.seed * 10 + number, room=room, lot=lot)
            made.starts = self._race_is_on
            return made

        return [
            (
                bay.account_name,
                StrategySpec(
                    name=StrategyId(f"{bay.gateway}_racer_{number}"),
                    make=lambda number=number: make(number),  # type: ignore[misc]
                    instruments=ids,
                ),
            )
            for number in range(RACERS)
        ]

    def _race_is_on(self) -> bool:
        """Within ten seconds of one of the schedule's moments."""
        now = self.world.loop.seconds
        for fault in self._races:
            if 0 <= now - fault.at_seconds < 10.0 and not self.world.healed:
                if fault.at_seconds not in self._raced:
                    self._raced.add(fault.at_seconds)
                    self.world.network.note(fault)
                return True
        return False

    def limit_table(self) -> Mapping[str, Any]:
        """What differs from the profile's limits in this life; kept, to hold orders to the limits of their time."""
        lowered = [f.quantity for f in self.world.schedule if isinstance(f, LimitFault) and f.start <= self.life]
        cap = min([MAX_POSITION, *lowered])
        self._caps.append((self.start_ns + round(self.world.loop.seconds * SECOND_NS), cap))
        return {
            **WIDE,
            "orders_per_minute": {"cap": ORDERS_PER_MINUTE},
            "symbol_orders_per_minute": {"cap": ORDERS_PER_MINUTE},
            "orders_per_second": {"cap": ORDERS_PER_MINUTE},
            "max_order_quantity": {"quantity": MAX_ORDER},
            "max_order_value": {"value": "400000"},
            "max_position": {"quantity": cap, "value": "2000000"},
            "max_daily_value": {"value": "100000000"},
        }

    def spec(self) -> LiveSpec:
        self.caps_now = self.limit_table()
        return LiveSpec(
            accounts=self.accounts(),
            strategies=self.strategies(),
            instruments=self.instruments(),
            books=self.books(),
            limits=limits_for("paper", self.caps_now),
            mode="simulation",
            armed=any(bay.armed for bay in self.bays),
            threads=False,
        )


def schedule_of(seed: int) -> Schedule:
    """What goes wrong in the flight of a seed."""
    return all_schedule.drawn(seed)


def flown(seed: int, schedule: Schedule | None = None) -> tuple[Outcome[Flight], Flight]:
    """Fly one seed; a flight that could not end has an accusation for it."""
    return flown_in(AllHangar, seed, schedule_of(seed) if schedule is None else schedule)
