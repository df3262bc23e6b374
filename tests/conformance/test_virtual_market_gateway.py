"""The gateway against the simulated virtual market over real sockets: whole flows, and every way they can go wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
import pytest

from engine.clock import Clock
from engine.domain.account import CancelScope
from engine.domain.commands import OrderType, Side
from engine.domain.errors import ConfigError, GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.order import Evidence, Order, OrderReport
from engine.domain.timestamps import HOUR_NS, MINUTE_NS
from engine.entropy import Entropy
from engine.gateways.virtual_market.adapter import VirtualMarketGateway
from engine.simulators.faults import Fault, Faults, Trigger
from engine.simulators.virtual_market import VirtualMarket as Venue
from engine.simulators.virtual_market import VirtualMarketSimulator
from engine.simulators.virtual_market.tokens import Tokens
from tests.gateway_builders import ENVIRON, JumpClock, Notes, a_gateway, an_order, closed_port
from tests.simulator_builders import CLOSED_NS, OPEN_NS, running

CHAT_ID = "1481273488"


@asynccontextmanager
async def a_market(
    *, clock: Clock | None = None, connect: bool = True, note: Notes | None = None,
    environ: dict[str, str] | None = None, gateway: dict[str, Any] | None = None, **simulator: Any,
) -> AsyncIterator[tuple[VirtualMarketGateway, Venue, JumpClock]]:  # fmt: skip
    clock = clock or JumpClock(OPEN_NS)
    app = VirtualMarketSimulator(**({"seed": 7, "rate_limits": "off"} | simulator)).app(clock, Entropy(7))
    async with (
        running(app) as url,
        a_gateway(url, clock, note=note, environ=environ, **(gateway or {})) as made,
    ):
        if connect:
            await made.connect()
        yield made, app.state.venue, clock  # type: ignore[misc]


async def sent(gateway: VirtualMarketGateway, *orders: Any) -> list[OrderReport]:
    assert gateway.router is not None
    return list(await gateway.router.submit(orders, gateway.router.encode(orders)))


def held(venue: Venue, code: str) -> int:
    return venue.ledger.holdings(CHAT_ID).get(code, 0)


async def test_login_buy_lock_and_sale() -> None:
    """A buy fills at once, its lot is locked for an hour, then sells; fills and fees are the ledger's own."""
    async with a_market() as (gateway, venue, clock):
        before = venue.ledger.coins(CHAT_ID)
        ack, fill = await sent(gateway, an_order(Side.BUY, 100))
        assert (ack.kind, fill.kind) == (Evidence.ACK, Evidence.FILL)
        assert (fill.quantity, fill.fill_id, fill.fee) == (100, "s-1", 0)
        assert before - venue.ledger.coins(CHAT_ID) == int(fill.price * 100)
        assert gateway.router is not None
        snapshot = await gateway.router.snapshot()
        assert snapshot.positions is not None
        assert [(row.instrument, row.quantity, row.sellable) for row in snapshot.positions] == [("CY.VSM", 100, 0)]
        with pytest.raises(Refused, match="not enough sellable shares") as refused:
            await sent(gateway, an_order(Side.SELL, 40, client_id="s-2"))
        assert refused.value.retry_after_ns is not None
        assert 59 * MINUTE_NS < refused.value.retry_after_ns <= HOUR_NS
        clock.jump(HOUR_NS + MINUTE_NS)
        coins = venue.ledger.coins(CHAT_ID)
        _, sale = await sent(gateway, an_order(Side.SELL, 40, client_id="s-3"))
        net = sale.price * 40 - sale.fee
        assert venue.ledger.coins(CHAT_ID) - coins == int(net)
        snapshot = await gateway.router.snapshot()
        assert snapshot.positions is not None
        assert (snapshot.positions[0].quantity, snapshot.positions[0].sellable) == (60, 60)
        assert snapshot.balances is not None
        assert snapshot.balances[0].available == venue.ledger.coins(CHAT_ID)
        assert (snapshot.orders, snapshot.fills) == (None, None)


