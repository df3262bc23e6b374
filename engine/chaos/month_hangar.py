"""The world of the daemon's month: the five systems, asked seldom, and a strategy that trades twice a day.

A month of readings every quarter of a minute would be a month of nothing else, so polls and prices are slow here.
"""

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from msgspec import structs

from engine.chaos.all_scenario import AllHangar, EasythsBay, FutuBay, HuataiBay, MarketBay
from engine.chaos.data_bay import CODE, PASSWORD, USER, DataBay
from engine.chaos.futu_scenario import ACC_ID
from engine.chaos.hangar import Hangar
from engine.chaos.world import World
from engine.clock import Clock
from engine.domain.order import TERMINAL
from engine.domain.timestamps import DAY_NS, HOUR_NS, MINUTE_NS
from engine.entropy import Entropy
from engine.gateways.amazingdata.adapter import AmazingData
from engine.gateways.surroundings import Surroundings
from engine.ports import Gateway
from engine.runtime.live import LiveRun, LiveSpec
from engine.runtime.safety_settings import MonitorsTable, Safety
from engine.runtime.scheduler import Job
from engine.strategy import Strategy

START = "2025-12-22T08:00:00+08:00"
SLOW_TICK_SECONDS = 300.0


class DayTrader(Strategy):
    """Buys in the morning and sells in the afternoon; counts its days over all its lives."""

    def __init__(self, **_seed: Any) -> None:
        super().__init__()

    def on_start(self) -> None:
        self.days: list[int] = []
        name = self.instruments[0]
        self.subscribe(name, "quote") if not name.endswith(".VSM") else self.subscribe(name, "bar")
        self.at("10:05", self.enter, tz="Asia/Shanghai")
        self.at("14:05", self.leave, tz="Asia/Shanghai")

    def enter(self) -> None:
        day = self.now_ns // DAY_NS
        if day not in self.days:
            self.days.append(day)
        self.buy(self.instruments[0], 100)

    def leave(self) -> None:
        if self.sellable(self.instruments[0]) >= 100:
            self.sell(self.instruments[0], 100)

    def dump(self) -> Any:
        return {"days": self.days}

    def restore(self, state: Any) -> None:
        self.days = list(state["days"])


class MonthMarket(MarketBay):
    """The virtual market's, asked less often."""

    traders: ClassVar[Any] = (DayTrader,)
    polls: ClassVar[Any] = {"poll": "5m", "account_poll": "15m"}
    price_age_ns = HOUR_NS


class MonthFutu(FutuBay):
    """Futu's."""

    tick_seconds = SLOW_TICK_SECONDS
    traders: ClassVar[Any] = (DayTrader,)
    polls: ClassVar[Any] = {"order_poll": "10m", "account_poll": "15m", "state_poll": "10m", "stale": "30m"}
    price_age_ns = HOUR_NS


class MonthEasyths(EasythsBay):
    """EasyTHS's."""

    traders: ClassVar[Any] = (DayTrader,)
    polls: ClassVar[Any] = {"account_poll": "15m"}
    board: ClassVar[Any] = {"shares": EasythsBay.board["shares"], "tick_seconds": SLOW_TICK_SECONDS}
    price_age_ns = HOUR_NS


class MonthHuatai(HuataiBay):
    """The HT client's."""

    traders: ClassVar[Any] = (DayTrader,)
    polls: ClassVar[Any] = {"account_poll": "15m"}
    board: ClassVar[Any] = {"shares": HuataiBay.board["shares"], "tick_seconds": SLOW_TICK_SECONDS}
    price_age_ns = HOUR_NS


class MonthData(DataBay):
    """The data platform's."""

    def open(self, clock: Clock, entropy: Entropy) -> Gateway:
        environ = {"SLUICE_AD_USER": USER, "SLUICE_AD_PASSWORD": PASSWORD}
        around = Surroundings(clock=clock, entropy=entropy, environ=environ)
        address = f"http://127.0.0.1:{self.port}/api/v1"
        gateway: Any = AmazingData(base_url=address, poll="30m", instruments=(str(CODE),)).open(around)
        found: Gateway = gateway
        return found

    def compare(self, run: LiveRun) -> None:
        """It holds no account."""


