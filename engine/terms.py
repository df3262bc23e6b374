"""What a strategy writes for an order, as the order's own fields; and what no record could hold."""

import operator
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.commands import OrderType, TimeInForce, comes_back
from engine.domain.errors import ConfigError
from engine.domain.instrument import Instrument
from engine.domain.money import exact
from engine.domain.timestamps import duration_ns

Price = float | Decimal

WORDS = ("stop", "touch", "take_profit", "trail", "trail_percent", "trail_limit", "until")
"""What may stand beside ``price``; everything else is a field of the order by its own name."""


FIELDS = ("type", "stop_price", "tif", "expires_ns", "trail", "trail_percent", "trail_limit")


def order_fields(spec: Instrument, price: Price | None, words: Mapping[str, Any], now_ns: int) -> dict[str, Any]:
    """Type, prices and time in force of an order, out of words and fields.

    Raises:
        ConfigError: a word that no order has, or words that do not go together.
    """
    unknown = [word for word in words if word not in WORDS and word not in FIELDS]
    if unknown:
        raise ConfigError(f"an order has no {unknown[0]!r}; beside price it has {', '.join((*WORDS, 'type', 'tif'))}")
    stop_price = words.get("stop_price")
    fields: dict[str, Any] = {
        "type": OrderType.MARKET if price is None else OrderType.LIMIT,
        "price": None if price is None else spec.round_price(price),
        "stop_price": None if stop_price is None else spec.round_price(stop_price),
        **{word: words[word] for word in ("tif", "expires_ns") if words.get(word) is not None},
    }
    fields |= _terms(spec, price, words, now_ns)
    if words.get("type") is not None:
        fields["type"] = words["type"]
    return fields


def _terms(spec: Instrument, price: Price | None, given: Mapping[str, Any], now_ns: int) -> dict[str, Any]:
    """``stop``: triggered when the price moves against the order that far, with ``price`` a limit after that.
    ``touch``: triggered when it comes that far in favour. ``trail``, ``trail_percent``: a stop that follows the best
    price at that distance, in money or percent; ``trail_limit``: how far beyond its trigger the limit then lies.
    ``take_profit`` with a stop or a trail: one quantity with two ways out. ``until``: when it ends, ``"2h"`` from now
    or nanoseconds UTC.

    Raises:
        ConfigError: words that do not go together.
    """
    words = {word: value for word, value in given.items() if value is not None and word in WORDS}
    _refuse_mixtures(price, words)
    terms: dict[str, Any] = {}
    limit, stop, touch, profit = (price, words.get("stop"), words.get("touch"), words.get("take_profit"))
    trailing = "trail" in words or "trail_percent" in words
    if trailing:
        kind = OrderType.TRAILING_STOP_LIMIT if "trail_limit" in words else OrderType.TRAILING_STOP
        terms["type"] = kind if profit is None else OrderType.LIMIT_OR_TRAILING_STOP
        for word in ("trail", "trail_percent", "trail_limit"):
            if word in words:
                terms[word] = exact(words[word])
    elif stop is not None:
        after = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
        terms |= {"type": after if profit is None else OrderType.LIMIT_OR_STOP, "stop_price": spec.round_price(stop)}
    elif touch is not None:
        after = OrderType.MARKET_IF_TOUCHED if limit is None else OrderType.LIMIT_IF_TOUCHED
        terms |= {"type": after, "stop_price": spec.round_price(touch)}
    if profit is not None:
        terms["price"] = spec.round_price(profit)
    until = words.get("until")
    if until is not None:
        end_ns = until if isinstance(until, int) else now_ns + duration_ns(until)
        terms |= {"tif": TimeInForce.GTD, "expires_ns": end_ns}
    return terms


def _refuse_mixtures(price: Price | None, words: Mapping[str, Any]) -> None:
    stop, touch, profit = words.get("stop"), words.get("touch"), words.get("take_profit")
    trailing = "trail" in words or "trail_percent" in words
    if "trail" in words and "trail_percent" in words:
        raise ConfigError("trail and trail_percent are two ways to say one thing; give one")
    if sum(x is not None for x in (stop, touch)) + trailing > 1:
        raise ConfigError("stop, touch and trail are three triggers; an order has one (a bracket has more)")
    if profit is not None and (price is not None or touch is not None or "trail_limit" in words):
        raise ConfigError("take_profit is the limit of an order with two ways out; give no other limit or touch")
    if profit is not None and stop is None and not trailing:
        raise ConfigError("take_profit goes with a stop or a trail; alone it is a limit order: give price")
    if trailing and price is not None:
        raise ConfigError("a trailing stop has no price; give trail_limit for a limit beyond its trigger")
    if "trail_limit" in words and not trailing:
        raise ConfigError("trail_limit goes with trail or trail_percent")


def as_int(quantity: Any) -> Any:
    """numpy's whole numbers as Python's; anything else as it is, for the gate to deny."""
    if quantity.__class__ is int:
        return quantity
    is_whole = not isinstance(quantity, bool) and hasattr(quantity, "__index__")
    return operator.index(quantity) if is_whole else quantity


def whole(quantity: Any) -> int:
    """
    Raises:
        ConfigError: no whole number, or none that a record can hold.
    """
    found = as_int(quantity)
    if type(found) is not int or abs(found) >= 2**63:
        raise ConfigError(f"quantity {quantity!r} is no whole number of units; round it first, as with int(...)")
    return found


def refuse_unless_sound(wish: Struct, strategy: str) -> None:
    """
    Raises:
        ConfigError: a field of an action or an algorithm is none of its type, and no record could hold it.
    """
    if not comes_back(wish, type(wish)):
        raise ConfigError(f"{strategy}: {wish!r} has a field that is none of its type; look at each of them")
