"""The HT gateway against the simulated server: every layer and dialog style, and orders in a live run."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import Fill, OrderEvent, Strategy
from engine.clock import Clock, LiveClock
from engine.domain.commands import Side
from engine.domain.errors import ConfigError, NotSent, OutcomeUnknown, Refused
from engine.domain.events import Alert
from engine.domain.evidence import Evidence, OrderReport, OrderState
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.instructions import InstructionState
from engine.domain.order import Order
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.entropy import Entropy
from engine.gateways.huatai.adapter import Huatai, HuataiGateway
from engine.gateways.huatai.router import HuataiRouter
from engine.gateways.surroundings import Surroundings
from engine.journal.sqlite import SqliteJournal
from engine.markets.china_a import ChinaA
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.live import AccountSpec, LiveRun, LiveSpec
from engine.simulators.counter import CounterAccount, CounterPace, Opening
from engine.simulators.huatai import HuataiSimulator, HuataiVenue
from engine.simulators.huatai.statements import NewShare
from engine.simulators.quirks import QuirkTrigger
from engine.simulators.virtual_market import VirtualMarketSimulator
from engine.simulators.virtual_market.settings import DEFAULT_STOCKS
from tests.gateway_builders import QuickClock
from tests.huatai_builders import ACCOUNT, an_instruction, an_order
from tests.huatai_simulator_builders import OPEN_NS
from tests.live_builders import trade_until
from tests.simulator_builders import running

ENVIRON = {"SLUICE_HT_USER": "12345678", "SLUICE_HT_PASSWORD": "your_trade_pwd", "SLUICE_HT_COMM_PASSWORD": "c"}
HELD = CounterAccount(holdings=(Opening(code="600000.SH", quantity=2000, price=Decimal("6.5")),))


class Server:
    """The simulated server on a socket, a gateway of ours, and what really happened: ``venue.counter``."""

    def __init__(self, clock: Clock, settings: dict[str, Any], ours: dict[str, Any], environ: dict[str, str]) -> None:
        terms = {"seed": 7, "account": HELD, "pace": CounterPace(partial=0.0, submit_ms=0)} | settings
        self.clock = clock
        market = VirtualMarketSimulator(seed=7, stocks=DEFAULT_STOCKS[:1], history_days=0)
        self.app = HuataiSimulator(**terms).app(clock, Entropy(7), exchange=market.exchange(clock, Entropy(7)))
        self.venue: HuataiVenue = self.app.state.venue
        self._ours = {"account": ACCOUNT} | ours
        self._environ = environ

    def gateway(self, url: str) -> HuataiGateway:
        around = Surroundings(clock=self.clock, entropy=Entropy(6), environ=self._environ)
        return Huatai(base_url=url, **self._ours).open(around)

    @property
    def resting(self) -> str:
        """A price at which a purchase rests."""
        share = self.venue.counter.share("600000")
        assert share is not None
        return f"{float(self.venue.counter.last(share)) * 0.97:.2f}"

    @property
    def crossing(self) -> str:
        share = self.venue.counter.share("600000")
        assert share is not None
        return f"{float(self.venue.counter.last(share)) * 1.01:.2f}"

    def placed(self) -> list[tuple[str, int]]:
        return [(one.side.value, one.quantity) for one in self.venue.counter.entrusts(self.clock.now_ns)]

    def let_pass(self, span_ns: int) -> None:
        assert isinstance(self.clock, QuickClock)
        self.clock.now_ns += span_ns
        self.venue.counter.advance(self.clock.now_ns)


@asynccontextmanager
async def a_server(
    ours: dict[str, Any] | None = None, environ: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[tuple[Server, HuataiGateway]]:
    """Without pauses, on a clock that goes by what was slept."""
    terms = {"pauses": 0.0} | settings
    server = Server(QuickClock(OPEN_NS), terms, ours or {}, ENVIRON if environ is None else environ)
    async with running(server.app) as url:
        gateway = server.gateway(url)
        try:
            yield server, gateway
        finally:
            await gateway.close()


def router_of(gateway: HuataiGateway) -> HuataiRouter:
    assert isinstance(gateway.router, HuataiRouter)
    return gateway.router


def sent_order(price: str, **terms: Any) -> Order:
    order = Order(an_order(price=price, **terms))
    for kind in (Evidence.RISK_OK, Evidence.SEND):
        request = order.request
        order.apply(OrderReport(account=ACCOUNT, kind=kind, ts_ns=request.ts_ns, client_id=request.client_id))
    return order


SERVERS: list[dict[str, Any]] = [
    {},
    {"server": "B"},
    {"automatic": False},
    {"layer": "G2", "dialogs": "result", "cancel_style": "success"},
    {"layer": "G2", "dialogs": "none", "cancel_style": "text"},
    {"layer": "G1", "dialogs": "result"},
    {"layer": "G1", "dialogs": "result", "number_name": "委托编号", "cancel_style": "text"},
    {"layer": "G1"},
    {"dialogs": "unreadable"},
    {"dialogs": "confirm_unreadable", "cancel_style": "result"},
    {"number_name": "委托编号"},
    {"same_numbers": True},
    {"separators": False, "frozen_cash": True, "cells": "document"},
    {"deal_numbers": ("委托编号", "成交编号")},
    {"deal_numbers": ()},
    {"layer": "document", "columns": "document", "cells": "document", "server": "B"},
    {"columns": "document"},
    {"columns": "document", "number_name": "委托编号"},
]


@pytest.mark.parametrize("settings", SERVERS, ids=[str(settings) for settings in SERVERS])
async def test_an_order_rests_and_is_cancelled_at_every_kind_of_server(settings: dict[str, Any]) -> None:
    """Placed once, seen in the list with its terms, withdrawn by whatever number this one compares."""
    async with a_server(**settings) as (server, gateway):
        await gateway.connect()
        router = router_of(gateway)
        order = sent_order(server.resting)
        with suppress(OutcomeUnknown):
            for report in await router.submit([order.request], router.encode([order.request])):
                order.apply(report)
        assert server.placed() == [("buy", 500)]
        found = await router.snapshot()
        assert found.whole
        assert found.orders is not None
        (row,) = found.orders
        assert (row.instrument, row.quantity, row.price) == ("600000.SH", 500, order.price)
        assert row.status is Evidence.WORKING
        if not order.venue_id:
            seen = OrderReport(
                account=ACCOUNT, kind=Evidence.WORKING, ts_ns=1, client_id=order.request.client_id,
                venue_id=row.venue_id,
            )  # fmt: skip
            order.apply(seen)
        assert order.venue_id in (row.venue_id, row.other_id)
        order.apply(
            OrderReport(account=ACCOUNT, kind=Evidence.CANCEL_REQUEST, ts_ns=2, client_id=order.request.client_id)
        )
        for report in await router.cancel(order):
            order.apply(report)
        if order.state is OrderState.PENDING_CANCEL:
            server.let_pass(MINUTE_NS)
            rows = (await router.snapshot()).orders
            assert rows is not None
            assert rows[0].status is Evidence.CANCELED
        assert server.venue.counter.live(server.clock.now_ns) == []


@pytest.mark.parametrize("settings", SERVERS, ids=[str(settings) for settings in SERVERS])
async def test_what_fills_is_read_at_every_kind_of_server(settings: dict[str, Any]) -> None:
    """Total and price of the order, executions where they are numbered, holdings and cash: as the counter has them."""
    async with a_server(**settings) as (server, gateway):
        await gateway.connect()
        router = router_of(gateway)
        request = an_order(price=server.crossing)
        with suppress(OutcomeUnknown):
            await router.submit([request], router.encode([request]))
        server.let_pass(2 * MINUTE_NS)
        await router.snapshot()
        found = await router.snapshot()
        counter, now_ns = server.venue.counter, server.clock.now_ns
        (deal,) = counter.deals(now_ns)
        assert found.orders is not None
        (row,) = found.orders
        assert (row.status, row.cum, row.average_price) == (Evidence.FILL, 500, deal.price)
        assert found.positions is not None
        assert {(p.instrument, p.quantity, p.sellable) for p in found.positions} == {
            (held.code, held.quantity, held.sellable) for held in counter.holdings(now_ns)
        }
        funds = counter.funds(now_ns)
        assert found.balances is not None
        assert (found.balances[0].total, found.balances[0].available) == (funds.cash, funds.available)
        assert found.fills is not None
        (fill,) = found.fills
        assert (fill.quantity, fill.price, fill.side) == (500, deal.price, Side.BUY)
        numbered = settings.get("columns") != "document" and settings.get("deal_numbers") != ()
        assert fill.venue_id == (row.venue_id if numbered else "")


async def test_market_orders_and_sales() -> None:
    """五档即时成交剩余撤销 on both sides."""
    async with a_server() as (server, gateway):
        await gateway.connect()
        router = router_of(gateway)
        for side, quantity in ((Side.SELL, 300), (Side.BUY, 100)):
            order = an_order(quantity, None, side=side)
            await router.submit([order], router.encode([order]))
            server.let_pass(2 * MINUTE_NS)
        orders = (await router.snapshot()).orders
        assert orders is not None
        assert [(row.side, row.quantity, row.price) for row in orders] == [
            (Side.SELL, 300, None), (Side.BUY, 100, None),
        ]  # fmt: skip


@pytest.mark.parametrize("dialogs", ["result", "none"])
async def test_the_counters_refusal_is_told_where_the_client_shows_it(dialogs: str) -> None:
    """More than is held: nothing was done."""
    async with a_server(dialogs=dialogs) as (server, gateway):
        await gateway.connect()
        router = router_of(gateway)
        order = an_order(5000, server.crossing, side=Side.SELL)
        with pytest.raises(Refused, match="可用股份不足"):
            await router.submit([order], router.encode([order]))
        assert server.placed() == []


async def test_the_number_of_two_digits_that_the_newest_layer_never_matches() -> None:
    """The cancel is refused with its words, and the order lives on (contract 3.2)."""
    async with a_server(entrust_first=7) as (server, gateway):
        await gateway.connect()
        router = router_of(gateway)
        order = sent_order(server.resting)
        for report in await router.submit([order.request], router.encode([order.request])):
            order.apply(report)
        kinds = [report.kind for report in await router.cancel(order)]
        assert kinds == [Evidence.WORKING, Evidence.CANCEL_REJECT]
        assert len(server.venue.counter.live(server.clock.now_ns)) == 1


async def test_cancel_all_by_hand_leaves_nothing() -> None:
    """Where the client's own button asks a question that nobody answers."""
    async with a_server() as (server, gateway):
        await gateway.connect()
        order = {"security": "600000", "amount": "100", "price": server.resting}
        await gateway.call("buy", order)
        await gateway.call("buy", order | {"amount": "200"})
        await gateway.call("cancel_all_entrusts", {})
        assert len(server.venue.counter.live(server.clock.now_ns)) == 2
        done = await gateway.call("cancel_all", {})
        assert len(done) == 2
        server.let_pass(MINUTE_NS)
        assert server.venue.counter.live(server.clock.now_ns) == []


