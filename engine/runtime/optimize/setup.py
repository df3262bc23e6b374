"""All a worker needs to make runs: what is the same for every set, and the bars. It can be sent to another machine."""

import atexit
import hashlib
import inspect
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.data.fundamentals import Fundamentals
from engine.data.main_contract import daily_volumes, main_contracts
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.markets.rulebook import RuleBook
from engine.matching.fill_model import FillModel
from engine.ports import Journal
from engine.risk.limit import Limit
from engine.runtime.backtest import Backtest
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.code_hashes import engine_hash
from engine.runtime.optimize.held_bars import HeldBars
from engine.runtime.optimize.jobs import Job
from engine.runtime.optimize.space import Space
from engine.runtime.optimize.warm_up import WarmUp
from engine.runtime.strategies import load_strategy, strategy_spec


class StrategyText(Struct, frozen=True, kw_only=True):
    """A strategy of the run; ``file`` and ``source`` are its file's, for workers that do not have it."""

    path: str
    name: StrategyId
    instruments: tuple[InstrumentId, ...]
    bar_interval_ns: int
    parameters: dict[str, Any]
    file: str
    source: str

    @classmethod
    def of(cls, spec: StrategySpec) -> "StrategyText":
        """
        Raises:
            ConfigError: the strategy has no name to load it by, or no file.
        """
        if not spec.path:
            raise ConfigError("optimize takes strategies by name, as strategies.sma_cross:SmaCross")
        try:
            file = Path(inspect.getfile(load_strategy(spec.path)))
            source = file.read_text(encoding="utf-8")
        except (OSError, TypeError) as why:
            raise ConfigError(f"strategy {spec.path!r}: its file can not be read; name a .py file") from why
        return cls(
            path=spec.path,
            name=spec.name,
            instruments=spec.instruments,
            bar_interval_ns=spec.bar_interval_ns,
            parameters=spec.parameters,
            file=file.name,
            source=source,
        )


class Setup(Struct, frozen=True, kw_only=True):
    """Everything of the runs but the set that is tried."""

    strategies: tuple[StrategyText, ...]
    space: Space
    instruments: Mapping[InstrumentId, Instrument]
    books: Mapping[str, RuleBook]
    limits: tuple[Limit, ...]
    fill_model: FillModel
    cash: Decimal
    roll: bool
    take_rights: bool
    statements: Fundamentals | None
    mode: str
    sources: tuple[HeldBars, ...]

    @property
    def tz(self) -> str:
        return self.sources[0].tz

    def fingerprint(self) -> str:
        """SHA-256 over code, data and rules: runs of the same set are the same where this is."""
        used = [self.instruments[source.instrument] for source in self.sources]
        said = {
            "engine": engine_hash(),
            "strategies": self.strategies,
            "instruments": used,
            "books": {one.market: self.books[one.market] for one in used},
            "limits": [(limit.name, limit) for limit in self.limits],
            "fill_model": [type(self.fill_model).__name__, repr(self.fill_model)],
            "cash": str(self.cash),
            "roll": self.roll,
            "take_rights": self.take_rights,
            "statements": "" if self.statements is None else self.statements.sha256(),
            "data": [
                [source.instrument, source.interval_ns, source.digest, source.tz, source.label, source.held_actions]
                for source in self.sources
            ],
        }
        text = msgspec.json.encode(said, enc_hook=str, order="deterministic")
        return hashlib.sha256(text).hexdigest()

    def backtest(self, job: Job, sources: Sequence[HeldBars], journal: Journal) -> Backtest:
        """
        Raises:
            ConfigError: a value does not fit; bars can not be left out in ``column`` mode.
        """
        warm_up = (WarmUp(trade_ns=job.span.trade_ns),) if job.span.trade_ns > job.span.from_ns else ()
        return Backtest(
            sources=sources,
            strategies=[self._spec(text, job) for text in self.strategies],
            instruments=self.instruments,
            books=self.books,
            limits=(*warm_up, *self.limits),
            fill_model=self.fill_model,
            journal=journal,
            cash=self.cash,
            statements=self.statements,
            takes_rights=self.take_rights,
            rolls=self._rolls(sources),
            mode=self.mode,
        )

    def _rolls(self, sources: Sequence[HeldBars]) -> Any:
        # By the volumes of the run's own bars: a later roll is not known in an earlier window.
        if not self.roll:
            return ()
        market = self.instruments[sources[0].instrument].market
        return main_contracts(daily_volumes(sources, self.books[market].trading_day))

    def _spec(self, text: StrategyText, job: Job) -> StrategySpec:
        given = {**text.parameters, **self.space.given_to(job.parameters, text.name)}
        made = strategy_spec(_here(text), name=text.name, instruments=text.instruments, parameters=given)
        return msgspec.structs.replace(made, path=text.path, bar_interval_ns=text.bar_interval_ns)


_PLACES: dict[tuple[str, str], str] = {}


def _here(text: StrategyText) -> str:
    """What loads the very strategy in this process: its own path, or a copy of the file where that is not here."""
    key = (text.path, text.source)
    place = _PLACES.get(key)
    if place is None:
        place = _PLACES[key] = text.path if _is_here(text) else _copied(text)
    return place


def _is_here(text: StrategyText) -> bool:
    try:
        return Path(inspect.getfile(load_strategy(text.path))).read_text(encoding="utf-8") == text.source
    except (ConfigError, OSError, TypeError):
        return False


def _copied(text: StrategyText) -> str:
    """A copy that lasts as long as the process; of the same name, as that stands in what a strategy fails with."""
    folder = tempfile.mkdtemp(prefix="sluice-optimize-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / text.file
    path.write_text(text.source, encoding="utf-8")
    return f"{path}:{text.path.rpartition(':')[2]}"
