"""``order-states``: the order life cycle as a diagram, drawn from the engine's own table."""

from pathlib import Path
from typing import Annotated

import typer

from engine.control.printing import print_json


def order_states(
    path: Annotated[Path | None, typer.Option("--write", help="Write the page to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Draw the order states as Mermaid. 画出订单状态图。"""
    from engine.control.diagram import order_diagram, write

    if path is not None:
        write(path)
    if as_json:
        print_json({"diagram": order_diagram(), "path": None if path is None else str(path)})
    elif path is not None:
        typer.echo(f"wrote {path}")
    else:
        typer.echo(order_diagram(), nl=False)
