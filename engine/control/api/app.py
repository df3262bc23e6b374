"""All operations as one application."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from engine.control.api import (
    account_routes,
    journal_routes,
    kill_routes,
    log_routes,
    market_routes,
    metric_routes,
    order_routes,
    risk_routes,
    status_routes,
    strategy_routes,
    stream_routes,
)
from engine.control.api.openapi import document
from engine.control.api.operation import JSON, NO_STORE, Operation
from engine.control.api.page_routes import page_routes
from engine.control.api.problems import Problem

if TYPE_CHECKING:
    from engine.control.api.cockpit import Cockpit

OPERATIONS: tuple[Operation, ...] = (
    *status_routes.OPERATIONS,
    *account_routes.OPERATIONS,
    *order_routes.OPERATIONS,
    *strategy_routes.OPERATIONS,
    *risk_routes.OPERATIONS,
    *kill_routes.OPERATIONS,
    *journal_routes.OPERATIONS,
    *log_routes.OPERATIONS,
    *market_routes.OPERATIONS,
    *stream_routes.OPERATIONS,
    *metric_routes.OPERATIONS,
)
"""Every operation there is; the tests go through this table."""


def make_app(cockpit: "Cockpit") -> Starlette:
    """Routes, pages, and how refusals are told."""

    async def on_problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        body = {"error": error.text, "code": error.code, **error.more}
        return Response(
            cockpit.redactor.clean(msgspec.json.encode(body)),
            status_code=error.status,
            media_type=JSON,
            headers={**NO_STORE, **error.headers},
        )

    async def on_http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = {404: "there is no such path", 405: "this path does not take that method"}
        body = {"error": words.get(error.status_code, error.detail), "code": "path"}
        return Response(
            msgspec.json.encode(body), status_code=error.status_code, media_type=JSON, headers=error.headers
        )  # fmt: skip

    async def on_fault(_request: Request, error: Exception) -> Response:
        # A fault of ours: the caller learns that it is one, and nothing else.
        cockpit.fault(error)
        body = {"error": "the API failed here; its log says how", "code": "fault"}
        return Response(msgspec.json.encode(body), status_code=500, media_type=JSON)

    return Starlette(
        routes=[
            *(operation.route(cockpit) for operation in OPERATIONS),
            *page_routes(document(OPERATIONS, version=our_version())),
        ],
        exception_handlers={Problem: on_problem, HTTPException: on_http, Exception: on_fault},
    )


def our_version() -> str:
    try:
        return version("sluice")
    except PackageNotFoundError:
        return "0"
