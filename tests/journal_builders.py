"""Records for journal tests, and a program that writes them until it is killed."""

from decimal import Decimal

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


WRITER = """
import asyncio, sys
from engine.journal import SqliteJournal
from tests.journal_builders import a_record

async def main():
    journal = SqliteJournal(sys.argv[1])
    print("ready", journal.durable_seq, flush=True)
    for n in range(journal.durable_seq, 10_000_000):
        seq = journal.append(a_record(n))
        if n % 3 == 0:
            await journal.durable(seq)
            print(seq, flush=True)

asyncio.run(main())
"""
"""Writes until killed; each line is a number acknowledged as durable."""
