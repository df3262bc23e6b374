"""What is tried: ranges and choices against each parameter's own type and bounds."""

from pathlib import Path

import pytest

from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.entropy import Entropy
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.optimize.grid import Grid
from engine.runtime.optimize.random_sets import RandomSets
from engine.runtime.optimize.space import Space, key_of, listed, space_of
from engine.runtime.strategies import strategy_spec
from tests.optimize_builders import a_trader

ID = InstrumentId("600000.SH")


@pytest.fixture
def specs(tmp_path: Path) -> list[StrategySpec]:
    return [strategy_spec(a_trader(tmp_path), name="trader", instruments=(ID,), parameters={})]


def a_space(specs: list[StrategySpec], *ranges: str, **choices: list[object]) -> Space:
    return space_of(specs, dict(text.split("=") for text in ranges), choices)


def test_a_grid_is_every_set_the_last_parameter_fastest(specs: list[StrategySpec]) -> None:
    """Whole numbers stay whole, fractions step exactly, an empty end is the parameter's own bound."""
    space = a_space(specs, "fast=2:4:2", "tie=0.01:0.03:0.01", often=[])
    assert space.size == 12
    sets = list(listed(space))
    assert sets[0] == {"fast": 2, "tie": 0.01, "often": True}
    assert [s["tie"] for s in sets[:6:2]] == [0.01, 0.02, 0.03]
    assert len({key_of(s) for s in sets}) == 12
    assert a_space(specs, "fast=38::").dimensions[0].values == (38, 39, 40)
    assert a_space(specs, "slow=::7").dimensions[0].values[0] == 3
    assert a_space(specs, way=[]).dimensions[0].values == ("cross", "wait")
    assert a_space(specs, fast=["3", 7]).dimensions[0].values == (3, 7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fast=1:10:1", ["--range fast=1:10:1", ">= 2", "fast"]),
        ("fast=2:41:1", ["41", "<= 40"]),
        ("fast=2:10:0.5", ["0.5", "whole number"]),
        ("fast=10:2:1", ["swap"]),
        ("fast=2:10:0", ["above 0"]),
        ("fast=2", ["LOW:HIGH:STEP"]),
        ("fast=2:x:1", ["'x'"]),
        ("fast=2:nan:1", ["'nan'"]),
        ("fast=2:10:log", ["log"]),
        ("tie=0:0.1:log", ["above 0"]),
        ("way=1:2:1", ["--choice way"]),
        ("note=1:2:1", ["--choice note"]),
        ("fats=1:2:1", ["did you mean fast"]),
        ("other.fast=2:3:1", ["no strategy 'other'"]),
        ("tie=0.00001:0.1:0.00000001", ["larger step"]),
    ],
)
def test_a_range_that_does_not_fit_is_one_sentence(specs: list[StrategySpec], text: str, says: list[str]) -> None:
    """Type, bounds, order, step, name."""
    with pytest.raises(ConfigError) as caught:
        a_space(specs, text)
    for part in says:
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("way", ["cross", "both"], ["--choice way", "both"]),
        ("fast", [3, 99], ["99", "<= 40"]),
        ("fast", [], ["write its values"]),
        ("none", [1], ["no strategy has such a parameter"]),
    ],
)
def test_a_choice_that_does_not_fit_is_one_sentence(
    specs: list[StrategySpec], name: str, values: list[object], says: list[str]
) -> None:
    """A value that the type does not have, a bound, no values, no such parameter."""
    with pytest.raises(ConfigError) as caught:
        a_space(specs, **{name: values})
    for part in says:
        assert part in str(caught.value)


def test_nothing_to_vary_or_twice_the_same_is_refused(specs: list[StrategySpec]) -> None:
    """The sentence names the parameters there are."""
    with pytest.raises(ConfigError, match=r"nothing to vary.*fast, slow"):
        a_space(specs)
    with pytest.raises(ConfigError, match="both fast of trader"):
        a_space(specs, "fast=2:3:1", "trader.fast=4:5:1")
    with pytest.raises(ConfigError, match="--choice too"):
        a_space(specs, "fast=2:3:1", fast=[2])


def test_a_grid_without_a_step_is_refused(specs: list[StrategySpec]) -> None:
    """A range of fractions without a step has no end."""
    with pytest.raises(ConfigError, match="needs a step for tie"):
        Grid(a_space(specs, "tie=0.01:0.1"))


def test_sets_by_chance_repeat_by_seed_and_never_twice(specs: list[StrategySpec]) -> None:
    """The same seed, the same sets, of which fewer are the first of more; another seed, others; all at most."""
    space = a_space(specs, "fast=2:40:1", "slow=3:80:1")

    def drawn(trials: int, seed: int) -> list[str]:
        search, found = RandomSets(space, trials, seed), []
        while (one := search.ask()) is not None:
            found.append(key_of(one))
        return found

    assert drawn(50, 4) == drawn(80, 4)[:50]
    assert drawn(50, 4) != drawn(50, 5)
    assert len(set(drawn(5_000, 4))) == space.size == len(drawn(5_000, 4))


def test_a_log_range_is_even_in_its_logarithm(specs: list[StrategySpec]) -> None:
    """As many below 1e-5 as above 1e-3, of 1e-7 to 1e-1."""
    space = a_space(specs, "tie=1e-7:0.1:log")
    drawn = [float(one["tie"]) for one in space.draw(Entropy(3).stream("x"), 600)]
    assert all(1e-7 <= one <= 0.1 for one in drawn)
    assert abs(sum(one < 1e-5 for one in drawn) - sum(one > 1e-3 for one in drawn)) < 80
