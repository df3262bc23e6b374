"""Whether orders may leave at all: what the runtime says of the journal, the accounts, the sessions and itself."""

from collections.abc import Callable

from engine.domain.commands import SubmitOrder


class Readiness:
    """Anybody may set or clear a reason; while one stands, orders of its scope are denied (RELIABILITY 4.1, row 2)."""

    __slots__ = ("journal", "not_ready")

    def __init__(self) -> None:
        self.not_ready: dict[str, str] = {}
        """Scope -> reason. A scope reads as a latch's (``all``, ``account:ID``, ``symbol:ID``, ``strategy:ID``); a
        word of the writer's own may follow, so that nobody clears another's: ``account:game session``."""
        self.journal: Callable[[], bool] | None = None
        """Whether the journal is healthy, asked at every order; None where nobody has said."""

    def block(self, scope: str, reason: str) -> None:
        """No order of this scope until ``clear``."""
        self.not_ready[scope] = reason

    def clear(self, scope: str) -> None:
        """This reason is over; others may stand."""
        self.not_ready.pop(scope, None)

    def reason(self, order: SubmitOrder) -> str | None:
        """Why this order may not leave now, or None."""
        if self.journal is not None and not self.journal():
            return "the journal can not be written"
        if not self.not_ready:
            return None
        scopes = ("all", f"account:{order.account}", f"symbol:{order.instrument}", f"strategy:{order.strategy}")
        return next((why for scope, why in self.not_ready.items() if scope.partition(" ")[0] in scopes), None)
