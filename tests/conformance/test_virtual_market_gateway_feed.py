"""Prices and bars of the gateway: against the simulator on a fast clock, and against servers that misbehave."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import pairwise
from typing import Any

import anyio
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from engine.clock import LiveClock
from engine.domain.commands import OrderType, Side
from engine.domain.errors import ConfigError, OutcomeUnknown, Refused
from engine.domain.events import AccountObserved
from engine.domain.ids import InstrumentId
from engine.domain.market import Bar, BarRevision, DataKind, FeedState, FeedStatus, Quote
from engine.domain.order import Evidence
from engine.domain.timestamps import MINUTE_NS, SECOND_NS, datetime_from_ns, parse_time
from engine.entropy import Entropy
from engine.gateways.virtual_market.adapter import VirtualMarketGateway
from engine.gateways.virtual_market.bars import BarLog
from engine.gateways.virtual_market.hours import Hours
from engine.simulators.virtual_market import VirtualMarketSimulator
from tests.gateway_builders import JumpClock, a_gateway, an_order
from tests.simulator_builders import OPEN_NS, running

CY = InstrumentId("CY.VSM")
DL = InstrumentId("DL.VSM")
BAR = 5 * MINUTE_NS


class Published:
    """Events in order; ``until`` waits for a condition."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._news = anyio.Event()

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        self._news.set()
        self._news = anyio.Event()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, true: Callable[[], bool], seconds: float = 20) -> None:
        with anyio.fail_after(seconds):
            while not true():
                await self._news.wait()


@asynccontextmanager
async def feeding(gateway: VirtualMarketGateway) -> AsyncIterator[Published]:
    published = Published()
    async with anyio.create_task_group() as group:
        group.start_soon(gateway.run, published)
        yield published
        group.cancel_scope.cancel()


async def test_bars_are_the_servers_own_one_a_mark_and_quotes_come_between() -> None:
    """Each mark gives one bar per instrument, dated by its end, equal to the exchange's; both quotes carry one price;
    the account is observed."""
    clock = LiveClock(speed=300, start_ns=OPEN_NS)
    app = VirtualMarketSimulator(seed=7).app(clock, Entropy(7))
    async with running(app) as url, a_gateway(url, clock) as gateway:
        await gateway.connect()
        gateway.feed.subscribe(CY, DataKind.BAR, BAR)
        gateway.feed.subscribe(DL, DataKind.BAR, 0)
        gateway.feed.subscribe(CY, DataKind.QUOTE, 0)
        gateway.feed.subscribe(CY, DataKind.QUOTE, 0)
        async with feeding(gateway) as published:
            await published.until(lambda: len(published.of(Bar)) >= 4)
        venue = app.state.venue
        assert venue.limiter.refused == 0
        for instrument in (CY, DL):
            bars = [bar for bar in published.of(Bar) if bar.instrument == instrument]
            assert [bar.ts_ns % BAR for bar in bars] == [0] * len(bars)
            assert [b.ts_ns - a.ts_ns for a, b in pairwise(bars)] == [BAR] * (len(bars) - 1)
            truth = {bar.ts_ns: bar for bar in venue.exchange.stock(instrument[:2]).bars}
            for bar in bars:
                true = truth[bar.ts_ns]
                assert (bar.open, bar.high, bar.low, bar.close) == (true.open, true.high, true.low, true.close)
        assert bars[0].ts_ns > OPEN_NS
        assert {quote.instrument for quote in published.of(Quote)} == {CY}
        assert all(quote.bid == quote.ask > 0 for quote in published.of(Quote))
        assert [status.state for status in published.of(FeedStatus)] == [FeedState.CONNECTED]
        assert published.of(AccountObserved)
        assert not published.of(BarRevision)


async def test_the_account_is_observed_after_each_trade() -> None:
    """A fill does not wait for the minute: the portfolio is read at once."""
    clock = JumpClock(OPEN_NS)
    app = VirtualMarketSimulator(seed=7).app(clock, Entropy(7))
    async with running(app) as url, a_gateway(url, clock, account_poll="1h") as gateway:
        await gateway.connect()
        assert gateway.router is not None
        async with feeding(gateway) as published:
            await published.until(lambda: len(published.of(AccountObserved)) == 1)
            order = an_order(Side.BUY, 100)
            await gateway.router.submit([order], gateway.router.encode([order]))
            await published.until(lambda: len(published.of(AccountObserved)) == 2)
        before, after = (event.snapshot for event in published.of(AccountObserved))
        assert (before.positions, after.positions[0].quantity) == ((), 100)


