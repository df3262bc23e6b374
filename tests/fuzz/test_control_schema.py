"""Requests made from the control API's own document: no fault of ours, answers as documented, and nothing placed."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from engine.control.api.app import OPERATIONS
from engine.control.api.edge import Edge
from engine.control.api.scopes import Scope
from engine.domain.events import KillLevel
from tests.control_builders import Panel

CASES = 50_000
"""Of the long form, over all operations."""
ANSWERS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


class Halted:
    """A run in which everything is halted: whoever has a token may do what he likes, but let go."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.panel = panel = Panel(Path(self._folder.name))
        edge: Any = panel.app
        self.app = Edge(edge._app, ("testserver",), loopback=True, tls=False)
        panel.enable()
        panel.core.manager.latch(KillLevel.HALT, "all", "a fuzzer is at the door", "test")
        self.tokens = (
            panel.token(Scope.READ, Scope.TRADE, Scope.RISK_SET),
            panel.token(Scope.READ),
            panel.token(Scope.TRADE, Scope.RISK_SET),
        )

    def judge(self, case: schemathesis.Case, number: int) -> None:
        """One request, with one token or another."""
        headers = {"authorization": f"Bearer {self.tokens[number % len(self.tokens)]}"} if number % 7 else {}
        response = case.call(headers=headers)
        assert response.status_code not in (500, 502), response.text
        case.validate_response(response, checks=ANSWERS, headers=headers)
        core = self.panel.core
        assert not core.manager.orders, "an order was placed"
        assert core.view.latches["all"].level >= KillLevel.HALT
        assert not self.panel.cockpit.faults, self.panel.notes


HALTED = Halted()
schema = schemathesis.openapi.from_asgi("/openapi.json", HALTED.app).exclude(path="/api/stream")
COUNT = {"cases": 0}


def _next() -> int:
    COUNT["cases"] += 1
    return COUNT["cases"]


@schema.parametrize()
@settings(max_examples=2, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
def test_no_request_breaks_the_api_or_places_an_order(case: schemathesis.Case) -> None:
    """A few for each operation, with the tokens of a reader, a trader, and none."""
    HALTED.judge(case, _next())


@pytest.mark.long
@schema.parametrize()
@settings(
    max_examples=CASES // (len(OPERATIONS) - 1) + 1,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_fifty_thousand_requests_break_nothing(case: schemathesis.Case) -> None:
    """The same, 50 000 over all operations, other ones each time."""
    HALTED.judge(case, _next())
