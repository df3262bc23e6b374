"""The environment is proven, limits are known before the gateway says them; what their texts say of trying again."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.commands import Side
from engine.domain.errors import ConfigError, NotSent
from engine.domain.timestamps import DAY_NS, SECOND_NS, parse_time
from engine.gateways.futu.account_messages import TradeAccount
from engine.gateways.futu.limits import KeyLimits, KeyRecord, LimitMirror, key_from_file
from engine.gateways.futu.proof import proven_account
from engine.gateways.futu.texts import LimitKind, frequency_wait_ns, limit_from_text
from engine.gateways.futu.unlocking import PASSWORD, PASSWORD_MD5
from engine.gateways.futu.wire import Id
from engine.net.rate_limit import Ticket
from tests.futu_builders import (
    NOW_NS,
    REAL_ID,
    SIMULATE_ID,
    TOKEN,
    FarSide,
    a_gateway,
    an_account,
    an_order,
    ok,
    said_no,
)
from tests.gateway_builders import QuickClock

SIM = TradeAccount(trd_env=0, acc_id=Id(SIMULATE_ID), acc_status=0)
REAL = TradeAccount(trd_env=1, acc_id=Id(REAL_ID), acc_status=0)
ENV = {"SLUICE_FUTU_TOKEN": TOKEN}


@pytest.mark.parametrize(
    ("accounts", "acc_id", "environment", "armed", "words"),
    [
        ([SIM, REAL], SIMULATE_ID, "simulate", False, ""),
        ([SIM, REAL], REAL_ID, "real", True, ""),
        ([SIM, REAL], REAL_ID, "real", False, "--arm"),
        ([SIM, REAL], REAL_ID, "simulate", False, "which is 'real'"),
        ([SIM, REAL], SIMULATE_ID, "real", True, "which is 'simulate'"),
        ([SIM, REAL], "7", "simulate", False, "not among"),
        ([], SIMULATE_ID, "simulate", False, "none"),
        ([SIM, TradeAccount(trd_env=2, acc_id=Id("9"))], SIMULATE_ID, "simulate", False, "trd_env 2"),
        ([TradeAccount(trd_env=2, acc_id=Id(REAL_ID))], REAL_ID, "real", True, "trd_env 2"),
        ([TradeAccount(trd_env=1, acc_id=Id(SIMULATE_ID))], SIMULATE_ID, "simulate", False, "trd_env 1"),
        ([SIM, SIM], SIMULATE_ID, "simulate", False, "2 times"),
        ([TradeAccount(trd_env=0, acc_id=Id(SIMULATE_ID), acc_status=1)], SIMULATE_ID, "simulate", False, "disabled"),
        ([TradeAccount(trd_env=1, acc_id=Id(REAL_ID), sim_acc_type=1)], REAL_ID, "real", True, "simulation type"),
        ([SIM], SIMULATE_ID, "1", False, "no number"),
        ([SIM], SIMULATE_ID, "", False, "no number"),
    ],
)
def test_the_environment_is_proven_or_refused(
    accounts: list[TradeAccount], acc_id: str, environment: str, armed: bool, words: str
) -> None:
    """Any contradiction between config, list and official protocol is one sentence, and no trade."""
    proof = {"gateway": "futu", "acc_id": acc_id, "environment": environment, "armed": armed}
    if not words:
        assert proven_account(accounts, **proof).acc_id == acc_id  # type: ignore[arg-type]
        return
    with pytest.raises(ConfigError, match=words):
        proven_account(accounts, **proof)  # type: ignore[arg-type]


async def test_nothing_is_encoded_before_the_proof() -> None:
    """Without ``connect`` there is no account to send for."""
    gateway = a_gateway(FarSide())
    assert gateway.router is not None
    with pytest.raises(NotSent, match="not proven"):
        gateway.router.encode([an_order()])


async def test_an_account_that_does_not_answer_as_configured_is_not_traded() -> None:
    """The probe: funds of that account in that environment; and nothing is sent afterwards either."""
    far = FarSide()
    far.say("/api/funds", said_no("[err_code=none] trd_env mismatch"))
    gateway = a_gateway(far)
    with pytest.raises(ConfigError, match="trd_env mismatch"):
        await gateway.connect()
    assert gateway.router is not None
    with pytest.raises(NotSent):
        gateway.router.encode([an_order()])


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        ("/api/accounts", httpx.Response(401, json={"error": "missing bearer token"}), "key not taken"),
        ("/api/accounts", httpx.Response(403, json={"error": "forbidden"}), "acc:read"),
        ("/api/sub-acc-push", httpx.Response(403, json={"error": "needs scope mode"}), "keys file"),
    ],
)
async def test_a_key_that_does_not_do_is_a_config_error(path: str, answer: httpx.Response, words: str) -> None:
    """One sentence that names what the key must have."""
    far = FarSide()
    far.say(path, answer)
    with pytest.raises(ConfigError, match=words):
        await a_gateway(far).connect()


@pytest.mark.parametrize(
    ("given_settings", "words"),
    [
        ({"environment": ""}, "simulate"),
        ({"environment": "real"}, "--arm"),
        ({"acc_id": ""}, "acc_id"),
        ({"acc_id": "-1"}, "acc_id"),
        ({"currency": "DOGE"}, "currency"),
        ({"bars": "x"}, "push"),
        ({"extras": ("x",)}, "extras"),
        ({"instruments": ("00700.XX",)}, "not listed"),
        ({"stale": "soon"}, "stale"),
    ],
)
def test_settings_that_contradict_are_refused_at_once(given_settings: dict[str, Any], words: str) -> None:
    """Before anything is called."""
    with pytest.raises(ConfigError, match=words):
        a_gateway(FarSide(), **given_settings)


# --- unlock ----------------------------------------------------------------------------------------------------------


def a_real_far_side() -> FarSide:
    far = FarSide()
    far.say("/api/accounts", ok({"acc_list": [an_account(trd_env=1, acc_id=REAL_ID, security_firm=1)]}))
    return far


async def test_a_real_account_is_unlocked_once_with_its_digest() -> None:
    """MD5 in lower case, the account by name; a simulated one is never unlocked."""
    far = a_real_far_side()
    gateway = a_gateway(far, environ=ENV | {PASSWORD: "secret"}, acc_id=REAL_ID, environment="real", armed=True)
    await gateway.connect()
    (body,) = far.bodies("/api/unlock-trade")
    digest = hashlib.md5(b"secret").hexdigest()
    assert body["c2s"] == {"unlock": True, "pwd_md5": digest, "security_firm": 1, "acc_ids": [int(REAL_ID)]}
    paper = FarSide()
    await a_gateway(paper, environ=ENV | {PASSWORD: "secret"}).connect()
    assert not paper.bodies("/api/unlock-trade")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said_no("[err_code=none] 密码错误"), "密码错误"),
        (
            said_no("[err_code=none] 需要令牌动态密码", s2c={"need_otp": True, "account_result_list": []}),
            "second factor",
        ),
        (ok({"account_result_list": [{"acc_id": REAL_ID, "success": False}]}), "left locked"),
    ],
)
async def test_a_wrong_password_is_not_tried_again(answer: httpx.Response, words: str) -> None:
    """Two wrong ones lock for a minute; so one is all."""
    far = a_real_far_side()
    far.say("/api/unlock-trade", answer)
    gateway = a_gateway(far, environ=ENV | {PASSWORD_MD5: "F" * 32}, acc_id=REAL_ID, environment="real", armed=True)
    for _ in range(2):
        with pytest.raises(ConfigError, match=words):
            await gateway.connect()
    assert len(far.bodies("/api/unlock-trade")) == 1


async def test_a_real_account_without_a_password_is_refused() -> None:
    """The sentence names the variable."""
    gateway = a_gateway(a_real_far_side(), acc_id=REAL_ID, environment="real", armed=True)
    with pytest.raises(ConfigError, match=PASSWORD):
        await gateway.connect()


# --- texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "text", "kind", "seconds"),
    [
        (429, "limit check failed: rate limit exceeded: 3 orders in the last 60s (cap 3)", LimitKind.RATE, 60),
        (429, "limit: rate limit exceeded: 5 in 60s (cap 3)", LimitKind.RATE, 60),
        (429, "limit check failed: rate limit exceeded: 3 orders in the last 10s (cap 3)", LimitKind.RATE, 10),
        (429, "limit check failed: rate limit exceeded: 3 orders in the last 9999s", LimitKind.RATE, 60),
        (429, "limit check failed: rate limit exceeded", LimitKind.RATE, 60),
        (429, "limit check failed: daily value 27000.00 > 25000.00 (current=18000.00 + order=9000.00)",
         LimitKind.DAILY, None),
        (429, "limit check failed: outside hours window 09:30-16:00", LimitKind.HOURS, None),
        (429, "limit check failed", LimitKind.OTHER, None),
        (429, "", LimitKind.OTHER, None),
        (403, "limit check failed: market not allowed", LimitKind.MARKET, None),
        (429, "limit check failed: symbol not allowed", LimitKind.SYMBOL, None),
        (403, "limit check failed: trade side not allowed", LimitKind.SIDE, None),
        (403, "limit check failed: order value 90000.00 > 50000.00", LimitKind.PER_ORDER, None),
        (403, "forbidden", LimitKind.FORBIDDEN, None),
    ],
)  # fmt: skip
def test_limit_texts_mean_later_or_never(status: int, text: str, kind: LimitKind, seconds: int | None) -> None:
    """Only the rate passes by waiting, for as long as it says and at most a minute; what nobody knows is never."""
    limit = limit_from_text(status, text)
    assert limit is not None
    assert (limit.kind, limit.later) == (kind, seconds is not None)
    assert limit.retry_after_ns == (seconds * SECOND_NS if seconds else None)


def test_other_words_of_waiting() -> None:
    """A header's delay on an unknown text; upstream frequency in either language; a status that is no limit."""
    limit = limit_from_text(429, "slow down", 5 * SECOND_NS)
    assert limit is not None
    assert limit.retry_after_ns == 5 * SECOND_NS
    assert limit_from_text(429, "daily value", 5 * SECOND_NS) is not None
    assert limit_from_text(500, "rate limit exceeded") is None
    assert frequency_wait_ns("下单频率太高，请求失败，每30秒最多15次") == 30 * SECOND_NS
    assert frequency_wait_ns("High Frequency, retry") == 30 * SECOND_NS
    assert frequency_wait_ns("订单数量必须为每手股数的整数倍") is None