async def test_a_server_that_goes_and_comes_is_told_once_each_way() -> None:
    """N1, N12: the feed says DISCONNECTED or STALE once, and CONNECTED again; the engine lives."""
    clock = LiveClock(speed=100, start_ns=OPEN_NS)
    broken = False

    async def stocks(_request: Request) -> Response:
        if broken:
            return PlainTextResponse("500 Internal Server Error", 500)
        return JSONResponse([{"stock_id": "CY", "name": "晨宇科技", "current_price": 1}])

    async with (
        running(Starlette(routes=[Route("/api/v1/stocks", stocks)])) as url,
        a_gateway(url, clock, account="") as gateway,
    ):
        assert gateway.router is None
        await gateway.connect()
        gateway.feed.subscribe(CY, DataKind.QUOTE, 0)
        async with feeding(gateway) as published:
            await published.until(lambda: bool(published.of(Quote)))
            broken = True
            await published.until(lambda: len(published.of(FeedStatus)) == 2)
            broken = False
            await published.until(lambda: len(published.of(FeedStatus)) == 3)
    states = [status.state for status in published.of(FeedStatus)]
    assert states == [FeedState.CONNECTED, FeedState.STALE, FeedState.CONNECTED]


def neighbours(bars: list[Bar]) -> list[tuple[Bar, Bar]]:
    """Pairs of bars of marks that follow each other, the second opening where the first closed."""
    return [(one, two) for one, two in pairwise(bars) if two.ts_ns - one.ts_ns == BAR and two.open == one.close]


async def test_the_light_list_alone_still_gives_bars() -> None:
    """Where the server's list of bars fails, bars are built of the prices before and after the mark (contract 5)."""
    clock = LiveClock(speed=300, start_ns=OPEN_NS)

    async def stocks(_request: Request) -> Response:
        price = 10.0 + clock.now_ns // BAR - OPEN_NS // BAR
        return JSONResponse([{"stock_id": "CY", "name": "晨宇科技", "current_price": price}])

    async with (
        running(Starlette(routes=[Route("/api/v1/stocks", stocks)])) as url,
        a_gateway(url, clock, account="") as gateway,
    ):
        gateway.feed.subscribe(CY, DataKind.BAR, BAR)
        async with feeding(gateway) as published:
            # A machine that is busy elsewhere may miss a mark of a clock this fast: then the next pair will do.
            await published.until(lambda: bool(neighbours(published.of(Bar))))
    first, _ = neighbours(published.of(Bar))[0]
    assert (first.high, first.low) == (max(first.open, first.close), min(first.open, first.close))


async def test_subscribing_to_what_is_not_there_is_the_users_mistake() -> None:
    """Kind, interval, venue and instrument are checked with a sentence."""
    async with a_gateway("http://127.0.0.1:1", JumpClock(OPEN_NS), instruments=("CY.VSM",)) as gateway:
        for instrument, kind, interval in (
            (CY, DataKind.TRADE, 0), (CY, DataKind.BAR, MINUTE_NS), (DL, DataKind.QUOTE, 0),
            (InstrumentId("CY.SH"), DataKind.QUOTE, 0),
        ):  # fmt: skip
            with pytest.raises(ConfigError):
                gateway.feed.subscribe(instrument, kind, interval)


async def test_instruments_and_history_are_the_servers() -> None:
    """Static data names the game market's rules and currency; history gives the last closed bars in order."""
    clock = JumpClock(OPEN_NS)
    app = VirtualMarketSimulator(seed=7).app(clock, Entropy(7))
    async with running(app) as url, a_gateway(url, clock, account="") as gateway:
        found = {instrument.id: instrument for instrument in await gateway.instruments()}
        assert (found[CY].market, found[CY].currency, found[CY].name) == ("virtual", "COIN", "晨宇科技")
        bars = await gateway.history(CY, 300)
        assert len(bars) == 300
        assert bars[-1].ts_ns == OPEN_NS - 30 * SECOND_NS
        assert bars == sorted(bars, key=lambda bar: bar.ts_ns)


def a_bar(minute: int, close: float = 2.0, high: float = 3.0) -> Bar:
    return Bar(CY, minute * MINUTE_NS, 1.0, high, 0.5, close, 0.0, BAR)