async def test_evidence_makes_whole_orders() -> None:
    """The reports, joined by the core's own order, end FILLED, or CANCELED with the rest an all-in never meant."""
    async with a_market() as (gateway, venue, clock):
        for request in (an_order(Side.BUY, 7), an_order(Side.BUY, 10**6, type=OrderType.ALL_IN, client_id="s-2")):
            order = Order(request)
            order.apply(OrderReport(account=request.account, kind=Evidence.RISK_OK, ts_ns=1))
            order.apply(OrderReport(account=request.account, kind=Evidence.SEND, ts_ns=1))
            for report in await sent(gateway, request):
                order.apply(report)
            assert order.state == ("filled" if request.type is OrderType.MARKET else "canceled")
        assert held(venue, "CY") == 7 + order.cum
        assert venue.ledger.coins(CHAT_ID) < 50
        clock.jump(HOUR_NS + MINUTE_NS)
        reports = await sent(gateway, an_order(Side.SELL, 10**6, type=OrderType.SELL_ALL, client_id="s-3"))
        assert [report.kind for report in reports] == [Evidence.ACK, Evidence.FILL, Evidence.CANCELED]
        assert reports[1].quantity == reports[2].cum == 7 + order.cum


async def test_a_liquidation_is_one_request_and_a_fill_a_line() -> None:
    """Two stocks are sold by one call; an order for a third that is not held is withdrawn unfilled."""
    async with a_market() as (gateway, venue, clock):
        for number, code in enumerate(("CY", "DL")):
            await sent(gateway, an_order(Side.BUY, 10 + number, instrument=f"{code}.VSM", client_id=f"b-{code}"))
        clock.jump(HOUR_NS + MINUTE_NS)
        requests, coins = venue.requests, venue.ledger.coins(CHAT_ID)
        orders = [
            an_order(
                Side.SELL, 50, instrument=f"{code}.VSM", type=OrderType.LIQUIDATE, client_id=f"l-{code}", group="g"
            )
            for code in ("CY", "DL", "ZY")
        ]
        assert gateway.router is not None
        assert gateway.router.encode(orders) == b""
        reports = await sent(gateway, *orders)
        assert venue.requests == requests + 1
        fills = {report.client_id: report for report in reports if report.kind is Evidence.FILL}
        assert {name: fill.quantity for name, fill in fills.items()} == {"l-CY": 10, "l-DL": 11}
        assert [r.cum for r in reports if r.kind is Evidence.CANCELED] == [10, 11, 0]
        income = sum((fill.price * fill.quantity - (fill.fee or 0) for fill in fills.values()), Decimal(0))
        assert abs(venue.ledger.coins(CHAT_ID) - coins - income) <= 2


async def test_refusals_of_the_venue_are_refused_with_their_reason() -> None:
    """Closed, no coins, unknown stock: nothing is booked and the reason is in both languages."""
    async with a_market() as (gateway, venue, _):
        with pytest.raises(Refused, match=r"not enough coins: .*金币不足"):
            await sent(gateway, an_order(Side.BUY, 10**7))
        with pytest.raises(Refused, match="unknown stock"):
            await sent(gateway, an_order(Side.BUY, 1, instrument="XX.VSM"))
        with pytest.raises(Refused, match="nothing unlocked"):
            await sent(gateway, an_order(Side.SELL, 1, type=OrderType.SELL_ALL))
        assert held(venue, "CY") == 0
    async with a_market(clock=JumpClock(CLOSED_NS)) as (gateway, _, _):
        with pytest.raises(Refused, match=r"market closed: .*已休市"):
            await sent(gateway, an_order())


@pytest.mark.parametrize(
    ("fault", "booked"),
    [(Fault.DROP_BEFORE, 0), (Fault.DROP_AFTER, 100), (Fault.ERROR_BEFORE, 0), (Fault.ERROR_AFTER, 100),
     (Fault.MALFORMED, 100), (Fault.CUT, 100)],
)  # fmt: skip
async def test_a_lost_or_unreadable_answer_is_unknown_and_never_repeated(fault: Fault, booked: int) -> None:
    """N2 to N4, N12, N13: the order is sent once, and what became of it is left to the evidence."""
    faults = Faults(script=(Trigger(call=1, fault=fault, route="trade"),))
    async with a_market(faults=faults) as (gateway, venue, _):
        requests = venue.requests
        with pytest.raises(OutcomeUnknown):
            await sent(gateway, an_order(Side.BUY, 100))
        assert venue.faults.fired[fault] == 1
        assert held(venue, "CY") == booked
        assert venue.requests - requests <= 1


