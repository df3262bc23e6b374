"""The desktop client that the server works: one window, one pair of hands, pauses and pop-ups (contract 3 and 4).

Every operation here comes to its effect some time after it was begun and ends a little later; both are fixed when it
is begun. ``alive`` is False once the client has died, which no flag of the server's tells.
"""

from collections.abc import Callable
from functools import partial

from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.simulators.easyths.messages import INVALID_PARAMS, NOT_CONNECTED, WINDOW_GONE, Generation, Result
from engine.simulators.easyths.queue import Errand, Operation
from engine.simulators.easyths.quirks import Quirk
from engine.simulators.easyths.validation import Params, is_valid
from engine.simulators.quirks import QuirkPlan

PAUSES_S = {
    "buy": 1.3,
    "sell": 1.3,
    "market_buy": 1.5,
    "market_sell": 1.5,
    "order_query": 1.0,
    "historical_commission_query": 1.0,
    "holding_query": 0.9,
    "funds_query": 0.6,
    "order_cancel": 0.9,
    "condition_buy": 1.7,
    "stop_loss_profit": 2.1,
    "condition_order_query": 1.3,
    "condition_order_cancel": 1.8,
    "reverse_repo_query": 0.7,
    "reverse_repo_buy": 0.7,
}
"""Contract 4; those of the history and of the conditions' page are not in it."""
EFFECT = 0.75
"""How far an operation has come when the key is pressed, or the table copied."""
SLOW_NS = (5 * SECOND_NS, 40 * SECOND_NS)

Act = Callable[[Params, int, int], Result]
"""(params, request, now_ns) -> what it came to."""


class Desktop:
    """Args:
    acts: name of an operation -> what it does at its effect. pace: factor on every pause. connected: whether the
        client ran when the server started; otherwise it never connects.
    """

    def __init__(
        self,
        acts: dict[str, Act],
        *,
        generation: Generation,
        pace: float,
        connected: bool,
        quirks: QuirkPlan[Quirk],
        entropy: Entropy,
    ) -> None:
        self.alive = True
        self.connected = connected
        self._acts = acts
        self._generation = generation
        self._pace = pace
        self._quirks = quirks
        self._draw = entropy.stream("easyths/desktop")

    def begin(self, operation: Operation, now_ns: int) -> Errand:
        """Start an operation: params first, then the client's window, then the work."""
        refusal = self._refusal(operation)
        if refusal is not None:
            said = Result(success=False, message=refusal, ts_ns=now_ns, hard=True)
            return Errand(now_ns, now_ns, lambda _: said)
        pause_ns = round(PAUSES_S[operation.name] * SECOND_NS * self._pace)
        hang_ns = self._quirks.span_ns(*SLOW_NS) if self._quirks.happens(Quirk.SLOW_DIALOG) else 0
        # A window may hang before the key was pressed, or after it.
        early_ns = hang_ns if self._draw.random() < EFFECT else 0
        act = partial(self._act, operation)
        return Errand(now_ns + round(pause_ns * EFFECT) + early_ns, now_ns + pause_ns + hang_ns, act)

    def _refusal(self, operation: Operation) -> str | None:
        if not is_valid(operation.name, operation.params, self._generation):
            return INVALID_PARAMS
        if not self.connected:
            return NOT_CONNECTED
        return None if self.alive else WINDOW_GONE

    def _act(self, operation: Operation, now_ns: int) -> Result:
        if not self.alive:
            said = f"核心操作执行异常: {WINDOW_GONE.partition(': ')[2]}"
            return Result(success=False, message=said, hard=True)
        result = self._acts[operation.name](operation.params, operation.request, now_ns)
        if self._quirks.happens(Quirk.UNSERIALISABLE_RESULT):
            result.readable = False
        result.more_ns = round(result.more_ns * self._pace)
        return result
