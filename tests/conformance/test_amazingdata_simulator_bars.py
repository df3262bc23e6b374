"""Bars of the simulated AmazingData platform: sessions, periods, one market, one past for one seed."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chaos.world import World, simulated
from engine.clock import ReplayClock
from engine.domain.timestamps import DAY_NS, MINUTE_NS, SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.simulators.amazingdata import AmazingDataSimulator, Forms
from engine.simulators.amazingdata.universe import SECURITIES, STOCK, Universe
from engine.simulators.boards import Board
from engine.simulators.china import ChinaSessions, day_of, days, midnight_ns, minute_starts, minutes_into
from engine.simulators.exchange import Exchange, Listing
from engine.simulators.following import PathChronicle, china_board, list_china
from engine.simulators.past import Path, closes, minutes
from engine.simulators.serve import serve
from engine.simulators.virtual_market import VirtualMarketSimulator
from tests.amazingdata_simulator_builders import PlatformAtHand

PUDONG = next(security for security in SECURITIES if security.code == "600000.SH")
PERIODS = {"min1": 1, "min5": 5, "min15": 15, "min30": 30, "min60": 60, "daily": 240}


def _at(text: str) -> int:
    return parse_time(text, "Asia/Shanghai")


def _market(now_ns: int) -> Exchange:
    return VirtualMarketSimulator(seed=7).exchange(ReplayClock(now_ns), Entropy(7))


def _listed(market: Exchange, now_ns: int, interval_ns: int = 3 * SECOND_NS) -> PathChronicle:
    board = china_board(market, now_ns, interval_ns=interval_ns)
    chronicle = list_china(market, board, PUDONG.code, PUDONG.name, PUDONG.path, now_ns).chronicle
    assert isinstance(chronicle, PathChronicle)
    return chronicle


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**53),
    security=st.sampled_from(SECURITIES),
    start=st.integers(date(2006, 1, 4).toordinal(), date(2026, 12, 1).toordinal()),
)
def test_made_days_are_a_market(seed: int, security: Any, start: int) -> None:
    """Highs and lows hold opens and closes, prices are on the tick and inside the band, a bar opens at the close
    before it, the last close is the day's, and any day alone is the same as among others."""
    wanted = days().between(start, start + 30)
    before = [days().before(day) for day in wanted]
    path: Path = security.path
    made = minutes(path, seed, wanted, before)
    assert (made.high >= made.open).all()
    assert (made.high >= made.close).all()
    assert (made.low <= made.open).all()
    assert (made.low <= made.close).all()
    assert (made.low > 0).all()
    assert (made.volume > 0).all()
    assert (abs(made.close / path.tick - (made.close / path.tick).round()) < 1e-6).all()
    last = closes(path, seed, before)[:, None]
    assert (made.high <= last * (1 + path.band) + path.tick).all()
    assert (made.low >= last * (1 - path.band) - path.tick).all()
    assert (made.open[:, 1:] == made.close[:, :-1]).all()
    assert (made.close[:, -1] == closes(path, seed, wanted)).mean() > 0.9
    alone = minutes(path, seed, wanted[-1:], before[-1:])
    assert all((column[0] == among[-1]).all() for column, among in zip(alone, made, strict=True))


@pytest.mark.parametrize("period", [name for name in PERIODS if name != "min1"])
async def test_longer_bars_are_their_minutes(period: str) -> None:
    """Each period is the minutes merged: first open, highest, lowest, last close, sums; the day included."""
    platform = PlatformAtHand()
    code = "000001.SZ"
    ones = (await platform.bars(code, "20240115", "20240116", "min1"))[code]
    bars = (await platform.bars(code, "20240115", "20240116", period))[code]
    count = PERIODS[period]
    assert len(bars) == 480 // count
    for number, bar in enumerate(bars):
        part = ones[number * count : (number + 1) * count]
        label = part[0]["trade_date"][:10] if period == "daily" else part[0]["trade_date"]
        assert bar == {
            "trade_date": label,
            "open": part[0]["open"],
            "high": max(one["high"] for one in part),
            "low": min(one["low"] for one in part),
            "close": part[-1]["close"],
            "volume": sum(one["volume"] for one in part),
            "amount": pytest.approx(sum(one["amount"] for one in part), abs=0.02),
        }
        assert bar["low"] - 0.01 <= bar["amount"] / bar["volume"] <= bar["high"] + 0.01


