"""``chaos``: hands its arguments to the simulation, which nothing here imports (DESIGN, import floors)."""

import importlib

import typer

CHAOS = "engine.chaos.run"


def chaos(context: typer.Context) -> None:
    """Fly the whole engine through faults in virtual time. 故障注入仿真。  [--seeds --first-seed --gateway --json]"""
    raise typer.Exit(importlib.import_module(CHAOS).main(list(context.args)) or 0)
