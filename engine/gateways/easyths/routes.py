"""Every endpoint and operation by name, for ``call`` and ``ctx.query``: key=value texts in, plain JSON values out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from engine.domain.errors import ConfigError
from engine.gateways.easyths.client import OPERATIONS as OPERATIONS_PATH
from engine.gateways.easyths.client import QUEUE, SYSTEM, EasythsClient
from engine.gateways.easyths.messages import Finished
from engine.gateways.easyths.operations import OPERATIONS, Operation, body_of, params_from_text, values_from_texts
from engine.gateways.easyths.reading import table_of
from engine.gateways.easyths.rows import CODE
from engine.gateways.easyths.tables import Row, code_of_cell
from engine.gateways.named_routes import Args, Route, call_named

PRIORITY_MAX = 10
RESULT_MAX_SECONDS = 2.0


class EasythsArgs(Args):
    """Readers of words only this gateway takes."""

    def given(self) -> Mapping[str, str]:
        return self._texts

    def operation_id(self) -> str:
        given = self.text("operation_id")
        if not given.replace("-", "").isalnum() or not given.isascii():
            raise ConfigError(f"{self._route}: operation_id={given!r} is none; take it from a submit's answer")
        return given

    def seconds(self) -> str:
        given = self.text("timeout", "1")
        try:
            fits = 0 < float(given) <= RESULT_MAX_SECONDS
        except ValueError:
            fits = False
        if not fits:
            raise ConfigError(
                f"{self._route}: timeout={given!r}; write above 0 and up to {RESULT_MAX_SECONDS:g} seconds, as the "
                "server answers nobody else meanwhile"
            )
        return given

    def priority(self) -> int:
        given = self.whole("priority")
        if not 0 <= given <= PRIORITY_MAX:
            raise ConfigError(f"{self._route}: priority={given}; write 0 to {PRIORITY_MAX}")
        return given


def _get(path: str, text: str) -> Route[EasythsClient, EasythsArgs]:
    return Route(path=f"GET {path}", text=text, run=lambda c, _: c.plain("GET", path))


async def _submit(client: EasythsClient, args: EasythsArgs) -> Any:
    name = args.text("operation_name")
    body = body_of(name, params_from_text(args.text("params")), newer=client.is_newer, priority=args.priority())
    return await client.submit(name, body, changes=OPERATIONS[name].changes)


def _run(operation: Operation) -> Callable[[EasythsClient, EasythsArgs], Awaitable[Any]]:
    async def run(client: EasythsClient, args: EasythsArgs) -> Any:
        given = values_from_texts(operation.name, args.given())
        finished = await client.operate(operation.name, given, changes=operation.changes)
        return _shown(operation, finished)

    return run


def _shown(operation: Operation, finished: Finished) -> dict[str, Any]:
    """What it said, tables as rows whatever their form."""
    data = finished.data
    if operation.table and finished.success:
        rows = [_restored(row) for row in table_of(operation.name, data)]
        others = data if isinstance(data, dict) and operation.table in data else {}
        data = {**others, operation.table: rows}
    return {"success": finished.success, "message": finished.message, "data": data}


def _restored(row: Row) -> Row:
    """A code with the zeros it lost on the way."""
    return {name: code_of_cell(cell, name) if name in CODE else cell for name, cell in row.items()}


def _route(operation: Operation) -> Route[EasythsClient, EasythsArgs]:
    return Route(
        path=f"POST {OPERATIONS_PATH}/{operation.name}",
        text=operation.text,
        run=_run(operation),
        needs=tuple(p.name for p in operation.takes if p.needed),
        takes=tuple(p.name for p in operation.takes if not p.needed),
        changes=operation.changes,
    )


ROUTES: Mapping[str, Route[EasythsClient, EasythsArgs]] = {
    "health": _get(f"{SYSTEM}/health", "whether the server found the trading client when it started"),
    "status": _get(f"{SYSTEM}/status", "the trading client's path and the loaded operations"),
    "info": _get(f"{SYSTEM}/info", "what the server says of itself; its version is no release"),
    "root": _get("/", "name and version"),
    "operations": _get(f"{OPERATIONS_PATH}/", "the operations there are and what they take"),
    "submit": Route(path=f"POST {OPERATIONS_PATH}/{{operation_name}}", run=_submit,
                    text="put an operation in the queue and do not wait; past our own risk checks",
                    needs=("operation_name",), takes=("params", "priority"), changes=True),
    "operation_status": Route(path=f"GET {OPERATIONS_PATH}/{{operation_id}}/status", needs=("operation_id",),
                              text="where an operation stands (newer servers)",
                              run=lambda c, a: c.plain("GET", f"{OPERATIONS_PATH}/{a.operation_id()}/status")),
    "operation_result": Route(path=f"GET {OPERATIONS_PATH}/{{operation_id}}/result", needs=("operation_id",),
                              takes=("timeout",), text="an operation's result; blocks the server for up to timeout",
                              run=lambda c, a: c.plain("GET", f"{OPERATIONS_PATH}/{a.operation_id()}/result",
                                                       {"timeout": a.seconds()})),
    "operation_cancel": Route(path=f"DELETE {OPERATIONS_PATH}/{{operation_id}}", needs=("operation_id",),
                              text="take an operation out of the queue, if it still waits there",
                              run=lambda c, a: c.plain("DELETE", f"{OPERATIONS_PATH}/{a.operation_id()}"),
                              changes=True),
    "queue_stats": _get(f"{QUEUE}/stats", "what waits, what runs, what was done"),
    **{operation.name: _route(operation) for operation in OPERATIONS.values()},
}  # fmt: skip


async def call_route(client: EasythsClient, gateway: str, route: str, args: Mapping[str, str]) -> Any:
    """See ``Gateway.call``."""
    return await call_named(ROUTES, EasythsArgs, client, gateway, route, args)
