"""Which code ran: sums over files, so that a replay can say what has changed since."""

import hashlib
import inspect
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from engine.runtime.backtest_result import StrategySpec
from engine.runtime.strategies import load_strategy

ENGINE = Path(__file__).parents[1]


@cache
def engine_hash() -> str:
    """SHA-256 over every file of the engine, names and contents."""
    total = hashlib.sha256()
    for path in sorted(path for path in ENGINE.rglob("*") if path.suffix in {".py", ".c", ".h"}):
        total.update(path.relative_to(ENGINE).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def strategy_hash(spec: StrategySpec) -> str:
    """SHA-256 of the file a strategy's class is in; empty where there is none."""
    made = load_strategy(spec.path) if spec.path else type(spec.make())
    try:
        return hashlib.sha256(Path(inspect.getfile(made)).read_bytes()).hexdigest()
    except (OSError, TypeError):
        return ""


def instruments_hash(instruments: Mapping[Any, Any]) -> str:
    """SHA-256 over what the instruments are."""
    rows = [instruments[name] for name in sorted(instruments)]
    return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()
