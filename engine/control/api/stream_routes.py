"""The stream of events."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.control.api.operation import Call, Operation
from engine.control.api.problems import Problem
from engine.control.api.scopes import Scope
from engine.control.api.streams import DEFAULT, EVENT_STREAM, TOPICS, EventStream


class StreamQuery(Struct, frozen=True, forbid_unknown_fields=True):
    topics: Annotated[str, Meta(max_length=256)] = ""
    """With commas between them; empty: all but ``records``."""


async def stream(call: Call) -> Any:
    words = [word.strip() for word in call.query.topics.split(",") if word.strip()]
    for word in words:
        if word not in TOPICS:
            raise Problem(400, "topics", f"there is no topic {word!r}; there are: {', '.join(TOPICS)}")
    streams = call.cockpit.streams
    if call.request.method == "HEAD":
        raise Problem(405, "method", "a stream is read with GET")
    return EventStream(streams, streams.join(frozenset(words) or DEFAULT))


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/stream",
        scope=Scope.READ,
        act=stream,
        summary="Server-Sent Events: prices, orders, fills, denials, accounts, alerts, as they happen",
        query=StreamQuery,
        answer=str,
        media=EVENT_STREAM,
    ),
)
