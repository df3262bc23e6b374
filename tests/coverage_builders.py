"""The table of covered routes as rows, a far side that records what it is asked, and answers of the simulators."""

import asyncio
import functools
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import msgspec
from msgspec import Struct
from starlette.applications import Starlette

from engine.domain.errors import GatewayError
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.gateways.amazingdata.adapter import AmazingData
from engine.gateways.futu.adapter import Futu
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.simulators import SIMULATORS
from engine.simulators.futu import EXAMPLE_TOKEN
from tests.amazingdata_builders import ENVIRON as PLATFORM_ENVIRON
from tests.amazingdata_simulator_builders import SteppingClock

TABLE = Path(__file__).parent / "conformance" / "coverage.toml"
ENVIRON = {
    "SLUICE_FUTU_TOKEN": EXAMPLE_TOKEN,
    "SLUICE_VM_USER": "TimeXingjian",
    "SLUICE_VM_PASSWORD": "your_password",
    **PLATFORM_ENVIRON,
}
CARRIER = {"bare": (), "c2s": ("c2s",)}


class Parameter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One parameter. ``name`` is the wire's, dotted where it lies deeper, with ``[]`` for "each of the list".

    Attributes:
        ours: the argument of our call that carries it, if it has another name.
        values: every value the documents allow; empty where any of the type will do.
        sample: what to send where a value made from the type would be refused on our side.
    """

    name: str
    where: str
    type: str
    values: list[Any] = []
    ours: str = ""
    sample: Any = None

    @property
    def argument(self) -> str:
        return self.ours or self.name.partition(".")[0].removesuffix("[]")


class Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One route of one page.

    Attributes:
        kind: ``json``, or ``text`` and ``socket`` for what is no JSON route.
        body: ``c2s`` where the parameters go inside that key.
        fields: paths in the answer below ``data``: ``[]`` is each of a list, ``*`` each value of an object.
        unwraps: the member of the answer that our call hands out alone.
        example: arguments that the simulator answers well; ``$name`` is taken from the answers before.
    """

    name: str
    method: str
    path: str
    kind: str = "json"
    auth: bool = True
    scope: str = ""
    body: str = "bare"
    parameters: list[Parameter] = []
    fields: list[str] = []
    unwraps: str = ""
    example: dict[str, str] = {}


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one system: its page among the seeds, the path before every route, where ``data`` lies in an answer."""

    page: str
    prefix: str = ""
    data: str = ""
    route: list[Row]


def tables() -> dict[str, Table]:
    return msgspec.convert(tomllib.loads(TABLE.read_text(encoding="utf-8")), dict[str, Table])


# --- asking ---


class Recorder(httpx.AsyncBaseTransport):
    """Passes on what it is asked, and keeps questions and answers."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.heard: list[tuple[httpx.Request, httpx.Response]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        answer = await self._inner.handle_async_request(request)
        body = await answer.aread()
        whole = httpx.Response(answer.status_code, headers=answer.headers, content=body)
        self.heard.append((request, whole))
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)


def refusal(request: httpx.Request) -> httpx.Response:
    """A login is answered, anything else is not there: the question is all that matters."""
    if request.url.path.endswith("/auth/login"):
        token = {"access_token": "t", "token_type": "bearer", "user_id": "1", "login_id": "l", "expires_in": 86_400}
        return httpx.Response(200, json={"code": 200, "message": "", "data": token, **token})
    return httpx.Response(404, json={"error": "not here", "message": "not here"})


def a_gateway(system: str, transport: httpx.AsyncBaseTransport, clock: SteppingClock) -> Any:
    """A gateway of the system, not connected, whose every call goes to ``transport``."""
    made: Any
    if system == "futu":
        made = Futu(account="real", acc_id="281756400000000123", environment="real", armed=True)
    elif system == "amazingdata":
        made = AmazingData(calls_per_minute=100_000)
    else:
        made = VirtualMarket(base_url="http://127.0.0.1:8800", account="a")
    around = Surroundings(clock=clock, entropy=Entropy(11), environ=ENVIRON, transport=lambda: transport)
    return made.open(around)


def question_of(system: str, row: Row, arguments: dict[str, str]) -> httpx.Request:
    """What our call of a row puts on the wire; the answer is a refusal."""

    async def ask() -> httpx.Request:
        recorder = Recorder(httpx.MockTransport(refusal))
        gateway = a_gateway(system, recorder, SteppingClock(START_NS[system]))
        try:
            await gateway.call(row.name, arguments)
        except GatewayError:
            pass
        finally:
            await gateway.close()
        return recorder.heard[-1][0]

    return asyncio.run(ask())


