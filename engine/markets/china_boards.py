"""What the rule books of the mainland share: boards of codes, lots, sizes, price limits, the day's phases.

Figures and their sources. RELIABILITY 4.1, rows 8 to 11. SSE: 上海证券交易所交易规则, 上证发〔2023〕32号, 2023-02-17.
SZSE: 深圳证券交易所交易规则, 2023-02-17. BSE: 北京证券交易所交易规则, 2021-11-15. Article numbers stand where the text
was read.

* Codes: STAR 688, 689; ChiNext 300 to 302; Beijing 4, 8 and 92; funds 5 and 15, 16, 18; convertible bonds 11 and 12.
* Lots: buy in hundreds, a rest below a hundred is sold whole (SSE, SZSE). STAR 200 at least, then singly
  (科创板股票交易特别规定, 2019-03-01; SSE). Beijing 100 at least, then singly (BSE). Convertible bonds in tens
  (可转换公司债券交易实施细则 of Shanghai and of Shenzhen, 2022-08-01).
* Largest order, limit and market: 1 000 000 both; ChiNext 300 000 and 150 000; STAR 100 000 and 50 000 (RELIABILITY
  4.1, row 10). Beijing 1 000 000 (BSE).
* Ticks 0.01; funds and convertible bonds 0.001 (SSE, SZSE; 可转换公司债券交易实施细则).
* Price limits as they are, by the close before; as they were, and first days: ``china_history``.
* Phases: opening auction 09:15-09:25, without cancels from 09:20; 09:30-11:30 and 13:00-14:57; closing auction
  14:57-15:00, without cancels (SSE since 2018-08-20; SZSE; BSE).
"""

import enum
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

from engine.domain.commands import Side
from engine.domain.money import exact
from engine.domain.timestamps import MINUTE_NS, day_of
from engine.domain.verdict import Denial
from engine.markets.sessions import Session, Sessions, sessions_of

ZONE = "Asia/Shanghai"
NEVER_NS = 2**62
CENT_TICK = Decimal("0.01")
MILL_TICK = Decimal("0.001")
AUCTION_NS = (15 * MINUTE_NS, 5 * MINUTE_NS)
"""The opening auction: from and to, before the opening."""
FIXED_NS = 10 * MINUTE_NS
"""From here on to the opening auction's end nothing is cancelled; before the opening."""
CLOSING_NS = 3 * MINUTE_NS
"""The closing auction; before the close."""


class Board(enum.StrEnum):
    MAIN = "main"
    CHINEXT = "chinext"
    STAR = "star"
    BEIJING = "beijing"
    FUND = "fund"
    BOND = "bond"


class BoardRules(NamedTuple):
    """Quantities in units, ``share`` the part of the close before that a price may move."""

    least: int
    step: int
    most: int
    most_market: int
    share: Decimal
    tick: Decimal


BOARDS = {
    Board.MAIN: BoardRules(100, 100, 1_000_000, 1_000_000, Decimal("0.1"), CENT_TICK),
    Board.CHINEXT: BoardRules(100, 100, 300_000, 150_000, Decimal("0.2"), CENT_TICK),
    Board.STAR: BoardRules(200, 1, 100_000, 50_000, Decimal("0.2"), CENT_TICK),
    Board.BEIJING: BoardRules(100, 1, 1_000_000, 1_000_000, Decimal("0.3"), CENT_TICK),
    Board.FUND: BoardRules(100, 100, 1_000_000, 1_000_000, Decimal("0.1"), MILL_TICK),
    Board.BOND: BoardRules(10, 10, 1_000_000, 1_000_000, Decimal("0.2"), MILL_TICK),
}
CAGE_TICKS = 10
CAGES = {
    Board.MAIN: (Decimal("0.02"), CAGE_TICKS),
    Board.CHINEXT: (Decimal("0.02"), CAGE_TICKS),
    Board.STAR: (Decimal("0.02"), 0),
    Board.BEIJING: (Decimal("0.05"), CAGE_TICKS),
}
"""Board -> (part of the base price, ticks): the wider of the two."""
STAR_FUNDS = ("588", "589")
_PREFIXES = (
    (("688", "689"), Board.STAR),
    (("300", "301", "302"), Board.CHINEXT),
    (("11", "12"), Board.BOND),
    (("5", "15", "16", "18"), Board.FUND),
    (("4", "8", "92"), Board.BEIJING),
)


