"""A Python that has the engine imported already, and forks for every ``python run.py ...``.

Starting a fresh one costs half a second of work, mostly imports; the pages hold dozens of commands. Each command is
still a process of its own, with its own folder, environment and exit code. ``-m long`` runs the pages on plain Python.

``python -m tests.docs.warm_python SOCKET CLIENT`` serves until its stdin closes, and writes a client to the path CLIENT
that stands in for ``python``: other calls than ``run.py`` it hands on to the real one.
"""

import contextlib
import json
import os
import select
import socket
import sys
import traceback
from pathlib import Path

import typer

_CLIENT = """#!{python} -ISE
import json, os, signal, socket, sys
if sys.argv[1:2] != ["run.py"]:
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
way = socket.socket(socket.AF_UNIX)
way.connect({path!r})
said = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(way, [len(said).to_bytes(4, "big")], [0, 1, 2])
way.sendall(said)
child = int.from_bytes(way.recv(4), "big")
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda got, _: os.kill(child, got))
code = way.recv(1)
os._exit(code[0] if code else 137)
"""


def serve(path: str, client: str) -> None:
    """Until stdin closes: whoever started this has gone, or is done."""
    _import_the_engine()
    waiting = socket.socket(socket.AF_UNIX)
    waiting.bind(path)
    waiting.listen(16)
    Path(client).write_text(_CLIENT.format(python=sys.executable, path=path), encoding="utf-8")
    Path(client).chmod(0o755)
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([waiting, sys.stdin], [], [])
        if sys.stdin in ready:
            _reap()
            return
        way, _ = waiting.accept()
        if os.fork() == 0:
            waiting.close()
            _child(way)
        way.close()
        _reap()


def _reap() -> None:
    """Those that ended; whoever measures this process then sees what they used."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _import_the_engine() -> None:
    """What most commands import late."""
    import anyio._backends._asyncio  # noqa: F401
    import uvicorn  # noqa: F401

    import engine.control.backtest_plan
    import engine.control.live_session
    import engine.control.order_check
    import engine.runtime.report_page
    import engine.simulators  # noqa: F401
    from engine.control.cli import app

    # Every command's options, made once: half of what a short command costs.
    made = typer.main.get_command(app)
    typer.main.get_command = lambda _app: made


def _child(way: socket.socket) -> None:
    code = 1
    try:
        head, fds, _, _ = socket.recv_fds(way, 4, 3)
        said = b""
        while len(said) < int.from_bytes(head, "big"):
            said += way.recv(65536)
        argv, folder, environ = json.loads(said)
        for number, fd in enumerate(fds):
            os.dup2(fd, number)
            os.close(fd)
        sys.stdin, sys.stdout, sys.stderr = (
            open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        )  # fmt: skip
        way.sendall(os.getpid().to_bytes(4, "big"))
        code = _run(argv, folder, environ)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        way.sendall(bytes([code & 255]))
        os._exit(code)


def _run(argv: list[str], folder: str, environ: dict[str, str]) -> int:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = argv
    sys.path.insert(0, folder)
    from engine.control.cli import main

    try:
        return main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
