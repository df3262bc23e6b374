"""A gateway whose process ends and is started again: money, positions, orders and prices are where they were."""

from collections.abc import Container
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from engine.clock import ReplayClock
from engine.domain.errors import ConfigError
from engine.domain.timestamps import HOUR_NS, SECOND_NS
from engine.entropy import Entropy
from engine.simulators.following import china_board, list_china
from engine.simulators.futu import DEFAULT_SECURITIES, FutuAccount, FutuSimulator, Opening, Security
from engine.simulators.futu.desk import Pace
from engine.simulators.futu.ledger import Ledger
from engine.simulators.futu.rows import order_row
from engine.simulators.futu.state import State
from engine.simulators.past import Path as PricePath
from engine.simulators.prices import Walk
from engine.simulators.serve import simulate
from tests.futu_simulator_builders import HK_OPEN_NS, REAL, SIMULATE_CN, SIMULATE_HK, GatewayAtHand, a_header

TENCENT_ROW = {"market": 1, "code": "00700"}
PARTS = Pace(partial=1.0, submit_ms=250, cancel_ms=400)
MARGIN = FutuAccount(
    acc_id=SIMULATE_HK,
    environment="simulate",
    markets=(1,),
    kind="margin",
    positions=(Opening(symbol="HK.00005", quantity=800, price=100.5),),
)
FEW = tuple(one for one in DEFAULT_SECURITIES if one.code in {"00700", "00005", "600000"})
ACCOUNTS = (MARGIN, *FutuSimulator().accounts[2:])


class Lives:
    """One gateway through several processes, each with other chance of its own.

    ``still``: prices move only when the test moves them.
    """

    def __init__(self, folder: Path, *, still: bool = True, now_ns: int = HK_OPEN_NS, **options: Any) -> None:
        self.path = folder / "futu.state.json"
        quiet: dict[str, Any] = {"volatility": 0.0} if still else {}
        self.options = {"accounts": ACCOUNTS, "pace": PARTS, "seed": None, "state_path": str(self.path)}
        self.options |= quiet | options
        self._count = 0
        self.gateway = self._begin(now_ns, self.options)

    @property
    def state(self) -> dict[str, Any]:
        return dict(msgspec.json.decode(self.path.read_bytes()))

    def _begin(self, now_ns: int, options: dict[str, Any]) -> GatewayAtHand:
        self._count += 1
        self.gateway = GatewayAtHand(now_ns, chance=self._count, **options)
        return self.gateway

    def again(self, *, after_s: float = 0.0, **options: Any) -> GatewayAtHand:
        """The process was killed, and another is started ``after_s`` seconds later."""
        return self._begin(self.gateway.clock.now_ns + round(after_s * SECOND_NS), self.options | options)

    async def unlock(self) -> None:
        password = self.gateway.simulator.trade_password_md5
        await self.gateway.said("unlock-trade", {"unlock": True, "pwd_md5": password})


async def many_orders(lives: Lives) -> None:
    """Accounts in the middle of everything: see the comments; prices stand at 475.2 in the end."""
    gateway = lives.gateway
    await lives.unlock()
    # A position and fees; a short one on margin; shares that are locked until tomorrow.
    await gateway.placed(REAL, order_type=2, price=0.0, qty=400.0)
    await gateway.placed(trd_side=3, order_type=2, price=0.0, qty=200.0)
    await gateway.placed(SIMULATE_CN, code="600000", qty=200.0, order_type=2, price=0.0)
    gateway.wait(20)
    bought = gateway.ledger.fills(REAL)[0]
    gateway.venue.desk.correct(bought, bought.price + 1, gateway.clock.now_ns)
    # Working; a stop; a trailing stop that came a part of its way; one that is switched off.
    await gateway.placed(REAL, price=460.0, remark="rests", time_in_force=1)
    await gateway.placed(REAL, price=440.0, qty=100.0, remark="day")
    await gateway.placed(REAL, order_type=10, price=0.0, aux_price=490.0, qty=100.0, remark="stop")
    await gateway.placed(REAL, order_type=15, trd_side=2, price=0.0, qty=100.0, trail_type=2, trail_value=4.0,
                         trail_spread=0.2)  # fmt: skip
    off = await gateway.placed(REAL, price=455.0, qty=100.0)
    gateway.wait(2)
    await gateway.said("modify-order", gateway.a_change(off, 3, REAL))
    gateway.price("1_00700", 477.2)
    gateway.wait(2)
    # One of several parts; then the price leaves it.
    await gateway.placed(REAL, price=476.0, qty=800.0, remark="part")
    gateway.price("1_00700", 476.0)
    gateway.wait(1)
    gateway.price("1_00700", 477.0)
    gateway.wait(2)
    # One that ended; one that is being cancelled; one on its way.
    ended = await gateway.placed(REAL, price=450.0, qty=100.0)
    cancelled = await gateway.placed(REAL, price=451.0, qty=100.0)
    gateway.wait(1)
    await gateway.said("modify-order", gateway.a_change(ended, 2, REAL))
    gateway.wait(1)
    await gateway.said("modify-order", gateway.a_change(cancelled, 2, REAL))
    gateway.wait(0.1)
    await gateway.placed(REAL, price=478.0, qty=300.0, remark="on its way")
    gateway.wait(0.1)