def board_of(code: str) -> Board:
    """The board of six digits; what is not known is the main board's."""
    return next((board for prefixes, board in _PREFIXES if code.startswith(prefixes)), Board.MAIN)


def lot_denial(board: Board, side: Side, quantity: int, held: int) -> Denial | None:
    """The lot rule; who sells may always sell the whole rest, and a rest below a lot only whole."""
    rules = BOARDS[board]
    if side is Side.SELL and quantity == held:
        return None
    if rules.step == 1:
        return None if quantity >= rules.least else Denial("LOT", f"quantity {quantity} is below {rules.least}")
    rest = quantity % rules.step
    if rest and not (side is Side.SELL and rest == held % rules.step and quantity < held):
        return Denial("LOT", f"quantity {quantity} is no multiple of {rules.step}")
    return None


def share_cage(board: Board, side: Side, base: float) -> Decimal | None:
    """How far a limit for a share may reach beyond ``base`` in continuous trading; None: funds and bonds, no cage."""
    if board not in CAGES:
        return None
    part, ticks = CAGES[board]
    price, tick = exact(base), BOARDS[board].tick
    if side is Side.BUY:
        return max((price * (1 + part)).quantize(tick, ROUND_FLOOR), price + ticks * tick)
    return min((price * (1 - part)).quantize(tick, ROUND_CEILING), price - ticks * tick)


def is_special(name: str) -> bool:
    """Whether a name is that of a share under special treatment."""
    return name.upper().startswith(("ST", "*ST", "SST", "S*ST", "XDST", "XD*ST"))


def shanghai() -> Sessions:
    """The mainland's trading days; Shenzhen and Beijing keep the same."""
    return sessions_of("XSHG", ZONE)


def takes_orders(session: Session, now_ns: int) -> bool:
    """Whether the exchanges take orders: the opening auction and the trading hours, closing auction included."""
    first, last = AUCTION_NS
    return session.open_ns - first <= now_ns < session.open_ns - last or session.has(now_ns)


class Phase(enum.StrEnum):
    """What an exchange does at an instant."""

    CLOSED = "closed"
    OPENING_AUCTION = "opening_auction"
    """09:15-09:20."""
    OPENING_FIXED = "opening_fixed"
    """09:20-09:25: orders are taken, cancels are not."""
    WAITING = "waiting"
    """09:25-09:30."""
    CONTINUOUS = "continuous"
    BREAK = "break"
    CLOSING_AUCTION = "closing_auction"
    """14:57-15:00: orders are taken, cancels are not."""


CANCELS = frozenset({Phase.OPENING_AUCTION, Phase.CONTINUOUS})
ORDERS = frozenset({Phase.OPENING_AUCTION, Phase.OPENING_FIXED, Phase.CONTINUOUS, Phase.CLOSING_AUCTION})


def phases_of(session: Session) -> tuple[tuple[int, Phase], ...]:
    """From when on which phase, in order; the last is the close."""
    first, last = AUCTION_NS
    return (
        (session.open_ns - first, Phase.OPENING_AUCTION),
        (session.open_ns - FIXED_NS, Phase.OPENING_FIXED),
        (session.open_ns - last, Phase.WAITING),
        (session.open_ns, Phase.CONTINUOUS),
        (session.break_ns, Phase.BREAK),
        (session.resume_ns, Phase.CONTINUOUS),
        (session.close_ns - CLOSING_NS, Phase.CLOSING_AUCTION),
        (session.close_ns, Phase.CLOSED),
    )


def phase_of(session: Session | None, ts_ns: int) -> Phase:
    """The phase at an instant; a phase begins with its first instant."""
    found = Phase.CLOSED
    for since_ns, phase in phases_of(session) if session is not None else ():
        if since_ns <= ts_ns:
            found = phase
    return found


def next_order_ns(ts_ns: int) -> int | None:
    """The first instant from one on at which the exchanges take orders; None past the last day known."""
    session = shanghai().on(ts_ns)
    if session is not None:
        if phase_of(session, ts_ns) in ORDERS:
            return ts_ns
        later = next((since for since, phase in phases_of(session) if since > ts_ns and phase in ORDERS), None)
        if later is not None:
            return later
    following = shanghai().next_day(day_of(ts_ns, ZONE).toordinal())
    session = None if following is None else shanghai().day(following)
    return None if session is None else session.open_ns - AUCTION_NS[0]
