"""A live run in numbers, read from its journal: what was decided, refused, filled, and what was unknown for a while."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from engine.domain.events import JournalRecord, OrderDenied, OrderSent, OrderSubmitted, PositionAdjusted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.order import Evidence, OrderReport, OrderState
from engine.execution import OrderManager
from engine.runtime.report_reading import Reading

SUMMED = (
    "orders", "fills", "buys", "sells", "denied", "unknown_open", "unknown_seen", "unknown_found", "resent", "disputed",
)  # fmt: skip
"""What is added up over the gateways."""


class Counted(Struct):
    """One pass over a journal; by account, and by client id what was sent and lost."""

    records: list[tuple[int, JournalRecord]]
    orders: Counter[str]
    denials: defaultdict[str, Counter[str]]
    reasons: defaultdict[str, dict[str, str]]
    """Account -> code -> what the first denial of that code said."""
    unexplained: Counter[str]
    """Changes of position that no order of ours explains."""
    sent: Counter[ClientOrderId]
    unknown: dict[ClientOrderId, None]
    """Orders whose outcome was unknown at some time, in order."""


def count(records: Iterable[tuple[int, JournalRecord]]) -> Counted:
    """Read a journal once."""
    found = Counted([], Counter(), defaultdict(Counter), defaultdict(dict), Counter(), Counter(), {})
    for seq, record in records:
        found.records.append((seq, record))
        match record:
            case OrderSubmitted():
                found.orders[record.order.account] += 1
            case OrderDenied():
                found.denials[record.order.account][record.code] += 1
                found.reasons[record.order.account].setdefault(record.code, record.reason)
            case OrderSent():
                found.sent[record.client_id] += 1
            case OrderReport() if record.kind is Evidence.AMBIGUOUS:
                found.unknown[record.client_id] = None
            case PositionAdjusted() if record.quantity:
                found.unexplained[record.account] += not record.reason.startswith("opening")
    return found


def figures_of(
    account: AccountId,
    currency: str,
    counted: Counted,
    instruments: Mapping[InstrumentId, Instrument],
    manager: OrderManager,
) -> dict[str, Any]:
    """``orders fills buys sells denied unknown_open disputed`` of one account; ``unexplained``; ``denials`` by code and
    their ``reasons``; fills by ``markets``; ``unknown_seen``: orders that were of unknown outcome at some time,
    ``unknown_found``: those of them that the venue is now known to have had, ``resent``: orders sent twice.
    """
    executions = [e for e in Reading(counted.records, instruments).executions if e.quantity and e.account == account]
    markets = Counter(instruments[e.instrument].market for e in executions)
    bought = sum(e.quantity > 0 for e in executions)
    states = Counter(o.state for o in manager.working.values() if o.request.account == account)
    lost = [o for c in counted.unknown if (o := manager.orders.get(c)) is not None and o.request.account == account]
    ours = {o.request.client_id for o in manager.orders.values() if o.request.account == account}
    return {
        "account": account,
        "currency": currency,
        "orders": counted.orders[account],
        "fills": len(executions),
        "buys": bought,
        "sells": len(executions) - bought,
        "denied": counted.denials[account].total(),
        "unknown_open": states[OrderState.UNKNOWN],
        "unknown_seen": len(lost),
        "unknown_found": sum(bool(o.venue_id or o.cum) for o in lost),
        "resent": sum(n - 1 for client_id, n in counted.sent.items() if client_id in ours),
        "disputed": states[OrderState.DISPUTED],
        "unexplained": counted.unexplained[account],
        "denials": dict(sorted(counted.denials[account].items())),
        "reasons": dict(sorted(counted.reasons[account].items())),
        "markets": dict(sorted(markets.items())),
    }
