"""The table of covered routes as rows, a far side that records what it is asked, and answers of the simulators."""

import asyncio
import functools
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import msgspec
from msgspec import Struct
from starlette.applications import Starlette

from engine.domain.errors import ConfigError, GatewayError
from engine.domain.timestamps import SECOND_NS, parse_time
from engine.entropy import Entropy
from engine.gateways.amazingdata.adapter import AmazingData
from engine.gateways.easyths.adapter import Easyths
from engine.gateways.futu.adapter import Futu
from engine.gateways.huatai.adapter import Huatai
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.simulators import SIMULATORS
from engine.simulators.counter import CounterAccount, CounterPace, Opening, Share
from engine.simulators.futu import EXAMPLE_TOKEN
from engine.simulators.huatai.statements import NewShare
from tests.amazingdata_builders import ENVIRON as PLATFORM_ENVIRON
from tests.amazingdata_simulator_builders import SteppingClock
from tests.easyths_simulator_builders import a_bare_market

TABLE = Path(__file__).parent / "conformance" / "coverage.toml"
KEY = "a-key"
ENVIRON = {
    "SLUICE_FUTU_TOKEN": EXAMPLE_TOKEN,
    "SLUICE_VM_USER": "TimeXingjian",
    "SLUICE_VM_PASSWORD": "your_password",
    "API_KEY": KEY,
    "SLUICE_HT_USER": "12345678",
    "SLUICE_HT_PASSWORD": "your_trade_pwd",
    "SLUICE_HT_COMM_PASSWORD": "your_comm_pwd",
    **PLATFORM_ENVIRON,
}
DESKTOP = ("easyths", "huatai")
"""The two brokers behind a client's window: their rows say more than the others'."""


class Parameter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One parameter. ``name`` is the wire's, dotted where it lies deeper, with ``[]`` for "each of the list".

    Attributes:
        ours: the argument of our call that carries it, if it has another name.
        where: ``query``, ``path``, ``body``, or ``params``: inside that key of the body.
        values: every value the documents allow; empty where any of the type will do.
        sample: what to send where a value made from the type would be refused on our side.
        required: the page says so; and so does our call, unless there is a default.
        default: what our call sends where none is given; None: nothing.
        refused: what our call refuses, besides anything that is none of the values.
        passes: what the page forbids and our call lets through.
        other: another good value, which the simulator must act upon; None: another one of the values.
    """

    name: str
    where: str
    type: str
    values: list[Any] = []
    ours: str = ""
    sample: Any = None
    required: bool = False
    default: Any = None
    refused: list[Any] = []
    passes: list[Any] = []
    other: Any = None

    @property
    def argument(self) -> str:
        return self.ours or self.name.partition(".")[0].removesuffix("[]")


class Row(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One route of one page.

    Attributes:
        kind: ``json``, or ``text`` and ``socket`` for what is no JSON route; ``operation`` for what goes by a route
            that has a row of its own, and is followed to its end.
        on_page: the page has it.
        body: ``c2s`` where the parameters go inside that key.
        below: where the fields lie in the answer; None: where the system's lie.
        fields: paths in the answer below ``data``: ``[]`` is each of a list, ``*`` each value of an object.
        under: a variant of the simulator -> fields that it alone serves.
        moved: a field as the page has it -> where the variant serves it.
        missing: fields of the page that no variant serves there.
        unwraps: the member of the answer that our call hands out alone.
        withheld: fields that our call does not hand out.
        table: our call hands out the rows under this name, whether the answer names them so or not.
        example: arguments that the simulator answers well; ``$name`` is taken from the answers before.
    """

    name: str
    method: str
    path: str
    kind: str = "json"
    on_page: bool = True
    auth: bool = True
    scope: str = ""
    body: str = "bare"
    parameters: list[Parameter] = []
    below: str | None = None
    fields: list[str] = []
    under: dict[str, list[str]] = {}
    moved: dict[str, str] = {}
    missing: list[str] = []
    unwraps: str = ""
    withheld: list[str] = []
    table: str = ""
    example: dict[str, str] = {}


