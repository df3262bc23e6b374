"""It decides by chance without a seed: two runs over the same data differ."""

import random

from engine import Bar, Strategy


class Restless(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.order_target(bar.instrument, 100 * random.randrange(2))
