"""What the control API shows and does: orders by hand through the gate, audit, kill and resume, streams, commands."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest

from engine.control.api.hosting import ADDRESS, Address
from engine.control.api.scopes import Scope
from engine.control.api.streams import TOPICS
from engine.control.api.tokens import FIRST, write_private
from engine.control.cli_top import picture
from engine.control.looking import look
from engine.control.operating import carry_out
from engine.domain.evidence import Evidence, OrderReport
from engine.domain.ids import EXTERNAL, AccountId, ClientOrderId, InstrumentId, VenueOrderId
from engine.domain.market import Bar, Quote
from engine.domain.reconciled import OperatorActed
from engine.portfolio import Position
from engine.risk.day_profit import Line
from engine.runtime.operator_commands import Kill, Resume, Status
from engine.runtime.settings import load_settings
from tests.cli_builders import CONFIG, a_config
from tests.control_builders import Panel
from tests.live_builders import ACCOUNT

CY = InstrumentId("CY.VSM")
BUY: dict[str, Any] = {"account": str(ACCOUNT), "instrument": "CY.VSM", "side": "buy", "quantity": 10}


def a_market(folder: Path) -> Panel:
    """A panel whose account has cash and is even, with a price, ready to trade."""
    panel = Panel(folder)
    panel.enable()
    now_ns = panel.core.clock.now_ns
    panel.core.bus.publish(Quote(CY, now_ns, 10.0, 10.0))
    panel.core.bus.publish(Bar(CY, now_ns, 9.0, 11.0, 8.0, 10.0, 100.0))
    panel.core.portfolio.accounts[ACCOUNT].cash["COIN"] += 100_000
    return panel


def fill(panel: Panel, client_id: str, quantity: int, price: str) -> None:
    """Its venue takes the order and fills it."""
    now_ns, name = panel.core.clock.now_ns, ClientOrderId(client_id)
    panel.core.manager.mark_sent(name)
    common: dict[str, Any] = {"account": ACCOUNT, "client_id": name, "ts_ns": now_ns}
    manager = panel.core.manager
    manager.on_report(OrderReport(kind=Evidence.ACK, venue_id=VenueOrderId("18446744073709551615"), **common))
    manager.on_report(
        OrderReport(kind=Evidence.FILL, quantity=quantity, price=Decimal(price), fee=Decimal(0), fill_id="f1", **common)
    )


def audits(panel: Panel) -> list[OperatorActed]:
    return [record for _, record in panel.run.journal.records() if isinstance(record, OperatorActed)]


def test_an_order_by_hand_goes_through_the_gate_and_has_a_whole_life(tmp_path: Path) -> None:
    """Placed once by its key, journaled with token and address, filled, told step by step; what another account holds
    of the same instrument is not this one's."""

    async def ask() -> None:
        panel = a_market(tmp_path)
        token = panel.token(Scope.READ, Scope.TRADE)
        async with panel.client(token, address="10.1.2.3") as client:
            placed = await client.post("/api/orders", json={**BUY, "key": "mine", "reason": "a try"})
            assert placed.status_code == 200, placed.text
            assert placed.json()["details"] == {"client_id": "operator-k-mine", "state": "queued", "again": False}
            again = await client.post("/api/orders", json={**BUY, "key": "mine"})
            assert again.json()["details"]["again"]
            assert len(panel.core.manager.orders) == 1
            assert [o["client_id"] for o in (await client.get("/api/orders")).json()] == ["operator-k-mine"]
            fill(panel, "operator-k-mine", 10, "10.01")
            told = (await client.get("/api/orders/operator-k-mine")).json()
            assert told["order"]["state"] == "filled"
            assert told["order"]["venue_id"] == "18446744073709551615"
            assert [step["step"] for step in told["life"]] == ["operator", "intent", "send", "evidence", "evidence"]
            assert told["life"][-1]["text"].startswith("fill 10 at 10.01")
            assert all(isinstance(step["record"]["ts_ns"], str) for step in told["life"])
            other: Any = panel.core.view.profit
            other.lines[EXTERNAL, AccountId("other")] = {CY: Line(held=500)}
            elsewhere = panel.core.portfolio.strategy_positions[EXTERNAL, CY] = Position()
            elsewhere.quantity = 500
            (held,) = (await client.get("/api/positions")).json()
            assert (held["quantity"], held["average_price"], held["strategies"]) == (10, "10.01", {"operator": 10})
            (mine,) = (await client.get("/api/fills")).json()
            assert (mine["price"], mine["inferred"]) == ("10.01", False)
            assert (await client.get("/api/orders?state=ended")).json()[0]["average_price"] == "10.01"
            candles = (await client.get("/api/candles?instrument=CY.VSM")).json()
            assert candles["bars"][0][1:] == [9.0, 11.0, 8.0, 10.0, 100.0]
            assert candles["fills"] == [mine]
        first, second = audits(panel)
        assert first.who.startswith(f"token {token.split('_')[1]} (test) at 10.1.2.3, request ")
        assert (first.command, first.about, first.reason) == ("place", "order:operator-k-mine", "a try")
        assert "placed before" in second.after

    anyio.run(ask)


