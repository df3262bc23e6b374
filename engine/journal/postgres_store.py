"""The tables of a journal in PostgreSQL: making and checking them, the lock of their one writer, reading and writing.

Tables of the journal's schema: ``record`` (one row a record, as in SQLite), ``version`` (of this schema) and ``writer``
(every session that ever took the lock).
"""

import platform
import re
from collections.abc import Iterator, Sequence
from os import getpid

import msgspec

from engine.domain.errors import ConfigError, JournalError
from engine.journal.chain import Chain, Damage, verified
from engine.journal.group_writer import pause
from engine.journal.postgres_session import Server, Session
from engine.journal.postgres_url import Address

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE version (version integer NOT NULL)",
        "INSERT INTO version VALUES (0)",
        "CREATE TABLE record (seq bigint PRIMARY KEY, body bytea NOT NULL, chain bytea)",
        "CREATE TABLE writer (began timestamptz DEFAULT clock_timestamp(), who text NOT NULL, after_seq bigint)",
    ),
)
"""From an empty schema to version 1, and so on; all that are missing are done in one transaction (RELIABILITY C17)."""

_LOCK_CLASS = 0x536C7569
"""``Slui``: the first of the two numbers of the advisory lock; the second is made from the schema's name."""
_LOCK_PAUSE = 0.02
_PAGE = 500
Row = tuple[int, bytes, bytes | None]


class Last(msgspec.Struct, frozen=True):
    """The last record of a journal and the running hash at it; ``seal`` is None in the middle of a group."""

    seq: int
    seal: bytes | None


class Held(Exception):
    """Another session has the lock; the message says whose."""


def check_name(schema: str) -> str:
    """A schema's name, as the server would write it without quotes.

    Raises:
        ConfigError: it is another.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,50}", schema) or schema.startswith("pg_"):
        raise ConfigError(f"the journal's schema {schema!r}: write a name of small letters, digits and _")
    return schema


def check_server(session: Session, address: Address) -> None:
    """A server that forgets what it acknowledged is none for a journal.

    Raises:
        ConfigError: it runs without fsync.
    """
    ((fsync, commit),) = session.ask("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
    if fsync != "on":
        raise ConfigError(
            f"the server of the journal {address} runs with fsync = {fsync}, so a power cut would lose orders that "
            "were sent: set it to on in postgresql.conf and reload"
        )
    # What a person at a prompt is kept from by these, a commit must not be.
    session.ask(
        "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN"
        " ('statement_timeout', 'lock_timeout', 'idle_session_timeout', 'transaction_timeout')"
    )
    # remote_apply is stronger: it stays.
    if commit != "remote_apply":
        session.ask("SELECT set_config('synchronous_commit', 'on', false)")


# --- one writer ------------------------------------------------------------------------------------------------------


def name_of(session: Session) -> str:
    """What a writer is called in the server's list of sessions; unlike any other, also of this process."""
    ((token,),) = session.ask("SELECT left(md5(random()::text || clock_timestamp()::text || pg_backend_pid()), 12)")
    return f"sluice on {platform.node()[:20]}, process {getpid()} {token}"


def take_lock(session: Session, server: Server, name: str, ends: float) -> None:
    """Take the advisory lock; it is the session's, and goes with it.

    Getting it after a lost session proves that the former session is over, so that what its last commit did is final.

    Args:
        name: our own: a session of ours that still holds it is ended.
        ends: reading of ``server.seconds`` to wait until, for a session that is about to go.

    Raises:
        Held: by another engine. Lost: see Session.
    """
    key = _key(server.address.schema)
    session.ask("SELECT set_config('application_name', %s, false)", name)
    while not session.ask("SELECT pg_try_advisory_lock(%s::int, %s::int)", *key)[0][0]:
        there = holders(session, server.address.schema)
        for pid, application, _ in there:
            if application == name:
                session.ask("SELECT pg_terminate_backend(%s::int)", pid)
        if server.seconds() > ends:
            # The last word of a name of ours is of no use to people.
            who = [f"{name.rpartition(' ')[0] or name or 'a session'} (role {role})" for _, name, role in there]
            raise Held(who[0] if who else "another session")
        pause(_LOCK_PAUSE)


def holders(session: Session, schema: str) -> list[tuple[int, str, str]]:
    """Whose session holds the lock of a journal: process id at the server, ``application_name``, role."""
    return session.ask(
        "SELECT pid, application_name, usename::text FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid = %s::int::oid"
        " AND objid = %s::int::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        *_key(schema),
    )


def _key(schema: str) -> tuple[int, int]:
    return _LOCK_CLASS, _lock_number(schema)


def _lock_number(schema: str) -> int:
    chain = Chain()
    chain.extend(schema.encode())
    return int.from_bytes(chain.value()[:4]) >> 1