# --- the mirror ------------------------------------------------------------------------------------------------------


def a_mirror(clock: Any = None, *, price: float | None = 500.0, reserve: int = 0, **limits: Any) -> LimitMirror:
    return LimitMirror(
        KeyRecord(limits=KeyLimits(**limits)),
        clock or QuickClock(NOW_NS),
        acc_id=SIMULATE_ID,
        market_of=lambda instrument: 1 if instrument.endswith(".HK") else 2,
        price_of=lambda _instrument: price,
        hours_timezone="Asia/Hong_Kong",
        cancel_reserve=reserve,
    )


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({}, ""),
        ({"allowed_acc_ids": [int(SIMULATE_ID)]}, ""),
        ({"allowed_acc_ids": [5]}, "GATEWAY_FORBIDDEN"),
        ({"allowed_markets": ["US"]}, "GATEWAY_MARKET"),
        ({"allowed_markets": ["HK"]}, ""),
        ({"allowed_symbols": ["HK.00005"]}, "GATEWAY_SYMBOL"),
        ({"allowed_symbols": ["HK.00700"]}, ""),
        ({"allowed_trd_sides": ["SELL"]}, "GATEWAY_SIDE"),
        ({"hours_window": "10:15-16:00"}, ""),
        ({"hours_window": "10:16-16:00"}, "GATEWAY_HOURS"),
        ({"hours_window": "22:00-11:00"}, ""),
        ({"max_order_value": Decimal(153240)}, ""),
        ({"max_order_value": Decimal(153239)}, "GATEWAY_PER_ORDER"),
        ({"max_daily_value": Decimal(153239)}, "GATEWAY_DAILY"),
        ({"max_orders_per_minute": 0}, "GATEWAY_RATE"),
        ({"max_orders_per_minute": 1}, ""),
    ],
)
def test_each_layer_of_the_gateway_is_ours_first(limits: dict[str, Any], code: str) -> None:
    """In the gateway's order, with the figures in a sentence."""
    denial = a_mirror(**limits).denial(an_order())
    assert (denial.code if denial else "") == code
    if denial is not None:
        assert denial.reason.startswith("limit check failed: ")


