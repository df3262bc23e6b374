"""The brokers that outlive the engines: each simulator in a thread of this process, with its books as the oracle."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import anyio

from engine.chaos.verdict import compare
from engine.chaos.witness import JournalFile, Witness
from engine.clock import LiveClock
from engine.domain.ids import AccountId, ClientOrderId
from engine.domain.order import TERMINAL, OrderState
from engine.domain.timestamps import format_time, parse_time
from engine.entropy import Entropy
from engine.simulators.counter import CounterAccount, Opening
from engine.simulators.easyths import EasythsSimulator
from engine.simulators.futu import DEFAULT_SECURITIES, EXAMPLE_TOKEN, FutuAccount, FutuSimulator
from engine.simulators.huatai import HuataiSimulator
from engine.simulators.serve import serve
from engine.simulators.stream import StreamSimulator
from engine.simulators.virtual_market import VirtualMarketSimulator

ROOT = Path(__file__).parents[2]
SHARES = ("600000.SH", "000001.SZ")
ANY_PACE = 10**9
DAYS = 9
"""How far back the books of the oracle are looked through."""

CONFIG = """
[run]
name = "crash"
data_dir = "{folder}"
profile = "paper"

[clock]
speed = {speed}
start = "{start}"
anchor = "{anchor}"

[instruments]
file = "{root}/config/instruments.toml"
"""

SHARES_CONFIG = """
[gateway.prices]
kind = "stream"
url = "ws://127.0.0.1:{prices}/stream"
instruments = ["600000.SH", "000001.SZ"]
market = "china_a"
stale = "5m"

[risk.price_collar]
max_age = "10m"
[risk.orders_per_second]
cap = 100
[risk.orders_per_minute]
cap = 1000
[risk.symbol_orders_per_minute]
cap = 1000
[risk.duplicate_order]
window = "1s"
[risk.max_daily_value]
value = 1000000000
[risk.max_position]
quantity = 1000000
value = 100000000
"""

DRILL = """
[[strategy]]
name = "drill"
class = "tests.crash.traders:Drill"
account = "{account}"
instruments = {instruments}
params = {{ {params} }}
"""

OWN = """
[gateway.{gateway}]
base_url = "http://127.0.0.1:{port}"
instruments = {instruments}
account_poll = "60s"
timeout = "120s"
"""

NO_CAP = 10**9
"""Limits are the flights' to judge: these kills are about what was lost and doubled."""


