"""It reads the data file too, yet no further than the bar it is shown: nothing to find."""

import csv
from collections.abc import Iterator
from pathlib import Path

from engine import Bar, Strategy, param


class Honest(Strategy):
    """Leaves its position in ``on_stop``, as many do: the end of the data is no decision."""

    file: str = param("", doc="the very file the run is over")

    def on_start(self) -> None:
        self.rows: Iterator[dict[str, str]] = csv.DictReader(Path(self.file).read_text(encoding="utf-8").splitlines())
        self.before = 0.0

    def on_bar(self, bar: Bar) -> None:
        close = float(next(self.rows)["close"])
        if self.before and not self.working_orders(bar.instrument):
            self.order_target(bar.instrument, 100 if close < self.before else 0)
        self.before = close

    def on_stop(self) -> None:
        for name in self.instruments:
            self.order_target(name, 0)
