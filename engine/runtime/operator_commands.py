"""What a person may ask of the engine, and how it answers: the words the command line and the API share."""

from decimal import Decimal
from typing import Any

from msgspec import Struct

DONE, NO, MISTAKE, CONFIRM = 0, 1, 2, 3
"""Exit codes of an answer: done; the answer is no; it was asked wrongly; say it once more with the code."""


class Kill(Struct, frozen=True, kw_only=True, tag="kill"):
    """``scope`` as of ``LatchSet``; ``level``: reduce, halt, cancel, flatten."""

    scope: str
    level: str
    reason: str
    who: str = "operator"


class Resume(Struct, frozen=True, kw_only=True, tag="resume"):
    """``confirm``: the code the first answer gave, for levels cancel and flatten."""

    scope: str
    reason: str
    confirm: str = ""
    seconds: float = 60.0
    who: str = "operator"


class Reconcile(Struct, frozen=True, kw_only=True, tag="reconcile"):
    """``account``: empty for all. ``seconds``: real ones, for each."""

    account: str = ""
    seconds: float = 60.0
    who: str = "operator"


class Accept(Struct, frozen=True, kw_only=True, tag="accept"):
    """Book what nothing explains in a person's name."""

    account: str
    reason: str
    seconds: float = 60.0
    who: str = "operator"


class Resolve(Struct, frozen=True, kw_only=True, tag="resolve"):
    """What became of an order or instruction that nobody else can decide.

    ``filled``: in all; -1: as the outcome says. ``price``: the average of it.
    """

    client_id: str
    outcome: str
    reason: str
    filled: int = -1
    price: Decimal | None = None
    who: str = "operator"


class Status(Struct, frozen=True, kw_only=True, tag="status"):
    """How things stand; changes nothing."""

    who: str = "operator"


class Place(Struct, frozen=True, kw_only=True, tag="place"):
    """One order by hand, through the gate as any other; its words are those of ``SubmitOrder``, ``kind`` its type.

    ``key``: who asks twice with the same one places once.
    """

    account: str
    instrument: str
    side: str
    quantity: int
    kind: str = ""
    """Empty: limit with a price, market without."""
    price: Decimal | None = None
    stop_price: Decimal | None = None
    tif: str = "day"
    offset: str = "auto"
    key: str = ""
    reason: str = ""
    who: str = "operator"


class Cancel(Struct, frozen=True, kw_only=True, tag="cancel"):
    """Withdraw an order, whoever made it."""

    client_id: str
    reason: str = ""
    who: str = "operator"


class StopStrategy(Struct, frozen=True, kw_only=True, tag="stop_strategy"):
    """It hears nothing more, and its orders are withdrawn; what it holds stays."""

    strategy: str
    reason: str
    who: str = "operator"


class StartStrategy(Struct, frozen=True, kw_only=True, tag="start_strategy"):
    """A fresh instance of a strategy that was stopped, with the state it kept; no latch is lifted."""

    strategy: str
    reason: str
    who: str = "operator"


class SetParameters(Struct, frozen=True, kw_only=True, tag="set_parameters"):
    """Other parameters for a strategy, the rest stay; text is read as the parameter's type."""

    strategy: str
    values: dict[str, Any]
    reason: str
    who: str = "operator"


Command = (
    Kill | Resume | Reconcile | Accept | Resolve | Status | Place | Cancel
    | StopStrategy | StartStrategy | SetParameters
)  # fmt: skip


class Answer(Struct, frozen=True, kw_only=True):
    """One sentence for people, plain values for programs."""

    text: str
    exit_code: int = DONE
    details: dict[str, Any] = {}
