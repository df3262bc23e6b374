"""``docs/reference/``: names of ``engine``, tables of a config, commands; from docstrings and the command line itself.

Write them anew with ``python -m engine.control.reference_pages``; a test holds the pages equal.
"""

import ast
import enum
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import typer

from engine.control.source_words import Member, markdown, members, signature

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
WRITTEN = "Written by `python -m engine.control.reference_pages` from the source. Do not edit by hand.\n"

GROUPS: dict[str, tuple[str, ...]] = {
    "A strategy": ("Strategy", "param", "WorkingOrder", "Recovered"),
    "Market data": ("Bar", "Bars", "Quote", "Trade", "OrderBook", "DataKind", "FeedStatus", "FeedState"),
    "Orders": (
        "Side", "OrderType", "TimeInForce", "Offset", "OrderState", "OrderEvent", "OrderDenied", "Fill",
        "ClientOrderId",
    ),
    "What the engine or the broker plays": ("AlgoChanged", "AlgoState", "InstructionReport", "InstructionState"),
    "Instruments, timers, errors": ("Instrument", "InstrumentId", "TimerFired", "SluiceError", "ConfigError"),
}  # fmt: skip
"""Heading -> names of ``engine.__all__``; a test holds it complete."""

OPEN_TABLES: dict[str, str] = {
    "markets.NAME": "Settings of a rule book, as `commission` of `[markets.free]`; [the books](../markets.md).",
    "rates.USD_HKD": 'What one of the first currency is worth in the other, from a day on: `2026-03-02 = "7.78"`.',
    "optimize": "What `run.py optimize` tries, and how it judges: [its page](../optimize.md).",
    "secrets": "Environment variable = where its value is: `env:OTHER`, `file:/path` or `keyring:service/user`.",
}
"""Tables of a config whose keys are the user's own names."""


def strategy_page() -> str:
    """Every public name of the package root."""
    public = _public()
    text = (
        f"# Names of `engine`\n\n{WRITTEN}\nWhat `from engine import ...` offers to a strategy file. "
        "[How to write one](../write-a-strategy.md).\n"
    )
    for heading, names in GROUPS.items():
        text += f"\n## {heading}\n" + "".join(_named(name, public[name]) for name in names)
    return text


def _public() -> dict[str, Any]:
    """What the package root takes from where: it is for strategies, and nothing in here imports it."""
    root = ast.parse(files("engine").joinpath("__init__.py").read_text(encoding="utf-8"))
    taken = [node for node in root.body if isinstance(node, ast.ImportFrom) and node.module]
    return {
        alias.name: getattr(importlib.import_module(str(node.module)), alias.name)
        for node in taken
        for alias in node.names
    }


def _named(name: str, thing: Any) -> str:
    if not isinstance(thing, type):
        if not inspect.isfunction(thing):
            return f"\n### {name}\n\nA text (`{getattr(thing, '__supertype__', thing).__name__}`).\n"
        return f"\n### {name}\n\n`{signature(thing)}`: {markdown(thing.__doc__)}\n"
    lines = [f"\n### {name}\n"]
    doc = markdown(vars(thing).get("__doc__"))
    # The interpreter's own words about an enumeration say nothing.
    if doc and not (issubclass(thing, enum.Enum) and "Enum" in doc):
        lines.append(f"{doc}\n")
    lines += [_bullet(member) for member in members(thing) if member.doc or member.kind != "method"]
    return "\n".join(lines) + "\n"


def _bullet(member: Member) -> str:
    if member.kind == "field" and not member.type:
        return f"- `{member.name}`: {member.default}{_behind(member.doc)}"
    shown = f"{member.name}({member.arguments})" if member.kind == "method" else member.name
    type_ = f" -> `{member.type}`" if member.kind == "method" and member.type not in {"", "None", "Handled"} else ""
    type_ = f" (`{member.type}`)" if member.kind != "method" else type_
    default = f", default `{member.default}`" if member.default is not None else ""
    doc = member.doc.replace("\n\n", " ")
    return f"- `{shown}`{type_}{default}{': ' + doc if doc else ''}"


def _behind(doc: str) -> str:
    return f". {doc}" if doc else ""


def config_page() -> str:
    """Every table of a config with its keys."""
    from engine.gateways import GATEWAYS
    from engine.matching import FILL_MODELS, SLIPPAGES
    from engine.matching.friction import Latency
    from engine.simulators import SIMULATORS

    text = (
        f"# Config\n\n{WRITTEN}\nA config is TOML. An unknown key is an error that names the file, the table and the "
        "key; secrets are refused. `python run.py check --config FILE` reads one and all it points to. Spans are texts "
        'like `"30s"`. `[risk.*]` is in [limits](../risk.md), '
        "what an instrument is in [markets](../markets.md).\n"
    )
    for key, kind, many in _tables():
        name = f"[[{key}]]" if many else f"[{key}]"
        text += f"\n## {name}\n\n{_lead(kind)}{_keys(kind)}"
    text += "".join(f"\n## [{name}]\n\n{words}\n" for name, words in OPEN_TABLES.items())
    text += "\n## [matching]\n\n`model` names a [fill model](../fill-models.md), whose settings stand beside it.\n"
    text += "".join(f'\n### model = "{name}"\n\n{_lead(kind)}{_keys(kind)}' for name, kind in FILL_MODELS.items())
    text += "".join(f'\n### slippage = "{name}"\n\n{_lead(kind)}{_keys(kind)}' for name, kind in SLIPPAGES.items())
    text += f"\n### latency\n\n{_lead(Latency)}{_keys(Latency)}"
    for name, kind in GATEWAYS.items():
        if name != "ht":
            text += f'\n## [gateway.{name}]\n\n`kind = "{name}"` where the table has another name.\n\n{_keys(kind)}'
    for name, face in SIMULATORS.items():
        text += f"\n## [simulator.{name}]\n\n{_lead(face)}{_keys(face)}"
    return text