async def answers(gateway: GatewayAtHand) -> dict[str, Any]:
    """What a client can ask about accounts and prices."""
    found: dict[str, Any] = {"accounts": await gateway.said("accounts")}
    for account in gateway.simulator.accounts:
        head: dict[str, Any] = {"header": a_header(account.acc_id, trd_market=account.markets[0])}
        head["header"]["trd_env"] = account.trd_env
        asked: dict[str, dict[str, Any]] = {
            "positions": head,
            "orders": head,
            "max-trd-qtys": head | {"order_type": 1, "code": "00700", "price": 470.0},
            "funds": head | ({"currency": 1} if len(account.cash) > 1 else {}),
        }
        if account.markets[0] != 1:
            del asked["max-trd-qtys"]
        if account.environment == "real":
            names = [order.order_id_ex for order in gateway.ledger.orders(account.acc_id)]
            asked |= {
                "order-fills": head,
                "history-orders": head | {"filter_conditions": {}},
                "history-order-fills": head | {"filter_conditions": {}},
                "order-fee": head | {"order_id_ex_list": names},
            }
        for name, body in asked.items():
            found[f"{account.acc_id} {name}"] = await gateway.said(name, body)
    rows = [one.row() for one in gateway.simulator.securities]
    found["snapshot"] = await gateway.said("snapshot", {"security_list": rows})
    return found


def booked(ledger: Ledger) -> list[Any]:
    """All that a ledger holds, as values."""
    return [
        [
            (book.cash, order_row(order), order.status, order.fees, order.reserve, order.triggered, order.working)
            for order in book.orders.values()
        ]
        + [(fill.fill_id, fill.quantity, fill.price, fill.fee, fill.ts_ns, fill.status) for fill in book.fills]
        + [(key, one.quantity, one.cost, one.realized, one.locked) for key, one in book.holdings.items()]
        for book in ledger.books.values()
    ]


async def test_a_restarted_gateway_answers_as_before(tmp_path: Path) -> None:
    """Money, positions, orders, fills, fees and snapshots are told as they were, whatever the orders are at."""
    lives = Lives(tmp_path)
    await many_orders(lives)
    statuses = {int(order.status) for order in lives.gateway.ledger.orders(REAL)}
    assert statuses == {1, 2, 5, 10, 11, 13, 15, 22}
    before = await answers(lives.gateway)
    assert await answers(lives.again()) == before
    assert await answers(lives.again()) == before


async def the_rest(lives: Lives, restarts: Container[int]) -> Ledger:
    """What becomes of those orders until the next morning, with restarts before some of the acts."""
    gateway = lives.gateway
    acts: list[tuple[float | None, float]] = [
        (None, 0.1),  # on its way
        (None, 0.5),  # arrived, cancelled
        (470.0, 2),
        (491.0, 3),
        (None, 30),
        (None, 2 * 3600),  # past the closing auction
        (459.0, 15.5 * 3600),
        (None, 900),
    ]
    for number, (price, seconds) in enumerate(acts):
        if number in restarts:
            gateway = lives.again()
        if price is not None:
            gateway.price("1_00700", price)
        gateway.wait(seconds)
    await lives.unlock()
    await gateway.placed(REAL, order_type=2, price=0.0, qty=100.0)
    gateway.wait(30)
    return gateway.ledger


async def test_orders_go_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """Restarted at any moment of their way, orders arrive, wake, fill, end and expire as in a process that went on:
    the same fills at the same times, under the same ids."""
    ledgers: list[Ledger] = []
    for restarts in ((), (1, 3, 6), range(8)):
        (folder := tmp_path / str(len(ledgers))).mkdir()
        lives = Lives(folder, seed=7, securities=FEW, now_ns=HK_OPEN_NS + round(5.6 * HOUR_NS))
        await many_orders(lives)
        ledgers.append(await the_rest(lives, restarts))
        assert booked(ledgers[-1]) == booked(ledgers[0]), restarts
    ended = {order.remark: int(order.status) for order in ledgers[0].orders(REAL) if order.remark}
    assert ended == {"rests": 11, "stop": 11, "part": 14, "on its way": 11, "day": 15}


