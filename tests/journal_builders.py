"""Records for journal tests, journals of every kind, and a program that writes until it is killed."""

import contextlib
import hashlib
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import (
    CallAnswered,
    JournalRecord,
    KillLevel,
    LatchSet,
    OrderSent,
    OrderSubmitted,
    RunStarted,
)
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.order import Evidence, OrderReport
from engine.journal import JOURNALS
from engine.journal.postgres_url import Address
from engine.ports import Journal
from tests.postgres_server import the_server

if TYPE_CHECKING:
    from engine.journal.postgres import PostgresJournal

ACCOUNT = AccountId("paper")


def a_record(n: int) -> JournalRecord:
    """A record of one of the kinds an order leaves, told by ``n``; urgent kinds among them."""
    client_id = ClientOrderId(f"o-{n}")
    match n % 6:
        case 0:
            order = SubmitOrder(
                client_id=client_id,
                account=ACCOUNT,
                strategy=StrategyId("s"),
                instrument=InstrumentId("CY.VSM"),
                side=Side.BUY,
                quantity=n + 1,
                ts_ns=n,
            )
            return OrderSubmitted(order=order, ts_ns=n, reserved_cash=Decimal(n) / 4)
        case 1:
            return OrderSent(client_id=client_id, ts_ns=n, request_hash=f"{n:08x}")
        case 2:
            return OrderReport(account=ACCOUNT, kind=Evidence.ACK, ts_ns=n, client_id=client_id)
        case 3:
            return OrderReport(
                account=ACCOUNT, kind=Evidence.FILL, ts_ns=n, client_id=client_id, quantity=n, price=Decimal("10.01")
            )
        case 4:
            return LatchSet(level=KillLevel.HALT, scope="all", cause=f"test {n}", who="test", ts_ns=n)
        case _:
            return CallAnswered(strategy=StrategyId("s"), call=n, ts_ns=n, value={"n": n, "text": "闸"})


def records(count: int, first: int = 0) -> list[JournalRecord]:
    return [a_record(n) for n in range(first, first + count)]


def a_run(n: int = 0) -> RunStarted:
    return RunStarted(ts_ns=n, mode="test", data=({"path": "bars.csv", "bars": n},))


def address_for(path: Path, port: int | None = None) -> Address:
    """The schema of the shared server that stands for a path: the same path, the same journal."""
    name = f"t_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    return Address(url=the_server().url(port), schema=name)


def postgres_at(place: Path | Address, **options: Any) -> "PostgresJournal":
    """A journal on the shared server, or at an address."""
    from engine.journal.postgres import PostgresJournal

    address = place if isinstance(place, Address) else address_for(place)
    return PostgresJournal(address, seconds=time.monotonic, **options)


OPENERS: dict[str, Callable[[Path], Journal]] = {
    **JOURNALS,
    "postgres": postgres_at,
    "postgres_inline": lambda path: postgres_at(path, inline=True),
}
"""Every kind of journal: name -> how to open one for a path. Those of PostgreSQL skip where there is no server."""
KEPT = [name for name in OPENERS if name != "memory"]
"""Those that outlive their process."""


def ends_of_groups(name: str, path: Path) -> list[int]:
    """The numbers of the rows with a chain value, read past the journal."""
    asked = "SELECT seq FROM record WHERE chain IS NOT NULL ORDER BY seq"
    if name.startswith("postgres"):
        import psycopg

        address = address_for(path)
        with psycopg.connect(address.url, options=f"-c search_path={address.schema}") as db:
            return [seq for (seq,) in db.execute(asked.encode())]
    import sqlite3

    with contextlib.closing(sqlite3.connect(path)) as file:
        return [seq for (seq,) in file.execute(asked)]


WRITER = """
import asyncio, sys, time
from pathlib import Path
from tests.journal_builders import a_record

def opened(kind, path, url):
    if kind == "sqlite":
        from engine.journal import SqliteJournal

        return SqliteJournal(path)
    from engine.journal.postgres import PostgresJournal
    from engine.journal.postgres_url import Address

    return PostgresJournal(Address(url=url, schema=path), seconds=time.monotonic)

async def main():
    journal = opened(*sys.argv[1:])
    print("ready", journal.durable_seq, flush=True)
    for n in range(journal.durable_seq, 10_000_000):
        seq = journal.append(a_record(n))
        if n % 3 == 0:
            await journal.durable(seq)
            print(seq, flush=True)

asyncio.run(main())
"""
"""Writes until killed; each line is a number acknowledged as durable."""