# --- values ---


def sample_of(parameter: Parameter, number: int) -> Any:
    """A value of the parameter's type that no other parameter of the row has."""
    if parameter.sample is not None:
        return parameter.sample
    if parameter.values:
        return parameter.values[-1]
    bare = parameter.type.removesuffix("[]")
    made: dict[str, Any] = {
        "bool": True, "string": f"text {number}/ä", "double": number + 0.5, "uint64": 2**63 + number,
        "bytes": [1, 2, number], "object": {"k": number},
    }  # fmt: skip
    value = made.get(bare, 100 + number)
    return [value] if parameter.type.endswith("[]") else value


def choices_of(parameter: Parameter, sample: Any) -> list[Any]:
    """Every value to send once: the allowed ones, both truths, or the sample."""
    if parameter.values:
        return [[value] if parameter.type.endswith("[]") else value for value in parameter.values]
    return [True, False] if parameter.type == "bool" else [sample]


def arguments_of(row: Row, values: dict[str, Any]) -> dict[str, str]:
    """Values by the wire's names as the texts of our arguments, deeper ones as JSON."""
    nested: dict[str, Any] = {}
    for parameter in row.parameters:
        value = values[parameter.name]
        if parameter.type.endswith("[]") and not isinstance(value, list):
            value = [value]
        if "." not in parameter.name:
            nested[parameter.argument] = value
            continue
        head, _, last = parameter.name.partition(".")
        listed, name = head.endswith("[]"), head.removesuffix("[]")
        holder = nested.setdefault(name, [{}] if listed else {})
        (holder[0] if listed else holder)[last] = value
    return {name: value if isinstance(value, str) else _argument(value) for name, value in nested.items()}


def _argument(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(entry, str) and "." in entry for entry in value):
        # Codes are written with commas between them.
        return ",".join(value)
    return json.dumps(value)


def found_in(question: httpx.Request, row: Row, prefix: str, parameter: Parameter) -> Any:
    """The parameter's value on the wire; a KeyError says that it is not there."""
    if parameter.where == "query":
        return question.url.params[parameter.name]
    if parameter.where == "path":
        template = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(prefix + row.path))
        match = re.fullmatch(template, question.url.raw_path.decode().partition("?")[0])
        assert match is not None, f"{question.url} is not {row.path}"
        return unquote(match[parameter.name])
    value = body_of(question, row)
    for part in parameter.name.split("."):
        inner = value[part.removesuffix("[]")]
        value = inner[0] if part.endswith("[]") else inner
    return value


def body_of(question: httpx.Request, row: Row) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(question.content) if question.content else {}
    return body["c2s"] if row.body == "c2s" else body


def plain(value: Any) -> str:
    """A value as the wire may write it, in one way only: lists with commas, numbers by their value."""
    if isinstance(value, list):
        return ",".join(plain(entry) for entry in value)
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else str(value)


# --- answers of the simulators ---

START_NS = {
    "futu": parse_time("2026-11-18 10:15:03", "Asia/Hong_Kong"),
    "amazingdata": parse_time("2026-03-02 15:30:00", "Asia/Shanghai"),
    "virtual_market": parse_time("2026-03-02 08:30:30", "Asia/Shanghai"),
}
STEP_SECONDS = {"futu": 3, "amazingdata": 60, "virtual_market": 3660}
"""Between two calls: past Futu's fills, AmazingData's tasks, and the hour that bought shares are locked."""
SETTINGS: dict[str, dict[str, Any]] = {
    "futu": {"seed": 7, "pacing": False, "account_ids": "text"},
    "amazingdata": {"seed": 7, "gaps": 0.1, "task_ms_per_code": 1, "detect_ms_per_code": 0},
    "virtual_market": {"seed": 7, "rate_limits": "off"},
}
FIRST = {"futu": ("unlock_trade", "subscribe", "order"), "amazingdata": (), "virtual_market": ("buy",)}
"""What must have happened before the rest has something to tell."""
AGAIN: dict[str, dict[str, Callable[[dict[str, str]], dict[str, str]]]] = {
    "futu": {"order": lambda example: example | {"order_type": "1", "price": "430"}}
}
"""Asked once more after the first: an order that rests, so that there is one to change."""


class Said(Struct, frozen=True):
    """What was asked of the simulator, what it sent, below ``data``, and what our call made of it."""

    wire: Any = None
    ours: Any = None
    question: httpx.Request | None = None
    failure: str = ""


@functools.cache
def answers_of(system: str) -> dict[str, Said]:
    """Every row's example asked of one simulator, with our own gateway, in an order that makes sense."""
    return asyncio.run(_answers(system))


