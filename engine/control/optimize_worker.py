"""One worker of ``optimize``: reads the data once, then makes a run for every line it is given.

Started as ``python -m engine.control.optimize_worker``. The first line says what the runs are of; the answer is the
fingerprint of what was found, or ``!`` and why nothing was. Then a job a line, answered by a row a line, until there
are no more lines.
"""

import os
import sys
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from engine.control.backtest_plan import Asked, plan_backtest
from engine.control.optimize_plan import setup_of
from engine.control.options import path_from_text
from engine.domain.errors import SluiceError
from engine.runtime.optimize.evaluation import evaluate
from engine.runtime.optimize.jobs import ENCODER, JOB_DECODER
from engine.runtime.optimize.space import Space
from engine.runtime.settings import load_settings

REFUSED = "!"


class Task(Struct, frozen=True, kw_only=True):
    """The first line."""

    asked: Asked
    config: str
    """Empty: none."""
    space: Space
    mode: str


def serve() -> None:
    """One job a line until there are no more."""
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a strategy prints is no row.
    os.dup2(2, 1)
    task = msgspec.json.decode(stdin.readline(), type=Task, dec_hook=path_from_text)
    try:
        plan = plan_backtest(task.asked, load_settings(task.config) if task.config else None)
        setup = setup_of(plan, task.space, task.mode)
    except SluiceError as why:
        stdout.write(f"{REFUSED}{' '.join(str(why).split())}\n".encode())
        stdout.flush()
        return
    stdout.write(setup.fingerprint().encode() + b"\n")
    stdout.flush()
    for line in iter(stdin.readline, b""):
        stdout.write(ENCODER.encode(evaluate(setup, JOB_DECODER.decode(line))) + b"\n")
        stdout.flush()


def main(argv: Sequence[str] = ()) -> int:
    del argv
    try:
        serve()
    except BrokenPipeError:
        # Who gave us work has gone.
        os._exit(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