class PageError(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error text of a page, and the question that brings it; ``settings`` are the simulator's."""

    text: str
    code: int
    route: str
    params: dict[str, str] = {}
    body: dict[str, Any] = {}
    settings: dict[str, Any] = {}


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one system: its page among the seeds, the path before every route, where ``data`` lies in an answer.

    Attributes:
        settings: of the simulator, under which the rows are served.
        variants: name -> what is set besides for the fields ``under`` it.
        words: what the page lists beside parameters and fields.
    """

    page: str
    prefix: str = ""
    data: str = ""
    settings: dict[str, Any] = {}
    variants: dict[str, dict[str, Any]] = {}
    words: dict[str, list[str]] = {}
    error: list[PageError] = []
    route: list[Row]


@functools.cache
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


BEFORE_ANY: dict[str, Any] = {
    "/auth/login": {
        "access_token": "t", "token_type": "bearer", "user_id": "1", "login_id": "l", "expires_in": 86_400,
    },
    "/operations/": {"operations": {"buy": {}, "market_buy": {}, "market_sell": {}}},
    "/session-status": {"is_logged_in": True, "session_id": "s"},
    "/balance": {"资金余额": 1.0, "可用金额": 1.0, "总资产": 1.0},
}  # fmt: skip
"""What a gateway may ask before a call: end of the path -> ``data`` of the answer."""


def refusal(request: httpx.Request) -> httpx.Response:
    """A login is answered, anything else is not there: the question is all that matters."""
    for end, data in BEFORE_ANY.items():
        if request.url.path.endswith(end):
            return httpx.Response(200, json={"code": 200, "message": "", "success": True, "data": data, **data})
    return httpx.Response(404, json={"error": "not here", "message": "not here"})


def a_gateway(system: str, transport: httpx.AsyncBaseTransport, clock: SteppingClock) -> Any:
    """A gateway of the system, not connected, whose every call goes to ``transport``."""
    made: Any
    if system == "futu":
        made = Futu(account="real", acc_id="281756400000000123", environment="real", armed=True)
    elif system == "amazingdata":
        made = AmazingData(calls_per_minute=100_000)
    elif system == "easyths":
        made = Easyths()
    elif system == "huatai":
        made = Huatai()
    else:
        made = VirtualMarket(base_url="http://127.0.0.1:8800", account="a")
    around = Surroundings(clock=clock, entropy=Entropy(11), environ=ENVIRON, transport=lambda: transport)
    return made.open(around)


def question_of(system: str, row: Row, arguments: dict[str, str]) -> httpx.Request:
    """What our call of a row puts on the wire; the answer is a refusal."""

    return asked_for(system, row, arguments)[-1]


def asked_for(system: str, row: Row, arguments: dict[str, str]) -> list[httpx.Request]:
    """Everything our call puts on the wire.

    Raises:
        ConfigError: our side refuses the arguments; what was asked before is in its notes.
    """

    async def ask() -> list[httpx.Request]:
        recorder = Recorder(httpx.MockTransport(refusal))
        gateway = a_gateway(system, recorder, SteppingClock(START_NS[system]))
        try:
            await gateway.call(row.name, arguments)
        except GatewayError:
            pass
        except ConfigError as problem:
            problem.add_note(f"asked: {[request.url.path for request, _ in recorder.heard]}")
            raise
        finally:
            await gateway.close()
        return [request for request, _ in recorder.heard]

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
        "bool": True, "string": f"text {number}/ä", "double": number + 0.5, "float": number + 0.5,
        "uint64": 2**63 + number, "bytes": [1, 2, number], "object": {"k": number},
    }  # fmt: skip
    value = made.get(bare, 100 + number)
    return [value] if parameter.type.endswith("[]") else value


def choices_of(parameter: Parameter, sample: Any) -> list[Any]:
    """Every value to send once: the allowed ones, both truths, or the sample."""
    if parameter.values:
        return [[value] if parameter.type.endswith("[]") else value for value in parameter.values]
    return [True, False] if parameter.type == "bool" else [sample]


def arguments_of(row: Row, values: dict[str, Any]) -> dict[str, str]:
    """Values by the wire's names, where there are any, as the texts of our arguments, deeper ones as JSON."""
    nested: dict[str, Any] = {}
    for parameter in row.parameters:
        if parameter.name not in values:
            continue
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
    value = value["params"] if parameter.where == "params" else value
    for part in parameter.name.split("."):
        inner = value[part.removesuffix("[]")]
        value = inner[0] if part.endswith("[]") else inner
    return value


def body_of(question: httpx.Request, row: Row) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(question.content) if question.content else {}
    return body["c2s"] if row.body == "c2s" else body


def names_in(question: httpx.Request, row: Row) -> dict[str, Any]:
    """What a question carries beside its path: name -> value."""
    body = body_of(question, row)
    return dict(question.url.params) | (body["params"] if row.kind == "operation" else body)


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
    **dict.fromkeys(DESKTOP, parse_time("2026-03-02 10:00:30", "Asia/Shanghai")),
}
STEP_SECONDS = {"futu": 3, "amazingdata": 60, "virtual_market": 3660, "easyths": 0, "huatai": 60}
"""Between two calls: past Futu's and HT's fills, AmazingData's tasks, and the hour that bought shares are locked."""
END_NS = 60 * SECOND_NS
"""Within it any operation of EasyTHS ends."""
AT_THE_DESK: dict[str, Any] = {
    "seed": 7,
    "shares": (Share(code="600000.SH", name="浦发银行", price=12.3), Share(code="000001.SZ", name="甲", price=12.3)),
    "account": CounterAccount(
        user="12345678",
        holdings=tuple(Opening(code=code, quantity=2000, price=Decimal("10.5")) for code in ("600000.SH", "000001.SZ")),
    ),
}
"""Shares at 10.51 when it begins."""
SETTINGS: dict[str, dict[str, Any]] = {
    "futu": {"seed": 7, "pacing": False, "account_ids": "text"},
    "amazingdata": {"seed": 7, "gaps": 0.1, "task_ms_per_code": 1, "detect_ms_per_code": 0},
    "virtual_market": {"seed": 7, "rate_limits": "off"},
    "easyths": AT_THE_DESK
    | {"api_key": KEY, "rate_limit": 0, "pace": 3.0, "counter": CounterPace(partial=0.0), "nameless_columns": False},
    "huatai": AT_THE_DESK
    | {
        "pauses": 0.0,
        "pace": CounterPace(partial=0.0),
        "new_shares": (NewShare(code="787001.SH", name="新股甲", price=12.5, quantity=5000),),
    },
}
FIRST = {
    "futu": ("unlock_trade", "subscribe", "order"),
    "amazingdata": (),
    "virtual_market": ("buy",),
    "easyths": ("buy", "submit", "operation_cancel"),
    "huatai": ("connect", "buy", "cancel_entrusts", "cancel_entrust"),
}
"""What must have happened before the rest has something to tell."""
LAST = {"huatai": ("exit",)}
AGAIN: dict[str, dict[str, Callable[[dict[str, str]], dict[str, str]]]] = {
    "futu": {"order": lambda example: example | {"order_type": "1", "price": "430"}},
    "easyths": {"submit": lambda example: example},
    "huatai": {"buy": lambda example: example | {"price": "10.05"}},
}
"""Asked once more after the first: what rests, or waits, so that there is one to change or to cancel."""


