"""One page of a journal on a PostgreSQL server, beside the engine that writes it: read-only, and over in time.

The server looks for what is wanted in the rows' bytes itself and gives up by itself (``statement_timeout``); a reader
that is not answered gives up as well, and its session goes with it. Needs psycopg: imported by ``postgres_url``'s way.
"""

import contextlib
from collections.abc import Callable

from msgspec import Struct

from engine.domain.errors import JournalError
from engine.journal.postgres_session import Lost, Server, Session
from engine.journal.postgres_url import Address

NAME = "sluice reader"
"""``application_name`` of its sessions."""
_CANCELED = "SQLSTATE 57014"
_GRACE_SECONDS = 0.25
"""How much longer than the server's own limit its answer is waited for."""


class Sought(Struct, frozen=True, kw_only=True):
    """``text``: bytes somewhere in the row; ``head``: bytes in its first 64; empty ones are in every row."""

    text: bytes = b""
    head: bytes = b""
    after: int = 0
    before: int = 2**63 - 1
    limit: int = 100
    newest_first: bool = False


class TooSlow(Exception):
    """Not read in time."""


def page(address: Address, sought: Sought, *, seconds: Callable[[], float], limit: float) -> list[tuple[int, bytes]]:
    """Committed rows as (seq, body); a standby's will do.

    Args:
        seconds: a monotonic reading in real seconds. limit: how many of them it may take, the connecting among them.

    Raises:
        TooSlow: it took longer. JournalError: the server can not be reached, or has no such tables.
    """
    ends = seconds() + limit
    server = Server(address, seconds=seconds)
    try:
        with contextlib.closing(server.connect(limit, writes=False)) as session:
            return _rows(session, sought, max(ends - seconds(), 0.05))
    except Lost as lost:
        if seconds() >= ends:
            raise TooSlow(str(lost)) from lost
        raise JournalError(f"the journal {address} can not be reached: {lost}") from lost
    except JournalError as problem:
        if _CANCELED in str(problem):
            raise TooSlow(str(problem)) from problem
        raise


def _rows(session: Session, sought: Sought, left: float) -> list[tuple[int, bytes]]:
    session.limit = left + _GRACE_SECONDS
    session.ask(
        "SELECT set_config('default_transaction_read_only', 'on', false), set_config('application_name', %s, false),"
        " set_config('statement_timeout', %s, false)",
        NAME,
        str(max(round(left * 1000), 1)),
    )
    order = "DESC" if sought.newest_first else "ASC"
    # ``order`` is one of two words of ours; everything else is a parameter.
    found = session.ask(
        "SELECT seq, body FROM record WHERE seq > %s::bigint AND seq < %s::bigint"  # noqa: S608
        " AND position(%s::bytea IN body) > 0 AND position(%s::bytea IN substring(body FROM 1 FOR 64)) > 0"
        f" ORDER BY seq {order} LIMIT %s::int",
        sought.after,
        sought.before,
        sought.text,
        sought.head,
        sought.limit,
    )
    return [(seq, bytes(body)) for seq, body in found]
