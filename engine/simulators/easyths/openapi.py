"""The OpenAPI document of the face: every route, with what it really answers (contracts/easyths.md 1 and 2)."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from engine.simulators.easyths.catalog import Entry, operations
from engine.simulators.easyths.messages import Generation

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_TIME: Schema = {"type": "string", "description": "Naive local time of the server; no fraction where it is zero."}
_ANYTHING: Schema = {}
_STATUS: Schema = {"type": "string", "enum": ["queued", "running", "completed", "failed"]}


@cache
def document(generation: Generation) -> Schema:
    """The whole document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "同花顺交易自动化API",
            "description": "提供同花顺交易软件自动化操作接口 (simulated: contracts/easyths.md)",
            "version": "1.0.0",
        },
        "paths": _paths(generation),
        "components": {
            "schemas": _schemas(generation),
            "securitySchemes": {"HTTPBearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"HTTPBearer": []}, {}],
    }


def _paths(generation: Generation) -> Schema:
    system, operation = "/api/v1/system", "/api/v1/operations"
    known = operations(generation)
    return {
        "/": {"get": _route("根路径", "系统", {"200": _json("No envelope.", _ref("Root"))})},
        f"{system}/health": {"get": _route("健康检查", "系统", _enveloped("Health"))},
        f"{system}/status": {"get": _route("获取系统详细状态", "系统", _enveloped("System"))},
        f"{system}/info": {"get": _route("获取系统信息", "系统", _enveloped("Info"))},
        f"{operation}/": {"get": _route("获取所有可用操作", "操作", _enveloped("Listing"))},
        f"{operation}/{{operation_name}}": {"post": _submit(known)},
        f"{operation}/{{operation_id}}": {"delete": _cancel()},
        f"{operation}/{{operation_id}}/status": {"get": _status(generation)},
        f"{operation}/{{operation_id}}/result": {"get": _result(generation)},
        "/api/v1/queue/stats": {"get": _route("获取队列统计信息", "队列", _enveloped("Stats"))},
    }


def _submit(known: dict[str, Entry]) -> Schema:
    name = {
        "name": "operation_name",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": list(known)},
    }
    lines = [f"* `{entry.name}`: {entry.description}. params: {_params(entry)}" for entry in known.values()]
    told = "Params are checked when the operation runs, not here.\n\n" + "\n".join(lines)
    answers = _enveloped("Submitted") | {
        "404": _json("No such operation.", _ref("Detail")),
        "422": _json("The body is not of this form.", _ref("Unprocessable")),
        "500": {
            "description": "Queue full (JSON), or the rate limit and unhandled faults (text).",
            "content": {"application/json": {"schema": _ref("Detail")}, "text/plain": {"schema": _TEXT}},
        },
    }
    body = {"required": True, "content": {"application/json": {"schema": _ref("Submission")}}}
    return _route("执行操作", "操作", answers, [name], description=told) | {"requestBody": body}


def _params(entry: Entry) -> str:
    words = [f"{name}{'' if details['required'] else '?'}" for name, details in entry.parameters.items()]
    return ", ".join(words) or "none"


def _cancel() -> Schema:
    answers = _enveloped("Nothing") | {"404": _json("Unknown, running, finished or cancelled.", _ref("Detail"))}
    return _route("取消操作", "操作", answers, [_id()], description="Queued operations only.")


def _status(generation: Generation) -> Schema:
    answers: Schema = {"404": _json("No such operation.", _ref("Detail"))}
    if generation == "old":
        answers |= {"500": _text("Always, for a known operation.")}
    else:
        answers |= _enveloped("Followed") | {"500": _text("The result can not be serialised.")}
    return _route("获取操作状态", "操作", answers, [_id()])


def _result(generation: Generation) -> Schema:
    timeout = {
        "name": "timeout",
        "in": "query",
        "required": False,
        "schema": {"type": "number"},
        "description": "Seconds; 0 and less answer at once. Without it an unknown id blocks the server for ever.",
    }
    body = _json("The bare result.", _ref("Result")) if generation == "new" else _enveloped("Carried")["200"]
    answers = {
        "200": body,
        "408": _json("Not finished in time, or unknown.", _ref("Detail")),
        "422": _json("The timeout is no number.", _ref("Unprocessable")),
        "500": _text("The result can not be serialised."),
    }
    told = "The whole server waits with it, and goes on when the caller has left."
    return _route("获取操作结果（阻塞等待）", "操作", answers, [_id(), timeout], description=told)


def _schemas(generation: Generation) -> Schema:
    listed = _object(
        name=_TEXT, version=_TEXT, description=_TEXT, author=_TEXT, operation_name=_TEXT, parameters={"type": "object"}
    )
    flag: Schema = {"type": "boolean"}
    plugins = {"type": "array", "items": _TEXT}
    counted = ("total_processed", "total_failed", "total_success", "queue_size")
    late = ("running_count", "completed_count", "queued_count")
    automator = _object(connected=flag, app_path=_TEXT, backend=_TEXT)
    told = _object(loaded_plugins=plugins, plugin_count=_WHOLE, plugin_details={"type": "object"})
    health = _object(automator=_TEXT, plugins=_object(loaded=_WHOLE))
    data = {
        "Nothing": {"type": "null"},
        "Health": _object(status=_TEXT, timestamp=_TIME, components=health),
        "System": _object(timestamp=_TIME, automator=automator, plugins=told),
        "Info": _object(name=_TEXT, version=_TEXT, description=_TEXT, features=plugins),
        "Listing": _object(operations={"type": "object", "additionalProperties": listed}, count=_WHOLE),
        "Submitted": _object(operation_id=_TEXT, status=_STATUS, queue_position=_WHOLE),
        "Followed": _object(
            operation_id=_TEXT,
            name=_TEXT,
            status=_STATUS,
            result={"anyOf": [_ref("Result"), {"type": "null"}]},
            error={"type": "null"},
            timestamp=_TIME,
        ),
        "Carried": _object(operation_id=_TEXT, result=_ref("Result")),
        "Stats": _object(**dict.fromkeys(counted, _WHOLE), processing=flag, **dict.fromkeys(late, _WHOLE)),
    }
    if generation == "old":
        result = _object(success=flag, data=_ANYTHING, error={"type": ["string", "null"]}, timestamp=_TIME)
    else:
        result = _object(success=flag, data=_ANYTHING, message={"type": ["string", "null"]}, timestamp=_TIME)
    more = {"error": {"type": "null"}} if generation == "old" else {}
    envelopes = {
        f"{name}Reply": _object(success=flag, message=_TEXT, data=_ref(name), **more, timestamp=_TIME) for name in data
    }
    return data | envelopes | {"Result": result} | _fixed()


def _fixed() -> Schema:
    priority = {"type": "integer", "minimum": 0, "maximum": 10, "default": 0}
    submission = {
        "type": "object",
        "properties": {"params": {"type": "object", "default": {}}, "priority": priority},
        "examples": [{"params": {"stock_code": "600000", "price": 10.5, "quantity": 100}, "priority": 5}],
    }
    reason = _object(type=_TEXT, loc={"type": "array"}, msg=_TEXT, input=_ANYTHING)
    return {
        "Root": _object(message=_TEXT, version=_TEXT, docs=_TEXT),
        "Submission": submission,
        "Detail": _object(detail=_TEXT),
        "Unprocessable": _object(detail={"type": "array", "items": reason}),
        "Denied": _object(error=_TEXT, message=_TEXT, detail=_TEXT),
        "Elsewhere": _object(error=_TEXT, message=_TEXT, ip=_TEXT),
    }


def _route(
    summary: str, tag: str, answers: Schema, parameters: Iterable[Schema] = (), *, description: str = ""
) -> Schema:
    known = {
        "401": _json("No key, or a wrong one.", _ref("Denied")),
        "403": _json("The address is not on the white list.", _ref("Elsewhere")),
        "500": _text("The rate limit, or an unhandled fault."),
    }
    route: Schema = {"summary": summary, "tags": [tag], "responses": dict(sorted((known | answers).items()))}
    if description:
        route["description"] = description
    return route | ({"parameters": list(parameters)} if parameters else {})


def _enveloped(name: str) -> Schema:
    return {"200": _json("Successful Response", _ref(f"{name}Reply"))}


def _json(told: str, schema: Schema) -> Schema:
    return {"description": told, "content": {"application/json": {"schema": schema}}}


def _text(told: str) -> Schema:
    return {"description": told, "content": {"text/plain": {"schema": _TEXT}}}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _id() -> Schema:
    return {"name": "operation_id", "in": "path", "required": True, "schema": _TEXT}
