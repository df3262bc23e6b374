"""The journal in PostgreSQL: for an engine whose machine may be lost (RELIABILITY 3.1; 5.1, rows S5 and P4).

The same records, groups and chain as in a SQLite file. One writer, by an advisory lock of its session. A commit without
an answer is never repeated blindly: the session is made anew, the lock taken again, and the last row says whether the
group is there. Needs psycopg, so whoever may do without imports this by ``postgres_url.postgres``.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.domain.errors import ConfigError, JournalError
from engine.domain.events import JournalRecord
from engine.journal import postgres_store as store
from engine.journal.chain import Chain, Damage, verified
from engine.journal.group_writer import GROUP_ROWS, GroupWriter, Item, pause
from engine.journal.halt import Halt, Sentinel
from engine.journal.postgres_session import Lost, Server, Session
from engine.journal.postgres_url import Address
from engine.journal.written import WrittenJournal

AWAY_SECONDS = 2.0
READ_SECONDS = 30.0
"""How long a page may take to be read; nobody trades meanwhile."""
OPEN_SECONDS = 5.0
"""How long the server may take to answer at opening."""
LEAVING_SECONDS = 1.0
"""How long to wait at opening for the session of an engine that just died to go."""
_RETRY_SECONDS = 0.02


class PostgresJournal(WrittenJournal):
    """Implements ``engine.ports.Journal``; constructed, it is open, checked and locked.

    Args:
        address: the database, and the schema in it; the schema is made if it is missing.
        seconds: a monotonic reading in real seconds.
        inline: commit in the caller's turn instead of a thread.
        accept_rebuild: set damaged records aside and go on from the last good one.
        group_rows: how many records one commit takes at most.
        away_seconds: how long the server may be away before the journal is no longer healthy.
        sentinel: the file to leave a word in after a failure; None: no file.
        on_failure: called once when the journal fails: in the loop of ``run``, or at once where none runs.

    Raises:
        ConfigError: another engine holds it; the server can not be reached, or is none for a journal.
        JournalError: damaged, and ``accept_rebuild`` is off; the message names the record.
    """

    def __init__(
        self,
        address: Address,
        *,
        seconds: Callable[[], float],
        inline: bool = False,
        accept_rebuild: bool = False,
        group_rows: int = GROUP_ROWS,
        away_seconds: float = AWAY_SECONDS,
        sentinel: Path | None = None,
        on_failure: Callable[[JournalError], None] | None = None,
    ) -> None:
        self.address = address
        self.away_seconds = away_seconds
        self.healthy = True
        self.quarantine: str | None = None
        """What the damaged table is called since it was set aside."""
        self.cut_rows = 0
        """Records of a torn tail that were cut at opening; a server that keeps its word leaves none."""
        self.looked_up = 0
        """Commits without an answer whose outcome was looked up."""
        self._sentinel = None if sentinel is None else Sentinel(sentinel)
        self._seconds = seconds
        store.check_name(address.schema)
        self._server = Server(address, seconds=seconds)
        self._session, self._name = self._open()
        try:
            durable_seq, self._sealed = self._check(accept_rebuild)
            store.sign(self._session, self._name, durable_seq)
        except Lost as lost:
            raise ConfigError(f"the journal {address} went away while it was opened: {lost}; start again") from lost
        except BaseException:
            self._session.close()
            raise
        self._session.limit = away_seconds / 2
        self._seal = self._sealed.value()
        self._chain = self._sealed.copy()
        self.next_seq = durable_seq + 1
        self._writer = GroupWriter(
            self._commit, durable_seq=durable_seq, inline=inline, rows=group_rows, on_failure=on_failure
        )

    # --- the port ----------------------------------------------------------------------------------------------------

    def records(self) -> Iterator[tuple[int, JournalRecord]]:
        """Every durable record, over a read-only session of its own.

        Raises:
            JournalError: the chain is broken, or the server does not answer.
        """
        yield from _read(self._server)

    def close(self) -> None:
        """Flush, stop the writer, let the lock go; look at ``healthy`` for whether all was written."""
        self._writer.stop(JournalError(f"the journal {self.address} is closed"))
        if not self._session.closed:
            with contextlib.suppress(Lost, JournalError):
                store.leave(self._session)
        self._session.close()

    # --- beyond the port ---------------------------------------------------------------------------------------------

    def abandon(self) -> None:
        """Crash here: what is not committed is lost, the session is dropped. Inline only.

        Raises:
            RuntimeError: a thread is writing.
        """
        self._writer.abandon(JournalError(f"the journal {self.address} is closed"))
        self._session.close()

    def halted(self) -> Halt | None:
        """Why an engine on this journal stopped for want of a durable write; None if none did."""
        return None if self._sentinel is None else self._sentinel.read()

    def clear_halt(self) -> None:
        """An operator has looked: remove the sentinel."""
        if self._sentinel is not None:
            self._sentinel.clear()

    # --- opening -----------------------------------------------------------------------------------------------------

    def _open(self) -> tuple[Session, str]:
        try:
            session = self._server.connect(OPEN_SECONDS, writes=True)
        except Lost as lost:
            raise ConfigError(
                f"the journal {self.address} can not be reached: {lost}; start the server, or correct [journal] and "
                "the password"
            ) from lost
        try:
            store.check_server(session, self.address)
            name = store.name_of(session)
            store.take_lock(session, self._server, name, self._seconds() + LEAVING_SECONDS)
            store.prepare(session, self.address)
        except (Lost, store.Held) as problem:
            session.close()
            if isinstance(problem, Lost):
                raise ConfigError(f"the journal {self.address} went away: {problem}; start again") from problem
            raise ConfigError(
                f"the journal {self.address} is in use by {problem}: stop that engine or give this one a schema of "
                "its own"
            ) from None
        except BaseException:
            session.close()
            raise
        session.limit = READ_SECONDS
        return session, name

    def _check(self, accept_rebuild: bool) -> tuple[int, Chain]:
        """Check every record and cut a torn tail."""
        try:
            good, chain = store.check_chain(self._session)
        except Damage as damage:
            if not accept_rebuild:
                raise Damage(
                    f"the journal {self.address} is damaged: {damage}; keep a copy, compare with the venue, and start "
                    f"with accept_rebuild to go on from record {damage.good}",
                    damage.good,
                ) from damage
            self.quarantine = store.rebuild(self._session, damage.good)
            good, chain = store.check_chain(self._session)
        self.cut_rows = store.cut_tail(self._session, good)
        return good, chain

    # --- writing -----------------------------------------------------------------------------------------------------

    def _commit(self, group: list[Item]) -> None:
        """Commit a group with its chain value.

        Raises:
            JournalError: that failed, for good.
        """
        chain, before, end = self._sealed, store.Last(group[0][0] - 1, self._seal), len(group) - 1
        rows: list[store.Row] = []
        for at, (seq, body) in enumerate(group):
            chain.extend(body)
            rows.append((seq, body, chain.value() if at == end else None))
        after = store.Last(group[end][0], chain.value())
        ends = self._seconds() + self.away_seconds
        try:
            try:
                store.insert(self._session, rows)
            except Lost as lost:
                self._insert_again(rows, before, after, ends, str(lost))
        except JournalError as problem:
            raise self._failed(str(problem)) from problem
        self._seal = after.seal or b""

    def _insert_again(
        self, rows: list[store.Row], before: store.Last, after: store.Last, ends: float, cause: str
    ) -> None:
        """The answer to a commit was lost: find out what became of it, and do it again only if it was not done.

        Raises:
            JournalError: the server stays away, another engine wrote, or records that were acknowledged are gone.
        """
        self.looked_up += 1
        while True:
            if self._seconds() > ends:
                raise JournalError(f"the server is away for more than {self.away_seconds:g} s: {cause}")
            try:
                self._retake(ends)
                found = store.last(self._session)
                if found.seq == before.seq and (found.seq == 0 or found.seal == before.seal):
                    store.insert(self._session, rows)
                elif found != after:
                    raise JournalError(_strange(found, before, after))
                # Also waits for what a lost session committed to reach the standbys.
                store.sign(self._session, self._name, after.seq)
                return
            except Lost as lost:
                cause = str(lost)
                pause(_RETRY_SECONDS)
            except store.Held as held:
                raise JournalError(f"while the session was lost the journal was taken by {held}") from held
            except ConfigError as refused:
                raise JournalError(str(refused)) from refused

    def _retake(self, ends: float) -> None:
        """A session that has the lock; that it got the lock proves that ours before it is over.

        Raises:
            Lost: not yet. Held: another engine has it.
        """
        if not self._session.closed:
            return
        session = self._server.connect(max(ends - self._seconds(), 0.0), writes=True)
        try:
            store.check_server(session, self.address)
            store.take_lock(session, self._server, self._name, ends)
        except BaseException:
            session.close()
            raise
        session.limit = self.away_seconds / 2
        self._session = session

    def _failed(self, cause: str) -> JournalError:
        """No retry from here on: what the server says and what it has are no longer the same, or it has no room."""
        self.healthy = False
        if self._sentinel is not None:
            self._sentinel.write(Halt(cause=cause, durable_seq=self.durable_seq))
        return JournalError(
            f"the journal {self.address} failed after record {self.durable_seq}: {cause}; no new orders"
        )


def _strange(found: store.Last, before: store.Last, after: store.Last) -> str:
    if found.seq < before.seq:
        return (
            f"the server ends with record {found.seq}, but {before.seq} was acknowledged: the records between are "
            "lost, as after a failover to a standby that was behind"
        )
    if found.seq in {before.seq, after.seq}:
        return f"record {found.seq} is not ours: another engine wrote while the session was lost"
    return f"the server ends with record {found.seq}, ours is {before.seq}: another engine wrote meanwhile"


def is_held(address: Address, *, seconds: Callable[[], float]) -> bool:
    """Whether an engine writes this journal now.

    Raises:
        ConfigError: the url is none. JournalError: the server can not be asked.
    """
    try:
        with contextlib.closing(Server(address, seconds=seconds).connect(OPEN_SECONDS, writes=False)) as session:
            return bool(store.holders(session, address.schema))
    except Lost as lost:
        raise JournalError(f"the journal {address} can not be reached: {lost}") from lost


def read(address: Address, *, seconds: Callable[[], float]) -> Iterator[tuple[int, JournalRecord]]:
    """Every record of a journal, read beside a writer that may still hold it; a standby will do.

    Raises:
        ConfigError: no such server, or no journal there. JournalError: damaged, or it went away meanwhile.
    """
    store.check_name(address.schema)
    server = Server(address, seconds=seconds)
    try:
        with contextlib.closing(server.connect(OPEN_SECONDS, writes=False)) as session:
            if store.version_of(session, address) is None:
                raise ConfigError(f"the journal {address} is not there; name a schema that a run has written")
    except Lost as lost:
        raise ConfigError(f"the journal {address} can not be reached: {lost}; check the url and the password") from lost
    yield from _read(server)


def _read(server: Server) -> Iterator[tuple[int, JournalRecord]]:
    try:
        with contextlib.closing(server.connect(OPEN_SECONDS, writes=False)) as session:
            session.limit = READ_SECONDS
            session.ask("SELECT set_config('default_transaction_read_only', 'on', false)")
            for batch in verified(store.rows(session), Chain()):
                yield from batch
    except Lost as lost:
        raise JournalError(f"the journal {server.address} can not be read: {lost}") from lost
