"""The house rules as data, and functions that read source text and say where it breaks them.

Each function takes the path (relative to the repository, as text) and the source of one file and returns sentences
of the form ``path:line: what is wrong``. ``# dst-ok: reason`` on the line, or on the line above, excuses a line from
the determinism lint; an excuse without a reason excuses nothing.
"""

import ast
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

CORE_GROUND = {"domain"}
WIRE = {"domain", "clock", "entropy", "net"}

ROOMS: dict[str, set[str]] = {
    # Ground and first floor.
    "domain": set(),
    "bus": {"domain"},
    "clock": {"domain"},
    "entropy": {"domain"},
    "traps": set(),
    "native": set(),
    "ports": {"domain"},
    # The core.
    "legs": {"domain"},
    "portfolio": {"domain", "legs"},
    "markets": {"domain"},
    "indicators": {"domain", "native"},
    "history": {"domain"},
    "risk": {"domain", "portfolio", "markets"},
    "matching": {"domain", "markets"},
    "holdings": {"domain"},
    "correlation": {"domain", "bus", "clock", "entropy", "portfolio", "risk", "markets", "ports", "holdings"},
    "strangers": {"domain"},
    "explanations": {"domain", "portfolio", "strangers", "holdings"},
    "reconciliation": {"domain", "portfolio", "strangers", "explanations"},
    "outcomes": {"domain"},
    "readings": {"domain", "clock", "portfolio", "correlation", "holdings"},
    "judge": {
        "domain", "bus", "clock", "entropy", "portfolio", "risk", "markets", "ports", "correlation", "readings",
        "outcomes",
    },
    "execution": {
        "domain", "bus", "clock", "entropy", "portfolio", "risk", "markets", "ports", "correlation", "reconciliation",
        "readings", "outcomes", "judge",
    },
    "instructions": {"domain", "clock", "portfolio", "risk"},
    "algos": {"domain", "bus", "clock", "entropy", "portfolio", "risk", "markets"},
    "terms": {"domain"},
    "params": {"domain", "bus", "clock", "entropy", "portfolio", "indicators", "ports"},
    "schedule": {"domain", "bus", "clock", "entropy", "portfolio", "indicators", "ports"},
    "series": {"domain", "indicators"},
    "declared": {"domain", "indicators", "series"},
    "asking": {"domain"},
    "context": {
        "domain", "bus", "clock", "entropy", "portfolio", "indicators", "ports", "params", "history", "schedule",
        "series", "declared", "terms", "asking",
    },
    "outside": {"domain", "asking"},
    "strategy": {
        "domain", "bus", "clock", "entropy", "portfolio", "indicators", "ports", "params", "history", "schedule",
        "series", "declared", "context", "asking",
    },
    "seat": {
        "domain", "bus", "clock", "entropy", "portfolio", "indicators", "ports", "params", "history", "schedule",
        "series", "declared", "context", "strategy",
    },
    "hearing": {"domain", "bus", "series", "declared", "seat"},
    "bar_loop": {"domain", "bus", "seat"},
    "quote_loop": {"seat"},
    "runner": {
        "domain", "bus", "clock", "entropy", "portfolio", "indicators", "ports", "params", "history", "schedule",
        "series", "declared", "context", "strategy", "seat", "hearing", "asking",
    },
    "heard": {"domain", "runner", "seat"},
    # The edge.
    "net": {"domain", "clock", "traps"},
    "gateways": {"domain", "clock", "entropy", "ports", "net", "traps"},
    "journal": {"domain", "ports", "traps"},
    "data": {"domain", "ports"},
    "simulators": {"domain", "clock", "entropy", "net", "matching", "markets"},
}  # fmt: skip
"""DESIGN's table of floors: room -> rooms it may import. A room may import itself."""

ROOMS["runtime"] = set(ROOMS) - {"simulators"}
ROOMS["control"] = set(ROOMS) | {"runtime"}
ROOMS["chaos"] = set(ROOMS) | {"control"}

STRATEGY_LIBRARIES = {"engine", "numpy"}
BANNED_NAMES = {"utils", "helpers", "common", "base", "manager", "util", "helper", "managers"}
BROAD_CATCHERS = (
    "engine/runner.py",
    "engine/outside.py",
    "engine/strategy.py",
    "engine/net/",
    "engine/control/cli.py",
    "engine/control/api/supervising.py",
    "engine/chaos/",
)
SUBSCRIBER = "engine/runtime/wiring.py"
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
MACHINE_PATHS = ("/" + "work/", "/tmp" + "/venv", "/" + "root/")

