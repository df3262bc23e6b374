"""The A-share oracle's cases as they are in ``tests/golden/china_a/cases.toml``, and the minutes each is played on."""

import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.commands import Side
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument, InstrumentKind, Span
from engine.domain.timestamps import MINUTE_NS, day_of, parse_time
from engine.markets.china_boards import BOARDS, shanghai
from engine.simulators.counter import Share

DAY = "2026-11-18"
ZONE = "Asia/Shanghai"
FILE = Path(__file__).parent / "golden" / "china_a" / "cases.toml"
MUCH = 1e7
Minute = tuple[int, float, float, float, float, float]
"""End in ns, open, high, low, close, volume."""


def local(text: str) -> int:
    """A time of ``DAY``, unless a date stands before it."""
    return parse_time(text if " " in text else f"{DAY} {text}", ZONE)


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See the head of the file."""

    id: str
    quantity: int
    sum: str
    source: str
    on: tuple[str, ...]
    code: str = "600000.SH"
    name: str = ""
    at: str = "10:00:00"
    side: Side = Side.BUY
    price: str = ""
    close: str = "10.00"
    held: int = 0
    before: tuple[tuple[str, Side, int, str], ...] = ()
    bars: dict[str, tuple[float, ...]] = {}
    volume: float = MUCH
    model: str = ""
    cancel: str = ""
    expect: str = ""
    fills: tuple[tuple[int, str, str], ...] = ()
    after: tuple[int, str] | None = None
    listed: date | None = None
    special: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()
    same_day: bool = False
    action: dict[str, str] = {}
    takes_rights: bool = False

    @property
    def at_ns(self) -> int:
        return local(self.at)

    @property
    def limit(self) -> Decimal | None:
        return Decimal(self.price) if self.price else None

    @property
    def share(self) -> Share:
        kind: Any = {"5": "fund", "1": "bond"}.get(self.code[0], "stock")
        return Share(code=self.code, name=self.name or "某股", price=float(self.close), kind=kind)

    @property
    def instrument(self) -> Instrument:
        kinds = {"fund": InstrumentKind.ETF, "bond": InstrumentKind.BOND, "stock": InstrumentKind.STOCK}
        return Instrument(
            id=InstrumentId(self.code), kind=kinds[self.share.kind], market="china_a", name=self.name,
            lot=BOARDS[self.share.board].step, tick=BOARDS[self.share.board].tick, listed=self.listed,
            special=spans(self.special), suspended=spans(self.suspended), same_day=self.same_day,
        )  # fmt: skip

    def minutes(self) -> list[Minute]:
        """The eve's close, the minutes after each order, and a last one days later, by which day orders are over."""
        close = float(self.close)
        moments = [self.at_ns, *(local(at) for at, *_ in self.before)]
        eve = _day_before(min(moments))
        rows: dict[int, tuple[float, ...]] = {eve: (close,) * 4}
        for at_ns in moments:
            if not self.bars or at_ns != self.at_ns:
                first = max(-(-at_ns // MINUTE_NS) * MINUTE_NS, parse_time(f"{day_of(at_ns, ZONE)} 09:30:00", ZONE))
                if shanghai().on(at_ns) is not None and first < parse_time(f"{day_of(at_ns, ZONE)} 14:58:00", ZONE):
                    rows |= {first + k * MINUTE_NS: (close,) * 4 for k in (1, 2)}
        day = day_of(self.at_ns, ZONE)
        rows |= {parse_time(f"{day} {end}:00", ZONE): figures for end, figures in self.bars.items()}
        last = list(self.bars.values())[-1][3] if self.bars else close
        rows[_days_after(self.at_ns)] = (last,) * 4
        return [(end, *figures[:4], *(figures[4:] or (self.volume,))) for end, figures in sorted(rows.items())]  # type: ignore[misc]


def spans(texts: tuple[str, ...]) -> tuple[Span, ...]:
    return tuple(Span(*(date.fromisoformat(part).toordinal() for part in text.split(".."))) for text in texts)


def cases(runner: str = "") -> list[Case]:
    """Those a runner is asked, or all."""
    rows = msgspec.convert(tomllib.loads(FILE.read_text(encoding="utf-8"))["case"], list[Case], strict=False)
    return [case for case in rows if not runner or runner in case.on]


def sources() -> dict[str, str]:
    return dict(tomllib.loads(FILE.read_text(encoding="utf-8"))["sources"])


def _day_before(ts_ns: int) -> int:
    day = day_of(ts_ns, ZONE).toordinal() - 1
    while shanghai().day(day) is None:
        day -= 1
    session = shanghai().day(day)
    assert session is not None
    return session.close_ns


def _days_after(ts_ns: int) -> int:
    """The close of the second trading day after an instant's."""
    day: int | None = day_of(ts_ns, ZONE).toordinal()
    for _ in range(2):
        assert day is not None
        day = shanghai().next_day(day)
    session = shanghai().day(day or 0)
    assert session is not None
    return session.close_ns
