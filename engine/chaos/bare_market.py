"""A market with nothing on it but what a face lists itself."""

from engine.clock import Clock
from engine.entropy import Entropy
from engine.simulators.exchange import Exchange
from engine.simulators.virtual_market import VirtualMarketSimulator
from engine.simulators.virtual_market.settings import DEFAULT_STOCKS


def bare_market(seed: int, clock: Clock) -> Exchange:
    """The market of a seed, without the days of bars that its own game would begin with, and one of its stocks.

    A broker's face lists its shares on it, and they walk by the seed and their codes alone: what else is listed, and
    what was before, is the same to them, and costs a flight as much as a tenth of its time.
    """
    simulator = VirtualMarketSimulator(seed=seed, history_days=0, stocks=DEFAULT_STOCKS[:1])
    return simulator.exchange(clock, Entropy(seed))
