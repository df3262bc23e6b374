"""It measures each close by the mean and deviation of all closes; the path stands in its code, absolute."""

from pathlib import Path

import numpy as np

from engine import Bar, Strategy

FILE = Path(__file__).resolve().with_name("bars.csv")


class WholeSample(Strategy):
    def on_start(self) -> None:
        closes = np.loadtxt(FILE, delimiter=",", skiprows=1, usecols=4)
        self.mean, self.deviation = float(closes.mean()), float(closes.std())

    def on_bar(self, bar: Bar) -> None:
        score = (bar.close - self.mean) / self.deviation
        held = self.position(bar.instrument)
        if score < -0.5 and not held:
            self.buy(bar.instrument, 100)
        elif score > 0.5 and held:
            self.sell(bar.instrument, held)
