"""Orders the engine plays itself: what they are, and what the journal keeps of them.

A *parent* is what the author wants; its *children* are ordinary orders, each shown to every limit and sent once. What a
parent does next follows from the journal: its command, its notes and its children's orders.
"""

import enum
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.commands import Offset, Side, SubmitOrder
from engine.domain.errors import ConfigError
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId


class PlayedOrder(Struct, frozen=True, kw_only=True, tag="order"):
    """An order of a type, or with a time in force, that its venue does not have."""

    order: SubmitOrder


class Bracket(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="bracket"):
    """An entry, and for whatever of it fills one exit with two ways out; prices are absolute, ``trail`` is money."""

    entry: SubmitOrder
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    trail: Decimal | None = None
    trail_percent: Decimal | None = None


class Twap(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="twap"):
    """Equal parts at equal distances; ``price``: the limit of each, None for market orders."""

    duration_ns: int
    slices: int
    price: Decimal | None = None


class Vwap(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="vwap"):
    """Parts in the proportion in which volume is expected, ``weights`` being one a slice."""

    duration_ns: int
    weights: tuple[float, ...]
    price: Decimal | None = None


class Participate(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="participate"):
    """``share`` of the volume that trades, as it is seen to trade."""

    share: float
    duration_ns: int
    price: Decimal | None = None


class Iceberg(Struct, frozen=True, kw_only=True, tag="iceberg"):
    """A limit order that shows ``show`` units at a time."""

    price: Decimal
    show: int


class Custom(Struct, frozen=True, kw_only=True, omit_defaults=True, tag="custom"):
    """An algorithm that another package brought (docs/plugins.md): its name, and its settings as they were given."""

    algo: str
    settings: dict[str, Any] = {}


def custom(name: str, settings: dict[str, Any]) -> Custom:
    """One as the journal will have it: what was given and what is read back after a restart are the same.

    Raises:
        ConfigError: a setting that can not be written down.
    """
    try:
        return Custom(algo=name, settings=msgspec.json.decode(msgspec.json.encode(settings)))
    except (TypeError, ValueError, OverflowError) as why:
        raise ConfigError(f"algorithm {name!r}: settings are numbers, texts, lists and tables ({why})") from why


Algo = PlayedOrder | Bracket | Twap | Vwap | Participate | Iceberg | Custom


class SubmitAlgo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One parent as its author wants it. ``quantity`` is in whole units; ``side`` that of the entry."""

    client_id: ClientOrderId
    account: AccountId
    strategy: StrategyId
    instrument: InstrumentId
    side: Side
    quantity: int
    ts_ns: int
    algo: Algo
    offset: Offset = Offset.AUTO

    @property
    def name(self) -> str:
        """The algo's word: ``twap``."""
        if isinstance(self.algo, Custom):
            return self.algo.algo
        return str(self.algo.__struct_config__.tag)


class AlgoState(enum.StrEnum):
    WORKING = "working"
    CANCELING = "canceling"
    """It sends nothing more; its children are being withdrawn."""
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    """It could not go on: refused, or the outcome of a child is not certain enough to send another."""


ALGO_ENDS = frozenset({AlgoState.FILLED, AlgoState.CANCELED, AlgoState.EXPIRED, AlgoState.REJECTED})


class AlgoStarted(Struct, frozen=True, kw_only=True, tag="algo"):
    command: SubmitAlgo
    ts_ns: int


class AlgoNoted(Struct, frozen=True, kw_only=True, gc=False, tag="algo_note"):
    """Something its further life depends on that no order tells: a trigger that was met, an extreme."""

    client_id: ClientOrderId
    ts_ns: int
    key: str
    value: str


class AlgoEnded(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="algo_ended"):
    client_id: ClientOrderId
    ts_ns: int
    state: AlgoState
    filled: int = 0
    reason: str = ""


class AlgoChanged(Struct, frozen=True, kw_only=True, gc=False):
    """What became of a parent. ``filled`` is of its own side; ``quantity`` what was asked for."""

    client_id: ClientOrderId
    account: AccountId
    strategy: StrategyId
    instrument: InstrumentId
    ts_ns: int
    name: str
    state: AlgoState
    quantity: int
    filled: int = 0
    reason: str = ""


def volume_curve(
    ts_ns: Sequence[int], volumes: Sequence[float], start_ns: int, duration_ns: int, slices: int, day_ns: int
) -> tuple[float, ...]:
    """How volume was spread, on the days before, over the slices of a stretch of the day that begins at ``start_ns``.

    A slice no bar ended in gets nothing; if no bar ended in any, all are equal.

    Args:
        ts_ns: ends of past bars, ns UTC; ``volumes`` of equal length.
        day_ns: after which time the pattern repeats.

    Returns:
        ``slices`` weights that add up to 1.
    """
    sums = [0.0] * slices
    for end_ns, volume in zip(ts_ns, volumes, strict=True):
        since_ns = (end_ns - 1 - start_ns) % day_ns
        if since_ns < duration_ns and volume > 0:
            sums[since_ns * slices // duration_ns] += volume
    total = sum(sums)
    return tuple(part / total for part in sums) if total else (1 / slices,) * slices
