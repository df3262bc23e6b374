"""The control API's doors: every route with every kind of token, from a table that is made from the routes."""

import anyio
import pytest

from engine.control.api.app import OPERATIONS
from engine.control.api.operation import Operation
from engine.control.api.scopes import Scope
from tests.control_builders import Panel

OPEN = {"get_health_live", "get_health_ready"}
SCOPES = {
    "get_api_token": Scope.READ,
    "get_api_status": Scope.READ,
    "get_api_health": Scope.READ,
    "get_api_accounts": Scope.READ,
    "get_api_positions": Scope.READ,
    "get_api_fills": Scope.READ,
    "get_api_equity": Scope.READ,
    "get_api_orders": Scope.READ,
    "get_api_orders_client_id": Scope.READ,
    "post_api_orders": Scope.TRADE,
    "post_api_orders_client_id_cancel": Scope.TRADE,
    "get_api_strategies": Scope.READ,
    "get_api_strategies_name": Scope.READ,
    "post_api_strategies_name_stop": Scope.RISK_SET,
    "post_api_strategies_name_start": Scope.RISK_SET,
    "post_api_strategies_name_parameters": Scope.RISK_SET,
    "get_api_risk": Scope.READ,
    "get_api_risk_denials": Scope.READ,
    "post_api_risk_what_if": Scope.READ,
    "get_api_latches": Scope.READ,
    "post_api_kill": Scope.RISK_SET,
    "post_api_resume": Scope.RISK_RESET,
    "post_api_reconcile": Scope.RISK_SET,
    "post_api_accept": Scope.RISK_RESET,
    "post_api_resolve": Scope.RISK_RESET,
    "get_api_status_operator": Scope.READ,
    "get_api_logs": Scope.READ,
    "get_api_journal": Scope.READ,
    "get_api_alerts": Scope.READ,
    "get_api_instruments": Scope.READ,
    "get_api_candles": Scope.READ,
    "get_api_stream": Scope.READ,
    "get_metrics": Scope.READ,
}
"""What each route needs, written down a second time: a new route without a row here fails."""


def test_every_route_is_in_the_table() -> None:
    """A route that nobody thought about is a failure, and so is a row of one that is gone."""
    assert {o.name for o in OPERATIONS} == {*SCOPES, *OPEN}
    assert len({o.name for o in OPERATIONS}) == len(OPERATIONS)
    assert {o.name: o.scope for o in OPERATIONS if o.name not in OPEN} == SCOPES
    assert {o.name for o in OPERATIONS if o.scope is None} == OPEN


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    """One for all: making a run takes longer than asking it."""
    return Panel(tmp_path_factory.mktemp("access"))


async def refused(panel: Panel, operation: Operation, token: str) -> int:
    """The status of a request that carries a token and nothing sensible."""
    path = operation.path.replace("{client_id}", "x").replace("{name}", "x")
    async with panel.client(token, address=operation.name) as client:
        answer = await client.request(operation.method, path, json={} if operation.body else None)
    return answer.status_code


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.scope], ids=lambda o: o.name)
def test_a_route_opens_to_its_scope_alone(operation: Operation, panel: Panel) -> None:
    """No token, a wrong one, an expired, a revoked one, and every other scope are refused; nothing is journaled."""

    async def ask() -> None:
        good, seq = panel.token(), panel.run.journal.next_seq
        assert await refused(panel, operation, "") == 401
        assert await refused(panel, operation, f"{good[:-1]}{'A' if good[-1] != 'A' else 'B'}") == 401
        assert await refused(panel, operation, "nonsense") == 401
        assert await refused(panel, operation, panel.token(days=-1)) == 401
        revoked = panel.token()
        panel.tokens.revoke(revoked.split("_")[1], now_ns=1)
        assert await refused(panel, operation, revoked) == 401
        others = [scope for scope in Scope if scope not in (operation.scope, Scope.ADMIN)]
        assert await refused(panel, operation, panel.token(*others)) == 403
        assert panel.run.journal.next_seq == seq
        if operation.name != "get_api_stream":
            assert operation.scope is not None
            assert await refused(panel, operation, panel.token(operation.scope)) not in (401, 403)

    anyio.run(ask)