def leave(session: Session) -> None:
    """Let the lock go before the session does, so that the next engine need not wait."""
    session.ask("SELECT pg_advisory_unlock_all()")


# --- tables ----------------------------------------------------------------------------------------------------------


def prepare(session: Session, address: Address) -> None:
    """Check the tables, or make those that are missing.

    Raises:
        ConfigError: another program's tables, a newer engine's, or the role may not make any.
    """
    schema, version = address.schema, version_of(session, address)
    if version == len(MIGRATIONS):
        return
    try:
        with session.transaction():
            if version is None and not session.ask("SELECT 1 FROM pg_namespace WHERE nspname = %s", schema):
                session.ask(f"CREATE SCHEMA {schema}")
            for statements in MIGRATIONS[version or 0 :]:
                for statement in statements:
                    session.ask(statement)
            session.ask("UPDATE version SET version = %s", len(MIGRATIONS))
    except JournalError as problem:
        raise ConfigError(
            f"the tables of the journal {address} can not be made: {problem}; let its role create a schema there"
        ) from problem


def version_of(session: Session, address: Address) -> int | None:
    """The version of the tables; None: there are none yet.

    Raises:
        ConfigError: they are another program's or a newer engine's.
    """
    found = session.ask("SELECT tablename::text FROM pg_tables WHERE schemaname = %s", address.schema)
    tables = {name for (name,) in found}
    if not tables:
        return None
    if not {"version", "record", "writer"} <= tables:
        raise ConfigError(f"{address} holds another program's tables, no journal: name another schema")
    ((version,),) = session.ask("SELECT version FROM version")
    if not 1 <= version <= len(MIGRATIONS):
        raise ConfigError(
            f"the journal {address} has version {version}, this engine reads {len(MIGRATIONS)}: use the engine it came "
            "from"
        )
    return int(version)


def rows(session: Session, *, page: int = _PAGE) -> Iterator[Row]:
    """Rows in order, ``page`` of them a transaction."""
    first = 1
    while found := session.ask(
        "SELECT seq, body, chain FROM record WHERE seq >= %s::bigint ORDER BY seq LIMIT %s::int", first, page
    ):
        yield from ((seq, bytes(body), None if chain is None else bytes(chain)) for seq, body, chain in found)
        first = found[-1][0] + 1


def last(session: Session) -> Last:
    """What the journal ends with now."""
    found = session.ask("SELECT seq, chain FROM record ORDER BY seq DESC LIMIT 1")
    return Last(found[0][0], None if found[0][1] is None else bytes(found[0][1])) if found else Last(0, None)


def insert(session: Session, group: Sequence[Row]) -> None:
    """Write a group: one statement, so one round trip, and all of it or nothing."""
    session.ask(
        "INSERT INTO record (seq, body, chain) SELECT * FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[])",
        [seq for seq, _, _ in group],
        [body for _, body, _ in group],
        [chain for _, _, chain in group],
        often=True,
    )


def sign(session: Session, name: str, after_seq: int) -> None:
    """Say in the journal that a writer took over. Its commit also waits for all commits before it to be replicated."""
    session.ask("INSERT INTO writer (who, after_seq) VALUES (%s, %s::bigint)", name, after_seq)


def check_chain(session: Session) -> tuple[int, Chain]:
    """The last committed record and the running hash at it, after every row was checked.

    Raises:
        Damage: the middle is damaged.
    """
    good, chain, sealed = 0, Chain(), Chain()
    first = session.ask("SELECT min(seq) FROM record")[0][0]
    if first is not None and first < 1:
        raise Damage(f"record {first} has no place in a journal: the first one is 1", 0)
    for batch in verified(rows(session), chain):
        good, sealed = batch[-1][0], chain.copy()
    return good, sealed


def cut_tail(session: Session, good: int) -> int:
    """Remove what follows the last committed record; gives how many rows that was."""
    return len(session.ask("DELETE FROM record WHERE seq > %s::bigint RETURNING seq", good))


def rebuild(session: Session, good: int) -> str:
    """Set the damaged table aside and go on with its records up to ``good``; gives the name it has now."""
    tables = {
        name for (name,) in session.ask("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema")
    }
    aside = next(name for n in range(1, 10_000) if (name := f"record_damaged_{n}") not in tables)
    with session.transaction():
        session.ask(f"ALTER TABLE record RENAME TO {aside}")
        session.ask("CREATE TABLE record (seq bigint PRIMARY KEY, body bytea NOT NULL, chain bytea)")
        session.ask(f"INSERT INTO record SELECT * FROM {aside} WHERE seq BETWEEN 1 AND %s::bigint", good)  # noqa: S608
    return aside
