"""Which limits are in force: a profile's own, changed and added to by the config's ``[risk]`` table.

``live`` and ``paper`` are the defaults of RELIABILITY 4.1, which are the limits' own; ``backtest`` and ``replay`` check
that orders are well-formed, market rules, cash, sellable quantity and the latches. What a profile has can be changed
but not left out.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from engine.domain.errors import ConfigError
from engine.risk.limit import Limit
from engine.risk.rules import RULES

_NAMED_ONLY = frozenset({"allowed_sides", "allowed_markets", "allowed_symbols", "hours"})
"""Limits that say nothing unless config does."""
_TRADING: dict[str, dict[str, Any]] = {name: {} for name in RULES if name not in _NAMED_ONLY}
_REPLAY: dict[str, dict[str, Any]] = {
    "kill": {}, "well_formed": {}, "market_rules": {}, "sellable": {}, "cash": {"factor": "1"},
}  # fmt: skip

PROFILES: dict[str, dict[str, dict[str, Any]]] = {
    "live": {**_TRADING, "allowed_symbols": {}, "environment": {"live": True}},
    "paper": _TRADING,
    "backtest": _REPLAY,
    "replay": _REPLAY,
}
"""Profile -> rule -> settings that differ from the rule's own defaults. Live needs ``allowed_symbols`` from config."""


def limits_for(profile: str, table: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits of a profile in the order of ``RULES``; ``table`` is the config's ``[risk]``: rule -> settings.

    Raises:
        ConfigError: unknown profile, rule or key; a setting of the wrong type or out of range; null; live without
            ``allowed_symbols``.
    """
    if profile not in PROFILES:
        raise ConfigError(f"risk profile {profile!r} is not known{_near(profile, PROFILES)}")
    if not isinstance(table, Mapping):
        raise ConfigError(f"[risk]: expected a table of rules, got {_said(table)}")
    for name in table:
        if name not in RULES:
            raise ConfigError(f"[risk.{name}]: no such limit{_near(str(name), RULES)}")
    defaults = PROFILES[profile]
    return tuple(
        _limit(profile, name, defaults.get(name, {}), table.get(name, {}))
        for name in RULES
        if name in defaults or name in table
    )


def _limit(profile: str, name: str, defaults: Mapping[str, Any], settings: Any) -> Limit:
    rule = RULES[name]
    if not isinstance(settings, Mapping):
        raise ConfigError(
            f"[risk.{name}]: expected a table of settings, got {_said(settings)}; a limit can not be switched off"
        )
    fields = [field.name for field in msgspec.structs.fields(rule)]
    for key, value in settings.items():
        if key not in fields:
            raise ConfigError(f"[risk.{name}] {key}: no such setting{_near(str(key), fields)}")
        if value is None:
            raise ConfigError(f"[risk.{name}] {key}: null is no value; leave the key out to have the default")
    try:
        return msgspec.convert({**defaults, **settings}, rule)
    except msgspec.ValidationError as error:
        raise ConfigError(_sentence(profile, name, str(error))) from error


def _sentence(profile: str, name: str, text: str) -> str:
    """msgspec's words with the place in ours."""
    if (missing := re.search(r"missing required field `(\w+)`", text)) is not None:
        return f"[risk.{name}] {missing[1]}: profile {profile} needs it; write it in the config"
    what, _, where = text.partition(" - at `$")
    key = where.strip("`").removeprefix(".")
    return f"[risk.{name}] {key}: {what}" if key else f"[risk.{name}]: {what}"


def _said(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {value!r}"


def _near(word: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, n=3)
    return f"; did you mean {' or '.join(near)}?" if near else f"; there are: {', '.join(names) or 'none'}"
