"""Subscribing for the day's new shares: all or nothing, judged by words and the day's list (contracts/ht.md 3.3)."""

from collections.abc import Sequence

from engine.clock import Clock
from engine.domain.errors import BadMessage, GatewayError, NotSent, OutcomeUnknown, Refused
from engine.domain.ids import AccountId
from engine.domain.instructions import InstructionReport, InstructionState, SubmitInstruction, SubscribeIpo
from engine.domain.timestamps import SECOND_NS
from engine.gateways.huatai import texts
from engine.gateways.huatai.client import HuataiClient
from engine.gateways.huatai.tables import OrderLine, Reader
from engine.net.rate_limit import Priority

ACTION = "申购"
EARLY_NS = 2 * SECOND_NS
"""The counter's clock may place a row this much before our request."""


class Subscriber:
    """Performs ``SubscribeIpo``; see ``PerformsInstructions``."""

    def __init__(self, account: AccountId, client: HuataiClient, reader: Reader, clock: Clock) -> None:
        self._account = account
        self._client = client
        self._reader = reader
        self._clock = clock

    def encode(self, instruction: SubmitInstruction) -> bytes:
        """The route reads no body.

        Raises:
            NotSent: another action.
        """
        if not isinstance(instruction.action, SubscribeIpo):
            raise NotSent(f"no {instruction.name} here: the client subscribes for new shares, and nothing else")
        return b""

    async def perform(self, instruction: SubmitInstruction, wait_max_ns: int) -> InstructionReport:
        """Once. DONE: nothing was to be done, or the day's list shows what was.

        Raises:
            NotSent, Refused, OutcomeUnknown
        """
        try:
            before, _ = await self._subscribed()
        except GatewayError as error:
            raise NotSent(f"today-entrusts could not be read before: {error.message}") from error
        known = {number for line in before for number in line.numbers}
        try:
            reply = await self._client.auto_ipo(wait_max_ns=wait_max_ns)
        except BadMessage as error:
            raise OutcomeUnknown(error.message) from error
        if texts.nothing_to_subscribe(reply.words):
            return self._done(instruction, reply.words, ())
        if texts.never_sent(reply.code, reply.words):
            raise Refused(f"not sent: {texts.explained(reply.words)}", status=reply.code)
        try:
            after, readable = await self._subscribed()
        except GatewayError as error:
            raise OutcomeUnknown(f"{texts.explained(reply.words)}; and {error.message}") from error
        new = [line for line in after if line.numbers and known.isdisjoint(line.numbers)]
        if new:
            return self._done(instruction, reply.words, new)
        if texts.subscription_failed(reply.words) and readable:
            raise Refused(texts.explained(reply.words), status=reply.code)
        raise OutcomeUnknown(f"{texts.explained(reply.words)}; today-entrusts shows nothing of it", status=reply.code)

    async def look_for(self, instruction: SubmitInstruction, since_ns: int) -> InstructionReport | None:
        """DONE if the day's list shows subscriptions since then; nothing there proves nothing.

        Raises:
            GatewayError: it could not be read.
        """
        lines, _ = await self._subscribed()
        found = [line for line in lines if line.ts_ns >= since_ns - EARLY_NS]
        return self._done(instruction, "found in today-entrusts", found) if found else None

    async def _subscribed(self) -> tuple[list[OrderLine], bool]:
        """Rows of subscriptions; and whether the table showed anything at all."""
        lines = self._reader.orders(await self._client.today_entrusts(Priority.ORDER))
        return [line for line in lines if ACTION in line.action], bool(lines)

    def _done(self, instruction: SubmitInstruction, words: str, lines: Sequence[OrderLine]) -> InstructionReport:
        return InstructionReport(
            account=self._account,
            client_id=instruction.client_id,
            state=InstructionState.DONE,
            ts_ns=self._clock.now_ns,
            reason=words,
            details={str(line.instrument): str(line.quantity) for line in lines},
        )