def _tables() -> Iterator[tuple[str, type[Any], bool]]:
    """Key of a config, its struct, and whether it may stand several times."""
    from engine.runtime.settings import Document

    for field in msgspec.structs.fields(Document):
        kind = field.type
        many = getattr(kind, "__origin__", None) is tuple
        kind = kind.__args__[0] if many else kind
        # A table that may be absent is its struct or None.
        for each in (kind, *get_args(kind)):
            if isinstance(each, type) and issubclass(each, msgspec.Struct):
                yield field.encode_name, each, many


def _lead(kind: type[Any]) -> str:
    # A struct without a docstring has that of its base, or one that msgspec made.
    doc = markdown(vars(kind).get("__doc__"))
    return f"{doc}\n\n" if doc and not doc.startswith(f"{kind.__name__}(") else ""


def _keys(kind: type[Any]) -> str:
    given = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    rows = [member for member in members(kind) if member.name in given]
    if not rows:
        return "No settings.\n"
    lines = ["| Key | Type | Default | |", "|---|---|---|---|"]
    for row in rows:
        lines.append(_cells(f"`{row.name}`", f"`{_type(kind, row.type)}`", _default(given[row.name]), row.doc))
    return "\n".join(lines) + "\n"


def _type(kind: type[Any], annotation: str) -> str:
    """What a name of the struct's module stands for, as ``Share`` for a float above 0 and up to 1."""
    meant = getattr(sys.modules[kind.__module__], annotation, None)
    if get_origin(meant) is Literal:
        return " | ".join(f'"{word}"' for word in get_args(meant))
    if meant is None or not hasattr(meant, "__metadata__"):
        return re.sub(r"Literal\[([^]]*)\]", lambda found: found[1].replace(", ", " | ").replace("'", '"'), annotation)
    meta = meant.__metadata__[0]
    bounds = [f"{name}={value}" for name in ("ge", "gt", "le", "lt") if (value := getattr(meta, name)) is not None]
    return ", ".join([meant.__origin__.__name__, *bounds])


def _default(field: Any) -> str:
    if field.required:
        return "must be given"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if value is None or (isinstance(value, dict | tuple | frozenset | list) and not value):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def _cells(*cells: str) -> str:
    """A row of a table: nothing in it may end a cell, or be taken for HTML."""
    safe = (cell.replace("\n\n", " ").replace("|", "\\|") for cell in cells)
    return "| " + " | ".join(cell if "`" in cell else cell.replace("<", "\\<") for cell in safe) + " |"


def commands_page() -> str:
    """Every command with its arguments and options, as the command line knows them."""
    from engine.control.cli import __doc__ as codes
    from engine.control.cli import app

    root = typer.main.get_command(app)
    text = f"# Commands\n\n{WRITTEN}\n`python run.py COMMAND` or, installed, `sluice COMMAND`. "
    ends = markdown((codes or "").partition("Exit codes: ")[2])
    text += f"`--debug` before the command shows tracebacks.\n\nExit codes: {ends}\n"
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        text += _command(name, command)
        for below, inner in getattr(command, "commands", {}).items():
            text += (
                _command(f"{name} {below}", inner)
                if not hasattr(inner, "commands")
                else _group(f"{name} {below}", inner)
            )
    return text


def _group(name: str, command: Any) -> str:
    return _command(name, command) + "".join(_command(f"{name} {b}", inner) for b, inner in command.commands.items())


def _command(name: str, command: Any) -> str:
    lines = [f"\n## {name}\n", " ".join((command.help or "").split()) + "\n"]
    rows = [row for row in map(_parameter, command.params) if row]
    if rows:
        lines += ["| | | Default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _parameter(parameter: Any) -> str:
    if parameter.name == "help":
        return ""
    record = parameter.param_type_name == "argument"
    shown = f"`{(parameter.metavar or parameter.name).upper()}`" if record else f"`{', '.join(parameter.opts)}`"
    default = parameter.default
    given = (
        "" if default in (None, False, (), [], "") or callable(default) else f"`{getattr(default, 'value', default)}`"
    )
    given = "must be given" if parameter.required else given
    text = " ".join((getattr(parameter, "help", None) or "").split())
    return _cells(shown, text, given)


PAGES = {"strategy.md": strategy_page, "config.md": config_page, "commands.md": commands_page}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page(), encoding="utf-8")
