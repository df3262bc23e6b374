"""Everything a strategy author needs, and nothing else: ``from engine import Bar, Strategy, param``."""

from engine.domain.algos import AlgoChanged, AlgoState
from engine.domain.commands import Offset, OrderType, Side, TimeInForce
from engine.domain.errors import ConfigError, SluiceError
from engine.domain.events import Fill, OrderDenied, OrderEvent, TimerFired
from engine.domain.ids import ClientOrderId, InstrumentId
from engine.domain.instructions import InstructionReport, InstructionState
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, DataKind, FeedState, FeedStatus, OrderBook, Quote, Trade
from engine.domain.order import OrderState
from engine.history import Bars
from engine.params import param
from engine.strategy import Recovered, Strategy, WorkingOrder

__all__ = [
    "AlgoChanged", "AlgoState", "Bar", "Bars", "ClientOrderId", "ConfigError", "DataKind", "FeedState", "FeedStatus",
    "Fill", "InstructionReport", "InstructionState", "Instrument", "InstrumentId", "Offset", "OrderBook",
    "OrderDenied", "OrderEvent", "OrderState", "OrderType", "Quote", "Recovered", "Side", "SluiceError", "Strategy",
    "TimeInForce", "TimerFired", "Trade", "WorkingOrder", "param",
]  # fmt: skip
