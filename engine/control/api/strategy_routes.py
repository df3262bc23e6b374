"""Strategies: the list with parameters and bounds, stop, start anew, change parameters."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from engine.control.api.cockpit import STATUSES
from engine.control.api.operation import Call, Operation, respond
from engine.control.api.problems import Problem
from engine.control.api.scopes import Scope
from engine.control.api.shapes import Done, done, portable, text
from engine.domain.errors import DataError
from engine.domain.ids import AccountId, StrategyId
from engine.params import parameters_of
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.operator_commands import SetParameters, StartStrategy, StopStrategy
from engine.runtime.wiring import Core


class ParameterView(Struct, frozen=True, kw_only=True):
    """One parameter: its value now, and what it may be."""

    name: str
    value: Any
    default: Any
    schema: dict[str, Any]
    """JSON Schema of its values: type, bounds, description."""


class StrategyView(Struct, frozen=True, kw_only=True):
    name: str
    path: str
    account: str
    instruments: list[str]
    state: str
    """``running``, ``waiting`` (for something it awaits), ``stopped``."""
    reason: str
    """Why it is stopped."""
    level: int
    """Kill level of its own scope."""
    parameters: list[ParameterView]
    positions: dict[str, int]
    working: list[str]
    """Client ids of its open orders."""
    orders_made: int
    day_profit: str | None
    waiting_events: int


class ParametersBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Those that are to change; the others stay."""

    values: Annotated[dict[Annotated[str, Meta(max_length=100)], Any], Meta(min_length=1, max_length=100)]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class ReasonBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


async def strategies(call: Call) -> list[StrategyView]:
    run = call.cockpit.run
    return [strategy_view(run.core, account, spec) for account, spec in run.spec.strategies]


async def strategy(call: Call) -> StrategyView:
    account, spec = spec_of(call, call.path["name"])
    return strategy_view(call.cockpit.core, account, spec)


def spec_of(call: Call, name: str) -> tuple[AccountId, StrategySpec]:
    """Raises: Problem: 404, there is none of that name."""
    for account, spec in call.cockpit.run.spec.strategies:
        if spec.name == name:
            return account, spec
    raise Problem(404, "strategy", f"there is no strategy {name!r}")


def strategy_view(core: Core, account: AccountId, spec: StrategySpec) -> StrategyView:
    """One strategy, seated or not."""
    seat = core.runner.seats.get(spec.name)
    latch = core.view.latches.get(f"strategy:{spec.name}")
    state = "starting" if seat is None else "stopped" if seat.stopped else "running"
    if seat is not None and not seat.stopped and seat.waiting_for is not None:
        state = "waiting"
    held = {i: p.quantity for (s, i), p in core.portfolio.strategy_positions.items() if s == spec.name and p.quantity}
    return StrategyView(
        name=spec.name,
        path=spec.path,
        account=account,
        instruments=[str(name) for name in spec.instruments],
        state=state,
        reason="" if seat is None else seat.stopped,
        level=0 if latch is None else int(latch.level),
        parameters=_parameters(core, spec),
        positions={str(name): quantity for name, quantity in held.items()},
        working=[str(order.request.client_id) for order in core.manager.working_of(spec.name)],
        orders_made=core.manager.orders_made.get(spec.name, 0) if seat is None else seat.context.orders_made,
        day_profit=_profit(core, spec.name, account),
        waiting_events=0 if seat is None else len(seat.queue),
    )


def _profit(core: Core, name: StrategyId, account: AccountId) -> str | None:
    try:
        profit = core.view.profit
        return None if profit is None else text(profit.of_strategy(name, account, core.clock.now_ns))
    except DataError:
        return None


def _parameters(core: Core, spec: StrategySpec) -> list[ParameterView]:
    seat = core.runner.seats.get(spec.name)
    if seat is None:
        return [ParameterView(name=n, value=portable(v), default=None, schema={}) for n, v in spec.parameters.items()]
    shape = parameters_of(type(seat.strategy))
    whole = msgspec.json.schema(shape)
    properties = whole.get("$defs", {}).get(shape.__name__, {}).get("properties", {})
    return [
        ParameterView(
            name=field.name,
            value=portable(getattr(seat.strategy, field.name, spec.parameters.get(field.name))),
            default=None if field.default is msgspec.NODEFAULT else portable(field.default),
            schema=portable(properties.get(field.name, {})),
        )
        for field in msgspec.structs.fields(shape)
    ]


async def stop(call: Call) -> Any:
    return await _carried_out(call, StopStrategy)


async def start(call: Call) -> Any:
    return await _carried_out(call, StartStrategy)


async def set_parameters(call: Call) -> Any:
    return await _carried_out(call, SetParameters, values=call.body.values)


async def _carried_out(call: Call, kind: type[StopStrategy | StartStrategy | SetParameters], **more: Any) -> Any:
    assert call.caller is not None
    command = kind(strategy=call.path["name"], reason=call.body.reason, who=call.cockpit.who(call.caller), **more)
    answer = await call.cockpit.command(command)
    await call.cockpit.settled()
    return respond(call.cockpit, done(answer), STATUSES[answer.exit_code])


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/strategies",
        scope=Scope.READ,
        act=strategies,
        summary="Every strategy of the run: state, parameters with their bounds, positions, profit of the day",
        answer=list[StrategyView],
    ),
    Operation(
        method="GET",
        path="/api/strategies/{name}",
        scope=Scope.READ,
        act=strategy,
        summary="One strategy",
        answer=StrategyView,
        statuses=(404,),
    ),
    Operation(
        method="POST",
        path="/api/strategies/{name}/stop",
        scope=Scope.RISK_SET,
        act=stop,
        summary="Stop a strategy: it hears nothing more, its orders are withdrawn, what it holds stays",
        body=ReasonBody,
        answer=Done,
        statuses=(409,),
    ),
    Operation(
        method="POST",
        path="/api/strategies/{name}/start",
        scope=Scope.RISK_SET,
        act=start,
        summary="Start a strategy that was stopped: a fresh instance with its saved state; no latch is lifted",
        body=ReasonBody,
        answer=Done,
        statuses=(409,),
    ),
    Operation(
        method="POST",
        path="/api/strategies/{name}/parameters",
        scope=Scope.RISK_SET,
        act=set_parameters,
        summary="Change parameters of a strategy: it is made anew with them between two events, orders and state stay",
        body=ParametersBody,
        answer=Done,
        statuses=(409,),
    ),
)
