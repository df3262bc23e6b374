"""Parameters: typed, bounded, filled from config or text."""

import pytest

from engine import ConfigError, Strategy, param
from engine.params import fill_parameters, parameters_of
from strategies.sma_cross import SmaCross


class Base(Strategy):
    fast: int = param(10, ge=2, le=200, doc="short window")


class Mine(Base):
    slow: int = param(30, gt=2)
    share: float = param(0.5, lt=1)
    name: str = param("x")
    on: bool = param(True)


def test_defaults_are_filled_and_reach_the_instance_alone() -> None:
    """The class keeps no value that would hide or slow the instance's; base classes come first."""
    made = Mine()
    assert (made.fast, made.slow, made.share, made.name, made.on) == (10, 30, 0.5, "x", True)
    assert list(parameters_of(Mine).__struct_fields__) == ["fast", "slow", "share", "name", "on"]
    assert not hasattr(Mine, "fast")


def test_text_from_the_command_line_is_read_as_the_fields_type() -> None:
    """``--set fast=12`` gives text."""
    filled = fill_parameters(Mine, {"fast": "12", "share": "0.25", "on": "false", "name": "7"})
    assert filled == {"fast": 12, "slow": 30, "share": 0.25, "name": "7", "on": False}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fast": 1}, "fast"), ({"fast": 201}, "fast"), ({"slow": 2}, "slow"), ({"share": 1.0}, "share"),
        ({"fast": "ten"}, "fast"), ({"fast": 2.5}, "fast"), ({"on": "maybe"}, "on"),
        ({"speed": 1}, "no parameter 'speed'; it has: fast, slow, share, name, on"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_named_with_what_it_takes(given: dict[str, object], said: str) -> None:
    """One sentence naming strategy and parameter."""
    with pytest.raises(ConfigError, match=said) as caught:
        Mine(**given)
    assert "Mine" in str(caught.value)


def test_a_default_outside_its_own_bounds_is_the_authors_mistake() -> None:
    """Bounds hold for defaults too."""

    class Wrong(Strategy):
        fast: int = param(1, ge=2)

    with pytest.raises(ConfigError, match=r"default out of bounds.*fast"):
        Wrong()


def test_a_parameter_without_a_type_says_how_to_write_it() -> None:
    """The type is what text is read as."""

    class Untyped(Strategy):
        fast = param(1)

    with pytest.raises(ConfigError, match=r"Untyped.fast has no type"):
        Untyped()


def test_the_sample_strategy_takes_its_parameters() -> None:
    """Windows and size are settings."""
    made = SmaCross(fast="5", slow=20)
    assert (made.fast, made.slow, made.size) == (5, 20, 100)
