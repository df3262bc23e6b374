"""A signal of one bar is traded once, whatever restarts come within ``price_collar.max_age`` of it."""

import signal
from pathlib import Path
from typing import Any

from engine.control.journal_reading import journal_bodies
from engine.domain.events import OrderDenied, OrderSubmitted
from engine.domain.jobs import BarsHeard
from engine.heard import HISTORY
from engine.runtime.live_settings import live_spec
from engine.runtime.recorded import Recording
from engine.runtime.settings import load_settings
from engine.runtime.verifying import verify
from tests.daemon_builders import DaemonProcess, journal_of
from tests.simulation.test_daemon import a_place

STRATEGY = '''
from engine import OrderDenied, Strategy


class Lives(Strategy):
    """Buys ten at the bar of 09:00, as one buys at a crossing."""

    def on_bar(self, bar):
        if bar.ts_ns == 1772413200 * 10**9:
            self.buy(bar.instrument, 10)

    def on_fill(self, fill):
        self.log("bought")

    def on_order(self, event):
        if isinstance(event, OrderDenied):
            self.log(f"told {event.code}")
'''
SETTINGS = 'rate_limits = "off"\n\n[risk.price_collar]\nmax_age = "10m"\n\n[risk.orders_per_day]\ncap = 100\n'


def test_the_bar_a_strategy_traded_is_not_traded_again_after_a_reload_nor_after_kill_nine(tmp_path: Path) -> None:
    """Moments after the order, the newest bar of the history is the one that was traded: by no later life again.

    What each life heard and decided is decided again from its recording.
    """
    config = a_place(tmp_path)
    text = config.read_text(encoding="utf-8").replace("T07:00:00", "T09:02:00") + SETTINGS
    config.write_text(text, encoding="utf-8")
    first = tmp_path / "first.toml"
    first.write_text(text, encoding="utf-8")
    (tmp_path / "lives.py").write_text(STRATEGY, encoding="utf-8")
    with DaemonProcess(config) as daemon:
        daemon.hear("bought")
        config.write_text(text.replace("cap = 100", "cap = 99"), encoding="utf-8")
        daemon.send(signal.SIGHUP)
        daemon.hear(f"told {HISTORY}")
        assert daemon.end(signal.SIGKILL) == -signal.SIGKILL
    with DaemonProcess(config) as daemon:
        daemon.hear(f"told {HISTORY}")
        assert daemon.end() == 0, daemon.lines
    journal = tmp_path / "runs" / "journal.sqlite3"
    rows = journal_of(journal)
    assert len(of(rows, OrderSubmitted)) == len(of(rows, BarsHeard)) == 1
    # The denial before the kill may not have reached the disk: nothing had to wait for it.
    assert {row.code for row in of(rows, OrderDenied)} == {HISTORY}
    lives = sorted((tmp_path / "runs" / "recordings").iterdir())
    for life, settings in zip(lives, (first, config, config), strict=True):
        recording = Recording(life)
        spec = live_spec(load_settings(settings), mode=recording.header.mode)
        replayed = verify(recording, spec, list(journal_bodies(journal)))
        assert (replayed.difference, replayed.identical) == (None, True)


def of(rows: list[Any], kind: type[Any]) -> list[Any]:
    return [row for row in rows if isinstance(row, kind)]
