"""No order in a currency whose worth in the account's own is not known (DESIGN, decision 2)."""

from typing import ClassVar

from engine.domain.commands import SubmitOrder
from engine.domain.errors import DataError
from engine.domain.verdict import Denial
from engine.risk.limit import Limit
from engine.risk.view import RiskView


class ExchangeRate(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No settings: the dated rates are the config's ``[rates]``."""

    name: ClassVar[str] = "exchange_rate"

    def check(self, order: SubmitOrder, view: RiskView, now_ns: int) -> Denial | None:
        currency = view.instruments[order.instrument].currency
        base = view.portfolio.accounts[order.account].currency
        if currency == base:
            return None
        try:
            view.portfolio.rate(currency, base)
        except DataError as error:
            return Denial("NO_RATE", str(error))
        return None

    def figures(self, order: SubmitOrder, view: RiskView, now_ns: int) -> str:
        currency = view.instruments[order.instrument].currency
        base = view.portfolio.accounts[order.account].currency
        try:
            return f"1 {currency} is {view.portfolio.rate(currency, base) if currency != base else 1} {base}"
        except DataError:
            return f"no rate from {currency} to {base}"
