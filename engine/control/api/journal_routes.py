"""The journal, page by page, and the run's alerts."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from engine.control.api.account_routes import Limit
from engine.control.api.journal_reading import Wanted, read
from engine.control.api.operation import Call, Operation
from engine.control.api.scopes import Scope
from engine.control.api.shapes import Moment, at, portable

Seq = Annotated[int, Meta(ge=0, lt=2**53)]


class JournalQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Records behind ``after`` and in front of ``before``, of a ``kind``, with ``text`` somewhere in them."""

    after: Seq = 0
    before: Seq = 0
    kind: Annotated[str, Meta(max_length=32)] = ""
    text: Annotated[str, Meta(max_length=128)] = ""
    order: Literal["newest", "oldest"] = "newest"
    limit: Limit = 100


class RecordView(Struct, frozen=True, kw_only=True):
    seq: int
    kind: str
    at: Moment | None
    record: dict[str, Any]


class JournalPage(Struct, frozen=True, kw_only=True):
    records: list[RecordView]
    more: bool
    durable_seq: int
    next_seq: int


class AlertView(Struct, frozen=True, kw_only=True):
    about: str
    text: str
    at: Moment | None


class AlertQuery(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Limit = 100


async def journal(call: Call) -> JournalPage:
    asked: JournalQuery = call.query
    wanted = Wanted(
        text=asked.text,
        kind=asked.kind,
        after=asked.after,
        before=asked.before,
        limit=asked.limit,
        newest_first=asked.order == "newest",
    )
    page = await read(call.cockpit, wanted)
    written = call.cockpit.run.journal
    return JournalPage(
        records=[record_view(seq, record) for seq, record in page.records],
        more=page.more,
        durable_seq=written.durable_seq,
        next_seq=written.next_seq,
    )


def record_view(seq: int, record: Any) -> RecordView:
    return RecordView(seq=seq, kind=type(record).__struct_config__.tag, at=at(record.ts_ns), record=portable(record))


async def alerts(call: Call) -> list[AlertView]:
    found = list(call.cockpit.session.seen.alerts)[-call.query.limit :]
    return [AlertView(about=alert.about, text=alert.text, at=at(alert.ts_ns)) for alert in reversed(found)]


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/journal",
        scope=Scope.READ,
        act=journal,
        summary="Records of the journal, a page at a time; at most 500 and 2 seconds a page",
        query=JournalQuery,
        answer=JournalPage,
        statuses=(504,),
    ),
    Operation(
        method="GET",
        path="/api/alerts",
        scope=Scope.READ,
        act=alerts,
        summary="What a person should have looked at in this run, the newest first",
        query=AlertQuery,
        answer=list[AlertView],
    ),
)
