"""How each generation words a result, a status and the state of the server (contracts/easyths.md 2 and 3)."""

from collections.abc import Mapping
from typing import Any

from engine.simulators.easyths.messages import Generation, Result, Unserialisable, local_text
from engine.simulators.easyths.queue import Operation, OperationQueue, Status

_SAID_INSIDE = frozenset({"buy", "sell", "condition_buy", "stop_loss_profit", "order_cancel", "reverse_repo_buy"})
_DATED = frozenset({"order_query", "historical_commission_query"})
_OPERATION = {
    "buy": "buy",
    "sell": "buy",
    "condition_buy": "condition_buy",
    "stop_loss_profit": "stop_loss_profit",
}
"""``operation`` of OLD's data: a sale calls itself a purchase."""
_LISTS = {
    "holding_query": "holdings",
    "condition_order_query": "condition_orders",
    "reverse_repo_query": "reverse_repo_interest",
}


def result_body(name: str, result: Result, generation: Generation, timezone: str) -> dict[str, Any]:
    """A result as it stands in a status (NEW) and in the answer of ``/result``.

    Raises:
        Unserialisable: no JSON can be made of it.
    """
    if not result.readable:
        raise Unserialisable
    said = local_text(result.ts_ns, timezone)
    if generation == "new":
        return {"success": result.success, "data": result.data, "message": result.message, "timestamp": said}
    data = None if result.hard else _old_data(name, result, said)
    error = result.message if result.hard else None
    return {"success": result.success, "data": data, "error": error, "timestamp": said}


def _old_data(name: str, result: Result, said: str) -> Any:
    """Reason and message sit inside the data."""
    verdict: dict[str, Any] = {"success": result.success}
    message = {"message": result.message}
    if name in _LISTS:
        rows = result.data
        if name == "condition_order_query" and rows == {}:
            rows = []
        told = {} if name == "holding_query" else message
        return {_LISTS[name]: rows} | told | {"timestamp": said} | verdict
    data: dict[str, Any] = dict(result.data) if isinstance(result.data, Mapping) else {}
    if name in _SAID_INSIDE:
        operation = {"operation": _OPERATION[name]} if name in _OPERATION else {}
        return data | operation | verdict | message
    if name in _DATED:
        return data | {"timestamp": said} | verdict
    if name == "funds_query":
        return data | {"timestamp": result.ts_ns / 1e9} | verdict
    return data | message | {"timestamp": said} | verdict


def status_body(operation: Operation, timezone: str, *, as_documented: bool) -> dict[str, Any]:
    """``data`` of a status in NEW; ``error`` is always null there.

    Raises:
        Unserialisable: its result is none that JSON can be made of.
    """
    word = operation.status.value
    if as_documented and operation.status is Status.COMPLETED:
        word = "success"
    result = operation.result
    return {
        "operation_id": operation.id,
        "name": operation.name,
        "status": word,
        "result": None if result is None else result_body(operation.name, result, "new", timezone),
        "error": None,
        "timestamp": local_text(operation.changed_ns, timezone),
    }


def stats_body(queue: OperationQueue, *, as_documented: bool) -> dict[str, Any]:
    """``data`` of the queue's statistics."""
    counts = queue.counts
    body = {
        "total_processed": counts.processed,
        "total_failed": counts.failed,
        "total_success": counts.succeeded,
        "queue_size": counts.queue_size,
        "processing": True,
        "running_count": int(queue.running is not None),
        "completed_count": counts.processed,
        "queued_count": queue.queued,
    }
    if as_documented:
        body |= {"success_count": counts.succeeded, "failed_count": counts.failed}
    return body