async def test_ids_are_never_given_twice(tmp_path: Path) -> None:
    """Orders and fills of a later life have ids of their own; unlock and connection id are the daemon's: lost."""
    lives = Lives(tmp_path)
    orders, fills, connections = [], [], []
    for _ in range(3):
        gateway = lives.again()
        assert "unlock" in await gateway.refused("order", gateway.an_order(REAL))
        await lives.unlock()
        await gateway.placed(REAL, order_type=2, price=0.0, qty=300.0)
        gateway.wait(20)
        orders = [order.order_id for order in gateway.ledger.orders()]
        fills = [fill.fill_id for fill in gateway.ledger.fills()]
        connections.append(gateway.venue.conn_id)
    assert len(set(orders)) == len(orders) == 3
    assert len(set(fills)) == len(fills) > 3
    assert len(set(connections)) == 3


def prices(gateway: GatewayAtHand) -> list[Any]:
    """What a security of each board shows, less the depth of its book."""
    quotes, found = gateway.venue.quotes, []
    for security in gateway.simulator.securities:
        stock = security.stock(gateway.venue.exchange)
        assert isinstance(stock.source, Walk)
        walked = (stock.touch, stock.source.fine, stock.previous_close)
        found.append((quotes.basic(security), *walked, gateway.venue.desk.views[security.key][2:]))
    return found


@pytest.mark.parametrize("after_s", [0.0, 3600.0])
async def test_no_price_jumps(tmp_path: Path, after_s: float) -> None:
    """Prices, best bid and ask, and the day's open, high, low, volume and close before are as they were, and go on from
    there in small steps."""
    lives = Lives(tmp_path, still=False, securities=FEW)
    lives.gateway.wait(1200)
    lives.gateway.venue.close()
    before = prices(lives.gateway)
    gateway = lives.again(after_s=after_s)
    assert prices(gateway) == before
    tencent = gateway.venue.securities["1_00700"]
    old = before[0][0]
    assert old["cur_price"] != tencent.price
    gateway.wait(1)
    assert tencent.stock(gateway.venue.exchange).previous_close == before[0][3]
    new = gateway.venue.quotes.basic(tencent)
    assert abs(new["cur_price"] - old["cur_price"]) <= 4 * tencent.tick(475.0)
    assert new["volume"] > old["volume"]
    assert (new["open_price"], new["last_close_price"]) == (old["open_price"], old["last_close_price"])
    assert new["high_price"] == max(old["high_price"], new["cur_price"])
    assert new["low_price"] == min(old["low_price"], new["cur_price"])


async def test_the_close_before_is_the_price_it_closed_at(tmp_path: Path) -> None:
    """Restarted over night, or after some days, a market's close before is where it stood; there is no gap in its days,
    and k-lines end at the price."""
    lives = Lives(tmp_path, still=False, securities=FEW[:2], tick_seconds=60.0)
    lives.gateway.wait(7 * 3600)
    tencent = lives.gateway.venue.securities["1_00700"]
    last = lives.gateway.venue.quotes.last(tencent)
    for days in (1, 5):
        gateway = lives.again(after_s=(days - 1) * 86400.0 + (15 * 3600.0 if days == 1 else 0.0))
        chronicle = gateway.venue.quotes.chronicle(tencent)
        assert chronicle.close_before(chronicle.sessions.day(gateway.clock.now_ns)) == last
        body = {"rehab_type": 0, "kl_type": 2, "security": tencent.row(), "req_num": 10}
        await gateway.subscribe(6, security=tencent.row())
        rows = (await gateway.said("kline", body))["kl_list"]
        assert len(rows) == 10
        assert rows[-1]["close_price"] == gateway.venue.quotes.last(tencent)


def test_the_next_walk_is_another(tmp_path: Path) -> None:
    """A restart does not play the first life's steps again; without a file it does, as ever."""
    ways: list[list[float]] = []
    for path in (str(tmp_path / "state.json"), None):
        for _ in range(2):
            gateway = GatewayAtHand(HK_OPEN_NS + len(ways) % 2 * SECOND_NS * 30, state_path=path, securities=FEW[:1])
            gateway.wait(30)
            stock = gateway.venue.securities["1_00700"].stock(gateway.venue.exchange)
            ways.append([bar.volume for bar in stock.bars])
    assert ways[0] == ways[2] == ways[3] != ways[1]


