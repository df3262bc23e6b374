"""How things stand, as plain values: accounts, latches, open orders, the last reconciliation of each account."""

from collections.abc import Mapping
from typing import Any

from engine.domain.evidence import OrderState
from engine.domain.ids import AccountId
from engine.domain.instructions import DECIDED
from engine.runtime.reconcile_report import ours_open
from engine.runtime.wiring import Core


def status_of(core: Core, accounts: Mapping[AccountId, str]) -> dict[str, Any]:
    """JSON-ready but for decimals, which msgspec writes as text."""
    return {
        "now_ns": core.clock.now_ns,
        "accounts": [_account(core, account, gateway) for account, gateway in accounts.items()],
        "latches": [
            {
                "scope": latch.scope,
                "level": latch.level.name.lower(),
                "cause": latch.cause,
                "who": latch.who,
                "ts_ns": latch.ts_ns,
            }
            for latch in core.view.latches.values()
        ],
        "instructions": [
            {"client_id": name, "account": known.request.account, "action": known.request.name, "state": known.state}
            for name, known in core.instructions.instructions.items()
            if known.state not in DECIDED
        ],
    }


def _account(core: Core, account: AccountId, gateway: str) -> dict[str, Any]:
    book, last = core.portfolio.accounts[account], core.reconciler.last.get(account)
    open_orders = ours_open(core, account)
    undecided = (OrderState.UNKNOWN, OrderState.DISPUTED)
    return {
        "account": account,
        "gateway": gateway,
        "currency": book.currency,
        "cash": dict(book.cash),
        "positions": {str(i): p.quantity for i, p in book.positions.items() if p.quantity},
        "open_orders": open_orders,
        "to_resolve": [order.name for order in open_orders if order.state in undecided],
        "held": [row.amount for row in core.reconciler.findings.get(account, ())],
        "reconciled": None if last is None else {"ts_ns": last.ts_ns, "ok": last.ok, "text": last.text},
    }
