"""What else can go wrong, as data: answers and frames on their way, disks, clocks, processes, people, limits.

Each is one entry of a schedule, as those of ``faults`` are; ``matrix`` says which row of RELIABILITY 5.1 it plays.
A fault that names a port happens to the server there.
"""

from enum import Enum

from msgspec import Struct


class EdgeKind(Enum):
    """What a proxy before the server makes of one request."""

    THROTTLE_SECONDS = "throttle_seconds"  # N9: Retry-After in seconds
    THROTTLE_DATE = "throttle_date"  # N9: as a date
    THROTTLE_NEGATIVE = "throttle_negative"  # N9
    THROTTLE_ENDLESS = "throttle_endless"  # N9: 1e9 seconds
    THROTTLE_JUNK = "throttle_junk"  # N9: no number and no date
    THROTTLE_BARE = "throttle_bare"  # N10: without the header
    THROTTLE_DAILY = "throttle_daily"  # N10: a cap of the day, which waiting does not help
    UNAUTHORIZED = "unauthorized"  # N11: 401, nothing done
    REDIRECT = "redirect"  # N19: 302 to another host, nothing done
    WRONG_TYPES = "wrong_types"  # N13: done; a number becomes a list
    MISSING_KEYS = "missing_keys"  # N13: done; the object is empty
    NOT_A_NUMBER = "not_a_number"  # N13: done; NaN where a value stood
    HUGE = "huge"  # N13: done; 2^63 where a number stood
    HTML = "html"  # N13: done; a page of a proxy, status 200
    EMPTY = "empty"  # N13: done; 200 and no body
    GBK = "gbk"  # N13: done; bytes that are no UTF-8

    @property
    def done(self) -> bool:
        """Whether the server did what was asked."""
        return self in DONE


DONE = frozenset(
    {
        EdgeKind.WRONG_TYPES, EdgeKind.MISSING_KEYS, EdgeKind.NOT_A_NUMBER, EdgeKind.HUGE, EdgeKind.HTML,
        EdgeKind.EMPTY, EdgeKind.GBK,
    }
)  # fmt: skip


class EdgeFault(Struct, frozen=True, kw_only=True, tag="edge"):
    """The ``call``-th request to a port, from 1; of its orders alone where ``orders``."""

    port: int
    call: int
    kind: EdgeKind
    orders: bool = False


class FrameKind(Enum):
    """What becomes of one frame a server pushes."""

    LOSE = "lose"  # N16, and the gap of F1
    REPEAT = "repeat"  # N7, and the duplicate tick of F1
    SWAP = "swap"  # N8: after the next one
    STALL = "stall"  # N15: nothing comes any more
    CUT = "cut"  # N17: the connection ends
    TRUNCATED = "truncated"  # N14
    OVERSIZED = "oversized"  # N14
    BINARY = "binary"  # N14
    MASKED = "masked"  # N14: bytes that are no frame of a server
    CROSSED = "crossed"  # F1: the bid above the ask
    ZERO = "zero"  # F1
    TENFOLD = "tenfold"  # F1
    YESTERDAY = "yesterday"  # F1: the time of the day before


PRICES = frozenset({FrameKind.CROSSED, FrameKind.ZERO, FrameKind.TENFOLD, FrameKind.YESTERDAY})


class FrameFault(Struct, frozen=True, kw_only=True, tag="frame"):
    """The ``frame``-th frame, from 1, that the server at a port pushes; and so many after it."""

    port: int
    frame: int
    kind: FrameKind
    count: int = 1


class FlapFault(Struct, frozen=True, kw_only=True, tag="flap"):
    """N17: the connections to a port are reset every few seconds; each may be made again at once."""

    port: int
    at_seconds: float
    every_seconds: float
    times: int


class StoreKind(Enum):
    """Why the journal can not be written."""

    FULL = "full"  # S1
    LOCKED = "locked"  # S2
    BROKEN = "broken"  # S3: fsync says EIO
    READ_ONLY = "read_only"  # S3


class StoreFault(Struct, frozen=True, kw_only=True, tag="store"):
    """The ``commit``-th commit of a life fails, and every later one; the disk is mended ``down_seconds`` after."""

    start: int
    commit: int
    kind: StoreKind
    down_seconds: float


class TailKind(Enum):
    """What a crash leaves of records that were under way to the disk."""

    KEPT = "kept"
    TORN = "torn"  # some rows without the seal of their commit
    GARBAGE = "garbage"  # bytes at the end of the log that are no record


class TailFault(Struct, frozen=True, kw_only=True, tag="tail"):
    """S4, at the end of a life that crashes."""

    start: int
    kind: TailKind


class StopKind(Enum):
    """How a life is asked to end."""

    TERM = "term"  # P2
    CANCEL = "cancel"  # A1: its tasks are cancelled, whatever they wait for


class StopFault(Struct, frozen=True, kw_only=True, tag="stop"):
    """A life is ended at one of its seams by something milder than a crash."""

    start: int
    seam: int
    kind: StopKind
    down_seconds: float


class SuspendFault(Struct, frozen=True, kw_only=True, tag="suspend"):
    """C3f: the engine's process is frozen, as its machine is put to sleep; the world goes on."""

    at_seconds: float
    seconds: float


class JumpFault(Struct, frozen=True, kw_only=True, tag="jump"):
    """C1f: the wall clock is set by so much, and set right again later."""

    at_seconds: float
    jump_seconds: float
    seconds: float


class SkewFault(Struct, frozen=True, kw_only=True, tag="skew"):
    """C2f: the clock of the server at a port is wrong by so much, all the time."""

    port: int
    seconds: float


class LatchFault(Struct, frozen=True, kw_only=True, tag="latch"):
    """K1: the kill switch is pressed at a seam of a life, and let go of by a person later.

    ``at_seconds``: pressed at that moment of the flight instead, in whichever life.
    """

    start: int
    seam: int
    cancels: bool
    seconds: float
    at_seconds: float = 0.0


class LimitFault(Struct, frozen=True, kw_only=True, tag="limit"):
    """P5: from this life on the largest position allowed is this one, whatever is held."""

    start: int
    quantity: int


class RaceFault(Struct, frozen=True, kw_only=True, tag="race"):
    """R1: at one moment all racers of an account order what is left of the limit, and one more."""

    at_seconds: float


class FaultyKind(Enum):
    """What a strategy does to its host."""

    RAISES = "raises"  # P3, A2
    HANGS = "hangs"  # P3: an ``async def`` handler that never comes back
    FLOODS = "floods"  # A2: re-enters the bus from every handler


class StrategyFault(Struct, frozen=True, kw_only=True, tag="strategy"):
    """P3, A2: a strategy of its own that is ill-behaved from its ``call``-th handler call on."""

    kind: FaultyKind
    call: int


Mishap = (
    EdgeFault | FrameFault | FlapFault | StoreFault | TailFault | StopFault | SuspendFault | JumpFault | SkewFault
    | LatchFault | LimitFault | RaceFault | StrategyFault
)  # fmt: skip


def mishap_name(fault: Mishap) -> str:
    """The row of the counters: ``edge.html``, ``store.full``, ``suspend``."""
    tag = str(fault.__struct_config__.tag)
    kind = getattr(fault, "kind", None)
    return tag if kind is None else f"{tag}.{kind.value}"
