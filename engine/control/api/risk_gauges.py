"""How near each limit is, for everybody it counts: the same counters the limits read, read and not changed."""

from collections.abc import Callable, Iterator
from decimal import Decimal

from msgspec import Struct

from engine.domain.commands import Side, SubmitOrder
from engine.domain.errors import DataError
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.money import exact
from engine.risk.account_loss import AccountLoss
from engine.risk.concentration import Concentration
from engine.risk.day_loss import DayLoss
from engine.risk.gross_exposure import GrossExposure
from engine.risk.limit import Limit
from engine.risk.max_daily_turnover import MaxDailyTurnover
from engine.risk.max_daily_value import MaxDailyValue
from engine.risk.max_open_value import MaxOpenValue
from engine.risk.max_position import MaxPosition
from engine.risk.message_rate import MessageRate
from engine.risk.open_orders import OpenOrders
from engine.risk.orders_per_day import OrdersPerDay
from engine.risk.rate import RateLimit
from engine.risk.scopes import Scope
from engine.risk.venue_orders_per_minute import VenueOrdersPerMinute
from engine.runtime.gate import BY_HAND
from engine.runtime.live import LiveRun
from engine.runtime.wiring import Core


class Gauge(Struct, frozen=True, kw_only=True):
    """One limit and one of those it counts. ``share`` 1: nothing more passes."""

    limit: str
    subject: str
    """``account game``, ``strategy sma``, ``CY.VSM of game``, ``engine``."""
    used: float
    cap: float
    share: float
    unit: str
    """``orders``, or a currency."""


Subject = SubmitOrder
"""An order of one unit that nobody makes: whom it would be counted for is what matters of it."""
SUBJECTS_MAX = 100


class Reckoned(Struct, frozen=True):
    subject: str
    used: Decimal | int
    cap: Decimal | int
    unit: str


Reader = Callable[[Core, Limit, Subject, int], Reckoned | None]


def gauges(run: LiveRun) -> list[Gauge]:
    """Every limit that has a figure, and everybody it counts in this run, the nearest first."""
    found: dict[tuple[str, str], Gauge] = {}
    now_ns = run.core.clock.now_ns
    for limit in run.spec.limits:
        for read in _readers(limit):
            for subject in subjects(run):
                try:
                    reckoned = read(run.core, limit, subject, now_ns)
                except (DataError, LookupError):
                    # Not known: the limit would deny, and says why when it is asked.
                    continue
                if reckoned is not None:
                    found.setdefault((limit.name, f"{reckoned.subject} {reckoned.unit}"), _gauge(limit, reckoned))
    return sorted(found.values(), key=lambda gauge: -gauge.share)


def subjects(run: LiveRun) -> list[Subject]:
    """Every strategy with its instruments, and what accounts hold."""
    named = [(s.name, account, name) for account, s in run.spec.strategies for name in s.instruments]
    held = [
        (BY_HAND, book.account, name)
        for book in run.core.portfolio.accounts.values()
        for name, position in book.positions.items()
        if position.quantity
    ]
    return [_subject(*names) for names in [*held, *named][:SUBJECTS_MAX]]


def _subject(strategy: StrategyId, account: AccountId, instrument: InstrumentId) -> Subject:
    return SubmitOrder(
        client_id=ClientOrderId(""),
        account=account,
        strategy=strategy,
        instrument=instrument,
        side=Side.BUY,
        quantity=1,
        ts_ns=0,
    )


def _gauge(limit: Limit, reckoned: Reckoned) -> Gauge:
    used, cap = float(reckoned.used), float(reckoned.cap)
    share = max(0.0, used / cap) if cap > 0 else 1.0
    return Gauge(
        limit=limit.name, subject=reckoned.subject, used=used, cap=cap, share=round(share, 6), unit=reckoned.unit
    )


def _named(scope: Scope, subject: Subject) -> str:
    return {
        Scope.STRATEGY: f"strategy {subject.strategy}",
        Scope.ACCOUNT: f"account {subject.account}",
        Scope.SYMBOL: f"{subject.instrument} of {subject.account}",
        Scope.ENGINE: "engine",
    }[scope]


def _readers(limit: Limit) -> Iterator[Reader]:
    for kind, readers in READERS:
        if isinstance(limit, kind):
            yield from readers
            return


# --- counts -----------------------------------------------------------------------------------------------------------


