"""The table of surfaces: every door that bytes come in by."""

from tests.fuzz.harness import Surface
from tests.fuzz.wires_of_gateways import (
    AmazingDataWire,
    EasythsWire,
    FutuWire,
    HuataiWire,
    VirtualMarketWire,
)

SURFACES: tuple[type[Surface], ...] = (
    VirtualMarketWire,
    EasythsWire,
    HuataiWire,
    FutuWire,
    AmazingDataWire,
)
