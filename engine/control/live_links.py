"""How market data and account readings came in a live run: counted for its figures, never asked for anything."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from engine.domain.events import AccountObserved
from engine.domain.ids import AccountId
from engine.domain.market import FeedState, FeedStatus, Quote
from engine.ports import Gateway


class Links:
    """Looks on; one a run."""

    def __init__(self) -> None:
        self.quotes = 0
        """Quotes heard in the run."""
        self._connects: Counter[str] = Counter()
        self._cuts: Counter[str] = Counter()
        self._last_ns: dict[str, int] = {}
        """When each feed was last connected."""
        self._readings: dict[AccountId, list[int]] = {}
        """When each reading of an account began."""

    def watchers(self) -> tuple[tuple[type, Callable[[Any], None]], ...]:
        return (FeedStatus, self._on_feed), (AccountObserved, self._on_account), (Quote, self._on_quote)

    def figures(self, gateway: Gateway, account: AccountId) -> dict[str, int]:
        """``quotes`` heard in the run; ``cuts`` and ``reconnects`` of the feed; ``snapshots`` of the account read whole
        after the last connection was made; ``pushed_fills``, where the gateway tells them from those it read."""
        since_ns = self._last_ns.get(gateway.name, 0)
        found = {
            "quotes": self.quotes,
            "cuts": self._cuts[gateway.name],
            "reconnects": max(self._connects[gateway.name] - 1, 0),
            "snapshots": sum(began_ns >= since_ns for began_ns in self._readings.get(account, ())),
        }
        pushed = getattr(gateway.router, "pushed_fills", None)
        return found if pushed is None else found | {"pushed_fills": pushed}

    def _on_feed(self, event: FeedStatus) -> None:
        if event.state is FeedState.CONNECTED:
            self._connects[event.feed] += 1
            self._last_ns[event.feed] = event.ts_ns
        elif event.state is FeedState.DISCONNECTED:
            self._cuts[event.feed] += 1

    def _on_account(self, event: AccountObserved) -> None:
        self._readings.setdefault(event.snapshot.account, []).append(event.snapshot.as_of_ns)

    def _on_quote(self, _event: Quote) -> None:
        self.quotes += 1
