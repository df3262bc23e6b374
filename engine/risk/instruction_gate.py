"""What the gate says of an instruction, and what it may come to at worst: decided here and nowhere else.

A condition is shown to the limits as the order it would become; but the collar, which is there for slips of the finger,
measures a target below the market as if it were at the market. A loan is shown to those that make sense of one, its
cash counted to the cent; a subscription costs nothing before it is drawn. What withdraws conditions is a cancel: no
limit and no latch refuses it (DESIGN, decision 14).
"""

from decimal import Decimal

from msgspec.structs import replace

from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.events import KillLevel
from engine.domain.ids import InstrumentId
from engine.domain.instructions import (
    CancelConditions,
    ConditionBuy,
    ReverseRepo,
    StopLossProfit,
    SubmitInstruction,
    SubscribeIpo,
)
from engine.domain.money import ZERO
from engine.domain.verdict import Denial
from engine.risk.checker import PREFIX, RiskChecker
from engine.risk.cost import worst_case_cost
from engine.risk.price_collar import PriceCollar
from engine.risk.view import RiskView, locked_by

REPO_UNIT = 1_000
"""Loans are lent in thousands of yuan (contracts/easyths.md 3)."""
REPO_FACE = 100
"""One unit of a repo is worth so many yuan, whatever its rate."""
HUNDRED = Decimal(100)

LIMITS_OF_LOANS = frozenset({
    "kill", "well_formed", "allowed_markets", "allowed_symbols", "hours", "exchange_rate", "max_order_value",
    "orders_per_second", "orders_per_minute", "symbol_orders_per_minute", "orders_per_day",
})  # fmt: skip
"""A loan's price is a rate and it sells nothing: tick, collar, position and sellable quantity do not speak of it."""
LIMITS_OF_SUBSCRIPTIONS = frozenset({"kill", "hours", "orders_per_second", "orders_per_minute"})
IPO_MARKET = "china_a"
"""New shares are subscribed for in its sessions."""