async def test_a_client_that_was_closed_is_logged_in_again() -> None:
    """After its balance said nothing; with a wrong password it is said once, and never tried again."""
    async with a_server() as (server, gateway):
        await gateway.connect()
        router = router_of(gateway)
        server.venue.window.end()
        with pytest.raises(OutcomeUnknown, match="the client is gone"):
            await router.snapshot()
        assert (await router.snapshot()).balances is not None
        assert server.venue.window.up
    async with a_server(environ=ENVIRON | {"SLUICE_HT_PASSWORD": "wrong"}, client_lost=True) as (server, gateway):
        with pytest.raises(ConfigError, match="登录失败"):
            await gateway.connect()
        order = an_order(price=server.resting)
        with pytest.raises(NotSent):
            await router_of(gateway).submit([order], router_of(gateway).encode([order]))
        assert server.placed() == []


async def test_the_automatic_session_that_expired_is_replaced_by_one_of_ours() -> None:
    """It is never renewed by the server (contract 2); with the keep-alive it does not come to that."""
    async with a_server() as (server, gateway):
        await gateway.connect()
        assert gateway.session.id == ""
        for _ in range(4):
            server.let_pass(20 * MINUTE_NS)
            await gateway.client.keep_alive()
        assert gateway.session.id == ""
        server.let_pass(31 * MINUTE_NS)
        assert await gateway.call("balance", {})
        assert gateway.session.id != ""


