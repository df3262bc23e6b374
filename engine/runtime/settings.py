"""The config file: one TOML document that says what a run is, read strictly and checked against what it points to.

Tables: ``[run] [clock] [journal] [recording] [reconcile] [instruments] [markets.<market>] [risk] [kill] [monitors]
[watchdog] [control] [[account]] [gateway.<name>] [[strategy]] [matching] [[data]] [optimize] [rates.<pair>]
[simulator.<name>]``, and those of ``daemon_settings.py``. Paths of ``[instruments]`` and ``[[data]]`` are relative to
the config file, those of ``[run]`` and ``[journal]`` to the current directory. Secrets are refused: gateways take them
from the environment. ``[simulator.*]`` and ``[optimize]`` are converted by who starts simulators, or optimizes.
"""

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from engine.data.instruments import read_instruments
from engine.domain.errors import ConfigError
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.rates import Rates
from engine.domain.timestamps import parse_time
from engine.explanations import CashTolerance
from engine.gateways import GATEWAYS
from engine.markets import MARKETS
from engine.markets.rulebook import RuleBook
from engine.matching.fill_model import FillModel
from engine.risk.limit import Limit
from engine.risk.profiles import PROFILES, limits_for
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.daemon_settings import Unattended
from engine.runtime.journal_settings import JournalTable, checked, place_of
from engine.runtime.matching_settings import fill_model_of
from engine.runtime.plugins import join_plugins
from engine.runtime.recording_table import RecordingTable
from engine.runtime.safety_settings import Guarded, Safety
from engine.runtime.settings_reading import convert, near, read_toml, refuse_secrets
from engine.runtime.strategies import strategy_spec

Profile = Literal["live", "paper", "backtest"]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*$")]


class RunTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Name = "run"
    seed: int | None = None
    """Of every random number; absent: another each run."""
    data_dir: str = ""
    """Where the run's files go; default ``runs/<name>``."""
    catalog: str = ""
    """Folder of the data catalog, whose financial statements strategies may see."""
    profile: Profile = "paper"
    """Which limits are in force unless ``[risk] profile`` names others."""


class ClockTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    speed: Annotated[float, Meta(gt=0, le=100_000)] = 1.0
    """Clock seconds a real second. Real money trades at 1."""
    start: str | None = None
    """ISO 8601 with its offset; default: now."""
    anchor: str | None = None
    """The real moment at which the clock shows ``start``, so that two processes, or one started again, agree."""


class InstrumentsTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    file: str = "instruments.toml"


class AccountTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: Name
    gateway: str = ""
    """A key of ``[gateway.*]``; empty in a backtest, where the simulated venue holds the account."""
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3,8}$")] = "CNY"
    cash: Decimal | None = None
    """What the simulated venue begins with; a real venue knows for itself."""


class StrategyTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    class_: str = field(name="class")
    name: Name = ""
    """Default: the class's name. It owns orders and positions, so it stays the same over restarts."""
    account: str = ""
    """Default: the only account there is."""
    instruments: tuple[str, ...] = ()
    bars: str = ""
    """Which bars it wants, as ``5m``; default: those the source has."""
    params: dict[str, Any] = {}


class DataTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of bars or quotes for a backtest."""

    file: str
    kind: Literal["bars", "quotes"] = "bars"
    instrument: str
    tz: str | None = None
    label: Literal["end", "start"] = "end"
    interval: str | None = None


class Document(Guarded, Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is written."""

    run: RunTable = RunTable()
    clock: ClockTable = ClockTable()
    journal: JournalTable = JournalTable()
    recording: RecordingTable = RecordingTable()
    instruments: InstrumentsTable = InstrumentsTable()
    markets: dict[str, dict[str, Any]] = {}
    risk: dict[str, Any] = {}
    account: tuple[AccountTable, ...] = ()
    gateway: dict[str, dict[str, Any]] = {}
    strategy: tuple[StrategyTable, ...] = ()
    matching: dict[str, Any] = {}
    data: tuple[DataTable, ...] = ()
    rates: dict[str, dict[str, Decimal]] = {}
    reconcile: CashTolerance = CashTolerance()
    optimize: dict[str, Any] = {}
    simulator: dict[str, dict[str, Any]] = {}


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """One ``[gateway.<name>]``: ``settings.open(surroundings)`` makes the gateway."""

    name: str
    kind: str
    settings: Any


class StrategySettings(Struct, frozen=True, kw_only=True):
    """One strategy and the account it trades on."""

    spec: StrategySpec
    account: AccountId


