"""The accounts behind the simulated EasyTHS and HT are remembered in a file: what a restart finds and goes on with."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from engine.clock import ReplayClock
from engine.domain.commands import Side
from engine.domain.errors import ConfigError
from engine.domain.timestamps import DAY_NS, SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.simulators.amazingdata import AmazingDataSimulator
from engine.simulators.counter import DEFAULT_SHARES, Counter, CounterAccount, CounterPace, EntrustStatus, Opening
from engine.simulators.easyths import EasythsSimulator
from engine.simulators.easyths.conditions import ConditionState
from engine.simulators.easyths.messages import UNKNOWN_OPERATION
from engine.simulators.exchange import Exchange
from engine.simulators.huatai import HuataiSimulator
from engine.simulators.huatai.statements import NewShare
from engine.simulators.serve import simulate
from engine.simulators.virtual_market import VirtualMarketSimulator
from tests.easyths_simulator_builders import BOND, FUND, PING_AN, PUDONG, ServerAtHand, a_bare_market
from tests.huatai_simulator_builders import HuataiAtHand

PARTS = CounterPace(partial=1.0)
EASYTHS = {
    "counter": PARTS,
    "tick_seconds": 120,
    "shares": tuple(share for share in DEFAULT_SHARES if share.code6 in {PUDONG, PING_AN, FUND, BOND}),
}
HUATAI = {"pace": PARTS, "new_shares": (NewShare(code="787001.SH", name="新股甲", price=12.5, quantity=5000),)}
OPEN_NS = parse_time("2026-03-02 10:00:30", "Asia/Shanghai")


def busy(counter: Counter, now_ns: int) -> dict[str, EntrustStatus]:
    """Leave one order of each kind at a counter; what became of them."""
    deep, step = Decimal("0.97"), SECOND_NS

    def price(code: str, factor: Decimal = Decimal(1)) -> Decimal:
        share = counter.share(code)
        assert share is not None
        touch = counter.view(share).ask if factor == 1 else counter.view(share).bid
        return (Decimal(str(touch)) * factor).quantize(share.tick)

    bought = counter.place(BOND, Side.BUY, 10, price(BOND), now_ns)
    locked = counter.place(FUND, Side.BUY, 100, price(FUND), now_ns)
    part = counter.place(PUDONG, Side.BUY, 3000, price(PUDONG), now_ns)
    resting = counter.place(PING_AN, Side.BUY, 200, price(PING_AN, deep), now_ns)
    asked = counter.place(PUDONG, Side.BUY, 100, price(PUDONG, deep), now_ns)
    gone = counter.place(PING_AN, Side.SELL, 100, price(PING_AN, Decimal("1.03")), now_ns)
    counter.cancel(gone, now_ns + step)
    counter.advance(now_ns + 2 * step)
    counter.cancel(asked, now_ns + 2 * step)
    on_its_way = counter.place(PUDONG, Side.SELL, 500, price(PUDONG, deep), now_ns + 2 * step)
    named = {"bought": bought, "locked": locked, "part": part, "resting": resting, "asked": asked, "gone": gone}
    return {name: entrust.status for name, entrust in (named | {"on its way": on_its_way}).items()}


KINDS = {
    "bought": EntrustStatus.FILLED,
    "locked": EntrustStatus.FILLED,
    "part": EntrustStatus.PART,
    "resting": EntrustStatus.OPEN,
    "asked": EntrustStatus.CANCEL_ASKED,
    "gone": EntrustStatus.WITHDRAWN,
    "on its way": EntrustStatus.PENDING,
}


# EasyTHS


def easyths(path: Path | None, now_ns: int = OPEN_NS, **settings: Any) -> ServerAtHand:
    state_path = None if path is None else str(path)
    return ServerAtHand(now_ns, state_path=state_path, **(EASYTHS | settings))


def pages(server: ServerAtHand) -> dict[str, Any]:
    """Everything the client can show, as of the clock."""
    venue, now_ns = server.venue, server.venue.now_ns()
    tables = {
        "holdings": venue.statements.holdings(now_ns),
        "live": venue.statements.cancel_page(None, now_ns),
        "history": venue.statements.history(None, "近一月", now_ns),
        "conditions": venue.conditions.table(now_ns, "Asia/Shanghai"),
    }
    shown: dict[str, Any] = {name: table.rows for name, table in tables.items()}
    return shown | {"funds": venue.statements.funds(now_ns), "deals": server.venue.counter.state().deals}


async def an_easyths_account(path: Path | None) -> ServerAtHand:
    """One with orders of each kind, two conditions and two loans."""
    server = easyths(path)
    price = server.ask(PUDONG)
    await server.run("condition_buy", stock_code=PUDONG, target_price=round(price * 0.995, 2), quantity=100)
    await server.run("stop_loss_profit", stock_code=PUDONG, stop_loss_percent=50, stop_profit_percent=80)
    await server.run("reverse_repo_buy", market="上海", time_range="1天期", amount=100_000)
    await server.run("reverse_repo_buy", market="深圳", time_range="7天期", amount=10_000)
    start_ns = server.venue.now_ns()
    kinds = busy(server.venue.counter, start_ns)
    server.clock.now_ns = start_ns + 2 * SECOND_NS
    assert kinds == KINDS
    return server


async def test_a_restarted_easyths_finds_its_account_and_goes_on_with_it(tmp_path: Path) -> None:
    """The same tables at once, and for days the same as one that never ended; of its operations it knows none."""
    first, steady = [await an_easyths_account(path) for path in (tmp_path / "account.json", None)]
    before = pages(first)
    assert before == pages(steady)
    operation_id = await first.submit("funds_query")
    second = easyths(tmp_path / "account.json", first.clock.now_ns)
    assert pages(second) == before
    lost = await second.get(f"/api/v1/operations/{operation_id}/status")
    assert (lost.status_code, lost.json()["detail"]) == (404, UNKNOWN_OPERATION)
    for seconds in (0.2, 1, 57, 3600, 20_000, 8 * 86_400):
        second.wait(seconds)
        steady.wait(seconds)
        assert pages(second) == pages(steady)
        second = easyths(tmp_path / "account.json", second.clock.now_ns)
    reasons = {entrust.reason for entrust in second.placed()}
    assert "收市自动撤单" in reasons
    assert all(loan.repaid for loan in second.venue.repo.loans)
    assert second.venue.repo.selected.code == "131801"
    assert second.venue.conditions.conditions[0].state is ConditionState.TRIGGERED


async def test_what_came_while_easyths_was_away_has_come(tmp_path: Path) -> None:
    """Orders filled or ended, conditions were met, loans came back: as for one that was there for all of it."""
    first, steady = [await an_easyths_account(path) for path in (tmp_path / "account.json", None)]
    now_ns = first.clock.now_ns + 8 * DAY_NS
    second = easyths(tmp_path / "account.json", now_ns)
    steady.clock.now_ns = now_ns
    assert pages(second) == pages(steady)
    assert not second.counter.live(now_ns)


async def test_a_file_changes_nothing_but_itself(tmp_path: Path) -> None:
    """It is written when the account changed, not with each step of a price."""
    server = await an_easyths_account(tmp_path / "account.json")
    server.wait(60)
    server.venue.manual_cancel(server.placed()[3])
    server.wait(5)
    writes: list[int] = []
    keep = server.counter.keep
    assert keep is not None

    def counted() -> None:
        writes.append(server.clock.now_ns)
        keep()

    server.counter.keep = counted
    before = (tmp_path / "account.json").read_bytes()
    for _ in range(20):
        server.wait(1)
    assert (len(writes), (tmp_path / "account.json").read_bytes() == before) == (0, True)
    server.venue.manual(Side.BUY, PING_AN, 100, Decimal(str(server.beside(PING_AN))))
    assert len(writes) == 1
    assert easyths(None).counter.keep is None


# HT


def huatai(path: Path | None, now_ns: int = OPEN_NS, market: Exchange | None = None) -> HuataiAtHand:
    state_path = None if path is None else str(path)
    return HuataiAtHand(now_ns, market=market or a_bare_market(now_ns), state_path=state_path, **HUATAI)


async def sheets(server: HuataiAtHand) -> dict[str, Any]:
    """Everything the server tells of the account, as of the clock, under a session of its own."""
    session = (await server.said("connect"))["data"]["session_id"]
    names = ("balance", "position", "today-entrusts", "cancel-entrusts", "today-trades")
    return {name: (await server.get(name, session_id=session)).json()["data"] for name in names}


async def an_ht_account(path: Path | None) -> HuataiAtHand:
    """One with orders of each kind and a subscription among them."""
    server = huatai(path)
    await server.bought()
    await server.said("auto-ipo")
    kinds = busy(server.counter, server.clock.now_ns)
    server.clock.now_ns += 2 * SECOND_NS
    assert kinds == KINDS
    return server


async def test_a_restarted_ht_finds_its_account_and_goes_on_with_it(tmp_path: Path) -> None:
    """The same tables and numbers at once, and for days the same as one that never ended; sessions are gone."""
    first, steady = [await an_ht_account(path) for path in (tmp_path / "account.json", None)]
    session = (await first.said("connect"))["data"]["session_id"]
    before = await sheets(first)
    assert before == await sheets(steady)
    assert [row["操作"] for row in before["today-entrusts"]][:3] == ["买入", "申购", "买入"]
    second = huatai(tmp_path / "account.json", first.clock.now_ns)
    assert (await second.get("balance", session_id=session)).status_code == 401
    assert await sheets(second) == before
    for seconds in (0.2, 1, 57, 3600, 20_000, 86_400):
        second.wait(seconds)
        steady.wait(seconds)
        assert await sheets(second) == await sheets(steady)
        second = huatai(tmp_path / "account.json", second.clock.now_ns)
    assert [e.number for e in second.counter.books.entrusts] == [e.number for e in steady.counter.books.entrusts]
    assert second.venue.draw_number() == steady.venue.draw_number()


async def test_an_order_is_on_disk_while_its_request_still_waits_in_the_window(tmp_path: Path) -> None:
    """HT's automation pauses after it pressed the key: an end of the process then must not lose the order."""
    server = await an_ht_account(tmp_path / "account.json")
    server.venue.manual(Side.BUY, PUDONG, 700, server.below())
    assert '"quantity":700' in (tmp_path / "account.json").read_text()


