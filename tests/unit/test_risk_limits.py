"""Each limit by a table: at the cap it passes, just above it denies, with this code and these words."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.commands import OrderType, Side, SubmitOrder, TimeInForce
from engine.domain.events import InstructionSubmitted, KillLevel, LatchCleared
from engine.domain.ids import AccountId, ClientOrderId, StrategyId
from engine.domain.instructions import ReverseRepo, SubmitInstruction
from engine.domain.timestamps import parse_time
from engine.domain.verdict import Denial
from engine.portfolio import Portfolio
from engine.risk import RULES
from tests.risk_builders import (
    ACCOUNT,
    GAME,
    INSTRUMENT,
    NOON_NS,
    STRATEGY,
    a_checker,
    a_latch,
    a_limit_order,
    a_view,
    an_order,
    answer,
    hold,
    some_capabilities,
    submit,
)

# --- kill ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["all", "account:paper", "strategy:sma", "symbol:600000.SH"])
@pytest.mark.parametrize("level", [KillLevel.HALT, KillLevel.CANCEL, KillLevel.FLATTEN])
def test_a_latch_halts_what_is_in_its_scope(scope: str, level: KillLevel) -> None:
    """From HALT up nothing new leaves in the scope, not even what reduces."""
    view = a_view()
    hold(view, 100)
    view.on_latch(a_latch(level, scope))
    expected = ("KILLED", f"trading halted: {scope} is at level {level.name} (test)")
    checker = a_checker(view, "kill")
    assert answer(checker, an_order()) == expected
    assert answer(checker, an_order(side=Side.SELL)) == expected


@pytest.mark.parametrize("scope", ["account:other", "strategy:other", "symbol:other", "symbol:600000"])
def test_a_latch_leaves_others_alone(scope: str) -> None:
    """A latch on somebody else stops nothing here."""
    view = a_view()
    view.on_latch(a_latch(KillLevel.HALT, scope))
    assert answer(a_checker(view, "kill"), an_order()) is None


def test_latches_only_rise_until_a_person_clears_them() -> None:
    """A lower level on a latched scope changes nothing; the highest scope wins; clearing one leaves the other."""
    view = a_view()
    view.on_latch(a_latch(KillLevel.HALT, "all"))
    view.on_latch(a_latch(KillLevel.REDUCE, "all"))
    view.on_latch(a_latch(KillLevel.REDUCE, "symbol:600000.SH"))
    assert view.latches["all"].level is KillLevel.HALT
    checker = a_checker(view, "kill")
    assert answer(checker, an_order()) == ("KILLED", "trading halted: all is at level HALT (test)")
    view.on_unlatch(LatchCleared(scope="all", reason="checked", who="operator", ts_ns=NOON_NS))
    found = answer(checker, an_order())
    assert found is not None
    assert found[1].startswith("reduce only: symbol:600000.SH")
    view.on_unlatch(LatchCleared(scope="symbol:600000.SH", reason="checked", who="operator", ts_ns=NOON_NS))
    assert answer(checker, an_order()) is None


@pytest.mark.parametrize(
    ("held", "working", "side", "quantity", "passes"),
    [
        (300, 0, Side.SELL, 300, True),
        (300, 0, Side.SELL, 301, False),
        (300, 200, Side.SELL, 100, True),
        (300, 200, Side.SELL, 101, False),
        (300, 0, Side.BUY, 1, False),
        (0, 0, Side.SELL, 1, False),
        (-300, 0, Side.BUY_BACK, 300, True),
        (-300, 0, Side.BUY, 301, False),
    ],
)
def test_reduce_lets_exposure_shrink_only(held: int, working: int, side: Side, quantity: int, passes: bool) -> None:
    """At REDUCE an order passes only if the position must shrink by it, whatever is already working."""
    view = a_view()
    hold(view, held)
    if working:
        submit(view, an_order(client_id="w", side=side, quantity=working))
    view.on_latch(a_latch(KillLevel.REDUCE))
    found = answer(a_checker(view, "kill"), an_order(side=side, quantity=quantity))
    assert (found is None) is passes


# --- supported, well-formed, allowed ---------------------------------------------------------------------------------


def test_what_the_router_has_not_declared_is_denied() -> None:
    """Type, side and time in force must be on the account's sheet; an account without a sheet can do nothing."""
    view = a_view()
    checker = a_checker(view, "supported")
    assert answer(checker, an_order()) is None
    assert answer(checker, an_order(type=OrderType.STOP)) == ("UNSUPPORTED", "desk takes no stop orders")
    assert answer(checker, an_order(side=Side.SELL_SHORT)) == ("UNSUPPORTED", "desk takes no sell_short orders")
    assert answer(checker, an_order(tif=TimeInForce.IOC)) == ("UNSUPPORTED", "desk takes no time in force ioc")
    view.capabilities[ACCOUNT] = some_capabilities(tifs=frozenset({TimeInForce.IOC}))
    assert answer(checker, an_order(tif=TimeInForce.IOC)) is None
    view.capabilities.clear()
    assert answer(checker, an_order()) == ("UNSUPPORTED", "account paper has declared no capabilities")