async def test_batch_equals_singles_whatever_the_range() -> None:
    """One call for many codes and a month is the calls for one code and a day, put together."""
    platform = PlatformAtHand(gaps=0.2, holes=0.2, suspensions=0.1)
    codes = platform.platform.universe.codes(STOCK, 0)[:4]
    for period in ("daily", "min30"):
        body = {"codes": codes, "start_date": "20240102", "end_date": "20240131", "period": period}
        whole = await platform.data("POST", "/stock/kline/batch", json=body)
        assert whole == await platform.bars(",".join(codes), "20240102", "20240131", period)
        parts: dict[str, list[Any]] = {}
        for day in range(2, 32):
            for code in codes:
                found = await platform.bars(code, f"202401{day:02d}", f"202401{day:02d}", period)
                parts.setdefault(code, []).extend(found.get(code, []))
        assert parts == whole
    named = await platform.data("POST", "/stock/kline/batch", json=body | {"period": "daily"})
    assert await platform.data("POST", "/stock/kline/batch", json={k: body[k] for k in body if k != "period"}) == named


async def test_one_seed_one_past_whenever_it_is_asked() -> None:
    """Two platforms started on different days agree on every past bar; another seed gives another past."""
    first, later = PlatformAtHand("2024-02-01 20:00"), PlatformAtHand("2025-06-03 10:00")
    other = PlatformAtHand(seed=8)
    for period in ("daily", "min60"):
        asked = ("600000.SH,510300.SH,000300.SH", "20231201", "20240131", period)
        answer = await first.bars(*asked)
        assert answer == await later.bars(*asked)
        elsewhere = await other.bars(*asked)
        for code, bars in answer.items():
            assert [bar["close"] for bar in bars][-1] != [bar["close"] for bar in elsewhere[code]][-1]
        assert [len(bars) for bars in answer.values()] == [43 if period == "daily" else 43 * 4] * 3


async def test_days_and_hours_are_the_exchanges() -> None:
    """No weekend, no holiday, nothing of tomorrow; minutes from 09:30 to 11:29 and 13:00 to 14:59, by their start."""
    platform = PlatformAtHand("2024-02-08 20:00:00")
    bars = (await platform.bars("600000.SH", "20240101", "20251231"))["600000.SH"]
    dates = await platform.data(
        "GET", "/base/calendar", params={"market": "SZ", "start_date": "20240101", "end_date": "20251231"}
    )
    assert [bar["trade_date"].replace("-", "") for bar in bars] == dates
    assert dates[0] == "20240102"
    # 8 February 2024 was the last day before the Spring Festival.
    assert dates[-1] == "20240208"
    ones = (await platform.bars("600000.SH", "20240205", "20240205", "min1"))["600000.SH"]
    clocks = [bar["trade_date"][11:16] for bar in ones]
    assert (clocks[0], clocks[119], clocks[120], clocks[-1], len(clocks)) == ("09:30", "11:29", "13:00", "14:59", 240)
    assert await platform.bars("600000.SH", "20240209", "20240218") == {}
    assert await platform.bars("600000.SH", "20240131", "20240102") == {}
    assert await platform.bars("999999.SH,IF2402.CFE", "20240102", "20240131") == {}


async def test_today_shows_minutes_that_are_over() -> None:
    """A minute shows once it is over; a longer bar grows and the day runs along; the lunch break adds nothing."""
    platform = PlatformAtHand("2024-01-31 09:30:00")
    today = ("600000.SH", "20240131", "20240131")
    assert await platform.bars(*today, "min1") == {}
    assert await platform.bars(*today) == {}
    full = minutes(PUDONG.path, 7, [day_of(platform.clock.now_ns)], [days().before(day_of(platform.clock.now_ns))])
    for moment, count in (("09:30:59", 0), ("09:31:00", 1), ("09:37:30", 7), ("12:10:00", 120), ("15:00:00", 240)):
        platform.at(f"2024-01-31 {moment}")
        ones = (await platform.bars(*today, "min1")).get("600000.SH", [])
        assert [bar["close"] for bar in ones] == full.close[0][:count].tolist()
    platform.at("2024-01-31 09:37:30")
    fives = (await platform.bars(*today, "min5"))["600000.SH"]
    assert [bar["trade_date"][11:16] for bar in fives] == ["09:30", "09:35"]
    assert fives[1]["close"] == full.close[0][6]
    day = (await platform.bars(*today))["600000.SH"][0]
    assert (day["trade_date"], day["close"]) == ("2024-01-31", full.close[0][6])


