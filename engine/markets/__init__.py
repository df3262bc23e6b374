"""One rule book a market."""

from engine.markets.free import Free
from engine.markets.rulebook import RuleBook
from engine.markets.virtual import Virtual

MARKETS: dict[str, type[RuleBook]] = {"free": Free, "virtual": Virtual}
