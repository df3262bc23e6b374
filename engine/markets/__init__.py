"""One rule book a market."""

from engine.markets.china_a import ChinaA
from engine.markets.china_connect import ChinaConnect
from engine.markets.china_futures import ChinaFutures
from engine.markets.free import Free
from engine.markets.hong_kong import HongKong
from engine.markets.rulebook import RuleBook
from engine.markets.us import UnitedStates
from engine.markets.virtual import Virtual

MARKETS: dict[str, type[RuleBook]] = {
    "free": Free,
    "virtual": Virtual,
    "hong_kong": HongKong,
    "us": UnitedStates,
    "china_a": ChinaA,
    "china_connect": ChinaConnect,
    "china_futures": ChinaFutures,
}
