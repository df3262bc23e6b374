"""The one door by which a strategy's own questions reach the world (``ctx.call``)."""

import inspect
from typing import Any

import anyio.to_thread

from engine.asking import CallRequest


async def ask_outside(request: CallRequest, *, threads: bool) -> tuple[Any, str]:
    """Make one ``ctx.call``: (answer, "") or (None, what it raised). A ``def`` runs in a thread where there are any."""
    function, args = request.function, request.args
    try:
        if inspect.iscoroutinefunction(function):
            return await function(*args), ""
        if threads:
            return await anyio.to_thread.run_sync(function, *args), ""  # dst-ok: live only; the simulation has none
        return function(*args), ""
    except Exception as error:  # what the outside raises is the strategy's to handle
        return None, f"{type(error).__name__}: {error}"
