"""Faithful copies of the remote systems, each a face over one simulated market."""

from engine.simulators.serve import Simulator, serve, simulate
from engine.simulators.stream import StreamSimulator
from engine.simulators.virtual_market import VirtualMarketSimulator

SIMULATORS: dict[str, type[Simulator]] = {"virtual_market": VirtualMarketSimulator, "stream": StreamSimulator}

__all__ = ["SIMULATORS", "Simulator", "serve", "simulate"]
