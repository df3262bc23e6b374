"""A regression of the next return on the last three, fitted on all of the data before the first bar is seen."""

import numpy as np

from engine import Bar, Strategy, param


class Trained(Strategy):
    file: str = param("", doc="the very file the run is over")

    def on_start(self) -> None:
        closes = np.loadtxt(self.file, delimiter=",", skiprows=1, usecols=4)
        returns = np.diff(np.log(closes))
        table = np.column_stack([returns[2:-1], returns[1:-2], returns[:-3], np.ones(len(returns) - 3)])
        self.weights = np.linalg.lstsq(table, returns[3:], rcond=None)[0]
        self.closes: list[float] = []

    def on_bar(self, bar: Bar) -> None:
        self.closes.append(bar.close)
        if len(self.closes) < 4:
            return
        last = np.diff(np.log(self.closes[-4:]))[::-1]
        self.order_target(bar.instrument, 100 if float(last @ self.weights[:3] + self.weights[3]) > 0 else 0)