class Settings(Struct, frozen=True, kw_only=True):
    """A config that was read and checked: everything a run needs but secrets."""

    path: Path
    run: RunTable
    clock: ClockTable
    start_ns: int | None
    anchor_ns: int | None
    data_dir: Path
    journal: JournalTable
    journal_path: Path
    recording: RecordingTable
    instruments: Mapping[InstrumentId, Instrument]
    books: Mapping[str, RuleBook]
    """A rule book for every market there is, with the config's settings."""
    risk_profile: str
    risk: Mapping[str, Any]
    """The rules of ``[risk]`` as written; the checked ones are ``limits``."""
    limits: tuple[Limit, ...]
    accounts: Mapping[AccountId, AccountTable]
    gateways: Mapping[str, GatewaySettings]
    strategies: tuple[StrategySettings, ...]
    fill_model: FillModel
    data: tuple[DataTable, ...]
    rates: Mapping[str, Mapping[str, Decimal]]
    """As ``Rates`` takes them."""
    reconcile: CashTolerance
    safety: Safety
    simulators: Mapping[str, Mapping[str, Any]]
    alone: Unattended = Unattended()
    config_hash: str
    """SHA-256 of the document."""

    @property
    def journal_place(self) -> str:
        """Where the journal is, for people."""
        return place_of(self.journal, self.journal_path)


def load_settings(path: str | Path) -> Settings:
    """Read a config and check it against all it points to; opens no connection and no data file.

    Raises:
        ConfigError: one sentence with the file, the table, the key and the mend.
    """
    path, where = Path(path), f"config {path}"
    join_plugins()
    table = read_toml(path)
    refuse_secrets({key: value for key, value in table.items() if key != "simulator"}, where)
    document = convert(table, Document, where)
    instruments = read_instruments(path.parent / document.instruments.file)
    profile, rules = _risk(document, where)
    data_dir = Path(document.run.data_dir or f"runs/{document.run.name}")
    gateways = _gateways(document, where)
    accounts = _accounts(document, where, gateways)
    gateways = _with_accounts(gateways, accounts, where)
    return Settings(
        path=path,
        run=document.run,
        clock=document.clock,
        start_ns=_moment_ns(document.clock.start, f"{where}, [clock] start"),
        anchor_ns=_moment_ns(document.clock.anchor, f"{where}, [clock] anchor"),
        data_dir=data_dir,
        journal=checked(document.journal, where),
        journal_path=Path(document.journal.path) if document.journal.path else data_dir / "journal.sqlite3",
        recording=document.recording,
        instruments=instruments,
        books=_books(document, where),
        risk_profile=profile,
        risk=rules,
        limits=_limits(profile, rules, where),
        accounts=accounts,
        gateways=gateways,
        strategies=tuple(_strategies(document, where, accounts, instruments)),
        fill_model=fill_model_of(document.matching, f"{where}, [matching]", _usual_model(document)),
        data=document.data,
        rates=_rates(document, where),
        reconcile=document.reconcile,
        safety=document.safety(data_dir),
        simulators=document.simulator,
        alone=document,
        config_hash=hashlib.sha256(msgspec.json.encode(table, order="deterministic")).hexdigest(),
    )


def _usual_model(document: Document) -> str:
    return "quote" if any(row.kind == "quotes" for row in document.data) else "next_open"


def refuse_unless_tradable(
    instruments: Mapping[InstrumentId, Instrument], name: str, where: str, mend: str = ""
) -> InstrumentId:
    """The id, if the instrument is known and there is a rule book for its market.

    Raises:
        ConfigError: it is not, or there is none.
    """
    found = instruments.get(InstrumentId(name))
    if found is None:
        raise ConfigError(f"{where}: instrument {name!r} is not known{near(name, instruments)} or add it to the file")
    if found.market not in MARKETS:
        there = ", ".join(MARKETS)
        raise ConfigError(
            f"{where}: {name} trades on market {found.market}, for which there is no rule book (there are: {there})"
            f"; {mend or 'give the instrument another market'}"
        )
    return found.id


def _moment_ns(text: str | None, place: str) -> int | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as why:
        raise ConfigError(f"{place}: {why}; write it as in 2026-03-02T07:55:00+08:00") from why


def _books(document: Document, where: str) -> dict[str, RuleBook]:
    for name in document.markets:
        if name not in MARKETS:
            raise ConfigError(f"{where}, [markets.{name}]: there is no such market{near(name, MARKETS)}")
        if document.run.profile == "live" and document.markets[name].get("hours") == "always":
            raise ConfigError(
                f"{where}, [markets.{name}] hours: profile live keeps the exchange's hours; remove the key"
            )
    return {
        name: convert(document.markets.get(name, {}), kind, f"{where}, [markets.{name}]")
        for name, kind in MARKETS.items()
    }


def _rates(document: Document, where: str) -> Mapping[str, Mapping[str, Decimal]]:
    try:
        Rates(document.rates)
    except ValueError as why:
        raise ConfigError(f"{where}, [rates]: {why}") from why
    return document.rates