# Both


FACES: dict[str, Callable[..., Any]] = {"easyths": EasythsSimulator, "huatai": HuataiSimulator}


def started(name: str, path: Path, now_ns: int = OPEN_NS, **settings: Any) -> Any:
    clock = ReplayClock(now_ns)
    simulator = FACES[name](seed=7, state_path=str(path), **settings)
    return simulator.app(clock, Entropy(7), exchange=a_bare_market(now_ns))


@pytest.mark.parametrize("name", FACES)
def test_a_file_that_can_not_be_used_is_named_with_its_mend(tmp_path: Path, name: str) -> None:
    """Garbage, the other face's, another account's, a share that is not traded any more, a clock before it."""
    path = tmp_path / "account.json"
    path.write_text('{"saved_ns": 1}')
    with pytest.raises(ConfigError, match=r"account\.json is no state of the .* simulator .*; delete it"):
        started(name, path)
    path.unlink()
    started(name, path)
    other = next(face for face in FACES if face != name)
    with pytest.raises(ConfigError, match="is no state of the"):
        started(other, path)
    with pytest.raises(ConfigError, match="start the clock later, or delete"):
        started(name, path, OPEN_NS - 1)
    with pytest.raises(ConfigError, match=r"state of account 12345678, not of 87654321; give state_path another file"):
        started(name, path, account=CounterAccount(user="87654321"))
    fewer = tuple(share for share in DEFAULT_SHARES if share.code != "510300.SH")
    with pytest.raises(ConfigError, match=r"holds 510300\.SH, which is none of the shares; add it"):
        started(name, path, account=CounterAccount(), shares=fewer)
    path.write_text(path.read_text().replace('"due":[]', '"due":[[1,1,"end",77]]'))
    with pytest.raises(ConfigError, match=r"names order 77 and does not hold it; delete it"):
        started(name, path)


