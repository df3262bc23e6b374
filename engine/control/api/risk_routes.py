"""Limits with how near they are, denials with reasons, and what would become of an order."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from engine.control.api.account_routes import Limit
from engine.control.api.operation import Call, Operation
from engine.control.api.order_routes import PlaceBody
from engine.control.api.order_views import OrderView, denied_view
from engine.control.api.problems import Problem
from engine.control.api.risk_gauges import Gauge, gauges
from engine.control.api.scopes import Scope
from engine.control.api.shapes import Moment, at, portable, text
from engine.control.limit_words import LIMIT_WORDS
from engine.domain.commands import OrderType, SubmitOrder
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.risk.what_if import what_if
from engine.runtime.gate import BY_HAND
from engine.runtime.live import LiveRun

FOR_EVER = float("inf")


class LimitView(Struct, frozen=True, kw_only=True):
    """One limit as it is in force."""

    name: str
    english: str
    chinese: str
    settings: dict[str, Any]
    watches: bool
    """It also looks at what has happened, and may raise a latch."""


class RiskView(Struct, frozen=True, kw_only=True):
    gauges: list[Gauge]
    limits: list[LimitView]
    denials: dict[str, int]
    """Code -> denials since the journal began."""
    limits_hash: str


class DenialView(Struct, frozen=True, kw_only=True):
    code: str
    reason: str
    order: OrderView
    at: Moment | None


class DenialQuery(Struct, frozen=True, forbid_unknown_fields=True):
    account: str = ""
    strategy: str = ""
    code: Annotated[str, Meta(max_length=32)] = ""
    limit: Limit = 100


class WhatIfBody(PlaceBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order as for placing; nothing is placed, counted or journaled."""

    strategy: Annotated[str, Meta(max_length=64)] = ""
    """Whose limits; empty: a person's."""


class CheckView(Struct, frozen=True, kw_only=True):
    check: str
    passed: bool
    figures: str
    code: str
    reason: str


class WhatIfView(Struct, frozen=True, kw_only=True):
    allowed: bool
    code: str
    reason: str
    checks: list[CheckView]
    effects: dict[str, Any] | None
    """What it would reserve, reach and leave over (risk/what_if.py); money as text."""


async def risk(call: Call) -> RiskView:
    run = call.cockpit.run
    return RiskView(
        gauges=call.cockpit.kept("gauges", lambda: gauges(run)),
        limits=call.cockpit.kept("limits", lambda: _limits(run), FOR_EVER),
        denials=dict(sorted(run.core.view.denials.items())),
        limits_hash=run.core.checker.limits_hash,
    )


def _limits(run: LiveRun) -> msgspec.Raw:
    """As JSON already: they do not change while a run lasts."""
    views = [
        LimitView(
            name=limit.name,
            english=LIMIT_WORDS[limit.name][0],
            chinese=LIMIT_WORDS[limit.name][1],
            settings=portable(limit),
            watches=limit.monitors,
        )
        for limit in run.spec.limits
    ]
    return msgspec.Raw(msgspec.json.encode(views))


async def denials(call: Call) -> list[DenialView]:
    asked: DenialQuery = call.query
    found = [
        DenialView(code=event.code, reason=event.reason, order=denied_view(event), at=at(event.ts_ns))
        for event in reversed(call.cockpit.session.seen.denials)
        if (not asked.account or event.order.account == asked.account)
        and (not asked.strategy or event.order.strategy == asked.strategy)
        and (not asked.code or event.code == asked.code)
    ]
    return found[: asked.limit]


async def ask(call: Call) -> WhatIfView:
    body: WhatIfBody = call.body
    core = call.cockpit.core
    spec = core.instruments.get(InstrumentId(body.instrument))
    if spec is None or AccountId(body.account) not in core.portfolio.accounts:
        raise Problem(422, "value", "the account or the instrument is not known")
    for price in (body.price, body.stop_price):
        if price is not None and not (price.is_finite() and 0 < price < 10**12):
            raise Problem(422, "value", f"price {price} is none; write a number above 0")
    order = SubmitOrder(
        client_id=ClientOrderId("what-if"),
        account=AccountId(body.account),
        strategy=StrategyId(body.strategy) if body.strategy else BY_HAND,
        instrument=spec.id,
        side=body.side,
        quantity=body.quantity,
        ts_ns=core.clock.now_ns,
        type=body.type or (OrderType.MARKET if body.price is None else OrderType.LIMIT),
        price=None if body.price is None else spec.round_price(body.price),
        stop_price=None if body.stop_price is None else spec.round_price(body.stop_price),
        tif=body.tif,
        offset=body.offset,
    )
    told = what_if(core.checker, order, core.clock.now_ns)
    effects = None if told.effects is None else _plain(told.effects)
    return WhatIfView(
        allowed=told.allowed,
        code=told.code,
        reason=told.reason,
        checks=[msgspec.convert(check, CheckView, from_attributes=True) for check in told.checks],
        effects=effects,
    )


def _plain(effects: Any) -> dict[str, Any]:
    found = msgspec.structs.asdict(effects)
    return {
        name: value if isinstance(value, bool | str | int) or value is None else text(value)
        for name, value in found.items()
    }


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/risk",
        scope=Scope.READ,
        act=risk,
        summary="Every limit with its settings, and how near it is for everybody it counts",
        answer=RiskView,
    ),
    Operation(
        method="GET",
        path="/api/risk/denials",
        scope=Scope.READ,
        act=denials,
        summary="Orders our own limits refused, and why, the newest first",
        query=DenialQuery,
        answer=list[DenialView],
    ),
    Operation(
        method="POST",
        path="/api/risk/what-if",
        scope=Scope.READ,
        act=ask,
        summary="Every limit's answer for an order, with figures; nothing is placed",
        body=WhatIfBody,
        answer=WhatIfView,
    ),
)
