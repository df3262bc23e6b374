"""``[optimize]``: what is varied, how, and by what it is judged; the command line goes first.

[optimize]
search = "grid"
objective = "sharpe"
walk_forward = { train = "60d", test = "20d" }

[optimize.ranges]
fast = "5:50:5"

[optimize.choices]
kind = ["a", "b"]
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from engine.runtime.optimize.windows import WalkForward
from engine.runtime.settings_reading import convert, read_toml

TRIALS = 100


class OptimizeTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    search: Literal["grid", "random", "bayes"] = "grid"
    ranges: dict[str, str] = {}
    """Parameter -> ``low:high:step``; an end that is left out is the parameter's own bound."""
    choices: dict[str, list[Any]] = {}
    """Parameter -> its values; none: all that its type has."""
    trials: Annotated[int, Meta(ge=1, le=1_000_000)] = TRIALS
    """How many sets, where it is no grid."""
    seed: int = 0
    objective: str = "sharpe"
    min_trades: Annotated[int, Meta(ge=0)] = 0
    walk_forward: WalkForward | None = None


def read_optimize_table(config: Path) -> OptimizeTable:
    """The table of a config that was read without a fault.

    Raises:
        ConfigError: a key is none, or its value is not of its kind.
    """
    return convert(read_toml(config).get("optimize", {}), OptimizeTable, f"config {config}, [optimize]")
