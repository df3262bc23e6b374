"""Records of reconciliations and of what a person did: journal rows that explain how our book became the venue's."""

from decimal import Decimal

from msgspec import Struct

from engine.domain.ids import AccountId, ClientOrderId, InstrumentId


class ReconcileStarted(Struct, frozen=True, kw_only=True, gc=False, tag="recon_begin"):
    """``why``: at start, after a reconnect, by its period, on demand, accepted."""

    account: AccountId
    ts_ns: int
    why: str


class ReconcileRow(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True, tag="recon_row"):
    """One difference between our book and the venue's: of a holding, or of the cash of one currency."""

    account: AccountId
    ts_ns: int
    ours: Decimal
    theirs: Decimal
    explained: bool
    text: str
    """What explains it, or what was looked for in vain."""
    instrument: InstrumentId = InstrumentId("")
    currency: str = ""
    client_id: ClientOrderId = ClientOrderId("")
    """The disputed order whose doing it may be."""

    @property
    def missing(self) -> Decimal:
        """What must be added to our book."""
        return self.theirs - self.ours

    @property
    def what(self) -> str:
        return self.instrument or self.currency

    @property
    def amount(self) -> str:
        """``missing`` as people write it."""
        return f"{self.missing.normalize():+f} {self.what}"

    @property
    def difference(self) -> tuple[str, Decimal]:
        return self.what, self.missing


class ReconcileEnded(Struct, frozen=True, kw_only=True, tag="recon"):
    """``ok``: no difference is left that nothing explains. The rows before it count from here on."""

    account: AccountId
    ts_ns: int
    ok: bool
    text: str
    strangers: dict[str, int] = {}
    """Venue order id -> how much of what somebody else's order filled is in our book."""


class OperatorActed(Struct, frozen=True, kw_only=True, tag="operator"):
    """A person's command and what it changed: the audit trail (RELIABILITY 6)."""

    ts_ns: int
    who: str
    command: str
    about: str
    reason: str
    before: str = ""
    after: str = ""