async def test_a_popup_is_closed_where_the_server_can() -> None:
    """It empties tables and zeroes the balance until then."""
    async with a_server(server="B") as (server, gateway):
        await gateway.connect()
        router = router_of(gateway)
        server.venue.window.popup = "提示"
        with pytest.raises(OutcomeUnknown):
            await router.snapshot()
        assert (await router.snapshot()).balances is not None
        assert server.venue.window.popup is None


async def test_rows_shown_twice_and_tables_lost_change_nothing() -> None:
    """Repeated rows are one; a table that a short row emptied is not whole."""
    async with a_server() as (server, gateway):
        await gateway.connect()
        router = router_of(gateway)
        order = an_order(price=server.crossing)
        await router.submit([order], router.encode([order]))
        server.let_pass(2 * MINUTE_NS)
        first = await router.snapshot()
        server.venue.quirks.script = [
            QuirkTrigger(quirk=name, occasion=server.venue.quirks._occasions[name] + number)  # type: ignore[index]
            for number, name in ((1, "repeated_rows"), (2, "repeated_rows"), (3, "repeated_rows"), (5, "short_row"))
        ]
        again, short = await router.snapshot(), await router.snapshot()
    assert first.orders
    assert again.orders
    later = tuple(msgspec.structs.replace(row, as_of_ns=again.orders[0].as_of_ns) for row in first.orders)
    assert (again.orders, again.fills, again.positions, again.whole) == (later, first.fills, first.positions, True)
    assert (short.orders, short.whole) == ((), False)


