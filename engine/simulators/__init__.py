"""Faithful copies of the remote systems, each a face over one simulated market."""

from engine.simulators.amazingdata import AmazingDataSimulator
from engine.simulators.easyths import EasythsSimulator
from engine.simulators.futu import FutuSimulator
from engine.simulators.huatai import HuataiSimulator
from engine.simulators.serve import Simulator, serve, simulate
from engine.simulators.stream import StreamSimulator
from engine.simulators.virtual_market import VirtualMarketSimulator

SIMULATORS: dict[str, type[Simulator]] = {
    "virtual_market": VirtualMarketSimulator,
    "stream": StreamSimulator,
    "amazingdata": AmazingDataSimulator,
    "futu": FutuSimulator,
    "easyths": EasythsSimulator,
    "huatai": HuataiSimulator,
}

PORTS: dict[str, int] = {
    "virtual_market": 8800,
    "stream": 8801,
    "amazingdata": 8000,
    "futu": 22222,
    "easyths": 7648,
    "huatai": 5000,
}
"""Where each is served if nothing else is said: each where its document has it, but for the first two."""

__all__ = ["PORTS", "SIMULATORS", "Simulator", "serve", "simulate"]
