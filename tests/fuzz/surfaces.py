"""The table of surfaces: every door that bytes come in by."""

from tests.fuzz.apis import SURFACES_OF_APIS
from tests.fuzz.files import SURFACES_OF_FILES
from tests.fuzz.harness import Surface
from tests.fuzz.http_bytes import HttpBytes
from tests.fuzz.streams import FutuPush, GuiTables, StreamFrames, TradeAnswers, TradeTexts
from tests.fuzz.wires_of_gateways import (
    AmazingDataWire,
    EasythsWire,
    FutuWire,
    HuataiWire,
    VirtualMarketWire,
)
from tests.fuzz.words import SURFACES_OF_WORDS

SURFACES: tuple[type[Surface], ...] = (
    VirtualMarketWire,
    EasythsWire,
    HuataiWire,
    FutuWire,
    AmazingDataWire,
    HttpBytes,
    FutuPush,
    StreamFrames,
    TradeTexts,
    GuiTables,
    TradeAnswers,
    *SURFACES_OF_APIS,
    *SURFACES_OF_FILES,
    *SURFACES_OF_WORDS,
)
