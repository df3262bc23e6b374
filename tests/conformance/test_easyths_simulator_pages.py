"""The simulated EasyTHS server documents itself: pages that load nothing from elsewhere, a document that is true."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from engine.simulators.easyths.pages import FILES, FOREIGN_LOGO, shipped
from tests.easyths_simulator_builders import OPERATIONS, ServerAtHand

GENERATIONS = ("new", "old")
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def breaches(schema: dict[str, Any], value: Any, document: dict[str, Any], place: str = "$") -> Iterator[str]:
    """Where a value is not as its schema says: the part of JSON Schema that the document uses, unknown fields too."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from breaches(document["components"]["schemas"][name], value, document, place)
        return
    if "anyOf" in schema:
        found = [list(breaches(one, value, document, place)) for one in schema["anyOf"]]
        if all(found):
            yield f"{place}: none of {len(found)}"
        return
    kinds = schema.get("type")
    if kinds is None:
        return
    named = [kinds] if isinstance(kinds, str) else kinds
    if not any(isinstance(value, TYPES[kind]) for kind in named) or (
        isinstance(value, bool) and "boolean" not in named
    ):
        yield f"{place}: {value!r} is no {kinds}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {schema['enum']}"
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        yield from (f"{place}: {name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, inner in value.items():
            if name in properties:
                yield from breaches(properties[name], inner, document, f"{place}.{name}")
            elif isinstance(schema.get("additionalProperties"), dict):
                yield from breaches(schema["additionalProperties"], inner, document, f"{place}.{name}")
            elif properties:
                yield f"{place}: {name} is not in the document"
    if isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            yield from breaches(schema["items"], inner, document, f"{place}[{number}]")


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_a_page_loads_nothing_from_elsewhere(path: str) -> None:
    """Every address in it is a path of ours that is served, and the browser is told to ask nobody else."""
    server = ServerAtHand(api_key="secret")
    page = await server.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "http" not in page.text.replace("http-equiv", "")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert not re.search(r"\*|https?:", policy)
    loaded = re.findall(r'(?:src|href|spec-url|url)(?:=|: )"([^"]+)"', page.text)
    assert "/openapi.json" in loaded
    assert len(loaded) >= 3
    for address in loaded:
        assert (await server.get(address)).status_code == 200, address


async def test_the_files_are_the_package_s_but_for_one_logo() -> None:
    """Served with their types; an unknown one is not found; ReDoc's picture of its maker comes from us as well."""
    server = ServerAtHand()
    for name, kind in FILES.items():
        response = await server.get(f"/static-offline-docs/{name}")
        assert (response.status_code, response.headers["content-type"]) == (200, kind)
        assert response.content == shipped(name)
    assert (await server.get("/static-offline-docs/nothing.js")).status_code == 404
    assert FOREIGN_LOGO not in shipped("redoc.standalone.js")
    assert b"/static-offline-docs/favicon.png" in shipped("redoc.standalone.js")
    assert len(shipped("swagger-ui-bundle.js")) > 1_000_000


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_the_document_has_every_route_and_no_other(generation: str) -> None:
    """Paths, methods, and the operations a generation offers."""
    server = ServerAtHand(generation=generation)
    document = (await server.get("/openapi.json")).json()
    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    served = {
        (route.path.replace("{name}", "{operation_name}"), method)
        for route in server.app.routes
        for method in route.methods
        if not route.path.startswith(("/docs", "/redoc", "/openapi", "/static"))
    }
    assert described == served
    names = document["paths"][f"{OPERATIONS}/{{operation_name}}"]["post"]["parameters"][0]["schema"]["enum"]
    assert sorted(names) == sorted(server.venue.operations)


@pytest.mark.parametrize("generation", GENERATIONS)
async def test_every_answer_is_as_the_document_says(generation: str) -> None:
    """Each route, good and bad: its status is listed, its body fits the schema, nothing is in it that is not."""
    server = ServerAtHand(generation=generation, api_key="k")
    document = (await server.get("/openapi.json")).json()
    key = {"authorization": "Bearer k"}
    one = (await server.client.post(f"{OPERATIONS}/funds_query", json={}, headers=key)).json()["data"]["operation_id"]
    two = (await server.client.post(f"{OPERATIONS}/buy", json={}, headers=key)).json()["data"]["operation_id"]
    calls = [
        ("GET", "/", "/"),
        *[("GET", f"/api/v1/system/{name}", f"/api/v1/system/{name}") for name in ("health", "status", "info")],
        ("GET", f"{OPERATIONS}/", f"{OPERATIONS}/"),
        ("GET", "/api/v1/queue/stats", "/api/v1/queue/stats"),
        ("POST", f"{OPERATIONS}/funds_query", f"{OPERATIONS}/{{operation_name}}"),
        ("POST", f"{OPERATIONS}/nothing", f"{OPERATIONS}/{{operation_name}}"),
        ("DELETE", f"{OPERATIONS}/{two}", f"{OPERATIONS}/{{operation_id}}"),
        ("DELETE", f"{OPERATIONS}/{two}", f"{OPERATIONS}/{{operation_id}}"),
        ("GET", f"{OPERATIONS}/{two}/status", f"{OPERATIONS}/{{operation_id}}/status"),
        ("GET", f"{OPERATIONS}/x/status", f"{OPERATIONS}/{{operation_id}}/status"),
        ("GET", f"{OPERATIONS}/{two}/result?timeout=0", f"{OPERATIONS}/{{operation_id}}/result"),
        ("WAIT", "", ""),
        ("GET", f"{OPERATIONS}/{one}/status", f"{OPERATIONS}/{{operation_id}}/status"),
        ("GET", f"{OPERATIONS}/{one}/result?timeout=0", f"{OPERATIONS}/{{operation_id}}/result"),
        ("GET", f"{OPERATIONS}/{one}/result?timeout=x", f"{OPERATIONS}/{{operation_id}}/result"),
    ]
    seen = set()
    for method, path, template in calls:
        if method == "WAIT":
            server.wait(10)
            continue
        for headers in (key, {}):
            body = {"json": {}} if method == "POST" else {}
            response = await server.client.request(method, path, headers=headers, **body)
            listed = document["paths"][template][method.lower()]["responses"][str(response.status_code)]
            kind = response.headers["content-type"].partition(";")[0]
            value = response.json() if kind == "application/json" else response.text
            assert not list(breaches(listed["content"][kind]["schema"], value, document)), (path, value)
            seen.add(response.status_code)
    assert seen == {200, 401, 404, 408, 422} | ({500} if generation == "old" else set())
