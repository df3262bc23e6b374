"""Connections to remote systems, one folder each; the table of them."""

from typing import Any

from engine.gateways.amazingdata.adapter import AmazingData
from engine.gateways.easyths.adapter import Easyths
from engine.gateways.futu.adapter import Futu
from engine.gateways.huatai.adapter import Huatai
from engine.gateways.stream.adapter import Stream
from engine.gateways.virtual_market.adapter import VirtualMarket

GATEWAYS: dict[str, type[Any]] = {
    "virtual_market": VirtualMarket,
    "stream": Stream,
    "amazingdata": AmazingData,
    "futu": Futu,
    "easyths": Easyths,
    "huatai": Huatai,
    "ht": Huatai,
}
"""Name in config -> settings struct, whose ``open(surroundings)`` gives the gateway."""