def test_market_orders_are_valued_at_the_last_price() -> None:
    """The gateway can not value them; without a price nobody can, and that is a no."""
    order = an_order(price=None)
    denial = a_mirror(price=1000.0, max_order_value=Decimal(200_000)).denial(order)
    assert denial is not None
    assert "300000.00" in denial.reason
    unknown = a_mirror(price=None, max_order_value=Decimal(200_000)).denial(order)
    assert unknown is not None
    assert "not known" in unknown.reason


def test_room_is_kept_for_cancels() -> None:
    """Orders leave the last place of the minute to a cancel."""
    mirror = a_mirror(max_orders_per_minute=3, reserve=1)
    for _ in range(2):
        assert mirror.denial(an_order()) is None
        mirror.answered(mirror.leaves(an_order()))
    assert mirror.denial(an_order()) is not None
    assert mirror.denial_of_change() is None


class TheGatewaysCount:
    """Rate and daily value as contract 7.2 counts them, with the gateway's own moment of each call."""

    def __init__(self, cap: int, daily: Decimal) -> None:
        self._cap = cap
        self._daily = daily
        self._times: list[int] = []
        self._spent: dict[int, Decimal] = {}

    def takes(self, now_ns: int, value: Decimal) -> bool:
        recent = [moment for moment in self._times if moment > now_ns - 60 * SECOND_NS]
        if len(recent) >= self._cap:
            return False
        self._times.append(now_ns)
        spent = self._spent.get(now_ns // DAY_NS, Decimal(0)) + value
        if spent > self._daily:
            return False
        self._spent[now_ns // DAY_NS] = spent
        return True


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 3, 7, 20, 61, 3600]),  # seconds to the next
        st.floats(0, 1),  # where between our send and our answer the gateway counts it
        st.sampled_from([0.0, 0.2, 1.5]),  # how long an answer takes
        st.sampled_from([100, 200, 500]),
        st.booleans(),  # an order or a cancel
    ),
    max_size=40,
)


