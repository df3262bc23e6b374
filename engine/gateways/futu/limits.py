"""The gateway's own limit layers on our side of the wire, so that our denial comes first (contracts/futu.md 7.2).

Made from the record of our key in the gateway's keys.json. What the gateway counts between our sending and our having
its answer is counted here for longer than it counts it there.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from engine.clock import Clock
from engine.domain.commands import SubmitOrder
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.money import ZERO, exact
from engine.domain.timestamps import DAY_NS, SECOND_NS, datetime_from_ns, parse_time
from engine.domain.verdict import Denial
from engine.gateways.futu import codes
from engine.gateways.futu.texts import LimitKind
from engine.net.rate_limit import Priority, SlidingWindow, Ticket

EDGE_NS = 2 * SECOND_NS
"""Near an edge of the hours window, or of the UTC day, its clock may be on the other side."""
DUST = Decimal("1e-12")
"""Part of the day's cap by which one value may grow in the gateway's sum of doubles; whole values do not grow."""
RATE = f"GATEWAY_{LimitKind.RATE.name}"
"""Code of a denial by the minute's rate, the one that passes by waiting."""
_WRITE = "write"


class KeyLimits(Struct, frozen=True, kw_only=True):
    """``limits`` of one key; None or absent: no limit (contract 7.1)."""

    allowed_markets: list[str] | None = None
    allowed_symbols: list[str] | None = None
    allowed_trd_sides: list[str] | None = None
    max_order_value: Decimal | None = None
    max_daily_value: Decimal | None = None
    hours_window: str | None = None
    max_orders_per_minute: int | None = None
    allowed_acc_ids: list[int | str] | None = None
    allowed_card_nums: list[str] | None = None


class KeyRecord(Struct, frozen=True, kw_only=True):
    """One key of keys.json; the hash is of the token, which is not in the file."""

    id: str = ""
    hash: str = ""
    scopes: list[str] = field(default_factory=list)
    limits: KeyLimits = field(default_factory=KeyLimits)
    allowed_machines: list[str] | None = None
    created_at: str | None = None
    expires_at: str | None = None
    note: str | None = None


class KeysFile(Struct, frozen=True):
    version: int
    keys: list[KeyRecord]


