"""Whose money it is: proven, allowed and said by a person (RELIABILITY 4.1, row 3)."""

from typing import ClassVar

from msgspec import field

from engine.domain.account import Environment
from engine.domain.commands import SubmitOrder
from engine.domain.ids import AccountId
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView

REPORTING_MARKETS = frozenset({"china_a", "china_connect"})
"""Programme trading is reported to the exchange, through the broker, before the first order (RELIABILITY 4.3)."""


class ProvenEnvironment(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Real money is traded only by an account that config names ``real``, in a run that was started with ``--arm``.

    ``accounts``: the allow-list, each account with what config says it trades: ``real`` or ``simulated``. Where the
    venue can prove it (Futu names the environment of each account) the two must agree; a GUI broker proves nothing.
    """

    name: ClassVar[str] = "environment"
    live: bool = False
    """Whether only accounts of the list may trade; off: paper, which any account may that is not proven real."""
    accounts: dict[AccountId, Environment] = field(default_factory=dict)
    programme_trading_reported: bool = False
    """Needed for real A shares: say true once your broker has confirmed the report."""

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        said, proven = self.accounts.get(order.account), view.environments.get(order.account)
        if said is None:
            if self.live:
                return Denial("ENV", f"account {order.account} is not on the allow-list ([risk.environment] accounts)")
            said = proven
        if proven is not None and proven is not said:
            return Denial("ENV", f"account {order.account} is proven {proven}, but config says {said}")
        if said is not Environment.REAL:
            return None
        if not view.armed:
            return Denial("ENV", f"account {order.account} trades real money, and the run was not started with --arm")
        if not self.programme_trading_reported and view.instruments[order.instrument].market in REPORTING_MARKETS:
            return Denial("ENV", "programme trading of A shares is not reported ([risk.environment])")
        return None

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        said, proven = self.accounts.get(order.account), view.environments.get(order.account)
        armed = "armed" if view.armed else "not armed"
        return f"config says {said or 'nothing'}, proven {proven or 'nothing'}, {armed}"
