"""Kill levels, and letting go; reconcile, accept, resolve (RELIABILITY 2.2, 4.4)."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from engine.control.api.cockpit import STATUSES
from engine.control.api.operation import Call, Operation, respond
from engine.control.api.scopes import Scope
from engine.control.api.shapes import Done, Moment, at, done
from engine.runtime.operator_commands import CONFIRM, Accept, Answer, Command, Kill, Reconcile, Resolve, Resume

LatchScope = Annotated[str, Meta(min_length=3, max_length=160, pattern=r"^(all|(account|strategy|symbol):[ -~]+)$")]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]
Seconds = Annotated[float, Meta(ge=1, le=120)]


class LatchView(Struct, frozen=True, kw_only=True):
    """One scope that is stopped. ``level``: 1 reduce, 2 halt, 3 cancel, 4 flatten."""

    scope: str
    level: int
    name: str
    cause: str
    who: str
    at: Moment | None


class KillBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``scope``: ``all``, ``account:ID``, ``strategy:NAME``, ``symbol:INSTRUMENT``."""

    scope: LatchScope
    level: Literal["reduce", "halt", "cancel", "flatten"] = "halt"
    reason: Reason
    confirm: Annotated[str, Meta(max_length=160)] = ""
    """Level flatten: the account's id, typed once more."""


class ResumeBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    scope: LatchScope
    reason: Reason
    confirm: Annotated[str, Meta(max_length=16)] = ""
    """Levels cancel and flatten: the code that the first answer gave."""
    seconds: Seconds = 60.0
    """How long an account may take to reconcile."""


class ReconcileBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: Annotated[str, Meta(max_length=128)] = ""
    """Empty: every account."""
    seconds: Seconds = 60.0


class AcceptBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    account: Annotated[str, Meta(min_length=1, max_length=128)]
    reason: Reason


class ResolveBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    client_id: Annotated[str, Meta(min_length=1, max_length=128)]
    outcome: Annotated[str, Meta(min_length=1, max_length=32)]
    reason: Reason
    filled: Annotated[int, Meta(ge=-1, le=10**12)] = -1
    price: Decimal | None = None


async def latches(call: Call) -> list[LatchView]:
    return [
        LatchView(
            scope=latch.scope,
            level=int(latch.level),
            name=latch.level.name.lower(),
            cause=latch.cause,
            who=latch.who,
            at=at(latch.ts_ns),
        )
        for latch in call.cockpit.core.view.latches.values()
    ]


async def carry_out(call: Call, command: Command) -> Any:
    """The operator's answer, once it is durable, with the status that fits."""
    answer = await call.cockpit.command(command)
    await call.cockpit.settled()
    return respond(call.cockpit, done(answer), STATUSES[answer.exit_code])


def _who(call: Call) -> str:
    assert call.caller is not None
    return call.cockpit.who(call.caller)


async def kill(call: Call) -> Any:
    body: KillBody = call.body
    kind, _, name = body.scope.partition(":")
    if body.level == "flatten" and kind == "account" and body.confirm != name:
        text = f"flatten closes the positions of {name}: type its id once more as confirm"
        return respond(call.cockpit, done(Answer(text=text, exit_code=CONFIRM)), STATUSES[CONFIRM])
    return await carry_out(call, Kill(scope=body.scope, level=body.level, reason=body.reason, who=_who(call)))


async def resume(call: Call) -> Any:
    body: ResumeBody = call.body
    command = Resume(
        scope=body.scope, reason=body.reason, confirm=body.confirm, seconds=body.seconds, who=_who(call)
    )  # fmt: skip
    return await carry_out(call, command)


async def reconcile(call: Call) -> Any:
    body: ReconcileBody = call.body
    return await carry_out(call, Reconcile(account=body.account, seconds=body.seconds, who=_who(call)))


async def accept(call: Call) -> Any:
    body: AcceptBody = call.body
    return await carry_out(call, Accept(account=body.account, reason=body.reason, who=_who(call)))


async def resolve(call: Call) -> Any:
    body: ResolveBody = call.body
    command = Resolve(
        client_id=body.client_id,
        outcome=body.outcome,
        reason=body.reason,
        filled=body.filled,
        price=body.price,
        who=_who(call),
    )
    return await carry_out(call, command)


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/latches",
        scope=Scope.READ,
        act=latches,
        summary="What is stopped, at which level, by whom and why",
        answer=list[LatchView],
    ),
    Operation(
        method="POST",
        path="/api/kill",
        scope=Scope.RISK_SET,
        act=kill,
        summary="Raise a kill level of a scope; only a person lowers it",
        body=KillBody,
        answer=Done,
        statuses=(409, 428),
    ),
    Operation(
        method="POST",
        path="/api/resume",
        scope=Scope.RISK_RESET,
        act=resume,
        summary="Let a scope go, if the cause is gone and its accounts reconcile",
        body=ResumeBody,
        answer=Done,
        statuses=(409, 428),
    ),
    Operation(
        method="POST",
        path="/api/reconcile",
        scope=Scope.RISK_SET,
        act=reconcile,
        summary="Read accounts now and compare them with our book",
        body=ReconcileBody,
        answer=Done,
        statuses=(409,),
    ),
    Operation(
        method="POST",
        path="/api/accept",
        scope=Scope.RISK_RESET,
        act=accept,
        summary="Book what nothing explains as EXTERNAL and free the account",
        body=AcceptBody,
        answer=Done,
        statuses=(409,),
    ),
    Operation(
        method="POST",
        path="/api/resolve",
        scope=Scope.RISK_RESET,
        act=resolve,
        summary="Say what became of an order or instruction that nobody else can decide",
        body=ResolveBody,
        answer=Done,
        statuses=(409,),
    ),
)
