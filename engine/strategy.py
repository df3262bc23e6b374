"""What a strategy is: the class an author derives from."""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from engine.asking import Ask, CallRequest, NextBarRequest, SleepRequest
from engine.context import Context, Recovered, WorkingOrder
from engine.domain.algos import AlgoChanged, Bracket, Iceberg, Participate, Twap, Vwap, custom, volume_curve
from engine.domain.commands import OrderType, Side
from engine.domain.errors import ConfigError
from engine.domain.events import Fill, OrderDenied, OrderEvent, TimerFired
from engine.domain.ids import ClientOrderId, InstrumentId
from engine.domain.instructions import InstructionReport
from engine.domain.market import Bar, DataKind, FeedStatus, OrderBook, Quote, Trade
from engine.domain.money import exact
from engine.domain.timestamps import DAY_NS, duration_ns
from engine.history import Bars
from engine.params import collect_parameters, fill_parameters
from engine.schedule import DailyAt, Every
from engine.series import BarSeries, Condition

Handled = Coroutine[Any, Any, None] | None
"""What a handler gives back: nothing (``def``) or a coroutine (``async def``)."""

# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_BUY, _SELL = Side.BUY, Side.SELL

__all__ = ["CallRequest", "Context", "Handled", "Recovered", "Strategy", "WorkingOrder"]


