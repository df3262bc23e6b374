"""Every row of the fault matrix (RELIABILITY 5.1): where it is played, and the counters that show it was.

A row that lives in the virtual world names the counters of ``Outcome.fired``: it was played when one of them is above
zero. A row that needs a real machine names the tests that play it there.
"""

from collections.abc import Mapping

from msgspec import Struct

from engine.chaos.mishaps import PRICES, EdgeKind, FaultyKind, FrameKind, StopKind, StoreKind, TailKind
from engine.simulators.easyths.quirks import Quirk
from engine.simulators.huatai.quirks import HuataiQuirk


class Row(Struct, frozen=True, kw_only=True):
    """One row.

    Args:
        counters: of the flights over ``all``; empty where it is played elsewhere.
        elsewhere: where, for a reader.
    """

    counters: tuple[str, ...] = ()
    elsewhere: str = ""


def _edge(*kinds: EdgeKind) -> tuple[str, ...]:
    return tuple(f"edge.{kind.value}" for kind in kinds)


def _frame(*kinds: FrameKind) -> tuple[str, ...]:
    return tuple(f"frame.{kind.value}" for kind in kinds)


QUIRKS = tuple(f"quirk.{quirk.value}" for quirk in Quirk)
HUATAI_QUIRKS = tuple(f"quirk.{quirk.value}" for quirk in HuataiQuirk)

ROWS: Mapping[str, Row] = {
    "N1": Row(counters=("net.refuse", "port.down")),
    "N2": Row(counters=("net.cut_request",)),
    "N3": Row(counters=("net.cut_answer", "server.drop_after")),
    "N4": Row(counters=("net.truncate_answer", "server.cut")),
    "N5": Row(counters=("net.slow_answer", "net.delay", "server.late_answer")),
    "N6": Row(counters=("server.late_booking", "quirk.timeout_then_placed")),
    "N7": Row(counters=("push.repeat", *_frame(FrameKind.REPEAT), "quirk.repeated_rows")),
    "N8": Row(counters=("push.swap", "push.delay", *_frame(FrameKind.SWAP))),
    "N9": Row(
        counters=_edge(
            EdgeKind.THROTTLE_SECONDS,
            EdgeKind.THROTTLE_DATE,
            EdgeKind.THROTTLE_NEGATIVE,
            EdgeKind.THROTTLE_ENDLESS,
            EdgeKind.THROTTLE_JUNK,
        )
    ),
    "N10": Row(counters=(*_edge(EdgeKind.THROTTLE_BARE, EdgeKind.THROTTLE_DAILY), "server.throttled")),
    "N11": Row(counters=(*_edge(EdgeKind.UNAUTHORIZED), "quirk.session_swap", "daemon.restart")),
    "N12": Row(counters=("server.error_before", "server.error_after")),
    "N13": Row(
        counters=(
            *_edge(
                EdgeKind.WRONG_TYPES,
                EdgeKind.MISSING_KEYS,
                EdgeKind.NOT_A_NUMBER,
                EdgeKind.HUGE,
                EdgeKind.HTML,
                EdgeKind.EMPTY,
                EdgeKind.GBK,
            ),
            "server.malformed",
        )
    ),
    "N14": Row(counters=_frame(FrameKind.TRUNCATED, FrameKind.OVERSIZED, FrameKind.BINARY, FrameKind.MASKED)),
    "N15": Row(counters=(*_frame(FrameKind.STALL), "push.stall")),
    "N16": Row(counters=(*_frame(FrameKind.LOSE), "push.lose")),
    "N17": Row(counters=("flap", *_frame(FrameKind.CUT), "push.cut")),
    "N18": Row(counters=("net.unreachable", "net.black_hole", "net.stall_answer")),
    "N19": Row(counters=_edge(EdgeKind.REDIRECT)),
    "B1f": Row(counters=("server.error_after", "start.day_roll")),
    "B2f": Row(counters=QUIRKS),
    "B3f": Row(counters=HUATAI_QUIRKS),
    "B4f": Row(counters=("answer.timeout_done", "answer.timeout_lost", "answer.no_ids", "daemon.restart")),
    "B5f": Row(elsewhere="tests/simulation/test_backtest_oracle.py: the paper venue equals replay"),
    "O1": Row(counters=("order.partial",)),
    "O2": Row(counters=("manual.order", "manual.copy")),
    "C1f": Row(counters=("jump",)),
    "C2f": Row(counters=("skew",)),
    "C3f": Row(counters=("suspend",)),
    "C4f": Row(counters=("start.lunch", "start.close", "start.half_day", "start.holiday", "start.hong_kong_close")),
    "C5f": Row(counters=("start.day_roll",)),
    "C6f": Row(counters=("start.us_summer_time",)),
    "S1": Row(counters=(f"store.{StoreKind.FULL.value}",)),
    "S2": Row(counters=(f"store.{StoreKind.LOCKED.value}",)),
    "S3": Row(counters=(f"store.{StoreKind.BROKEN.value}", f"store.{StoreKind.READ_ONLY.value}")),
    "S4": Row(counters=tuple(f"tail.{kind.value}" for kind in TailKind)),
    "S5": Row(elsewhere="tests of the PostgreSQL journal, against a real server"),
    "P1": Row(counters=("process.crash",)),
    "P2": Row(counters=(f"stop.{StopKind.TERM.value}",)),
    "P3": Row(counters=tuple(f"strategy.{kind.value}" for kind in FaultyKind)),
    "P4": Row(elsewhere="tests of the journal's lock, in real processes"),
    "P5": Row(counters=("limit",)),
    "F1": Row(counters=_frame(*sorted(PRICES, key=lambda kind: kind.value), FrameKind.LOSE, FrameKind.REPEAT)),
    "A1": Row(counters=(f"stop.{StopKind.CANCEL.value}",)),
    "A2": Row(counters=(f"strategy.{FaultyKind.RAISES.value}", f"strategy.{FaultyKind.FLOODS.value}")),
    "R1": Row(counters=("race",)),
    "K1": Row(counters=("latch",)),
}


def rows_fired(fired: Mapping[str, int]) -> dict[str, int]:
    """Row -> how often its faults happened, for the rows that live in the virtual world."""
    return {name: sum(fired.get(each, 0) for each in row.counters) for name, row in ROWS.items() if row.counters}


def rows_missing(fired: Mapping[str, int]) -> list[str]:
    """The rows of the virtual world that were not played."""
    return [name for name, count in rows_fired(fired).items() if not count]
