"""Profiles: the documented defaults, changed by config, refused with a sentence where config is wrong."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain.errors import ConfigError
from engine.risk import PROFILES, RULES, limits_for
from tests.risk_builders import a_checker, a_view

SYMBOLS = {"allowed_symbols": {"symbols": ["600000.SH"]}}


def settings_of(profile: str, table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {limit.name: msgspec.structs.asdict(limit) for limit in limits_for(profile, table)}


def test_the_defaults_are_those_of_the_page() -> None:
    """RELIABILITY 4.1, column Default."""
    paper = settings_of("paper", {})
    assert paper == {
        "kill": {}, "not_ready": {}, "supported": {}, "well_formed": {}, "market_rules": {},
        "sellable": {"short": False}, "exchange_rate": {}, "gateway_limits": {},
        "environment": {"live": False, "accounts": {}, "programme_trading_reported": False},
        "restricted": {"symbols": frozenset(), "special_treatment": False},
        "session_end": {"margin": "60s", "no_cancel": "deny"},
        "price_cage": {},
        "sane_price": {"percent": Decimal(5)},
        "venue_orders_per_minute": {},
        "repeated_fills": {"cap": 30, "window": "10m"},
        "open_orders": {"cap": 20, "per_side": msgspec.UNSET, "scope": "account"},
        "max_open_value": {"value": Decimal(300_000), "scope": "account"},
        "self_match": {"scope": "engine"},
        "concentration": {"percent": Decimal(20)},
        "gross_exposure": {"percent": Decimal(100)},
        "strategy_loss": {"percent": Decimal(1)},
        "account_loss": {"percent": Decimal(2), "cancel_percent": Decimal(3)},
        "max_daily_turnover": {"percent": Decimal(200), "scope": "account"},
        "message_rate": {"warn": 5, "stop": 10, "day_warn": 1000, "day_stop": 2000},
        "quick_cancels": {"span": "1s", "warn": 10, "stop": 30, "ratio_percent": Decimal(40), "orders": 50},
        "volume_share": {
            "percent": Decimal(10), "warn": Decimal(10), "stop": Decimal(20), "move_percent": Decimal(1), "presses": 3,
        },
        "one_sided_value": {"warn": Decimal(1_000_000), "stop": Decimal(5_000_000)},
        "opposite_trades": {"stop": 1},
        "max_order_quantity": {"quantity": 10_000},
        "price_collar": {"percent": Decimal(3), "max_age": "3s"},
        "max_order_value": {"value": Decimal(100_000), "soft": Decimal(50_000)},
        "duplicate_order": {"window": "3s"},
        "locked": {},
        "orders_per_second": {"cap": 5, "scope": "account"},
        "orders_per_minute": {"cap": 60, "scope": "account"},
        "symbol_orders_per_minute": {"cap": 10, "scope": "symbol"},
        "orders_per_day": {"cap": 2000, "scope": "account"},
        "cash": {"factor": Decimal("1.002")},
        "max_position": {"value": Decimal(200_000), "quantity": msgspec.UNSET},
        "max_daily_value": {"value": Decimal(1_000_000), "scope": "account"},
    }  # fmt: skip
    assert settings_of("live", SYMBOLS) == paper | {
        "allowed_symbols": {"symbols": frozenset({"600000.SH"})},
        "environment": {"live": True, "accounts": {}, "programme_trading_reported": False},
    }


def test_backtest_checks_form_rules_sellable_and_cash() -> None:
    """And the latches; the cost is not padded."""
    assert settings_of("replay", {}) == settings_of("backtest", {})
    assert settings_of("backtest", {}) == {
        "kill": {}, "well_formed": {}, "market_rules": {}, "sellable": {"short": False}, "cash": {"factor": Decimal(1)},
    }  # fmt: skip


def test_config_changes_one_setting_and_leaves_the_rest() -> None:
    """Rule by rule, key by key; a rule the profile has not is added; the profile's own setting can be changed."""
    found = settings_of("backtest", {"max_position": {"quantity": 500}, "cash": {}, "price_collar": {"percent": 2.5}})
    assert found["max_position"] == {"value": Decimal(200_000), "quantity": 500}
    assert found["price_collar"] == {"percent": Decimal("2.5"), "max_age": "3s"}
    assert found["cash"] == {"factor": Decimal(1)}
    assert settings_of("backtest", {"cash": {"factor": 1.01}})["cash"] == {"factor": Decimal("1.01")}


@pytest.mark.parametrize("profile", list(PROFILES))
def test_limits_come_in_the_order_of_the_rules(profile: str) -> None:
    """Whatever order config names them in."""
    everything: dict[str, dict[str, Any]] = {name: {} for name in reversed(RULES)}
    everything |= SYMBOLS | {
        "allowed_markets": {"markets": ["free"]}, "allowed_sides": {"sides": ["buy"]},
        "hours": {"start": "09:30", "end": "15:00"},
    }  # fmt: skip
    assert [limit.name for limit in limits_for(profile, everything)] == list(RULES)


