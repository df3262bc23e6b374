"""The order side: one trade at a time, sent once, its answer turned into evidence (contract 7, RELIABILITY 3.4)."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import anyio

from engine.clock import Clock
from engine.domain.account import AccountSnapshot, CancelScope, Capabilities
from engine.domain.commands import SIZED_BY_VENUE, OrderType, Side, SubmitOrder
from engine.domain.errors import BadMessage, GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.ids import AccountId, code_of
from engine.domain.money import exact_from_wire
from engine.domain.order import Evidence, Order, OrderReport, Proof
from engine.domain.timestamps import SECOND_NS
from engine.gateways.virtual_market import messages as m
from engine.gateways.virtual_market import texts
from engine.gateways.virtual_market.client import VirtualMarketClient, failure_from_wire, failure_words, is_throttle
from engine.gateways.virtual_market.feed import VirtualMarketFeed
from engine.gateways.virtual_market.lots import Lots
from engine.net.rate_limit import Priority
from engine.net.rest import Answer, decode, encode

NO_CANCEL = "the virtual market fills at once and has no cancel"
NO_REPLACE = "the virtual market fills at once and has no replace"
BUDGET_WAIT_NS = 10 * SECOND_NS
"""An order that finds no place in the call budget for so long is given back unsent."""
LATE_MAX_NS = 75 * SECOND_NS
"""A minute for a server that goes on without us (RELIABILITY 5.1, N6), after our waits for a place and a connection.

An order that was called absent earlier, and then was not, has passed a limit by then."""
CREDIBLE_MOVE = Decimal("0.35")
"""A price worked out from coins that is further than this from the last polled one is somebody else's trade."""
ZEROS_MAX = 5
"""Zero coins after some, with no trade of ours in between, are believed after so many readings."""
SIDES = {
    OrderType.MARKET: (Side.BUY, Side.SELL),
    OrderType.ALL_IN: (Side.BUY,),
    OrderType.SELL_ALL: (Side.SELL,),
    OrderType.LIQUIDATE: (Side.SELL,),
}

Note = Callable[[str, Mapping[str, Any]], None]