async def test_a_killed_process_leaves_prices_of_ten_seconds_ago(tmp_path: Path) -> None:
    """Bookings are written at once, with the prices of then; prices alone every ten seconds of the clock while they
    move, and not at each step; in closed hours nothing is written."""
    lives = Lives(tmp_path, still=False, securities=FEW)
    gateway, writes = lives.gateway, []
    for _ in range(60):
        gateway.wait(1)
        if (saved_ns := lives.state["saved_ns"]) not in writes:
            writes.append(saved_ns)
        assert gateway.clock.now_ns - saved_ns < 10 * SECOND_NS
    assert len(writes) == 7
    gateway.wait(5)
    await gateway.placed(order_type=2, price=0.0)
    gateway.wait(1)
    assert lives.state["saved_ns"] == gateway.clock.now_ns
    gateway = lives.again()
    assert gateway.ledger.orders(SIMULATE_HK)[0].filled
    gateway.wait(7 * 3600)
    evening = lives.path.read_bytes()
    gateway.wait(3600)
    assert lives.path.read_bytes() == evening


def test_books_are_written_before_anybody_is_told(tmp_path: Path) -> None:
    """Another face moves the market: when its step is over, the fill it brought is in the file."""
    lives = Lives(tmp_path, securities=FEW)
    order = lives.gateway.an_order(order_type=2, price=0.0, qty=100.0)

    async def place() -> None:
        await lives.gateway.said("order", order)

    anyio.run(place)
    lives.gateway.venue.exchange.advance(lives.gateway.clock.now_ns + 2 * SECOND_NS)
    (book,) = [book for book in lives.state["books"] if book["acc_id"] == SIMULATE_HK]
    assert [fill["quantity"] for fill in book["fills"]] == [100]


async def test_nothing_is_written_in_the_middle_of_a_booking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the process is killed: an order's state, its fills and the cash that is in the file fit each other."""
    lives, written, replace = Lives(tmp_path, securities=FEW), [], Path.replace

    def kept(path: Path, target: Path) -> Path:
        written.append(msgspec.json.decode(path.read_bytes(), type=State))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", kept)
    for side in (1, 3, 1):
        await lives.gateway.placed(trd_side=side, order_type=2, price=0.0, qty=700.0)
        lives.gateway.wait(20)
    assert len(written) > 12
    for state in written:
        book = next(one for one in state.books if one.acc_id == SIMULATE_HK)
        sums = {order.order_id: sum(one.quantity for one in book.fills if one.order_id == order.order_id)
                for order in book.orders}  # fmt: skip
        for order in book.orders:
            assert order.filled == sums[order.order_id]
            assert (order.filled == order.quantity) == (order.status == 11)
            assert (0 < order.filled < order.quantity) == (order.status == 10)
        signs = {order.order_id: 1 if order.side == 3 else -1 for order in book.orders}
        moved = sum(fill.quantity * fill.price * signs[fill.order_id] for fill in book.fills)
        assert book.cash[1] == 1_000_000 + moved


async def test_ended_orders_are_written_as_they_are_now(tmp_path: Path) -> None:
    """A fill that is busted or corrected after its order ended is so in the file too."""
    lives = Lives(tmp_path, pace=Pace(partial=0.0))
    gateway = lives.gateway
    for _ in range(2):
        await gateway.placed(order_type=2, price=0.0, qty=100.0)
        gateway.wait(1)
    first, second = gateway.ledger.fills()
    gateway.venue.desk.correct(first, first.price + 1, gateway.clock.now_ns)
    gateway.venue.desk.bust(second, gateway.clock.now_ns)
    gateway.wait(1)
    assert booked(lives.again().ledger) == booked(gateway.ledger)


async def test_a_market_of_both_kinds_of_prices_goes_on(tmp_path: Path) -> None:
    """Where this face makes the market, its seed is kept: a listing of the game keeps its price through an operator's
    change and some days, and mainland names that follow a path follow the same one."""
    game = Security(code="01234", market="HK", name="CY", price=10.0, listing="CY")
    bank, clock, found = PricePath(name="600000.SH", price=11.86), ReplayClock(HK_OPEN_NS), []
    for chance in (1, 2):
        face = FutuSimulator(securities=(*FEW, game), state_path=str(tmp_path / "state.json"))
        market = face.exchange(clock, Entropy(chance))
        list_china(market, china_board(market, clock.now_ns), "600000.SH", "PF", bank, clock.now_ns)
        venue = face.app(clock, Entropy(chance), exchange=market).state.venue
        if chance == 1:
            market.set_price("CY", 12.5, clock.now_ns)
            venue.close()
        stocks = [stock for code in ("CY", "DL", "600000.SH") if (stock := market.stock(code)) is not None]
        assert [type(stock.source).__name__ for stock in stocks] == ["Walk", "Walk", "Follow"]
        found.append([(stock.listing.code, stock.price) for stock in stocks])
    assert found[0] == found[1]
    assert found[0][0] == ("CY", 12.5)


