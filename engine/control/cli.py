"""The command line: ``python run.py`` or ``sluice``; every command in a file of its own, every mistake one sentence.

Exit codes: 0 done; 1 the answer is no, or something outside failed; 2 a mistake of the user; 130 interrupted. Of
``instruct`` also 3 refused, 4 not known whether it was done; of ``resume`` 3: say it once more with the code; of
``live`` and ``daemon`` 3 the journal failed; of ``watchdog`` 3 the engine was silent and everything is withdrawn, 4
something may still be open.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from engine.control.cli_backtest import backtest
from engine.control.cli_call import call
from engine.control.cli_chaos import chaos
from engine.control.cli_check import check_app
from engine.control.cli_daemon import daemon
from engine.control.cli_data import data_app
from engine.control.cli_demo import demo
from engine.control.cli_instruct import instruct
from engine.control.cli_live import live
from engine.control.cli_look import fills, flatten, logs, orders, positions
from engine.control.cli_lookahead import lookahead
from engine.control.cli_new import new
from engine.control.cli_notify import notify_app
from engine.control.cli_operator import accept, kill, reconcile, resolve, resume, status
from engine.control.cli_optimize import optimize
from engine.control.cli_parity import parity
from engine.control.cli_replay import replay
from engine.control.cli_report import report
from engine.control.cli_simulate import simulate
from engine.control.cli_states import order_states
from engine.control.cli_strategies import strategies
from engine.control.cli_token import token_app
from engine.control.cli_top import top
from engine.control.cli_watchdog import watchdog
from engine.control.printing import complain, print_json
from engine.domain.errors import ConfigError, SluiceError

app = typer.Typer(
    name="sluice",
    help="Sluice (闸): an async, event-driven trading engine. 异步事件驱动的交易引擎。",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=False,
)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks. 显示完整的错误堆栈。")] = False,
) -> None:
    # ``main`` looks for --debug itself: it must know before anything can fail.
    del debug


app.command()(demo)
app.command()(backtest)
app.command()(lookahead)
app.command()(optimize)
app.command()(live)
app.command()(watchdog)
app.command()(daemon)
app.command()(instruct)
app.command()(simulate)
app.add_typer(check_app, name="check")
app.add_typer(data_app, name="data")
app.add_typer(notify_app, name="notify")
app.command()(report)
app.command()(parity)
app.command()(replay)
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True}, add_help_option=False)(chaos)
app.command()(new)
app.command()(call)
app.command()(order_states)
app.add_typer(token_app, name="token")
for command in (
    status, orders, positions, fills, strategies, logs, top, reconcile, accept, resolve, kill, flatten, resume
):  # fmt: skip
    app.command()(command)

# typer brings its own copy of click or uses the installed one, by version; this is the root of either's complaints.
_UsageProblem: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [arg for arg in args if arg != "--debug"] or ["--help"]
    try:
        code = typer.main.get_command(app).main(args, prog_name="sluice", standalone_mode=False)
    except BrokenPipeError:
        # The reader of our output has gone; what it still wanted to know is not ours to say.
        sys.stderr.close()
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return _fail(args, "stopped", 130)
    except BaseException as error:
        if debug or isinstance(error, SystemExit):
            raise
        return _explain(args, error)
    return code if isinstance(code, int) else 0


def _explain(args: Sequence[str], error: BaseException) -> int:
    leaves = list(_leaves(error))
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return _fail(args, "stopped", 130)
    for leaf in leaves:
        if isinstance(leaf, _UsageProblem):
            return _fail(args, f"{leaf.format_message()} (see --help)", 2)  # type: ignore[attr-defined]
        if isinstance(leaf, ConfigError):
            return _fail(args, str(leaf), 2)
        if isinstance(leaf, OSError) and leaf.filename:
            return _fail(args, f"{leaf.filename} can not be used: {leaf.strerror}; name another place", 2)
    for leaf in leaves:
        if isinstance(leaf, SluiceError):
            return _fail(args, str(leaf) or type(leaf).__name__, 1)
    leaf = leaves[0]
    return _fail(args, f"unexpected {type(leaf).__name__}: {leaf}; run it again with --debug to see where", 1)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """What really happened, out of the groups that task groups wrap it in."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _fail(args: Sequence[str], sentence: str, code: int) -> int:
    complain(sentence)
    if "--json" in args:
        print_json({"error": " ".join(sentence.split())})
    return code


if __name__ == "__main__":
    sys.exit(main())
