"""Market-data files and journals for tests of readers and of the report."""

import gzip
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.data.columns import Columns
from engine.domain.commands import Side, SubmitOrder
from engine.domain.events import (
    EquitySampled,
    JournalRecord,
    OrderDenied,
    OrderSent,
    OrderSubmitted,
    RunEnded,
    RunStarted,
)
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.order import Evidence, OrderReport
from engine.domain.timestamps import MINUTE_NS, parse_time

HEADER = "dt,open,high,low,close,volume"
ROWS = (
    "2026-03-02 09:31:00,10.0,10.5,9.5,10.2,100",
    "2026-03-02 09:32:00,10.2,10.6,10.1,10.4,200",
    "2026-03-02 09:33:00,10.4,10.4,10.0,10.1,0",
)
FIRST_NS = parse_time("2026-03-02 09:31:00", "Asia/Shanghai")
STOCK = InstrumentId("600000.SH")
ACCOUNT = AccountId("backtest")


def a_csv(path: Path, rows: Sequence[str] = ROWS, header: str = HEADER) -> Path:
    """A CSV file of bars; gzip if its name ends so."""
    raw = "\n".join([header, *rows, ""]).encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def a_parquet(path: Path, **columns: Any) -> Path:
    """A Parquet file of three bars, columns replaced or added; None drops one."""
    table: dict[str, Any] = {
        "dt": pa.array([FIRST_NS + i * MINUTE_NS for i in range(3)], pa.timestamp("ns", "UTC")),
        "open": [10.0, 10.2, 10.4],
        "high": [10.5, 10.6, 10.4],
        "low": [9.5, 10.1, 10.0],
        "close": [10.2, 10.4, 10.1],
        "volume": [100.0, 200.0, 0.0],
    } | columns
    pq.write_table(pa.table({name: values for name, values in table.items() if values is not None}), path)
    return path


def some_columns(closes: Sequence[float], first_ns: int = FIRST_NS, interval_ns: int = MINUTE_NS) -> Columns:
    """Bars whose four prices are all the close, one after the other without gaps."""
    prices = np.array(closes, float)
    ts_ns = first_ns + np.arange(len(prices), dtype=np.int64) * interval_ns
    return Columns(STOCK, interval_ns, ts_ns, prices, prices, prices, prices, np.ones(len(prices)))


class JournalScript:
    """A journal written by hand, for one account and strategy: ``s.buy(...)``, ``s.equity(...)``, ``s.records``."""

    def __init__(self, cash: str = "1000", start: str = "2026-03-02 09:30", tz: str = "Asia/Shanghai") -> None:
        self.tz = tz
        self.strategy = "cross"
        self.records: list[tuple[int, JournalRecord]] = []
        self._number = 0
        self.add(
            RunStarted(
                ts_ns=self.at(start),
                mode="backtest",
                data=({"instrument": str(STOCK), "tz": tz},),
                strategies=({"name": "cross", "path": "strategies.cross:Cross"},),
                accounts=({"account": str(ACCOUNT), "currency": "CNY", "cash": cash},),
            )
        )

    def at(self, text: str) -> int:
        return parse_time(text, self.tz)

    def add(self, record: JournalRecord) -> None:
        self.records.append((len(self.records) + 1, record))

    def order(self, when: str, side: Side, quantity: int, instrument: str = STOCK) -> SubmitOrder:
        self._number += 1
        return SubmitOrder(
            client_id=ClientOrderId(f"C-{self._number}"),
            account=ACCOUNT,
            strategy=StrategyId(self.strategy),
            instrument=InstrumentId(instrument),
            side=side,
            quantity=quantity,
            ts_ns=self.at(when),
        )

    def submit(self, when: str, side: Side, quantity: int, instrument: str = STOCK) -> SubmitOrder:
        """An order that was sent and acknowledged."""
        order = self.order(when, side, quantity, instrument)
        self.add(OrderSubmitted(order=order, ts_ns=order.ts_ns))
        self.add(OrderSent(client_id=order.client_id, ts_ns=order.ts_ns))
        self.report(order, Evidence.ACK, when)
        return order

    def report(self, order: SubmitOrder, kind: Evidence, when: str, **more: Any) -> None:
        self.add(OrderReport(account=order.account, kind=kind, ts_ns=self.at(when), client_id=order.client_id, **more))

    def fill(self, order: SubmitOrder, when: str, quantity: int, price: str, fee: str = "0", fill_id: str = "") -> None:
        self.report(
            order,
            Evidence.FILL,
            when,
            quantity=quantity,
            price=Decimal(price),
            fee=Decimal(fee),
            fill_id=fill_id or f"{order.client_id}.{len(self.records)}",
        )

    def trade(
        self, when: str, side: Side, quantity: int, price: str, fee: str = "0", instrument: str = STOCK
    ) -> SubmitOrder:
        """An order filled at once and whole."""
        order = self.submit(when, side, quantity, instrument)
        self.fill(order, when, quantity, price, fee)
        return order

    def deny(self, when: str, code: str, reason: str) -> None:
        order = self.order(when, Side.BUY, 1)
        self.add(OrderDenied(order=order, ts_ns=order.ts_ns, code=code, reason=reason))

    def equity(self, when: str, value: str, cash: str = "0") -> None:
        self.add(EquitySampled(account=ACCOUNT, ts_ns=self.at(when), equity=Decimal(value), cash=Decimal(cash)))

    def end(self, when: str) -> Iterable[tuple[int, JournalRecord]]:
        self.add(RunEnded(ts_ns=self.at(when), reason="data ended"))
        return self.records
