"""Pages: the dashboard at ``/``, its files, ``/docs`` and ``/openapi.json``: nothing secret, so no token.

The dashboard is whatever files stand in ``engine/control/dashboard``; an API without them says so. Swagger UI comes
from the package ``fastapi-offline``, whose files are found, not imported, and ask nobody else's server.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engine.control.api.edge import OWN_ONLY
from engine.control.api.operation import NO_STORE
from engine.control.api.problems import Problem

DASHBOARD = Path(__file__).resolve().parents[1] / "dashboard"
MEDIA = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".json": "application/json",
    ".woff2": "font/woff2", ".webmanifest": "application/manifest+json", ".map": "application/json",
}  # fmt: skip
FILE_BYTES_MAX = 16 * 1024 * 1024
DOCS_POLICY = OWN_ONLY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
"""Swagger UI sets styles on its elements; no script is inline."""
DOCS_FILES = {"swagger-ui-bundle.js": MEDIA[".js"], "swagger-ui.css": MEDIA[".css"], "favicon.png": MEDIA[".png"]}
DOCS = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice control API</title>
<link rel="stylesheet" href="/docs/files/swagger-ui.css">
<link rel="icon" href="/docs/files/favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/files/swagger-ui-bundle.js"></script>
<script src="/docs/files/start.js"></script>
</body>
</html>
"""
START = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", layout: "BaseLayout", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset]
});
"""
NO_DASHBOARD = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Sluice</title></head>
<body><h1>Sluice</h1>
<p>The dashboard is not installed here. The API is described at <a href="/docs">/docs</a>.</p></body>
</html>
"""


def page_routes(document: dict[str, Any], folder: Path = DASHBOARD) -> Sequence[Route]:
    """Everything that is open and no operation."""
    described = msgspec.json.encode(document)
    files = _files(folder)

    async def index(_request: Request) -> Response:
        found = files.get("index.html")
        return Response(found.read_bytes() if found else NO_DASHBOARD, media_type=MEDIA[".html"], headers=NO_STORE)

    async def static(request: Request) -> Response:
        found = files.get(request.path_params["path"])
        if found is None:
            raise Problem(404, "path", "there is no such file")
        return Response(found.read_bytes(), media_type=MEDIA[found.suffix], headers={"cache-control": "no-cache"})

    async def docs(_request: Request) -> Response:
        return Response(DOCS, media_type=MEDIA[".html"], headers={"content-security-policy": DOCS_POLICY})

    async def docs_file(request: Request) -> Response:
        name = request.path_params["name"]
        if name == "start.js":
            return Response(START, media_type=MEDIA[".js"])
        if name not in DOCS_FILES:
            raise Problem(404, "path", "there is no such file")
        return Response(_shipped(name), media_type=DOCS_FILES[name], headers={"cache-control": "max-age=3600"})

    async def openapi(_request: Request) -> Response:
        return Response(described, media_type="application/json")

    return [
        Route("/", index, methods=["GET"]),
        Route("/static/{path:path}", static, methods=["GET"]),
        Route("/docs", docs, methods=["GET"]),
        Route("/docs/files/{name}", docs_file, methods=["GET"]),
        Route("/openapi.json", openapi, methods=["GET"]),
    ]


def _files(folder: Path) -> dict[str, Path]:
    """Every file that may be given out, by its path; what is not in this table is not there, whatever is asked for."""
    if not folder.is_dir():
        return {}
    root = folder.resolve()
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix in MEDIA
        and path.resolve().is_relative_to(root)
        and path.stat().st_size <= FILE_BYTES_MAX
    }


@cache
def _shipped(name: str) -> bytes:
    found = find_spec("fastapi_offline")
    if found is None or not found.submodule_search_locations:
        raise Problem(501, "docs", "the files of this page are missing: pip install fastapi-offline")
    return Path(found.submodule_search_locations[0], "static", name).read_bytes()
