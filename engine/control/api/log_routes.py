"""The last lines of the log."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.control.api.account_routes import Limit
from engine.control.api.operation import Call, Operation
from engine.control.api.scopes import Scope


class LogQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Lines with ``text`` somewhere in them."""

    limit: Limit = 100
    order: Annotated[str, Meta(max_length=128)] = ""
    """Of one order."""
    text: Annotated[str, Meta(max_length=128)] = ""


async def logs(call: Call) -> list[dict[str, Any]]:
    asked: LogQuery = call.query
    found = [
        line
        for line in list(call.cockpit.session.log.recent)
        if (not asked.order or line.get("order") == asked.order)
        and (not asked.text or any(asked.text in str(value) for value in line.values()))
    ]
    return found[-asked.limit :]


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/logs",
        scope=Scope.READ,
        act=logs,
        summary="The last lines of the log (of 1 000 that are kept at hand), the oldest first",
        query=LogQuery,
        answer=list[dict[str, Any]],
    ),
)
