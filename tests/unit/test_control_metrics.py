"""Metrics: what dashboard file and alert rules name is there; labels are bounded; latencies are those of orders."""

import json
import re
from pathlib import Path

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.control.metrics import LABELS_MAX, _capped, exposition
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.events import OrderAccepted
from engine.domain.ids import ClientOrderId, InstrumentId, StrategyId
from engine.domain.market import Quote
from engine.domain.order import OrderState
from engine.runtime.gate import BY_HAND
from tests.control_builders import Panel
from tests.live_builders import ACCOUNT

ROOT = Path(__file__).parents[2]
NAMES = re.compile(r"\bsluice_[a-z0-9_]+")


def exposed(panel: Panel) -> set[str]:
    """Every series name that a scrape may give, empty families too."""
    found: set[str] = set()
    for family in text_string_to_metric_families(exposition(panel.cockpit).decode()):
        found |= {family.name, *(sample.name for sample in family.samples)}
        found |= {
            f"{family.name}{end}" for end in {"counter": ["_total"], "histogram": ["_bucket"]}.get(family.type, [])
        }
    return found


@pytest.mark.parametrize("file", ["deploy/grafana/sluice.json", "deploy/prometheus/sluice-alerts.yml"])
def test_every_metric_that_is_named_in_deploy_exists(file: str, tmp_path: Path) -> None:
    """A panel or a rule over a metric that nobody exposes would be silent for ever."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file.endswith(".json"):
        board = json.loads(text)
        text = "\n".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids)) > 20
    else:
        text = "\n".join(line.partition("expr:")[2] for line in text.splitlines())
    named = set(NAMES.findall(text))
    assert len(named) >= 15
    assert named <= exposed(Panel(tmp_path))


def test_labels_are_capped_and_the_rest_is_one_series() -> None:
    rows = _capped(((f"code{n}", 1.0) for n in range(LABELS_MAX + 50)), sum)
    assert len(rows) == LABELS_MAX + 1
    assert rows[-1] == (("other",), 50.0)


def test_an_orders_way_is_measured_from_the_tick_to_the_answer(tmp_path: Path) -> None:
    """Decision, bytes and answer each count once; a denial is counted by its code."""
    panel = Panel(tmp_path)
    panel.enable()
    core, meter = panel.core, panel.session.meter
    name = InstrumentId("CY.VSM")
    core.bus.publish(Quote(name, core.clock.now_ns, 10.0, 10.0))
    core.portfolio.accounts[ACCOUNT].cash["COIN"] += 1_000_000
    for number, quantity in ((1, 1), (2, 10**9)):
        core.bus.publish(
            SubmitOrder(
                client_id=ClientOrderId(f"m-{number}"),
                account=ACCOUNT,
                strategy=StrategyId(BY_HAND),
                instrument=name,
                side=Side.BUY,
                quantity=quantity,
                ts_ns=core.clock.now_ns,
                type=OrderType.MARKET,
            )
        )
    assert (meter.outcomes["submitted"], meter.outcomes["denied"]) == (1, 1), panel.session.seen.denials
    meter.on_left(ClientOrderId("m-1"), 0.002)
    core.bus.publish(
        OrderAccepted(
            client_id=ClientOrderId("m-1"),
            account=ACCOUNT,
            strategy=BY_HAND,
            instrument=name,
            ts_ns=1,
            state=OrderState.WORKING,
        )
    )
    told = exposition(panel.cockpit).decode()
    for line in (
        "sluice_decision_seconds_count 1.0",
        "sluice_tick_to_order_seconds_count 1.0",
        f'sluice_order_to_ack_seconds_count{{account="{ACCOUNT}"}} 1.0',
        'sluice_orders_total{outcome="denied"} 1.0',
        'sluice_events_total{kind="quote"} 1.0',
    ):
        assert line in told, line
    assert "sluice_denials_total{code=" in told


def test_a_scrape_needs_a_token_and_answers_between_two_runs(tmp_path: Path) -> None:
    async def ask() -> None:
        panel = Panel(tmp_path)
        panel.cockpit._source = lambda: None
        async with panel.client() as client:
            assert (await client.get("/metrics")).status_code == 401
        async with panel.client(panel.token()) as client:
            answer = await client.get("/metrics")
        assert answer.status_code == 200
        assert "sluice_up 0.0" in answer.text

    anyio.run(ask)
