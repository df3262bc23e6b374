"""``[journal]`` of a config: where the journal is, and opening it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from engine.clock import stopwatch_seconds
from engine.domain.errors import ConfigError
from engine.domain.events import JournalRecord
from engine.journal.postgres_url import Address, check_url, postgres
from engine.ports import Journal

if TYPE_CHECKING:
    from engine.runtime.settings import Settings

PASSWORD_ENV = "SLUICE_PG_PASSWORD"  # noqa: S105 - the name of a variable


class JournalTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: Literal["sqlite", "memory", "postgres"] | None = None
    """Default: ``postgres`` if there is a url, else ``sqlite``; never None in ``Settings``."""
    path: str = ""
    """Of the SQLite file. Default ``<data_dir>/journal.sqlite3``."""
    url: str = ""
    """``postgresql://user@host:5432/database``, several hosts with commas between them; without the password."""
    schema: str = "sluice"
    """Of the tables in that database: each engine needs one of its own."""
    password_env: str = PASSWORD_ENV
    """Name of the environment variable with the password; it may be missing, the server decides."""
    password_file: str = ""
    """A file whose first line is the password, instead."""
    away_seconds: Annotated[float, Meta(ge=0.1, le=60)] = 2.0
    """How long the PostgreSQL server may be away before new orders stop."""


def checked(table: JournalTable, where: str) -> JournalTable:
    """The table with its kind decided.

    Raises:
        ConfigError: keys that contradict each other, or a password where everybody sees it.
    """
    place = f"{where}, [journal]"
    kind = table.kind or ("postgres" if table.url else "sqlite")
    if kind != "postgres":
        if table.url:
            raise ConfigError(f'{place}: url is of kind postgres, and kind says "{kind}"; remove one of the two')
        return replace(table, kind=kind)
    if table.path:
        raise ConfigError(f"{place}: path is of a file, and the journal is in PostgreSQL; remove path or url")
    check_url(table.url, f"{place} url", table.password_env)
    return replace(table, kind=kind)


def place_of(table: JournalTable, path: Path) -> str:
    """Where the journal is, for people; ``path`` is the file's, if it is one."""
    return str(Address(url=table.url, schema=table.schema)) if table.kind == "postgres" else str(path)


def open_postgres(settings: "Settings", environ: Mapping[str, str], *, accept_rebuild: bool) -> Journal:
    """The journal of a ``[journal]`` with a url.

    Raises:
        ConfigError: another engine holds it, no server, no driver. JournalError: damaged.
    """
    table = settings.journal
    journal: Journal = postgres().PostgresJournal(
        address_of(table, environ, f"config {settings.path}"),
        seconds=stopwatch_seconds,
        accept_rebuild=accept_rebuild,
        away_seconds=table.away_seconds,
        sentinel=settings.data_dir / "journal.halt",
    )
    return journal


def is_held_on_server(settings: "Settings", environ: Mapping[str, str]) -> bool:
    """Whether an engine holds the journal of a ``[journal]`` with a url.

    Raises:
        ConfigError: no driver, no password. JournalError: the server can not be asked.
    """
    address = address_of(settings.journal, environ, f"config {settings.path}")
    return bool(postgres().is_held(address, seconds=stopwatch_seconds))


def read_postgres(table: JournalTable, environ: Mapping[str, str], where: str) -> Iterator[tuple[int, JournalRecord]]:
    """Every record of a journal in PostgreSQL, beside whoever writes it.

    Raises:
        ConfigError: no such server, or no journal there. JournalError: damaged.
    """
    found: Iterator[tuple[int, JournalRecord]] = postgres().read(
        address_of(table, environ, where), seconds=stopwatch_seconds
    )
    return found


def address_of(table: JournalTable, environ: Mapping[str, str], where: str) -> Address:
    """The server's address with the password, if there is one.

    Raises:
        ConfigError: the file of the password can not be read.
    """
    password = environ.get(table.password_env, "")
    if table.password_file:
        try:
            password = Path(table.password_file).read_text(encoding="utf-8").split("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as why:
            raise ConfigError(
                f"{where}, [journal] password_file {table.password_file}: can not be read; name a file whose first "
                "line is the password"
            ) from why
    return Address(url=table.url, schema=table.schema, password=password)
