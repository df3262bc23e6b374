"""Order types and execution algorithms the engine plays itself, where the venue does not."""

from collections.abc import Callable

from engine.algos.bracket import BracketOrders
from engine.algos.iceberg import IcebergOrder
from engine.algos.parent import Plays
from engine.algos.participate import Participation
from engine.algos.played_order import Played
from engine.algos.sliced import Sliced

ALGOS: dict[str, Callable[..., Plays]] = {
    "order": Played,
    "bracket": BracketOrders,
    "twap": Sliced,
    "vwap": Sliced,
    "participate": Participation,
    "iceberg": IcebergOrder,
}
"""Word of a parent's command -> who plays it, made of (what was asked for, the account's capabilities)."""
