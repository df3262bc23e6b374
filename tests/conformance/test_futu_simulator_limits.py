"""Limit layers, backend frequencies, quotas and idempotency of the simulated gateway, beside naive models of them."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.timestamps import DAY_NS, SECOND_NS, parse_time
from engine.simulators.futu import EXAMPLE_TOKEN, AnswerFault, AnswerFaults, Limits, a_key
from engine.simulators.futu.envelope import Denied, Failed
from engine.simulators.futu.limits import Counters, LimitLayers, in_window
from engine.simulators.futu.pacing import PACES, Pacing
from tests.futu_simulator_builders import HK_OPEN_NS, REAL, SIMULATE_US, GatewayAtHand, a_header

P = "limit check failed: "


@pytest.mark.parametrize(
    ("limits", "change", "status", "text", "reason"),
    [
        (Limits(allowed_markets=("US",)), {}, 403, "market not allowed", "market"),
        (Limits(allowed_symbols=("HK.09988",)), {}, 403, "symbol not allowed", "symbol"),
        (Limits(allowed_trd_sides=("SELL",)), {}, 403, "trade side not allowed", "side"),
        (Limits(hours_window="11:00-12:00"), {}, 429, "outside hours window 11:00-12:00", "hours"),
        (Limits(max_order_value=1000.0), {}, 403, "order value 141000.00 > 1000.00", "per_order"),
        (Limits(max_order_value=1000.0), {"qty": -1.0}, 403, "order value -470.00 is no value", "per_order"),
        (Limits(max_orders_per_minute=0), {}, 429, "rate limit exceeded: 0 orders in the last 60s (cap 0)", "rate"),
        (
            Limits(max_daily_value=1000.0),
            {},
            429,
            "daily value 141000.00 > 1000.00 (current=0.00 + order=141000.00)",
            "daily",
        ),
    ],
)
async def test_each_layer_has_its_status_text_and_metric(
    limits: Limits, change: dict[str, Any], status: int, text: str, reason: str
) -> None:
    """And nothing is placed; the page's build says 429 for all, newer clients read no numbers."""
    gateway = GatewayAtHand(limits=limits)
    assert await gateway.denied("order", gateway.an_order(**change)) == (status, P + text)
    assert gateway.ledger.orders() == []
    assert {name for name, _ in gateway.venue.rejects} == {reason}
    page = GatewayAtHand(limits=limits, limit_statuses="page")
    assert (await page.denied("order", page.an_order(**change)))[0] == 429
    short = GatewayAtHand(limits=limits, limit_texts="short")
    said = (await short.denied("order", short.an_order(**change)))[1]
    assert said.startswith(P)
    assert not any(letter.isdigit() for letter in said)


async def test_the_door_comes_before_the_body_and_the_lists_after() -> None:
    """A malformed order uses up rate; a full rate hides what is wrong with the body; lists come first."""
    gateway = GatewayAtHand(limits=Limits(max_orders_per_minute=2, allowed_symbols=(), max_order_value=1.0))
    assert (await gateway.client.post("/api/order", content=b"{")).status_code == 400
    assert await gateway.denied("order", gateway.an_order()) == (403, P + "symbol not allowed")
    response = await gateway.client.post("/api/order", content=b"{")
    assert response.json() == {"error": P + "rate limit exceeded: 2 orders in the last 60s (cap 2)"}