class Leaping:
    """A clock as a simulator sees it, on which whatever it would wait for comes at once."""

    def __init__(self, clock: SteppingClock) -> None:
        self._clock = clock

    @property
    def now_ns(self) -> int:
        return self._clock.now_ns

    def real_seconds(self, duration_ns: int) -> float:
        self._clock.now_ns += duration_ns
        return 0.0

    async def sleep(self, duration_ns: int) -> None:
        self._clock.now_ns += duration_ns

    async def sleep_until(self, ts_ns: int) -> None:
        self._clock.now_ns = max(self._clock.now_ns, ts_ns)


class Said(Struct, frozen=True):
    """What was asked of the simulator, what it sent, below ``data`` and whole, and what our call made of it."""

    wire: Any = None
    ours: Any = None
    question: httpx.Request | None = None
    whole: Any = None
    failure: str = ""


@functools.cache
def answers_of(system: str, variant: str = "") -> dict[str, Said]:
    """Every row's example asked of one simulator, with our own gateway, in an order that makes sense."""
    return asyncio.run(_answers(system, variant))


def a_simulator(system: str, clock: SteppingClock, variant: str = "", **settings: Any) -> Starlette:
    """As the table has it, with the variant's settings and these."""
    table = tables()[system]
    given = SETTINGS[system] | table.settings | (table.variants[variant] if variant else {}) | settings
    simulator = SIMULATORS[system](**given)
    if system == "virtual_market":
        return simulator.app(clock, Entropy(7))
    # The others bring what they trade: over a market without more than that they are made in no time.
    market = a_bare_market(clock.now_ns)
    return simulator.app(Leaping(clock) if system in DESKTOP else clock, Entropy(7), exchange=market)