NEVER: dict[str, tuple[str, ...]] = {
    # What nobody may touch -> the rooms (path prefixes) that may.
    "time": ("engine/clock.py", "engine/chaos/"),
    "random": ("engine/entropy.py", "engine/chaos/"),
    "secrets": ("engine/entropy.py", "engine/chaos/"),
    "uuid": ("engine/entropy.py", "engine/chaos/"),
    "threading": ("engine/journal/sqlite.py", "engine/journal/group_writer.py", "engine/chaos/"),
    "concurrent": ("engine/journal/sqlite.py",),
    "multiprocessing": (),
    "socket": ("engine/chaos/", "engine/control/service_notify.py"),
    "pickle": (),
    "marshal": (),
    "shelve": (),
    "yaml": (),
    "os.environ": ("engine/control/cli",),
    "os.getenv": ("engine/control/cli",),
    "os.urandom": ("engine/entropy.py", "engine/chaos/"),
    "datetime.datetime.now": (),
    "datetime.datetime.utcnow": (),
    "datetime.datetime.today": (),
    "datetime.date.today": (),
    "asyncio.create_task": ("engine/chaos/",),
    "asyncio.ensure_future": (),
    "asyncio.wait_for": (),
    "asyncio.to_thread": (),
    "asyncio.sleep": ("engine/chaos/",),
    "asyncio.open_connection": (),
    "anyio.sleep": ("engine/clock.py", "engine/chaos/"),
    "anyio.sleep_until": ("engine/clock.py", "engine/chaos/"),
    "anyio.to_thread": (),
    "hash": (),
    "eval": (),
    "exec": (),
}
BUILTINS = {"hash", "eval", "exec"}
TYPES = {"random", "random.Random"}
"""May be imported and named (a stream of Entropy is a random.Random), not called."""
NEVER_METHODS: dict[str, tuple[str, ...]] = {
    "run_in_executor": (),
    "create_task": ("engine/chaos/",),
    "ensure_future": (),
}

_EXCUSE = re.compile(r"#\s*dst-ok:\s*\S")


def room_of(path: str) -> str:
    """The room of a file: the folder or root file right under engine/."""
    return path.split("/")[1].removesuffix(".py")


def _imports(tree: ast.Module, path: str) -> Iterator[tuple[int, str]]:
    """Every imported module, also inside functions and ``if TYPE_CHECKING``; relative ones made absolute.

    ``import_module`` counts too, but for the one thing that is started by name: chaos, by control.
    """
    package = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (start, node.module) if part)
            for alias in node.names:
                # ``from engine import risk`` names a room, ``from engine import Strategy`` the package root.
                yield node.lineno, f"{module}.{alias.name}" if module == "engine" else module
        elif isinstance(node, ast.Call) and _dotted(node.func, {}).endswith("import_module"):
            yield from ((node.lineno, ast.literal_eval(name)) for name in node.args[:1] if _by_name(name, path))


def _by_name(name: ast.expr, path: str) -> bool:
    if not isinstance(name, ast.Constant):
        return False
    return not (room_of(path) == "control" and str(name.value).startswith("engine.chaos"))


@lru_cache(maxsize=1)
def _tree(source: str) -> ast.Module:
    """Of the file whose turn it is, for one check after the other."""
    return ast.parse(source)


def check_floors(path: str, source: str) -> list[str]:
    """Imports that go up, or sideways between the wings; rooms that are not in the table."""
    if path == "engine/__init__.py":
        return []
    room = room_of(path)
    if room not in ROOMS:
        return [f"{path}:1: room {room!r} is not in the table of floors"]
    problems = []
    for line, module in _imports(_tree(source), path):
        parts = module.split(".")
        if parts[0] in {"strategies", "tests", "benchmarks"}:
            problems.append(f"{path}:{line}: the engine imports {module}")
        if parts[0] != "engine":
            continue
        if len(parts) == 1 or parts[1] not in ROOMS:
            problems.append(f"{path}:{line}: imports the package root (or an unknown room): {module}")
        elif parts[1] not in ROOMS[room] | {room}:
            problems.append(f"{path}:{line}: {room} may not import {parts[1]}")
    return list(dict.fromkeys(problems))


def check_strategy_imports(path: str, source: str, standard_library: frozenset[str]) -> list[str]:
    """A strategy imports ``engine`` (the root alone), numpy and the standard library."""
    problems = []
    for node in ast.walk(_tree(source)):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = ["." if node.level else str(node.module)]
        for module in modules:
            top = module.split(".")[0]
            allowed = module == "engine" or (top != "engine" and top in STRATEGY_LIBRARIES | standard_library)
            if not allowed:
                problems.append(f"{path}:{node.lineno}: a strategy may not import {module}")  # type: ignore[attr-defined]
    return problems


def check_determinism(path: str, source: str) -> list[str]:
    """Time, chance, threads, environment, tasks and unordered iteration outside their rooms."""
    tree = _tree(source)
    names = _bound_names(tree)
    excused = _excused_lines(source)
    problems = []
    turns = _turns_of_the_loop(tree)
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0) or getattr(getattr(node, "iter", None), "lineno", 0)
        if node in turns:
            continue
        for what in _offences(node, names, path):
            if line not in excused:
                problems.append(f"{path}:{line}: {what}")
    return sorted(set(problems), key=lambda text: int(text.split(":")[1]))


def _excused_lines(source: str) -> set[int]:
    """Lines with an excuse, and those right under a line that is nothing but one."""
    lines = source.splitlines()
    found = {number for number, line in enumerate(lines, 1) if _EXCUSE.search(line)}
    return found | {number + 1 for number in found if lines[number - 1].lstrip().startswith("#")}


