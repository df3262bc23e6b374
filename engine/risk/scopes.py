"""Whom a counter counts for: one strategy, one account, one symbol of an account, or the whole engine."""

import enum
from collections.abc import Callable, Hashable

from engine.domain.ids import AccountId, InstrumentId, StrategyId


class Scope(enum.StrEnum):
    STRATEGY = "strategy"
    ACCOUNT = "account"
    SYMBOL = "symbol"
    ENGINE = "engine"


ScopeKey = Callable[[StrategyId, AccountId, InstrumentId], Hashable]

SCOPE_KEYS: dict[Scope, ScopeKey] = {
    Scope.STRATEGY: lambda strategy, _account, _instrument: strategy,
    Scope.ACCOUNT: lambda _strategy, account, _instrument: account,
    Scope.SYMBOL: lambda _strategy, account, instrument: (account, instrument),
    Scope.ENGINE: lambda _strategy, _account, _instrument: "",
}