def in_memory(app: Starlette) -> httpx.ASGITransport:
    return httpx.ASGITransport(app=app, client=("127.0.0.1", 50_000))


async def _answers(system: str, variant: str) -> dict[str, Said]:
    table = tables()[system]
    clock = SteppingClock(START_NS[system])
    recorder = Recorder(in_memory(a_simulator(system, clock, variant)))
    gateway = a_gateway(system, recorder, clock)
    said: dict[str, Said] = {}
    known: dict[str, str] = {}
    for row, example in _in_order(system, table):
        clock.now_ns += STEP_SECONDS[system] * SECOND_NS
        began = len(recorder.heard)
        try:
            arguments = {name: _filled(text, known) for name, text in example.items()}
            ours = await gateway.call(row.name, arguments)
        except Exception as problem:  # noqa: BLE001 - one row's failure must not hide the others' answers
            said[row.name] = Said(failure=f"{type(problem).__name__}: {problem}")
            continue
        question, answer = recorder.heard[-1]
        if row.kind == "operation":
            question = next(asked for asked, _ in recorder.heard[began:] if asked.method == row.method)
        whole: Any = answer.text if row.kind == "text" else answer.json()
        below = table.data if row.below is None else row.below
        wire = whole[below] if below and row.kind != "text" else whole
        said[row.name] = Said(wire, ours, question, whole)
        if isinstance(wire, dict):
            told = {name: str(value) for name, value in wire.items() if isinstance(value, int | str)}
            known = {f"first_{name}": value for name, value in told.items()} | known | told
    await gateway.close()
    return said


def _in_order(system: str, table: Table) -> Iterator[tuple[Row, dict[str, str]]]:
    rows = {row.name: row for row in table.route if row.kind != "socket"}
    last = LAST.get(system, ())
    for name in FIRST[system]:
        yield rows[name], rows[name].example
        if name in AGAIN.get(system, {}):
            yield rows[name], AGAIN[system][name](rows[name].example)
    for name, row in rows.items():
        if name not in (*FIRST[system], *last):
            yield row, row.example
    for name in last:
        yield rows[name], rows[name].example


def _filled(text: str, known: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda match: known[match[1]], text)


# --- one question to a fresh simulator ---

OPENING = {"virtual_market": "login", "amazingdata": "login", "huatai": "connect"}
"""The call whose answer lets the others in."""
BEFORE = {
    "test_sdk_config": ("create_sdk_config",),
    "task": ("detect_missing", "cache_all_missing", "fill_missing"),
    "tasks": ("fill_missing", "fill_missing"),
    "sell": ("buy",),
    "sell_all_stock": ("buy",),
    "operation_status": ("buy",),
    "operation_result": ("buy",),
    "operation_cancel": ("submit", "submit"),
    "order_query": ("buy",),
    "order_cancel": ("buy",),
    "historical_commission_query": ("buy",),
    "condition_order_query": ("condition_buy",),
    "condition_order_cancel": ("condition_buy",),
    "cancel_entrust": ("buy", "buy"),
}
"""What a route needs to have something to answer about."""
OTHERWISE: dict[tuple[str, str], dict[str, Any]] = {("huatai", "login"): {"client_lost": True}}
"""Settings under which a row's parameters matter: a client that runs is asked for no password (contracts/ht.md 3)."""
SPOILED = {"bool": False, "int": 0, "string[]": ["zz9"]}
"""In place of an example's value, for what is no text."""
ABSENT = object()
"""In place of a value that must be sent and is not looked at (contracts/ht.md 6.17)."""


class Outcome(Struct, frozen=True):
    """Status and text of an answer; ``books``: what a desktop broker's client then holds."""

    status: int
    text: str
    books: str = ""


