"""All accounts' ways out, as the one venue the wiring knows."""

from collections.abc import Mapping

from engine.domain.events import OrderSubmitted
from engine.domain.ids import AccountId
from engine.execution import CancelWanted, ReplaceWanted
from engine.runtime.outbox import Outbox


class Outboxes:
    """One a run."""

    def __init__(self, boxes: Mapping[AccountId, Outbox]) -> None:
        self.boxes = boxes

    def on_submitted(self, event: OrderSubmitted) -> None:
        self.boxes[event.order.account].on_submitted(event)

    def on_cancel_wanted(self, event: CancelWanted) -> None:
        self.boxes[event.order.request.account].on_cancel_wanted(event)

    def on_replace_wanted(self, event: ReplaceWanted) -> None:
        self.boxes[event.order.request.account].on_replace_wanted(event)
