"""What a flight of ``router_builders`` is about: a plan as data, and the one strategy that does as it says."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from msgspec import Struct

from engine.chaos.faults import Schedule
from engine.domain.events import Fill, OrderAccepted, OrderDenied, OrderEvent
from engine.domain.ids import ClientOrderId
from engine.domain.market import Quote
from engine.domain.timestamps import SECOND_NS
from engine.strategy import Strategy

THROUGH, AWAY = 1.005, 0.985
"""Times the ask, times the bid."""


class Wish(Struct, frozen=True, kw_only=True):
    """One order to buy.

    Args:
        at_seconds: when, after the strategy started; it waits for the next price.
        place: ``market``, ``through`` the ask, or ``away`` from the market, where it rests.
        cancel: seconds until it is wanted back; None: never. cancel_on: or what brings that about: its first ``fill``,
            a price that has ``reached`` it, or the next one that does after that one (``passed``).
    """

    at_seconds: float = 5.0
    lots: int = 1
    place: Literal["market", "through", "away"] = "through"
    cancel: float | None = None
    cancel_on: Literal["", "fill", "reached", "passed"] = ""


class Strike(Struct, frozen=True, kw_only=True):
    """Something happens to the venue ``seconds`` after the request of the ``order``-th order (from 1) came in.

    Args:
        what: ``restart``: the server starts anew. ``session``: our session there ends, or the client behind it does.
        down_seconds: how long that lasts.
    """

    what: Literal["restart", "session"]
    seconds: float
    order: int = 1
    down_seconds: float = 5.0


class Plan(Struct, frozen=True, kw_only=True):
    """One flight: what the strategy wants, and what becomes of it.

    Args:
        cash: of the account; None: plenty. partial: chance of a match to fill a part only.
        seconds: how long the strategy runs.
        tick_seconds: between two prices, where the venue lets choose. late_seconds: how late a late answer is.
        unchecked: our own limits that are left out, so that the venue has to say it.
        fall_before: once an order was accepted, or, where there is one, the ``strike`` has come, the price falls below
            what rests ``away``, so many seconds before the next tick: at that tick it is filled.
        person: when somebody gives an order for two lots of the same by hand, on the same account; it ``person_rests``
            far from the price, or fills at once.
        gift: when three lots of the same turn up in the account, and no list says where they come from.
        account_poll: how often the game's account is read.
        more: settings of the venue's simulator.
    """

    wishes: tuple[Wish, ...] = (Wish(),)
    schedule: Schedule = ()
    strike: Strike | None = None
    seconds: float = 90.0
    cash: int | None = None
    partial: float = 0.0
    tick_seconds: float | None = None
    late_seconds: float = 45.0
    unchecked: frozenset[str] = frozenset()
    fall_before: float | None = None
    person: float | None = None
    person_rests: bool = False
    gift: float | None = None
    account_poll: str = "90s"
    more: dict[str, Any] = {}


class Heard(Struct, kw_only=True):
    """What the strategy heard of one order, as words (``accepted``, ``fill 100``, ``cancel asked``), in order."""

    words: list[str] = []
    reasons: list[str] = []
    cancel_ns: int = 0
    """When it wanted it back."""

    @property
    def filled(self) -> int:
        """What it heard of fills, summed up."""
        return sum(int(word.removeprefix("fill ")) for word in self.words if word.startswith("fill "))

    @property
    def story(self) -> list[str]:
        """The words without acceptance, which a fill proves as well, and without how many parts came."""
        words = ["filled" if word.startswith("fill ") else word for word in self.words if word != "accepted"]
        return [word for number, word in enumerate(words) if word != "filled" or word not in words[:number]]


class Wisher(Strategy):
    """Buys what it wishes for, once, wants some of it back, and keeps what it hears."""

    def __init__(self, wishes: Sequence[Wish], heard: dict[ClientOrderId, Heard], accepted: Callable[[], None]) -> None:
        """``heard`` outlives it; ``accepted`` is told of each order that was."""
        super().__init__()
        self.wishes = list(wishes)
        self.heard = heard
        self.accepted = accepted
        self.made: dict[ClientOrderId, tuple[Wish, int, float]] = {}
        self.reached: set[ClientOrderId] = set()

    def on_start(self) -> None:
        self.start_ns = self.now_ns
        if any(wish.cancel is not None for wish in self.wishes):
            self.every("1s", self.look)

    def look(self) -> None:
        """Whether one of them was wanted long enough."""
        for name, (wish, since_ns, _) in self.made.items():
            if wish.cancel is not None and self.now_ns - since_ns >= wish.cancel * SECOND_NS:
                self.want_back(name)

    def on_quote(self, quote: Quote) -> None:
        if quote.instrument != self.instruments[0]:
            return
        for name, (wish, _, price) in self.made.items():
            if wish.cancel_on in ("reached", "passed") and quote.bid < price:
                if wish.cancel_on == "reached" or name in self.reached:
                    self.want_back(name)
                self.reached.add(name)
        while self.wishes and self.now_ns - self.start_ns >= self.wishes[0].at_seconds * SECOND_NS:
            self.give(self.wishes.pop(0), quote)

    def give(self, wish: Wish, quote: Quote) -> None:
        """One order, at a price that does what the wish says."""
        spec = self.ctx.catalogue[quote.instrument]
        raw = {"through": quote.ask * THROUGH, "away": quote.bid * AWAY}.get(wish.place)
        price = None if raw is None else spec.round_price(raw)
        name = self.buy(quote.instrument, wish.lots * spec.lot, price)
        self.heard.setdefault(name, Heard())
        self.made[name] = (wish, self.now_ns, float(price or 0))

    def want_back(self, name: ClientOrderId) -> None:
        """Ask once."""
        heard = self.heard[name]
        if not heard.cancel_ns and any(order.client_id == name for order in self.working_orders()):
            heard.cancel_ns = self.now_ns
            heard.words.append("cancel asked")
            self.cancel(name)

    def on_order(self, event: OrderEvent | OrderDenied) -> None:
        heard = self.heard.setdefault(event.client_id, Heard())
        heard.words.append(word_of(event))
        heard.reasons.append(event.reason)
        if isinstance(event, OrderAccepted):
            self.accepted()

    def on_fill(self, fill: Fill) -> None:
        self.heard[fill.client_id].words.append(f"fill {fill.quantity}")
        if self.made[fill.client_id][0].cancel_on == "fill":
            self.want_back(fill.client_id)


def word_of(event: OrderEvent | OrderDenied) -> str:
    """``OrderNotPlaced`` -> ``not placed``."""
    name = type(event).__name__.removeprefix("Order")
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
