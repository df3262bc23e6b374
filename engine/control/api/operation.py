"""One route as data: method, path, scope, what it takes and gives. Routes, document and tests are made from these."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.control.api import strict_json
from engine.control.api.access import Caller
from engine.control.api.problems import Problem
from engine.control.api.scopes import Scope
from engine.domain.errors import ConfigError, DataError, JournalError

if TYPE_CHECKING:
    from engine.control.api.cockpit import Cockpit

JSON = "application/json"
NO_STORE = {"cache-control": "no-store"}


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No query, no body."""


class Call(Struct, frozen=True, kw_only=True):
    """One request that is in order."""

    cockpit: "Cockpit"
    caller: Caller | None
    """None on a route that is open to everybody."""
    query: Any
    body: Any
    path: dict[str, str]
    request: Request


Act = Callable[[Call], Awaitable[Any]]


class Operation(Struct, frozen=True, kw_only=True):
    """``act`` gives a value that has a JSON form, or a response of its own.

    An operation with a ``body`` changes something; what it decided is durable before it is answered.
    """

    method: str
    path: str
    scope: Scope | None
    """None: open to everybody."""
    act: Act
    summary: str
    answer: Any
    """Type of the answer, for the document."""
    query: type[Struct] = Nothing
    body: type[Struct] | None = None
    media: str = JSON
    statuses: tuple[int, ...] = ()
    """Other answers besides the ones every route may give."""

    @property
    def name(self) -> str:
        """``get_orders_client_id``."""
        words = "_".join(part.strip("{}").replace("-", "_") for part in self.path.split("/") if part)
        return f"{self.method.lower()}_{words.partition(':')[0]}"

    def route(self, cockpit: "Cockpit") -> Route:
        async def endpoint(request: Request) -> Response:
            status = 500
            try:
                answer = await self._answer(cockpit, request)
                status = answer.status_code
            except Problem as problem:
                status = problem.status
                raise
            finally:
                cockpit.counted(self.name, status)
            return answer

        return Route(self.path, endpoint, methods=[self.method], name=self.name)

    async def _answer(self, cockpit: "Cockpit", request: Request) -> Response:
        caller = None
        if self.scope is not None:
            address = request.client.host if request.client else "?"
            caller = cockpit.access.admit(request.headers.get("authorization", ""), address, self.scope)
        call = Call(
            cockpit=cockpit,
            caller=caller,
            query=_query_of(request, self.query),
            body=None if self.body is None else await _body_of(request, self.body),
            path=dict(request.path_params),
            request=request,
        )
        try:
            answer = await self.act(call)
            if self.body is not None:
                await cockpit.settled()
        except JournalError as error:
            raise Problem(503, "journal", f"the journal failed: {error}") from None
        except (ConfigError, DataError) as error:
            raise Problem(422, "value", str(error)) from None
        return answer if isinstance(answer, Response) else respond(cockpit, answer)


def respond(cockpit: "Cockpit", answer: Any, status: int = 200) -> Response:
    """JSON with nothing secret in it."""
    return Response(
        cockpit.redactor.clean(msgspec.json.encode(answer)), status_code=status, media_type=JSON, headers=NO_STORE
    )


def _query_of(request: Request, kind: type[Struct]) -> Any:
    pairs = request.query_params.multi_items()
    given = dict(pairs)
    if len(given) != len(pairs):
        raise Problem(400, "query", "a name is twice in the query")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Problem(400, "query", f"the query is not understood: {error}") from None


async def _body_of(request: Request, kind: type[Struct]) -> Any:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != JSON:
        raise Problem(415, "media", f"the body must be {JSON}")
    try:
        return msgspec.convert(strict_json.read(await request.body()), kind)
    except msgspec.ValidationError as error:
        raise Problem(422, "body", f"the body is not understood: {error}") from None
    except (ValueError, RecursionError) as error:
        raise Problem(400, "json", f"the body is not read: {error}") from None