def _rate(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned:
    assert isinstance(limit, RateLimit)
    count = core.view.rates[limit.name].count(subject, now_ns)
    return Reckoned(_named(limit.scope, subject), count, limit.cap, f"orders in {limit.span}")


def _venue_rate(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned:
    count = core.view.rates[limit.name].count(subject, now_ns)
    cap = core.view.capabilities[subject.account].orders_per_minute
    return Reckoned(f"account {subject.account}", count, cap, "orders in 60s")


def _per_day(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned:
    assert isinstance(limit, OrdersPerDay)
    instrument = core.instruments[subject.instrument]
    count = core.view.day_rates[limit.name].count(
        subject, instrument.market, core.view.trading_day(instrument, now_ns)
    )  # fmt: skip
    return Reckoned(f"{_named(limit.scope, subject)} on {instrument.market}", count, limit.cap, "orders today")


def _messages_in_second(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned:
    assert isinstance(limit, MessageRate)
    return Reckoned(f"account {subject.account}", _messages(core, subject, now_ns)[0], limit.stop, "messages in 1s")


def _messages_in_day(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned:
    assert isinstance(limit, MessageRate)
    name = f"account {subject.account} on {core.instruments[subject.instrument].market}"
    return Reckoned(name, _messages(core, subject, now_ns)[1], limit.day_stop, "messages today")


def _messages(core: Core, subject: Subject, now_ns: int) -> tuple[int, int]:
    if core.view.messages is None:
        raise LookupError("messages are not counted")
    instrument = core.instruments[subject.instrument]
    day = core.view.trading_day(instrument, now_ns)
    return core.view.messages.counts(subject.account, instrument.market, now_ns, day)


def _open(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned:
    assert isinstance(limit, OpenOrders)
    if core.view.open_count is None:
        raise LookupError("open orders are not counted")
    return Reckoned(_named(limit.scope, subject), core.view.open_count.count(subject), limit.cap, "open orders")


# --- money ------------------------------------------------------------------------------------------------------------


def _turnover(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned | None:
    """Filled and open of the day, or open alone; against money, or a part of the account's worth."""
    assert isinstance(limit, MaxDailyValue | MaxOpenValue | MaxDailyTurnover)
    instrument = core.instruments[subject.instrument]
    turnover = core.view.turnovers[limit.name]
    key = turnover.key(subject.strategy, subject.account, subject.instrument, instrument.market)
    day = core.view.trading_day(instrument, now_ns)
    used = turnover.open(key) if isinstance(limit, MaxOpenValue) else turnover.total(key, day)
    if used is None:
        return None
    name = f"{_named(limit.scope, subject)} on {instrument.market}"
    if not isinstance(limit, MaxDailyTurnover):
        return Reckoned(name, used, limit.value, instrument.currency)
    base = core.portfolio.accounts[subject.account].currency
    cap = limit.percent * core.view.valuation.of(subject.account, now_ns).equity / 100
    return Reckoned(name, _in(core, used, instrument.currency, base), cap, base)


def _loss(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned | None:
    assert isinstance(limit, DayLoss)
    whose = f"account {subject.account}" if isinstance(limit, AccountLoss) else f"strategy {subject.strategy}"
    currency = core.portfolio.accounts[subject.account].currency
    part = limit.part(subject, core.view, now_ns)
    if part is not None:
        return Reckoned(whose, part[0], limit.percent * part[1] / 100, currency)
    # Nothing lost, or nobody can say: the latter raises here.
    equity = core.view.valuation.of(subject.account, now_ns).equity
    return Reckoned(whose, 0, limit.percent * equity / 100, currency)


def _gross(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned | None:
    assert isinstance(limit, GrossExposure)
    worth = core.view.valuation.of(subject.account, now_ns)
    still = None if core.view.open_value is None else core.view.open_value.by_currency(subject.account)
    if still is None:
        return None
    base = core.portfolio.accounts[subject.account].currency
    used = worth.gross + sum((_in(core, value, currency, base) for currency, value in still.items()), Decimal(0))
    return Reckoned(f"account {subject.account}", used, limit.percent * worth.equity / 100, base)


def _position(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned | None:
    assert isinstance(limit, MaxPosition)
    spec = core.instruments[subject.instrument]
    value = _held(core, subject)
    return None if value is None else Reckoned(_of(subject), value, limit.value, spec.currency)


def _concentration(core: Core, limit: Limit, subject: Subject, now_ns: int) -> Reckoned | None:
    assert isinstance(limit, Concentration)
    value, spec = _held(core, subject), core.instruments[subject.instrument]
    if value is None:
        return None
    base = core.portfolio.accounts[subject.account].currency
    cap = limit.percent * core.view.valuation.of(subject.account, now_ns).equity / 100
    return Reckoned(_of(subject), _in(core, value, spec.currency, base), cap, base)


def _held(core: Core, subject: Subject) -> Decimal | None:
    """What an account holds of an instrument, without sign; None without a price."""
    quantity = core.portfolio.account_quantity(subject.account, subject.instrument)
    mark = core.portfolio.marks.get(subject.instrument)
    if not quantity:
        return Decimal(0)
    return None if mark is None else abs(exact(mark) * quantity * core.instruments[subject.instrument].multiplier)


def _of(subject: Subject) -> str:
    return f"{subject.instrument} of {subject.account}"


def _in(core: Core, value: Decimal, currency: str, base: str) -> Decimal:
    return value if currency == base or not value else value * core.portfolio.rate(currency, base)


READERS: tuple[tuple[type[Limit], tuple[Reader, ...]], ...] = (
    (RateLimit, (_rate,)),
    (VenueOrdersPerMinute, (_venue_rate,)),
    (OrdersPerDay, (_per_day,)),
    (MessageRate, (_messages_in_second, _messages_in_day)),
    (OpenOrders, (_open,)),
    (MaxDailyValue, (_turnover,)),
    (MaxOpenValue, (_turnover,)),
    (MaxDailyTurnover, (_turnover,)),
    (DayLoss, (_loss,)),
    (GrossExposure, (_gross,)),
    (MaxPosition, (_position,)),
    (Concentration, (_concentration,)),
)
"""Kind of limit -> what it is near to, in its figures."""
