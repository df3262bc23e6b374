"""Every limit there is, by name, in the order they are asked (RELIABILITY 4.1). A new limit adds its line here."""

from engine.risk.allowed_markets import AllowedMarkets
from engine.risk.allowed_sides import AllowedSides
from engine.risk.allowed_symbols import AllowedSymbols
from engine.risk.cash import Cash
from engine.risk.duplicate_order import DuplicateOrder
from engine.risk.exchange_rate import ExchangeRate
from engine.risk.gateway_limits import GatewayLimits
from engine.risk.hours import Hours
from engine.risk.kill import Kill
from engine.risk.limit import Limit
from engine.risk.locked import Locked
from engine.risk.market_rules import MarketRules
from engine.risk.max_daily_value import MaxDailyValue
from engine.risk.max_order_quantity import MaxOrderQuantity
from engine.risk.max_order_value import MaxOrderValue
from engine.risk.max_position import MaxPosition
from engine.risk.orders_per_day import OrdersPerDay
from engine.risk.orders_per_minute import OrdersPerMinute
from engine.risk.orders_per_second import OrdersPerSecond
from engine.risk.price_collar import PriceCollar
from engine.risk.sellable import Sellable
from engine.risk.supported import Supported
from engine.risk.symbol_orders_per_minute import SymbolOrdersPerMinute
from engine.risk.well_formed import WellFormed

RULES: dict[str, type[Limit]] = {
    "kill": Kill,
    "supported": Supported,
    "well_formed": WellFormed,
    "allowed_markets": AllowedMarkets,
    "allowed_symbols": AllowedSymbols,
    "allowed_sides": AllowedSides,
    "hours": Hours,
    "exchange_rate": ExchangeRate,
    "market_rules": MarketRules,
    "gateway_limits": GatewayLimits,
    "max_order_quantity": MaxOrderQuantity,
    "price_collar": PriceCollar,
    "max_order_value": MaxOrderValue,
    "locked": Locked,
    "duplicate_order": DuplicateOrder,
    "orders_per_second": OrdersPerSecond,
    "orders_per_minute": OrdersPerMinute,
    "symbol_orders_per_minute": SymbolOrdersPerMinute,
    "orders_per_day": OrdersPerDay,
    "sellable": Sellable,
    "cash": Cash,
    "max_position": MaxPosition,
    "max_daily_value": MaxDailyValue,
}
