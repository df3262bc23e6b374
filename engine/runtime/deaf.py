"""Nobody but the joined core listens in a backtest: what it would do nothing with is not shown to it."""

from functools import partial
from typing import Any

from engine.runtime.wiring import Core


def leave_out_the_deaf(core: Core) -> None:
    """Look the subscribers of every order's events up without those who would do nothing with them.

    The engine's own parents hear of orders, and of prices, from the first one on, and of prices while they want them.
    """
    seats = core.runner.seats.values()
    core.manager.hush(frozenset(seat.name for seat in seats if not seat.hears_orders))
    deaf: list[Any] = [] if any(seat.hears_fills for seat in seats) else [core.runner.on_fill]
    if core.view.counts_nothing:
        deaf += [core.view.on_submitted, core.view.on_fill]
    algos = core.algos

    def first() -> None:
        core.manager.hush(frozenset())
        core.manager.bind(partial(core.bus.publisher, without=deaf))

    core.manager.bind(partial(core.bus.publisher, without=[*deaf, algos.on_fill, algos.on_order]))
    algos.first = first
    algos.watch = lambda name, wanted: core.runner.tap(name, algos.on_price if wanted else None)
