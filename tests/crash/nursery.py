"""Where engines come from: a process that has imported everything, and forks a fresh one on demand.

A fork is a process of its own, with its own id, files, threads and death; only the second or two of imports is saved.
It reads a JSON object a line and answers with one: ``{"start": "module:function", "args": {...}, "out": file}`` gives
``{"pid": n}``; ``{"wait": pid}`` gives how it ended, or that it was stopped, once it has.
"""

import gc
import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

DIED_OF_AN_ERROR = 70
WARM = (
    "tests.crash.child",
    "engine.runtime.settings",
    "engine.control.live_session",
    "engine.gateways",
    "strategies.swing",
    "tests.crash.traders",
)


def start(order: dict[str, Any]) -> int:
    """Fork; the child does the task and exits with what it returns."""
    pid = os.fork()
    if not pid:
        become(order)
    return pid


def become(order: dict[str, Any]) -> NoReturn:
    """The child's whole life."""
    code = DIED_OF_AN_ERROR
    try:
        out = os.open(order["out"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        module, _, name = order["start"].partition(":")
        code = int(getattr(importlib.import_module(module), name)(order["args"]) or 0)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # No clean-up that belongs to the parent.
        os._exit(code)


def wait(pid: int) -> dict[str, Any]:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return {"stopped": os.WSTOPSIG(status)}
    if os.WIFSIGNALED(status):
        return {"killed": os.WTERMSIG(status)}
    return {"code": os.WEXITSTATUS(status)}


def main() -> None:
    # Ctrl-C is for who started us; we end with our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in WARM:
        importlib.import_module(name)
    from tests.crash.child import warm

    warm()
    gc.collect()
    gc.freeze()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        answer = {"pid": start(order)} if "start" in order else wait(order["wait"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
