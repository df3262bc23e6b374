"""The life of an order.

Two rules. Everything that decides an order's state lives in this file and its table; and they decide it from evidence
alone, never from a timer. ``TABLE`` (``transitions``) says what each piece of evidence may do in each state
(RELIABILITY 2.2); ``Order`` keeps the evidence and joins it (2.3), so that reports count once, whatever their number,
order or channel.

Where the two sections of that page disagree, the join wins (one set of evidence, one end state): a venue that rejected
an order and also acknowledged, filled or withdrew it contradicts itself whichever report came first, so such an order
is DISPUTED; and a withdrawal proven as cancel wins over one proven as expiry.
"""

from decimal import Decimal

from engine.domain.evidence import LIVE, TERMINAL, UNDECIDED, Change, Evidence, OrderReport, OrderState, Proof
from engine.domain.ids import VenueOrderId
from engine.domain.known import Known
from engine.domain.transitions import COLUMNS, TABLE, Cell

__all__ = [
    "COLUMNS", "LIVE", "TABLE", "TERMINAL", "UNDECIDED", "Cell", "Change", "Evidence", "Order", "OrderReport",
    "OrderState", "Proof",
]  # fmt: skip

_S, _E = OrderState, Evidence
# Reading a member off its class is slow in Python 3.11, and these are read for every order of a replay.
_QUEUED, _PENDING_NEW, _UNKNOWN = _S.QUEUED, _S.PENDING_NEW, _S.UNKNOWN
_WORKING, _PARTIAL, _FILLED = _S.WORKING, _S.PARTIAL, _S.FILLED
_PENDING_CANCEL, _PENDING_REPLACE = _S.PENDING_CANCEL, _S.PENDING_REPLACE
_OK, _SEND, _ACK, _FILL, _DUPLICATE = _E.RISK_OK, _E.SEND, _E.ACK, _E.FILL, _E.DUPLICATE
_NOWHERE = frozenset({_S.CREATED, _S.DENIED, _S.QUEUED})
"""States in which no venue can know the order."""
_ABSENT_PROOF = frozenset({_S.DENIED, _S.REJECTED, _S.NOT_PLACED})
"""States that say nothing was ever filled."""

_ZERO = Decimal(0)
_EVERYDAY = frozenset({_OK, _SEND, _ACK, _FILL})
"""Evidence that ``take`` may follow: joined one by one it comes to the same as all at once."""


