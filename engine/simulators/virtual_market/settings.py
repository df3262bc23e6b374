"""Settings of the simulated virtual market: they are the simulator."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct
from starlette.applications import Starlette

from engine.clock import Clock
from engine.domain.errors import ConfigError
from engine.domain.market import Bar
from engine.domain.timestamps import DAY_NS, MINUTE_NS, datetime_from_ns
from engine.entropy import Entropy
from engine.markets.virtual import Virtual
from engine.simulators.exchange import Exchange, Intervention, Listing, origin_before
from engine.simulators.faults import Faults
from engine.simulators.virtual_market.app import make_app
from engine.simulators.virtual_market.limits import SHIPPED_WHITELIST, RateLimiter, RateLimits
from engine.simulators.virtual_market.state import read_state
from engine.simulators.virtual_market.venue import User, VirtualMarket

DEFAULT_STOCKS = (
    Listing(code="CY", name="晨宇科技", price=37.9, industry="科技"),
    Listing(code="DL", name="大立农业", price=74.79, industry="农业", volatility=0.015),
    Listing(code="ZY", name="智云科技", price=57.75, industry="科技", volatility=0.025),
    Listing(code="HN", name="海宁能源", price=27.25, industry="能源", volatility=0.018),
    Listing(code="JF", name="金方银行", price=12.36, industry="金融", volatility=0.01),
    Listing(code="MT", name="明途汽车", price=103.4, industry="汽车", volatility=0.022),
    Listing(code="XK", name="星康医药", price=45.18, industry="医药", volatility=0.02),
    Listing(code="YS", name="云山文旅", price=8.92, industry="文旅", volatility=0.03),
)
"""CY, DL and ZY with names and prices of the vendor's page and messages; the others are made up."""


class VirtualMarketSimulator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A copy of the virtual stock market (contracts/virtual_market.md).

    Defaults are what was observed, but for the white list.
    """

    seed: int | None = None
    """Of the prices; None draws it from the run's entropy."""
    users: tuple[User, ...] = (User(),)
    rate_limits: RateLimits = "shared"
    """``shared`` as the server counts, ``separate`` as the document reads, ``off``."""
    whitelist: tuple[str, ...] | Literal["shipped"] = ()
    """Addresses and networks without limits. Empty, so that a local demo is limited as the public server limits;
    ``shipped`` is what the server comes with: 127.0.0.1, 192.168.1.0/24, 10.8.0.0/24."""
    lock_minutes: int = 60
    hours: tuple[int, int] = (8, 24)
    """First hour open and first hour closed, in ``timezone``, every calendar day."""
    timezone: str = "Asia/Shanghai"
    token_days: float = 14.0
    tick_minutes: float = 5.0
    stocks: tuple[Listing, ...] = DEFAULT_STOCKS
    market: Literal["walk", "replay"] = "walk"
    """``replay`` plays the bars given to ``app`` or ``exchange``; stocks without bars walk."""
    replay_by: Literal["mark", "time"] = "mark"
    volatility: float = 0.2
    """One step's standard deviation as a part of the stock's ``volatility`` (0.02 x 0.2 = 0.4 % in five minutes)."""
    history_days: int = 3
    """Days of bars before the day the simulator first starts."""
    faults: Faults = Faults()
    state_path: str | None = None
    """A JSON file rewritten after each booking; a later start with it goes on where this one ended."""

    def __post_init__(self) -> None:
        first, end = self.hours
        if not 0 <= first < end <= 24:
            raise ValueError(f"hours must be two full hours in order, as in [8, 24], not {list(self.hours)}")
        if not self.tick_minutes > 0 or (DAY_NS % round(self.tick_minutes * MINUTE_NS)):
            raise ValueError(f"tick_minutes must divide a day, as 5 does, not {self.tick_minutes}")
        if len({stock.code for stock in self.stocks}) < len(self.stocks):
            raise ValueError("two of the stocks have the same code; give each its own")
        RateLimiter(self.rate_limits, self.exempt)

    @property
    def exempt(self) -> tuple[str, ...]:
        return SHIPPED_WHITELIST if self.whitelist == "shipped" else tuple(self.whitelist)

    def exchange(
        self,
        clock: Clock,
        entropy: Entropy,
        *,
        bars: Mapping[str, Sequence[Bar]] | None = None,
        since: tuple[int, Sequence[Intervention]] | None = None,
    ) -> Exchange:
        """The market these settings describe, caught up to now.

        Args:
            bars: code -> bars to replay (``market = "replay"``).
            since: origin and interventions of an earlier life of ``seed``'s market, where another face remembers it.

        Raises:
            ConfigError: the state file can not be used, or settings and ``bars`` do not fit.
        """
        replay = self._replay(bars or {})
        now_ns = clock.now_ns
        state = read_state(self.state_path, now_ns)
        if state is not None:
            seed, since = state.seed, (state.origin_ns, state.interventions)
        else:
            seed = entropy.stream("exchange").getrandbits(53) if self.seed is None else self.seed
        if since is None:
            offset = datetime_from_ns(now_ns, self.timezone).utcoffset()
            offset_ns = round(offset.total_seconds() * 1e9) if offset else 0
            since = (origin_before(now_ns, self.history_days, offset_ns), ())
        origin_ns, interventions = since
        first, end = self.hours
        exchange = Exchange(
            self.stocks,
            seed=seed,
            origin_ns=origin_ns,
            hours=Virtual(timezone=self.timezone, open_hour=first, close_hour=end),
            interval_ns=round(self.tick_minutes * MINUTE_NS),
            volatility_scale=self.volatility,
            replay=replay,
            replay_by=self.replay_by,
            interventions=interventions,
        )
        exchange.advance(now_ns)
        return exchange

    def _replay(self, bars: Mapping[str, Sequence[Bar]]) -> Mapping[str, Sequence[Bar]]:
        if (self.market == "replay") is not bool(bars):
            raise ConfigError('market = "replay" and bars to replay go together; give both or neither')
        strangers = sorted(bars.keys() - {stock.code for stock in self.stocks})
        if strangers:
            raise ConfigError(f"{strangers[0]} has bars to replay and is none of the stocks; add it to stocks")
        return bars

    def venue(self, clock: Clock, entropy: Entropy, *, exchange: Exchange | None = None) -> VirtualMarket:
        """The running venue behind the face: ledger, limiter, faults."""
        market = self.exchange(clock, entropy) if exchange is None else exchange
        return VirtualMarket(self, clock, entropy, market)

    def app(self, clock: Clock, entropy: Entropy, *, exchange: Exchange | None = None) -> Starlette:
        """The HTTP face. ``app.state.venue`` is the venue, with ``ledger`` as the oracle of what was booked.

        Args:
            exchange: a market shared with other faces; None makes one.

        Raises:
            ConfigError: the state file can not be used.
        """
        return make_app(self.venue(clock, entropy, exchange=exchange))
