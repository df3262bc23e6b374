"""The OpenAPI document, made from the operations."""

from collections.abc import Sequence
from typing import Any

import msgspec

from engine.control.api.operation import JSON, Operation
from engine.control.api.shapes import Refusal

REF = "#/components/schemas/{name}"
WORDS = {
    200: "Done", 400: "Not understood", 401: "No good token", 403: "The token lacks the scope, or a foreign page asks",
    404: "Not there", 408: "The body came too slowly", 409: "The answer is no", 413: "Too large",
    415: "The body is not JSON", 421: "Not a name of this server", 422: "A value can not be used",
    428: "Say it once more with the code", 429: "Too often", 501: "Not here", 503: "Not now",
    504: "It took too long",
}  # fmt: skip
ALWAYS = (400, 421, 403)
GUARDED = (401, 429, 503)
WITH_BODY = (408, 413, 415, 422)
ANSWERED = frozenset({409, 428})
"""Statuses with which an operation gives its own answer instead of a refusal; 422 may be either."""


def document(operations: Sequence[Operation], *, version: str) -> dict[str, Any]:
    """OpenAPI 3.1, as plain values."""
    kinds: list[Any] = [Refusal]
    for operation in operations:
        kinds += [kind for kind in (operation.query, operation.body) if kind is not None]
        if operation.media == JSON:
            kinds.append(operation.answer)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
    of = dict(zip(map(repr, kinds), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, of, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sluice control API", "version": version, "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "sluice_<id>_<secret>"}},
        },
    }


DESCRIPTION = (
    "What a run shows and takes. Money is text; moments are ISO 8601 UTC with nanoseconds as text beside them; null is "
    "not known. Each operation needs the scope in x-scope."
)


def _described(operation: Operation, of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.path.split("/")[2] if operation.path.startswith("/api/") else "engine"],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation, of, components)],
        "responses": _responses(operation, of),
    }
    if operation.scope is not None:
        found["security"] = [{"token": []}]
        found["x-scope"] = str(operation.scope)
    if operation.body is not None:
        content = {JSON: {"schema": of[repr(operation.body)]}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _responses(operation: Operation, of: dict[str, Any]) -> dict[str, Any]:
    refusal = of[repr(Refusal)]
    own = {"type": "string"} if operation.media != JSON else of[repr(operation.answer)]
    statuses = [200, *ALWAYS, *operation.statuses]
    statuses += GUARDED if operation.scope is not None else ()
    statuses += WITH_BODY if operation.body is not None else ()
    found = {}
    for status in dict.fromkeys(sorted(statuses)):
        schema, media = refusal, JSON
        if status == 200:
            schema, media = own, operation.media.partition(";")[0]
        elif operation.body is not None and status in (*ANSWERED, 422):
            schema = {"anyOf": [own, refusal]}
        elif operation.scope is None and status in operation.statuses:
            schema = own
        found[str(status)] = {"description": WORDS[status], "content": {media: {"schema": schema}}}
    return found


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1].partition(":")[0] for part in operation.path.split("/") if part.startswith("{")]
    schema = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[^/]+$"}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _query_parameters(operation: Operation, of: dict[str, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    shape = components[of[repr(operation.query)]["$ref"].rpartition("/")[2]]
    required = shape.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in shape.get("properties", {}).items()
    ]
