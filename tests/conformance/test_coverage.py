"""Every route, parameter and field of the five pages: one table, coverage.toml, against clients and simulators.

A row dropped from the table fails against the pages; a parameter or field dropped from a client or a simulator fails
against the table.
"""

import asyncio
import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets

from engine.domain.errors import ConfigError, GatewayError
from engine.domain.timestamps import SECOND_NS
from engine.gateways.easyths import messages as easyths
from engine.gateways.huatai.texts import explained
from engine.simulators.futu import EXAMPLE_TOKEN
from engine.simulators.futu.bodies import ALIASES
from engine.simulators.futu.keys import SCOPES
from engine.simulators.futu.routes import ROUTES as SIMULATED
from engine.simulators.huatai import HuataiSimulator, as_documented
from tests import coverage_builders as b
from tests.amazingdata_simulator_builders import SteppingClock
from tests.coverage_builders import DESKTOP, PageError, Row
from tests.easyths_simulator_builders import a_bare_market
from tests.futu_simulator_builders import HK_OPEN_NS, GatewayAtHand
from tests.simulator_builders import running

TABLES = b.tables()
GOLDEN = Path(__file__).parents[1] / "golden"
SEEDS = (Path(__file__).parents[2] / "../shared/seeds").resolve()
COUNTS = {"virtual_market": 11, "amazingdata": 22, "futu": 41, "easyths": 9, "huatai": 20}
OPERATIONS = {"easyths": 13}
"""Lines of a page that are one of its routes with a name filled in."""
ROUTE_LINES = {
    "virtual_market": r"Endpoint: (GET|POST) (/\S+)",
    "amazingdata": r"接口: (GET|POST) (/\S+)",
    "futu": r"^(GET|POST) (/\S+)",
    "easyths": r"^(GET|POST|DELETE) (/\S+)",
    "huatai": r"\*\*请求方法\*\*：(GET|POST)\n- \*\*请求路径\*\*：`(/\S+)`",
}
"""How each page writes down a route."""
TAILS = {"amazingdata": "\n九、", "virtual_market": "\n4.2. 交易接口", "easyths": "\n使用示例", "huatai": "\n## 六"}
"""What a page goes on with after its last route of a kind."""
NO_FIELDS = {
    "futu": {"subscribe", "sub_acc_push"},
    "huatai": {"exit", "refresh", "wait", "close_pop_dialog"},
}
"""JSON rows without a field to drop. HT's four say their one word in the envelope's message."""
READ_BY_REFUSAL_ALONE = {
    "easyths": {"operation_id", "timeout"},
    "huatai": {"session_id", "exe_path", "user", "password", "comm_password"},
}
"""No other good value of these does another thing: that they are read shows only where a wrong one is refused. Of the
history's time_range the echo alone is another: a fresh simulator has no yesterday."""
OURS_ALONE = {"huatai": {"cancel", "cancel_all"}}
"""What our clients can be called with that is no route: several calls in one."""

ALL = [(system, row) for system, table in TABLES.items() for row in table.route]
JSON_ROWS = [(system, row) for system, row in ALL if row.kind == "json"]
ANSWERED = [(system, row) for system, row in ALL if row.kind != "socket"]
FUTU_ROWS = [row for system, row in ALL if system == "futu"]
DESK_ROWS = [(system, row) for system, row in ALL if system in DESKTOP]
ON_PAGE = [(system, row) for system, row in DESK_ROWS if row.on_page]
VARIANTS = [(system, row, variant) for system, row in DESK_ROWS for variant in row.under]


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


def section_of(system: str, row: Row, what: str = "") -> str:
    """The page on one route; ``what`` of HT's may be said to be the same as that of another."""
    sections = sections_of(system)
    section = sections[f"{row.method} {row.path}"].partition(TAILS.get(system, "\0"))[0]
    same = re.search(rf"\*\*{what}\*\*：同“(\S+?)”", section) if what else None
    while same is not None:
        titles = re.findall(r"^#### \S+ (\S+)$", page_of(system), re.MULTILINE)
        section = list(sections.values())[titles.index(same[1])]
        same = re.search(rf"\*\*{what}\*\*：同“(\S+?)”", section)
    return section


# --- the table against the pages ---


