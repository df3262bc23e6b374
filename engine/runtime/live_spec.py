"""What a live run is made of."""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from engine.domain.ids import AccountId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.timestamps import MINUTE_NS
from engine.explanations import CashTolerance
from engine.markets.rulebook import RuleBook
from engine.ports import StatementTable
from engine.risk.limit import Limit
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.safety_settings import Safety


class AccountSpec(Struct, frozen=True, kw_only=True):
    """One account to trade: ``gateway`` is the key of its gateway."""

    id: AccountId
    gateway: str
    currency: str


class LiveSpec(Struct, frozen=True, kw_only=True):
    """What a live run is made of; ``runtime/settings.py`` makes one from a config file."""

    accounts: tuple[AccountSpec, ...]
    strategies: tuple[tuple[AccountId, StrategySpec], ...]
    instruments: Mapping[InstrumentId, Instrument]
    books: Mapping[str, RuleBook]
    limits: tuple[Limit, ...]
    rates: Mapping[str, Mapping[str, Decimal]] = {}
    """See ``Rates``."""
    reconcile: CashTolerance = CashTolerance()
    mode: str = "live"
    armed: bool = False
    """Whether a person said at the start of this run that real money may be traded."""
    run_tag: str = ""
    """Goes into client order ids, so that two journals never make the same one."""
    threads: bool = True
    """Whether ``ctx.call`` may use a thread; the simulation has none."""
    sample_ns: int = 5 * MINUTE_NS
    """How often equity is written to the journal."""
    statements: StatementTable | None = None
    """Financial statements by the moment they became known, for ``ctx.statements()``."""
    safety: Safety = Safety()
    """How it is stopped and watched."""