def test_a_changed_bar_is_a_revision_and_a_gap_is_filled_in_order() -> None:
    """Bars go out once; one that changed at its source is told with both versions; open ones wait."""
    log = BarLog("vm")
    assert log.from_server(CY, [a_bar(5), a_bar(10)], 10 * MINUTE_NS) == []
    assert log.wanted(CY, 25 * MINUTE_NS) == 4
    found = log.from_server(CY, [a_bar(10), a_bar(15), a_bar(20), a_bar(25)], 20 * MINUTE_NS)
    assert found == [a_bar(15), a_bar(20)]
    (revision,) = log.from_server(CY, [a_bar(15, close=2.5), a_bar(20)], 20 * MINUTE_NS)
    assert revision == BarRevision(feed="vm", old=a_bar(15), new=a_bar(15, close=2.5))
    assert log.from_server(CY, [a_bar(15, close=2.5)], 20 * MINUTE_NS) == []


def test_a_bar_of_two_prices_is_revised_for_its_prices_not_for_its_wicks() -> None:
    """What two polled prices can not know is no revision; a close that differs is one."""
    log = BarLog("vm")
    assert log.from_price(CY, 5 * MINUTE_NS, 1.0) == []
    log.price(CY, 1.0)
    (bar,) = log.from_price(CY, 5 * MINUTE_NS, 2.0)
    assert (bar.open, bar.high, bar.low, bar.close) == (1.0, 2.0, 1.0, 2.0)
    assert log.from_price(CY, 5 * MINUTE_NS, 2.0) == []
    assert log.from_server(CY, [a_bar(5, high=9.0)], 5 * MINUTE_NS) == []
    assert len(log.from_server(CY, [a_bar(5, close=2.5)], 5 * MINUTE_NS)) == 1


def test_backfill_is_published_at_the_start_when_asked_for() -> None:
    """``backfill_bars`` bars before the start go out first, oldest first."""
    log = BarLog("vm", backfill=2)
    assert log.wanted(CY, 0) == 3
    assert log.from_server(CY, [a_bar(5), a_bar(10), a_bar(15)], 15 * MINUTE_NS) == [a_bar(10), a_bar(15)]


@pytest.mark.parametrize(
    ("now", "tick"),
    [("2026-03-02 10:04:59", "2026-03-02 10:00:00"), ("2026-03-02 08:00:00", "2026-03-02 08:00:00"),
     ("2026-03-02 07:59:59", "2026-03-01 23:55:00"), ("2026-03-03 00:00:00", "2026-03-02 23:55:00")],
)  # fmt: skip
def test_the_last_tick_is_found_across_the_night(now: str, tick: str) -> None:
    """192 marks a day, 08:00 to 23:55 (contract 4)."""
    assert datetime_from_ns(Hours().last_tick_ns(parse_time(now, "Asia/Shanghai"))) == datetime_from_ns(
        parse_time(tick, "Asia/Shanghai")
    )


def a_venue(
    *answers: Response, portfolios: list[dict[str, Any]] | None = None, trades: list[bytes] | None = None
) -> Starlette:
    """A server that gives these answers to trades, in turn."""
    left = list(answers)
    shown = portfolios or []

    async def login(_request: Request) -> Response:
        return JSONResponse({"access_token": "a.b.c", "token_type": "bearer", "user_id": "1", "login_id": "x"})

    async def stocks(_request: Request) -> Response:
        return JSONResponse([{"stock_id": "CY", "name": "晨宇科技", "current_price": 10.0}])

    async def portfolio(_request: Request) -> Response:
        return JSONResponse(shown.pop(0) if len(shown) > 1 else shown[0])

    async def trade(request: Request) -> Response:
        if trades is not None:
            trades.append(await request.body())
        return left.pop(0)

    return Starlette(
        routes=[
            Route("/api/auth/login", login, methods=["POST"]),
            Route("/api/v1/stocks", stocks),
            Route("/api/v1/portfolio", portfolio),
            Route("/api/v1/trade/{action}", trade, methods=["POST"]),
        ]
    )


def a_portfolio(coins: int, quantity: int = 0) -> dict[str, Any]:
    row = {"stock_id": "CY", "name": "晨宇科技", "quantity": quantity, "avg_cost": 10, "market_value": quantity * 10.0}
    return {
        "user_id": "1", "total_assets": coins + quantity * 10, "coins": coins, "stock_value": quantity * 10,
        "holdings_count": bool(quantity), "holdings_detailed": [row] if quantity else [],
    } | {"holdings_count": int(bool(quantity))}  # fmt: skip


SAID = JSONResponse({"success": True, "message": "好了"})