@settings(max_examples=1000, deadline=None)
@given(steps, st.integers(1, 6), st.sampled_from([20_000, 150_000, 900_000]))
def test_the_gateway_never_refuses_what_we_passed(stream: list[Any], cap: int, daily: int) -> None:
    """Over random streams near the end of a UTC day; and what we deny, its counts plus our margin would deny too."""
    clock = QuickClock(parse_time("2026-11-18 23:40:00", "UTC"))
    mirror = a_mirror(clock, max_orders_per_minute=cap, max_daily_value=Decimal(daily))
    gateway = TheGatewaysCount(cap, Decimal(daily))
    margin = TheGatewaysCount(cap, Decimal(daily))
    for gap, share, taking, quantity, is_order in stream:
        clock.now_ns += gap * SECOND_NS
        order = an_order(quantity, "100")
        denial = mirror.denial(order) if is_order else mirror.denial_of_change()
        if denial is not None:
            wide = [t for t in margin._times if t > clock.now_ns - 63 * SECOND_NS]
            days = ((clock.now_ns + shift) // DAY_NS for shift in (-4 * SECOND_NS, 0, 4 * SECOND_NS))
            most = max(margin._spent.get(day, Decimal(0)) for day in days)
            assert len(wide) >= cap or (is_order and most + Decimal(quantity * 100) > daily)
            continue
        ticket: Ticket | None = mirror.leaves(order if is_order else None)
        took = round(taking * SECOND_NS)
        value = Decimal(quantity * 100) if is_order else Decimal(0)
        assert gateway.takes(clock.now_ns + round(took * share), value)
        margin._times.append(clock.now_ns + took)
        for day in {(clock.now_ns + shift) // DAY_NS for shift in (-2 * SECOND_NS, 0, 2 * SECOND_NS)}:
            margin._spent[day] = margin._spent.get(day, Decimal(0)) + value
        clock.now_ns += took
        mirror.answered(ticket)


async def test_a_denied_order_never_leaves() -> None:
    """Our sentence, before a byte; the callable says the same without sending."""
    far = FarSide()
    gateway = a_gateway(far, key={"id": "k", "limits": {"allowed_trd_sides": ["BUY"]}})
    await gateway.connect()
    router = gateway.router
    assert router is not None
    order = an_order(side=Side.SELL)
    denial = router.denial(order)
    assert denial is not None
    with pytest.raises(NotSent, match="trade side SELL not allowed"):
        await router.submit([order], router.encode([order]))
    assert not far.bodies("/api/order")


def test_our_key_is_found_in_the_gateways_file(tmp_path: Path) -> None:
    """By its id, or by the hash of our token; a file without it is one sentence."""
    path = tmp_path / "keys.json"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    keys = [{"id": "other", "hash": "0", "scopes": []},
            {"id": "mine", "hash": digest, "scopes": ["qot:read"], "limits": {"max_orders_per_minute": 3}}]  # fmt: skip
    path.write_text(json.dumps({"version": 1, "keys": keys}))
    assert key_from_file(str(path), "", TOKEN, "g").limits.max_orders_per_minute == 3
    assert key_from_file(str(path), "other", TOKEN, "g").id == "other"
    with pytest.raises(ConfigError, match="has no key"):
        key_from_file(str(path), "", "fc_other", "g")
    with pytest.raises(ConfigError, match="can not be read"):
        key_from_file(str(tmp_path / "absent.json"), "", TOKEN, "g")
    expired = LimitMirror(
        KeyRecord(expires_at="2026-11-18T00:00:00Z"), QuickClock(NOW_NS), acc_id="1", market_of=lambda _i: 1,
        price_of=lambda _i: None, hours_timezone="UTC",
    )  # fmt: skip
    denial = expired.denial(an_order())
    assert denial is not None
    assert "expired" in denial.reason
