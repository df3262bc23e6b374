"""The running server with the client behind it: everything a request may touch, put together once."""

from math import isfinite
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.clock import Clock
from engine.domain.commands import Side
from engine.domain.money import exact
from engine.domain.timestamps import MINUTE_NS, SECOND_NS
from engine.entropy import Entropy
from engine.simulators.counter import BAD_PRICE, Counter, CounterRefusal, Entrust
from engine.simulators.exchange import Exchange
from engine.simulators.faults import Answer, FaultPlan, http_date
from engine.simulators.huatai.dialogs import Numbers, Wording
from engine.simulators.huatai.quirks import AT_WINDOW, HuataiQuirk
from engine.simulators.huatai.routes import ROUTES, Route
from engine.simulators.huatai.sessions import SessionBook
from engine.simulators.huatai.state import State, read_state
from engine.simulators.huatai.statements import Statements
from engine.simulators.huatai.window import POPUP, Typed, Window
from engine.simulators.huatai.wire import SERVER, page_answer
from engine.simulators.quirks import QuirkPlan
from engine.simulators.state_file import write_state_file

if TYPE_CHECKING:
    from engine.simulators.huatai.settings import HuataiSimulator


class Call(Struct, frozen=True):
    """One admitted request: its session (empty where none was asked for), what was read of its body, its number."""

    session: str
    terms: Any
    request: int


class HuataiVenue:
    """One server in memory.

    ``counter`` is the oracle of what was placed; ``faults`` (on the wire) and ``quirks`` (inside) count what they did.
    """

    def __init__(self, settings: "HuataiSimulator", clock: Clock, entropy: Entropy, exchange: Exchange) -> None:
        self.settings = settings
        self.clock = clock
        self.exchange = exchange
        self.faults = FaultPlan(settings.faults, entropy, "huatai/faults")
        self.quirks = QuirkPlan(HuataiQuirk, settings.quirks, settings.quirk_script, entropy, "huatai/quirks")
        self.sessions = SessionBook(entropy, round(settings.session_minutes * MINUTE_NS), settings.timezone)
        self.window = Window(clock, entropy.stream("huatai/pauses"), factor=settings.pauses, lock=settings.lock)
        self.window.up = not settings.client_lost
        self.window.tables_readable = not settings.table_failure
        self.window.labels_readable = not settings.label_failure
        self.wording = Wording(
            layer=settings.layer,
            style=settings.dialogs,
            cancel_style=settings.cancel_style,
            number_name=settings.number_name,
        )
        state = read_state(settings, clock.now_ns)
        self.counter = Counter(
            exchange,
            settings.account,
            seed=entropy.stream("huatai").getrandbits(53) if settings.seed is None else settings.seed,
            now_ns=clock.now_ns,
            shares=settings.shares,
            pace=settings.pace,
            interval_ns=round(settings.tick_seconds * SECOND_NS),
            state=None if state is None else state.counter,
        )
        self._draw = entropy.stream("huatai/numbers")
        self._numbers = 0
        self.statements = Statements(self.counter, settings, self.draw_number)
        self._requests = 0
        if settings.logs_in:
            self.sessions.log_in(clock.now_ns)
        if state is not None:
            self._take_up(state)
        if settings.state_path is not None:
            self.counter.keep = self._save
            self._save()

    # The server

    def offers(self, route: Route) -> bool:
        """Whether this build has a route."""
        return route.server in {"both", self.settings.server} or (route.server == "B" and self.settings.has_tools)

    def admit(self, session_id: str) -> str:
        """The id of the session a request runs under.

        Raises:
            SessionRefused: none.
        """
        swapped = self.quirks.happens(HuataiQuirk.SESSION_SWAP)
        if swapped is not None and self.sessions.automatic is not None:
            self.sessions.log_in(self.clock.now_ns)
        return self.sessions.admit(session_id, self.clock.now_ns)

    def restart(self) -> None:
        """Sessions are lost and requests under way break; the automatic login then makes one, with the client up."""
        self.sessions.clear()
        self.window.server_restarts()
        if self.settings.logs_in:
            self.window.up = True
            self.sessions.log_in(self.clock.now_ns)

    # The client

    @property
    def window_readable(self) -> bool:
        """Whether a table can be copied now."""
        return self.window.up and self.window.popup is None and self.window.tables_readable

    def meddle(self) -> None:
        """What may happen in the window before any work in it."""
        match self.quirks.happens(*AT_WINDOW):
            case HuataiQuirk.CLIENT_CLOSED:
                self.window.end()
            case HuataiQuirk.POPUP_OPEN if self.window.up:
                self.window.popup = POPUP

    def submit(self, side: Side, code: str, shown: Typed, strategy: int, request: int) -> Entrust | str:
        """What the form shows goes to the counter; the order, or the counter's reason to refuse it."""
        if shown.price is not None and not isfinite(shown.price):
            # A client's price field takes no letters.
            return BAD_PRICE
        price = None if shown.price is None else exact(shown.price)
        now_ns = self.clock.now_ns
        try:
            return self.counter.place(code, side, shown.quantity, price, now_ns, strategy=strategy, request=request)
        except CounterRefusal as problem:
            return problem.text

    def draw_number(self) -> int:
        """A number for what is none of the counter's orders; shorter than any of theirs."""
        self._numbers += 1
        return self._draw.randrange(10_000_000, 100_000_000)

    def cancel_numbers(self) -> Numbers:
        """Those of a cancel request itself."""
        number = str(self.draw_number())
        return Numbers(number, number)

    # A person at the same machine

    def manual(self, side: Side, code: str, quantity: int, price: float) -> Entrust:
        """Place an order by hand.

        Raises:
            CounterRefusal: the counter said no.
        """
        return self.counter.place(code, side, quantity, exact(price), self.clock.now_ns, source="manual")

    def close_popup(self) -> None:
        """Close whatever pop-up is open; on the server with automatic login no route does."""
        self.window.take_popup()

    def manual_cancel(self, entrust: Entrust) -> None:
        """Cancel an order by hand.

        Raises:
            CounterRefusal: it has ended.
        """
        self.counter.cancel(entrust, self.clock.now_ns)

    # The account on disk

    def _take_up(self, state: State) -> None:
        """Go on with the account of an earlier life, and live through the time since."""
        for _ in range(state.numbers):
            self.draw_number()
        self._requests = state.requests
        self.statements.subscriptions = state.subscriptions
        self.counter.resume(self.clock.now_ns)

    def _save(self) -> None:
        path = self.settings.state_path
        assert path is not None
        state = State(
            saved_ns=self.clock.now_ns,
            requests=self._requests,
            numbers=self._numbers,
            counter=self.counter.state(),
            subscriptions=self.statements.subscriptions,
        )
        write_state_file(path, state)

    # Wording, for the faulty edge

    def route_class(self, path: str) -> str:
        """``order``, ``cancel``, ``query``, ``session``, ``tool``, else ``page``."""
        route = ROUTES.get(path)
        return route.kind if route is not None else "page"

    def throttled(self) -> Answer:
        """No real server says it: there is no rate limit."""
        return page_answer(429)

    def broken(self, path: str) -> Answer:
        return page_answer(500)

    def stamp(self) -> tuple[tuple[bytes, bytes], ...]:
        """The development server closes each connection."""
        return ((b"server", SERVER), (b"date", http_date(self.clock.now_ns)), (b"connection", b"close"))

    def next_request(self) -> int:
        self._requests += 1
        return self._requests
