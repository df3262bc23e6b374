"""What a backtest is made of, out of the command line and, where it is silent, the config."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from engine.control.backtest_data import data_of
from engine.control.options import read_amount, read_table, split_pairs
from engine.data.columns import BarSource
from engine.data.fundamentals import FOLDER, Fundamentals, read_fundamentals
from engine.data.instruments import derived_instrument, read_instruments
from engine.data.main_contract import Roll, daily_volumes, main_contracts
from engine.data.quotes import open_quotes
from engine.data.sources import open_bars
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.markets import MARKETS
from engine.markets.china_futures import as_contract
from engine.markets.rulebook import RuleBook
from engine.matching import FILL_MODELS
from engine.matching.fill_model import FillModel
from engine.params import parameters_of
from engine.ports import Journal
from engine.risk.limit import Limit
from engine.risk.profiles import limits_for
from engine.runtime.backtest import Backtest
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.matching_settings import fill_model_of
from engine.runtime.plugins import join_plugins
from engine.runtime.quotes_backtest import Middles, QuotesBacktest
from engine.runtime.settings_reading import near
from engine.runtime.strategies import load_strategy, strategy_spec

if TYPE_CHECKING:
    from engine.runtime.settings import Settings

INSTRUMENTS_FILE = Path("config/instruments.toml")


class Asked(Struct, frozen=True, kw_only=True):
    """The command line as it was typed."""

    strategies: Sequence[str] = ()
    data: Sequence[str] = ()
    quotes: Sequence[str] = ()
    """``instruments`` names those of ``data`` first, then those of ``quotes``."""
    instruments: Sequence[str] = ()
    parameters: Sequence[str] = ()
    cash: str | None = None
    market: str | None = None
    commission: str | None = None
    fill: str | None = None
    fill_settings: Sequence[str] = ()
    risk: Sequence[str] = ()
    tz: str | None = None
    label: str | None = None
    interval: str | None = None
    catalog: Path | None = None
    """Take ``instruments`` from this catalog: bars of ``interval`` from ``first`` to ``last``, both included."""
    first: str | None = None
    last: str | None = None
    adjust: str | None = None
    instruments_file: Path | None = None
    roll: bool = False
    take_rights: bool = False


class Plan(Struct, frozen=True, kw_only=True):
    """Everything of a backtest but its data, which is opened under the stop watch."""

    name: str
    cash: Decimal
    data: tuple[dict[str, Any], ...]
    """Arguments of ``open_bars``, a file each."""
    quotes: tuple[dict[str, Any], ...] = ()
    """Arguments of ``open_quotes``."""
    specs: tuple[StrategySpec, ...]
    instruments: Mapping[InstrumentId, Instrument]
    books: Mapping[str, RuleBook]
    limits: tuple[Limit, ...]
    fill_model: FillModel
    catalog: Path | None = None
    roll: bool = False
    take_rights: bool = False

    def rolls(self, sources: Sequence[BarSource]) -> tuple[Roll, ...]:
        """When main contracts change, by the volume of the data itself; none unless it was asked for."""
        if not self.roll:
            return ()
        markets = {self.instruments[source.instrument].market for source in sources}
        if len(markets) != 1:
            raise ConfigError("--roll takes contracts of one market; run the others apart")
        return main_contracts(daily_volumes(sources, self.books[markets.pop()].trading_day))

    def statements(self) -> Fundamentals | None:
        """The catalog's financial statements, if the bars come from a catalog that has some."""
        if self.catalog is None or not (self.catalog / FOLDER).is_dir():
            return None
        return read_fundamentals(self.catalog)

    def open(self) -> list[BarSource]:
        """
        Raises:
            DataError: a file can not be used.
        """
        return [open_bars(**arguments) for arguments in self.data]

    def priced(self, sources: Sequence[BarSource], run: Backtest) -> list[Any]:
        """What costs are measured against: the bars, and the middles of quotes."""
        return [*sources, *(Middles(source) for source in getattr(run, "quotes", ()))]

    def run_of(self, sources: Sequence[BarSource], journal: Journal, mode: str, **watched: Any) -> Backtest:
        """The backtest of these sources; ``watched``: ``strategies`` other than its own, ``note``, ``progress``."""
        kind: Any = Backtest
        if self.quotes:
            kind = partial(QuotesBacktest, quotes=[open_quotes(**arguments) for arguments in self.quotes])
        made: Backtest = kind(
            sources=sources,
            instruments=self.instruments,
            books=self.books,
            limits=self.limits,
            fill_model=self.fill_model,
            journal=journal,
            cash=self.cash,
            statements=self.statements(),
            mode=mode,
            takes_rights=self.take_rights,
            rolls=self.rolls(sources),
            **{"strategies": self.specs, **watched},
        )
        return made


def plan_backtest(asked: Asked, settings: "Settings | None" = None) -> Plan:
    """Put the two together; nothing is opened but the instruments file and the strategies.

    Raises:
        ConfigError: one sentence with the option or the key, and the mend.
    """
    join_plugins()
    data, quotes = data_of(asked, settings)
    ids = tuple(dict.fromkeys(InstrumentId(row["instrument"]) for row in (*data, *quotes)))
    instruments = _instruments(asked, settings, ids)
    used = {instruments[i].market for i in ids}
    specs = _specs(asked, settings, ids)
    if not specs:
        raise ConfigError("no strategy to run; add --strategy strategies.sma_cross:SmaCross")
    return Plan(
        name=settings.run.name if settings is not None and not asked.strategies else specs[0].name,
        cash=_cash(asked, settings),
        data=data,
        quotes=quotes,
        specs=specs,
        instruments=instruments,
        books=_books(asked, settings, used),
        limits=_limits(asked, settings),
        fill_model=_fill_model(asked, settings, "quote" if quotes else "next_open"),
        catalog=asked.catalog,
        roll=asked.roll,
        take_rights=asked.take_rights,
    )