def _turns_of_the_loop(tree: ast.Module) -> set[ast.AST]:
    """``sleep(0)``: no time passes, so no clock is asked."""
    return {
        node.func
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and [argument.value for argument in node.args if isinstance(argument, ast.Constant)] == [0]
    }


def _bound_names(tree: ast.Module) -> dict[str, str]:
    """Local name -> what it stands for, by the file's imports."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    """The full name of an expression; one that no import bound keeps its own, and may be any local variable."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return "?"


def _offences(node: ast.AST, names: dict[str, str], path: str) -> Iterator[str]:
    if isinstance(node, ast.Name | ast.Attribute):
        dotted = _dotted(node, names)
        if _bound(node, names):
            banned = [word for word in NEVER if dotted == word or dotted.startswith(f"{word}.")]
        else:
            # A field of that name is no call of the built-in.
            read = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
            banned = [dotted] if read and dotted in BUILTINS else []
        if dotted not in TYPES and any(not _allowed(path, NEVER[word]) for word in banned):
            yield f"{dotted} outside its room"
        if isinstance(node, ast.Attribute) and not _allowed(path, NEVER_METHODS.get(node.attr, ("",))):
            yield f".{node.attr} outside its room"
    elif isinstance(node, ast.Import | ast.ImportFrom):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for module in modules:
            top = module.split(".")[0]
            if top not in TYPES and not _allowed(path, NEVER.get(top, ("",))):
                yield f"import of {module} outside its room"
    elif isinstance(node, ast.Call) and _dotted(node.func, names) in TYPES and not _allowed(path, NEVER["random"]):
        yield f"{_dotted(node.func, names)}() outside its room"
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension) and _is_set(node.iter, names):
        yield "iteration over a set: its order is that of hashes; sort it"


def _allowed(path: str, rooms: tuple[str, ...]) -> bool:
    return any(path.startswith(room) for room in rooms)


def _bound(node: ast.AST, names: dict[str, str]) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in names


def _is_set(node: ast.AST, names: dict[str, str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr | ast.BitAnd | ast.Sub | ast.BitXor):
        return _is_set(node.left, names) or _is_set(node.right, names)
    return isinstance(node, ast.Call) and _dotted(node.func, names) in {"set", "frozenset"}


def check_subscriptions(path: str, source: str) -> list[str]:
    """Only wiring subscribes to a bus (decision 17)."""
    if path == SUBSCRIBER:
        return []
    return [
        f"{path}:{node.lineno}: subscribes to the bus; every subscription is in {SUBSCRIBER}"
        for node in ast.walk(_tree(source))
        if isinstance(node, ast.Attribute)
        and node.attr == "subscribe"
        and _dotted(node.value, {}).split(".")[-1].lstrip("_") in {"bus", "Bus"}
    ]


def check_size(path: str, source: str) -> list[str]:
    """Files past 400 lines and functions past 60: is this two things?"""
    lines = source.count("\n") + (not source.endswith("\n"))
    problems = [f"{path}:1: {lines} lines (at most {FILE_LINES_MAX})"] if lines > FILE_LINES_MAX else []
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                problems.append(f"{path}:{node.lineno}: {node.name} has {length} lines (at most {FUNCTION_LINES_MAX})")
    return problems


def check_name(path: str, _source: str = "") -> list[str]:
    """File and folder names that say nothing."""
    words = [part.removesuffix(".py") for part in path.split("/")]
    return [f"{path}:1: no file is called {word}" for word in words if word in BANNED_NAMES]


def check_broad_catches(path: str, source: str) -> list[str]:
    """``except Exception`` and wider, outside the three places that may (and the simulation, which judges them).

    A handler whose last word is a bare ``raise`` only tidies up.
    """
    if path.startswith(BROAD_CATCHERS):
        return []
    tree = _tree(source)
    names = _bound_names(tree)
    problems = []
    for node in ast.walk(tree):
        caught: list[ast.expr | None] = []
        if isinstance(node, ast.ExceptHandler) and not _raises_on(node):
            caught = list(node.type.elts) if isinstance(node.type, ast.Tuple) else [node.type]
        elif isinstance(node, ast.Call) and _dotted(node.func, names).endswith("suppress"):
            caught = list(node.args)
        for kind in caught:
            if kind is None or _dotted(kind, {}).split(".")[-1] in {"Exception", "BaseException"}:
                problems.append(f"{path}:{node.lineno}: catches broadly")  # type: ignore[attr-defined]
    return problems


def _raises_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def check_machine_paths(path: str, text: str) -> list[str]:
    """Paths of the machine it was written on."""
    return [
        f"{path}:{number}: names {found}"
        for number, line in enumerate(text.splitlines(), 1)
        for found in MACHINE_PATHS
        if re.search(rf"(?<![\w.]){re.escape(found)}", line)
    ]


Check = Callable[[str, str], list[str]]

ENGINE_CHECKS: tuple[Check, ...] = (
    check_floors,
    check_determinism,
    check_subscriptions,
    check_size,
    check_name,
    check_broad_catches,
)
