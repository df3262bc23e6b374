"""``report``: figures, page and picture of a run from its journal, while it runs or afterwards; or several compared."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.journal_reading import read_journal
from engine.control.printing import for_people, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.domain.events import JournalRecord
    from engine.domain.ids import InstrumentId
    from engine.domain.instrument import Instrument
    from engine.runtime.report import Report

Records = list[tuple[int, "JournalRecord"]]


def report(
    journals: Annotated[
        list[str],
        typer.Argument(
            help="A journal file, postgresql://..., or a config; JOURNAL#2 is its second run. Several are compared "
            "with the first. 日志文件、数据库地址或配置文件；多个则与第一个对比。"
        ),
    ],
    schema: Annotated[str, typer.Option(help="Of a journal in PostgreSQL. 数据库模式名。")] = "sluice",
    run: Annotated[int | None, typer.Option(help="Only this run of the journal, from 1. Default: all of it.")] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(help="An instrument of the run, FILE or NAME=FILE. Default: hold the run's own. 基准。"),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the HTML page here. 网页。")] = None,
    png: Annotated[Path | None, typer.Option(help="Draw a picture here; needs sluice[png]. 图片。")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Read a journal: figures, and a page if asked. 由日志生成报告。

    The password of a PostgreSQL server is taken from SLUICE_PG_PASSWORD. 数据库口令取自该环境变量。
    """
    if len(journals) > 1:
        if run is not None or png is not None:
            raise ConfigError("--run and --png go with one journal; of several write JOURNAL#2 for the second run")
        _compare(journals, schema, benchmark, html, as_json)
        return
    made = _made(journals[0], schema, benchmark, run)
    page = picture = None
    if html is not None:
        from engine.runtime.report_page import write_html

        page = write_html(made, html)
    if png is not None:
        from engine.runtime.report_png import write_png

        picture = write_png(made, png)
    if as_json:
        from engine.runtime.report_figures import figures_of, lists_of

        print_json({**figures_of(made), **lists_of(made), "report": _said(page), "picture": _said(picture)})
        return
    from engine.runtime.parity_settings import matching_text
    from engine.runtime.report_console import console_table

    console = for_people()
    console.print(console_table(made))
    if said := matching_text(made.settings):
        console.print(f"fill model {said}", highlight=False)
    for name, place in (("report", page), ("picture", picture)):
        if place is not None:
            console.print(f"{name}: {place}", highlight=False)


def _made(place: str, schema: str, benchmark: str | None, run: int | None = None) -> "Report":
    from engine.control.benchmark_option import read_benchmark
    from engine.runtime.report import report_of, with_bars
    from engine.runtime.report_reading import Reading

    path, number = split_run(place) if run is None else (place, run)
    records: Records = list(records_of(path, schema))
    if number is not None:
        records = only_run(records, number, path)
    reading = Reading(records, _instruments(path))
    made = report_of(reading)
    beside = read_benchmark(benchmark, made.instruments, made.tz)
    return with_bars(made, reading, benchmark=beside)


def _compare(places: list[str], schema: str, benchmark: str | None, html: Path | None, as_json: bool) -> None:
    from engine.runtime.report_compare import compare

    comparison = compare(
        [(name, _made(place, schema, benchmark)) for name, place in zip(run_names(places), places, strict=True)]
    )
    page = None
    if html is not None:
        from engine.runtime.report_compare_page import write_comparison

        page = write_comparison(comparison, html)
    if as_json:
        print_json({**_plain(comparison), "report": _said(page)})
        return
    from engine.runtime.report_console import comparison_table

    console = for_people()
    console.print(comparison_table(comparison))
    if page is not None:
        console.print(f"report: {page}", highlight=False)


def _plain(comparison: Any) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(comparison)
    return found


def _said(path: Path | None) -> str | None:
    return None if path is None else str(path)


def run_names(places: list[str]) -> list[str]:
    """What each run is called beside the others: its file's name, with folders or a number where that is not enough."""
    short = [Path(place.rpartition("/")[2]).stem if "#" not in place else place.rpartition("/")[2] for place in places]
    if len(set(short)) < len(short):
        short = list(places)
    return [name if short.index(name) == place else f"{name} ({place + 1})" for place, name in enumerate(short)]


def split_run(place: str) -> tuple[str, int | None]:
    """``journal.db#2`` as its path and the number of the run; None: all of it."""
    path, mark, number = place.rpartition("#")
    return (path, int(number)) if mark and path and number.isdecimal() else (place, None)


def _instruments(place: str) -> "Mapping[InstrumentId, Instrument] | None":
    """What a config says of its instruments; a journal alone says it itself."""
    if not place.endswith(".toml"):
        return None
    from engine.runtime.settings import load_settings

    return load_settings(place).instruments


def records_of(place: str, schema: str) -> Iterator[tuple[int, "JournalRecord"]]:
    """The records of a file, of a database, or of what a config names.

    Raises:
        ConfigError: nothing of that kind is there. JournalError: damaged.
    """
    from engine.journal.postgres_url import check_url, is_url
    from engine.runtime.journal_settings import PASSWORD_ENV, JournalTable, read_postgres

    if is_url(place):
        check_url(place, "the journal's url", PASSWORD_ENV)
        return read_postgres(JournalTable(url=place, schema=schema), _environ(), "report")
    if not place.endswith(".toml"):
        return read_journal(Path(place))
    from engine.runtime.settings import load_settings

    settings = load_settings(place)
    if settings.journal.kind == "postgres":
        return read_postgres(settings.journal, _environ(), f"config {place}")
    return read_journal(settings.journal_path)


def _environ() -> Mapping[str, str]:
    from engine.control.cli_process import environment

    return environment()


def only_run(records: Records, number: int, path: str) -> Records:
    """The records of one run of a journal.

    Raises:
        ConfigError: it holds no such run.
    """
    from engine.domain.events import RunStarted

    starts = [at for at, (_, record) in enumerate(records) if isinstance(record, RunStarted)]
    if not 1 <= number <= len(starts):
        raise ConfigError(f"journal {path}: there is no run {number}; it holds {len(starts)}, counted from 1")
    end = starts[number] if number < len(starts) else len(records)
    return records[starts[number - 1] : end]