class Strategy:
    """Write one file, subclass this, override the handlers you need; each may be ``def`` or ``async def``.

    The same file runs in backtest, replay, paper and live. A handler hears what it caused itself only after it
    returned. An ``async def`` handler may await ``sleep``, ``next_bar``, ``call`` and ``query``, and nothing else;
    while it waits, only this strategy's later events wait with it.
    """

    ctx: Context

    def __init_subclass__(cls, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        collect_parameters(cls)

    def __init__(self, **parameters: Any) -> None:
        for name, value in fill_parameters(type(self), parameters).items():
            setattr(self, name, value)

    # --- handlers ----------------------------------------------------------------------------------------------------

    def on_start(self) -> Handled:
        """Once, before any event."""

    def on_bar(self, bar: Bar) -> Handled:
        """A bar ended."""

    def on_quote(self, quote: Quote) -> Handled:
        """Best bid and ask."""

    def on_trade(self, trade: Trade) -> Handled:
        """A print on the market."""

    def on_book(self, book: OrderBook) -> Handled:
        """The market's order book."""

    def on_order(self, event: OrderEvent | OrderDenied) -> Handled:
        """Something happened to one of this strategy's orders; ``event.state`` is where it stands."""

    def on_fill(self, fill: Fill) -> Handled:
        """One of this strategy's orders filled, in part or in full."""

    def on_algo(self, event: AlgoChanged) -> Handled:
        """Something became of a bracket, TWAP or other parent of this strategy; its orders are told as any other."""

    def on_instruction(self, event: InstructionReport) -> Handled:
        """Something became of one of this strategy's instructions; ``event.state`` is where it stands."""

    def on_timer(self, timer: TimerFired) -> Handled:
        """A timer without a function of its own is due."""

    def on_feed(self, status: FeedStatus) -> Handled:
        """A feed connected, went stale or was lost."""

    def on_recovered(self, snapshot: Recovered) -> Handled:
        """After ``on_start`` of a restarted run: what is held and what still works."""

    def on_stop(self) -> Handled:
        """Last; orders made here are denied."""

    # --- over restarts -----------------------------------------------------------------------------------------------

    def dump(self) -> Any:
        """What you want back after a restart, as plain JSON values; None: nothing. Asked often: only look, do nothing.

        Numbers that must be exact are written as text.
        """

    def restore(self, state: Any) -> None:
        """What ``dump`` gave last, in a run before; between ``on_start`` and ``on_recovered``."""

    # --- orders ------------------------------------------------------------------------------------------------------

    @property
    def instruments(self) -> tuple[InstrumentId, ...]:
        """The instruments config gave this strategy."""
        return self.ctx.instruments

    @property
    def now_ns(self) -> int:
        """This moment, nanoseconds UTC: the event's time in replay, the clock's in live."""
        return self.ctx.now_ns

    def buy(self, instrument: str, quantity: int, price: float | Decimal | None = None, **terms: Any) -> ClientOrderId:
        """Buy: at market, or at ``price`` or better.

        Terms: ``tif``, ``offset``, ``until="2h"``; a trigger, one of ``stop``, ``touch``, ``trail``, ``trail_percent``
        (with ``trail_limit``); ``take_profit`` beside a stop or a trail: two ways out, one quantity (docs/orders.md).
        """
        if price is None and not terms:
            return self.ctx.plain(_BUY, instrument, quantity)
        return self.ctx.submit(_BUY, instrument, quantity, price, **terms)

    def sell(self, instrument: str, quantity: int, price: float | Decimal | None = None, **terms: Any) -> ClientOrderId:
        """Sell what is held: at market, or at ``price`` or better."""
        if price is None and not terms:
            return self.ctx.plain(_SELL, instrument, quantity)
        return self.ctx.submit(_SELL, instrument, quantity, price, **terms)

    def sell_short(self, instrument: str, quantity: int, price: float | None = None, **terms: Any) -> ClientOrderId:
        """Sell what is not held, where the venue allows it."""
        return self.ctx.submit(Side.SELL_SHORT, instrument, quantity, price, **terms)

    def buy_back(self, instrument: str, quantity: int, price: float | None = None, **terms: Any) -> ClientOrderId:
        """Cover a short sale."""
        return self.ctx.submit(Side.BUY_BACK, instrument, quantity, price, **terms)

    def buy_all_in(self, instrument: str) -> ClientOrderId | None:
        """Spend all cash in one request, where the venue has such a command; None if not one unit can be paid."""
        mark = self.ctx.mark(instrument)
        worst = int(self.cash() / Decimal(repr(mark))) if mark else 0
        return self.ctx.submit(Side.BUY, instrument, worst, type=OrderType.ALL_IN) if worst > 0 else None

    def sell_all(self, instrument: str) -> ClientOrderId | None:
        """Sell all that may be sold, sized by the venue; None if nothing may."""
        worst = self.ctx.sellable(instrument)
        return self.ctx.submit(Side.SELL, instrument, worst, type=OrderType.SELL_ALL) if worst > 0 else None

    def liquidate(self) -> tuple[ClientOrderId, ...]:
        """Sell everything the account holds in one request, where the venue has such a command."""
        return self.ctx.liquidate()

    def order_target(self, instrument: str, target: int, price: float | None = None) -> ClientOrderId | None:
        """Buy or sell what is missing to hold ``target``, counting what already works; None if nothing is."""
        working = sum(o.side.sign * o.leaves for o in self.ctx.working_orders(instrument))
        missing = target - self.position(instrument) - working
        if missing == 0:
            return None
        return self.ctx.submit(Side.BUY if missing > 0 else Side.SELL, instrument, abs(missing), price)

    def cancel(self, client_id: ClientOrderId) -> None:
        """Ask the venue to withdraw an order; no limit ever refuses this."""
        self.ctx.cancel(client_id)

    def cancel_all(self, instrument: str | None = None) -> None:
        """``cancel`` for every working order of this strategy, of one instrument or of all."""
        for order in self.ctx.working_orders(instrument):
            self.ctx.cancel(order.client_id)

    def replace(self, client_id: ClientOrderId, quantity: int, price: float | Decimal | None = None) -> None:
        """Change the price, or lower the quantity, where the venue can; ``on_order`` tells."""
        self.ctx.replace(client_id, quantity, price)

    # --- what the engine plays; ``on_algo`` tells ---------------------------------------------------------------------

    def bracket(
        self,
        instrument: str,
        quantity: int,
        price: float | Decimal | None = None,
        *,
        take_profit: float | Decimal | None = None,
        stop_loss: float | Decimal | None = None,
        trail: float | Decimal | None = None,
        trail_percent: float | Decimal | None = None,
        side: Side | str = Side.BUY,
        **terms: Any,
    ) -> ClientOrderId:
        """An entry as ``buy`` makes it; for what fills of it an exit at a profit or a loss, whichever is first."""
        if stop_loss is not None and (trail is not None or trail_percent is not None):
            raise ConfigError("a bracket has one stop: give stop_loss, or trail, or trail_percent")
        given = (take_profit, stop_loss, trail, trail_percent)
        if all(one is None for one in given):
            raise ConfigError("a bracket has an exit: give take_profit, stop_loss, trail or trail_percent")
        spec = self.ctx.known(instrument)
        profit, loss = (None if one is None else spec.round_price(one) for one in given[:2])
        away, percent = (None if one is None else exact(one) for one in given[2:])
        entry = self.ctx.an_order(Side(side), instrument, quantity, price, **terms)
        spec_of = Bracket(entry=entry, take_profit=profit, stop_loss=loss, trail=away, trail_percent=percent)
        return self.ctx.play(spec_of, Side(side), instrument, quantity)

    def twap(
        self,
        instrument: str,
        quantity: int,
        over: str,
        *,
        slices: int = 10,
        price: float | Decimal | None = None,
        side: Side | str = Side.BUY,
    ) -> ClientOrderId:
        """Equal parts over a stretch of time, as ``"30m"``; ``price``: the limit of each."""
        algo = Twap(duration_ns=duration_ns(over), slices=_at_least_one(slices), price=self._limit(instrument, price))
        return self.ctx.play(algo, Side(side), instrument, quantity)

    def vwap(
        self,
        instrument: str,
        quantity: int,
        over: str,
        *,
        slices: int = 10,
        bars: int = 1_200,
        price: float | Decimal | None = None,
        side: Side | str = Side.BUY,
    ) -> ClientOrderId:
        """As ``twap``, in the proportion in which the last ``bars`` bars traded at these times of the day."""
        seen, span_ns = self.history(instrument, bars), duration_ns(over)
        weights = volume_curve(
            seen.ts_ns.tolist(), seen.volume.tolist(), self.now_ns, span_ns, _at_least_one(slices), DAY_NS
        )
        algo = Vwap(duration_ns=span_ns, weights=weights, price=self._limit(instrument, price))
        return self.ctx.play(algo, Side(side), instrument, quantity)

    def participate(
        self,
        instrument: str,
        quantity: int,
        share: float,
        over: str,
        *,
        price: float | Decimal | None = None,
        side: Side | str = Side.BUY,
    ) -> ClientOrderId:
        """``share`` of the volume that is seen to trade, for so long."""
        if not 0 < share <= 1:
            raise ConfigError(f"participate: share is above 0 and at most 1, not {share}")
        algo = Participate(share=share, duration_ns=duration_ns(over), price=self._limit(instrument, price))
        return self.ctx.play(algo, Side(side), instrument, quantity)

    def iceberg(
        self, instrument: str, quantity: int, price: float | Decimal, show: int, side: Side | str = Side.BUY
    ) -> ClientOrderId:
        """A limit order of which the market sees ``show`` at a time."""
        algo = Iceberg(price=self.ctx.known(instrument).round_price(price), show=_at_least_one(show))
        return self.ctx.play(algo, Side(side), instrument, quantity)

    def algo(
        self, name: str, instrument: str, quantity: int, *, side: Side | str = Side.BUY, **settings: Any
    ) -> ClientOrderId:
        """An algorithm that another package brought, by its name (docs/plugins.md); settings are plain values."""
        return self.ctx.play(custom(name, settings), Side(side), instrument, quantity)

    def _limit(self, instrument: str, price: float | Decimal | None) -> Decimal | None:
        return None if price is None else self.ctx.known(instrument).round_price(price)

    # --- what a broker does besides orders; what it buys or sells by itself is booked as EXTERNAL ---------------------

    def condition_buy(
        self, instrument: str, target_price: float | Decimal, quantity: int, expire_days: int = 30
    ) -> ClientOrderId:
        """The broker buys when the price reaches ``target_price``; ``expire_days`` are calendar days.

        ``on_instruction`` tells; where the broker has no such thing (a backtest among them) it is denied.
        """
        return self.ctx.condition_buy(instrument, target_price, quantity, expire_days)

    def stop_loss_profit(
        self,
        instrument: str,
        stop_loss_percent: float | Decimal,
        stop_profit_percent: float | Decimal,
        quantity: int,
        expire_days: int = 30,
    ) -> ClientOrderId:
        """The broker sells a holding when it has lost or won so many percent of its cost (3 is 3 %)."""
        return self.ctx.stop_loss_profit(instrument, stop_loss_percent, stop_profit_percent, quantity, expire_days)

    def cancel_conditions(self, instrument: str, side: Side | str) -> ClientOrderId:
        """Delete every standing condition of the instrument on that side, whoever made it; nothing refuses this."""
        return self.ctx.cancel_conditions(instrument, side)

    def reverse_repo(self, instrument: str, amount: int) -> ClientOrderId:
        """Lend ``amount`` yuan, in thousands, for the term the instrument stands for (``204001.SH``: one day)."""
        return self.ctx.reverse_repo(instrument, amount)

    def subscribe_ipo(self) -> ClientOrderId:
        """Subscribe for every new share of the day, all or nothing."""
        return self.ctx.subscribe_ipo()

    # --- what is ------------------------------------------------------------------------------------------------------

    def position(self, instrument: str) -> int:
        """What this strategy's own fills add up to."""
        return self.ctx.position(instrument)

    def sellable(self, instrument: str) -> int:
        """What the account may sell now: settled, and not promised to another order."""
        return self.ctx.sellable(instrument)

    def cash(self, currency: str | None = None) -> Decimal:
        """The account's cash less what working orders may cost."""
        return self.ctx.cash(currency)

    def equity(self) -> Decimal:
        """The account's worth at the latest marks, in its base currency."""
        return self.ctx.equity()

    def working_orders(self, instrument: str | None = None) -> tuple[WorkingOrder, ...]:
        """This strategy's orders that may still fill, undecided ones included."""
        return self.ctx.working_orders(instrument)

    def history(self, instrument: str, n: int, interval: str | int = 0) -> Bars:
        """The last ``n`` ended bars as read-only numpy views, oldest first; fewer if there are not so many yet."""
        return self.ctx.history(instrument, n, interval)

    # --- declaring, in on_start ---------------------------------------------------------------------------------------

    def bars_of(self, instrument: str, interval: str = "") -> BarSeries:
        """The bars of an instrument, to declare indicators of: ``fast = self.bars_of(name).close.sma(10)``.

        ``fast.value`` is its value at the latest bar. Declared strategies run by columns in a backtest.
        """
        return self.ctx.bars(instrument, interval)

    def when(self, condition: Condition, function: Callable[[Bar], Any]) -> None:
        """Call ``function(bar)`` at each bar where a condition holds.

        As ``self.when(fast.crosses_above(slow), self.enter)``. At one bar ``on_bar`` comes first, then what was
        declared, in the order it was.
        """
        self.ctx.declared.when(condition, function)

    # --- asking for more ----------------------------------------------------------------------------------------------

    def subscribe(self, instrument: str, kind: DataKind | str = DataKind.BAR, interval: str | int = 0) -> None:
        """Ask for market data besides what the handlers imply; in ``on_start`` or later."""
        self.ctx.subscribe(instrument, DataKind(kind), interval)

    def every(self, period: str, function: Callable[..., Any] | None = None, *, name: str = "") -> None:
        """Call ``function()`` at whole multiples of ``period`` (UTC), or ``on_timer`` if none is given."""
        self.ctx.add_timer(name or f"every {period}", Every(duration_ns(period)), function)

    def at(self, time: str, function: Callable[..., Any] | None = None, *, tz: str, name: str = "") -> None:
        """Call ``function()`` each day at ``"14:55"`` or ``"14:55:30"`` in zone ``tz``, or ``on_timer``."""
        parts = [int(part) for part in time.split(":")] if time.replace(":", "").isdigit() else []
        if len(parts) not in (2, 3) or parts[0] > 23 or max(parts[1:]) > 59:
            raise ConfigError(f"at({time!r}): write hours and minutes, as in '14:55'")
        hour, minute, second = (*parts, 0)[:3]
        self.ctx.add_timer(name or f"at {time}", DailyAt(hour, minute, second, tz), function)

    def sleep(self, duration: str) -> Ask:
        """``await self.sleep("30s")`` in an ``async def`` handler."""
        return Ask(SleepRequest(duration_ns(duration)))

    def next_bar(self, instrument: str) -> Ask:
        """``bar = await self.next_bar(instrument)``: that bar comes here instead of to ``on_bar``."""
        return Ask(NextBarRequest(InstrumentId(instrument)))

    def call(self, function: Callable[..., Any], *args: Any) -> Ask:
        """``answer = await self.call(f, ...)``: the door to the outside (HTTP, files, slow work).

        ``f`` may be ``def`` (runs in a thread) or ``async def``; the answer is recorded, so that replay repeats it.
        What ``f`` raises is raised here as ``RuntimeError``.
        """
        return Ask(CallRequest(function, args))

    def query(self, gateway: str, route: str, **args: str) -> Ask:
        """``answer = await self.query("virtual_market", "ranking", limit="3")``: any reading route of a gateway."""
        return self.ctx.query(gateway, route, args)

    def log(self, text: str, **fields: Any) -> None:
        """One structured line, with this strategy's name and the event's time."""
        self.ctx.note(text, fields)


def _at_least_one(count: int) -> int:
    if count < 1:
        raise ConfigError(f"slices and show are 1 or more, not {count}")
    return count
