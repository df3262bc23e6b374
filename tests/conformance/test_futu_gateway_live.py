"""The gateway over real sockets against the simulated daemon: pushes, a cut socket, a daemon that starts anew."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from engine.clock import LiveClock
from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import AccountObserved
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.instrument import Instrument
from engine.domain.market import DataKind, FeedState, FeedStatus, OrderBook, Quote, Trade
from engine.domain.order import Order
from engine.domain.timestamps import MINUTE_NS, parse_time
from engine.entropy import Entropy
from engine.gateways.futu.adapter import Futu, FutuGateway
from engine.gateways.futu.unlocking import PASSWORD_MD5
from engine.gateways.surroundings import Surroundings
from engine.simulators import SIMULATORS
from engine.simulators.futu import EXAMPLE_TOKEN
from tests.futu_builders import ACCOUNT, REAL_ID, SIMULATE_ID, an_order
from tests.gateway_builders import Notes
from tests.simulator_builders import running

PATIENCE_SECONDS = 15
DIGEST = "0123456789abcdef0123456789abcdef"


class Heard(list[Any]):
    """What was published; wakes whoever waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.news = anyio.Event()

    def append(self, event: Any) -> None:
        super().append(event)
        self.news.set()
        self.news = anyio.Event()


class Run:
    """One gateway running against one daemon."""

    def __init__(self, gateway: FutuGateway, app: Any, heard: Heard, notes: Notes) -> None:
        self.gateway = gateway
        self.venue = app.state.venue
        self.heard = heard
        self.notes = notes

    async def until(self, condition: Callable[[], object]) -> None:
        with anyio.fail_after(PATIENCE_SECONDS):
            while not condition():
                await self.heard.news.wait()

    def reports(self, client_id: str) -> list[Evidence]:
        return [e.kind for e in self.heard if isinstance(e, OrderReport) and e.client_id == client_id]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]

    async def instrument(self, name: str) -> Instrument:
        return next(one for one in await self.gateway.instruments() if one.id == name)

    async def send(self, client_id: str, factor: float, *, instrument: str = "00700.HK", lots: int = 3) -> SubmitOrder:
        """A limit order at the last price times ``factor``."""
        spec = await self.instrument(instrument)
        price = spec.round_price(self.gateway.feed.prices[spec.id] * factor)
        order = an_order(spec.lot * lots, str(price), client_id=client_id, instrument=instrument, side=Side.BUY)
        router = self.gateway.router
        assert router is not None
        await router.submit([order], router.encode([order]))
        return order


@asynccontextmanager
async def a_run(*, real: bool = False, **simulator: Any) -> AsyncIterator[Run]:
    clock = LiveClock(start_ns=parse_time("2026-11-18 10:00:00", "Asia/Hong_Kong"), speed=5.0)
    app = SIMULATORS["futu"](**({"seed": 3, "always_open": True} | simulator)).app(clock, Entropy(5))  # type: ignore[call-arg]
    notes, heard = Notes(), Heard()
    instruments = ("00700.HK", "AAPL.US") if real else ("00700.HK",)
    async with running(app) as url:
        made = Futu(
            base_url=url, account=ACCOUNT, acc_id=REAL_ID if real else SIMULATE_ID, armed=real,
            environment="real" if real else "simulate", instruments=instruments, order_poll="2s", state_poll="2s",
        )  # fmt: skip
        environ = {"SLUICE_FUTU_TOKEN": EXAMPLE_TOKEN, PASSWORD_MD5: DIGEST}
        gateway = made.open(Surroundings(clock=clock, entropy=Entropy(1), environ=environ, note=notes))
        await gateway.connect()
        for name in instruments:
            for kind, span in ((DataKind.QUOTE, 0), (DataKind.TRADE, 0), (DataKind.BOOK, 0), (DataKind.BAR, MINUTE_NS)):
                gateway.feed.subscribe(name, kind, span)  # type: ignore[arg-type]
        run = Run(gateway, app, heard, notes)
        async with anyio.create_task_group() as group:
            group.start_soon(gateway.run, heard.append)
            await run.until(lambda: len(gateway.feed.prices) == len(instruments) and run.of(AccountObserved))
            yield run
            group.cancel_scope.cancel()
        await gateway.close()


@pytest.mark.parametrize("real", [False, True], ids=["simulate", "real"])
async def test_quotes_orders_and_fills_come_by_push(real: bool) -> None:
    """Two markets on a real account: accepted, filled, withdrawn, each told once; fills derived where none come."""
    async with a_run(real=real) as run:
        await run.until(lambda: run.of(Quote) and run.of(Trade) and run.of(OrderBook))
        for instrument in run.gateway._settings.instruments:
            await run.send(f"fill-{instrument}", 1.01, instrument=instrument)
            await run.until(lambda name=instrument: Evidence.FILL in run.reports(f"fill-{name}"))  # type: ignore[misc]
        order = await run.send("rest", 0.9)
        await run.until(lambda: run.reports("rest") == [Evidence.ACK])
        router = run.gateway.router
        assert router is not None
        assert await router.cancel(Order(order)) == ()
        await run.until(lambda: run.reports("rest") == [Evidence.ACK, Evidence.CANCELED])
        filled = sum(
            e.quantity for e in run.of(OrderReport) if e.kind is Evidence.FILL and e.client_id == "fill-00700.HK"
        )
        assert filled == 300
        snapshot = await router.snapshot()
        assert {row.client_tag for row in snapshot.orders or ()} >= {"rest", "fill-00700.HK"}


async def test_after_a_cut_socket_everything_is_asked_again_and_the_account_read() -> None:
    """Exactly the set; orders held until the account was read; a fill that happened meanwhile is found."""
    async with a_run() as run:
        session, router = run.gateway.session, run.gateway.router
        assert router is not None
        assert session.socket is not None
        wanted = set(run.gateway.feed._subscribed)
        restores, read = session.restores, len(run.of(AccountObserved))
        await run.send("before", 0.9)
        await run.until(lambda: run.reports("before"))
        assert session.socket._socket is not None
        session.socket._socket.transport.abort()
        await run.until(lambda: FeedState.DISCONNECTED in [e.state for e in run.of(FeedStatus)])
        assert router.held
        await run.until(lambda: session.restores > restores and not router.held)
        assert len(run.of(AccountObserved)) > read
        assert run.gateway.feed._subscribed == wanted
        assert [e.state for e in run.of(FeedStatus)][-1] is FeedState.CONNECTED
        quotes = len(run.of(Quote))
        await run.until(lambda: len(run.of(Quote)) > quotes)
        await run.send("after", 1.01)
        await run.until(lambda: Evidence.FILL in run.reports("after"))


async def test_a_daemon_that_starts_anew_is_unlocked_and_subscribed_again() -> None:
    """It forgot subscriptions and the unlock; both are restored, and the account read, before orders go on."""
    async with a_run(real=True) as run:
        session, router = run.gateway.session, run.gateway.router
        assert router is not None
        restores, read = session.restores, len(run.of(AccountObserved))
        run.venue.restart()
        await run.until(lambda: session.restores > restores and not router.held)
        assert len(run.of(AccountObserved)) > read
        quotes = len(run.of(Quote))
        await run.until(lambda: len(run.of(Quote)) > quotes)
        await run.send("after", 1.01)
        await run.until(lambda: Evidence.FILL in run.reports("after"))
