"""Every route, parameter and field of the three pages: one table, coverage.toml, against clients and simulators.

A row dropped from the table fails against the pages; a parameter or field dropped from a client or a simulator fails
against the table.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from engine.simulators.futu import EXAMPLE_TOKEN
from engine.simulators.futu.bodies import ALIASES
from engine.simulators.futu.keys import SCOPES
from engine.simulators.futu.routes import ROUTES as SIMULATED
from tests import coverage_builders as b
from tests.amazingdata_simulator_builders import SteppingClock
from tests.coverage_builders import Row
from tests.futu_simulator_builders import GatewayAtHand
from tests.simulator_builders import running

TABLES = b.tables()
GOLDEN = Path(__file__).parents[1] / "golden"
SEEDS = (Path(__file__).parents[2] / "../shared/seeds").resolve()
COUNTS = {"virtual_market": 11, "amazingdata": 22, "futu": 41}
ROUTE_LINES = {
    "virtual_market": r"Endpoint: (GET|POST) (/\S+)",
    "amazingdata": r"接口: (GET|POST) (/\S+)",
    "futu": r"^(GET|POST) (/\S+)",
}
"""How each page writes down a route."""
ALL = [(system, row) for system, table in TABLES.items() for row in table.route]
JSON_ROWS = [(system, row) for system, row in ALL if row.kind == "json"]
ANSWERED = [(system, row) for system, row in ALL if row.kind != "socket"]
FUTU_ROWS = [row for system, row in ALL if system == "futu"]


def named(rows: list[tuple[str, Row]]) -> list[Any]:
    return [pytest.param(system, row, id=f"{system} {row.name}") for system, row in rows]


def page_of(system: str) -> str:
    path = SEEDS / TABLES[system].page
    if not path.is_file():
        pytest.skip("the pages are not beside this repository")
    return path.read_text(encoding="utf-8")


def sections_of(system: str) -> dict[str, str]:
    """``METHOD path`` -> what the page says from there to the next route."""
    text = page_of(system)
    found = list(re.finditer(ROUTE_LINES[system], text, re.MULTILINE))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {f"{m[1]} {m[2]}": text[m.end() : end] for m, end in zip(found, ends, strict=True)}


# --- the table against the pages ---


@pytest.mark.parametrize("system", TABLES)
def test_the_table_has_every_route_of_the_page_and_no_other(system: str) -> None:
    """Against the list of routes written down from the page, each once."""
    lines = (GOLDEN / system / "routes.txt").read_text(encoding="utf-8").splitlines()
    rows = TABLES[system].route
    assert sorted(f"{row.method} {row.path}" for row in rows) == sorted(lines)
    assert len({row.name for row in rows}) == len(rows)
    assert sum(row.kind == "json" for row in rows) == COUNTS[system]


@pytest.mark.parametrize("system", TABLES)
def test_the_list_is_the_pages_own(system: str) -> None:
    """Read from the page itself, where it is at hand."""
    lines = (GOLDEN / system / "routes.txt").read_text(encoding="utf-8").splitlines()
    assert list(sections_of(system)) == lines


@pytest.mark.parametrize(("system", "row"), named(JSON_ROWS))
def test_the_table_has_every_name_the_page_gives(system: str, row: Row) -> None:
    """Parameters and fields of its tables and of its JSON samples, route by route."""
    section = sections_of(system)[f"{row.method} {row.path}"]
    if system == "amazingdata":
        section = section.partition("\n九、")[0]
        told = re.findall(r"^(?:data\.?)?(\S+) (?:string|int|float|bool|array|object) ", section, re.MULTILINE)
        told = [re.split(r"[.{}]+", name.removesuffix("[]"))[-1] for name in told]
    elif system == "virtual_market":
        samples = section.partition("\n4.2. 交易接口")[0].partition("失败响应")[0]
        told = re.findall(r'"(\w+)":', samples)
    else:
        # The page has one sample body, that of an order.
        told = re.findall(r'"(\w+)":', page_of(system).partition("C2S):")[2]) if row.name == "order" else []
    names = {part.removesuffix("[]") for p in row.parameters for part in p.name.split(".")}
    names |= {part.removesuffix("[]") for path in row.fields for part in path.split(".")}
    # Envelope and header are no route's own; `data.{code}` ends in a code, which is no name.
    strange = {name for name in told if name not in names} - {"code", "message", "data", "Authorization", ""}
    assert strange == set()


# --- the clients against the table ---


@pytest.mark.parametrize(("system", "row"), named(ANSWERED))
def test_every_parameter_is_seen_on_the_wire(system: str, row: Row) -> None:
    """With every value allowed, at its place, as given; the token where it is due; nothing besides."""
    samples = {p.name: b.sample_of(p, number) for number, p in enumerate(row.parameters)}
    question = b.question_of(system, row, b.arguments_of(row, samples))
    assert question.method == row.method
    for parameter in row.parameters:
        for value in b.choices_of(parameter, samples[parameter.name]):
            given = samples | {parameter.name: value}
            question = b.question_of(system, row, b.arguments_of(row, given))
            found = b.found_in(question, row, TABLES[system].prefix, parameter)
            assert b.plain(found) == b.plain(value), parameter.name
    if not any(p.where == "path" for p in row.parameters):
        assert question.url.path == TABLES[system].prefix + row.path
    assert ("authorization" in question.headers) >= row.auth
    tops = {p.name.partition(".")[0].removesuffix("[]") for p in row.parameters if p.where != "path"}
    assert set(question.url.params) | set(b.body_of(question, row)) == tops


@pytest.mark.parametrize(("system", "row"), named(ANSWERED))
def test_our_call_takes_the_arguments_of_the_table(system: str, row: Row) -> None:
    """No more and no fewer: what our call offers is in the table."""
    gateway = b.a_gateway(system, httpx.MockTransport(b.refusal), SteppingClock(b.START_NS[system]))
    offered = set(re.findall(r"(\w+)=\.\.\.", gateway.routes()[row.name]))
    assert offered == {p.argument for p in row.parameters}


# --- simulators and clients against the table ---


@pytest.mark.parametrize(("system", "row"), named(ANSWERED))
def test_every_field_is_served_and_read(system: str, row: Row) -> None:
    """The simulator sends each field, and our call hands each out with the value that was sent."""
    said = b.answers_of(system)[row.name]
    assert said.failure == ""
    if row.kind == "text":
        assert said.ours == said.wire != ""
    for path in row.fields:
        sent = b.values_at(said.wire, path)
        kept = b.values_at(said.ours, path.removeprefix(row.unwraps).removeprefix(".") if row.unwraps else path)
        assert sent, path
        assert len(sent) == len(kept), path
        assert [pair for pair in zip(sent, kept, strict=True) if not same(*pair)] == [], path


def same(sent: Any, kept: Any) -> bool:
    """The same value; ids as texts, days with dashes and products with their names are ours."""
    if isinstance(sent, str) and isinstance(kept, dict):
        return bool(kept["code"] == sent)
    return bool(sent == kept or str(sent) == str(kept) or str(sent) == str(kept).replace("-", ""))


@pytest.mark.parametrize("row", [row for row in FUTU_ROWS if row.kind == "json"], ids=lambda row: f"futu {row.name}")
def test_the_simulated_gateway_knows_the_same_parameters(row: Row) -> None:
    """By their names on the wire or their aliases; it is strict, so an unknown one would be refused."""
    if row.method == "GET":
        assert row.parameters == []
        return
    alias = ALIASES.get(row.path, {})
    tops = {p.name.partition(".")[0].removesuffix("[]") for p in row.parameters}
    known = SIMULATED[row.path]
    assert {alias.get(name, name) for name in tops} >= set(known.fields)
    if not known.open_ended:
        assert {alias.get(name, name) for name in tops} == set(known.fields)


@pytest.mark.parametrize("row", [row for row in FUTU_ROWS if row.kind == "json"], ids=lambda row: f"futu {row.name}")
async def test_a_route_wants_the_scope_of_the_page(row: Row) -> None:
    """A key with that scope alone comes in; one with every other scope does not."""
    trade = row.scope.startswith("trade:")
    others = {scope for scope in SCOPES if scope != row.scope and not (trade and scope.startswith("trade:"))}
    insider, stranger = GatewayAtHand(scopes=(row.scope,)), GatewayAtHand(scopes=tuple(sorted(others)))
    assert (await insider.client.request(row.method, row.path, json={})).status_code in (200, 400)
    assert (await stranger.client.request(row.method, row.path, json={})).status_code == 403


@pytest.mark.parametrize(
    ("system", "row"), named([(system, row) for system, row in JSON_ROWS if system != "futu" and row.parameters])
)
def test_every_parameter_matters_to_the_simulator(system: str, row: Row) -> None:
    """A good call spoiled in one parameter is answered otherwise: none is read by nobody."""
    good = b.answer_when(system, row)
    assert good[0] == 200
    for parameter in row.parameters:
        assert b.answer_when(system, row, parameter, b.spoiling_of(parameter)) != good, parameter.name


async def test_the_push_socket_opens_for_a_key() -> None:
    """GET /ws becomes a WebSocket with the token, and is refused without one."""
    row = next(row for row in FUTU_ROWS if row.kind == "socket")
    app = b.a_simulator("futu", SteppingClock(b.START_NS["futu"]))
    async with running(app) as url:
        address = url.replace("http", "ws", 1) + row.path
        async with websockets.connect(address, additional_headers={"authorization": f"Bearer {EXAMPLE_TOKEN}"}) as ws:
            await asyncio.wait_for(await ws.ping(), 5)
        with pytest.raises(websockets.InvalidStatus, match="401"):
            await websockets.connect(address)
