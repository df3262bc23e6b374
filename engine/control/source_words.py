"""What source text says of a class: its docstring, its fields with theirs, its methods; as Markdown."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any

from msgspec import Struct


class Member(Struct, frozen=True, kw_only=True):
    """One field, constant, property or method."""

    name: str
    kind: str
    """``field``, ``property`` or ``method``."""
    type: str = ""
    default: str | None = None
    """As the source has it."""
    arguments: str = ""
    doc: str = ""


def markdown(doc: str | None) -> str:
    """A docstring as one paragraph of Markdown a paragraph."""
    paragraphs = inspect.cleandoc(doc or "").split("\n\n")
    return "\n\n".join(" ".join(part.split()).replace("``", "`") for part in paragraphs).strip()


def members(kind: type[Any]) -> list[Member]:
    """The public ones that a class names itself, in the order of its source."""
    body = _class_of(kind).body
    found: list[Member] = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        doc = _text(after)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append(_field(node.target.id, ast.unparse(node.annotation), node.value, doc))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.append(_field(node.targets[0].id, "", node.value, doc))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(_function(node))
    return [member for member in found if not member.name.startswith("_")]


def signature(function: Any) -> str:
    """``name(arguments)`` of a function, without its types."""
    node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return f"{node.name}({_arguments(node.args)})"


def _class_of(kind: type[Any]) -> ast.ClassDef:
    node = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(node, ast.ClassDef)
    return node


def _text(node: ast.stmt | None) -> str:
    """The words of a string that stands by itself, as behind a field."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return markdown(node.value.value)
    return ""


def _field(name: str, type_: str, value: ast.expr | None, doc: str) -> Member:
    default = None if value is None else ast.unparse(value)
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        # ``class_: str = field(name="class")``: the key is the name, and there is no default.
        named = {word.arg: word.value for word in value.keywords}
        if isinstance(named.get("name"), ast.Constant):
            name = str(named["name"].value)  # type: ignore[attr-defined]
        default = ast.unparse(named["default"]) if "default" in named else None
    return Member(name=name, kind="field", type=_plain(type_), default=default, doc=doc)


def _plain(annotation: str) -> str:
    """``Annotated[int, Meta(ge=1)]`` as ``int, ge=1``."""
    node = ast.parse(annotation or "x", mode="eval").body
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated" and isinstance(node.slice, ast.Tuple):
        kind, meta = node.slice.elts[:2]
        bounds = [ast.unparse(word) for word in meta.keywords] if isinstance(meta, ast.Call) else []
        return ", ".join([ast.unparse(kind), *bounds])
    return annotation


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Member:
    decorated = {ast.unparse(decorator) for decorator in node.decorator_list}
    return Member(
        name=node.name,
        kind="property" if "property" in decorated else "method",
        type="" if node.returns is None else ast.unparse(node.returns),
        arguments=_arguments(node.args),
        doc=markdown(ast.get_docstring(node)),
    )


def _arguments(arguments: ast.arguments) -> str:
    return ", ".join(_each_argument(arguments))


def _each_argument(arguments: ast.arguments) -> Iterator[str]:
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, value in zip(plain, defaults, strict=True):
        if argument.arg not in {"self", "cls"}:
            yield argument.arg if value is None else f"{argument.arg}={ast.unparse(value)}"
    if arguments.vararg is not None:
        yield f"*{arguments.vararg.arg}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield argument.arg if value is None else f"{argument.arg}={ast.unparse(value)}"
    if arguments.kwarg is not None:
        yield f"**{arguments.kwarg.arg}"
