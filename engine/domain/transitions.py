"""The transition table of an order: what each piece of evidence may do in each state (RELIABILITY 2.2)."""

from msgspec import Struct

from engine.domain.evidence import Evidence, OrderState

_E = Evidence
COLUMNS = (
    _E.RISK_OK, _E.RISK_DENY, _E.SEND, _E.SEND_FAILED, _E.ACK, _E.REJECT, _E.AMBIGUOUS, _E.FILL, _E.DUPLICATE,
    _E.WORKING, _E.CANCELED, _E.EXPIRED, _E.ABSENT, _E.CANDIDATES,
)  # fmt: skip

# A cell is the next state. "." nothing changes; "live" the live state the evidence gives; "imp" impossible for this
# order: the evidence goes to an EXTERNAL order; "bug" a contract of ours is broken; "!" a person is told and the symbol
# is latched; "apply" the quantity is booked and the join names the state.
_TABLE_TEXT = """
                 ok     deny   send        failed     ack       reject    ambig   fill      dup working   canceled  expired   absent     candidates
CREATED          QUEUED DENIED bug         bug        imp       imp       bug     imp       .   imp       imp       imp       .          .
DENIED           .      .      bug         .          imp       imp       .       imp       .   imp       imp       imp       .          .
QUEUED           .      bug    PENDING_NEW NOT_PLACED imp       imp       bug     imp       .   imp       imp       imp       NOT_PLACED .
PENDING_NEW      .      .      .           NOT_PLACED live      REJECTED  UNKNOWN live      .   live      CANCELED  EXPIRED   NOT_PLACED DISPUTED!
UNKNOWN          .      .      .           bug        live      REJECTED  .       live      .   live      CANCELED  EXPIRED   NOT_PLACED DISPUTED!
WORKING          .      .      .           .          .         DISPUTED! .       live      .   live      CANCELED  EXPIRED   .          DISPUTED!
PARTIAL          .      .      .           .          .         DISPUTED! .       live      .   live      CANCELED  EXPIRED   .          DISPUTED!
PENDING_CANCEL   .      .      .           .          .         DISPUTED! .       live      .   live      CANCELED  EXPIRED   .          DISPUTED!
PENDING_REPLACE  .      .      .           .          .         DISPUTED! .       live      .   live      CANCELED  EXPIRED   .          DISPUTED!
FILLED           .      .      .           .          .         DISPUTED! .       apply!    .   apply     apply     apply     .          .
CANCELED         .      .      .           .          .         DISPUTED! .       apply     .   apply     apply     apply     .          .
REJECTED         .      .      .           .          DISPUTED! .         .       DISPUTED! .   DISPUTED! DISPUTED! DISPUTED! .          .
EXPIRED          .      .      .           .          .         DISPUTED! .       apply     .   apply     CANCELED  apply     .          .
NOT_PLACED       .      .      .           .          live!     REJECTED  .       live!     .   live!     CANCELED  EXPIRED   .          .
DISPUTED         .      .      .           .          apply     apply     .       apply     .   apply     apply     apply     .          .
"""  # noqa: E501


class Cell(Struct, frozen=True):
    """One cell of the transition table."""

    action: str
    """``.``, ``live``, ``imp``, ``bug``, ``apply``, or ``to``."""
    to: OrderState | None = None
    alert: bool = False


def _read_table(text: str) -> dict[OrderState, dict[Evidence, Cell]]:
    rows = [line.split() for line in text.strip().splitlines()[1:]]
    table: dict[OrderState, dict[Evidence, Cell]] = {}
    for name, *cells in rows:
        row = table[OrderState[name]] = {}
        for column, cell in zip(COLUMNS, cells, strict=True):
            word, alert = cell.rstrip("!"), cell.endswith("!")
            row[column] = Cell("to", OrderState[word], alert) if word.isupper() else Cell(word, None, alert)
    return table


TABLE = _read_table(_TABLE_TEXT)