class Venue:
    """One broker's simulator, served on a port of its own while the thread lives.

    ``restart`` starts the server anew as the real one would: what it keeps on disk is kept.
    """

    gateway: ClassVar[str]
    account: ClassVar[str]
    speed: float = 40.0
    start: str = "2026-03-03T09:45:00+08:00"
    orders: ClassVar[Callable[[str], bool]]
    environ: ClassVar[Mapping[str, str]] = {}
    in_turn: ClassVar[bool] = True

    def __init__(self, folder: Path, *, start: str = "", speed: float = 0.0, **settings: Any) -> None:
        self.folder = folder
        self.speed = speed or type(self).speed
        self.anchor = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        self.start = start or type(self).start
        self.clock = LiveClock(speed=self.speed, start_ns=parse_time(self.start), anchor_ns=parse_time(self.anchor))
        self.settings = settings
        self.accusations: list[str] = []
        self.checked: Counter[str] = Counter()
        self.file = JournalFile(folder / "journal.sqlite3")
        self.app = self.simulator().app(self.clock, Entropy(5))
        self.venue = self.app.state.venue
        self.witness = Witness(
            self.app, self.file, lambda: self.clock.now_ns, self.accusations.append, ANY_PACE,
            carries_order=type(self).orders, in_turn=self.in_turn,
        )  # fmt: skip
        self.ports: dict[str, int] = {}
        self.gap = ""
        """Real time without a beat after which the engine reads its accounts anew; empty: the default."""
        self.heard: list[tuple[float, str]] = []
        """When each request began, by this machine's monotonic clock, and its path."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    # --- what each broker says for itself ----------------------------------------------------------------------------

    def simulator(self) -> Any:
        raise NotImplementedError

    def config(self, params: str) -> str:
        raise NotImplementedError

    def of(self, client_id: ClientOrderId) -> list[tuple[bool, int]]:
        """The venue's orders that a request of ours made: whether each is over, and how much of it was filled."""
        raise NotImplementedError

    def compare(self, core: Any) -> list[str]:
        """What is wrong with our books; in the venue's thread."""
        raise NotImplementedError

    # --- the thread --------------------------------------------------------------------------------------------------

    @contextmanager
    def served(self) -> Iterator[None]:
        ready = threading.Event()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name=self.gateway, daemon=True)
        thread.start()
        assert ready.wait(60), f"{self.gateway} was not served"
        try:
            yield
        finally:
            assert self._loop is not None
            assert self._stop is not None
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(30)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        apps: dict[str, Any] = {"venue": self._listening, **self.beside()}

        async def one(name: str, app: Any) -> None:
            def bound(port: int) -> None:
                self.ports[name] = port
                if len(self.ports) == len(apps):
                    ready.set()

            await serve(app, on_ready=bound)

        async with anyio.create_task_group() as group:
            for name, app in apps.items():
                group.start_soon(one, name, app)
            await self._stop.wait()
            group.cancel_scope.cancel()

    async def _listening(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.heard.append((time.monotonic(), scope["path"]))
        await self.witness(scope, receive, send)

    def is_order(self, path: str) -> bool:
        return type(self).orders(path)

    def beside(self) -> dict[str, Any]:
        """Other faces over the same market."""
        return {}

    def call(self, what: Callable[[], Any]) -> Any:
        """In the venue's own thread, between two of its turns."""
        assert self._loop is not None

        async def turn() -> Any:
            return what()

        return asyncio.run_coroutine_threadsafe(turn(), self._loop).result(60)

    # --- the engine's side -------------------------------------------------------------------------------------------

    def write_config(self, **params: int) -> Path:
        path = self.folder / "live.toml"
        told = ", ".join(f"{key} = {value}" for key, value in params.items())
        head = CONFIG.format(folder=self.folder, speed=self.speed, start=self.start, anchor=self.anchor, root=ROOT)
        gap = f'\n[monitors]\ngap_check = "{self.gap}"\ngap_snapshot = "{self.gap}"\n' if self.gap else ""
        path.write_text(head + self.config(told or "dies_at_fill = 0") + gap, encoding="utf-8")
        return path

    def jump_to(self, moment: str) -> None:
        """Time passes while no engine lives: the venue's clock, and that of engines started from now on."""
        ahead_ns = parse_time(moment) - self.clock.now_ns
        assert ahead_ns > 0, "time does not run backwards"

        def jump() -> None:
            self.clock._zero += ahead_ns
            # Hours of prices at once, and not under somebody's request.
            self.venue.exchange.advance(self.clock.now_ns)

        self.call(jump)
        self.start = format_time(parse_time(self.start) + ahead_ns)

    def restart(self) -> None:
        self.call(self.venue.restart)

    def verdict(self, core: Any) -> list[str]:
        """Everything that is wrong at the end."""
        found: list[str] = self.call(lambda: self.compare(core))
        return [*self.accusations, *found]


class GameVenue(Venue):
    """B1."""

    gateway = "virtual_market"
    account = "game"
    speed: float = 1_500.0
    start: str = "2026-03-02T08:00:00+08:00"
    orders = staticmethod(lambda path: path.startswith("/api/v1/trade/"))
    environ: ClassVar[Mapping[str, str]] = {
        "SLUICE_VM_USER": "TimeXingjian", "SLUICE_VM_PASSWORD": "your_password",
    }  # fmt: skip

    def simulator(self) -> Any:
        return VirtualMarketSimulator(seed=5, rate_limits="off", **self.settings)

    def config(self, params: str) -> str:
        hours = self.settings.get("hours")
        open_hours = f"[markets.virtual]\nopen_hour = {hours[0]}\nclose_hour = {hours[1]}\n" if hours else ""
        return f"""
{open_hours}
[gateway.virtual_market]
base_url = "http://127.0.0.1:{self.ports["venue"]}"
poll = "30s"
account_poll = "2m"
timeout = "20m"
connect_timeout = "10m"

[risk.price_collar]
max_age = "30m"

[[account]]
id = "game"
gateway = "virtual_market"
currency = "COIN"

[[strategy]]
name = "swing"
class = "tests.crash.traders:FrailSwing"
account = "game"
instruments = ["CY.VSM", "DL.VSM", "ZY.VSM"]
params = {{ window = 2, dip = 0.0, gain = 0.0, size = 7, most = 300, {params} }}
"""

    def of(self, client_id: ClientOrderId) -> list[tuple[bool, int]]:
        trades = self.venue.ledger.trades(self.environ["SLUICE_VM_USER"])
        by_request: Counter[int] = Counter()
        for trade in trades:
            for order in self.witness.owners.get(trade.request, ()):
                if order.client_id == client_id and order.instrument == f"{trade.code}.VSM":
                    by_request[trade.request] += trade.quantity
        return [(True, quantity) for quantity in by_request.values()]

    def compare(self, core: Any) -> list[str]:
        found: list[str] = []
        hangar = SimpleNamespace(
            venue=self.venue,
            user=SimpleNamespace(login=self.environ["SLUICE_VM_USER"]),
            witness=self.witness,
            accuse=found.append,
            flight=SimpleNamespace(checked=self.checked),
            orders=lambda run: run.core.manager.orders,
            account_name=AccountId(self.account),
            cap_of=lambda _order: NO_CAP,
            max_order=NO_CAP,
        )
        run: Any = SimpleNamespace(core=core)
        compare(hangar, run)
        return found


class ShareVenue(Venue):
    """A broker of shares, whose prices come over a stream beside it."""

    currency: ClassVar[str] = "CNY"

    def beside(self) -> dict[str, Any]:
        return {"prices": StreamSimulator().app(self.clock, Entropy(5), exchange=self.venue.exchange)}

    def config(self, params: str) -> str:
        own = OWN.format(gateway=self.gateway, port=self.ports["venue"], instruments=list(SHARES))
        account = f'\n[[account]]\nid = "{self.account}"\ngateway = "{self.gateway}"\ncurrency = "{self.currency}"\n'
        drill = DRILL.format(account=self.account, instruments=list(SHARES), params=params)
        return SHARES_CONFIG.format(prices=self.ports["prices"]) + own + account + drill

    # The counter's books.

    def entrusts(self, client_id: ClientOrderId) -> list[Any]:
        return [
            entrust
            for entrust in self.venue.counter.entrusts(self.now_ns(), DAYS)
            for order in self.witness.owners.get(entrust.request, ())
            if order.client_id == client_id
        ]

    def now_ns(self) -> int:
        return self.clock.now_ns

    def of(self, client_id: ClientOrderId) -> list[tuple[bool, int]]:
        return [(entrust.is_final, entrust.filled) for entrust in self.entrusts(client_id)]

    def compare(self, core: Any) -> list[str]:
        counter, now_ns, found = self.venue.counter, self.now_ns(), []
        for entrust in counter.entrusts(now_ns, DAYS):
            self.checked["venue orders"] += 1
            if not self.witness.owners.get(entrust.request):
                found.append(f"lost: {entrust.side} {entrust.quantity} {entrust.code} belongs to no order of ours")
        found += compared(self, core)
        book = core.portfolio.accounts[AccountId(self.account)]
        positions = {str(i): p.quantity for i, p in book.positions.items() if p.quantity}
        holdings = {row.code: row.quantity for row in counter.holdings(now_ns) if row.quantity}
        if positions != holdings:
            found.append(f"I3: we hold {positions}, the counter says {holdings}")
        cash, funds = book.cash[book.currency], counter.funds(now_ns)
        if cash != funds.cash:
            found.append(f"I3: our cash is {cash}, the counter's {funds.cash}")
        return found

    @property
    def opening(self) -> CounterAccount:
        holdings = tuple(Opening(code=code, quantity=200_000, price=Decimal(10)) for code in SHARES)
        return CounterAccount(cash=Decimal(50_000_000), holdings=holdings)


def carrying(way: str, hyphen: str) -> Callable[[str], bool]:
    """Whether a path is one of the four that place an order."""
    paths = {f"{way}{market}{side}" for market in ("", f"market{hyphen}") for side in ("buy", "sell")}
    return paths.__contains__


class EasythsVenue(ShareVenue):
    """B2."""

    gateway = "easyths"
    account = "ths"
    orders = staticmethod(carrying("/api/v1/operations/", "_"))

    def simulator(self) -> Any:
        return EasythsSimulator(seed=5, rate_limit=0, tick_seconds=3.0, account=self.opening, **self.settings)

    def now_ns(self) -> int:
        found: int = self.venue.now_ns()
        return found


class HuataiVenue(ShareVenue):
    """B3."""

    gateway = "huatai"
    account = "ht"
    orders = staticmethod(carrying("/api/trader/", "-"))

    def simulator(self) -> Any:
        return HuataiSimulator(seed=5, tick_seconds=3.0, account=self.opening, tools=True, **self.settings)


class FutuVenue(Venue):
    """B4, a real account: it pushes fills and must be unlocked."""

    gateway = "futu"
    account = "hk"
    orders = staticmethod(lambda path: path == "/api/order")
    in_turn = False
    acc_id: ClassVar[int] = 281756400000000123
    environ: ClassVar[Mapping[str, str]] = {
        "SLUICE_FUTU_TOKEN": EXAMPLE_TOKEN,
        "SLUICE_FUTU_TRADE_PASSWORD_MD5": "0123456789abcdef0123456789abcdef",
    }

    def simulator(self) -> Any:
        account = FutuAccount(acc_id=self.acc_id, environment="real", markets=(1,), cash={"HKD": 50_000_000.0})
        return FutuSimulator(
            seed=5, securities=DEFAULT_SECURITIES[:2], accounts=(account,), tick_seconds=3.0, **self.settings
        )

    def config(self, params: str) -> str:
        codes = [f"{security.code}.HK" for security in DEFAULT_SECURITIES[:2]]
        head = SHARES_CONFIG[SHARES_CONFIG.index("[risk.price_collar]") :]
        return (
            head
            + f"""
[gateway.futu]
base_url = "http://127.0.0.1:{self.ports["venue"]}"
acc_id = "{self.acc_id}"
environment = "real"
instruments = {codes}
currency = "HKD"
order_poll = "20s"
account_poll = "60s"
state_poll = "30s"
stale = "5m"
timeout = "120s"
connect_timeout = "60s"

[[account]]
id = "hk"
gateway = "futu"
currency = "HKD"
"""
            + DRILL.format(account="hk", instruments=codes, params=params)
        )

    def of(self, client_id: ClientOrderId) -> list[tuple[bool, int]]:
        orders = self.venue.ledger.orders(self.acc_id)
        return [(order.is_final, order.filled) for order in orders if order.remark == client_id]

    def compare(self, core: Any) -> list[str]:
        found, names = [], Counter(order.remark for order in self.venue.ledger.orders(self.acc_id))
        for name in names:
            self.checked["venue orders"] += 1
            if name not in core.manager.orders:
                found.append(f"lost: the venue has {name!r}, which we do not know")
        found += compared(self, core)
        book = core.portfolio.accounts[AccountId(self.account)]
        positions = {str(i): p.quantity for i, p in book.positions.items() if p.quantity}
        holdings = {f"{symbol[3:]}.HK": n for symbol, n in self.venue.ledger.positions(self.acc_id).items() if n}
        if positions != holdings:
            found.append(f"I3: we hold {positions}, the venue says {holdings}")
        return found


def compared(venue: Venue, core: Any) -> list[str]:
    """Order by order: at most one at the venue for each of ours, over, and filled as we believe."""
    found = []
    for client_id, known in core.manager.orders.items():
        venue.checked["orders"] += 1
        theirs: Sequence[tuple[bool, int]] = venue.of(client_id)
        filled = sum(quantity for _, quantity in theirs)
        if len(theirs) > 1:
            found.append(f"I5 duplicated: {client_id} is {len(theirs)} orders at the venue")
        if known.state is OrderState.DISPUTED:
            venue.checked["disputed"] += 1
            continue
        if known.state not in TERMINAL:
            found.append(f"I7: {client_id} is still {known.state} at the end")
        elif any(not over for over, _ in theirs):
            found.append(f"I7: {client_id} is {known.state} and still works at the venue")
        if known.cum < filled:
            found.append(f"lost: {client_id} {known.state}: {filled} filled at the venue, {known.cum} with us")
        elif known.cum > filled:
            found.append(f"I3 duplicated: {client_id} {known.state}: {known.cum} with us, {filled} at the venue")
    return found


VENUES: dict[str, type[Venue]] = {
    "virtual_market": GameVenue,
    "easyths": EasythsVenue,
    "huatai": HuataiVenue,
    "futu": FutuVenue,
}
