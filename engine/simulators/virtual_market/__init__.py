"""The virtual stock market, as contracts/virtual_market.md describes the real server."""

from engine.simulators.virtual_market.settings import DEFAULT_STOCKS, VirtualMarketSimulator
from engine.simulators.virtual_market.venue import User, VirtualMarket

__all__ = ["DEFAULT_STOCKS", "User", "VirtualMarket", "VirtualMarketSimulator"]
