"""``/docs`` (Swagger UI), ``/redoc`` (ReDoc) and ``/openapi.json``, without a line from another host.

The scripts come from the package ``fastapi-offline``: it ships both pages' files as released, is kept up with them, and
needs nothing that is not light and pure Python beyond what is installed already (the sidecar of drf-spectacular wants
Django, swagger-ui-bundle stands still and has no ReDoc). It is found, not imported. A policy in the header keeps a
browser from asking anybody else; the one address in ReDoc that is not ours, a logo, is replaced.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from engine.domain.errors import ConfigError
from engine.simulators.easyths.edge import ASSETS
from engine.simulators.easyths.messages import Generation, answer, detail
from engine.simulators.easyths.openapi import document

PACKAGE = "fastapi_offline"
FILES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "redoc.standalone.js": "text/javascript; charset=utf-8",
    "favicon.png": "image/png",
}
FOREIGN_LOGO = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'"
)
TITLE = "同花顺交易自动化API"
SWAGGER = f"""<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE} - Swagger UI</title>
<link rel="stylesheet" href="{ASSETS}swagger-ui.css">
<link rel="shortcut icon" href="{ASSETS}favicon.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{ASSETS}swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({{
  url: "/openapi.json", dom_id: "#swagger-ui", layout: "BaseLayout", deepLinking: true, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset]
}})
</script>
</body>
</html>
"""
REDOC = f"""<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE} - ReDoc</title>
<link rel="shortcut icon" href="{ASSETS}favicon.png">
<style>body {{ margin: 0; padding: 0; }}</style>
</head>
<body>
<noscript>ReDoc requires Javascript to function. Please enable it to browse the documentation.</noscript>
<redoc spec-url="/openapi.json"></redoc>
<script src="{ASSETS}redoc.standalone.js"></script>
</body>
</html>
"""


def page_routes(generation: Generation) -> list[Route]:
    """The two pages, the document they show, and the files they load."""

    async def swagger(request: Request) -> Response:
        return HTMLResponse(SWAGGER, headers={"content-security-policy": POLICY})

    async def redoc(request: Request) -> Response:
        return HTMLResponse(REDOC, headers={"content-security-policy": POLICY})

    async def openapi(request: Request) -> Response:
        return answer(document(generation))

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            return detail(404, "Not Found")
        return Response(shipped(name), media_type=FILES[name], headers={"cache-control": "max-age=3600"})

    return [
        Route("/docs", swagger, methods=["GET"]),
        Route("/redoc", redoc, methods=["GET"]),
        Route("/openapi.json", openapi, methods=["GET"]),
        Route(f"{ASSETS}{{name}}", asset, methods=["GET"]),
    ]


@cache
def shipped(name: str) -> bytes:
    """One of the files of the package.

    Raises:
        ConfigError: the package is not installed.
    """
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ConfigError(f"the pages' files are missing: pip install {PACKAGE.replace('_', '-')}")
    content = Path(found.submodule_search_locations[0], "static", name).read_bytes()
    return content.replace(FOREIGN_LOGO, f"{ASSETS}favicon.png".encode())