def a_simulator(system: str, clock: SteppingClock) -> Starlette:
    return SIMULATORS[system](**SETTINGS[system]).app(clock, Entropy(7))


async def _answers(system: str) -> dict[str, Said]:
    table = tables()[system]
    clock = SteppingClock(START_NS[system])
    recorder = Recorder(httpx.ASGITransport(app=a_simulator(system, clock), client=("127.0.0.1", 50_000)))
    gateway = a_gateway(system, recorder, clock)
    said: dict[str, Said] = {}
    known: dict[str, str] = {}
    for row, example in _in_order(system, table):
        clock.now_ns += STEP_SECONDS[system] * SECOND_NS
        try:
            arguments = {name: _filled(text, known) for name, text in example.items()}
            ours = await gateway.call(row.name, arguments)
        except Exception as problem:  # noqa: BLE001 - one row's failure must not hide the others' answers
            said[row.name] = Said(failure=f"{type(problem).__name__}: {problem}")
            continue
        question, answer = recorder.heard[-1]
        wire: Any = answer.text if row.kind == "text" else answer.json()
        wire = wire[table.data] if table.data and row.kind == "json" else wire
        said[row.name] = Said(wire, ours, question)
        if isinstance(wire, dict):
            told = {name: str(value) for name, value in wire.items() if isinstance(value, int | str)}
            known = {f"first_{name}": value for name, value in told.items()} | known | told
    await gateway.close()
    return said


def _in_order(system: str, table: Table) -> Iterator[tuple[Row, dict[str, str]]]:
    rows = {row.name: row for row in table.route if row.kind != "socket"}
    for name in FIRST[system]:
        yield rows[name], rows[name].example
        if name in AGAIN.get(system, {}):
            yield rows[name], AGAIN[system][name](rows[name].example)
    for name, row in rows.items():
        if name not in FIRST[system]:
            yield row, row.example


def _filled(text: str, known: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda match: known[match[1]], text)


BEFORE = {
    "test_sdk_config": ("create_sdk_config",),
    "task": ("detect_missing", "cache_all_missing", "fill_missing"),
    "tasks": ("fill_missing", "fill_missing"),
    "sell": ("buy",),
    "sell_all_stock": ("buy",),
}
"""What a route needs to have something to answer about."""
SPOILED = {"bool": False, "int": 0, "string[]": ["zz9"]}
"""In place of an example's value, for what is no text."""


def answer_when(system: str, row: Row, spoiled: Parameter | None = None, value: Any = None) -> tuple[int, str]:
    """Status and text of a fresh simulator's answer to a row's example, one parameter spoiled or none."""
    return asyncio.run(_answer_when(system, row, spoiled, value, answers_of(system)))


def spoiling_of(parameter: Parameter) -> Any:
    """Another value; a password that is only kept shows by its type alone that it was read."""
    return {} if parameter.name == "password" else SPOILED.get(parameter.type, "zz9")


async def _answer_when(
    system: str, row: Row, spoiled: Parameter | None, value: Any, said: dict[str, Said]
) -> tuple[int, str]:
    table, clock = tables()[system], SteppingClock(START_NS[system])
    inner = httpx.ASGITransport(app=a_simulator(system, clock), client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=inner, base_url="http://simulated") as client:
        rows = {one.name: one for one in table.route}
        answer = httpx.Response(500)
        for name in ("login", *BEFORE.get(row.name, ()), row.name):
            question = said[name].question
            assert question is not None
            path, params = question.url.path, dict(question.url.params)
            body = json.loads(question.content) if question.content else None
            if spoiled is not None and name == row.name:
                if spoiled.where == "path":
                    path = table.prefix + re.sub(r"\{\w+\}", str(value), rows[name].path)
                else:
                    (params if spoiled.where == "query" else body)[spoiled.name] = value
            clock.now_ns += STEP_SECONDS[system] * SECOND_NS
            answer = await client.request(question.method, path, params=params, json=body)
            if name == "login" and row.name != "login":
                told = answer.json()
                token = (told[table.data] if table.data else told)["access_token"]
                client.headers["authorization"] = f"Bearer {token}"
        return answer.status_code, answer.text


def values_at(answer: Any, path: str) -> list[Any]:
    """Every value at a path; KeyError where an object on the way has no such key, [] where nothing is on the way."""
    values = [answer]
    for part in filter(None, path.split(".")):
        name, lists = part.removesuffix("[]"), part.endswith("[]")
        if name == "*":
            values = [inner for value in values for inner in value.values()]
        elif name:
            values = [value[name] for value in values if value is not None]
        if lists:
            values = [entry for value in values for entry in value or ()]
    return values