def test_the_gate_refuses_by_hand_what_it_refuses_a_strategy(tmp_path: Path) -> None:
    """A denial is 409 with its code, the same when asked again with its key; what-if agrees and places nothing."""

    async def ask() -> None:
        panel = a_market(tmp_path)
        async with panel.client(panel.token()) as client:
            greedy = {**BUY, "quantity": 10**7, "key": "g"}
            for again in (False, True):
                denied = await client.post("/api/orders", json=greedy)
                assert denied.status_code == 409
                assert denied.json()["details"]["again"] is again
            code = denied.json()["details"]["code"]
            assert (await client.get("/api/risk/denials")).json()[0]["code"] == code
            told = (await client.post("/api/risk/what-if", json=greedy)).json()
            assert (told["allowed"], told["code"]) == (False, code)
            assert (await client.post("/api/risk/what-if", json=BUY)).json()["allowed"]
            assert len(panel.session.seen.denials) == 1
            gauges = (await client.get("/api/risk")).json()["gauges"]
            assert gauges == []
            for body in ({**BUY, "account": "nobody"}, {**BUY, "instrument": "NO.NO"}, {**BUY, "price": "-1"}):
                assert (await client.post("/api/orders", json=body)).status_code == 422
        assert not panel.core.manager.orders

    anyio.run(ask)


def test_stopping_and_letting_go_take_two_steps_and_leave_a_trail(tmp_path: Path) -> None:
    """Flatten wants the account typed; cancel is let go with the code of the first answer; each is in the journal."""

    async def ask() -> None:
        panel = a_market(tmp_path)
        scope = f"account:{ACCOUNT}"
        async with panel.client(panel.token()) as client:
            body = {"scope": scope, "level": "flatten", "reason": "drill"}
            assert (await client.post("/api/kill", json=body)).status_code == 428
            assert (await client.post("/api/kill", json={**body, "level": "cancel"})).status_code == 200
            assert (await client.post("/api/kill", json={**body, "confirm": str(ACCOUNT)})).status_code == 200
            (latch,) = (await client.get("/api/latches")).json()
            assert (latch["scope"], latch["level"], latch["name"]) == (scope, 4, "flatten")
            assert (await client.get("/health/ready")).status_code == 503
            reasons = (await client.get("/api/health")).json()["reasons"]
            assert any("level flatten" in reason for reason in reasons)
            assert (await client.post("/api/orders", json=BUY)).json()["details"]["code"] == "KILLED"
            resumed = await client.post("/api/resume", json={"scope": scope, "reason": "over"})
            assert resumed.status_code == 428
            code = resumed.json()["details"]["confirm"]
            refused = await client.post("/api/resume", json={"scope": scope, "reason": "over", "confirm": code})
            # Nothing is connected here: a person can not let go what can not be looked at.
            assert refused.status_code == 409
        kinds = [(record.command, record.before[:8]) for record in audits(panel)]
        assert kinds == [
            ("kill", "free"), ("kill", "at level"), ("place", ""), ("resume", ""), ("resume", "at level")
        ]  # fmt: skip

    anyio.run(ask)