def _instruments(
    asked: Asked, settings: "Settings | None", ids: Sequence[InstrumentId]
) -> dict[InstrumentId, Instrument]:
    if asked.instruments_file is not None:
        known = read_instruments(asked.instruments_file)
    elif settings is not None:
        known = dict(settings.instruments)
    else:
        known = read_instruments(INSTRUMENTS_FILE) if INSTRUMENTS_FILE.is_file() else {}
    if asked.market is not None and asked.market not in MARKETS:
        raise ConfigError(f"--market {asked.market}: there is no such market{near(asked.market, MARKETS)}")
    for name in ids:
        found = derived_instrument(name, known)
        if asked.market is not None:
            found = msgspec.structs.replace(found, market=asked.market)
            found = as_contract(found) if asked.market == "china_futures" else found
        if found.market not in MARKETS:
            raise ConfigError(
                f"instrument {name} trades on market {found.market}, for which there is no rule book (there are: "
                f"{', '.join(MARKETS)}); add --market free to run it without market rules"
            )
        known[name] = found
    return known


def _specs(asked: Asked, settings: "Settings | None", ids: tuple[InstrumentId, ...]) -> tuple[StrategySpec, ...]:
    if not asked.strategies:
        if asked.parameters:
            raise ConfigError("--set goes with --strategy; parameters of the config's strategies are set in the config")
        rows = settings.strategies if settings is not None else ()
        return tuple(
            row.spec if row.spec.instruments else msgspec.structs.replace(row.spec, instruments=ids) for row in rows
        )
    names = _names(asked.strategies)
    given = _parameters(asked, names)
    return tuple(
        strategy_spec(path, name=name, instruments=ids, parameters=given[name])
        for path, name in zip(asked.strategies, names, strict=True)
    )


def _names(paths: Sequence[str]) -> list[str]:
    """``SmaCross`` as ``sma_cross``; the second of that name as ``sma_cross_2``."""
    names: list[str] = []
    for path in paths:
        word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.rpartition(":")[2]).lower() or "strategy"
        number = sum(1 for name in names if re.fullmatch(rf"{re.escape(word)}(_\d+)?", name)) + 1
        names.append(word if number == 1 else f"{word}_{number}")
    return names


def _parameters(asked: Asked, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """``fast=10`` goes to every strategy that has it, ``sma_cross_2.fast=10`` to one."""
    pairs = split_pairs("--set", asked.parameters)
    if len(names) == 1:
        return {names[0]: {key.removeprefix(f"{names[0]}."): value for key, value in pairs}}
    takes = {
        name: parameters_of(load_strategy(path)).__struct_fields__
        for path, name in zip(asked.strategies, names, strict=True)
    }
    given: dict[str, dict[str, str]] = {name: {} for name in names}
    for key, value in pairs:
        owner, dot, parameter = key.partition(".")
        if dot:
            if owner not in given:
                raise ConfigError(f"--set {key}: there is no strategy {owner!r}{near(owner, names)}")
            given[owner][parameter] = value
            continue
        owners = [name for name in names if key in takes[name]]
        if not owners:
            every = dict.fromkeys(field for fields in takes.values() for field in fields)
            raise ConfigError(f"--set {key}: no strategy has such a parameter{near(key, every)}")
        for name in owners:
            given[name][key] = value
    return given


def _cash(asked: Asked, settings: "Settings | None") -> Decimal:
    if asked.cash is not None:
        return read_amount("--cash", asked.cash)
    if settings is not None:
        given = [account.cash for account in settings.accounts.values() if account.cash is not None]
        if len(given) > 1:
            raise ConfigError(f"config {settings.path}: a backtest has one account; it lists {len(given)} with cash")
        if given:
            return given[0]
    return Decimal(1_000_000)


def _books(asked: Asked, settings: "Settings | None", used: set[str]) -> dict[str, RuleBook]:
    books = {name: kind() for name, kind in MARKETS.items()} if settings is None else dict(settings.books)
    if asked.commission is not None:
        rate = read_amount("--commission", asked.commission)
        for name in used:
            book: Any = books[name]
            if "commission" not in getattr(book, "__struct_fields__", ()):
                raise ConfigError(f"--commission: the fees of market {name} are its rule book's; leave the option out")
            books[name] = msgspec.structs.replace(book, commission=rate)
    return books


def _limits(asked: Asked, settings: "Settings | None") -> tuple[Limit, ...]:
    rules: dict[str, Any] = {}
    if settings is not None:
        rules = {name: dict(table) if isinstance(table, Mapping) else table for name, table in settings.risk.items()}
    for name, table in read_table("--risk-set", asked.risk).items():
        if not isinstance(table, dict):
            raise ConfigError(f"--risk-set {name}: write rule.key=value, as in --risk-set max_position.quantity=100")
        rules[name] = {**rules.get(name, {}), **table}
    return limits_for(settings.risk_profile if settings is not None else "backtest", rules)


def _fill_model(asked: Asked, settings: "Settings | None", default: str) -> FillModel:
    if asked.fill is None and not asked.fill_settings and settings is not None:
        return settings.fill_model
    name = asked.fill or default
    if name not in FILL_MODELS:
        raise ConfigError(f"--fill {name}: there is no such fill model{near(name, FILL_MODELS)}")
    return fill_model_of(read_table("--fill-set", asked.fill_settings), f"--fill-set of {name}", name)