def test_the_five_pages_have_103_routes() -> None:
    """As the table's comment counts them."""
    assert sum(COUNTS.values()) == 103
    assert set(COUNTS) == set(TABLES)


@pytest.mark.parametrize("system", TABLES)
def test_the_table_has_every_route_of_the_page_and_no_other(system: str) -> None:
    """Against the list of routes written down from the page, each once."""
    lines = (GOLDEN / system / "routes.txt").read_text(encoding="utf-8").splitlines()
    rows = [row for row in TABLES[system].route if row.on_page]
    assert sorted(f"{row.method} {row.path}" for row in rows) == sorted(lines)
    assert len({row.name for row in TABLES[system].route}) == len(TABLES[system].route)
    assert sum(row.kind == "json" for row in rows) == COUNTS[system]
    assert sum(row.kind == "operation" for row in rows) == OPERATIONS.get(system, 0)


@pytest.mark.parametrize("system", TABLES)
def test_the_list_is_the_pages_own(system: str) -> None:
    """Read from the page itself, where it is at hand."""
    lines = (GOLDEN / system / "routes.txt").read_text(encoding="utf-8").splitlines()
    assert list(sections_of(system)) == lines


@pytest.mark.parametrize(
    ("system", "row"), named([(system, row) for system, row in JSON_ROWS if system not in DESKTOP])
)
def test_the_table_has_every_name_the_page_gives(system: str, row: Row) -> None:
    """Parameters and fields of its tables and of its JSON samples, route by route."""
    section = section_of(system, row)
    if system == "amazingdata":
        told = re.findall(r"^(?:data\.?)?(\S+) (?:string|int|float|bool|array|object) ", section, re.MULTILINE)
        told = [re.split(r"[.{}]+", name.removesuffix("[]"))[-1] for name in told]
    elif system == "virtual_market":
        told = re.findall(r'"(\w+)":', section.partition("失败响应")[0])
    else:
        # The page has one sample body, that of an order.
        told = re.findall(r'"(\w+)":', page_of(system).partition("C2S):")[2]) if row.name == "order" else []
    names = {part.removesuffix("[]") for p in row.parameters for part in p.name.split(".")}
    names |= {part.removesuffix("[]") for path in row.fields for part in path.split(".")}
    # Envelope and header are no route's own; `data.{code}` ends in a code, which is no name.
    strange = {name for name in told if name not in names} - {"code", "message", "data", "Authorization", ""}
    assert strange == set()


@pytest.mark.parametrize(("system", "row"), named(ON_PAGE))
def test_the_table_has_every_parameter_as_the_page_has_it(system: str, row: Row) -> None:
    """Name, type, allowed values, default, and whether it is required; where the page says so."""
    section = section_of(system, row, "请求参数")
    ours = {parameter.name: parameter for parameter in row.parameters}
    if system == "huatai":
        told = re.findall(r"^ *\| (\w+) +\| (string|float|int) +\| ([是否])", section, re.MULTILINE)
        session = {"session_id"} if "`session_id`（可选" in section else set()
        assert {name for name, _, _ in told} | session == set(ours)
        for name, kind, needed in told:
            assert (ours[name].type, ours[name].required) == (kind, needed == "是"), name
        return
    if row.kind != "operation":
        # Its bullets are parameters, and in one place status words.
        told = re.findall(r"^(?:查询参数: -|  •) (\w+): ", section, re.MULTILINE)
        words = TABLES[system].words["status"] if row.name == "operation_status" else []
        assert words + [name for name, one in ours.items() if one.where != "path"] == told
        assert {name for name, one in ours.items() if one.where == "path"} == set(re.findall(r"\{(\w+)\}", row.path))
        for name, low, high in re.findall(r"^  • (\w+): .*\((\d+)-(\d+)\)", section, re.MULTILINE):
            assert ours[name].values == list(range(int(low), int(high) + 1))
        return
    told = re.findall(r"^(\w+) (string|number|integer) (.+)$", section, re.MULTILINE)
    assert {name for name, _, _ in told} == set(ours)
    for name, kind, text in told:
        assert ours[name].type == kind, name
        values = re.search(r"(?:可选)?([^\s:,(]+(?:\([^)]*\))?(?:/[^\s/,(]+(?:\([^)]*\))?)+)", text)
        assert [str(value) for value in ours[name].values] == (
            re.sub(r"\([^)]*\)", "", values[1]).split("/") if values else []
        )
        default = re.search(r"默认\s*([^\s,]+)", text)
        assert default is None or str(ours[name].default) == default[1], name


