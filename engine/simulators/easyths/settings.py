"""Settings of the simulated EasyTHS server: they are the simulator."""

from decimal import Decimal

from msgspec import Struct
from starlette.applications import Starlette

from engine.clock import Clock
from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.entropy import Entropy
from engine.markets.china_a import ChinaA
from engine.simulators.counter import DEFAULT_SHARES, CounterAccount, CounterPace, Opening, Share
from engine.simulators.easyths.app import make_app
from engine.simulators.easyths.messages import Generation
from engine.simulators.easyths.quirks import Quirk
from engine.simulators.easyths.state import read_state
from engine.simulators.easyths.statements import COLUMNS, Separators, Style, Words
from engine.simulators.easyths.venue import EasythsVenue
from engine.simulators.exchange import Exchange
from engine.simulators.faults import Faults
from engine.simulators.quirks import QuirkPlan, QuirkTrigger

DEFAULT_ACCOUNT = CounterAccount(
    cash=Decimal(1_000_000),
    holdings=(
        Opening(code="600000.SH", quantity=2000, price=Decimal("6.50")),
        Opening(code="000001.SZ", quantity=1000, price=Decimal("9.80")),
        Opening(code="510300.SH", quantity=10_000, price=Decimal("3.400")),
    ),
)


class EasythsSimulator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A copy of the EasyTHS server (contracts/easyths.md), over a client and a counter of our own."""

    seed: int | None = None
    """Of prices, numbers and fills; None draws it from the run's entropy."""
    generation: Generation = "new"
    """``new`` is release 1.7.1, ``old`` the last before the reply format changed in January 2026."""
    document_fields: bool = False
    """Also say what only the document has: ``logged_in``, ``success_count``, ``failed_count``, and ``success`` for
    ``completed``."""
    api_key: str = ""
    """Empty: everything is open, as on the server."""
    rate_limit: int = 10
    """Calls of one address in a second; 0 is off."""
    ip_whitelist: tuple[str, ...] = ()
    """Addresses, or patterns with a star at one end; empty allows all."""
    queue_max: int = 1000
    result_blocks: bool = True
    """Whether a waiting ``/result`` holds up every other request."""
    connected: bool = True
    """Whether the client ran when the server started."""
    app_path: str = "C:/同花顺远航版/transaction/xiadan.exe"
    timezone: str = "Asia/Shanghai"
    """Of the server's machine."""
    pace: float = 1.0
    """Factor on every pause of the automation; 0 is none at all."""
    account: CounterAccount = DEFAULT_ACCOUNT
    shares: tuple[Share, ...] = DEFAULT_SHARES
    counter: CounterPace = CounterPace()
    rules: ChinaA = ChinaA()
    """Hours, lots, limits and fees."""
    tick_seconds: float = 3.0
    """Distance of the price steps, where this face opens the mainland's board."""
    history: bool = True
    """Whether the broker shows orders of the past; where not, the history is empty."""
    live_only: bool = True
    """Whether order_query shows orders that can be cancelled alone."""
    headers: dict[str, str] = {}
    """Column name -> the broker's own for it, as ``{"备注": "委托状态"}``."""
    status_words: Words = "long"
    separators: Separators = "sometimes"
    """Thousand separators in tables and funds."""
    nameless_columns: bool = True
    """The last column of order tables has no name, that of the holdings is one of buttons."""
    quirks: dict[str, float] = {}
    """Quirk -> chance on each of its occasions."""
    quirk_script: tuple[QuirkTrigger, ...] = ()
    faults: Faults = Faults()
    state_path: str | None = None
    """A JSON file rewritten after each change of the account; a later start with it goes on with that account. The
    server's operations are lost in between, as the real one's are."""

    def __post_init__(self) -> None:
        if not self.tick_seconds > 0 or DAY_NS % round(self.tick_seconds * SECOND_NS):
            raise ValueError(f"tick_seconds must divide a day, as 3 does, not {self.tick_seconds}")
        if not 0 <= self.pace < float("inf"):
            raise ValueError(f"pace is 0 or a factor above it, not {self.pace}")
        if self.rate_limit < 0 or self.queue_max < 1:
            raise ValueError("rate_limit is 0 or more, queue_max at least 1")
        strange = sorted(set(self.headers) - COLUMNS)
        if strange:
            raise ValueError(f"headers renames {strange[0]}, which is none of the columns {', '.join(sorted(COLUMNS))}")
        if len({share.code6 for share in self.shares}) < len(self.shares):
            raise ValueError("two of the shares have the same six digits; give each its own")
        QuirkPlan(Quirk, self.quirks, self.quirk_script, Entropy(0), "check")

    @property
    def style(self) -> Style:
        return Style(
            headers=self.headers,
            words=self.status_words,
            separators=self.separators,
            nameless=self.nameless_columns,
            timezone=self.timezone,
        )

    def exchange(self, clock: Clock, entropy: Entropy) -> Exchange:
        """The default virtual market's: this face opens the mainland's board on whatever market it stands over.

        Raises:
            ConfigError: the state file can not be used.
        """
        from engine.simulators.virtual_market import VirtualMarketSimulator

        state = read_state(self, clock.now_ns)
        seed = self.seed if state is None else state.counter.market_seed
        return VirtualMarketSimulator(seed=seed).exchange(clock, entropy)

    def app(self, clock: Clock, entropy: Entropy, *, exchange: Exchange | None = None) -> Starlette:
        """The face. ``app.state.venue`` is the running ``EasythsVenue``, its ``counter`` the oracle.

        Args:
            exchange: a market shared with other faces; None makes one.

        Raises:
            ConfigError: the account holds something that is none of the shares, or the state file can not be used.
        """
        market = self.exchange(clock, entropy) if exchange is None else exchange
        return make_app(EasythsVenue(self, clock, entropy, market))
