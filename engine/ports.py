"""The seams between the engine and the world: market data, order routers, the journal, calendars."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Protocol, runtime_checkable

from engine.domain.account import AccountSnapshot, Capabilities
from engine.domain.commands import SubmitOrder
from engine.domain.events import JournalRecord
from engine.domain.ids import AccountId, InstrumentId
from engine.domain.instructions import InstructionReport, SubmitInstruction
from engine.domain.instrument import Instrument
from engine.domain.market import DataKind
from engine.domain.order import Order, OrderReport

Publish = Callable[[Any], None]
"""``bus.publish``: hand over an event; returns when it and all it caused is finished."""


class MarketFeed(Protocol):
    """A source of market data. It publishes ``Bar``, ``Quote``, ``Trade``, ``OrderBook``, ``FeedStatus``."""

    @property
    def pace_ns(self) -> int:
        """How often it brings a price by polling; 0 where prices are pushed. Risk tells stale prices by it."""

    def subscribe(self, instrument: InstrumentId, kind: DataKind, interval_ns: int) -> None:
        """Ask for data; before or while ``run`` runs; asking twice changes nothing.

        Raises:
            ConfigError: the source has no such instrument or kind.
        """

    async def run(self, publish: Publish) -> None:
        """Publish until cancelled; connections that break are made again inside."""


class OrderRouter(Protocol):
    """The order side of one account at one remote system. It carries evidence; it judges nothing (decision 12)."""

    account: AccountId

    def capabilities(self) -> Capabilities: ...

    def encode(self, orders: Sequence[SubmitOrder]) -> bytes:
        """The exact request body of one order, or of one group of orders that leaves in one request."""

    async def submit(self, orders: Sequence[SubmitOrder], body: bytes) -> Sequence[OrderReport]:
        """Send once, never again; the evidence in the answer (ACK, FILL, CANCELED for a withdrawn rest).

        Raises:
            NotSent: no byte left. Refused: the venue provably did nothing. OutcomeUnknown: anything else.
        """

    async def cancel(self, order: Order) -> Sequence[OrderReport]:
        """Ask the venue to withdraw it. Evidence: CANCELED, or CANCEL_REJECT with the reason.

        Raises:
            NotSent, Refused, OutcomeUnknown
        """

    async def replace(self, order: Order, quantity: int, price: Any) -> Sequence[OrderReport]:
        """As ``cancel``; evidence: REPLACE_ACK or REPLACE_REJECT."""

    async def snapshot(self) -> AccountSnapshot:
        """Read orders, fills, positions and balances, as far as the venue has them.

        Raises:
            GatewayError: the reading failed; an incomplete one is never passed off as complete.
        """


@runtime_checkable
class ReadsPast(Protocol):
    """A router whose venue has a history beside its list of the day (``Capabilities.lists_past``)."""

    async def snapshot_of(self, sought: Sequence[Order]) -> AccountSnapshot:
        """As ``OrderRouter.snapshot``, with rows of these orders, if the venue has them, from whatever day.

        ``AccountSnapshot.past`` says what came of asking. Rows of nobody's interest are left out: strangers' orders of
        before are in our books already.

        Args:
            sought: orders of an earlier trading day that are not over, as far as is known.

        Raises:
            GatewayError: the reading failed.
        """


@runtime_checkable
class CancelsTogether(Protocol):
    """A router whose venue cancels by symbol and side: orders that all must go leave in one request."""

    async def cancel_together(self, orders: Sequence[Order]) -> Sequence[OrderReport]:
        """As ``OrderRouter.cancel``, for orders of one instrument and side."""


@runtime_checkable
class PerformsInstructions(Protocol):
    """A router whose broker also does what is no order: conditions, loans, subscriptions (domain/instructions.py)."""

    def instructions(self) -> frozenset[type]:
        """The actions it performs, by class; may grow once it is connected."""

    def encode_instruction(self, instruction: SubmitInstruction) -> bytes:
        """The exact request body.

        Raises:
            NotSent: the broker has no form for it; one sentence why.
        """

    async def perform(self, instruction: SubmitInstruction, body: bytes) -> InstructionReport:
        """Send once, never again; STANDING where the broker's own list shows it waiting, or DONE.

        Raises:
            NotSent: no byte left. Refused: the broker provably did nothing. OutcomeUnknown: anything else.
        """

    async def look_for(self, instruction: SubmitInstruction, since_ns: int) -> InstructionReport | None:
        """Evidence about one that is UNKNOWN or STANDING: STANDING, DONE, NOT_PLACED, ENDED; None: it proves nothing.

        Args:
            since_ns: when its first byte may have left.

        Raises:
            GatewayError: the reading failed.
        """


class Gateway(Protocol):
    """One remote system: its feed, its router, or both, over one connection and one call budget."""

    name: str
    feed: MarketFeed | None
    router: OrderRouter | None

    async def connect(self) -> None:
        """Log in and prove that this is the environment config names.

        Raises:
            ConfigError: credentials missing or wrong, environment not proven. GatewayError: not reachable.
        """

    async def run(self, publish: Publish) -> None:
        """Keep feed and account pushes going until cancelled."""

    async def instruments(self) -> Sequence[Instrument]:
        """What the remote system's static data says can be traded or watched."""

    def routes(self) -> Mapping[str, str]:
        """Route name -> one line on what it does and takes, for ``call`` and ``ctx.query``."""

    def reads(self) -> frozenset[str]:
        """The routes that change nothing: the ones a strategy may call."""

    async def call(self, route: str, args: Mapping[str, str]) -> Any:
        """Call one endpoint by name and give back what it said, as plain JSON values.

        Raises:
            ConfigError: no such route or argument. GatewayError: as the call fails.
        """

    async def close(self) -> None: ...


