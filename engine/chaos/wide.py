"""Limits of a flight that are wider than a user's: its traders are to make work."""

from typing import Any

WIDE: dict[str, dict[str, Any]] = {
    "session_end": {"margin": "1ms"},
    "open_orders": {"cap": 1_000, "per_side": 1_000},
    "max_open_value": {"value": 100_000_000}, "self_match": {"scope": "strategy"}, "repeated_fills": {"cap": 100_000},
    "concentration": {"percent": 100_000}, "gross_exposure": {"percent": 100_000}, "strategy_loss": {"percent": 99},
    "account_loss": {"percent": 99, "cancel_percent": 99}, "max_daily_turnover": {"percent": 100_000_000},
    "message_rate": {"warn": 240, "stop": 240, "day_warn": 16_000, "day_stop": 16_000},
    "quick_cancels": {"warn": 16_000, "stop": 16_000}, "volume_share": {"percent": 100_000, "move_percent": 100_000},
    "one_sided_value": {"stop": 100_000_000}, "opposite_trades": {"stop": 1_000},
}  # fmt: skip
"""What would keep the traders from making work: they seek no profit, and do what no sane strategy would."""