def test_leaving_a_limit_out_does_not_switch_it_off() -> None:
    """In live every limit of the table is there with whatever config; the allow-list must be given."""
    names = {limit.name for limit in limits_for("live", SYMBOLS | {"max_position": {"quantity": 1}})}
    assert names == set(PROFILES["live"])
    with pytest.raises(ConfigError, match=r"^\[risk.allowed_symbols\] symbols: profile live needs it"):
        limits_for("live", {})


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"max_positon": {}}, "[risk.max_positon]: no such limit; did you mean max_position?"),
        (
            {"max_position": {"quantitty": 5}},
            "[risk.max_position] quantitty: no such setting; did you mean quantity?",
        ),
        (
            {"max_position": {"quantity": None}},
            "[risk.max_position] quantity: null is no value; leave the key out to have the default",
        ),
        (
            {"max_position": None},
            "[risk.max_position]: expected a table of settings, got null; a limit can not be switched off",
        ),
        (
            {"max_position": False},
            "[risk.max_position]: expected a table of settings, got bool False; a limit can not be switched off",
        ),
        ({"max_position": {"quantity": "5"}}, "[risk.max_position] quantity: Expected `int`, got `str`"),
        ({"max_position": {"quantity": True}}, "[risk.max_position] quantity: Expected `int`, got `bool`"),
        ({"max_position": {"quantity": 0}}, "[risk.max_position] quantity: Expected `int` >= 1"),
        ({"max_order_value": {"value": True}}, "[risk.max_order_value] value: Expected `decimal`, got `bool`"),
        (
            {"max_order_value": {"value": float("nan")}},
            "[risk.max_order_value]: value must be a finite number above 0, not NaN",
        ),
        ({"max_daily_value": {"value": -1}}, "[risk.max_daily_value]: value must be a finite number above 0, not -1"),
        ({"cash": {"factor": "0.9"}}, "[risk.cash]: factor must be a finite number of at least 1, not 0.9"),
        ({"orders_per_second": {"cap": 241}}, "[risk.orders_per_second] cap: Expected `int` <= 240"),
        ({"orders_per_minute": {"cap": 14_401}}, "[risk.orders_per_minute] cap: Expected `int` <= 14400"),
        ({"orders_per_day": {"cap": 16_001}}, "[risk.orders_per_day] cap: Expected `int` <= 16000"),
        ({"message_rate": {"stop": 241}}, "[risk.message_rate] stop: Expected `int` <= 240"),
        ({"message_rate": {"day_stop": 16_001}}, "[risk.message_rate] day_stop: Expected `int` <= 16000"),
        ({"message_rate": {"warn": 11}}, "[risk.message_rate]: warn 11 is above stop 10"),
        (
            {"account_loss": {"percent": 4}},
            "[risk.account_loss]: percent 4 is above cancel_percent 3",
        ),
        ({"environment": {"accounts": {"a": "play"}}}, "[risk.environment] accounts[...]: Invalid enum value 'play'"),
        ({"orders_per_day": {"scope": "me"}}, "[risk.orders_per_day] scope: Invalid enum value 'me'"),
        ({"hours": {"start": "09:30"}}, "[risk.hours] end: profile paper needs it; write it in the config"),
        (
            {"hours": {"start": "9:30", "end": "15:00"}},
            "[risk.hours]: '9:30' is no time of day; write it as '09:30'",
        ),
        (
            {"hours": {"start": "09:30", "end": "09:30"}},
            "[risk.hours]: start and end are the same; for the whole day write 00:00 and 24:00",
        ),
        (
            {"hours": {"start": "09:30", "end": "15:00", "timezone": "../Mars"}},
            "[risk.hours]: timezone '../Mars' is not known; write one as 'Asia/Shanghai'",
        ),
        ({"allowed_sides": {"sides": ["by"]}}, "[risk.allowed_sides] sides[0]: Invalid enum value 'by'"),
        ({"kill": {"on": False}}, "[risk.kill] on: no such setting; there are: none"),
        ({"duplicate_order": {"window": "2h"}}, "[risk.duplicate_order]: window: '2h' is more than 1h"),
        ([], "[risk]: expected a table of rules, got list []"),
    ],
)
def test_a_wrong_table_gets_one_sentence(table: Any, sentence: str) -> None:
    """It names the place, what is wrong, and the nearest right word."""
    with pytest.raises(ConfigError) as caught:
        limits_for("paper", table)
    assert str(caught.value) == sentence


def test_an_unknown_profile_is_refused() -> None:
    """With the nearest one that exists."""
    with pytest.raises(ConfigError, match=r"^risk profile 'papr' is not known; did you mean paper\?$"):
        limits_for("papr", {})


def test_a_short_price_age_names_its_key() -> None:
    """Durations that can not be read say which setting it was."""
    with pytest.raises(ConfigError, match=r"max_age: 'soon' is no duration"):
        limits_for("paper", {"price_collar": {"max_age": "soon"}})


@pytest.mark.parametrize("name", list(RULES))
def test_every_rule_knows_its_name(name: str) -> None:
    """The class's name is its key, and its settings make JSON, so that they can be hashed."""
    assert RULES[name].name == name
    settings: dict[str, Any] = {
        "allowed_markets": {"markets": []}, "allowed_symbols": {"symbols": []}, "allowed_sides": {"sides": []},
        "hours": {"start": "00:00", "end": "24:00"},
    }.get(name, {})  # fmt: skip
    assert len(a_checker(a_view(), name, **settings).limits_hash) == 64