async def test_changes_and_cancels_count_but_symbol_and_side_do_not_stop_them() -> None:
    """Rate counts every trade write; symbol and side lists are skipped; the market is not; a change has a value."""
    gateway = GatewayAtHand()
    order = await gateway.placed()
    gateway.wait(1)
    limits = Limits(allowed_symbols=(), allowed_trd_sides=(), max_order_value=100_000.0, max_orders_per_minute=3)
    gateway.venue.keys._by_hash = {key.hash: key for key in (a_key(EXAMPLE_TOKEN, limits=limits),)}
    gateway.wait(60)
    dear = gateway.a_change(order, 1, qty=300.0, price=470.0)
    assert await gateway.denied("modify-order", dear) == (403, P + "order value 141000.00 > 100000.00")
    await gateway.said("modify-order", gateway.a_change(order, 1, qty=200.0, price=470.0))
    await gateway.said("modify-order", gateway.a_change(order, 2))
    assert (await gateway.denied("modify-order", gateway.a_change(order, 2)))[0] == 429
    strict = GatewayAtHand(limits=Limits(allowed_markets=()))
    assert await strict.denied("modify-order", strict.a_change(order, 2)) == (403, P + "market not allowed")


async def test_market_orders_have_no_value_to_check() -> None:
    """The gateway can not value them: neither the order's cap nor the day's stops them."""
    gateway = GatewayAtHand(limits=Limits(max_order_value=1.0, max_daily_value=1.0))
    assert (await gateway.placed(order_type=2, price=0.0))["order_id"]