class Journal(Protocol):
    """The durable, gapless, hash-chained list of what was decided and learnt (RELIABILITY 3.1)."""

    @property
    def next_seq(self) -> int:
        """The number the next record gets; the first is 1."""

    @property
    def durable_seq(self) -> int:
        """Records up to this one survive a power cut."""

    @property
    def healthy(self) -> bool:
        """False for good after a failed write: no new orders."""

    def append(self, record: JournalRecord) -> int:
        """Number a record and hand it to the writer.

        Raises:
            JournalError: the journal is no longer healthy.
        """

    async def durable(self, seq: int) -> None:
        """Wait until ``durable_seq >= seq``.

        Raises:
            JournalError: it never will be.
        """

    def records(self) -> Iterator[tuple[int, JournalRecord]]:
        """Every durable record, in order, from the first run on.

        Raises:
            JournalError: the chain is broken.
        """

    def digest(self) -> str:
        """SHA-256 over all records so far, the same for the same records in every implementation."""

    async def run(self) -> None:
        """Write until cancelled; what was appended before is flushed."""

    def close(self) -> None: ...


class StatementView(Protocol):
    """Financial statements as they were known at one instant."""

    def figure(self, instrument: str, statement: str, name: str, period: date | None = None) -> float | None:
        """One figure of the latest period known, or of ``period`` (its last day); None: not known, or not given.

        Args:
            statement: ``income``, ``balance-sheet`` or ``cash-flow``.
            name: the data source's own, as ``BASIC_EPS``.
        """


class StatementTable(Protocol):
    """Financial statements, which can be asked for only as of an instant."""

    def as_of(self, ts_ns: int) -> StatementView: ...

    def sha256(self) -> str:
        """Hash over all of it."""


class Calendar(Protocol):
    """Trading days and sessions of one market."""

    last_known_day: date

    def trading_day(self, ts_ns: int) -> date:
        """The day an instant belongs to; a night session belongs to the next.

        Raises:
            ConfigError: past the last known day.
        """

    def is_open(self, ts_ns: int) -> bool: ...

    def next_open_ns(self, ts_ns: int) -> int: ...
