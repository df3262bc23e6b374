"""The EasyTHS gateway against the simulated server, in virtual time: what it reads is what the counter knows.

Their own HTTP on both sides, over the simulation's loop: an operation takes its seconds, and no test does.
"""

import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from engine.chaos.world import World, serve, simulated
from engine.clock import Clock
from engine.domain.account import AccountSnapshot
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.errors import GatewayError, OutcomeUnknown, Refused
from engine.domain.evidence import Evidence
from engine.domain.instructions import CancelConditions, ConditionBuy, InstructionState, ReverseRepo, StopLossProfit
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.gateways.easyths.adapter import Easyths, EasythsGateway
from engine.gateways.easyths.router import EasythsRouter
from engine.simulators.counter import Entrust
from engine.simulators.easyths import EasythsSimulator, EasythsVenue
from engine.simulators.easyths.quirks import Quirk
from tests.easyths_builders import ACCOUNT, a_working_order, an_instruction, an_order, router_of, sent
from tests.easyths_simulator_builders import BOND, FUND, OPEN_NS, PUDONG, SETTINGS, a_bare_market, played
from tests.gateway_builders import surroundings

KEY = "sim-key"
PORT = 7648
IDS = ("600000.SH", "000001.SZ", "510300.SH", "113052.SH", "688981.SH")


class Pair:
    """A gateway and the server it talks to, on one clock."""

    def __init__(self, gateway: EasythsGateway, venue: EasythsVenue, clock: Clock) -> None:
        self.gateway = gateway
        self.venue = venue
        self.clock = clock

    @property
    def router(self) -> EasythsRouter:
        return router_of(self.gateway)

    def entrusts(self) -> list[Entrust]:
        return self.venue.counter.entrusts(self.clock.now_ns)

    def price(self, factor: str, code: str = PUDONG, step: str = "0.01") -> str:
        """A price beside the market."""
        share = self.venue.counter.share(code)
        assert share is not None
        self.venue.now_ns()
        return str((self.venue.counter.last(share) * Decimal(factor)).quantize(Decimal(step)))

    async def whole(self) -> AccountSnapshot:
        """The next reading that is whole."""
        for _ in range(6):
            snapshot = await self.router.snapshot()
            if snapshot.whole:
                return snapshot
        raise AssertionError("no reading was whole")

    async def buy(self, factor: str = "0.95", **more: Any) -> SubmitOrder:
        order = an_order(price=self.price(factor), **more)
        await sent(self.router, order)
        return order


