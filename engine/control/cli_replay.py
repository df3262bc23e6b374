"""``replay``: what went into a live run, and, with ``--verify``, whether the same code decides the same again."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.control.journal_reading import journal_bodies
from engine.control.printing import for_people, for_progress, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.runtime.recorded import Recording
    from engine.runtime.verifying import Outcome

HEARD_EVERY = 500
"""Turns between two looks at the progress bar."""


def replay(
    run: Annotated[Path, typer.Argument(help="A run's data folder, or one .rec file. 运行目录或录制文件。")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Decide everything again and compare. 用同样的代码重新决策并逐条比较。")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="Default: the config the run was started with. 配置文件。")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="Default: the journal it was recorded beside. 日志文件。")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Look into a recorded live run; --verify replays it. 查看或重放一次实盘运行的录制。

    Exit code 0: the same decisions, to the digest; 1: the first that differs is shown with both sides.
    退出码：0 完全一致，1 显示第一条不同的决策。
    """
    from engine.control.replay_view import show_outcome, show_summary, summary_of
    from engine.runtime.recorded import Recording

    recording = Recording(_recording_of(run))
    bodies = list(_bodies(recording, journal, config))
    if not verify:
        told = summary_of(recording, bodies)
        if as_json:
            print_json(told)
        else:
            show_summary(told, for_people())
        return
    outcome = _verified(recording, bodies, config)
    if as_json:
        from engine.control.replay_view import outcome_as_json

        print_json(outcome_as_json(recording, outcome))
    else:
        show_outcome(recording, outcome, for_people())
    raise typer.Exit(0 if outcome.identical else 1)


def _verified(recording: "Recording", bodies: list[bytes], config: Path | None) -> "Outcome":
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from engine.runtime.live_settings import live_spec
    from engine.runtime.settings import load_settings
    from engine.runtime.verifying import verify

    spec = live_spec(load_settings(config or _config_of(recording)), mode=recording.header.mode)
    columns = (TextColumn("replay / 重放"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=for_progress(), transient=True) as progress:
        bar = progress.add_task("", total=recording.tape.size)
        turns = 0

        def heard(read: "Recording") -> None:
            nonlocal turns
            turns += 1
            if turns % HEARD_EVERY == 0:
                progress.update(bar, completed=read.tape.at)

        return verify(recording, spec, bodies, heard=heard)


def _recording_of(run: Path) -> Path:
    """The file itself, or the latest of a run's data folder."""
    from engine.runtime.recorded import FOLDER, recordings_in

    if not run.is_dir():
        return run
    found = recordings_in(run)
    if not found:
        raise ConfigError(
            f"{run}: there is no recording in {run / FOLDER}; a live or paper run makes one unless its config says "
            "[recording] enabled = false, or its journal is in memory"
        )
    return found[-1]


def _bodies(recording: "Recording", journal: Path | None, config: Path | None) -> Iterator[bytes]:
    """The records of the run's journal, from its file or its database."""
    if journal is None and not recording.header.journal:
        from engine.control.cli_report import records_of
        from engine.journal.chain import ENCODER

        yield from (ENCODER.encode(record) for _, record in records_of(str(config or _config_of(recording)), ""))
        return
    yield from journal_bodies(journal or _journal_of(recording))


def _journal_of(recording: "Recording") -> Path:
    """Beside the recordings' folder, or where it was when the run was recorded."""
    told = Path(recording.header.journal)
    beside = recording.path.absolute().parent.parent / told.name
    if told.name and beside.is_file():
        return beside
    if not told.name or not told.is_file():
        raise ConfigError(f"recording {recording.path}: its journal {told.name!r} is not there; name it with --journal")
    return told


def _config_of(recording: "Recording") -> Path:
    told = Path(recording.header.config)
    if not recording.header.config or not told.is_file():
        raise ConfigError(f"recording {recording.path}: its config {str(told)!r} is not there; name it with --config")
    return told
