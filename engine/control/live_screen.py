"""What a person sees of a live run: a table that changes while it runs, and the summary."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from engine.domain.ids import InstrumentId
from engine.domain.timestamps import SECOND_NS, format_time

if TYPE_CHECKING:
    from engine.control.live_session import Session

REFRESH_SECONDS = 0.25


def summary_table(figures: Mapping[str, Any]) -> Table:
    """The figures of a finished run, a row a gateway."""
    table = Table(title="summary / 汇总", title_justify="left")
    names = ("orders", "fills", "buys", "sells", "denied", "unknown_open", "disputed", "equity")
    table.add_column("gateway")
    for name in names:
        table.add_column(name, justify="right")
    for gateway, row in figures["gateways"].items():
        texts = ["-" if row[n] is None else f"{row[n]:,.2f}" if n == "equity" else f"{row[n]:,}" for n in names]
        table.add_row(gateway, *texts)
    return table


def told_table(figures: Mapping[str, Any]) -> Table | None:
    """What was denied and why, and what was unknown for a while; None where neither happened."""
    table = Table("gateway", "what", "times", "why", title="denied, unknown / 拒单与未知", title_justify="left")
    for gateway, row in figures["gateways"].items():
        for code, times in row["denials"].items():
            table.add_row(gateway, f"denied {code}", f"{times}", row["reasons"][code])
        if row["unknown_seen"]:
            found = (
                f"{row['unknown_found']} found at the venue, {row['unknown_open']} still open, {row['resent']} resent"
            )
            table.add_row(gateway, "unknown outcome", f"{row['unknown_seen']}", found)
    return table if table.row_count else None


async def watch(session: "Session", console: Console) -> None:
    """Redraw until cancelled; the console is one that can."""
    step_ns = round(REFRESH_SECONDS * session.clock.speed * SECOND_NS)
    with Live(picture(session), console=console, auto_refresh=False) as display:
        while True:
            display.update(picture(session), refresh=True)
            await session.clock.sleep(step_ns)


def picture(session: "Session") -> RenderableType:
    """Prices, positions, orders and profit as they stand."""
    core, told = session.run.core, session.told
    markets = [core.instruments[i].market for row in session.settings.strategies for i in row.spec.instruments]
    tz = next((core.books[market].timezone for market in markets), "UTC")
    head = Text(f"{format_time(session.clock.now_ns, tz)[:19]}  x{session.clock.speed:g}  ", "bold")
    head.append(f"orders {told.orders}  fills {told.fills}  denied {told.denied}  ")
    head.append(f"working {len(core.manager.working)}  {_latency(session)}", "dim")
    parts: list[RenderableType] = [head, _accounts(session), _instruments(session)]
    parts += [Text(line, "dim", no_wrap=True, overflow="ellipsis") for line in told.latest]
    return Group(*parts)


def _accounts(session: "Session") -> Table:
    table = Table("account", "currency", pad_edge=False)
    for name in ("cash", "equity", "fees"):
        table.add_column(name, justify="right")
    for account, book in session.run.core.portfolio.accounts.items():
        equity = session.equity(account)
        cash = book.cash[book.currency]
        table.add_row(
            account, book.currency, f"{cash:,.2f}", "-" if equity is None else f"{equity:,.2f}", f"{book.fees:,.2f}"
        )
    return table


def _instruments(session: "Session") -> Table:
    portfolio = session.run.core.portfolio
    table = Table("instrument", "name", pad_edge=False)
    for name in ("price", "held", "average", "profit"):
        table.add_column(name, justify="right")
    held = [i for book in portfolio.accounts.values() for i, p in book.positions.items() if p.quantity]
    named = [i for row in session.settings.strategies for i in row.spec.instruments]
    for instrument in dict.fromkeys([*named, *held]):
        table.add_row(instrument, session.settings.instruments[instrument].name, *_row(session, instrument))
    return table


def _row(session: "Session", instrument: InstrumentId) -> tuple[str, str, str, Text]:
    portfolio = session.run.core.portfolio
    mark = portfolio.marks.get(instrument)
    positions = [b.positions[instrument] for b in portfolio.accounts.values() if instrument in b.positions]
    quantity = sum(p.quantity for p in positions)
    cost = float(sum(p.cost for p in positions))
    price = "-" if mark is None else f"{mark:,.2f}"
    if not quantity or mark is None:
        return price, f"{quantity:,}", "-", Text("-")
    profit = mark * quantity * session.settings.instruments[instrument].multiplier - cost
    # Red rises and green falls, as screens in China have it.
    return price, f"{quantity:,}", f"{cost / quantity:,.2f}", Text(f"{profit:+,.2f}", "red" if profit > 0 else "green")


def _latency(session: "Session") -> str:
    taken = sorted(s for box in session.run.boxes.values() for s in box.send_seconds)
    return f"decision to request {taken[len(taken) // 2] * 1e3:.2f} ms (median)" if taken else ""