async def test_the_limiters_own_429_is_a_refusal_and_slows_us_down() -> None:
    """N10: nothing was done, the reason is throttled, and the next order waits for its place."""
    faults = Faults(script=(Trigger(call=1, fault=Fault.THROTTLED, route="trade"),))
    async with a_market(faults=faults) as (gateway, venue, _):
        with pytest.raises(Refused, match="throttled") as refused:
            await sent(gateway, an_order())
        assert refused.value.retry_after_ns is not None
        assert refused.value.retry_after_ns >= 5_000_000_000
        assert held(venue, "CY") == 0
        # What comes next finds no place at once.
        with anyio.move_on_after(0.1) as scope:
            await sent(gateway, an_order(client_id="s-2"))
        assert scope.cancelled_caught
        assert held(venue, "CY") == 0


async def test_a_trade_refused_for_its_token_is_not_repeated_and_the_next_call_logs_in() -> None:
    """N11: 401 on an order is a refusal; the order is not sent again by the login."""
    async with a_market() as (gateway, venue, _):
        venue.tokens = Tokens("another", 14)
        with pytest.raises(Refused, match="login"):
            await sent(gateway, an_order())
        assert held(venue, "CY") == 0
        await sent(gateway, an_order(client_id="s-2"))
        assert held(venue, "CY") == 100


async def test_a_read_refused_for_its_token_logs_in_once_and_repeats() -> None:
    """N11: several reads at once make one login, and each gets its answer."""
    async with a_market() as (gateway, venue, _):
        venue.tokens = Tokens("another", 14)
        requests = venue.requests
        async with anyio.create_task_group() as group:
            for _n in range(3):
                group.start_soon(gateway.client.portfolio)
        # Three refused, one login, three repeated.
        assert venue.requests - requests == 7


async def test_a_token_is_renewed_before_it_ends() -> None:
    """Fourteen days on, calls go on without a 401: less than a day left means a new login."""
    async with a_market() as (gateway, venue, clock):
        old = await gateway.client.session.headers()
        clock.jump(12 * 24 * HOUR_NS)
        assert await gateway.client.session.headers() == old
        clock.jump(25 * HOUR_NS)
        requests = venue.requests
        await gateway.client.portfolio()
        assert venue.requests - requests == 2
        assert await gateway.client.session.headers() != old


async def test_a_pasted_token_is_enough() -> None:
    """Without a password the token of the environment is used; one that is over asks for another in words."""
    async with a_market(connect=False) as (gateway, venue, clock):
        token = venue.tokens.issue(CHAT_ID, "TimeXingjian", clock.now_ns)
        base = gateway._settings.base_url
        async with a_gateway(base, clock, environ={"SLUICE_VM_TOKEN": token}) as pasted:
            await pasted.connect()
            await sent(pasted, an_order(Side.BUY, 5))
            assert held(venue, "CY") == 5
            clock.jump(15 * 24 * HOUR_NS)
            with pytest.raises(NotSent, match="not logged in"):
                await sent(pasted, an_order(Side.BUY, 5, client_id="s-2"))
            assert held(venue, "CY") == 5


async def test_user_mistakes_are_one_sentence() -> None:
    """No credentials, a wrong password, an unknown instrument, a bad span: ConfigError."""
    with pytest.raises(ConfigError, match="SLUICE_VM_USER"):
        async with a_market(environ={}):
            pass
    with pytest.raises(ConfigError, match=r"not logged in: .*登录名或密码错误"):
        async with a_market(environ=ENVIRON | {"SLUICE_VM_PASSWORD": "wrong"}):
            pass
    for settings, words in (
        ({"instruments": ("QQ.VSM",)}, "no instrument QQ.VSM"),
        ({"poll": "soon"}, "poll"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"background_calls": 29}, "background_calls"),
        ({"open_hour": 25}, "open_hour"),
    ):
        with pytest.raises(ConfigError, match=words):
            async with a_market(gateway=settings):
                pass


async def test_nobody_there_is_not_sent() -> None:
    """N1: with no server the order never left, even though the login came first."""
    async with a_gateway(f"http://127.0.0.1:{closed_port()}", JumpClock(OPEN_NS)) as gateway:
        with pytest.raises(NotSent):
            await sent(gateway, an_order())
        with pytest.raises(GatewayError):
            await gateway.connect()


