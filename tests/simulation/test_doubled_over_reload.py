"""A signal of one bar is traded once, whatever restarts come within ``price_collar.max_age`` of it."""

import signal
from pathlib import Path

from tests.daemon_builders import DaemonProcess, journal_of
from tests.simulation.test_daemon import a_place

STRATEGY = '''
from engine import Strategy


class Lives(Strategy):
    """Buys ten at the bar of 09:00, as one buys at a crossing."""

    def on_bar(self, bar):
        if bar.ts_ns == 1772413200 * 10**9:
            self.buy(bar.instrument, 10)

    def on_fill(self, fill):
        self.log("bought")
'''


def test_the_bar_a_strategy_traded_is_not_traded_again_by_the_next_run(tmp_path: Path) -> None:
    """A reload a moment after the order: the newest bar of the history is the one that was traded."""
    config = a_place(tmp_path)
    text = config.read_text(encoding="utf-8").replace("T07:00:00", "T09:02:00")
    text += 'rate_limits = "off"\n\n[risk.price_collar]\nmax_age = "10m"\n\n[risk.orders_per_day]\ncap = 100\n'
    config.write_text(text, encoding="utf-8")
    (tmp_path / "lives.py").write_text(STRATEGY, encoding="utf-8")
    with DaemonProcess(config) as daemon:
        daemon.hear("bought")
        config.write_text(text.replace("cap = 100", "cap = 99"), encoding="utf-8")
        daemon.send(signal.SIGHUP)
        daemon.hear("ready  run=2")
        daemon.hear("account.state")
        assert daemon.end() == 0, daemon.lines
    rows = journal_of(tmp_path / "runs" / "journal.sqlite3")
    submitted = [row for row in rows if type(row).__name__ == "OrderSubmitted"]
    assert len(submitted) == 1
