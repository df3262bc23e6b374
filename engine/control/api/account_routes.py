"""Accounts, their equity over time, positions, fills."""

from typing import Annotated

from msgspec import Meta, Struct

from engine.control.api.account_views import (
    AccountView,
    FillView,
    PositionView,
    account_views,
    fill_view,
    position_views,
)
from engine.control.api.operation import Call, Operation
from engine.control.api.problems import Problem
from engine.control.api.scopes import Scope
from engine.domain.ids import AccountId

Limit = Annotated[int, Meta(ge=1, le=500)]


class OfAccount(Struct, frozen=True, forbid_unknown_fields=True):
    account: str = ""
    """Empty: every account."""


class FillQuery(Struct, frozen=True, forbid_unknown_fields=True):
    account: str = ""
    instrument: str = ""
    strategy: str = ""
    client_id: str = ""
    limit: Limit = 100


class EquityQuery(Struct, frozen=True, forbid_unknown_fields=True):
    account: str
    limit: Annotated[int, Meta(ge=1, le=5_000)] = 1_000


class EquityPoint(Struct, frozen=True, array_like=True):
    """``[ms since 1970, equity, cash]``."""

    t: int
    equity: str
    cash: str


async def accounts(call: Call) -> list[AccountView]:
    return account_views(call.cockpit.session)


async def positions(call: Call) -> list[PositionView]:
    refuse_unless_account(call, call.query.account)
    return list(position_views(call.cockpit.core, call.query.account))


async def fills(call: Call) -> list[FillView]:
    asked: FillQuery = call.query
    refuse_unless_account(call, asked.account)
    found = [
        fill_view(fill)
        for fill in reversed(call.cockpit.session.seen.fills)
        if (not asked.account or fill.account == asked.account)
        and (not asked.instrument or fill.instrument == asked.instrument)
        and (not asked.strategy or fill.strategy == asked.strategy)
        and (not asked.client_id or fill.client_id == asked.client_id)
    ]
    return found[: asked.limit]


async def equity(call: Call) -> list[EquityPoint]:
    refuse_unless_account(call, call.query.account)
    samples = list(call.cockpit.session.seen.equity.get(AccountId(call.query.account), ()))[-call.query.limit :]
    return [EquityPoint(s.ts_ns // 1_000_000, f"{s.equity:f}", f"{s.cash:f}") for s in samples]


def refuse_unless_account(call: Call, account: str) -> None:
    """Raises: Problem: 404, the account is named and not known."""
    if account and AccountId(account) not in call.cockpit.core.portfolio.accounts:
        raise Problem(404, "account", f"there is no account {account!r}")


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/accounts",
        scope=Scope.READ,
        act=accounts,
        summary="Every account: cash, equity, profit of the day, kill level, last reconciliation",
        answer=list[AccountView],
    ),
    Operation(
        method="GET",
        path="/api/positions",
        scope=Scope.READ,
        act=positions,
        summary="What accounts hold, at the latest prices",
        query=OfAccount,
        answer=list[PositionView],
        statuses=(404,),
    ),
    Operation(
        method="GET",
        path="/api/fills",
        scope=Scope.READ,
        act=fills,
        summary="Our executions, the newest first, those before a restart included",
        query=FillQuery,
        answer=list[FillView],
        statuses=(404,),
    ),
    Operation(
        method="GET",
        path="/api/equity",
        scope=Scope.READ,
        act=equity,
        summary="What an account was worth over time, the oldest first",
        query=EquityQuery,
        answer=list[EquityPoint],
        statuses=(404,),
    ),
)