async def test_the_daily_value_counts_what_was_placed_and_turns_over_at_midnight_utc() -> None:
    """Refused orders and repeats of a kept answer add nothing; 08:00 in Hong Kong begins a new day."""
    gateway = GatewayAtHand(limits=Limits(max_daily_value=150_000.0))
    body = gateway.an_order()
    await gateway.said("order", body)
    assert gateway.venue.counters.daily("default", gateway.clock.now_ns) == 141_000.0
    assert (await gateway.call("order", gateway.an_order(qty=50.0, price=1.0))).json()["ret_type"] == -1
    assert gateway.venue.counters.daily("default", gateway.clock.now_ns) == 141_000.0
    small = gateway.an_order(qty=100.0, price=80.0)
    await gateway.said("order", small)
    # Since the gate stands before the kept answer, a repeat is judged as an order; it adds nothing when it passes.
    await gateway.said("order", gateway.an_order(qty=100.0, price=5.0, packet_id=small["c2s"]["packet_id"]))
    assert gateway.venue.counters.daily("default", gateway.clock.now_ns) == 149_000.0
    gateway.clock.now_ns = parse_time("2026-11-19 08:00:00", "Asia/Hong_Kong")
    assert gateway.venue.counters.daily("default", gateway.clock.now_ns) == 0.0
    assert (await gateway.placed())["order_id"]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40 * SECOND_NS), st.floats(0.01, 500.0), st.integers(1, 50)), max_size=40),
    st.integers(0, 5),
    st.floats(0, 40_000.0),
)
def test_rate_and_daily_value_are_the_naive_ones(steps: list[tuple[int, float, int]], cap: int, daily: float) -> None:
    """Beside lists of all writes and sums over them: the same verdict for every write of any stream."""
    key = a_key("x", limits=Limits(max_orders_per_minute=cap, max_daily_value=daily))
    layers = LimitLayers(Counters(), timezone="Asia/Hong_Kong", statuses="modern", texts="full")
    now, let_in, placed = HK_OPEN_NS - HK_OPEN_NS % DAY_NS + DAY_NS - 200 * SECOND_NS, [], []
    for step, price, quantity in steps:
        now += step
        try:
            layers.at_the_door(key, now)
            refused = False
        except Denied:
            refused = True
        assert refused == (sum(now - moment < 60 * SECOND_NS for moment in let_in) >= cap)
        if refused:
            continue
        let_in.append(now)
        body = {"header": {"trd_market": 1}, "trd_side": 1, "qty": float(quantity), "price": price}
        spent = 0.0
        for moment, value in placed:
            spent += value if moment // DAY_NS == now // DAY_NS else 0.0
        try:
            value = layers.place(key, body, "HK.00700", now)
        except Denied:
            assert spent + quantity * price > daily
        else:
            assert spent + quantity * price <= daily
            layers.counters.add_daily(key.id, value, now)
            placed.append((now, value))


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 86_399))
def test_hours_windows_are_the_naive_ones(start: int, end: int, second: int) -> None:
    """Minutes of the day walked one by one, over midnight where the end comes first; the end is left out."""
    spec = f"{start // 60:02d}:{start % 60:02d}-{end // 60:02d}:{end % 60:02d}"
    open_minutes = set(range(start, end)) if start <= end else set(range(start, 1440)) | set(range(end))
    now = parse_time("2026-11-18 00:00:00", "Asia/Hong_Kong") + second * SECOND_NS
    assert in_window(spec, now, "Asia/Hong_Kong") == (second // 60 in open_minutes)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(PACES)), st.lists(st.integers(0, 5_000), max_size=120))
def test_backend_frequencies_are_the_naive_ones(path: str, gaps_ms: list[int]) -> None:
    """No 30 seconds hold more accepted calls than the table says, none come closer than it says, and no call that
    fits is refused."""
    pace, pacing = PACES[path], Pacing()
    body = {"header": {"acc_id": 1}, "refresh_cache": True}
    now, accepted = 10**18, []
    for gap in gaps_ms:
        now += gap * 1_000_000
        recent = [moment for moment in accepted if now - moment < 30 * SECOND_NS]
        fits = len(recent) < pace.calls and (not recent or now - recent[-1] >= pace.gap_ns)
        try:
            pacing.check(path, body, now)
        except Failed:
            assert not fits
        else:
            assert fits
            accepted.append(now)


async def test_which_calls_the_frequencies_count() -> None:
    """By account; reads only when they refresh; history only its first pages; a locked account's orders never."""
    gateway = GatewayAtHand(pacing=True)
    for _ in range(30):
        await gateway.said("orders", {"header": a_header()})
    for _ in range(10):
        await gateway.said("orders", {"header": a_header(), "refresh_cache": True})
    assert "频率" in await gateway.refused("orders", {"header": a_header(), "refresh_cache": True})
    await gateway.said("orders", {"header": a_header(SIMULATE_US, trd_market=2), "refresh_cache": True})
    body = {"security": {"market": 1, "code": "00700"}, "kl_type": 8, "rehab_type": 0, "max_count": 1}
    body |= {"begin_time": "2026-11-16", "end_time": "2026-11-17"}
    key = (await gateway.said("history-kline", body))["next_req_key"]
    for _ in range(70):
        await gateway.said("history-kline", body | {"next_req_key": key})
    for _ in range(20):
        assert "未解锁" in await gateway.refused("order", gateway.an_order(REAL))
    assert gateway.venue.pacing.refused == {"/api/orders": 1}
    gateway.wait(30)
    await gateway.said("orders", {"header": a_header(), "refresh_cache": True})


async def test_orders_too_close_to_each_other() -> None:
    """At least 0.02 s between two orders, 0.04 s between two changes."""
    gateway = GatewayAtHand(pacing=True)
    order = await gateway.placed(qty=100.0)
    assert "0.02" in await gateway.refused("order", gateway.an_order(qty=100.0))
    gateway.wait(0.02)
    await gateway.placed(qty=100.0)
    await gateway.said("modify-order", gateway.a_change(order, 2))
    gateway.wait(0.039)
    assert "0.04" in await gateway.refused("modify-order", gateway.a_change(order, 2))


async def test_the_subscription_quota() -> None:
    """Units are securities times sub types; a batch that does not fit changes nothing; known pairs cost nothing."""
    gateway = GatewayAtHand(subscription_quota=5)
    listed = [{"market": 1, "code": code} for code in ("00700", "09988")]

    async def wanted(subs: list[int]) -> Any:
        body = {"security_list": listed, "sub_type_list": subs, "is_sub_or_un_sub": True}
        return (await gateway.call("subscribe", body)).json()["ret_type"]

    assert await wanted([1, 2]) == 0
    assert await wanted([4]) == -1
    assert await wanted([1, 2, 2]) == 0
    info = await gateway.said("sub-info")
    assert (info["total_used_quota"], info["remain_quota"]) == (4, 1)


async def test_the_history_quota_counts_securities_of_thirty_days() -> None:
    """The third of two securities is refused until the first is thirty days back."""
    gateway = GatewayAtHand(kline_quota=2, tick_seconds=3600.0)

    async def asked(code: str) -> int:
        body = {"security": {"market": 1, "code": code}, "kl_type": 2, "rehab_type": 0}
        body |= {"begin_time": "2026-11-10", "end_time": "2026-11-17"}
        return int((await gateway.call("history-kline", body)).json()["ret_type"])

    assert [await asked(code) for code in ("00700", "09988", "00700", "00005")] == [0, 0, 0, -1]
    gateway.clock.now_ns += 30 * DAY_NS
    assert await asked("00005") == 0


async def test_idempotency_by_header_and_by_packet() -> None:
    """The header's key comes first; the pair stands in for it; both last 90 s; each API key has its own."""
    keys = (a_key(EXAMPLE_TOKEN), a_key("fc_other", key_id="other"))
    gateway = GatewayAtHand(keys=keys)
    body = gateway.an_order()
    first = await gateway.said("order", body)
    # Trap 4 of the contract: another order with the same pair is never placed.
    trap = gateway.an_order(qty=100.0, price=460.0, packet_id=body["c2s"]["packet_id"])
    assert await gateway.said("order", trap) == first
    one = await gateway.said("order", gateway.an_order(), **{"Idempotency-Key": "a"})
    assert await gateway.said("order", gateway.an_order(), **{"Idempotency-Key": "a"}) == one
    other = await gateway.said("order", body, **{"Idempotency-Key": "b"})
    assert other["order_id"] not in {first["order_id"], one["order_id"]}
    theirs = await gateway.said("order", body, authorization="Bearer fc_other")
    assert theirs["order_id"] != first["order_id"]
    gateway.wait(89.9)
    assert await gateway.said("order", body) == first
    gateway.wait(0.1)
    assert (await gateway.said("order", body))["order_id"] != first["order_id"]
    unprotected = gateway.an_order(packet_id=None, qty=100.0, price=5.0)
    assert await gateway.said("order", unprotected) != await gateway.said("order", unprotected)


async def test_refusals_are_not_kept_but_unknown_outcomes_are() -> None:
    """A refused order may be mended under the same key; a time-out's repeat gives the time-out, and places nothing."""
    gateway = GatewayAtHand(answers=AnswerFaults(script={2: AnswerFault.TIMEOUT_DONE, 3: AnswerFault.NO_IDS}))
    assert "整数倍" in await gateway.refused("order", gateway.an_order(qty=50.0), **{"Idempotency-Key": "a"})
    for _ in range(3):
        reply = (await gateway.call("order", gateway.an_order(), **{"Idempotency-Key": "a"})).json()
        assert (reply["ret_type"], reply["err_code"]) == (-100, 100012)
    assert len(gateway.ledger.orders()) == 1
    s2c = await gateway.said("order", gateway.an_order())
    assert (s2c["order_id"], s2c["order_id_ex"]) == (None, None)
    assert len(gateway.ledger.orders()) == 2


async def test_answer_faults_are_drawn_from_the_seed() -> None:
    """The same seed plays the same ones; each kind fires; what is placed is what was not lost."""
    chances = dict.fromkeys(AnswerFault, 0.2)
    seen = []
    for _ in range(2):
        gateway = GatewayAtHand(answers=AnswerFaults(chances=chances, stop_after=12))
        for _ in range(40):
            reply = (await gateway.call("order", gateway.an_order(qty=100.0, price=5.0))).json()
            seen.append(reply["ret_type"])
        fired = gateway.venue.answer_fired
        assert set(fired) == set(AnswerFault)
        assert fired.total() == 12
        assert len(gateway.ledger.orders()) == 40 - fired[AnswerFault.TIMEOUT_LOST]
    assert seen[:40] == seen[40:]


async def test_scopes_inside_trade_routes() -> None:
    """Simulate orders take either trade scope, real ones trade:real, unlock trade:unlock and nothing else."""
    wanted = {
        ("trade:simulate",): (200, 403, 403),
        ("trade:real",): (200, 200, 403),
        ("trade:unlock",): (403, 403, 200),
    }
    for scopes, statuses in wanted.items():
        gateway = GatewayAtHand(scopes=scopes)
        unlock = {"unlock": True, "pwd_md5": gateway.simulator.trade_password_md5}
        answers = [
            await gateway.call("order", gateway.an_order()),
            await gateway.call("order", gateway.an_order(REAL)),
            await gateway.call("unlock-trade", unlock),
        ]
        assert tuple(answer.status_code for answer in answers) == statuses
        assert all(answer.json() == {"error": "forbidden"} for answer in answers if answer.status_code == 403)


async def test_unlock_in_all_its_turns() -> None:
    """Locked, wrong password, missing and wrong second factor, unlocked, locked again, lost by a restart."""
    gateway = GatewayAtHand(otp="123456")
    good = {"unlock": True, "pwd_md5": gateway.simulator.trade_password_md5}
    assert "交易未解锁" in await gateway.refused("order", gateway.an_order(REAL))
    assert "交易密码错误" in await gateway.refused("unlock-trade", good | {"pwd_md5": "0" * 32})
    assert "需要令牌动态密码" in await gateway.refused("unlock-trade", good)
    reply = (await gateway.call("unlock-trade", good | {"sec_otp": "1"})).json()
    assert reply["s2c"] == {"need_otp": True, "account_result_list": []}
    assert (await gateway.denied("unlock-trade", {"unlock": True}))[0] == 400
    result = await gateway.said("unlock-trade", good | {"sec_otp": "123456"})
    assert [(row["acc_id"], row["success"]) for row in result["account_result_list"]] == [(REAL, True)]
    assert (await gateway.placed(REAL))["order_id"]
    await gateway.said("unlock-trade", {"unlock": False})
    assert "交易未解锁" in await gateway.refused("order", gateway.an_order(REAL))
    await gateway.said("unlock-trade", good | {"sec_otp": "123456"})
    gateway.venue.restart()
    assert "交易未解锁" in await gateway.refused("order", gateway.an_order(REAL))
    narrow = GatewayAtHand(limits=Limits(allowed_acc_ids=(REAL,)))
    assert (await narrow.denied("unlock-trade", good))[0] == 403
    assert await narrow.said("unlock-trade", good | {"acc_ids": [REAL]})


async def test_a_restart_loses_what_the_daemon_held_and_keeps_what_the_broker_holds() -> None:
    """Subscriptions, counters, kept answers and the connection's number go; orders and money stay."""
    gateway = GatewayAtHand(limits=Limits(max_orders_per_minute=1))
    await gateway.subscribe(1)
    body = gateway.an_order()
    first = await gateway.said("order", body)
    conn_id = (await gateway.said("global-state"))["conn_id"]
    gateway.venue.restart()
    assert (await gateway.said("sub-info"))["total_used_quota"] == 0
    assert "未订阅" in await gateway.refused("quote", {"security_list": [{"market": 1, "code": "00700"}]})
    assert (await gateway.said("global-state"))["conn_id"] != conn_id
    assert (await gateway.said("order", body))["order_id"] != first["order_id"]
    assert len((await gateway.said("orders", {"header": a_header()}))["order_list"]) == 2


async def test_the_minute_of_the_rate_ends_after_sixty_seconds() -> None:
    """A write sixty seconds back no longer counts; a nanosecond less, and it does."""
    gateway = GatewayAtHand(limits=Limits(max_orders_per_minute=1))
    await gateway.placed()
    gateway.clock.now_ns += 60 * SECOND_NS - 1
    assert (await gateway.denied("order", gateway.an_order()))[0] == 429
    gateway.clock.now_ns += 1
    assert (await gateway.placed())["order_id"]
