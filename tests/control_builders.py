"""Builders for tests of the control API: a run in memory behind the real routes, over real sockets or at hand."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import httpx

from engine.clock import LiveClock
from engine.control.api.access import Access
from engine.control.api.app import make_app
from engine.control.api.cockpit import Cockpit
from engine.control.api.edge import Edge
from engine.control.api.scopes import ALL, Scope
from engine.control.api.serving import Crowd, serve
from engine.control.api.streams import Streams
from engine.control.api.tokens import TokenStore
from engine.control.live_links import Links
from engine.control.live_session import Session, TellingJournal, Told
from engine.control.logs import Log
from engine.control.metrics import Meter
from engine.control.redaction import Redactor
from engine.control.seen import Seen
from engine.domain.timestamps import DAY_NS
from engine.journal.memory import MemoryJournal
from engine.ports import Journal
from engine.runtime.live import LiveRun
from engine.runtime.operator import Operator
from engine.runtime.operator_hands import Hands
from engine.strategy import Strategy
from tests.live_builders import ACCOUNT, TradingPlace

HOST = "127.0.0.1:8710"


class Panel:
    """A cockpit over a run that is made and not started, its books in the test's hands; and a client."""

    def __init__(
        self,
        folder: Path,
        *,
        secrets: Iterable[str] = (),
        rate: float = 1e6,
        journal: Journal | None = None,
        place: TradingPlace | None = None,
        strategies: Sequence[type[Strategy]] = (),
    ) -> None:
        """
        Args:
            journal: default one in memory.
            place: a served market to trade ``strategies`` on, once the test runs ``run``; default one nobody serves.
        """
        if place is None:
            place = TradingPlace(speed=1)
            place.url = "http://127.0.0.1:9"
        self.notes: list[tuple[str, Any]] = []
        self.session = session = a_session(place, secrets, journal, strategies)
        self.run: LiveRun = session.run
        self.core = self.run.core
        self.tokens = TokenStore(folder / "control" / "tokens.json")
        self.access = Access(self.tokens, rate)
        self.cockpit = Cockpit(lambda: session, self.access, lambda text, fields: self.notes.append((text, fields)))
        self.cockpit.streams = Streams(self.cockpit, 4)
        self.cockpit.crowd = Crowd(32)
        self.app = Edge(make_app(self.cockpit), (), loopback=True, tls=False)

    def token(self, *scopes: Scope, days: float = 1) -> str:
        """A new one; without scopes it has them all. ``days`` below 0: expired since."""
        now_ns = LiveClock().now_ns
        return self.tokens.create("test", scopes or ALL, now_ns=now_ns, expires_ns=now_ns + round(days * DAY_NS))

    def client(self, token: str = "", *, address: str = "127.0.0.1") -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self.app, client=(address, 50_000), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", headers=headers)

    def enable(self) -> None:
        """Let orders through the gate's own readiness: the account reconciled, the run ready."""
        self.core.view.readiness.clear(f"account:{ACCOUNT} reconciliation")
        self.run.ready.set()

    @asynccontextmanager
    async def served(self, **options: Any) -> AsyncIterator[int]:
        """On a real port, which it gives."""
        ports: list[int] = []
        ready = anyio.Event()

        def bound(port: int) -> None:
            ports.append(port)
            ready.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.cockpit.streams.run)

            async def run() -> None:
                crowd = self.cockpit.crowd
                await serve(
                    self.app, host="127.0.0.1", port=0, clock=LiveClock(), crowd=crowd, on_ready=bound, **options
                )  # fmt: skip

            tasks.start_soon(run)
            await ready.wait()
            try:
                yield ports[0]
            finally:
                tasks.cancel_scope.cancel()


def a_session(
    place: TradingPlace,
    secrets: Iterable[str] = (),
    journal: Journal | None = None,
    strategies: Sequence[type[Strategy]] = (),
) -> Session:
    """What the routes look at, over a run that trades nothing."""
    told, seen, links = Told(), Seen(), Links()
    told.hear = seen.on_record
    redactor = Redactor(secrets)
    log = Log(None, redactor, place.clock)
    meter = Meter(lambda: place.clock.held_seconds)
    seen.record_ears = (log.on_record, meter.on_record)
    run = place.run(strategies, TellingJournal(journal or MemoryJournal(), told, redactor))
    for kind, watcher in (*seen.watchers(), *links.watchers(), *meter.watchers()):
        run.core.bus.subscribe(kind, watcher)
    core: Any = run.core
    core.manager.bind(core.bus.publisher)
    account = SimpleNamespace(gateway="market", currency="COIN")
    session: Any = SimpleNamespace(
        run=run,
        told=told,
        seen=seen,
        links=links,
        clock=run.clock,
        redactor=redactor,
        log=log,
        meter=meter,
        gateways=run.gateways,
        journal_server=getattr(journal, "address", None),
        settings=SimpleNamespace(
            accounts={ACCOUNT: account},
            gateways={"market": SimpleNamespace(kind="virtual_market")},
            journal=SimpleNamespace(kind="postgres" if hasattr(journal, "address") else "memory"),
            journal_place="memory",
            run=SimpleNamespace(name="test"),
            risk_profile="paper",
        ),
        operator=Operator(run.core, {ACCOUNT: "market"}, hands=Hands(run, seen.denials).acts()),
    )
    session.equity = run.core.portfolio.equity
    return session  # type: ignore[no-any-return]


async def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Fails past the deadline."""
    with anyio.fail_after(seconds):
        while not done():  # noqa: ASYNC110 - any state of the server
            await anyio.sleep(0.005)