@pytest.mark.parametrize("name", FACES)
def test_the_remembered_account_holds_not_the_settings(tmp_path: Path, name: str) -> None:
    """Money and holdings of the settings are those of the first start alone; so are seeds."""
    path = tmp_path / "account.json"
    first = started(name, path).state.venue.counter
    richer = CounterAccount(cash=Decimal(5), holdings=(Opening(code="600000.SH", quantity=7, price=Decimal(1)),))
    second = started(name, path, account=richer).state.venue.counter
    assert second.state() == first.state()
    clock, simulator = ReplayClock(OPEN_NS), FACES[name](state_path=str(path))
    assert simulator.exchange(clock, Entropy(99)).seed == first.exchange.seed


async def test_two_accounts_over_one_market_are_each_remembered(tmp_path: Path) -> None:
    """The second face stands in the market that the first one opened, and finds its own orders where they would be."""

    async def pair(now_ns: int, first: Path | None, second: Path | None) -> tuple[ServerAtHand, HuataiAtHand]:
        market = a_bare_market(now_ns)
        one = easyths(first, now_ns, exchange=market)
        return one, huatai(second, now_ns, market)

    async def shown(one: ServerAtHand, other: HuataiAtHand) -> tuple[Any, Any]:
        return pages(one), await sheets(other)

    paths = (tmp_path / "easyths.json", tmp_path / "ht.json")
    kept, steady = await pair(OPEN_NS, *paths), await pair(OPEN_NS, None, None)
    for one, other in (kept, steady):
        busy(one.venue.counter, OPEN_NS)
        busy(other.counter, OPEN_NS + 3 * SECOND_NS)
        one.clock.now_ns = other.clock.now_ns = OPEN_NS + 5 * SECOND_NS
    for away_ns in (0, 90 * SECOND_NS, DAY_NS):
        now_ns = steady[0].clock.now_ns + away_ns
        for server in (*kept, *steady):
            server.clock.now_ns = now_ns
        kept = await pair(now_ns, *paths)
        assert await shown(*kept) == await shown(*steady)


@pytest.mark.parametrize(("more", "seed"), [((), 7), (("virtual_market",), 9)])
async def test_the_face_that_remembers_makes_the_market(tmp_path: Path, more: tuple[str, ...], seed: int) -> None:
    """Its prices are to go on, whichever face is named first; the game remembers what was done to them too."""
    path, game = tmp_path / "account.json", VirtualMarketSimulator(seed=9, state_path=str(tmp_path / "game.json"))
    faces: dict[str, Any] = {
        "amazingdata": AmazingDataSimulator(seed=1),
        "easyths": EasythsSimulator(seed=7, state_path=str(path)),
        **dict.fromkeys(more, game),
    }
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            ready = partial(simulate, faces, clock=ReplayClock(OPEN_NS), entropy=Entropy(3))
            await group.start(partial(_until_ready, ready))
            group.cancel_scope.cancel()
    assert f'"market_seed":{seed},' in path.read_text()


async def _until_ready(serve: Callable[..., Any], *, task_status: anyio.abc.TaskStatus[Any]) -> None:
    await serve(on_ready=task_status.started)