ALL: tuple[type[Hangar], ...] = (MonthEasyths, MonthHuatai, MonthFutu, MonthMarket, MonthData)
FEW: tuple[type[Hangar], ...] = (MonthEasyths, MonthMarket)


class MonthHangar(AllHangar):
    """The world of the month, and what its lives leave behind."""

    starts = (START,)

    def __init__(self, world: World, place: Path, kinds: tuple[type[Hangar], ...]) -> None:
        self.kinds = kinds
        super().__init__(world, place)
        self.down_seconds = 0.0
        self.over = False
        self.compacting = False
        self.finished: dict[str, tuple[bool, str]] = {}
        self.steps: Counter[str] = Counter()
        self.jobs: list[Job] = []
        self.largest_order = 3_000

    def _note_start(self) -> None:
        """There is one start."""

    def limit_table(self) -> Any:
        return {
            **super().limit_table(),
            "max_order_quantity": {"quantity": self.largest_order},
            "price_collar": {"max_age": "1h"},
        }

    def spec(self) -> LiveSpec:
        safety = Safety(monitors=MonitorsTable(period="5m", feed_age="2h"))
        return structs.replace(super().spec(), sample_ns=30 * MINUTE_NS, safety=safety)

    def gateways(self, clock: Clock, entropy: Entropy) -> dict[str, Gateway]:
        """All of them, their accounts read every quarter of an hour."""
        found = super().gateways(clock, entropy)
        for gateway in found.values():
            router: Any = gateway.router
            if router is not None:
                router.capabilities = partial(_seldom_read, router.capabilities)
        return found

    def compare(self, run: LiveRun) -> None:
        """Every order decided, and every account even with its venue's own ledger."""
        manager = run.core.manager
        for name, order in manager.orders.items():
            self.flight.checked["orders"] += 1
            if order.state not in TERMINAL:
                self.accuse(f"I7: {name} is still {order.state} at the end")
        for account, bay in self.traded.items():
            book = run.core.portfolio.accounts[account]
            ours = {str(i): p.quantity for i, p in book.positions.items() if p.quantity}
            theirs, cash = _ledger(bay, run.clock.now_ns)
            if ours != theirs:
                self.accuse(f"I3: {account} holds {ours}, its venue says {theirs}")
            if cash is not None and abs(book.cash[book.currency] - cash) > 1:
                self.accuse(f"I3: the cash of {account} is {book.cash[book.currency]}, its venue's {cash}")
            self.flight.checked["accounts"] += 1
        watcher: Any = self.watcher
        booked = {name: count for name, count in watcher.external.items() if count}
        if booked:
            self.accuse(f"lost: {booked} had to be booked, though nobody but us traded")


def _seldom_read(sheet: Any) -> Any:
    """A capability sheet with a reading every quarter of an hour."""
    return structs.replace(sheet(), snapshot_period_ns=15 * MINUTE_NS)


def _ledger(bay: Hangar, now_ns: int) -> tuple[dict[str, int], Any]:
    """Holdings and cash as the venue has them."""
    venue: Any = bay.venue
    if isinstance(bay, FutuBay):
        held = venue.ledger.positions(ACC_ID)
        return {f"{symbol[3:]}.HK": count for symbol, count in held.items() if count}, None
    if isinstance(bay, MarketBay):
        held = venue.ledger.holdings(bay.user.login)
        return {f"{code}.VSM": count for code, count in held.items() if count}, venue.ledger.coins(bay.user.login)
    counter: Any = venue.counter
    rows = {row.code: row.quantity for row in counter.holdings(now_ns) if row.quantity}
    return rows, counter.funds(now_ns).cash