@pytest.mark.parametrize(("system", "row"), named(ON_PAGE))
def test_the_table_has_every_field_of_the_pages_samples(system: str, row: Row) -> None:
    """Path by path; beside them the money that EasyTHS's page names in words."""
    table, section = TABLES[system], section_of(system, row, "成功响应示例")
    blocks = re.findall(r"```json\n(.*?)```" if system == "huatai" else r"^(\{$.*?^\})$", section, re.M | re.S)
    samples = [json.loads(re.sub(r"//.*", "", block).replace("[...]", "[]")) for block in blocks]
    below = table.data if row.below is None else row.below
    told = {path for sample in samples if "params" not in sample for path in paths_in(sample)}
    envelope = {"success", "code", "message", table.data} if below else set()
    known = [*row.fields, *(path for paths in row.under.values() for path in paths), *row.missing]
    ours = {f"{below}{path}" if path.startswith("[]") or not below else f"{below}.{path}" for path in known}
    if "响应数据包含" in section:
        names = section.partition("响应数据包含: ")[2].splitlines()[0].split("、")
        told |= {f"{below}.result.data.{name}" for name in names}
    assert told - ours - envelope == set()
    assert told or not (row.kind == "json" or row.withheld)


def paths_in(value: Any, at: str = "") -> Iterator[str]:
    """The path of every leaf of a JSON value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths_in(inner, f"{at}.{name}" if at else name)
    elif isinstance(value, list) and value:
        yield from paths_in(value[0], f"{at}[]")
    else:
        yield at


# --- the clients against the table ---


def samples_of(row: Row) -> dict[str, Any]:
    return {p.name: b.sample_of(p, number) for number, p in enumerate(row.parameters)}


@pytest.mark.parametrize(("system", "row"), named(ANSWERED))
def test_every_parameter_is_seen_on_the_wire(system: str, row: Row) -> None:
    """With every value allowed, at its place, as given; the token where it is due; nothing besides."""
    samples = samples_of(row)
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
    assert set(b.names_in(question, row)) == tops


def a_deaf_gateway(system: str) -> Any:
    """For what it says of itself."""
    return b.a_gateway(system, httpx.MockTransport(b.refusal), SteppingClock(b.START_NS[system]))


@pytest.mark.parametrize(("system", "row"), named(ANSWERED))
def test_our_call_takes_the_arguments_of_the_table(system: str, row: Row) -> None:
    """No more and no fewer: what our call offers is in the table."""
    gateway = a_deaf_gateway(system)
    line = gateway.routes()[row.name]
    assert set(re.findall(r"(\w+)=\.\.\.", line)) == {p.argument for p in row.parameters}
    if system in DESKTOP:
        needed = {p.argument for p in row.parameters if p.required and p.default is None}
        assert set(re.findall(r"(?<!\[)\b(\w+)=\.\.\.", line)) == needed


@pytest.mark.parametrize("system", DESKTOP)
def test_our_client_has_no_call_beside_the_table(system: str) -> None:
    """But those that are several calls in one."""
    gateway = a_deaf_gateway(system)
    assert set(gateway.routes()) - {row.name for row in TABLES[system].route} == OURS_ALONE.get(system, set())


@pytest.mark.parametrize(("system", "row"), named(DESK_ROWS))
def test_what_is_not_given_goes_as_the_table_says(system: str, row: Row) -> None:
    """As its default, or not at all; what is required and has none is missed before anything is sent."""
    samples = samples_of(row)
    given = {p.name: samples[p.name] for p in row.parameters if p.required and p.default is None}
    question = b.question_of(system, row, b.arguments_of(row, given))
    due = {p.name: given.get(p.name, p.default) for p in row.parameters if p.where != "path"}
    sent = b.names_in(question, row)
    assert {name: b.plain(value) for name, value in sent.items()} == {
        name: b.plain(value) for name, value in due.items() if value is not None
    }
    for name in given:
        with pytest.raises(ConfigError, match=f"{name} is missing") as refused:
            b.asked_for(system, row, b.arguments_of(row, {one: given[one] for one in given if one != name}))
        assert refused.value.__notes__ == ["asked: []"]


@pytest.mark.parametrize(("system", "row"), named([(s, row) for s, row in DESK_ROWS if row.parameters]))
def test_a_value_the_page_does_not_allow_is_refused_on_our_side(system: str, row: Row) -> None:
    """Before anything is sent; but for those that the table says our call lets through."""
    samples = samples_of(row)
    for parameter in row.parameters:
        strange = [99 if isinstance(parameter.values[0], int) else "zz9"] if parameter.values else []
        for value in strange + parameter.refused:
            with pytest.raises(ConfigError) as refused:
                b.asked_for(system, row, b.arguments_of(row, samples | {parameter.name: value}))
            assert refused.value.__notes__ in (["asked: []"], ["asked: ['/api/v1/operations/']"]), value
        for value in parameter.passes:
            question = b.question_of(system, row, b.arguments_of(row, samples | {parameter.name: value}))
            assert b.plain(b.names_in(question, row)[parameter.name]) == b.plain(value)


# --- simulators and clients against the table ---


@pytest.mark.parametrize(("system", "row"), named(ANSWERED))
def test_every_field_is_served_and_read(system: str, row: Row) -> None:
    """The simulator sends each field, and our call hands each out with the value that was sent."""
    said = b.answers_of(system)[row.name]
    assert said.failure == ""
    if row.kind == "text":
        assert said.ours == said.wire != ""
    assert troubles(row, row.fields, said.wire, said.ours) == []
    assert bool(row.fields or row.under or row.kind != "json") is (row.name not in NO_FIELDS.get(system, set()))


@pytest.mark.parametrize(
    ("system", "row", "variant"), [pytest.param(s, row, v, id=f"{s} {row.name} {v}") for s, row, v in VARIANTS]
)
def test_what_only_a_variant_has_is_served_and_read_there(system: str, row: Row, variant: str) -> None:
    """And not without it: the table says under which settings the page's field exists."""
    said, usual = b.answers_of(system, variant)[row.name], b.answers_of(system)[row.name]
    assert said.failure == ""
    paths = [row.moved.get(path, path) for path in row.under[variant]]
    assert troubles(row, paths, said.wire, said.ours) == []
    assert [path for path in row.under[variant] if is_there(usual.wire, path)] == []


