"""The day in a few lines and a picture, from what the run has sampled of its accounts."""

from collections.abc import Iterable, Mapping
from typing import Any

from engine.control.notices.notice import Notice, Severity
from engine.control.notices.picture import equity_picture
from engine.domain.events import EquitySampled
from engine.domain.timestamps import DAY_NS
from engine.runtime.live import LiveRun


def summary(
    run: LiveRun, samples: Iterable[EquitySampled], counted: Mapping[str, int], *, about: str, timezone: str
) -> Notice:
    """Worth and change of each account over the last day, what it holds, and what was counted.

    Args:
        samples: of all accounts, oldest first. counted: see ``Sources.take``.
    """
    now_ns = run.clock.now_ns
    curves: dict[str, list[tuple[int, float]]] = {}
    for sample in samples:
        if now_ns - DAY_NS <= sample.ts_ns <= now_ns:
            curves.setdefault(sample.account, []).append((sample.ts_ns, float(sample.equity)))
    lines = []
    for account in run.spec.accounts:
        book = run.core.portfolio.accounts[account.id]
        held = sum(1 for position in book.positions.values() if position.quantity)
        curve = curves.get(account.id)
        if not curve:
            lines.append(f"{account.id}: worth not known, {held} positions")
            continue
        begun, ended = curve[0][1], curve[-1][1]
        change = f" ({(ended / begun - 1) * 100:+.2f}%)" if begun else ""
        lines.append(f"{account.id}: {ended:,.2f} {account.currency}, {ended - begun:+,.2f}{change}, {held} positions")
    told: dict[str, Any] = {name: counted.get(name, 0) for name in ("orders", "fills", "denied", "alerts")}
    lines.append(", ".join(f"{count} {name}" for name, count in told.items()))
    latched = [f"{scope} {latch.level.name}" for scope, latch in run.core.view.latches.items() if latch.level]
    if latched:
        lines.append(f"latched: {', '.join(latched)}")
    picture = equity_picture(curves, title=about, timezone=timezone)
    return Notice(severity=Severity.INFO, about=about, text="\n".join(lines), ts_ns=now_ns, picture=picture)
