"""``/metrics`` for Prometheus."""

from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from engine.control.api.operation import NO_STORE, Call, Operation
from engine.control.api.scopes import Scope
from engine.control.metrics import exposition

TEXT = CONTENT_TYPE_LATEST


async def metrics(call: Call) -> Any:
    body = call.cockpit.kept("metrics", lambda: exposition(call.cockpit))
    return Response(body, media_type=TEXT, headers=NO_STORE)


OPERATIONS = (
    Operation(
        method="GET",
        path="/metrics",
        scope=Scope.READ,
        act=metrics,
        summary="Metrics in the text format of Prometheus",
        answer=str,
        media=TEXT,
    ),
)
