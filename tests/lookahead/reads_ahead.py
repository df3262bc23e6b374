"""It reads the data file itself, by the path it is given, and buys where the price ten bars later is higher."""

import csv
from pathlib import Path

from engine import Bar, Strategy, param


class ReadsAhead(Strategy):
    file: str = param("", doc="the very file the run is over")

    def on_start(self) -> None:
        with Path(self.file).open(encoding="utf-8") as lines:
            self.closes = [float(row["close"]) for row in csv.DictReader(lines)]
        self.seen = 0

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        later = self.closes[min(self.seen + 9, len(self.closes) - 1)]
        if self.seen % 7 == 0:
            self.order_target(bar.instrument, 100 if later > bar.close else 0)
