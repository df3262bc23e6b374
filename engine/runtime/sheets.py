"""What each account can do, and what its gateway would refuse."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from engine.domain.account import Capabilities
from engine.domain.commands import OrderType, SubmitOrder
from engine.domain.errors import ConfigError
from engine.domain.ids import AccountId
from engine.domain.verdict import Denial
from engine.ports import Gateway


class Account(Protocol):
    """As ``AccountSpec``."""

    @property
    def id(self) -> AccountId: ...

    @property
    def gateway(self) -> str: ...


@runtime_checkable
class Foresees(Protocol):
    """A router that knows the limits of its own gateway."""

    def denial(self, order: SubmitOrder) -> Denial | None:
        """Why the gateway would refuse this order now; None: it would take it. Sends and counts nothing."""


def sheets_of(accounts: Sequence[Account], gateways: Mapping[str, Gateway]) -> dict[AccountId, Capabilities]:
    """What each account can do.

    Raises:
        ConfigError: an account names a gateway that has no order side.
    """
    sheets: dict[AccountId, Capabilities] = {}
    for account in accounts:
        gateway = gateways.get(account.gateway)
        if gateway is None or gateway.router is None:
            raise ConfigError(f"account {account.id!r}: gateway {account.gateway!r} has no order side")
        sheets[account.id] = _with_held_limits(gateway.router.capabilities())
    return sheets


def foreseers_of(
    accounts: Sequence[Account], gateways: Mapping[str, Gateway]
) -> dict[AccountId, Callable[[SubmitOrder], Denial | None]]:
    """Who answers for an account whether its gateway would refuse an order; accounts without are left out."""
    found: dict[AccountId, Callable[[SubmitOrder], Denial | None]] = {}
    for account in accounts:
        router: object = gateways[account.gateway].router
        if isinstance(router, Foresees):
            found[account.id] = router.denial
    return found


def _with_held_limits(sheet: Capabilities) -> Capabilities:
    """What an account can do with the engine's help: a limit its venue does not know is held (decision 13)."""
    if OrderType.LIMIT in sheet.order_types or OrderType.MARKET not in sheet.order_types:
        return sheet
    return msgspec.structs.replace(sheet, order_types=sheet.order_types | {OrderType.LIMIT})