@pytest.mark.parametrize(
    "order",
    [
        an_order(quantity=1),
        a_limit_order("0.01"),
        an_order(type=OrderType.STOP, stop_price=Decimal(9)),
        an_order(type=OrderType.STOP_LIMIT, stop_price=Decimal(9), price=Decimal(8)),
        an_order(type=OrderType.ALL_IN),
        an_order(tif=TimeInForce.GTD, expires_ns=NOON_NS + 1),
    ],
)
def test_a_well_formed_order_passes(order: SubmitOrder) -> None:
    """Every kind of order with its fields right is well-formed."""
    assert answer(a_checker(a_view(), "well_formed"), order) is None


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"quantity": 0}, "MALFORMED", "quantity 0 is not above 0"),
        ({"quantity": -1}, "MALFORMED", "quantity -1 is not above 0"),
        ({"quantity": True}, "MALFORMED", "quantity True is no whole number"),
        ({"quantity": 1.0}, "MALFORMED", "quantity 1.0 is no whole number"),
        ({"quantity": float("nan")}, "MALFORMED", "quantity nan is no whole number"),
        ({"quantity": Decimal(1)}, "MALFORMED", "quantity Decimal('1') is no whole number"),
        ({"quantity": None}, "MALFORMED", "quantity None is no whole number"),
        ({"price": Decimal(1)}, "MALFORMED", "a market order takes no price"),
        ({"type": OrderType.LIMIT}, "MALFORMED", "a limit order needs a price"),
        ({"type": OrderType.STOP}, "MALFORMED", "a stop order needs a stop price"),
        *[
            ({"type": OrderType.LIMIT, "price": price}, "MALFORMED", f"price {price!r} is no finite decimal above 0")
            for price in (
                Decimal(0), Decimal("-0"), Decimal(-1), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), 10.0,
                True, "10",
            )
        ],
        (
            {"type": OrderType.STOP, "stop_price": Decimal("NaN")},
            "MALFORMED",
            "stop price Decimal('NaN') is no finite decimal above 0",
        ),
        (
            {"side": "buy"},
            "MALFORMED",
            "side 'buy', type <OrderType.MARKET: 'market'> or tif <TimeInForce.DAY: 'day'> is no such word",
        ),
        (
            {"tif": TimeInForce.GTD, "expires_ns": NOON_NS},
            "MALFORMED",
            f"good till date, but expires_ns {NOON_NS} is not in the future",
        ),
        ({"client_id": ""}, "MALFORMED", "offset, client id or strategy is missing"),
        ({"account": "nobody"}, "MALFORMED", "unknown account 'nobody'"),
        ({"instrument": "NOPE.XX"}, "INSTRUMENT", "unknown instrument 'NOPE.XX'"),
    ],
)  # fmt: skip
def test_a_malformed_order_is_denied(changes: dict[str, Any], code: str, words: str) -> None:
    """Whatever is no number, no word or nobody is named."""
    assert answer(a_checker(a_view(), "well_formed"), an_order(**changes)) == (code, words)


def test_a_strategy_must_be_enabled_once_somebody_says_which_are() -> None:
    """With a set of strategies in the view, others are denied."""
    view = a_view()
    view.strategies = {STRATEGY}
    checker = a_checker(view, "well_formed")
    assert answer(checker, an_order()) is None
    assert answer(checker, an_order(strategy=StrategyId("x"))) == ("DUP_ID", "strategy 'x' is unknown or not enabled")