async def test_orders_the_venue_does_not_know_do_not_leave() -> None:
    """Limit orders, codes of digits, mixed groups and all-in sales are given back before the first byte."""
    async with a_market() as (gateway, venue, _):
        requests = venue.requests
        for orders in (
            [an_order(type=OrderType.LIMIT)],
            [an_order(instrument="1.VSM")],
            [an_order(), an_order(client_id="s-2")],
            [an_order(Side.SELL, type=OrderType.ALL_IN)],
        ):
            with pytest.raises(NotSent):
                await sent(gateway, *orders)
        assert venue.requests == requests
        assert gateway.router is not None
        assert gateway.router.encode([an_order(Side.BUY, 100)]) == b'{"stock_id":"CY","quantity":100}'
        assert gateway.router.encode([an_order(type=OrderType.ALL_IN)]) == b'{"stock_identifier":"CY"}'


async def test_cancel_and_replace_are_rejected_with_a_reason() -> None:
    """The venue has neither; the sheet says so and the answers are evidence, not errors."""
    async with a_market(connect=False) as (gateway, _, _):
        assert gateway.router is not None
        sheet = gateway.router.capabilities()
        assert (sheet.cancel_scope, sheet.in_flight_max, sheet.in_flight_scope) == (CancelScope.NONE, 1, "account")
        assert sheet.max_lag_ns == 3_000_000_000
        order = Order(an_order())
        (cancel,) = await gateway.router.cancel(order)
        (replace,) = await gateway.router.replace(order, 1, None)
        assert (cancel.kind, replace.kind) == (Evidence.CANCEL_REJECT, Evidence.REPLACE_REJECT)
        assert "no cancel" in cancel.reason


async def test_the_shared_counter_never_refuses_us() -> None:
    """With the server's real limits on, reads and orders as fast as the budget lets them: not one 429."""
    async with a_market(rate_limits="shared") as (gateway, venue, _):
        with anyio.move_on_after(1):
            async with anyio.create_task_group() as group:
                for number in range(30):
                    group.start_soon(gateway.client.stocks)
                    if number % 6 == 0:
                        group.start_soon(sent, gateway, an_order(Side.BUY, 1, client_id=f"s-{number}"))
        refused = venue.limiter.refused
        assert refused == 0
        assert held(venue, "CY") == 5


async def test_every_endpoint_can_be_called_by_name() -> None:
    """The reads answer plain values; wrong names and arguments are ConfigError with the way to write them."""
    async with a_market() as (gateway, venue, clock):
        arguments = {
            "stock": {"stock": "CY"},
            "details": {"stock": "晨宇科技"},
            "kline": {"stock": "CY", "padding": "-286"},
            "user_hash": {"qq_id": CHAT_ID},
            "ranking": {"limit": "3"},
        }
        # First the two that need few calls before them; the budget holds whatever the server's limits are.
        for route in ("details", "token", *sorted(gateway.reads() - {"details", "token"})):
            assert await gateway.call(route, arguments.get(route, {})), route
        assert len((await gateway.call("kline", arguments["kline"]))["kline_history"]) == 2
        bought = await gateway.call("buy", {"stock": "CY", "quantity": "3"})
        assert bought["success"] is True
        assert held(venue, "CY") == 3
        clock.jump(2 * MINUTE_NS)
        assert (await gateway.call("register", {"user": "new", "password": "secret123"}))["success"] is True
        assert set(gateway.routes()) - gateway.reads() == {
            "login", "register", "forgot_password", "reset_password", "buy", "sell", "buy_all_in", "sell_all_stock",
            "sell_all_portfolio",
        }  # fmt: skip
        wrong: list[tuple[str, dict[str, str]]] = [
            ("nope", {}),
            ("stock", {}),
            ("stock", {"stock": "CY", "x": "1"}),
            ("buy", {"stock": "CY", "quantity": "x"}),
            ("kline", {"stock": "CY", "padding": "-288"}),
            ("kline", {"stock": "CY", "period": "2d"}),
        ]
        for route, args in wrong:
            with pytest.raises(ConfigError):
                await gateway.call(route, args)


async def test_no_secret_is_noted_or_shown_in_errors() -> None:
    """I12: neither password nor token turns up in what the gateway notes or raises."""
    note = Notes()
    faults = Faults(script=(Trigger(call=1, fault=Fault.MALFORMED, route="trade"),))
    async with a_market(faults=faults, note=note) as (gateway, _, _):
        headers = await gateway.client.session.headers()
        with pytest.raises(OutcomeUnknown) as caught:
            await sent(gateway, an_order())
    shown = repr(note.lines) + repr(caught.value) + repr(gateway.client.session)
    assert headers["authorization"].removeprefix("Bearer ") not in shown
    assert "your_password" not in shown