class VirtualMarketRouter:
    """``OrderRouter`` of one account."""

    def __init__(
        self,
        gateway: str,
        account: AccountId,
        client: VirtualMarketClient,
        feed: VirtualMarketFeed,
        clock: Clock,
        *,
        lots: Lots | None = None,
        note: Note = lambda _event, _fields: None,
    ) -> None:
        self.account = account
        self.on_traded: Callable[[], None] = lambda: None
        """Called after every send, whatever came of it: the portfolio is worth a look."""
        self._gateway = gateway
        self._client = client
        self._feed = feed
        self._clock = clock
        self._lots = lots or Lots()
        self._note = note
        # Two requests of one account at once were both filled from the same coins (contract 7, concurrency).
        self._one_at_a_time = anyio.Lock()
        self._held: dict[str, int] = {}
        self._coins: Decimal | None = None
        self._zeros = 0
        self._sends = 0

    def capabilities(self) -> Capabilities:
        return Capabilities(
            gateway=self._gateway,
            order_types=frozenset(SIDES),
            cancel_scope=CancelScope.NONE,
            max_lag_ns=3 * SECOND_NS,
            late_max_ns=LATE_MAX_NS,
            in_flight_max=1,
            in_flight_scope="account",
            orders_per_minute=10,
        )

    def encode(self, orders: Sequence[SubmitOrder]) -> bytes:
        """The body; empty for a liquidation, which names nothing.

        Raises:
            NotSent: the venue has no such order, or would read the code as a place in its list.
        """
        first = orders[0]
        if any(order.side not in SIDES.get(order.type, ()) for order in orders):
            raise NotSent(f"{self._gateway}: no {first.type} orders to {first.side} here")
        if len(orders) > 1 and (first.type is not OrderType.LIQUIDATE or len({o.group for o in orders}) > 1):
            raise NotSent(f"{self._gateway}: only the orders of one liquidation leave together")
        if not all(m.is_tradable_code(order.instrument) for order in orders):
            raise NotSent(f"{self._gateway}: {first.instrument}: a code of digits would be read as a place in a list")
        if first.type is OrderType.LIQUIDATE:
            return b""
        code = code_of(first.instrument)
        if first.type is OrderType.MARKET:
            return encode({"stock_id": code, "quantity": first.quantity})
        return encode({"stock_identifier": code})

    async def submit(self, orders: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        """See ``OrderRouter.submit``: ACK and FILL, and CANCELED for what the venue sized below the bound.

        Raises:
            NotSent, Refused, OutcomeUnknown
        """
        async with self._one_at_a_time:
            # From here on a caller that is cancelled still gets its answer booked: the wait before the send may be
            # cancelled, the send and what follows may not.
            self._sends += 1
            try:
                answer = await self._client.trade(_action(orders[0]), body, wait_max_ns=BUDGET_WAIT_NS)
                with anyio.CancelScope(shield=True):
                    reports = await self._evidence(orders, answer)
                return tuple(reports)
            finally:
                self._sends += 1
                self.on_traded()

    async def cancel(self, order: Order) -> Sequence[OrderReport]:
        return (self._report(order.request, Evidence.CANCEL_REJECT, reason=NO_CANCEL, proof=Proof.LOCAL),)

    async def replace(self, order: Order, quantity: int, price: Any) -> Sequence[OrderReport]:
        return (self._report(order.request, Evidence.REPLACE_REJECT, reason=NO_REPLACE, proof=Proof.LOCAL),)

    async def snapshot(self) -> AccountSnapshot:
        """See ``OrderRouter.snapshot``: balances (None when the venue's economy service is down) and positions."""
        return await self._observe(Priority.READ)

    # --- answers ---

    async def _evidence(self, orders: Sequence[SubmitOrder], answer: Answer) -> Sequence[OrderReport]:
        text = self._success_text(orders[0], answer)
        if orders[0].type is OrderType.LIQUIDATE:
            return await self._liquidated(orders, text)
        order = orders[0]
        read = texts.buy_from_text if order.side is Side.BUY else texts.sell_from_text
        done = read(text)
        if done is None or (order.type is OrderType.MARKET and done.quantity != order.quantity):
            self._note("router.text_unread", {"gateway": self._gateway, "order": order.client_id, "text": text[:500]})
            done = await self._from_portfolio(order)
        self._book(order, done)
        return self._reports(order, done)

    def _success_text(self, order: SubmitOrder, answer: Answer) -> str:
        """The words of a success.

        Raises:
            Refused: provably not done (contract 7; RELIABILITY 3.5, last paragraph). OutcomeUnknown: all else.
        """
        if answer.status == 429 and is_throttle(answer):
            wait = self._client.throttled(answer)
            raise Refused(f"throttled: {failure_words(answer)}", status=429, body=answer.body, retry_after_ns=wait)
        if answer.status in (401, 404):
            kind = "login" if answer.status == 401 else "not found"
            raise Refused(f"{kind}: {failure_words(answer)}", status=answer.status, body=answer.body)
        if answer.status not in (200, 400):
            unknown = failure_from_wire(answer)
            raise OutcomeUnknown(unknown.message, status=answer.status, body=answer.body)
        try:
            said = decode(answer, m.TradeAnswer)
        except BadMessage as error:
            if answer.status == 400 and failure_words(answer).startswith("无效的请求体"):
                words = f"bad request: {failure_words(answer)}"
                raise Refused(words, status=answer.status, body=answer.body) from error
            raise OutcomeUnknown(error.message, status=answer.status, body=answer.body) from error
        if not said.success:
            raise self._refused(order, said.message, answer)
        if answer.status != 200:
            raise OutcomeUnknown(f"{answer.request}: success under HTTP {answer.status}", body=answer.body)
        return said.message

    def _refused(self, order: SubmitOrder, text: str, answer: Answer) -> Refused:
        refusal = texts.refusal_from_text(text)
        sellable = refusal.sellable
        if sellable is None and refusal.kind is texts.RefusalKind.NOTHING_TO_SELL and order.type is OrderType.SELL_ALL:
            sellable = 0
        if sellable is not None:
            self._lots.refused(order.instrument, sellable, self._clock.now_ns, refusal.unlock_ns)
        return Refused(refusal.reason, status=answer.status, body=answer.body, retry_after_ns=refusal.unlock_ns)

    async def _liquidated(self, orders: Sequence[SubmitOrder], text: str) -> Sequence[OrderReport]:
        sold: dict[str, texts.Execution] = {}
        is_read = True
        for name, done in texts.liquidation_from_text(text).items():
            code = self._feed.code_of_name(name)
            if code is not None:
                sold[m.instrument_id(code)] = done
            else:
                self._note("router.name_unknown", {"gateway": self._gateway, "name": name})
                is_read = False
        if not sold or not is_read:
            # Of a stock that was not recognised nobody may say that it was not sold.
            sold = await self._sold_by_portfolio(orders)
        reports: list[OrderReport] = []
        for order in orders:
            one = sold.pop(order.instrument, None)
            if one is None:
                # Stocks that fail are left out of the list without a word (contract 7).
                reports.append(self._report(order, Evidence.ACK))
                reports.append(self._report(order, Evidence.CANCELED, reason="not among what was sold"))
                continue
            self._book(order, one)
            reports.extend(self._reports(order, one))
        for instrument in sold:
            self._note("router.sold_unasked", {"gateway": self._gateway, "instrument": instrument})
        return reports

    def _reports(self, order: SubmitOrder, done: texts.Execution) -> list[OrderReport]:
        reports = [self._report(order, Evidence.ACK)]
        if done.quantity:
            fill = {"quantity": done.quantity, "price": done.price, "fee": done.fee, "fill_id": str(order.client_id)}
            reports.append(self._report(order, Evidence.FILL, **fill))
        if order.type in SIZED_BY_VENUE and done.quantity < order.quantity:
            reason = "sized by the venue: the rest was never meant"
            reports.append(self._report(order, Evidence.CANCELED, cum=done.quantity, reason=reason))
        return reports

    def _report(self, order: SubmitOrder, kind: Evidence, **more: Any) -> OrderReport:
        now = self._clock.now_ns
        return OrderReport(account=self.account, client_id=order.client_id, kind=kind, ts_ns=now, as_of_ns=now, **more)

    # --- what the account holds, for where words fail ---

    def _book(self, order: SubmitOrder, done: texts.Execution) -> None:
        now, instrument = self._clock.now_ns, order.instrument
        self._held[instrument] = self._held.get(instrument, 0) + order.side.sign * done.quantity
        # Coins move by whole ones (contract 7); the next portfolio says by how many. Until then they are not known.
        self._coins = None
        if order.side is Side.BUY:
            self._lots.bought(instrument, done.quantity, now, done.lock_ns)
        else:
            self._lots.sold(instrument, done.quantity, now)

    async def _observe(self, priority: Priority) -> AccountSnapshot:
        began, sends = self._clock.now_ns, self._sends
        assets = await self._client.portfolio(priority)
        now = self._clock.now_ns
        if assets.holdings_count > len(assets.holdings_detailed):
            self._note("router.holdings_hidden", {"gateway": self._gateway, "count": assets.holdings_count})
        held = {str(m.instrument_id(row.stock_id)): row.quantity for row in assets.holdings_detailed}
        coins = self._believed(exact_from_wire(assets.coins, "coins"))
        if sends == self._sends:
            # A reading that a trade overlapped may show the account before or after it: of no use for differences.
            self._held, self._coins = held, self._coins if coins is None else coins
            self._lots.observed(held, now)
        return m.snapshot_from_wire(
            assets,
            self.account,
            began,
            now,
            sellable=lambda instrument: self._lots.sellable(instrument, now),
            with_coins=coins is not None,
        )

    def _believed(self, coins: Decimal) -> Decimal | None:
        """None for zero coins out of nowhere: the server says 0 when its economy service is down (contract 6)."""
        if coins == 0 and self._coins and self._zeros < ZEROS_MAX:
            self._zeros += 1
            self._note("router.coins_doubted", {"gateway": self._gateway, "times": self._zeros})
            return None
        if coins:
            self._zeros = 0
        return coins

    async def _difference(self, instruments: Sequence[str]) -> tuple[dict[str, int], Decimal | None]:
        """Change of holdings and coins since the last portfolio.

        Raises:
            GatewayError: it could not be read.
        """
        held, coins = dict(self._held), self._coins
        await self._observe(Priority.ORDER)
        change: dict[str, int] = {i: self._held.get(i, 0) - held.get(i, 0) for i in instruments}
        return change, None if coins is None or self._coins is None else self._coins - coins

    async def _from_portfolio(self, order: SubmitOrder) -> texts.Execution:
        """A success whose words could not be read: holdings and coins before and after, then the polled price.

        Raises:
            OutcomeUnknown: how much was done can not be said.
        """
        coins: Decimal | None = None
        quantity = order.quantity
        held = self._held.get(order.instrument, 0)
        try:
            change, coins = await self._difference((order.instrument,))
        except GatewayError as error:
            if order.type is not OrderType.MARKET:
                raise OutcomeUnknown(f"done, but how much can not be read: {error.message}") from error
        else:
            if order.type is not OrderType.MARKET:
                quantity = order.side.sign * change[order.instrument]
                if not 0 < quantity <= order.quantity:
                    raise OutcomeUnknown("done, but the portfolio shows no matching change")
            # ``_book`` adds the fill to what was held before it.
            self._held[order.instrument] = held
        return self._execution(order, quantity, coins)

    async def _sold_by_portfolio(self, orders: Sequence[SubmitOrder]) -> dict[str, texts.Execution]:
        held = dict(self._held)
        try:
            change, _ = await self._difference([order.instrument for order in orders])
        except GatewayError as error:
            raise OutcomeUnknown(f"done, but what was sold can not be read: {error.message}") from error
        sold: dict[str, texts.Execution] = {
            o.instrument: self._execution(o, -change[o.instrument], None) for o in orders if change[o.instrument] < 0
        }
        if not sold:
            raise OutcomeUnknown("done, but the portfolio shows nothing sold")
        self._held = held
        return sold

    def _execution(self, order: SubmitOrder, quantity: int, coins: Decimal | None) -> texts.Execution:
        """Price from the change of coins where that is credible, else the last polled price.

        Raises:
            OutcomeUnknown: neither is known.
        """
        polled = self._feed.price_of(order.instrument)
        price = polled
        if coins is not None and coins * order.side.sign < 0:
            turnover = -coins if order.side is Side.BUY else texts.gross_of(coins)
            derived = turnover / quantity
            if polled is None or abs(derived / polled - 1) <= CREDIBLE_MOVE:
                price = derived
        if price is None:
            raise OutcomeUnknown("done, but at what price can not be read")
        fee = Decimal(0) if order.side is Side.BUY else texts.fee_of(price * quantity)
        return texts.Execution(quantity=quantity, price=price, fee=fee)


def _action(order: SubmitOrder) -> str:
    match order.type:
        case OrderType.ALL_IN:
            return "buy_all_in"
        case OrderType.SELL_ALL:
            return "sell_all_stock"
        case OrderType.LIQUIDATE:
            return "sell_all_portfolio"
        case _:
            return "buy" if order.side is Side.BUY else "sell"
