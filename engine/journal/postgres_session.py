"""One session with a PostgreSQL server, in which every wait ends (RELIABILITY 5.1, rows N18 and S5).

Only this file speaks to the driver, and it is imported when a journal needs it: psycopg is an extra.
"""

import contextlib
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from psycopg import generators, waiting
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from engine.domain.errors import ConfigError, JournalError
from engine.journal.postgres_url import Address

T = TypeVar("T")
_LOOK_SECONDS = 0.02
"""How often a wait looks whether it has lasted long enough."""
_AWAY = frozenset({"57P01", "57P02", "57P03", "57P05", "25006", "53300"})
"""SQLSTATEs of a server that goes, comes, is full or has become a standby: shutdown, crash, starting, idle limit, read
only, too many connections."""


class Lost(Exception):
    """The session is gone, or silent for too long: what became of the last statement is unknown."""


class Server:
    """How to reach the server of an address: its hosts in order, the one that answered last first.

    Raises:
        ConfigError: the url is none.
    """

    def __init__(self, address: Address, *, seconds: Callable[[], float]) -> None:
        self.address = address
        self.seconds = seconds
        try:
            params: dict[str, Any] = {**conninfo_to_dict(address.url)}
        except psycopg.Error as problem:
            text = _first_line(problem)
            raise ConfigError(
                f"the journal's url {address} is none: {text}; write it as postgresql://user@host:5432/database"
            ) from None
        hosts, ports = str(params.get("host", "")).split(","), str(params.get("port", "")).split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        if len(ports) != len(hosts):
            raise ConfigError(f"the journal's url {address}: {len(hosts)} hosts and {len(ports)} ports; write one each")
        if address.password:
            params["password"] = address.password
        # The server gives up a session whose network is gone, and its lock, within seconds.
        keepalive = "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3"
        params["options"] = f"{params.get('options', '')} {keepalive}".strip()
        self._hosts = [
            {**params, **{key: value for key, value in (("host", host), ("port", port)) if value}}
            for host, port in zip(hosts, ports, strict=True)
        ]

    def connect(self, limit: float, *, writes: bool) -> "Session":
        """A session with the first host that answers, and takes writes if that is wanted; ``limit`` seconds in all.

        Raises:
            Lost: none did; the message is the last host's.
        """
        ends, problem = self.seconds() + limit, "it does not answer"
        for number, host in enumerate(self._hosts):
            share = (ends - self.seconds()) / (len(self._hosts) - number)
            if share <= 0:
                break
            attrs = {"target_session_attrs": "read-write"} if writes else {}
            try:
                steps = generators.connect(make_conninfo("", **attrs, **host))
                found = waiting.wait_conn(_bounded(steps, self.seconds, share), interval=_LOOK_SECONDS)
            except (psycopg.Error, _Silent) as failure:
                problem = _first_line(failure)
                continue
            self._hosts.insert(0, self._hosts.pop(number))
            return Session(found, self, limit)
        raise Lost(problem)


class Session:
    """Statements one at a time, each committed when its answer is here; an answer takes ``limit`` seconds at most."""

    def __init__(self, connection: Any, server: Server, limit: float) -> None:
        self.limit = limit
        self._server = server
        self._db = _Connection(connection)
        self._db.bound = lambda steps: _bounded(steps, server.seconds, self.limit)
        self.closed = False
        try:
            self._db.autocommit = True
            self.ask("SELECT set_config('search_path', %s, false)", server.address.schema)
        except BaseException:
            self.close()
            raise

    def ask(self, statement: str, *values: Any, often: bool = False) -> list[tuple[Any, ...]]:
        """The rows of an answer; none of a statement that gives none.

        Args:
            often: worth preparing.

        Raises:
            Lost: see there; the session is closed.
            JournalError: the server said no, and nothing of it was done.
        """
        try:
            cursor = self._db.execute(statement.encode(), values, prepare=often or None, binary=True)
            return cursor.fetchall() if cursor.description else []
        except _Silent as silence:
            self.close()
            raise Lost(str(silence)) from None
        except psycopg.Error as problem:
            text = _first_line(problem)
            if self._db.closed or _is_away(problem):
                self.close()
                raise Lost(text) from problem
            raise JournalError(f"{text} (SQLSTATE {problem.sqlstate})") from problem

    @contextlib.contextmanager
    def transaction(self) -> Generator[None, None, None]:
        """What is asked within is done together or not at all."""
        self.ask("BEGIN")
        try:
            yield
        except BaseException:
            with contextlib.suppress(Lost, JournalError):
                self.ask("ROLLBACK")
            raise
        self.ask("COMMIT")

    def close(self) -> None:
        self.closed = True
        self._db.close()


class _Silent(Exception):
    """No answer in time."""


class _Connection(psycopg.Connection[tuple[Any, ...]]):
    """The driver's connection, with an end to every wait; ``connect_timeout`` ends no other wait than its own."""

    bound: Callable[[Any], Any]

    def wait(self, gen: Any, interval: float = _LOOK_SECONDS, timeout: float | None = None) -> Any:
        return super().wait(self.bound(gen), _LOOK_SECONDS)


def _bounded(steps: Generator[Any, Any, T], seconds: Callable[[], float], limit: float) -> Generator[Any, Any, T]:
    """The driver's steps, until ``limit`` seconds have passed; the driver wakes us with nothing from time to time.

    Raises:
        _Silent: that long.
    """
    ends = seconds() + limit
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and seconds() > ends:
                raise _Silent(f"it does not answer within {limit:.3g} s")
            wanted = steps.send(ready)
    except StopIteration as done:
        found: T = done.value
        return found


def _is_away(problem: psycopg.Error) -> bool:
    state = problem.sqlstate
    if state is None:
        return isinstance(problem, psycopg.OperationalError | psycopg.InterfaceError)
    return state in _AWAY or state.startswith("08")


def _first_line(problem: Exception) -> str:
    """A driver's message is pages; the first line says what is the matter."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return (
        lines[0].removeprefix("connection failed: ").removeprefix("connection is bad: ") if lines else "no reason given"
    )