class InstructionGate:
    """One an engine."""

    def __init__(self, checker: RiskChecker, view: RiskView) -> None:
        self.limits_hash = checker.limits_id
        self._checker = checker
        self._view = view
        self._but_collar = frozenset(limit.name for limit in checker.limits) - {PriceCollar.name}

    def denial(self, instruction: SubmitInstruction, now_ns: int) -> Denial | None:
        """Why the instruction may not leave, or None."""
        action, view = instruction.action, self._view
        denial = self._unknown(instruction) or _malformed(instruction)
        if denial is not None or isinstance(action, CancelConditions):
            return denial
        latch = view.latch(instruction)
        if latch is not None and latch.level >= KillLevel.HALT:
            level = f"{latch.scope} is at level {latch.level.name} ({latch.cause})"
            return Denial("KILLED", f"{PREFIX}trading halted: {level}")
        locking = view.locks.get(locked_by(instruction))
        if locking:
            return Denial("LOCKED", f"{PREFIX}instruction {locking[0]} is under way or stands on the same side")
        order = self.as_order(instruction)
        if isinstance(action, SubscribeIpo):
            return self._subscription(order, now_ns)
        if isinstance(action, ReverseRepo):
            return self._loan(order, now_ns)
        return self._condition(order, now_ns)

    def worst(self, instruction: SubmitInstruction) -> tuple[SubmitOrder | None, Decimal]:
        """The order it comes to at worst, None if it costs nothing; and the cash to hold back for it."""
        if isinstance(instruction.action, CancelConditions | SubscribeIpo):
            return None, ZERO
        order = self.as_order(instruction)
        if isinstance(instruction.action, ReverseRepo):
            return order, self._cost_of_loan(order)
        return order, worst_case_cost(order, self._view)

    def as_order(self, instruction: SubmitInstruction) -> SubmitOrder:
        """The order that latches, limits and books are shown in the instruction's place."""
        action = instruction.action
        side, quantity, price = instruction.side, 1, None
        if isinstance(action, ConditionBuy):
            quantity, price = action.quantity, action.target_price
        elif isinstance(action, StopLossProfit):
            quantity, price = action.quantity, self._latest(instruction.instrument)
        elif isinstance(action, ReverseRepo):
            # The money leaves as for a purchase, though the exchange calls it a sale.
            side, quantity, price = Side.BUY, action.amount // REPO_FACE, Decimal(REPO_FACE)
        return SubmitOrder(
            client_id=instruction.client_id,
            account=instruction.account,
            strategy=instruction.strategy,
            instrument=instruction.instrument,
            side=side,
            quantity=quantity,
            ts_ns=instruction.ts_ns,
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            price=price,
        )

    def _latest(self, instrument: InstrumentId) -> Decimal | None:
        reference = self._view.reference(instrument)
        return None if reference is None else self._view.instruments[instrument].round_price(reference)

    def _unknown(self, instruction: SubmitInstruction) -> Denial | None:
        """Whether anybody could do it."""
        view, account = self._view, instruction.account
        if account not in view.portfolio.accounts:
            return Denial("MALFORMED", f"unknown account {account!r}")
        performs = view.performs.get(account)
        if performs is None or type(instruction.action) not in performs():
            sheet = view.capabilities.get(account)
            who = sheet.gateway if sheet is not None else f"account {account}"
            return Denial("UNSUPPORTED", f"{who} performs no {instruction.name}")
        if view.strategies is not None and instruction.strategy not in view.strategies:
            return Denial("DUP_ID", f"strategy {instruction.strategy!r} is unknown or not enabled")
        if isinstance(instruction.action, SubscribeIpo):
            return None
        spec = view.instruments.get(instruction.instrument)
        if spec is None:
            return Denial("INSTRUMENT", f"unknown instrument {instruction.instrument!r}")
        if spec.market not in view.books:
            return Denial("INSTRUMENT", f"{spec.id} trades on market {spec.market}, for which there is no rule book")
        return None

    def _condition(self, order: SubmitOrder, now_ns: int) -> Denial | None:
        """Every limit; but a target below the market is what conditions are for, and no slip of the finger."""
        latest = self._latest(order.instrument)
        near = order
        if order.price is not None and latest is not None and latest > order.price:
            near = replace(order, price=latest)
        return self._checker.check_only(self._but_collar, order, now_ns) or self._checker.check_only(
            (PriceCollar.name,), near, now_ns
        )

    def _subscription(self, order: SubmitOrder, now_ns: int) -> Denial | None:
        market = self._view.books.get(IPO_MARKET)
        if market is not None and not market.is_open(now_ns):
            return Denial("SESSION", f"{PREFIX}market closed: new shares are subscribed for in its sessions")
        return self._checker.check_only(LIMITS_OF_SUBSCRIPTIONS, order, now_ns)

    def _loan(self, order: SubmitOrder, now_ns: int) -> Denial | None:
        denial = self._checker.check_only(LIMITS_OF_LOANS, order, now_ns)
        if denial is not None:
            return denial
        cost = self._cost_of_loan(order)
        available = self._view.available_cash(order.account, self._view.instruments[order.instrument].currency)
        if cost <= available:
            return None
        return Denial("CASH", f"{PREFIX}cash exceeded: a loan and its fee of {cost} (available {available})")

    def _cost_of_loan(self, order: SubmitOrder) -> Decimal:
        spec = self._view.instruments[order.instrument]
        book = self._view.books[spec.market]
        return REPO_FACE * order.quantity + book.fee(order.type, order.side, order.quantity, HUNDRED, spec, order.ts_ns)


def _malformed(instruction: SubmitInstruction) -> Denial | None:
    """Numbers that are none; an order's own are ``WellFormed``'s as well."""
    action = instruction.action
    if isinstance(action, ConditionBuy | StopLossProfit):
        for key, count in (("quantity", action.quantity), ("expire_days", action.expire_days)):
            if type(count) is not int or count <= 0:
                return Denial("MALFORMED", f"{key} {count!r} is no whole number above 0")
    if isinstance(action, ConditionBuy):
        price = action.target_price
        if not (type(price) is Decimal and price.is_finite() and price > 0):
            return Denial("MALFORMED", f"target_price {price!r} is no finite decimal above 0")
    elif isinstance(action, StopLossProfit):
        loss, profit = action.stop_loss_percent, action.stop_profit_percent
        for key, percent in (("stop_loss_percent", loss), ("stop_profit_percent", profit)):
            if not (type(percent) is Decimal and percent.is_finite() and 0 < percent <= HUNDRED):
                return Denial("MALFORMED", f"{key} {percent!r} is no decimal above 0, up to 100")
        if profit <= loss:
            return Denial("MALFORMED", f"stop_profit_percent {profit} is not above stop_loss_percent {loss}")
    elif isinstance(action, ReverseRepo):
        amount = action.amount
        if type(amount) is not int or amount <= 0 or amount % REPO_UNIT:
            return Denial("LOT", f"amount {amount!r} is no multiple of {REPO_UNIT} yuan above 0")
    elif isinstance(action, CancelConditions) and type(action.side) is not Side:
        return Denial("MALFORMED", f"side {action.side!r} is no such word")
    return None
