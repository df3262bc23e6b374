"""What became of each order, merged from answers, pushes and queries into evidence (contracts/futu.md 6.4, 6.5).

The core judges; here only stale and repeated reports are dropped, ids are joined, and fills are worked out where the
venue reports none. An accepted order is not a live order: acceptance is told when a status shows it, or after the
venue's longest lag; so a refusal by the exchange can still be told as one.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.clock import Clock
from engine.domain.commands import SubmitOrder
from engine.domain.errors import BadMessage
from engine.domain.events import Alert
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import AccountId, ClientOrderId, VenueOrderId
from engine.domain.money import ZERO, exact_from_wire
from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.gateways.futu import codes
from engine.gateways.futu import trade_messages as t
from engine.gateways.futu.codes import Status
from engine.gateways.futu.life import Life
from engine.gateways.futu.wire import instant_from_wire, whole_from_wire

LAG_NS = 5 * SECOND_NS
"""The longest an accepted order may take to show a status (RELIABILITY 3.4, B4)."""
GRACE_NS = 5 * SECOND_NS
"""How long the order list may run ahead of the fills before the rest is inferred (contract 6.5)."""
CANCEL_LAG_NS = 15 * SECOND_NS
PARKED_NS = 60 * SECOND_NS
PARKED_MAX = 1000
KEPT_NS = DAY_NS
FILL_BUSTED, FILL_CHANGED = 1, 2
_PRICE_STEP = Decimal("0.000001")

Tell = Callable[[Any], None]


class Lives:
    """All orders of one account that were heard of.

    Args:
        derives_fills: the account never gets fill pushes (simulate, contract 1.7): fills come from rising totals.
        tell: gets every report and alert, in order.
        look: asks for a reading of the account soon.
    """

    def __init__(
        self, account: AccountId, clock: Clock, *, derives_fills: bool, tell: Tell, look: Callable[[], None]
    ) -> None:
        self._account = account
        self._clock = clock
        self._derives = derives_fills
        self._tell = tell
        self._look = look
        self._by_client: dict[str, Life] = {}
        self._by_id: dict[str, Life] = {}
        self._parked_fills: dict[str, tuple[int, t.OrderFill]] = {}
        self._parked_orders: dict[str, tuple[int, t.Order]] = {}
        self.stale = 0
        """Reports that said nothing new."""

    # --- from the router ---------------------------------------------------------------------------------------------

    def sending(self, order: SubmitOrder) -> None:
        """It is about to leave: pushes may come before the answer."""
        life = self._by_client.setdefault(order.client_id, Life(client_id=order.client_id))
        life.born_here = True
        life.conditional = codes.ORDER_TYPES[order.type] in codes.CONDITIONAL
        life.timezone = codes.place_of(order.instrument).timezone

    def failed(self, client_id: str) -> None:
        """It was provably not placed."""
        life = self._by_client.get(client_id)
        if life is not None and not life.venue_id:
            del self._by_client[client_id]

    def accepted(self, order: SubmitOrder, order_id: str, order_id_ex: str) -> None:
        """The answer gave ids. What came before under these ids is now known to be this order's."""
        life = self._by_client[order.client_id]
        life.answered_ns = self._clock.now_ns
        self._name(life, order_id, order_id_ex)

    def cancelling(self, client_id: str) -> None:
        """A cancel was taken by the gateway; whether it works the order's status will show."""
        life = self._by_client.get(client_id)
        if life is not None:
            life.cancel_ns = self._clock.now_ns

    def venue_id_of(self, order_id: str, order_id_ex: str) -> VenueOrderId:
        """The id the core knows an order by."""
        life = self._by_id.get(order_id_ex) or self._by_id.get(order_id)
        return VenueOrderId(life.venue_id if life is not None else order_id_ex or order_id)

    def evidence_of(self, row: t.Order) -> Evidence:
        """What a row of the order list proves; never a refusal of what was told to be accepted, nor the reverse."""
        life = self._by_id.get(row.order_id_ex) or self._by_id.get(row.order_id)
        fresh = life is not None and life.born_here and not life.alive and not life.cum
        if row.order_status in codes.REFUSED:
            return Evidence.REJECT if fresh else Evidence.CANCELED
        if row.order_status in codes.PENDING and fresh:
            return Evidence.AMBIGUOUS
        return codes.EVIDENCE.get(row.order_status, Evidence.AMBIGUOUS)

    def order_id_of(self, client_id: str) -> str:
        """The number to cancel by; empty where only the lasting text id is known."""
        life = self._by_client.get(client_id)
        if life is None:
            return ""
        return next((name for name, found in self._by_id.items() if found is life and name.isdigit()), "")

    # --- orders ------------------------------------------------------------------------------------------------------

    def on_order(self, row: t.Order, *, read_ns: int = 0) -> None:
        """One status of an order, pushed or (``read_ns``: when the reading began) read.

        Raises:
            BadMessage: quantities that are none.
        """
        order_id = "" if row.order_id == "0" else str(row.order_id)
        life = self._by_id.get(row.order_id_ex) or self._by_id.get(order_id)
        if life is None:
            if not row.remark:
                self._park(self._parked_orders, row.order_id_ex or order_id, row)
                return
            life = self._by_client.setdefault(row.remark, Life(client_id=ClientOrderId(row.remark)))
            place = codes.BY_SEC_MARKET.get(row.sec_market or 0) or codes.BY_TRADE_MARKET.get(row.trd_market or 0)
            life.timezone = place.timezone if place is not None else life.timezone
            life.conditional = row.order_type in codes.CONDITIONAL
        self._name(life, order_id, row.order_id_ex)
        self._merge(life, row, read_ns)

    def _name(self, life: Life, order_id: str, order_id_ex: str) -> None:
        names = [name for name in (order_id_ex, order_id) if name and name != "0"]
        life.venue_id = life.venue_id or (names[0] if names else "")
        fresh = [name for name in names if name not in self._by_id]
        for name in fresh:
            self._by_id[name] = life
        for name in fresh:
            parked = self._parked_orders.pop(name, None)
            if parked is not None:
                self._merge(life, parked[1], 0)
        for name, (_, fill) in list(self._parked_fills.items()):
            if self._by_id.get(fill.order_id_ex or "") is life or self._by_id.get(fill.order_id or "") is life:
                del self._parked_fills[name]
                self._take_fill(life, fill)

    def _merge(self, life: Life, row: t.Order, read_ns: int) -> None:
        cum = whole_from_wire(row.fill_qty or 0.0, "fill_qty")
        said_ns = instant_from_wire(row.update_timestamp, row.update_time, life.timezone)
        as_of = said_ns or read_ns or self._clock.now_ns
        if not self._is_news(life, row, as_of, cum):
            self.stale += 1
            if read_ns:
                self._check_cancel(life, row, read_ns)
            return
        life.answered_ns = life.answered_ns or self._clock.now_ns
        life.as_of_ns = max(life.as_of_ns, as_of)
        life.status = row.order_status
        average = exact_from_wire(row.fill_avg_price or 0.0, "fill_avg_price")
        if row.order_status == Status.FILL_CANCELLED:
            self._taken_back(life, as_of, cum, average)
            return
        if cum > life.cum:
            self._risen(life, cum, average, as_of)
        self._tell_status(life, row, as_of)
        if read_ns:
            self._check_cancel(life, row, read_ns)

    @staticmethod
    def _is_news(life: Life, row: t.Order, as_of: int, cum: int) -> bool:
        """The merge rule of contract 6.4."""
        status = row.order_status
        if as_of < life.as_of_ns:
            return False
        if life.final:
            return cum > life.cum or (status == Status.FILL_CANCELLED and life.status != status)
        if as_of > life.as_of_ns or status in codes.FINAL:
            return True
        further = codes.PROGRESS.get(status, -1) > codes.PROGRESS.get(life.status, -1)
        return cum > life.cum or (cum == life.cum and further)

    def _risen(self, life: Life, cum: int, average: Decimal, as_of: int) -> None:
        value = average * cum
        if self._derives and life.born_here:
            more = cum - life.cum
            price = ((value - life.value) / more).quantize(_PRICE_STEP).normalize()
            fill_id = f"{life.venue_id}@{cum}"
            life.fills[fill_id] = (more, price)
            self._report(life, Evidence.FILL, as_of, quantity=more, price=price, fill_id=fill_id)
            life.alive = True
        life.cum, life.value = cum, value
        if self._derives and not life.born_here:
            self._tell_total(life, as_of)
        elif life.known < cum and not life.ahead_since_ns:
            life.ahead_since_ns = self._clock.now_ns

    def _tell_total(self, life: Life, as_of: int) -> None:
        """Filled so far, as a total: it counts nothing twice, whoever else has told parts of it."""
        life.told_cum, life.ahead_since_ns, life.alive = life.cum, 0, True
        price = (life.value / life.cum).normalize() if life.cum else None
        self._report(life, Evidence.WORKING, as_of, cum=life.cum, price=price)

    def _tell_status(self, life: Life, row: t.Order, as_of: int) -> None:
        status = row.order_status
        reason = (row.last_err_msg or "").strip()
        if status in codes.REFUSED:
            # After acceptance a refusal would contradict it; nothing filled and not working is the end all the same.
            refused = life.born_here and not life.alive and not life.cum
            kind = Evidence.REJECT if refused else Evidence.CANCELED
            words = f"refused by the venue: {reason or 'no reason given'}"
            self._end(life, self._made(life, kind, as_of, reason=words))
        elif status in codes.WITHDRAWN:
            words = reason or ("part filled, rest withdrawn" if life.cum else "withdrawn at the venue")
            self._end(life, self._made(life, Evidence.CANCELED, as_of, reason=words))
        elif status == Status.FILLED:
            self._end(life, None)
        elif status in codes.PENDING:
            if life.conditional and status == Status.WAITING:
                self._accept(life, as_of)
        elif status in codes.EVIDENCE:
            self._accept(life, as_of)
        elif not life.alive:
            words = reason or f"the venue says status {status}: outcome not known"
            self._report(life, Evidence.AMBIGUOUS, as_of, reason=words)

    def _accept(self, life: Life, as_of: int) -> None:
        if not life.alive:
            life.alive = True
            self._report(life, Evidence.ACK, as_of)

    def _end(self, life: Life, report: OrderReport | None) -> None:
        life.final, life.cancel_ns = True, 0
        if report is None:
            return
        if life.known < life.cum and life.told_cum < life.cum:
            life.ending = report
        else:
            self._tell(report)

    def _taken_back(self, life: Life, as_of: int, cum: int, average: Decimal) -> None:
        """Status 24: a fill was cancelled. Which one, only the fills can say; totals are all a simulate account has."""
        life.final = True
        text = f"order {life.client_id}: the venue took a fill back (status 24), {cum} stay filled"
        self._tell(Alert(ts_ns=self._clock.now_ns, about=f"order:{life.client_id}", text=text))
        self._look()
        if not self._derives:
            return
        for fill_id in list(life.fills) or [f"{life.venue_id}@taken-back"]:
            self._report(life, Evidence.BUST, as_of, fill_id=fill_id, reason="taken back by the venue")
        life.fills.clear()
        life.born_here = False
        life.cum, life.value, life.told_cum = cum, average * cum, cum
        price = average if cum else None
        self._report(life, Evidence.CANCELED, as_of + 1, cum=cum, price=price, reason="a fill was taken back")

    def _check_cancel(self, life: Life, row: t.Order, read_ns: int) -> None:
        """A cancel that was taken, and has left no trace in a later reading, did not work."""
        working = row.order_status in (Status.SUBMITTED, Status.PART)
        if working and life.cancel_ns and read_ns > life.cancel_ns + CANCEL_LAG_NS:
            life.cancel_ns = 0
            self._report(life, Evidence.CANCEL_REJECT, read_ns, reason="the venue still shows it working")

    # --- fills -------------------------------------------------------------------------------------------------------

    def on_fill(self, fill: t.OrderFill) -> None:
        """One execution, pushed or read; again and again is the same as once.

        Raises:
            BadMessage: a quantity that is none.
        """
        if self._derives:
            # Counted by totals already; a second way of counting would count twice.
            self.stale += 1
            return
        life = self._by_id.get(fill.order_id_ex or "") or self._by_id.get(fill.order_id or "")
        if life is None:
            self._park(self._parked_fills, f"{_fill_id(fill)}/{fill.status}", fill)
            return
        self._take_fill(life, fill)

    def _take_fill(self, life: Life, fill: t.OrderFill) -> None:
        fill_id = _fill_id(fill)
        quantity = whole_from_wire(fill.qty, "fill qty")
        price = exact_from_wire(fill.price, "fill price")
        if quantity <= 0 or price <= 0:
            raise BadMessage(f"fill {fill_id}: {quantity} at {price}")
        stamp = fill.update_timestamp if fill.status else None
        as_of = instant_from_wire(stamp or fill.create_timestamp, fill.create_time, life.timezone) or self._clock.now_ns
        if fill.status == FILL_BUSTED:
            if fill_id not in life.busted:
                life.busted.add(fill_id)
                life.fills.pop(fill_id, None)
                as_of = as_of if stamp else self._clock.now_ns
                life.cum = min(life.cum, max(life.known, life.cum - quantity))
                life.value = max(ZERO, life.value - price * quantity)
                self._report(life, Evidence.BUST, as_of, fill_id=fill_id, reason="taken back by the venue")
                self._look()
            return
        before = life.fills.get(fill_id)
        if fill_id in life.busted or before == (quantity, price):
            self.stale += 1
            return
        if before is not None and fill.status != FILL_CHANGED:
            self.stale += 1
            return
        life.fills[fill_id] = (quantity, price)
        life.alive = True
        if before is None:
            self._report(life, Evidence.FILL, as_of, quantity=quantity, price=price, fill_id=fill_id)
        if fill.status == FILL_CHANGED:
            as_of = as_of if stamp else self._clock.now_ns
            self._report(life, Evidence.CORRECT, as_of, quantity=quantity, price=price, fill_id=fill_id)
        if life.known >= life.cum:
            life.ahead_since_ns = 0
            self._let_end(life)

    def _let_end(self, life: Life) -> None:
        if life.ending is not None:
            report, life.ending = life.ending, None
            self._tell(report)

    # --- time --------------------------------------------------------------------------------------------------------

    def overdue(self) -> None:
        """Say what has waited long enough for something better: acceptances, totals without fills, ends."""
        now = self._clock.now_ns
        for life in list(self._by_client.values()):
            if life.born_here and not life.alive and not life.final and 0 < life.answered_ns < now - LAG_NS:
                self._accept(life, life.answered_ns)
            if life.ahead_since_ns and now - life.ahead_since_ns > GRACE_NS:
                self._tell_total(life, max(life.as_of_ns, 0))
                self._let_end(life)
            if life.final and life.as_of_ns < now - KEPT_NS and life.answered_ns < now - KEPT_NS:
                self._forget(life)
        for parked in (self._parked_fills, self._parked_orders):
            for name in [name for name, (since, _) in parked.items() if now - since > PARKED_NS]:
                del parked[name]

    def _forget(self, life: Life) -> None:
        del self._by_client[life.client_id]
        for name in [name for name, found in self._by_id.items() if found is life]:
            del self._by_id[name]

    def _park(self, parked: dict[str, tuple[int, Any]], name: str, row: Any) -> None:
        """Keep what belongs to nobody yet; what is new of it is worth a look, a stranger's listed again is not."""
        if name not in parked:
            self._look()
        parked[name] = (self._clock.now_ns, row)
        if len(parked) > PARKED_MAX:
            del parked[next(iter(parked))]

    def _report(self, life: Life, kind: Evidence, as_of: int, **more: Any) -> None:
        self._tell(self._made(life, kind, as_of, **more))

    def _made(self, life: Life, kind: Evidence, as_of: int, **more: Any) -> OrderReport:
        return OrderReport(
            account=self._account,
            client_id=life.client_id,
            kind=kind,
            ts_ns=self._clock.now_ns,
            as_of_ns=as_of,
            venue_id=VenueOrderId(life.venue_id),
            **more,
        )


def _fill_id(fill: t.OrderFill) -> str:
    """The lasting text id; else the number, which is one account's own."""
    return fill.fill_id_ex or str(fill.fill_id)
