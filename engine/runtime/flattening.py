"""Closing the positions of a scope at level FLATTEN, through the gate, a slice a minute (RELIABILITY 4.4).

Every slice is a limit order within the collar of the last price, of at most a tenth of the last minute's volume. Where
no volume or no price is known nothing is sent, and a person is told; shares bought today are named, not sold.
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from engine.clock import Clock
from engine.domain.commands import CancelOrder, OrderType, Side, SubmitOrder
from engine.domain.events import Alert
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.money import exact
from engine.domain.order import Order
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.execution import OrderManager
from engine.history import History
from engine.portfolio import Portfolio
from engine.ports import Publish
from engine.risk.kill import FLATTENER
from engine.risk.view import RiskView
from engine.runtime.safety_settings import KillTable

WORKS_NS = 45 * SECOND_NS
"""How long one slice may work before it is withdrawn and priced anew."""
BARS_LOOKED_AT = 120


class Flattener:
    """Told by a campaign whose orders are all withdrawn to go one step further, again and again."""

    def __init__(
        self,
        *,
        portfolio: Portfolio,
        view: RiskView,
        manager: OrderManager,
        history: History,
        clock: Clock,
        publish: Publish,
        settings: KillTable,
        accounts: Mapping[StrategyId, AccountId],
        tag: str,
    ) -> None:
        """``accounts``: of each strategy. ``tag``: goes into client ids, as in the run's own."""
        self._portfolio = portfolio
        self._view = view
        self._manager = manager
        self._history = history
        self._clock = clock
        self._publish = publish
        self._settings = settings
        self._accounts = accounts
        self._prefix = f"flatten-{tag}-" if tag else "flatten-"
        self._made = 0
        self._sliced_ns: dict[tuple[AccountId, InstrumentId], int] = {}
        self._told: set[str] = set()

    def step(self, scope: str, account: AccountId) -> None:
        """One look at each position of the scope; sends what may leave now. Does nothing where config forbids it."""
        if not self._settings.flatten:
            return
        if self._made == 0:
            self._made = self._manager.orders_made.get(FLATTENER, 0)
        left = list(self._positions(scope, account))
        for instrument, quantity in left:
            self._close(account, instrument, quantity)
        if not left:
            self._tell(scope, account, "flat: no position of the scope is left")

    def _positions(self, scope: str, account: AccountId) -> Iterator[tuple[InstrumentId, int]]:
        """(instrument, signed quantity) under the scope, of that account."""
        kind, _, name = scope.partition(":")
        if kind == "strategy":
            if self._accounts.get(StrategyId(name)) == account:
                closed = {i: p.quantity for (s, i), p in self._portfolio.strategy_positions.items() if s == FLATTENER}
                for (strategy, instrument), position in self._portfolio.strategy_positions.items():
                    # What was closed for it is in the flattener's book, with the other sign.
                    left = position.quantity + closed.get(instrument, 0)
                    if strategy == name and position.quantity and left * position.quantity > 0:
                        yield instrument, left
            return
        for instrument, position in self._portfolio.accounts[account].positions.items():
            if position.quantity and (kind != "symbol" or instrument == name):
                yield instrument, position.quantity

    def _close(self, account: AccountId, instrument: InstrumentId, quantity: int) -> None:
        now_ns = self._clock.now_ns
        working = self._working(account, instrument)
        for order in working:
            if now_ns - order.sent_ns > WORKS_NS and order.sent_ns and not order.cancel_pending:
                self._manager.on_cancel(
                    CancelOrder(client_id=order.request.client_id, ts_ns=now_ns, who="kill flatten")
                )
        spec = self._view.instruments[instrument]
        key = (account, instrument)
        if working or now_ns - self._sliced_ns.get(key, 0) < MINUTE_NS:
            return
        if not self._view.books[spec.market].is_open(now_ns):
            return
        most = self._most(account, instrument, quantity)
        price = self._price(spec, quantity)
        if not most or price is None:
            return
        self._sliced_ns[key] = now_ns
        self._made += 1
        self._publish(
            SubmitOrder(
                client_id=ClientOrderId(f"{self._prefix}{self._made}"),
                account=account,
                strategy=FLATTENER,
                instrument=instrument,
                side=Side.SELL if quantity > 0 else Side.BUY_BACK,
                quantity=most,
                type=OrderType.LIMIT,
                price=price,
                ts_ns=now_ns,
            )
        )

    def _most(self, account: AccountId, instrument: InstrumentId, quantity: int) -> int:
        """How much of it may be closed now; a person is told why if nothing."""
        now_ns, spec = self._clock.now_ns, self._view.instruments[instrument]
        left = abs(quantity)
        free = min(left, self._portfolio.sellable(account, instrument, now_ns)) if quantity > 0 else left
        if free < left:
            self._tell(instrument, account, f"cannot sell today: {left - free} of {left} {instrument}")
        volume = self._minute_volume(instrument)
        if volume is None:
            self._tell(instrument, account, f"nothing of {instrument} is closed: the last minute's volume is not known")
            return 0
        most = min(free, int(volume * self._settings.share))
        # An odd lot may be sold whole, as the last of a position.
        return most if most == left else most - most % spec.lot

    def _minute_volume(self, instrument: InstrumentId) -> float | None:
        """Units traded in the last minute, by the newest bars; None if none is newer than two of its own intervals."""
        bars = self._history.last(instrument, BARS_LOOKED_AT)
        if len(bars) < 2:
            return None
        now_ns = self._clock.now_ns
        step_ns = int(bars.ts_ns[-1] - bars.ts_ns[-2])
        if step_ns <= 0 or now_ns - int(bars.ts_ns[-1]) > max(2 * step_ns, MINUTE_NS):
            return None
        if step_ns >= MINUTE_NS:
            return float(bars.volume[-1]) * MINUTE_NS / step_ns
        recent = bars.ts_ns > now_ns - MINUTE_NS
        return float(bars.volume[recent].sum())

    def _price(self, spec: Instrument, quantity: int) -> Decimal | None:
        """The far end of the collar, on the tick grid and inside it."""
        mark = self._view.reference(spec.id)
        if mark is None:
            return None
        collar = exact(self._settings.collar)
        away = collar if quantity < 0 else -collar
        rounding = ROUND_FLOOR if quantity < 0 else ROUND_CEILING
        ticks = (mark * (1 + away) / spec.tick).quantize(Decimal(1), rounding=rounding)
        return (ticks * spec.tick).quantize(spec.tick)

    def _working(self, account: AccountId, instrument: InstrumentId) -> list[Order]:
        return [
            order
            for order in self._manager.working_of(FLATTENER)
            if (order.request.account, order.request.instrument) == (account, instrument)
        ]

    def _tell(self, about: str, account: AccountId, text: str) -> None:
        """Once each."""
        if text not in self._told:
            self._told.add(text)
            alert = Alert(ts_ns=self._clock.now_ns, about=f"kill:{about}", text=f"{account}: {text}")
            self._publish(alert)