async def test_a_listed_share_has_one_price_on_every_face() -> None:
    """Untouched, the exchange's bars and the platform's are one; after a trade the platform shows what the exchange
    did, minute by minute, and its close is the exchange's price."""
    start = _at("2024-01-30 10:00:30")
    market = _market(start)
    platform = PlatformAtHand(start, exchange=market)
    untouched = PlatformAtHand("2024-01-31 20:00:00")
    chronicle = _listed(market, start)
    platform.at("2024-01-31 10:30:00")
    asked = ("600000.SH", "20240129", "20240131", "min1")
    before = (await platform.bars(*asked))["600000.SH"]
    assert before == (await untouched.bars(*asked))["600000.SH"][: len(before)]
    assert len(before) == 540
    walked = chronicle.walked(day_of(platform.clock.now_ns))
    assert len(walked) == 60
    for bar in before[-60:]:
        mine = walked[_at(bar["trade_date"]) + MINUTE_NS]
        assert [bar[name] for name in ("open", "high", "low", "close", "volume")] == [
            mine.open, mine.high, mine.low, mine.close, int(mine.volume),
        ]  # fmt: skip
    market.press("600000.SH", 2_000_000, platform.clock.now_ns)
    platform.at("2024-01-31 10:40:00")
    pushed = (await platform.bars(*asked))["600000.SH"]
    stock = market.stock("600000.SH")
    assert stock is not None
    assert pushed[:540] == before
    assert pushed[-1]["close"] == stock.price > (await untouched.bars(*asked))["600000.SH"][549]["close"]
    market.set_price("600000.SH", 20.0, platform.clock.now_ns)
    platform.at("2024-01-31 10:41:00")
    assert (await platform.bars(*asked))["600000.SH"][-1]["close"] == stock.price > 15
    platform.at("2024-02-01 15:00:00")
    assert (await platform.bars(*asked))["600000.SH"][550]["close"] > 15
    # The next day it is the path again, and what is past stays.
    day = await platform.bars("600000.SH", "20240201", "20240201")
    assert day == await PlatformAtHand("2024-02-01 20:00:00").bars("600000.SH", "20240201", "20240201")


async def test_a_share_with_a_past_of_its_own_is_shown_as_that_face_shows_it() -> None:
    """Listed by another face with its own walk and past, its bars are that chronicle's; before it, the path joins."""
    start = _at("2024-01-30 10:00:00")
    market = _market(start)
    board = Board(name="other", sessions=ChinaSessions(), tick=lambda _: 0.01, interval_ns=60 * SECOND_NS)
    market.add_board(board, start)
    stock = market.list_on(board, Listing(code="600000.SH", name="浦发银行", price=30.0), start)
    platform = PlatformAtHand(start, exchange=market)
    platform.at("2024-01-31 10:30:00")
    assert stock.chronicle is not None
    for text in ("2023-11-15", "2024-01-30", "2024-01-31"):
        shown = (await platform.bars("600000.SH", text.replace("-", ""), text.replace("-", ""), "min1"))["600000.SH"]
        start_ns = _at(text)
        theirs = stock.chronicle.minutes(start_ns, min(start_ns + DAY_NS, platform.clock.now_ns))
        assert [bar["close"] for bar in shown] == [bar.close for bar in theirs]
    assert shown[-1]["close"] == stock.price
    first = stock.chronicle.first_day
    whole = (await platform.bars("600000.SH", "20200101", f"{first + timedelta(days=9):%Y%m%d}"))["600000.SH"]
    assert len(whole) > 400
    moves = [abs(b["close"] / a["close"] - 1) for a, b in pairwise(whole)]
    assert max(moves) < 0.12


def test_marks_of_a_board_add_up_to_the_minutes_of_the_path() -> None:
    """At 1 s, 7 s or a minute, what the exchange walked in a day merges to the path's minutes, volume included."""
    start = _at("2024-01-30 09:00:00")
    for interval_ns in (7 * SECOND_NS, 60 * SECOND_NS, SECOND_NS):
        market = _market(start)
        chronicle = _listed(market, start, interval_ns)
        market.advance(_at("2024-01-30 16:00:00"))
        day = day_of(start)
        made = minutes(PUDONG.path, 7, [day], [days().before(day)])
        walked = chronicle.walked(day)
        labels = [midnight_ns(day) + (minute + 1) * MINUTE_NS for minute in minute_starts()]
        if interval_ns == 7 * SECOND_NS:
            assert sum(bar.volume for bar in walked.values()) <= made.volume.sum()
            continue
        assert list(walked) == labels
        for label, *figures in zip(labels, *(column[0].tolist() for column in made[:5]), strict=True):
            bar = walked[label]
            assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == figures