@pytest.mark.parametrize(
    ("name", "settings", "denied", "code", "words"),
    [
        ("allowed_markets", {"markets": ["free"]}, {"instrument": GAME}, "INSTRUMENT",
         "market virtual is not allowed (allowed: free)"),
        ("allowed_symbols", {"symbols": [INSTRUMENT, "A.B"]}, {"instrument": GAME}, "INSTRUMENT",
         "symbol CY.VSM is not allowed (allowed: 600000.SH, A.B)"),
        ("allowed_sides", {"sides": ["buy"]}, {"side": Side.SELL}, "UNSUPPORTED",
         "side sell is not allowed (allowed: buy)"),
    ],
)  # fmt: skip
def test_allow_lists_deny_what_they_do_not_name(
    name: str, settings: dict[str, Any], denied: dict[str, Any], code: str, words: str
) -> None:
    """What is on the list passes, anything else does not; an empty list allows nothing."""
    checker = a_checker(a_view(), name, **settings)
    assert answer(checker, an_order()) is None
    assert answer(checker, an_order(**denied)) == (code, words)
    nothing = answer(a_checker(a_view(), name, **{key: [] for key in settings}), an_order())
    assert nothing is not None
    assert nothing[1].endswith("(allowed: none)")


# --- hours -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "timezone", "moment", "passes"),
    [
        ("09:30", "15:00", "Asia/Shanghai", "2026-03-02 09:29:59.999999+08:00", False),
        ("09:30", "15:00", "Asia/Shanghai", "2026-03-02 09:30:00+08:00", True),
        ("09:30", "15:00", "Asia/Shanghai", "2026-03-02 14:59:59.999999+08:00", True),
        ("09:30", "15:00", "Asia/Shanghai", "2026-03-02 15:00:00+08:00", False),
        ("09:30", "15:00", "Asia/Shanghai", "2026-03-02 02:00:00+00:00", True),
        ("21:00", "02:30", "Asia/Shanghai", "2026-03-02 20:59:59+08:00", False),
        ("21:00", "02:30", "Asia/Shanghai", "2026-03-02 21:00:00+08:00", True),
        ("21:00", "02:30", "Asia/Shanghai", "2026-03-03 00:00:00+08:00", True),
        ("21:00", "02:30", "Asia/Shanghai", "2026-03-03 02:29:59+08:00", True),
        ("21:00", "02:30", "Asia/Shanghai", "2026-03-03 02:30:00+08:00", False),
        ("08:00", "24:00", "Asia/Shanghai", "2026-03-02 23:59:59+08:00", True),
        ("08:00", "24:00", "Asia/Shanghai", "2026-03-03 00:00:00+08:00", False),
        ("22:00", "00:00", "UTC", "2026-03-02 23:59:59+00:00", True),
        ("22:00", "00:00", "UTC", "2026-03-03 00:00:00+00:00", False),
        # New York is 5 h behind until 2026-03-08, then 4 h: the window keeps to the wall clock.
        ("09:30", "16:00", "America/New_York", "2026-03-06 14:30:00+00:00", True),
        ("09:30", "16:00", "America/New_York", "2026-03-06 13:30:00+00:00", False),
        ("09:30", "16:00", "America/New_York", "2026-03-09 13:30:00+00:00", True),
        # A zone that changes its clocks does not move one that has no such habit.
        ("09:30", "15:00", "Asia/Shanghai", "2026-03-09 01:30:00+00:00", True),
        ("09:30:30", "15:00", "Asia/Shanghai", "2026-03-02 09:30:29+08:00", False),
    ],
)
def test_hours(start: str, end: str, timezone: str, moment: str, passes: bool) -> None:
    """The window includes its start, leaves out its end, and may cross midnight; it is read on its zone's clock."""
    checker = a_checker(a_view(), "hours", start=start, end=end, timezone=timezone)
    found = answer(checker, an_order(), parse_time(moment))
    assert (found is None) is passes
    if found is not None:
        assert found[0] == "SESSION"
        assert found[1].endswith(f"{timezone}, window {start}-{end}")


# --- market rules, sizes, values -------------------------------------------------------------------------------------


def test_market_rules_speak_through_the_rule_book() -> None:
    """The book's own code and words come out; another market's hours do not matter."""
    checker = a_checker(a_view(), "market_rules")
    night_ns = parse_time("2026-03-02 03:00:00+08:00")
    assert answer(checker, an_order(), night_ns) is None
    assert answer(checker, an_order(instrument=GAME)) is None
    assert answer(checker, an_order(instrument=GAME), night_ns) == (
        "SESSION", "market closed: hours are 08:00-24:00 Asia/Shanghai",
    )  # fmt: skip


def test_a_limit_outside_the_days_price_limits_is_denied() -> None:
    """With yesterday's close known, the book's band binds limit prices; market orders have none."""
    view = a_view()
    view.previous_close[GAME] = 10.0
    checker = a_checker(view, "market_rules")
    assert answer(checker, a_limit_order("20", instrument=GAME)) is None
    assert answer(checker, a_limit_order("20.01", instrument=GAME)) == (
        "PRICE_RULE", "price 20.01 is outside the day's limits 0.01 to 20.0",
    )  # fmt: skip
    assert answer(checker, an_order(instrument=GAME)) is None


