"""``new``: a commented strategy that runs as it is."""

import keyword
import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from engine.control.printing import print_json
from engine.domain.errors import ConfigError

FOLDER = Path("strategies")


def new(
    name: Annotated[str, typer.Argument(help="Lower case with underscores, as my_idea. 策略名。")],
    force: Annotated[bool, typer.Option("--force", help="Write over a file of that name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Write strategies/NAME.py, ready to run. 生成一个可直接运行的策略。"""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r} is no name for a strategy; write lower-case letters, digits and underscores, as in my_idea"
        )
    path = FOLDER / f"{name}.py"
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; choose another name, or add --force to write over it")
    class_name = "".join(word.capitalize() for word in name.split("_"))
    text = files("engine.control").joinpath("strategy_template.txt").read_text(encoding="utf-8")
    try:
        if not FOLDER.exists():
            FOLDER.mkdir()
            (FOLDER / "__init__.py").write_text('"""Strategies: one a file."""\n', encoding="utf-8")
        path.write_text(text.replace("@NAME@", name).replace("@CLASS@", class_name), encoding="utf-8")
    except OSError as why:
        raise ConfigError(f"{path} can not be written ({why.strerror}); run where you may write") from why
    strategy = f"strategies.{name}:{class_name}"
    command = f"python run.py backtest --strategy {strategy} --data FILE --instrument 000001.SH"
    if as_json:
        print_json({"path": str(path), "strategy": strategy, "command": command})
    else:
        typer.echo(f"wrote {path}\nrun it / 运行:\n  {command}")
