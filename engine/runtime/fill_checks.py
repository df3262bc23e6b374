"""What is strange about a fill: its price, its slippage, its fee, and how many orders it took (RELIABILITY 4.2)."""

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import Side
from engine.domain.events import Fill, KillLevel, OrderSubmitted
from engine.domain.ids import AccountId, ClientOrderId
from engine.domain.money import exact
from engine.markets.rulebook import ChargesByOrder
from engine.runtime.safety_settings import MonitorsTable
from engine.runtime.wiring import Core

BARS_OF_A_DAY = 500
FEE_LEAST = Decimal("0.05")
"""A difference below this, in the instrument's currency, is rounding."""


class Finding(Struct, frozen=True, kw_only=True):
    """Something a person should know; ``level`` and ``scope`` where trading must stop for it."""

    key: str
    about: str
    text: str
    level: KillLevel = KillLevel.RUN
    scope: str = "all"


class _Day(Struct):
    day: int
    orders: int = 0
    fills: int = 0


class FillChecks:
    """Told of every order and fill of the run, after the books; O(1) but for the day's bars of one instrument."""

    def __init__(self, core: Core, settings: MonitorsTable) -> None:
        self._core = core
        self._settings = settings
        self._decided_at: dict[ClientOrderId, float] = {}
        """Client id -> the mark when the order was made."""
        self._days: dict[AccountId, _Day] = {}

    def on_submitted(self, event: OrderSubmitted) -> Iterator[Finding]:
        order = event.order
        self._forget_ended()
        mark = self._core.portfolio.marks.get(order.instrument)
        if mark:
            self._decided_at[order.client_id] = mark
        day = self._day_of(order.account, order.instrument, event.ts_ns)
        day.orders += 1
        settings = self._settings
        if day.orders >= settings.orders_counted and day.orders > settings.orders_per_fill * max(day.fills, 1):
            yield Finding(
                key=f"fill ratio {order.account} {day.day}",
                about=f"account:{order.account}",
                text=f"{day.orders} orders for {day.fills} fills today (more than {settings.orders_per_fill} each)",
            )

    def on_fill(self, fill: Fill) -> Iterator[Finding]:
        self._day_of(fill.account, fill.instrument, fill.ts_ns).fills += 1
        if fill.inferred or not fill.quantity:
            return
        yield from self._price(fill)
        yield from self._slippage(fill)
        yield from self._fee(fill)

    def _forget_ended(self) -> None:
        """Orders that are over need no price any more."""
        working = self._core.manager.working
        if len(self._decided_at) > 2 * len(working) + 100:
            self._decided_at = {name: mark for name, mark in self._decided_at.items() if name in working}

    def _price(self, fill: Fill) -> Iterator[Finding]:
        """Far from the last price, or outside what the day's prices were."""
        core = self._core
        mark = core.portfolio.marks.get(fill.instrument)
        price = float(fill.price)
        if not mark:
            return
        if abs(price - mark) > self._settings.fill_from_mark * mark:
            yield _found(fill, "mark", f"filled at {fill.price}, far from the last price {mark:g}")
            return
        spec = core.instruments[fill.instrument]
        book = core.books[spec.market]
        band = book.price_band(spec, core.view.previous_close.get(fill.instrument), fill.ts_ns)
        bars = core.history.last(fill.instrument, min(BARS_OF_A_DAY, core.history.keep))
        if band is None and len(bars):
            day = book.trading_day(fill.ts_ns)
            if book.trading_day(int(bars.ts_ns[0])) == day:
                # The newest prices are in no bar yet: what the last price allows is allowed.
                slack = self._settings.slippage * mark
                band = min(float(bars.low.min()), mark - slack), max(float(bars.high.max()), mark + slack)
        if band is not None and not band[0] <= price <= band[1]:
            yield _found(fill, "range", f"filled at {fill.price}, outside the day's {band[0]:g} to {band[1]:g}")

    def _slippage(self, fill: Fill) -> Iterator[Finding]:
        decided = self._decided_at.get(fill.client_id)
        if not decided:
            return
        slip = (float(fill.price) / decided - 1) * fill.side.sign
        if slip > self._settings.slippage:
            yield _found(fill, "slippage", f"filled {slip:.2%} worse than the price it was decided at ({decided:g})")

    def _fee(self, fill: Fill) -> Iterator[Finding]:
        """All the order has paid against what the rule book says of all it has filled; nothing at all is paid where
        money is simulated."""
        core = self._core
        order = core.manager.orders.get(fill.client_id)
        if order is None or fill.leaves or not order.cum or not order.fee:
            return
        spec = core.instruments[fill.instrument]
        book, side = core.books[spec.market], order.request.side
        if isinstance(book, ChargesByOrder):
            due = book.order_fee(side, order.cum, order.value, spec, fill.ts_ns)
        elif fill.quantity == order.cum:
            due = book.fee(order.request.type, side, fill.quantity, fill.price, spec, fill.ts_ns)
        else:
            return
        off = abs(order.fee - due)
        if off > FEE_LEAST and off > exact(self._settings.fee) * due:
            yield _found(fill, "fee", f"cost {order.fee} in fees, where the rule book says {due}")

    def _day_of(self, account: AccountId, instrument: str, ts_ns: int) -> _Day:
        spec = self._core.instruments[instrument]  # type: ignore[index]
        day = self._core.books[spec.market].trading_day(ts_ns)
        known = self._days.get(account)
        if known is None or known.day < day:
            known = self._days[account] = _Day(day)
        return known


def _found(fill: Fill, what: str, text: str) -> Finding:
    key = f"fill {what} {fill.client_id}"
    word = "bought" if fill.side in (Side.BUY, Side.BUY_BACK) else "sold"
    return Finding(
        key=key, about=f"order:{fill.client_id}", text=f"{word} {fill.quantity} {fill.instrument}: {text}"
    )  # fmt: skip