@pytest.mark.parametrize(
    ("type_", "side", "before", "after", "quantity", "price", "kinds"),
    [
        (OrderType.MARKET, Side.BUY, (5000, 0), (3990, 100), 100, "10.1", "ack fill"),
        (OrderType.MARKET, Side.BUY, (5000, 0), (0, 100), 100, "10", "ack fill"),  # not credible: the polled price
        (OrderType.ALL_IN, Side.BUY, (500, 0), (5, 45), 45, "11", "ack fill canceled"),
        (OrderType.SELL_ALL, Side.SELL, (0, 60), (495, 10), 50, "10", "ack fill canceled"),
        (OrderType.LIQUIDATE, Side.SELL, (0, 60), (594, 0), 60, "10", "ack fill canceled"),
    ],
)
async def test_a_success_whose_words_changed_is_never_dropped(
    type_: OrderType, side: Side, before: tuple[int, int], after: tuple[int, int], quantity: int, price: str, kinds: str
) -> None:
    """Contract 7, fill derivation: holdings and coins before and after, and at last the polled price."""
    app = a_venue(SAID, portfolios=[a_portfolio(*before), a_portfolio(*after)])
    async with running(app) as url, a_gateway(url, JumpClock(OPEN_NS)) as gateway:
        await gateway.connect()
        assert gateway.router is not None
        order = an_order(side, 100, type=type_)
        reports = await gateway.router.submit([order], gateway.router.encode([order]))
        assert " ".join(report.kind for report in reports) == kinds
        fill = next(report for report in reports if report.kind is Evidence.FILL)
        assert fill.quantity == quantity
        assert fill.price is not None
        assert abs(fill.price - Decimal(price)) < Decimal("0.01")


async def test_a_success_of_unknown_size_is_unknown() -> None:
    """All-in with unread words and no change to be seen: the core must look for evidence."""
    app = a_venue(SAID, portfolios=[a_portfolio(500)])
    async with running(app) as url, a_gateway(url, JumpClock(OPEN_NS)) as gateway:
        await gateway.connect()
        assert gateway.router is not None
        order = an_order(Side.BUY, 100, type=OrderType.ALL_IN)
        with pytest.raises(OutcomeUnknown, match="no matching change"):
            await gateway.router.submit([order], gateway.router.encode([order]))


REFUSED = [
    (400, '{"success": false, "message": "x"}'), (401, '{"error": "Token已过期"}'), (404, "404: Not Found"),
    (429, '{"error": "Too Many Requests", "message": "Rate limit exceeded."}'), (400, '{"error": "无效的请求体: x"}'),
]  # fmt: skip
UNKNOWN = [
    (500, '{"success": false, "message": "x"}'), (403, '{"success": false, "message": "x"}'),
    (500, "500 Internal Server Error"), (500, '{"error": "服务器内部错误"}'), (502, "<html>"), (200, ""),
    (200, "<html>"),
    (200, '{"success": 1, "message": ""}'), (200, '{"success": true}'), (200, "[]"), (429, "<html>slow down</html>"),
    (429, '{"error": "Too Many Requests"}'), (400, '{"error": "x"}'), (400, "bad"), (302, ""), (408, ""), (201, "{}"),
    (400, '{"success": true, "message": ""}'), (403, '{"error": "x"}'), (200, '{"success": true, "message": NaN}'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [(*case, Refused) for case in REFUSED] + [(*case, OutcomeUnknown) for case in UNKNOWN],
)
async def test_only_proof_is_a_refusal(status: int, body: str, error: type[Exception]) -> None:
    """RELIABILITY 3.4, 3.5: 400 with success:false, 401, 404 and the limiter's exact 429; all else is unknown, and
    every order is sent exactly once."""
    trades: list[bytes] = []
    app = a_venue(Response(body, status), portfolios=[a_portfolio(5000)], trades=trades)
    async with running(app) as url, a_gateway(url, JumpClock(OPEN_NS)) as gateway:
        await gateway.connect()
        assert gateway.router is not None
        order = an_order()
        with pytest.raises(error) as caught:
            await gateway.router.submit([order], gateway.router.encode([order]))
        assert type(caught.value) is error
        assert [msgspec.json.decode(sent) for sent in trades] == [{"stock_id": "CY", "quantity": 100}]


async def test_zero_coins_out_of_nowhere_are_not_believed_at_once() -> None:
    """Contract 6: the server says 0 when its economy service is down; balances then count as not read."""
    app = a_venue(portfolios=[a_portfolio(500, 5), a_portfolio(0, 5), a_portfolio(500, 5), *[a_portfolio(0, 5)] * 6])
    async with running(app) as url, a_gateway(url, JumpClock(OPEN_NS)) as gateway:
        assert gateway.router is not None
        read = [(await gateway.router.snapshot()).balances for _ in range(9)]
    assert [balances is not None for balances in read] == [True, False, True, *[False] * 5, True]
