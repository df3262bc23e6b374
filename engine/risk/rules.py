"""Every limit there is, by name, in the order they are asked (RELIABILITY 4.1). A new limit adds its line here."""

from engine.risk.account_loss import AccountLoss
from engine.risk.allowed_markets import AllowedMarkets
from engine.risk.allowed_sides import AllowedSides
from engine.risk.allowed_symbols import AllowedSymbols
from engine.risk.cash import Cash
from engine.risk.concentration import Concentration
from engine.risk.duplicate_order import DuplicateOrder
from engine.risk.environment import ProvenEnvironment
from engine.risk.exchange_rate import ExchangeRate
from engine.risk.gateway_limits import GatewayLimits
from engine.risk.gross_exposure import GrossExposure
from engine.risk.hours import Hours
from engine.risk.kill import Kill
from engine.risk.limit import Limit
from engine.risk.locked import Locked
from engine.risk.market_rules import MarketRules
from engine.risk.max_daily_turnover import MaxDailyTurnover
from engine.risk.max_daily_value import MaxDailyValue
from engine.risk.max_open_value import MaxOpenValue
from engine.risk.max_order_quantity import MaxOrderQuantity
from engine.risk.max_order_value import MaxOrderValue
from engine.risk.max_position import MaxPosition
from engine.risk.message_rate import MessageRate
from engine.risk.not_ready import NotReady
from engine.risk.one_sided_value import OneSidedValue
from engine.risk.open_orders import OpenOrders
from engine.risk.opposite_trades import OppositeTradesSeen
from engine.risk.orders_per_day import OrdersPerDay
from engine.risk.orders_per_minute import OrdersPerMinute
from engine.risk.orders_per_second import OrdersPerSecond
from engine.risk.price_cage import PriceCage
from engine.risk.price_collar import PriceCollar
from engine.risk.quick_cancels import QuickCancelRatio
from engine.risk.repeated_fills import RepeatedFills
from engine.risk.restricted import Restricted
from engine.risk.sane_price import SanePrice
from engine.risk.self_match import SelfMatch
from engine.risk.sellable import Sellable
from engine.risk.session_end import SessionEnd
from engine.risk.strategy_loss import StrategyLoss
from engine.risk.supported import Supported
from engine.risk.symbol_orders_per_minute import SymbolOrdersPerMinute
from engine.risk.venue_orders_per_minute import VenueOrdersPerMinute
from engine.risk.volume_share import VolumeShare
from engine.risk.well_formed import WellFormed

RULES: dict[str, type[Limit]] = {
    "kill": Kill,
    "not_ready": NotReady,
    "environment": ProvenEnvironment,
    "supported": Supported,
    "allowed_sides": AllowedSides,
    "well_formed": WellFormed,
    "allowed_markets": AllowedMarkets,
    "allowed_symbols": AllowedSymbols,
    "restricted": Restricted,
    "hours": Hours,
    "session_end": SessionEnd,
    "exchange_rate": ExchangeRate,
    "market_rules": MarketRules,
    "gateway_limits": GatewayLimits,
    "max_order_quantity": MaxOrderQuantity,
    "price_cage": PriceCage,
    "sane_price": SanePrice,
    "price_collar": PriceCollar,
    "max_order_value": MaxOrderValue,
    "locked": Locked,
    "duplicate_order": DuplicateOrder,
    "orders_per_second": OrdersPerSecond,
    "orders_per_minute": OrdersPerMinute,
    "symbol_orders_per_minute": SymbolOrdersPerMinute,
    "venue_orders_per_minute": VenueOrdersPerMinute,
    "orders_per_day": OrdersPerDay,
    "repeated_fills": RepeatedFills,
    "open_orders": OpenOrders,
    "max_open_value": MaxOpenValue,
    "self_match": SelfMatch,
    "sellable": Sellable,
    "cash": Cash,
    "max_position": MaxPosition,
    "concentration": Concentration,
    "gross_exposure": GrossExposure,
    "strategy_loss": StrategyLoss,
    "account_loss": AccountLoss,
    "max_daily_value": MaxDailyValue,
    "max_daily_turnover": MaxDailyTurnover,
    "message_rate": MessageRate,
    "quick_cancels": QuickCancelRatio,
    "volume_share": VolumeShare,
    "one_sided_value": OneSidedValue,
    "opposite_trades": OppositeTradesSeen,
}