@given(st.integers(_at("2024-01-29 00:00:00"), _at("2024-02-01 00:00:00")))
def test_a_day_goes_forward(ts_ns: int) -> None:
    """The place in the day's trading never falls within a day, and is whole in the breaks."""
    place = minutes_into(ts_ns)
    later = min(ts_ns + 30 * SECOND_NS, midnight_ns(day_of(ts_ns) + 1) - 1)
    assert 0 <= place <= minutes_into(later) <= 240
    assert minutes_into(midnight_ns(day_of(ts_ns)) + 12 * 60 * MINUTE_NS) == 120


async def test_futures() -> None:
    """Contracts of the day by product, the third Friday as the end, settle and open interest on days alone, bonds until
    15:15, and main contracts that roll before the end."""
    platform = PlatformAtHand()
    data = await platform.futures("IF2401.CFE,TL2403.CFE,600000.SH", "20240101", "20240131")
    assert set(data) == {"IF2401.CFE", "TL2403.CFE"}
    bars = data["IF2401.CFE"]
    assert bars[-1]["trade_date"] == "2024-01-19"
    assert all(bar["low"] <= bar["settle"] <= bar["high"] and bar["open_interest"] > 0 for bar in bars)
    assert len(data["TL2403.CFE"]) == 22
    bond = (await platform.futures("T2403.CFE", "20240131", "20240131", "min15"))["T2403.CFE"]
    assert (len(bond), bond[-1]["trade_date"]) == (17, "2024-01-31 15:00:00")
    assert {bar["settle"] for bar in bond} == {None}
    index = (await platform.bars("000300.SH", "20240102", "20240119"))["000300.SH"]
    assert all(abs(f["close"] / i["close"] - 1) < 0.02 for f, i in zip(bars, index, strict=True))
    universe = Universe(days())
    day = date(2024, 1, 16).toordinal
    assert universe.main_contract("IF", date(2024, 1, 16).toordinal()) == "IF2401.CFE"
    assert universe.main_contract("IF", date(2024, 1, 17).toordinal()) == "IF2402.CFE"
    assert universe.main_contract("T", date(2024, 2, 29).toordinal()) == "T2403.CFE"
    assert universe.main_contract("T", date(2024, 3, 1).toordinal()) == "T2406.CFE"
    assert universe.contracts("IF", date(2024, 1, 22).toordinal())[0] == "IF2402.CFE"
    assert day() == date(2024, 1, 16).toordinal()
    for code in ("IF2413.CFE", "T2401.CFE", "XX2401.CFE", "IF2401.SHF", "IF24.CFE"):
        assert universe.find(code) is None


FORMS = {
    "digits": (Forms(dates="digits"), "daily", {"trade_date": "20240102"}),
    "timestamp": (Forms(dates="timestamp"), "daily", {"trade_date": "2024-01-02T00:00:00"}),
    "iso minutes": (Forms(dates="timestamp"), "min5", {"trade_date": "2024-01-02T09:30:00"}),
    "sdk": (Forms(dates="sdk"), "min5", {"code": "600000.SH", "kline_time": "2024-01-02 09:30:00"}),
    "ends": (Forms(labels="end"), "min5", {"trade_date": "2024-01-02 09:35:00"}),
}


@pytest.mark.parametrize("name", sorted(FORMS))
async def test_forms_of_dates(name: str) -> None:
    """The example's other forms of a bar's time, with the same figures behind it."""
    form, period, head = FORMS[name]
    asked = ("600000.SH", "20240102", "20240102", period)
    (shown,) = (await PlatformAtHand(forms=form).bars(*asked)).values()
    (main,) = (await PlatformAtHand().bars(*asked)).values()
    figures = {key: value for key, value in main[0].items() if key != "trade_date"}
    assert shown[0] == head | figures
    if name == "ends":
        assert shown[-1]["trade_date"] == "2024-01-02 15:00:00"


