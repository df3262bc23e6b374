"""``report``: figures and page of a run from its journal, while it runs or afterwards."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.control.journal_reading import read_journal
from engine.control.printing import cents, for_people, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.domain.events import JournalRecord


def report(
    journal: Annotated[
        str, typer.Argument(help="A journal file, postgresql://..., or a config. 日志文件、数据库地址或配置文件。")
    ],
    schema: Annotated[str, typer.Option(help="Of a journal in PostgreSQL. 数据库模式名。")] = "sluice",
    run: Annotated[int | None, typer.Option(help="Only this run of the journal, from 1. Default: all of it.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the HTML page here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Read a journal: figures, and a page if asked. 由日志生成报告。

    The password of a PostgreSQL server is taken from SLUICE_PG_PASSWORD. 数据库口令取自该环境变量。
    """
    from engine.runtime.parity_settings import last_run, matching_text
    from engine.runtime.report import build_report

    records = list(records_of(journal, schema))
    if run is not None:
        records = only_run(records, run, journal)
    made, started = build_report(records), last_run(records)
    page = None
    if html is not None:
        from engine.runtime.report_page import write_html

        page = write_html(made, html)
    if as_json:
        from engine.runtime.report_costs import costs_as_json

        print_json(
            {
                "mode": made.mode,
                "currency": made.currency,
                "starting_equity": cents(made.starting_equity),
                "final_equity": cents(made.final_equity),
                "final_equity_exact": str(made.final_equity),
                "fills": len(made.fills),
                "orders": made.orders,
                "denied": sum(row.count for row in made.denials),
                "statistics": made.statistics,
                "costs": costs_as_json(made.costs),
                "matching": started.settings.get("fill_model", {}) if started is not None else {},
                "notes": made.notes,
                "report": None if page is None else str(page),
            }
        )
        return
    from engine.runtime.report_console import console_table

    console = for_people()
    console.print(console_table(made))
    if started is not None and (said := matching_text(started.settings)):
        console.print(f"fill model {said}", highlight=False)
    if page is not None:
        console.print(f"report: {page}")


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


def only_run(records: list[tuple[int, "JournalRecord"]], number: int, path: str) -> list[tuple[int, "JournalRecord"]]:
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