def _risk(document: Document, where: str) -> tuple[str, dict[str, Any]]:
    rules = dict(document.risk)
    profile = rules.pop("profile", document.run.profile)
    if not isinstance(profile, str) or profile not in PROFILES:
        raise ConfigError(f"{where}, [risk] profile: {profile!r} is none; profiles are {', '.join(PROFILES)}")
    return profile, rules


def _limits(profile: str, rules: Mapping[str, Any], where: str) -> tuple[Limit, ...]:
    try:
        return limits_for(profile, rules)
    except ConfigError as why:
        raise ConfigError(f"{where}, {why}") from why


def _gateways(document: Document, where: str) -> dict[str, GatewaySettings]:
    found = {}
    for name, table in document.gateway.items():
        place = f"{where}, [gateway.{name}]"
        kind = table.get("kind", name)
        if not isinstance(kind, str) or kind not in GATEWAYS:
            mend = near(str(kind), GATEWAYS)
            raise ConfigError(f'{place}: there is no gateway of kind {kind!r}{mend}; write it as kind = "..."')
        own = {key: value for key, value in table.items() if key != "kind"}
        settings = convert(own, GATEWAYS[kind], place, ours=["kind"])
        found[name] = GatewaySettings(name=name, kind=kind, settings=settings)
    return found


def _accounts(document: Document, where: str, gateways: Mapping[str, GatewaySettings]) -> dict[AccountId, AccountTable]:
    accounts: dict[AccountId, AccountTable] = {}
    for number, row in enumerate(document.account, 1):
        place = f"{where}, [[account]] number {number}"
        if row.id in accounts:
            raise ConfigError(f"{place}: the id {row.id!r} is taken by another account; give each its own")
        if not row.gateway and document.run.profile != "backtest":
            raise ConfigError(f"{place}: the key 'gateway' is missing; name a table [gateway.*]{near('', gateways)}")
        if row.gateway and row.gateway not in gateways:
            raise ConfigError(f"{place}: there is no [gateway.{row.gateway}]{near(row.gateway, gateways)}")
        if row.cash is not None and not (row.cash.is_finite() and row.cash >= 0):
            raise ConfigError(f"{place}: cash {row.cash} is none; write 0 or more")
        accounts[AccountId(row.id)] = row
    return accounts


def _with_accounts(
    gateways: dict[str, GatewaySettings], accounts: Mapping[AccountId, AccountTable], where: str
) -> dict[str, GatewaySettings]:
    """Each gateway told the name of the account that is traded through it."""
    told = dict(gateways)
    for account, row in accounts.items():
        if not row.gateway:
            continue
        found, place = told[row.gateway], f"{where}, [gateway.{row.gateway}]"
        if "account" not in found.settings.__struct_fields__:
            raise ConfigError(
                f"{place}: gateways of kind {found.kind} bring market data only; account {account} needs another"
            )
        if found.settings.account not in ("", account):
            raise ConfigError(
                f"{place}: it trades account {found.settings.account}, and {account} names it too; write one each"
            )
        told[row.gateway] = replace(found, settings=replace(found.settings, account=str(account)))
    return told


def _strategies(
    document: Document,
    where: str,
    accounts: Mapping[AccountId, AccountTable],
    instruments: Mapping[InstrumentId, Instrument],
) -> Iterator[StrategySettings]:
    taken: set[str] = set()
    for number, row in enumerate(document.strategy, 1):
        place = f"{where}, [[strategy]] number {number}"
        account = _account_of(row, place, accounts, backtest=document.run.profile == "backtest")
        ids = tuple(refuse_unless_tradable(instruments, name, place) for name in row.instruments)
        name = row.name or row.class_.rpartition(":")[2]
        if name in taken:
            raise ConfigError(f"{place}: the name {name!r} is taken by another strategy; give each its own name")
        taken.add(name)
        try:
            spec = strategy_spec(row.class_, name=name, instruments=ids, parameters=row.params, bars=row.bars)
        except ConfigError as why:
            raise ConfigError(f"{place}: {why}") from why
        yield StrategySettings(spec=spec, account=account)


def _account_of(
    row: StrategyTable, place: str, accounts: Mapping[AccountId, AccountTable], *, backtest: bool
) -> AccountId:
    if row.account:
        if AccountId(row.account) not in accounts:
            raise ConfigError(f"{place}: there is no account {row.account!r}{near(row.account, accounts)}")
        return AccountId(row.account)
    if len(accounts) == 1:
        return next(iter(accounts))
    if not accounts and backtest:
        return AccountId("backtest")
    if not accounts:
        raise ConfigError(f"{place}: there is no account to trade on; write a table [[account]]")
    raise ConfigError(f"{place}: the key 'account' is missing{near('', accounts)}")