@pytest.mark.parametrize(("system", "row"), named([(s, row) for s, row in DESK_ROWS if row.missing]))
def test_what_the_table_says_is_missing_is(system: str, row: Row) -> None:
    """Under any settings."""
    for variant in ("", *TABLES[system].variants):
        wire = b.answers_of(system, variant)[row.name].wire
        assert [path for path in row.missing if is_there(wire, path)] == []


def troubles(row: Row, paths: list[str], wire: Any, ours: Any) -> list[str]:
    """Fields that were not sent, or are not handed out as they were, or are against the table's word."""
    found = []
    for path in paths:
        if not is_there(wire, path):
            found.append(f"{path} is not sent")
            continue
        if path in row.withheld:
            found += [f"{path} is handed out after all"] if is_there(ours, b.path_in_ours(row, path)) else []
            continue
        sent = b.values_at(wire, path)
        kept = b.values_at(ours, b.path_in_ours(row, path)) if is_there(ours, b.path_in_ours(row, path)) else []
        if len(sent) != len(kept) or not all(same(*pair) for pair in zip(sent, kept, strict=True)):
            found.append(f"{path} is not handed out")
    return found


def is_there(answer: Any, path: str) -> bool:
    try:
        return bool(b.values_at(answer, path))
    except (KeyError, TypeError):
        return False


def same(sent: Any, kept: Any) -> bool:
    """The same value; ids as texts, days with dashes, codes with their zeros and products with their names are ours."""
    if isinstance(sent, str) and isinstance(kept, dict):
        return bool(kept["code"] == sent)
    if isinstance(sent, dict) and isinstance(kept, dict):
        return sent.keys() == kept.keys() and all(same(sent[name], kept[name]) for name in sent)
    return bool(sent == kept or str(sent) in (str(kept), str(kept).replace("-", "")) or str(sent).zfill(6) == kept)