def in_virtual_time(scenario: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A test whose coroutine is given a world, and runs on the loop of it."""

    @functools.wraps(scenario)
    def run(**given: Any) -> None:
        outcome = simulated(lambda world: scenario(world, **given), seed=8, wall_start_ns=OPEN_NS)
        assert outcome.findings == ()

    signature = inspect.signature(scenario)
    del run.__wrapped__  # type: ignore[attr-defined]
    run.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=list(signature.parameters.values())[1:]
    )
    return run


@asynccontextmanager
async def a_pair(world: World, **simulator: Any) -> AsyncIterator[Pair]:
    """A gateway that is connected to a server of these settings."""
    clock = world.clock()
    made = EasythsSimulator(**(SETTINGS | {"api_key": KEY} | simulator))
    app = made.app(clock, Entropy(7), exchange=a_bare_market(OPEN_NS))
    server = world.start("server", serve, app, PORT)
    settings = Easyths(base_url=f"http://127.0.0.1:{PORT}", account=ACCOUNT, instruments=IDS)
    gateway = settings.open(surroundings(clock, {"API_KEY": KEY}))
    await clock.sleep(SECOND_NS)
    try:
        await gateway.connect()
        yield Pair(gateway, app.state.venue, clock)
    finally:
        await gateway.close()
        server.stop()
        await server.ended()


def told(snapshot: AccountSnapshot) -> list[tuple[str, str, int, int, Decimal | None]]:
    return sorted(
        (str(row.venue_id).partition("-")[2], str(row.instrument), row.quantity, row.cum, row.price)
        for row in snapshot.orders or ()
    )


def true(entrusts: list[Entrust]) -> list[tuple[str, str, int, int, Decimal | None]]:
    return sorted((str(e.number), e.code, e.quantity, e.filled, e.price) for e in entrusts)


@pytest.mark.parametrize("generation", ["new", "old"])
@pytest.mark.parametrize("document_fields", [False, True])
@in_virtual_time
async def test_it_connects_and_reads_what_the_counter_knows(
    world: World, generation: str, document_fields: bool
) -> None:
    """Both generations, with the document's own fields or without; holdings and money to the cent."""
    async with a_pair(world, generation=generation, document_fields=document_fields, separators="always") as pair:
        assert pair.gateway.client.is_newer is (generation == "new")
        snapshot = await pair.whole()
        counter, now = pair.venue.counter, pair.clock.now_ns
        funds = counter.funds(now)
        (balance,) = snapshot.balances or ()
        assert (balance.total, balance.available) == (funds.cash, funds.available)
        held = {str(p.instrument): (p.quantity, p.sellable) for p in snapshot.positions or ()}
        assert held == {h.code: (h.quantity, h.sellable) for h in counter.holdings(now)}
        assert snapshot.orders == ()


@pytest.mark.parametrize("generation", ["new", "old"])
@in_virtual_time
async def test_an_order_goes_from_its_row_to_its_fill(world: World, generation: str) -> None:
    """No evidence from the answer; then a row that works, then one that is filled, both with the counter's number."""
    async with a_pair(world, generation=generation) as pair:
        order = await pair.buy("0.97")
        working = await pair.whole()
        assert told(working) == true(pair.entrusts())
        (row,) = working.orders or ()
        assert (row.status, row.side, row.cum) == (Evidence.WORKING, Side.BUY, 0)
        assert abs(row.ts_ns - order.ts_ns) < 10 * SECOND_NS or row.ts_ns >= OPEN_NS
        share = pair.venue.counter.share(PUDONG)
        assert share is not None
        pair.venue.exchange.set_price(share.code, float(order.price or 0) * 0.98, pair.clock.now_ns)
        await pair.clock.sleep(10 * SECOND_NS)
        filled = await pair.whole()
        (row,) = filled.orders or ()
        (entrust,) = pair.entrusts()
        assert (row.status, row.cum) == (Evidence.FILL, 300)
        assert row.average_price == entrust.average.quantize(Decimal("0.001"))
        bought = next(p for p in filled.positions or () if p.instrument == "600000.SH")
        assert (bought.quantity, bought.sellable) == (2300, 2000)


@in_virtual_time
async def test_sales_funds_and_market_orders_are_placed_as_asked(world: World) -> None:
    """Three decimals for funds, lots of ten for bonds, both sides, the market."""
    async with a_pair(world) as pair:
        orders = [
            an_order(Side.SELL, 500, pair.price("1.05"), client_id="s-1"),
            an_order(Side.BUY, 1000, pair.price("0.97", FUND, "0.001"), instrument="510300.SH", client_id="s-2"),
            an_order(Side.BUY, 20, pair.price("0.97", BOND, "0.001"), instrument="113052.SH", client_id="s-3"),
            an_order(Side.BUY, 200, None, instrument="688981.SH", kind=OrderType.MARKET, client_id="s-4"),
            an_order(Side.SELL, 300, None, instrument="000001.SZ", kind=OrderType.MARKET, client_id="s-5"),
        ]
        for order in orders:
            assert await sent(pair.router, order) == ()
        snapshot = await pair.whole()
        assert told(snapshot) == true(pair.entrusts())
        assert [(e.code, e.side, e.quantity, e.price) for e in pair.entrusts()] == [
            (o.instrument, o.side, o.quantity, o.price) for o in orders
        ]


@pytest.mark.parametrize("generation", ["new", "old"])
@in_virtual_time
async def test_what_the_counter_refuses_is_refused_with_its_words(world: World, generation: str) -> None:
    """No money: a window, whose text is the reason."""
    async with a_pair(world, generation=generation) as pair:
        await pair.gateway.connect()
        with pytest.raises(Refused, match="资金不足"):
            await sent(pair.router, an_order(quantity=1_000_000, price=pair.price("1.0")))
        assert pair.entrusts() == []


PLACED = {
    Quirk.FAILED_AFTER_PLACING: (OutcomeUnknown, 1),
    Quirk.FAILED_WITH_SUCCESS_TEXT: (OutcomeUnknown, 0),
    Quirk.ERROR_BEFORE_PLACING: (OutcomeUnknown, 0),
    Quirk.ERROR_AFTER_PLACING: (OutcomeUnknown, 1),
    Quirk.SUCCESS_WITHOUT_ORDER: (None, 0),
    Quirk.NULL_RESULT_GAP: (None, 1),
    # It hangs for longer than an operation may take, and goes on then.
    Quirk.SLOW_DIALOG: (OutcomeUnknown, 1),
    Quirk.UNSERIALISABLE_RESULT: (OutcomeUnknown, 1),
}


@pytest.mark.parametrize("quirk", PLACED)
@in_virtual_time
async def test_whatever_the_answer_says_the_list_tells(world: World, quirk: Quirk) -> None:
    """Neither yes nor no is believed; the next whole reading has exactly the counter's orders."""
    kind, count = PLACED[quirk]
    async with a_pair(world) as pair:
        await pair.router.snapshot()
        pair.venue.quirks.script.extend(played_now(pair, quirk))
        if kind is None:
            await pair.buy()
        else:
            with pytest.raises(kind):
                await pair.buy()
        assert pair.venue.quirks.fired[quirk] == 1
        assert told(await pair.whole()) == true(pair.entrusts())
        assert len(pair.entrusts()) == count


def played_now(pair: Pair, *quirks: str) -> list[Any]:
    """Each quirk on its next occasion."""
    occasions: Any = pair.venue.quirks._occasions
    return [
        type(trigger)(quirk=trigger.quirk, occasion=occasions[Quirk(trigger.quirk)] + 1) for trigger in played(*quirks)
    ]


@pytest.mark.parametrize(
    ("quirk", "kind"),
    [
        (Quirk.EMPTY_TABLE, None),
        (Quirk.REPEATED_ROWS, None),
        (Quirk.HISTORY_UNSUPPORTED, None),
        (Quirk.SHIFTED_COLUMNS, GatewayError),
        (Quirk.CAPTCHA, GatewayError),
        (Quirk.MISSING_LABEL, None),
    ],
)
@in_virtual_time
async def test_a_table_that_lies_is_an_error_or_a_short_reading(
    world: World, quirk: Quirk, kind: type[GatewayError] | None
) -> None:
    """On every occasion of a reading: never is an order of ours gone from it that is not gone, whole or not."""
    async with a_pair(world) as pair:
        await pair.buy()
        await pair.whole()
        number = true(pair.entrusts())
        failed = 0
        for _ in range(4):
            pair.venue.quirks.script[:] = played_now(pair, quirk)
            try:
                snapshot = await pair.router.snapshot()
            except GatewayError:
                failed += 1
                continue
            assert told(snapshot) == number
            assert snapshot.positions is None or len(snapshot.positions) == 3
        assert pair.venue.quirks.fired[quirk]
        assert (failed > 0) is (kind is not None) or quirk is Quirk.MISSING_LABEL


@pytest.mark.parametrize("generation", ["new", "old"])
@in_virtual_time
async def test_a_cancel_takes_ours_and_leaves_a_strangers(world: World, generation: str) -> None:
    """By code and side; a person's order of that code and side stops it."""
    async with a_pair(world, generation=generation) as pair:
        request = await pair.buy()
        await sent(pair.router, an_order(Side.SELL, 500, pair.price("1.05"), client_id="s-2"))
        snapshot = await pair.whole()
        mine = next(row for row in snapshot.orders or () if row.side is Side.BUY)
        order = a_working_order(str(mine.venue_id), request)
        price = Decimal(pair.price("0.94"))
        stranger = pair.venue.counter.place(PUDONG, Side.BUY, 100, price, pair.clock.now_ns, source="manual")
        (report,) = await pair.router.cancel(order)
        assert report.kind is Evidence.CANCEL_REJECT
        assert str(stranger.number) in report.reason
        assert not any(e.is_final for e in pair.entrusts())
        pair.venue.counter.cancel(stranger, pair.clock.now_ns)
        (report,) = await pair.router.cancel(order)
        assert (report.kind, report.cum) == (Evidence.CANCELED, 0)
        assert [e.is_final for e in pair.entrusts()] == [True, False, True]


@pytest.mark.parametrize("quirk", [Quirk.CANCEL_SAID_FAILED, Quirk.CANCEL_NOT_SENT])
@in_virtual_time
async def test_what_a_cancel_says_is_not_believed(world: World, quirk: Quirk) -> None:
    """Said to have failed, and cancelled; said to have been done, and not."""
    async with a_pair(world) as pair:
        request = await pair.buy()
        (row,) = (await pair.whole()).orders or ()
        pair.venue.quirks.script.extend(played_now(pair, quirk))
        order = a_working_order(str(row.venue_id), request)
        if quirk is Quirk.CANCEL_SAID_FAILED:
            (report,) = await pair.router.cancel(order)
            assert report.kind is Evidence.CANCELED
        else:
            with pytest.raises(OutcomeUnknown, match="still in the list"):
                await pair.router.cancel(order)
        assert pair.venue.quirks.fired[quirk] == 1
        assert pair.entrusts()[0].is_final is (quirk is Quirk.CANCEL_SAID_FAILED)


@in_virtual_time
async def test_without_a_history_an_order_that_ended_is_in_no_list(world: World) -> None:
    """A broker that does not offer it: the list stays short, and the holding is for the core to read (contract 5.5)."""
    async with a_pair(world, history=False) as pair:
        await pair.router.snapshot()
        filled = await pair.buy("0.97", client_id="s-1")
        assert len((await pair.router.snapshot()).orders or ()) == 1
        share = pair.venue.counter.share(PUDONG)
        assert share is not None
        pair.venue.exchange.set_price(share.code, float(filled.price or 0) * 0.98, pair.clock.now_ns)
        await pair.clock.sleep(10 * SECOND_NS)
        snapshot = await pair.router.snapshot()
        assert (snapshot.orders, snapshot.whole, snapshot.live_only) == ((), False, True)
        assert pair.entrusts()[0].filled == 300


@pytest.mark.parametrize("form", ["json", "dict", "str", "markdown"])
@pytest.mark.parametrize("separators", ["never", "always"])
@pytest.mark.parametrize("generation", ["new", "old"])
@in_virtual_time
async def test_tables_by_hand_have_the_same_rows_in_every_form(
    world: World, form: str, separators: str, generation: str
) -> None:
    """Codes with their zeros, the account's own figures."""
    async with a_pair(world, separators=separators, generation=generation) as pair:
        await pair.buy()
        held = (await pair.gateway.call("holding_query", {"return_type": form}))["data"]["holdings"]
        assert [row["证券代码"] for row in held] == ["000001", FUND, PUDONG]
        assert [int(float(str(row["股票余额"]).replace(",", ""))) for row in held] == [1000, 10_000, 2000]
        for name, key in (("order_query", "orders"), ("historical_commission_query", "historical_orders")):
            (row,) = (await pair.gateway.call(name, {"return_type": form}))["data"][key]
            assert (row["证券代码"], row["操作"], int(row["合同编号"])) == (PUDONG, "买入", pair.entrusts()[0].number)


@in_virtual_time
async def test_a_brokers_own_words_and_headers_are_read(world: World) -> None:
    """Another client, the same order."""
    headers = {
        "备注": "委托状态",
        "操作": "买卖标志",
        "合同编号": "委托编号",
        "撤消数量": "撤单数量",
        "股票余额": "当前持仓",
    }
    async with a_pair(world, headers=headers, status_words="short", nameless_columns=False, live_only=False) as pair:
        await pair.buy()
        snapshot = await pair.whole()
        assert told(snapshot) == true(pair.entrusts())
        assert {str(p.instrument): p.quantity for p in snapshot.positions or ()}["600000.SH"] == 2000


@pytest.mark.parametrize("generation", ["new", "old"])
@in_virtual_time
async def test_conditions_stand_are_found_and_deleted(world: World, generation: str) -> None:
    """As the client's book has them."""
    async with a_pair(world, generation=generation) as pair:
        router = pair.router
        buy = an_instruction(ConditionBuy(target_price=Decimal(pair.price("0.9")), quantity=300))
        stop = an_instruction(
            StopLossProfit(stop_loss_percent=Decimal(20), stop_profit_percent=Decimal(30), quantity=500),
            client_id="i-2",
        )
        for instruction in (buy, stop):
            sent_ns = pair.clock.now_ns
            report = await router.perform(instruction, router.encode_instruction(instruction))
            assert report.state is InstructionState.STANDING
            found = await router.look_for(instruction, sent_ns)
            assert found is not None
            assert found.state is InstructionState.STANDING
        cancel = an_instruction(CancelConditions(side=Side.BUY), client_id="i-3")
        report = await router.perform(cancel, router.encode_instruction(cancel))
        assert (report.state, report.details["deleted"]) == (InstructionState.DONE, "1")
        standing = pair.venue.conditions.standing(pair.clock.now_ns)
        assert [(c.side, c.quantity) for c in standing] == [(Side.SELL, 500)]


@in_virtual_time
async def test_conditions_that_were_not_set_are_told_apart(world: World) -> None:
    """Claimed and not there: unknown. Its window did not open, and none is listed: refused."""
    async with a_pair(world) as pair:
        router = pair.router
        buy = an_instruction(ConditionBuy(target_price=Decimal(pair.price("0.9")), quantity=300))
        pair.venue.quirks.script[:] = played_now(pair, Quirk.CONDITION_NOT_SET)
        with pytest.raises(OutcomeUnknown):
            await router.perform(buy, router.encode_instruction(buy))
        pair.venue.quirks.script[:] = played_now(pair, Quirk.CONDITION_WINDOW_FAILED)
        with pytest.raises(Refused):
            await router.perform(buy, router.encode_instruction(buy))
        assert pair.venue.conditions.standing(pair.clock.now_ns) == []


@pytest.mark.parametrize("quirk", ["", Quirk.REPO_WRONG_ROW, Quirk.REPO_WINDOW_FAILED])
@in_virtual_time
async def test_a_repo_is_verified_by_its_code(world: World, quirk: str) -> None:
    """Lent, lent for another term, or not lent while the words claim it."""
    async with a_pair(world) as pair:
        router = pair.router
        alerts: list[Any] = []
        router.listen(alerts.append)
        lend = an_instruction(ReverseRepo(amount=10_000), "204007.SH")
        if quirk:
            pair.venue.quirks.script[:] = played_now(pair, quirk)
            with pytest.raises(OutcomeUnknown):
                await router.perform(lend, router.encode_instruction(lend))
            assert bool(alerts) is (quirk == Quirk.REPO_WRONG_ROW)
        else:
            report = await router.perform(lend, router.encode_instruction(lend))
            assert (report.state, report.details["instrument"]) == (InstructionState.DONE, "204007.SH")
            assert [loan.repo.code for loan in pair.venue.repo.loans] == ["204007"]


@in_virtual_time
async def test_a_client_that_died_is_noticed_by_its_money(world: World) -> None:
    """Health goes on saying that it is connected."""
    async with a_pair(world) as pair:
        pair.venue.client_lost = True
        assert (await pair.gateway.call("health", {}))["components"]["automator"] == "connected"
        with pytest.raises(GatewayError):
            await pair.gateway.connect()
        with pytest.raises(GatewayError):
            await pair.router.snapshot()