async def test_forms_of_lists_and_absence() -> None:
    """Codes as objects, calendar as numbers or dashed, nothing as [], float volumes, plain chart volumes, futures with
    nulls, without, with the amount, and the statements' five forms."""
    stranger = ("999999.SH", "20240102", "20240102")
    assert await PlatformAtHand(forms=Forms(no_data="empty")).bars(*stranger) == {"999999.SH": []}
    objects = PlatformAtHand(forms=Forms(codes="objects"))
    first = (await objects.data("GET", "/base/codes", params={"security_type": "EXTRA_ETF"}))[0]
    assert first == {"code": "510050.SH", "name": "", "market": "SH"}
    dates = {"market": "SH", "start_date": "20240102", "end_date": "20240102"}
    for form, day in (("integers", 20240102), ("dashed", "2024-01-02")):
        platform = PlatformAtHand(forms=Forms(calendar=form))  # type: ignore[arg-type]
        assert await platform.data("GET", "/base/calendar", params=dates) == [day]
    volume = (await PlatformAtHand(forms=Forms(volume="float")).bars("600000.SH", "20240102", "20240102"))["600000.SH"]
    assert isinstance(volume[0]["volume"], float)
    plain = PlatformAtHand(forms=Forms(chart="numbers"))
    params = {"start_date": "20240102", "end_date": "20240103"}
    chart = await plain.data("GET", "/stock/kline/600000.SH/chart", params=params)
    assert chart["volumes"] == [value[4] for value in chart["values"]]
    names = {"nulls": {"settle", "open_interest"}, "absent": set(), "amount": {"settle", "open_interest", "amount"}}
    for form, extra in names.items():
        platform = PlatformAtHand(forms=Forms(futures=form))  # type: ignore[arg-type]
        bar = (await platform.futures("IF2401.CFE", "20240102", "20240102"))["IF2401.CFE"][0]
        assert set(bar) == {"trade_date", "open", "high", "low", "close", "volume"} | extra
        assert form != "nulls" or bar["settle"] is bar["open_interest"] is None
    asked = {"codes": "600000.SH,510050.SH", "start_date": "20230101", "end_date": "20230331"}
    shown = {}
    for form in ("by_code", "flat", "lower", "several", "integers"):
        platform = PlatformAtHand(forms=Forms(finance=form))  # type: ignore[arg-type]
        shown[form] = await platform.data("GET", "/finance/income", params=asked)
    (record,) = shown["by_code"]["600000.SH"]
    assert shown["flat"] == [record]
    assert shown["lower"]["600000.SH"] == [{name.lower(): value for name, value in record.items()}]
    assert shown["several"]["600000.SH"] == [record, record | {"STATEMENT_TYPE": "6"}]
    assert shown["integers"]["600000.SH"][0]["ANN_DATE"] == 20230429


async def test_statements_show_once_they_are_announced() -> None:
    """The quarter to September 2023 is there from 28 October on; the range is that of reporting periods."""
    asked = {"codes": "600000.SH", "start_date": "20230630", "end_date": "20231231"}
    for now, periods in (("2023-10-27 12:00", ["20230630"]), ("2023-10-28 12:00", ["20230630", "20230930"])):
        rows = await PlatformAtHand(now).data("GET", "/finance/balance-sheet", params=asked)
        assert [row["REPORTING_PERIOD"] for row in rows["600000.SH"]] == periods


async def _fetch(world: World) -> str:
    """Login, a batch of minutes, a fill task watched to its end, over the wire."""
    app = AmazingDataSimulator(seed=3, gaps=0.2, task_ms_per_code=900).app(world.clock(), world.entropy)
    server = world.start("platform", serve, app, "127.0.0.1", 5002)
    async with httpx.AsyncClient(base_url="http://127.0.0.1:5002/api/v1", trust_env=False) as client:
        login = await client.post("/auth/login", json={"username": "admin", "password": "admin123"})
        client.headers["authorization"] = f"Bearer {login.json()['data']['access_token']}"
        dates = {"start_date": "20240102", "end_date": "20240105"}
        body = {"codes": ["600000.SH", "000001.SZ"], "period": "min5"} | dates
        world.trace((await client.post("/stock/kline/batch", json=body)).text)
        wanted = {"security_type": "stock", "period_type": "daily"} | dates
        task = (await client.post("/cache/fill-missing", json=wanted)).json()["data"]["task_id"]
        while True:
            row = (await client.get(f"/cache/tasks/{task}")).json()["data"]["task"]
            world.trace(str(row))
            if row["status"] == "completed":
                break
            await app.state.platform.clock.sleep(2 * SECOND_NS)
    server.stop()
    await server.ended()
    return str(row["status"])


def test_it_runs_in_virtual_time() -> None:
    """The same seed gives the same bytes on the simulation's loop; another seed others."""
    outcome = simulated(_fetch, seed=5)
    assert outcome.findings == ()
    assert outcome.result == "completed"
    assert simulated(_fetch, seed=5).digest == outcome.digest
    assert simulated(_fetch, seed=6).digest != outcome.digest