@pytest.mark.parametrize(("system", "row"), named([(s, row) for s, row in DESK_ROWS if row.fields]))
def test_a_field_that_is_dropped_is_found(system: str, row: Row) -> None:
    """By the simulator or by our call, whichever of them it is."""
    said = b.answers_of(system)[row.name]
    for path in row.fields:
        short = copy.deepcopy(said.wire)
        assert drop(short, path), path
        assert troubles(row, [path], short, said.ours) == [f"{path} is not sent"]
        if path not in row.withheld:
            short = copy.deepcopy(said.ours)
            assert drop(short, b.path_in_ours(row, path)), path
            assert troubles(row, [path], said.wire, short) == [f"{path} is not handed out"]


def drop(answer: Any, path: str) -> bool:
    """Take a field out wherever it is; whether it was there."""
    above, _, name = path.rpartition(".")
    holders = [one for one in b.values_at(answer, above) if isinstance(one, dict)] if above else [answer]
    return [one.pop(name.removesuffix("[]"), None) for one in holders] != []


@pytest.mark.parametrize(("system", "row"), named([(s, row) for s, row in ON_PAGE if row.kind == "json"]))
def test_the_simulator_says_the_words_of_the_pages_sample(system: str, row: Row) -> None:
    """``message`` of the first answer the page shows; where that is null, there is none to say."""
    told = re.search(r'"message": (?:null|"(.+)")', section_of(system, row, "成功响应示例"))
    assert told is not None
    if told[1] is not None:
        assert b.answers_of(system)[row.name].whole["message"] == told[1]


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
    insider, stranger = (
        GatewayAtHand(exchange=a_bare_market(HK_OPEN_NS), scopes=tuple(sorted(scopes)))
        for scopes in ({row.scope}, others)
    )
    assert (await insider.client.request(row.method, row.path, json={})).status_code in (200, 400)
    assert (await stranger.client.request(row.method, row.path, json={})).status_code == 403


@pytest.mark.parametrize(
    ("system", "row"), named([(system, row) for system, row in ANSWERED if system != "futu" and row.parameters])
)
def test_every_parameter_matters_to_the_simulator(system: str, row: Row) -> None:
    """A good call spoiled in one parameter is answered otherwise: none is read by nobody."""
    good = b.answer_when(system, row)
    gateway = a_deaf_gateway(system)
    assert good.status == 200
    assert row.kind != "operation" or json.loads(good.text)["data"]["result"]["success"]
    for parameter in row.parameters:
        spoiled = b.answer_when(system, row, parameter, b.spoiling_of(parameter))
        assert (spoiled.status, spoiled.text) != (good.status, good.text), parameter.name
        other = b.other_of(row, parameter)
        if system not in DESKTOP:
            continue
        if other is None:
            assert parameter.name in READ_BY_REFUSAL_ALONE[system]
            continue
        found = b.answer_when(system, row, parameter, other)
        changes = row.name not in gateway.reads()
        assert (found.books != good.books) if changes else (found.text != good.text), parameter.name


@pytest.mark.parametrize(
    "row", [row for _, row in DESK_ROWS if row.kind == "operation"], ids=lambda row: f"easyths {row.name}"
)
def test_the_simulator_lists_the_same_parameters(row: Row) -> None:
    """In its list of operations: what it says it needs, our call needs or always sends."""
    listed = b.answers_of("easyths")["operations"].wire["operations"][row.name]["parameters"]
    assert set(listed) == {parameter.name for parameter in row.parameters}
    for parameter in row.parameters:
        told = listed[parameter.name]
        assert told["type"] == parameter.type
        assert told["required"] <= (parameter.required or parameter.default is not None)
        assert told["required"] >= parameter.required
        assert set(told.get("enum", parameter.values)) == set(parameter.values)
        assert told.get("default", parameter.default) == parameter.default


