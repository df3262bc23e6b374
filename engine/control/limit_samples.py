"""For each limit a sample of its settings, and an order that it denies by itself where one order can show it."""

BASE_ORDER = """order() {
    python run.py check order --instrument 600000.SH --side buy --quantity 100 --price 10 --previous-close 10 \\
        --at 2026-03-02T10:00:00+08:00 "$@"
}
order"""
"""A word of the shell for one order, which passes every limit of ``paper``."""

SETTINGS: dict[str, str] = {
    "environment": 'accounts = { page = "simulated" }',
    "allowed_sides": 'sides = ["sell"]',
    "allowed_markets": 'markets = ["china_a"]',
    "allowed_symbols": 'symbols = ["600000.SH", "CY.VSM"]',
    "restricted": 'symbols = ["600000.SH"]\nspecial_treatment = true     # ST shares, too',
    "hours": 'start = "09:35"\nend = "14:50"\ntimezone = "Asia/Shanghai"',
    "session_end": 'margin = "3m"\nno_cancel = "deny"',
    "max_order_quantity": "quantity = 1000",
    "sane_price": "percent = 3",
    "price_collar": 'percent = 2\nmax_age = "10m"             # the game market moves every five minutes',
    "max_order_value": "value = 50000\nsoft = 20000",
    "duplicate_order": 'window = "10s"',
    "orders_per_second": 'cap = 2\nscope = "strategy"',
    "orders_per_minute": "cap = 20",
    "symbol_orders_per_minute": "cap = 4",
    "orders_per_day": "cap = 200",
    "repeated_fills": 'cap = 10\nwindow = "5m"',
    "open_orders": "cap = 5\nper_side = 1",
    "max_open_value": "value = 100000",
    "self_match": 'scope = "account"',
    "sellable": "short = false",
    "cash": "factor = 1.01",
    "max_position": "value = 100000\nquantity = 5000",
    "concentration": "percent = 10",
    "gross_exposure": "percent = 50",
    "strategy_loss": "percent = 0.5",
    "account_loss": "percent = 1\ncancel_percent = 2",
    "max_daily_value": "value = 200000",
    "max_daily_turnover": "percent = 100",
    "message_rate": "warn = 3\nstop = 6",
    "quick_cancels": "warn = 5\nstop = 15",
    "volume_share": "percent = 5\nwarn = 5\nstop = 10",
    "one_sided_value": "warn = 200000\nstop = 1000000",
    "opposite_trades": "stop = 1",
}
"""Limit -> keys of ``[risk.<limit>]``; one that is not here has no settings."""

DENIED: dict[str, str] = {
    "allowed_sides": "--risk-set 'allowed_sides.sides=[\"sell\"]'",
    "well_formed": "--quantity 0",
    "allowed_markets": "--risk-set 'allowed_markets.markets=[\"us\"]'",
    "allowed_symbols": "--risk-set 'allowed_symbols.symbols=[\"000001.SZ\"]'",
    "restricted": "--risk-set 'restricted.symbols=[\"600000.SH\"]'",
    "hours": "--risk-set hours.start=10:30 --risk-set hours.end=14:50",
    "session_end": "--at 2026-03-02T11:29:30+08:00",
    "market_rules": "--quantity 150",
    "max_order_quantity": "--risk-set max_order_quantity.quantity=50",
    "price_collar": "--mark 10 --price 10.4",
    "max_order_value": "--risk-set max_order_value.value=900 --risk-set max_order_value.soft=500",
    "sellable": "--side sell",
    "cash": "--cash 900",
    "max_position": "--position 300 --risk-set max_position.quantity=300",
    "concentration": "--cash 4000",
    "gross_exposure": "--cash 2000 --risk-set gross_exposure.percent=20",
}
"""Limit -> options of ``order``; what is said twice counts the second time."""