class Order(Known):
    """One order and all that is known of it.

    ``quantity`` is what is asked for now (a replace may have changed it), ``cum`` what is filled, ``leaves`` what may
    still fill: ``cum + leaves == quantity`` while it lives, ``leaves == 0`` at the end (I1).
    """

    __slots__ = ()

    @property
    def leaves(self) -> int:
        return 0 if self.state in TERMINAL else max(0, self.quantity - self.cum)

    @property
    def exposure(self) -> int:
        """The quantity limits must count as still able to fill: a replace outstanding counts the larger."""
        if self.state in TERMINAL:
            return 0
        return max(0, max(self.quantity, self.replace_pending) - self.cum)

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def real(self) -> int:
        """Filled by reported fills, busts taken out; the rest of ``cum`` is inferred from snapshots."""
        return sum(q for f, (q, _, _) in self._fills.items() if f not in self._busted)

    @property
    def real_value(self) -> Decimal:
        """Price x quantity over ``real``."""
        return sum((p * q for f, (q, p, _) in self._fills.items() if f not in self._busted), _ZERO)

    def has_fill(self, fill_id: str) -> bool:
        return fill_id in self._fills

    def apply(self, report: OrderReport) -> Change:
        """Join one piece of evidence; never raises, never counts the same thing twice."""
        kind, before, cum = report.kind, self.state, self.cum
        if kind is _FILL and report.fill_id in self._fills:
            kind = _DUPLICATE
        cell = TABLE[before].get(kind)
        if cell is not None:
            action = cell.action
            if action == ".":
                return Change(before, before, ignored=True)
            if action == "imp":
                return Change(before, before, alert=f"{kind} is impossible for a {before} order", impossible=True)
            if action == "bug":
                return Change(before, before, alert=f"bug: {kind} for a {before} order")
            if self.take(report):
                return Change(before, self.state, self.cum - cum)
        if not self._record(kind, report):
            return Change(before, before, ignored=True)
        if report.venue_id and not self.venue_id:
            self.venue_id = report.venue_id
        self._join()
        return Change(before, self.state, self.cum - cum, self._alert(cell, kind, before, cum))

    def send(self, ts_ns: int) -> None:
        """``apply`` of SEND."""
        if self.state is _QUEUED and not self._odd:
            self._sent, self.sent_ns, self.state = True, ts_ns, _PENDING_NEW
        else:
            request = self.request
            self.apply(OrderReport(account=request.account, kind=_SEND, ts_ns=ts_ns, client_id=request.client_id))

    def place(self, ts_ns: int, venue_id: VenueOrderId) -> None:
        """``apply`` of SEND, then of ACK, to an order just queued."""
        self._sent = self._acked = True
        self.sent_ns, self.venue_id, self.state = ts_ns, venue_id, _WORKING

    def finish(self, quantity: int) -> bool:
        """``take`` of one FILL of all that is asked, for an order that is forgotten with it: its price is not kept."""
        if self.state is not _WORKING or self._odd or self.cum or quantity != self._quantity:
            return False
        self.cum, self.state = quantity, _FILLED
        return True

    def take(self, report: OrderReport) -> bool:
        """``apply``, if this is an ACK or FILL like nearly all others; False, and nothing done, if it must go there.

        The tests hold it equal to the join.
        """
        kind = report.kind
        if self._odd:
            return False
        if kind is _FILL:
            price, fee, quantity = report.price, report.fee, report.quantity
            cum = self.cum + quantity
            if price is None or fee is None or report.venue_id or cum > self._quantity or self.state not in LIVE:
                return False
            if self.cum:
                if report.fill_id in self._fills:
                    return False
                self.value += price * quantity
                self.fee += fee
            else:
                self.value, self.fee = price * quantity, fee
            self._fills[report.fill_id] = (quantity, price, fee)
            self.cum = cum
            self.state = _PARTIAL if cum < self._quantity else _FILLED
            return True
        if kind is _ACK and self.state is _PENDING_NEW:
            self._acked, self.state = True, _WORKING
            self.venue_id = report.venue_id or self.venue_id
            return True
        return False

    def _alert(self, cell: Cell | None, kind: Evidence, before: OrderState, cum: int) -> str:
        after = self.state
        if before is OrderState.NOT_PLACED and (after in LIVE or after is OrderState.FILLED):
            return "resurrected: an order proven absent was placed"
        if after is OrderState.DISPUTED and before is not OrderState.DISPUTED:
            return f"disputed: {kind} contradicts what is known of a {before} order"
        if self.cum > self.quantity and self.cum != cum:
            return f"overfill: {self.cum} of {self.quantity}"
        if kind is Evidence.BUST or kind is Evidence.CORRECT:
            return f"{kind}: a fill was taken back or restated"
        return f"{kind} for a {before} order" if cell is not None and cell.alert and after is not before else ""

    def _record(self, kind: Evidence, report: OrderReport) -> bool:
        """Keep the evidence; False if it has no place in this order's life."""
        self._odd = self._odd or kind not in _EVERYDAY
        as_of = report.as_of_ns or report.ts_ns
        match kind:
            case Evidence.FILL:
                self._fills[report.fill_id] = (report.quantity, report.price or Decimal(0), report.fee or Decimal(0))
            case Evidence.ACK:
                self._acked = True
            case Evidence.SEND:
                self._sent, self.sent_ns = True, report.ts_ns
            case Evidence.RISK_OK:
                self._queued = True
            case Evidence.WORKING | Evidence.CANCELED | Evidence.EXPIRED:
                return self._record_row(kind, report, as_of)
            case Evidence.REJECT:
                if as_of <= self._void_as_of:
                    return False
                self._rejected = True
                self.reason = report.reason
            case Evidence.AMBIGUOUS:
                self._ambiguous, self.reason = True, report.reason
            case Evidence.RISK_DENY:
                self._denied, self.reason = True, report.reason
            case Evidence.SEND_FAILED:
                self._unsent, self.reason = True, report.reason
            case Evidence.ABSENT:
                self._absent, self.reason = True, report.reason
            case Evidence.CANDIDATES:
                if as_of <= self._void_as_of:
                    return False
                self._candidates, self.reason = True, report.reason
            case Evidence.BUST | Evidence.CORRECT:
                return self._record_repair(kind, report, as_of)
            case Evidence.OPERATOR:
                return self._record_operator(report, as_of)
            case _:
                return self._record_request(kind, report, as_of)
        return True

    def _record_row(self, kind: Evidence, report: OrderReport, as_of: int) -> bool:
        """A row of the venue's list: an absolute statement about an instant."""
        if kind is Evidence.WORKING:
            self._working_as_of = max(self._working_as_of, as_of)
        elif as_of > self._void_as_of:
            known = self._cancel_as_of if kind is Evidence.CANCELED else self._expire_as_of
            earliest = as_of if known < 0 else min(known, as_of)
            if kind is Evidence.CANCELED:
                self._cancel_as_of = earliest
            else:
                self._expire_as_of = earliest
            self._closed_as_of = as_of if self._closed_as_of < 0 else min(self._closed_as_of, as_of)
            self.reason = self.reason or report.reason
        elif report.cum <= 0:
            return False
        if report.cum > 0:
            self._restated = True
            row = (as_of, report.cum, report.price)
            kept = [s for s in self._snapshots if not (s[0] <= as_of and s[1] <= report.cum) or s[:2] == row[:2]]
            if not any(s[0] >= as_of and s[1] >= report.cum and s[:2] != row[:2] for s in kept) and row not in kept:
                kept.append(row)
            self._snapshots = tuple(sorted(kept, key=lambda s: (s[0], s[1], s[2] or _ZERO)))
        return True

    def _record_repair(self, kind: Evidence, report: OrderReport, as_of: int) -> bool:
        """A bust or correction, by fill id; it may come before the fill it repairs. False: known already."""
        if self.state in _NOWHERE:
            return False
        fill_id = report.fill_id
        known = self._corrections.get(fill_id)
        if kind is Evidence.BUST:
            if fill_id in self._busted and as_of <= self._bust_as_of:
                return False
            self._busted = self._busted | {fill_id}
        elif known is not None and as_of <= known[0]:
            return False
        else:
            self._corrections = {**self._corrections, fill_id: (as_of, report.quantity, report.price or _ZERO)}
        self._bust_as_of = max(self._bust_as_of, as_of)
        self._restated = True
        return True

    def _record_operator(self, report: OrderReport, as_of: int) -> bool:
        """A person's word on an order nobody else can decide (RELIABILITY 2.2)."""
        to = report.to
        if to is None or self.state not in (OrderState.UNKNOWN, OrderState.DISPUTED):
            return False
        if to in LIVE:
            self._operator, self._void_as_of = None, as_of
            self._rejected = self._candidates = self._absent = self._unsent = False
            self._cancel_as_of = self._expire_as_of = self._closed_as_of = -1
            self._acked = True
        elif to in TERMINAL and not (self.cum and to in _ABSENT_PROOF):
            self._operator = to
        else:
            return False
        self.reason = report.reason
        return True

    def _record_request(self, kind: Evidence, report: OrderReport, as_of: int) -> bool:
        """Local requests and their answers; kept past the end of the order, which a bust may open again."""
        match kind:
            case Evidence.CANCEL_REQUEST:
                if self.state in TERMINAL or self.state is OrderState.CREATED:
                    return False
                if self.state is OrderState.QUEUED:
                    self.withdrawn_before_send = True
                    self._cancel_as_of = self._closed_as_of = as_of
                self._cancel_asked = True
            case Evidence.CANCEL_REJECT:
                if not self._cancel_asked:
                    return False
                self._cancel_asked = self.cancel_uncertain = False
            case Evidence.CANCEL_AMBIGUOUS:
                self.cancel_uncertain = self._cancel_asked
                return self._cancel_asked
            case Evidence.REPLACE_REQUEST:
                if self.state not in (OrderState.WORKING, OrderState.PARTIAL):
                    return False
                self._replace_asked = max(self.quantity, report.quantity)
            case Evidence.REPLACE_ACK:
                # An answer given before the last one was is an answer to an earlier request, told again.
                if not self._replace_asked or as_of <= self._replaced_as_of:
                    return False
                self._quantity, self._replaced, self._replace_asked = report.quantity, True, 0
                self._replaced_as_of = as_of
                self.price = report.price or self.price
            case Evidence.REPLACE_REJECT:
                if not self._replace_asked:
                    return False
                self._replace_asked = 0
            case _:
                return False
        return True

    def _join(self) -> None:
        """cum, value, fee and state as a pure function of the evidence."""
        real, value, fee = 0, Decimal(0), Decimal(0)
        for fill_id, (quantity, price, cost) in self._fills.items():
            if fill_id in self._busted:
                continue
            if self._corrections and (fix := self._corrections.get(fill_id)) is not None:
                _, quantity, price = fix
            real += quantity
            value += price * quantity
            fee += cost
        cum = real
        if self._snapshots:
            high, average = 0, None
            for as_of, seen, price_seen in self._snapshots:
                if as_of > self._bust_as_of and seen > high:
                    high, average = seen, price_seen
            if high > real:
                cum = high
                inferred = self.price or Decimal(0)
                value = average * high if average is not None else value + inferred * (high - real)
        self.cum, self.value, self.fee = cum, value, fee
        self.state = self._judge()
        if self.state in TERMINAL:
            self.cancel_pending = self.cancel_uncertain = False
            self.replace_pending = 0
        else:
            self.cancel_pending, self.replace_pending = self._cancel_asked, self._replace_asked

    def _judge(self) -> OrderState:
        """The state the evidence gives; the order of the questions is the rule."""
        if self._denied:
            return OrderState.DENIED
        alive = self._acked or bool(self._fills) or self._working_as_of >= 0 or bool(self._snapshots)
        closed = self._closed_as_of >= 0
        quantity = max(self._quantity, self.cum) if self._replaced else self._quantity
        if self._operator is not None:
            if self.cum and self._operator in _ABSENT_PROOF:
                return OrderState.DISPUTED
            return OrderState.FILLED if self.cum >= quantity else self._operator
        if (
            self._candidates
            or (self._rejected and (alive or closed))
            or (closed and self._working_as_of > self._closed_as_of)
        ):
            return OrderState.DISPUTED
        if self.cum >= quantity:
            return OrderState.FILLED
        if closed:
            return OrderState.CANCELED if self._cancel_as_of >= 0 else OrderState.EXPIRED
        if self._rejected:
            return OrderState.REJECTED
        if alive:
            if self._replace_asked:
                return OrderState.PENDING_REPLACE
            if self._cancel_asked:
                return OrderState.PENDING_CANCEL
            return OrderState.PARTIAL if self.cum else OrderState.WORKING
        if self._absent or self._unsent:
            return OrderState.NOT_PLACED
        if self._ambiguous:
            return OrderState.UNKNOWN
        if self._sent:
            return OrderState.PENDING_NEW
        return OrderState.QUEUED if self._queued else OrderState.CREATED

    @property
    def proof(self) -> Proof:
        """How the terminal state is known; NONE before the end."""
        if self._operator is not None and self.state is self._operator:
            return Proof.OPERATOR
        if self.state not in TERMINAL:
            return Proof.NONE
        if self.state is OrderState.NOT_PLACED:
            return Proof.LOCAL if self._unsent else Proof.INFERRED
        if self.state is OrderState.DENIED or (self.withdrawn_before_send and not self._sent):
            return Proof.LOCAL
        return Proof.VENUE
