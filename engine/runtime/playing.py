"""The desk of orders the engine plays itself, made of a run's core."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.algos.desk import AlgoDesk

if TYPE_CHECKING:
    from engine.runtime.wiring import Core


def algo_desk(core: "Core", record: Callable[[Any], int | None]) -> AlgoDesk:
    """``record``: the way into the journal that the order gate has."""
    manager, runner = core.manager, core.runner
    desk = AlgoDesk(
        clock=core.clock,
        publish=core.bus.publish,
        record=record,
        checker=core.checker,
        view=core.view,
        submit=manager.on_submit,
        order=manager.orders.get,
        orders_made=manager.orders_made,
        call_at=runner.call_at,
        tell=runner.on_order,
    )
    desk.over_at = lambda: bool(runner.seats) and all(seat.stopped for seat in runner.seats.values())
    return desk