def test_a_stream_tells_everything_at_first_and_then_what_happens(tmp_path: Path) -> None:
    """One connection: the whole first, then orders, fills, prices and alerts, each once; ids of records are numbers."""

    async def ask() -> None:
        panel = a_market(tmp_path)
        token = panel.token()
        async with panel.served() as port:
            url = f"http://127.0.0.1:{port}/api/stream?topics={','.join(TOPICS)}"
            headers = {"authorization": f"Bearer {token}"}
            async with (
                httpx.AsyncClient(headers=headers, timeout=20) as client,
                client.stream("GET", url) as answer,
            ):
                assert answer.headers["content-type"].startswith("text/event-stream")
                events = _events(answer)
                with anyio.fail_after(20):
                    first = [(await anext(events))[0] for _ in range(6)]
                    assert first == ["hello", "status", "accounts", "positions", "prices", "feeds"]
                    base = f"http://127.0.0.1:{port}/api/orders"
                    assert (await client.post(base, json={**BUY, "key": "s"})).status_code == 200
                    seen: dict[str, Any] = {}
                    while not {"order", "record"} <= seen.keys():
                        name, data = await anext(events)
                        seen[name] = data
                    assert seen["order"]["client_id"] == "operator-k-s"
                    fill(panel, "operator-k-s", 10, "10")
                    while "fill" not in seen:
                        name, data = await anext(events)
                        seen[name] = data
                    assert seen["fill"]["quantity"] == 10
                    panel.core.bus.publish(Quote(CY, panel.core.clock.now_ns, 10.5, 10.7))
                    while seen.get("prices", {}).get("CY.VSM", {}).get("bid") != 10.5:
                        name, data = await anext(events)
                        seen[name] = data

    anyio.run(ask)


async def _events(answer: httpx.Response) -> Any:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, msgspec.json.decode(line[6:])


def test_the_commands_are_the_apis_client_where_a_run_has_one(tmp_path: Path) -> None:
    """status, kill, resume, orders, logs and top by HTTP, with the token that only its owner reads."""

    async def ask() -> None:
        panel = a_market(tmp_path / "panel")
        text = CONFIG.replace('name = "trial"', f'name = "trial"\ndata_dir = "{tmp_path}/runs"')
        settings = load_settings(a_config(tmp_path, text + '\n[journal]\nkind = "memory"\n[control]\nport = 0\n'))
        (settings.data_dir / "operator").mkdir(parents=True)
        control = settings.data_dir / "control"
        write_private(control / FIRST, f"{panel.token()}\n".encode())
        async with panel.served() as port:
            address = Address(url=f"http://127.0.0.1:{port}", pid=1)
            write_private(control / ADDRESS, msgspec.json.encode(address))
            note: Any = lambda _text, _fields: None  # noqa: E731
            killed = await carry_out(settings, Kill(scope="all", level="cancel", reason="r"), environ={}, note=note)
            assert killed.exit_code == 0
            assert "all is at level cancel by token" in killed.text
            resumed = await carry_out(settings, Resume(scope="all", reason="r"), environ={}, note=note)
            assert resumed.exit_code == 3
            assert len(resumed.details["confirm"]) == 4
            told = await carry_out(settings, Status(), environ={}, note=note)
            assert isinstance(told.details["now_ns"], int)
            assert told.details["latches"][0]["scope"] == "all"
            assert await look(settings, "orders", state="open", account="", limit=5) == []
            assert (await look(settings, "strategies")) == []
            panel.session.log.flush()
            assert (await look(settings, "logs", limit=5))[-1]["event"] == "operator"
            headers = {"authorization": f"Bearer {(control / FIRST).read_text().strip()}"}
            async with httpx.AsyncClient(base_url=address.url, headers=headers) as client:
                looked = {
                    name: (await client.get(f"/api/{name}")).json()
                    for name in ("status", "health", "positions", "orders", "risk", "alerts")
                }
            assert picture(looked) is not None
        (control / ADDRESS).unlink()

    anyio.run(ask)


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "limit=1&limit=2", "nonsense=1", "state=none"])
def test_a_query_that_is_not_understood_is_400(query: str, tmp_path: Path) -> None:
    async def ask() -> None:
        panel = Panel(tmp_path)
        async with panel.client(panel.token()) as client:
            assert (await client.get(f"/api/orders?{query}")).status_code == 400

    anyio.run(ask)


def test_between_two_runs_routes_answer_503_and_the_probes_answer(tmp_path: Path) -> None:
    """A daemon has no run at night: it lives, it is not ready, and says so in one sentence."""

    async def ask() -> None:
        panel = Panel(tmp_path)
        panel.cockpit._source = lambda: None
        async with panel.client(panel.token()) as client:
            assert (await client.get("/api/status")).status_code == 503
            assert (await client.post("/api/kill", json={"scope": "all", "reason": "x"})).status_code == 503
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/health/ready")).status_code == 503
            assert (await client.get("/api/token")).status_code == 200

    anyio.run(ask)