async def test_every_allowed_value_is_taken_by_the_simulator() -> None:
    """And its answer is read, in whichever form a table comes."""
    clock = SteppingClock(b.START_NS["easyths"])
    gateway = b.a_gateway("easyths", b.in_memory(b.a_simulator("easyths", clock)), clock)
    await gateway.call("buy", next(row for _, row in DESK_ROWS if row.name == "buy").example)
    for row in TABLES["easyths"].route:
        for parameter in row.parameters:
            for value in parameter.values:
                said = await gateway.call(row.name, row.example | {parameter.name: str(value)})
                clock.now_ns += b.END_NS
                assert row.kind == "json" or said["success"], (parameter.name, value)
                assert not row.table or said["data"][row.table]
    await gateway.close()


async def test_every_route_of_easyths_wants_the_key() -> None:
    """Where one is configured: the page's Bearer."""
    app = b.a_simulator("easyths", SteppingClock(b.START_NS["easyths"]))
    async with httpx.AsyncClient(transport=b.in_memory(app), base_url="http://simulated") as client:
        for row in TABLES["easyths"].route:
            path = re.sub(r"\{\w+\}", "buy", row.path)
            for headers in ({}, {"authorization": "Bearer another"}):
                answer = await client.request(row.method, path, headers=headers, json={})
                assert (row.auth, answer.status_code) == (True, 401), row.name


async def test_the_status_words_of_the_page_are_said_and_understood() -> None:
    """By the document's variant; our client takes the server's own word for the third as well."""
    clock, path = SteppingClock(b.START_NS["easyths"]), "/api/v1/operations"
    transport = b.in_memory(b.a_simulator("easyths", clock, "document"))
    headers = {"authorization": f"Bearer {b.KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://simulated", headers=headers) as client:

        async def submitted(**params: str) -> str:
            answer = await client.post(f"{path}/holding_query", json={"params": params})
            return str(answer.json()["data"]["operation_id"])

        async def word(operation_id: str) -> str:
            return str((await client.get(f"{path}/{operation_id}/status")).json()["data"]["status"])

        first, second = await submitted(return_type="json"), await submitted(return_type="none such")
        clock.now_ns += SECOND_NS
        early = [await word(second), await word(first)]
        clock.now_ns += b.END_NS
        assert [*early, await word(first), await word(second)] == TABLES["easyths"].words["status"]
    assert easyths.WAITING_WORDS | easyths.DONE_WORDS | {easyths.FAILED_WORD} == {
        *TABLES["easyths"].words["status"],
        "completed",
    }


def test_huatai_is_served_as_documented() -> None:
    """The table's settings are those that the simulator calls the page's."""
    assert HuataiSimulator(**TABLES["huatai"].settings) == as_documented()


def test_the_table_has_every_error_of_the_page() -> None:
    """Its section 六 lists six."""
    assert len(TABLES["huatai"].error) == 6
    section = page_of("huatai").partition("\n## 六")[2].partition("\n## 七")[0]
    told = re.findall(r"^\| ([^\s|]+) +\|", section, re.MULTILINE)
    assert told == ["错误信息", *(error.text for error in TABLES["huatai"].error)]


@pytest.mark.parametrize("error", TABLES["huatai"].error, ids=lambda error: error.text)
async def test_an_error_of_the_page_is_said_and_explained(error: PageError) -> None:
    """To the letter, its code as the HTTP status too; our call hands on the text, and says what to do about it."""
    row = next(row for row in TABLES["huatai"].route if row.name == error.route)
    path = TABLES["huatai"].prefix + row.path
    app = b.a_simulator("huatai", SteppingClock(b.START_NS["huatai"]), **error.settings)
    async with httpx.AsyncClient(transport=b.in_memory(app), base_url="http://simulated") as client:
        body = None if row.method == "GET" else error.body
        answer = await client.request(row.method, path, params=error.params, json=body)
    said = {"code": error.code, "message": error.text, "data": None}
    assert (answer.status_code, answer.json()) == (error.code, said)

    def far_side(request: httpx.Request) -> httpx.Response:
        return httpx.Response(error.code, json=said) if request.url.path == path else b.refusal(request)

    gateway = b.a_gateway("huatai", httpx.MockTransport(far_side), SteppingClock(b.START_NS["huatai"]))
    with pytest.raises(GatewayError) as raised:
        await gateway.call(row.name, {name: str(value) for name, value in (error.params | error.body).items()})
    assert explained(error.text) in raised.value.message
    assert explained(error.text) != error.text
    await gateway.close()


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
