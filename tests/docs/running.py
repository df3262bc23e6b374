"""Runs the blocks of a page, in order, in a temporary copy of what a reader has."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.data.instruments import read_instruments
from engine.runtime.settings import Document, load_settings
from tests.docs.pages import ROOT, Block

COPIED = ("config", "strategies", "run.py", "pyproject.toml")
LINKED = ("engine", "benchmarks", "tests", "docs")
READY_SECONDS = 90
BLOCK_SECONDS = 900

# What a fragment of a config is laid over, so that it can be read as a whole: the tables it does not hold itself.
BASE: dict[str, str] = {
    "run": '[run]\nname = "page"\nprofile = "paper"\n',
    "instruments": '[instruments]\nfile = "instruments.toml"\n',
    "gateway": '[gateway.virtual_market]\nbase_url = "http://127.0.0.1:8800"\n',
    "account": '[[account]]\nid = "page"\ngateway = "virtual_market"\ncurrency = "COIN"\n',
}


class Desk:
    """The folder of one page, and the servers that run beside it."""

    def __init__(self, folder: Path, python: Path | None) -> None:
        self.folder = folder
        self._beside: list[subprocess.Popen[bytes]] = []
        folder.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        for name in LINKED:
            (folder / name).symlink_to(ROOT / name)
        shutil.rmtree(folder / "strategies" / "__pycache__", ignore_errors=True)
        commands = folder.parent / f"{folder.name}-commands"
        commands.mkdir()
        if python is not None:
            (commands / "python").symlink_to(python)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "API_KEY"))}
        self._environ = {
            **kept,
            "PATH": f"{commands}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "120",
        }

    def run(self, block: Block) -> None:
        """
        Raises:
            AssertionError: it does not do what the page says; with all it printed.
        """
        if block.hidden is not None:
            self._start(block.hidden, block.place)
        if block.file is not None:
            path = self.folder / block.file
            assert self.folder.resolve() in path.resolve().parents, f"{block.place}: {block.file} is the engine's own"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        if block.shell:
            self._start(block.script, block.place) if block.beside else self._shell(block)
        elif block.language == "python":
            code = compile(block.text, block.place, "exec")
            # A file is run by the page's own commands; a fragment is about a strategy that is not here.
            if block.text.startswith(("from ", "import ")) and not block.file:
                exec(code, {"__name__": "page"})
        elif block.language == "toml":
            self._toml(block)

    def _shell(self, block: Block) -> None:
        """One bash a block; what it exports is there in the next."""
        script = f"set -e\n[ -f .docs-env ] && . ./.docs-env\n{block.script}\n"
        script = f"trap 'code=$?; export -p > .docs-env; declare -f >> .docs-env; exit $code' EXIT\n{script}"
        said = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self._environ, capture_output=True, text=True,
            timeout=BLOCK_SECONDS, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert said.returncode == block.exit_code, (
            f"{block.place}: exit code {said.returncode}, not {block.exit_code}\n{block.script}\n"
            f"{said.stdout[-3000:]}\n{said.stderr[-3000:]}"
        )

    def _start(self, command: str, place: str) -> None:
        """Start a server and wait until it says where it is."""
        out = self.folder.parent / f"{self.folder.name}-{len(self._beside)}.log"
        script = f"[ -f .docs-env ] && . ./.docs-env\nexec env {command.strip()}\n"
        with out.open("wb") as log:
            started = subprocess.Popen(
                ["bash", "-c", script], cwd=self.folder, env=self._environ, stdout=log, stderr=subprocess.PIPE,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._beside.append(started)
        assert started.stderr is not None
        heard = b""
        while b"stop with" not in heard:
            line = started.stderr.readline()
            heard += line
            assert line, f"{place}: {command} ended:\n{heard.decode()}\n{out.read_text(encoding='utf-8')}"

    def _toml(self, block: Block) -> None:
        """Read by what reads such files: a config whole, a fragment over a small one, instruments by theirs."""
        table = tomllib.loads(block.text)
        if block.file is not None:
            # It is written where the page's own commands read it.
            return
        known = set(Document.__struct_fields__)
        if set(table) <= {"instrument"}:
            path = self.folder / "config" / "page-instruments.toml"
            path.write_text(block.text, encoding="utf-8")
            assert read_instruments(path), block.place
        elif set(table) <= {"calendar"}:
            from engine.data.calendar_days import read_overrides

            path = self.folder / "config" / "page-calendar.toml"
            path.write_text(block.text, encoding="utf-8")
            assert [read_overrides(path, name) for name in table["calendar"]], block.place
        else:
            assert set(table) <= known, f"{block.place}: {sorted(set(table) - known)} are no tables of a config"
            path = self.folder / "config" / "page.toml"
            path.write_text(block.text + _lacking(table), encoding="utf-8")
            load_settings(path)

    def close(self) -> None:
        for process in self._beside:
            process.terminate()
        for process in self._beside:
            try:
                process.wait(timeout=READY_SECONDS)
            finally:
                process.kill()
                assert process.stderr is not None
                process.stderr.close()


def _lacking(table: dict[str, Any]) -> str:
    """The base's tables that a fragment needs; one with gateways of its own has no use for the base's account."""
    absent = {"account"} if "gateway" in table and "account" not in table else set()
    return "\n" + "\n".join(text for name, text in BASE.items() if name not in table and name not in absent)


@contextmanager
def a_desk(folder: Path, python: Path | None) -> Iterator[Desk]:
    desk = Desk(folder, python)
    try:
        yield desk
    finally:
        desk.close()