@pytest.mark.parametrize(
    ("shares", "details"),
    [
        ((), {}),
        ((NewShare(code="787001.SH", name="新股", price=20.0, quantity=500),), {"787001.SH": "500"}),
    ],
)
async def test_new_shares_are_subscribed_for(shares: Any, details: dict[str, str]) -> None:
    """Judged by the list; nothing to do is done as well."""
    async with a_server(new_shares=shares) as (_, gateway):
        await gateway.connect()
        router = router_of(gateway)
        report = await router.perform(an_instruction(), b"")
        assert (report.state, report.details) == (InstructionState.DONE, details)
        found = await router.look_for(an_instruction(), OPEN_NS)
        assert (found is not None) is bool(shares)


# --- a live run ---


class Plan(Strategy):
    """Does one step after another, the next one when the order of the last has come to rest."""

    steps: tuple[Callable[["Plan"], Any], ...] = ()

    def on_start(self) -> None:
        self.heard: list[OrderState] = []
        self.filled = 0
        self.steps[0](self)

    def on_order(self, event: OrderEvent) -> None:  # type: ignore[override]
        self.heard.append(event.state)
        if event.state is OrderState.WORKING and len(self.steps) > 1 and len(self.heard) < 3:
            self.steps[1](self)

    def on_fill(self, fill: Fill) -> None:
        self.filled += fill.quantity


@asynccontextmanager
async def a_run(
    steps: Callable[[Server], tuple[Callable[[Plan], Any], ...]],
    journal: Path,
    **settings: Any,
) -> AsyncIterator[tuple[Server, LiveRun, list[Alert]]]:
    """A live run of one plan over the simulated server, its pauses real on a fast clock."""
    server = Server(LiveClock(speed=100, start_ns=OPEN_NS), settings, {"timeout": "5m"}, ENVIRON)
    alerts: list[Alert] = []
    async with running(server.app) as url:
        kind = type("ThePlan", (Plan,), {"steps": steps(server)})
        instrument = InstrumentId("600000.SH")
        share = server.venue.counter.share("600000")
        assert share is not None
        spec = LiveSpec(
            accounts=(AccountSpec(id=ACCOUNT, gateway="huatai", currency="CNY"),),
            strategies=(
                (
                    ACCOUNT,
                    StrategySpec(
                        name=StrategyId("plan"), make=kind, instruments=(instrument,), bar_interval_ns=MINUTE_NS
                    ),
                ),
            ),
            instruments={instrument: share.instrument},
            books={"china_a": ChinaA()},
            limits=(),
            mode="test",
        )
        run = LiveRun(
            spec,
            clock=server.clock,  # type: ignore[arg-type]
            journal=SqliteJournal(journal),
            gateways={"huatai": server.gateway(url)},
            watchers=((Alert, alerts.append),),
        )
        yield server, run, alerts


def heard(run: LiveRun) -> list[OrderState]:
    return run.core.runner.seats[StrategyId("plan")].strategy.heard  # type: ignore[attr-defined, no-any-return]