def answer_when(system: str, row: Row, spoiled: Parameter | None = None, value: Any = None) -> Outcome:
    """What a fresh simulator makes of a row's example, one parameter spoiled or none."""
    return asyncio.run(_answer_when(system, row, spoiled, value, answers_of(system)))


def spoiling_of(parameter: Parameter) -> Any:
    """Another value; a password that is only kept shows by its type alone that it was read."""
    if parameter.name == "comm_password":
        return ABSENT
    return {} if parameter.name == "password" else SPOILED.get(parameter.type, "zz9")


def other_of(row: Row, parameter: Parameter) -> Any:
    """Another good value than the example's; None: there is none that the simulator would act upon."""
    if parameter.other is not None:
        return parameter.other
    return next((one for one in parameter.values if str(one) != row.example.get(parameter.argument)), None)


async def _answer_when(system: str, row: Row, spoiled: Parameter | None, value: Any, said: dict[str, Said]) -> Outcome:
    table, clock = tables()[system], SteppingClock(START_NS[system])
    rows = {one.name: one for one in table.route}
    app = a_simulator(system, clock, **OTHERWISE.get((system, row.name), {}))
    opening = OPENING.get(system, "")
    opens = row.name in (opening, "login")
    async with httpx.AsyncClient(transport=in_memory(app), base_url="http://simulated") as client:
        client.headers["authorization"] = f"Bearer {KEY}"
        answer, handle = httpx.Response(500), ""
        for name in (*([opening] if opening and not opens else []), *BEFORE.get(row.name, ()), row.name):
            question = said[name].question
            assert question is not None, said[name].failure
            path, params = question.url.path, dict(question.url.params)
            body = json.loads(question.content) if question.content else None
            if "{operation_id}" in rows[name].path:
                path = rows[name].path.replace("{operation_id}", handle)
            if spoiled is not None and name == row.name:
                path = _spoil(spoiled, value, path, params, body, table.prefix + rows[name].path)
            clock.now_ns += STEP_SECONDS[system] * SECOND_NS
            if system == "easyths" and question.method == "GET":
                clock.now_ns += END_NS
            answer = await client.request(question.method, path, params=params, json=body)
            if name == "login" and not opens:
                told = answer.json()
                token = (told[table.data] if table.data else told)["access_token"]
                client.headers["authorization"] = f"Bearer {token}"
            if system == "easyths" and question.method == "POST" and answer.status_code == 200:
                handle = answer.json()[table.data]["operation_id"]
        if row.method == "POST" and handle:
            clock.now_ns += END_NS
            answer = await client.get(rows["operation_status"].path.replace("{operation_id}", handle))
    return Outcome(answer.status_code, answer.text, books_of(app) if system in DESKTOP else "")


def _spoil(spoiled: Parameter, value: Any, path: str, params: dict[str, Any], body: Any, template: str) -> str:
    """Put a value in the place of a parameter's; the path, with it where it lies there."""
    if spoiled.where == "path":
        return re.sub(r"\{\w+\}", str(value), template)
    holder = {"query": params, "body": body, "params": (body or {}).get("params", {})}[spoiled.where]
    holder[spoiled.name] = value
    if value is ABSENT:
        del holder[spoiled.name]
    return path


def books_of(app: Starlette) -> str:
    """Orders, and what else of a client's a call may change."""
    venue = app.state.venue
    now_ns = venue.clock.now_ns
    books: list[Any] = [
        (one.code, one.side, one.quantity, one.price, one.strategy, one.status)
        for one in venue.counter.entrusts(now_ns)
    ]
    if hasattr(venue, "conditions"):
        books += [
            (one.code, one.side, one.quantity, one.price, one.words, one.expires_ns - one.made_ns, one.state)
            for one in venue.conditions.conditions
        ]
        books += [(loan.repo.code, loan.amount) for loan in venue.repo.loans]
        books += [(one.name, one.priority) for one in venue.queue.operations.values()]
    else:
        books += [now_ns, venue.window.up, len(venue.statements.subscriptions)]
    return repr(books)


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


def path_in_ours(row: Row, path: str) -> str:
    """Where our call hands out a field."""
    path = path.removeprefix(row.unwraps).removeprefix(".") if row.unwraps else path
    if row.table and path.startswith("data[]"):
        return f"data.{row.table}[]{path.removeprefix('data[]')}"
    return path