def test_a_state_file_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    """Garbage, a clock before the file's time, and a security that is gone are a user's mistakes with a mend."""
    lives = Lives(tmp_path, securities=FEW)
    with pytest.raises(ConfigError, match=r"futu.state.json was written at .*start the clock later"):
        lives.again(after_s=-86400.0)
    plain = FutuAccount(acc_id=SIMULATE_HK, environment="simulate", markets=(1,))
    gone = r"futu.state.json has orders .* 1_00005 .* none of the securities; put it back, or delete the file"
    with pytest.raises(ConfigError, match=gone):
        Lives(tmp_path, securities=FEW[:1], accounts=(plain,))
    lives.path.write_text("{")
    with pytest.raises(ConfigError, match=r"no state of the Futu gateway.*delete it"):
        lives.again()


async def test_what_the_settings_no_longer_have_stays_in_the_file(tmp_path: Path) -> None:
    """An account and a price that are taken out of the settings for one run are there again in the next; a new account
    begins as its settings say."""
    lives = Lives(tmp_path, still=False)
    await lives.gateway.placed(SIMULATE_CN, code="600000", qty=200.0, order_type=2, price=0.0)
    lives.gateway.wait(20)
    before = lives.gateway.ledger.cash(SIMULATE_CN)
    lives.gateway.price("22_000001", 12.5)
    lives.gateway.venue.close()
    newcomer = FutuAccount(acc_id=99, environment="simulate", markets=(1,), cash={"HKD": 5.0})
    fewer = lives.again(accounts=(MARGIN, newcomer), securities=FEW)
    assert fewer.ledger.cash(99) == {"HKD": 5}
    fewer.wait(20)
    gateway = lives.again()
    assert gateway.ledger.cash(SIMULATE_CN) == before != {"CNH": 1_000_000}
    assert gateway.ledger.positions(SIMULATE_CN) == {"SH.600000": 200}
    assert gateway.venue.quotes.last(gateway.venue.securities["22_000001"]) == 12.5


async def test_a_crash_in_the_middle_of_writing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with half of the new file written, or before it took the old one's place: the next start reads the old."""
    lives = Lives(tmp_path, securities=FEW)
    await lives.gateway.placed(price=460.0)
    before, whole = lives.path.read_bytes(), Path.write_bytes

    class Killed(BaseException):
        pass

    def torn(path: Path, data: bytes) -> int:
        whole(path, data[: len(data) // 2])
        raise Killed

    def unmoved(path: Path, target: Path) -> Path:
        raise Killed

    for name, act in (("write_bytes", torn), ("replace", unmoved)):
        with monkeypatch.context() as patched:
            patched.setattr(Path, name, act)
            with pytest.raises(Killed):
                await lives.gateway.placed(price=461.0)
        assert lives.path.read_bytes() == before
        assert [float(order.price) for order in lives.again().ledger.orders()] == [460.0]
        before = lives.path.read_bytes()


async def test_a_served_gateway_that_is_stopped_keeps_its_last_price(tmp_path: Path) -> None:
    """``simulate``, cancelled as the daemon cancels it, writes prices that no booking had saved."""
    path, clock = tmp_path / "state.json", ReplayClock(HK_OPEN_NS)
    face = FutuSimulator(state_path=str(path), securities=FEW)
    market = face.exchange(clock, Entropy(1))
    async with anyio.create_task_group() as group:
        ready = anyio.Event()

        async def run() -> None:
            await simulate(
                {"futu": face}, clock=clock, entropy=Entropy(1), exchange=market, on_ready=lambda _: ready.set()
            )

        group.start_soon(run)
        await ready.wait()
        market.advance(clock.now_ns + 9 * SECOND_NS)
        group.cancel_scope.cancel()
    stock = market.stock("00700.HK")
    assert stock is not None
    standing = msgspec.json.decode(path.read_bytes())["standings"]["1_00700"]
    assert (standing["price"], standing["ts_ns"]) == (stock.price, (HK_OPEN_NS + 9 * SECOND_NS))


async def test_without_a_path_nothing_is_kept() -> None:
    """The default: no file, and nobody listens for one."""
    gateway = GatewayAtHand()
    assert gateway.venue.memory is None
    assert gateway.venue.exchange.listening == 2
