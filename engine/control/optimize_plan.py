"""What an optimization is made of, out of the command line and, where it is silent, ``[optimize]`` of the config."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.control.backtest_plan import Plan
from engine.control.options import read_value, split_pairs
from engine.domain.errors import ConfigError
from engine.runtime.optimize.held_bars import hold
from engine.runtime.optimize.objective import objective_of
from engine.runtime.optimize.optimizing import SEARCHES, Wanted
from engine.runtime.optimize.setup import Setup, StrategyText
from engine.runtime.optimize.space import Space, space_of
from engine.runtime.optimize.windows import WalkForward
from engine.runtime.optimize_table import OptimizeTable, read_optimize_table
from engine.runtime.settings_reading import near


class AskedSearch(Struct, frozen=True, kw_only=True):
    """The options of ``optimize`` that a backtest does not have, as they were typed."""

    ranges: Sequence[str] = ()
    choices: Sequence[str] = ()
    search: str | None = None
    trials: int | None = None
    seed: int | None = None
    objective: str | None = None
    min_trades: int | None = None
    walk_forward: str | None = None
    storage: str | None = None
    study: str | None = None


def setup_of(plan: Plan, space: Space, mode: str) -> Setup:
    """The plan with its data read.

    Raises:
        DataError: a file can not be used. ConfigError: the bars or the strategies can not be used so.
    """
    sources = tuple(hold(source) for source in plan.open())
    if plan.roll and len({plan.instruments[source.instrument].market for source in sources}) != 1:
        raise ConfigError("--roll takes contracts of one market; run the others apart")
    return Setup(
        strategies=tuple(StrategyText.of(spec) for spec in plan.specs),
        space=space,
        instruments={source.instrument: plan.instruments[source.instrument] for source in sources},
        books=plan.books,
        limits=plan.limits,
        fill_model=plan.fill_model,
        cash=plan.cash,
        roll=plan.roll,
        take_rights=plan.take_rights,
        statements=plan.statements(),
        mode=mode,
        sources=sources,
    )


def table_of(config: Path | None) -> OptimizeTable:
    return read_optimize_table(config) if config is not None else OptimizeTable()


def asked_space(asked: AskedSearch, table: OptimizeTable, plan: Plan) -> Space:
    """
    Raises:
        ConfigError: a range or a choice does not fit its parameter.
    """
    for spec in plan.specs:
        if not spec.path:
            raise ConfigError("optimize takes strategies by name, as strategies.sma_cross:SmaCross")
    ranges = dict(split_pairs("--range", asked.ranges))
    choices = {
        name: [read_value(part.strip()) for part in text.split(",")] if text else []
        for name, text in (text.split("=", 1) if "=" in text else (text, "") for text in asked.choices)
    }
    # What the command line varies, it varies in its own way.
    return space_of(
        plan.specs,
        {**{name: text for name, text in table.ranges.items() if name not in choices}, **ranges},
        {**{name: values for name, values in table.choices.items() if name not in ranges}, **choices},
    )


def asked_search(asked: AskedSearch, table: OptimizeTable, name: str) -> Wanted:
    """
    Raises:
        ConfigError: no such search or objective; options that do not go together.
    """
    search = asked.search or table.search
    if search not in SEARCHES:
        raise ConfigError(f"--search {search}: there is none of that name{near(search, SEARCHES)}")
    if search == "grid" and asked.trials is not None:
        raise ConfigError("--trials goes with --search random or bayes; a grid is all of its sets")
    if search != "bayes" and (asked.storage or asked.study):
        raise ConfigError("--storage and --study go with --search bayes; other searches resume with --resume")
    min_trades = table.min_trades if asked.min_trades is None else asked.min_trades
    return Wanted(
        search=search,
        trials=table.trials if asked.trials is None else asked.trials,
        seed=table.seed if asked.seed is None else asked.seed,
        objective=objective_of(asked.objective or table.objective, min_trades),
        storage=asked.storage or "",
        study=asked.study or f"optimize {name}",
    )


def asked_walk(asked: AskedSearch, table: OptimizeTable) -> WalkForward | None:
    """``train=60d,test=20d``, with ``anchored`` and ``warm_up=5d`` where wanted.

    Raises:
        ConfigError: not of that form.
    """
    if asked.walk_forward is None:
        return table.walk_forward
    given: dict[str, object] = {}
    for part in asked.walk_forward.split(","):
        key, equals, value = part.strip().partition("=")
        given[key] = value.strip() if equals else True
    try:
        return msgspec.convert(given, WalkForward)
    except msgspec.ValidationError as why:
        raise ConfigError(
            f"--walk-forward {asked.walk_forward}: {str(why).replace('`', '')}; write it as in "
            "train=60d,test=20d or train=60d,test=20d,anchored,warm_up=5d"
        ) from why


def folder_of(out: Path | None, name: str) -> Path:
    return out if out is not None else Path("runs") / f"optimize-{name}"