def filled(run: LiveRun) -> int:
    seat = run.core.runner.seats.get(StrategyId("plan"))
    return getattr(seat.strategy, "filled", 0) if seat is not None else 0


@pytest.mark.parametrize(
    "settings",
    [{}, {"layer": "G1"}, {"number_name": "委托编号"}, {"deal_numbers": ()}],
    ids=str,
)
async def test_a_purchase_is_filled_and_our_book_equals_the_counters(settings: dict[str, Any], tmp_path: Path) -> None:
    """With a number in the answer or none, with numbered executions or totals only: once, and to the cent."""

    def steps(server: Server) -> tuple[Callable[[Plan], Any], ...]:
        return (lambda plan: plan.buy("600000.SH", 500, float(server.crossing)),)

    async with a_run(steps, tmp_path / "journal.sqlite3", **settings) as (server, run, alerts):
        await trade_until(run, lambda: filled(run) >= 500)
        counter, now_ns = server.venue.counter, server.clock.now_ns
        book = run.core.portfolio.accounts[ACCOUNT]
        assert server.placed() == [("buy", 500)]
        assert filled(run) == 500
        assert book.positions[InstrumentId("600000.SH")].quantity == 2500
        assert book.cash["CNY"] == counter.funds(now_ns).cash
    assert [alert.text for alert in alerts] == []


async def test_an_order_is_cancelled_in_a_live_run(tmp_path: Path) -> None:
    """WORKING by its row or number, then withdrawn, and nothing is left at the counter."""

    def steps(server: Server) -> tuple[Callable[[Plan], Any], ...]:
        return (
            lambda plan: plan.buy("600000.SH", 500, float(server.resting)),
            lambda plan: plan.cancel_all(),
        )

    async with a_run(steps, tmp_path / "journal.sqlite3") as (server, run, _alerts):
        await trade_until(run, lambda: run.ready.is_set() and heard(run)[-1:] == [OrderState.CANCELED])
        assert server.venue.counter.live(server.clock.now_ns) == []
        assert run.core.portfolio.accounts[ACCOUNT].available_cash("CNY") == HELD.cash


@pytest.mark.parametrize(
    ("quirk", "ends"),
    [
        ("placed_without_number", OrderState.WORKING),
        ("refused_text_after_placing", OrderState.WORKING),
        ("success_not_placed", OrderState.NOT_PLACED),
        ("timeout_not_placed", OrderState.NOT_PLACED),
    ],
)
async def test_what_an_answer_does_not_tell_the_account_does(quirk: str, ends: OrderState, tmp_path: Path) -> None:
    """Placed or not, whatever was said: found by its row, or proven absent; sent once."""

    def steps(server: Server) -> tuple[Callable[[Plan], Any], ...]:
        return (lambda plan: plan.buy("600000.SH", 500, float(server.resting)),)

    script = (QuirkTrigger(quirk=quirk, occasion=1),)
    async with a_run(steps, tmp_path / "journal.sqlite3", quirk_script=script) as (server, run, _alerts):
        await trade_until(run, lambda: run.ready.is_set() and heard(run)[-1:] == [ends])
        assert server.placed() == ([("buy", 500)] if ends is OrderState.WORKING else [])


async def test_an_order_that_goes_in_after_our_limit_is_found_and_not_sent_again() -> None:
    """No answer within 30 s, placed by second 45: the server is left alone for ten seconds, then its row is there."""
    script = (QuirkTrigger(quirk="timeout_then_placed", occasion=1),)
    server = Server(LiveClock(speed=29, start_ns=OPEN_NS), {"quirk_script": script, "pauses": 0.0}, {}, ENVIRON)
    async with running(server.app) as url:
        gateway = server.gateway(url)
        await gateway.connect()
        router = router_of(gateway)
        order = an_order(price=server.resting)
        began_ns = server.clock.now_ns
        with pytest.raises(OutcomeUnknown, match="no answer within"):
            await router.submit([order], router.encode([order]))
        assert server.placed() == []
        found = await router.snapshot()
        while not found.orders:
            found = await router.snapshot()
        assert found.as_of_ns - began_ns >= 40 * SECOND_NS
        assert server.placed() == [("buy", 500)]
        assert [(row.quantity, row.status) for row in found.orders] == [(500, Evidence.WORKING)]
        await gateway.close()
