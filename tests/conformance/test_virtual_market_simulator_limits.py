"""The simulated virtual market's rate limits, exactly as contract 5 counts them."""

from collections import defaultdict

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.domain.timestamps import SECOND_NS
from engine.simulators.virtual_market.limits import SHIPPED_WHITELIST, RateLimiter
from tests.simulator_builders import MarketAtHand, running

PATHS = {
    "/api/auth/login": 10,
    "/api/auth/me/token": 10,
    "/api/v1/trade/buy": 30,
    "/api/v1/trade/nothing": 30,
    "/api/v1/stock/CY/details": 5,
    "/api/v1/stock/CY": 60,
    "/api/v1/stock/CY/details/": 60,
    "/api/v1/stocks": 60,
    "/api/kline/CY": 60,
}
THROTTLED = b'{"error": "Too Many Requests", "message": "Rate limit exceeded."}'

Call = tuple[str, str, str | None, int]
"""Path, address, user, wait before it in nanoseconds."""

calls = st.lists(
    st.tuples(
        st.sampled_from(sorted(PATHS)),
        st.sampled_from(["10.0.0.1", "10.0.0.2"]),
        st.sampled_from([None, "u1", "u2"]),
        st.sampled_from([0, 1, 400_000_000, SECOND_NS, 20 * SECOND_NS, 59 * SECOND_NS, 60 * SECOND_NS]),
    ),
    max_size=200,
)


@settings(max_examples=150, deadline=None)
@given(calls)
@example([("/api/v1/stocks", "10.0.0.1", None, 0)] * 70)
def test_the_shared_counter_is_one_list_of_accepted_calls_an_address(
    seen: list[Call],
) -> None:
    """Against a naive model: a call passes while fewer than its rule's limit were accepted in the last 60 s."""
    limiter, accepted, now = RateLimiter("shared"), defaultdict[str, list[int]](list), 0
    for path, address, user, wait in seen:
        now += wait
        recent = [moment for moment in accepted[address] if now - moment < 60 * SECOND_NS]
        expected = len(recent) < PATHS[path]
        assert limiter.allows(path, address, user, now) is expected
        if expected:
            accepted[address].append(now)


@settings(max_examples=150, deadline=None)
@given(calls)
@example([("/api/v1/trade/buy", "10.0.0.1", "u1", 0)] * 31 + [("/api/v1/trade/buy", "10.0.0.1", "u2", 0)])
def test_separate_limits_read_as_the_document(seen: list[Call]) -> None:
    """Four lists: trades by user (by address without a token), the others by address."""
    limiter, accepted, now = RateLimiter("separate"), defaultdict[object, list[int]](list), 0
    for path, address, user, wait in seen:
        now += wait
        limit = PATHS[path]
        key = (limit, ("user", user) if limit == 30 and user else address)
        recent = [moment for moment in accepted[key] if now - moment < 60 * SECOND_NS]
        expected = len(recent) < limit
        assert limiter.allows(path, address, user, now) is expected
        if expected:
            accepted[key].append(now)


async def test_five_list_calls_and_details_are_refused() -> None:
    """The observed crossings: 5 calls close details, 10 close login, 30 close trades, 60 close all; the exact body."""
    market = MarketAtHand(rate_limits="shared").log_in()
    routes = [
        ("GET", "/api/v1/stock/CY/details", 5),
        ("POST", "/api/auth/login", 10),
        ("POST", "/api/v1/trade/sell_all_portfolio", 30),
        ("GET", "/api/v1/stocks", 60),
    ]
    made = 0
    for method, path, limit in routes:
        while made < limit:
            assert (await market.client.get("/api/v1/stocks")).status_code == 200
            made += 1
        response = await market.client.request(method, path)
        assert (response.status_code, response.content) == (429, THROTTLED)
        assert response.headers["content-type"] == "application/json; charset=utf-8"
        assert "retry-after" not in response.headers
    assert market.venue.limiter.refused == 4
    # The refused ones were not counted: a minute after the last accepted one everything is open.
    market.clock.now_ns += 60 * SECOND_NS
    assert (await market.client.get("/api/v1/stock/CY/details")).status_code == 200


async def test_failed_calls_count_and_pages_do_not() -> None:
    """401, 400, 404, 405 and 500 answers fill the window; paths outside of /api never do."""
    market = MarketAtHand(rate_limits="shared")
    for _ in range(20):
        assert (await market.client.get("/")).status_code == 404
    for method, path, status in [
        ("GET", "/api/v1/portfolio", 401),
        ("POST", "/api/auth/login", 500),
        ("GET", "/api/v1/stock/XX", 404),
        ("GET", "/api/v1/ranking?limit=x", 500),
    ]:
        assert (await market.client.request(method, path)).status_code == status
    assert (await market.client.get("/api/nothing")).status_code == 404
    assert (await market.client.get("/api/v1/stock/CY/details")).status_code == 429


async def test_addresses_share_nothing_and_users_of_one_address_share_all() -> None:
    """The key is the address alone; a forwarding header changes nothing."""
    market = MarketAtHand(rate_limits="shared").log_in()
    first, second = market.client_from("10.9.9.9"), market.client_from("10.9.9.10")
    for number in range(5):
        await first.get("/api/v1/stocks", headers={"x-forwarded-for": f"1.2.3.{number}"})
    assert (await first.get("/api/v1/stock/CY/details")).status_code == 429
    assert (await second.get("/api/v1/stock/CY/details")).status_code == 200


async def test_a_proxy_on_this_machine_shares_its_allowance_too() -> None:
    """Over a real socket from 127.0.0.1, which servers like to trust, a forwarding header still changes nothing."""
    market = MarketAtHand(rate_limits="shared")
    async with running(market.app) as base_url, httpx.AsyncClient(base_url=base_url, trust_env=False) as client:
        for number in range(5):
            await client.get("/api/v1/stocks", headers={"x-forwarded-for": f"1.2.3.{number}"})
        response = await client.get("/api/v1/stock/CY/details", headers={"x-forwarded-for": "1.2.3.9"})
    assert response.status_code == 429


@pytest.mark.parametrize(
    ("whitelist", "address", "limited"),
    [
        ((), "127.0.0.1", True),
        ("shipped", "127.0.0.1", False),
        ("shipped", "192.168.1.77", False),
        ("shipped", "10.8.0.3", False),
        ("shipped", "192.168.2.1", True),
        (("8.8.8.8",), "8.8.8.8", False),
        (("8.8.8.8",), "not an address", True),
    ],
)
async def test_the_white_list(whitelist: tuple[str, ...] | str, address: str, limited: bool) -> None:
    """Empty by default, so that a local demo is limited; ``shipped`` is the server's own."""
    market = MarketAtHand(rate_limits="shared", whitelist=whitelist)
    client = market.client_from(address)
    statuses = {(await client.get("/api/v1/stock/CY/details")).status_code for _ in range(7)}
    assert (429 in statuses) is limited
    assert SHIPPED_WHITELIST == ("127.0.0.1", "192.168.1.0/24", "10.8.0.0/24")