def test_a_market_without_a_book_denies() -> None:
    """Missing rules are an error of the check, and an error denies."""
    view = a_view()
    view.books = {}
    checker = a_checker(view, "market_rules")
    denial = checker.check(an_order(), NOON_NS)
    assert denial is not None
    assert denial.code == "RISK_ERROR"
    assert denial.reason == "limit check failed: market_rules could not be judged: KeyError: 'free'"
    assert checker.errors == 1


def test_max_order_quantity() -> None:
    """The cap itself passes, one more does not."""
    checker = a_checker(a_view(), "max_order_quantity", quantity=500)
    assert answer(checker, an_order(quantity=500)) is None
    assert answer(checker, an_order(quantity=501)) == ("MAX_QTY", "order quantity exceeded: 501 (cap 500)")


def test_max_order_value() -> None:
    """Limit price, or the latest price, times quantity times multiplier, of either side; unknown denies."""
    checker = a_checker(a_view(), "max_order_value", value=1000)
    assert answer(checker, a_limit_order("10")) is None
    assert answer(checker, a_limit_order("10.01")) == ("MAX_NOTIONAL", "order value exceeded: 1001.00 (cap 1000)")
    assert answer(checker, an_order(side=Side.SELL)) is None
    assert answer(checker, an_order(side=Side.SELL, quantity=101)) == (
        "MAX_NOTIONAL", "order value exceeded: 1010.0 (cap 1000)",
    )  # fmt: skip
    assert answer(checker, an_order(type=OrderType.STOP, stop_price=Decimal("10.01"))) is not None
    assert answer(checker, an_order(instrument=GAME)) == (
        "STALE_DATA", "order value not known: no reference price of CY.VSM",
    )  # fmt: skip


def test_a_currency_without_a_rate_is_denied() -> None:
    """The account's own needs none; another passes once its rate is known."""
    view = a_view()
    view.portfolio.rate = Portfolio({}, lambda _name, bought_ns: bought_ns).rate
    checker = a_checker(view, "exchange_rate")
    assert answer(checker, an_order()) is None
    assert answer(checker, an_order(instrument=GAME)) == ("NO_RATE", "no rate from COIN to CNY")
    view.portfolio.rate = lambda currency, base: Decimal(2)
    assert answer(checker, an_order(instrument=GAME)) is None


def test_what_the_gateway_would_refuse_is_denied_by_us() -> None:
    """Asked of the account's own router, and of nobody where it tells no limits."""
    view = a_view()
    checker = a_checker(view, "gateway_limits")
    assert answer(checker, an_order()) is None
    view.foresees[ACCOUNT] = lambda order: (
        Denial("GATEWAY_PER_ORDER", "limit check failed: too much") if order.quantity > 100 else None
    )
    assert answer(checker, an_order()) is None
    assert answer(checker, an_order(quantity=101)) == ("GATEWAY_PER_ORDER", "too much")


def test_a_side_with_an_instruction_under_way_is_locked() -> None:
    """The same side of the same instrument of the same account, until it is released; nothing else."""
    view = a_view()
    checker = a_checker(view, "locked")
    assert answer(checker, an_order()) is None
    instruction = SubmitInstruction(
        client_id=ClientOrderId("sma-i1"), account=ACCOUNT, strategy=STRATEGY, ts_ns=NOON_NS, instrument=INSTRUMENT,
        action=ReverseRepo(amount=1000),
    )  # fmt: skip
    view.on_instruction(InstructionSubmitted(instruction=instruction, ts_ns=NOON_NS))
    assert answer(checker, an_order(side=Side.SELL)) == (
        "LOCKED", "selling 600000.SH is locked: instruction sma-i1 is under way or stands",
    )  # fmt: skip
    assert answer(checker, an_order()) is None
    assert answer(checker, an_order(side=Side.SELL, instrument=GAME)) is None
    assert answer(checker, an_order(side=Side.SELL, account=AccountId("other"))) is None
    view.release(instruction)
    assert answer(checker, an_order(side=Side.SELL)) is None
    assert view.locks == {}


def test_every_rule_is_tested() -> None:
    """A limit added to RULES without a table in these files is found."""
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_risk_l*.py"))
    assert [name for name in RULES if f'"{name}"' not in sources] == []