def key_from_record(record: dict[str, Any], where: str) -> KeyRecord:
    """One key as config writes it.

    Raises:
        ConfigError: it is no such record.
    """
    try:
        return msgspec.convert(record, KeyRecord, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from error


def key_from_file(path: str, key_id: str, token: str, where: str) -> KeyRecord:
    """Our key's record in a keys.json: the one named, else the one whose hash is our token's.

    Raises:
        ConfigError: no such file, or no such key in it.
    """
    try:
        keys = msgspec.json.decode(Path(path).read_bytes(), type=KeysFile).keys
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{where}: keys file {path!r} can not be read: {error}") from error
    digest = hashlib.sha256(token.encode()).hexdigest()
    for key in keys:
        if key.id == key_id if key_id else token and key.hash.removeprefix("sha256:").lower() == digest:
            return key
    raise ConfigError(f"{where}: keys file {path!r} has no key {key_id or 'for this token'}; name one with key_id")


class LimitMirror:
    """Answers for one order whether the gateway would take it. Counts what leaves.

    Args:
        hours_timezone: the zone of the gateway's machine, which its window is in (contract 2.4).
        price_of: the last price of an instrument; None if it is not known.
        card_num: the account's card, as the account list names it; None if it has none.
        cancel_reserve: places of the minute's budget that orders leave to cancels (contract 6.3).
    """

    def __init__(
        self,
        key: KeyRecord,
        clock: Clock,
        *,
        acc_id: str,
        market_of: Callable[[InstrumentId], int],
        price_of: Callable[[InstrumentId], float | None],
        hours_timezone: str,
        card_num: str | None = None,
        cancel_reserve: int = 1,
    ) -> None:
        self.key = key
        self._clock = clock
        self._acc_id = acc_id
        self._card_num = card_num
        self._market_of = market_of
        self._price_of = price_of
        self._timezone = hours_timezone
        limits = key.limits
        self._window: SlidingWindow | None = None
        cap = limits.max_orders_per_minute
        self._cap = cap
        if cap is not None:
            ceiling = max(cap - cancel_reserve, min(cap, 1), 0)
            self._window = SlidingWindow({_WRITE: cap}, ceilings={Priority.READ: ceiling})
        self._hours = _window_from_text(limits.hours_window) if limits.hours_window is not None else None
        self._days: dict[int, Decimal] = {}
        self._expires_ns = _expiry_ns(key.expires_at)

    def denial(self, order: SubmitOrder) -> Denial | None:
        """Why the gateway would refuse this order now, or None. Counts nothing; layers in its order."""
        now = self._clock.now_ns
        denial = self._listed(order)
        if denial is None and self._expires_ns is not None and now + EDGE_NS >= self._expires_ns:
            denial = _denied(LimitKind.FORBIDDEN, f"key expired at {self.key.expires_at}")
        return denial or self._at(now) or self._value(order, now) or self._rate(Priority.READ, now)

    def denial_of_change(self, quantity: int = 0, price: Decimal | None = None) -> Denial | None:
        """Why the gateway would refuse a cancel or a change now.

        Hours and rate look at both, the cap of an order's value at the new terms of a change; lists and the day do not.
        """
        now = self._clock.now_ns
        return self._at(now) or self._order_value(quantity, price or ZERO) or self._rate(Priority.ORDER, now)

    def leaves(self, order: SubmitOrder | None = None) -> Ticket | None:
        """A trade write is about to leave: count it, and the order's value. Give the ticket to ``answered``."""
        now = self._clock.now_ns
        if order is not None and self.key.limits.max_daily_value is not None:
            value = self._day_value(order.quantity, self._price_of_order(order) or ZERO)
            # Near midnight it may land on either day there.
            for moment in (now - EDGE_NS, now + EDGE_NS):
                day = moment // DAY_NS
                self._days[day] = self._days.get(day, ZERO) + (value if moment // DAY_NS != now // DAY_NS else ZERO)
            self._days[now // DAY_NS] += value
            self._days = {day: spent for day, spent in self._days.items() if day >= now // DAY_NS - 1}
        return self._window.enter(_WRITE) if self._window is not None else None

    def answered(self, ticket: Ticket | None, *, counted: bool = True) -> None:
        """The write is over; ``counted=False`` where nothing left. Its value stays counted: the larger of two ways."""
        if ticket is not None and self._window is not None:
            self._window.leave(ticket, self._clock.now_ns, counted=counted)

    # --- layers ---

    def _listed(self, order: SubmitOrder) -> Denial | None:
        limits = self.key.limits
        if limits.allowed_acc_ids is not None and self._acc_id not in map(str, limits.allowed_acc_ids):
            return _denied(LimitKind.FORBIDDEN, f"account {self._acc_id} not allowed")
        if limits.allowed_card_nums is not None and self._card_num not in limits.allowed_card_nums:
            return _denied(LimitKind.FORBIDDEN, f"card of account {self._acc_id} not allowed")
        market = codes.TRADE_MARKET_WORDS.get(self._market_of(order.instrument), "?")
        if limits.allowed_markets is not None and market not in limits.allowed_markets:
            return _denied(LimitKind.MARKET, f"market {market} not allowed")
        symbol = codes.symbol_to_wire(order.instrument)
        if limits.allowed_symbols is not None and symbol not in limits.allowed_symbols:
            return _denied(LimitKind.SYMBOL, f"symbol {symbol} not allowed")
        side = codes.SIDE_WORDS[order.side]
        if limits.allowed_trd_sides is not None and side not in limits.allowed_trd_sides:
            return _denied(LimitKind.SIDE, f"trade side {side} not allowed")
        return None

    def _at(self, now_ns: int) -> Denial | None:
        if self._hours is None:
            return None
        for moment in (now_ns - EDGE_NS, now_ns, now_ns + EDGE_NS):
            local = datetime_from_ns(moment, self._timezone)
            second = local.hour * 3600 + local.minute * 60 + local.second
            start, end = self._hours
            inside = start <= second < end if start <= end else second >= start or second < end
            if not inside:
                spec = self.key.limits.hours_window
                return _denied(LimitKind.HOURS, f"outside hours window {spec} ({self._timezone})")
        return None

    def _value(self, order: SubmitOrder, now_ns: int) -> Denial | None:
        limits = self.key.limits
        if limits.max_order_value is None and limits.max_daily_value is None:
            return None
        price = self._price_of_order(order)
        if price is None:
            return _denied(LimitKind.PER_ORDER, f"value not known: no price of {order.instrument}")
        denial = self._order_value(order.quantity, price)
        if denial is not None:
            return denial
        if limits.max_daily_value is not None:
            value = self._day_value(order.quantity, price)
            spent = self._days.get(now_ns // DAY_NS, ZERO)
            if spent + value > limits.max_daily_value:
                figures = f"(current={spent:.2f} + order={value:.2f})"
                return _denied(
                    LimitKind.DAILY, f"daily value {spent + value:.2f} > {limits.max_daily_value:.2f} {figures}"
                )
        return None

    def _rate(self, priority: Priority, now_ns: int) -> Denial | None:
        if self._window is None or self._cap is None:
            return None
        if self._cap <= 0:
            return _denied(LimitKind.RATE, "rate limit exceeded: the key takes no orders (cap 0)")
        ready = self._window.ready_ns(_WRITE, priority, now_ns)
        if ready is not None and ready <= now_ns:
            return None
        count = self._window.count(now_ns)
        return _denied(LimitKind.RATE, f"rate limit exceeded: {count} orders in the last 60s (cap {self._cap})")

    def _order_value(self, quantity: int, price: Decimal) -> Denial | None:
        cap, value = self.key.limits.max_order_value, price * quantity
        # The gateway multiplies doubles: 3 x 0.1 is more than 0.3 there.
        if cap is not None and (value > cap or float(quantity) * float(price) > float(cap)):
            return _denied(LimitKind.PER_ORDER, f"order value {value:.2f} > {cap:.2f}")
        return None

    def _day_value(self, quantity: int, price: Decimal) -> Decimal:
        """The most an order adds to the gateway's sum of doubles; exact where doubles are, in steps of 1/64."""
        value = price * quantity
        if value * 64 % 1 == 0 and Decimal(float(quantity) * float(price)) == value:
            return value
        return value + (self.key.limits.max_daily_value or ZERO) * DUST

    def _price_of_order(self, order: SubmitOrder) -> Decimal | None:
        if order.price is not None:
            return order.price
        last = self._price_of(order.instrument)
        return exact(last) if last is not None else order.stop_price


def _denied(kind: LimitKind, text: str) -> Denial:
    return Denial(f"GATEWAY_{kind.name}", f"limit check failed: {text}")


def _window_from_text(text: str) -> tuple[int, int]:
    """``09:30-16:00`` in seconds of the day; an end before the start is on the next day.

    Raises:
        ConfigError: not of that form.
    """
    try:
        start, end = (datetime.strptime(part.strip(), "%H:%M") for part in text.split("-"))  # noqa: DTZ007
    except ValueError as error:
        raise ConfigError(f"futu: hours_window {text!r}: write it as '09:30-16:00'") from error
    return start.hour * 3600 + start.minute * 60, end.hour * 3600 + end.minute * 60


def _expiry_ns(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return parse_time(text, "UTC")
    except ValueError as error:
        raise ConfigError(f"futu: key expires_at {text!r} is no RFC 3339 time") from error
