"""Settings of the simulated Futu gateway: they are the simulator."""

from typing import Literal

from msgspec import Struct
from starlette.applications import Starlette

from engine.clock import Clock
from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.entropy import Entropy
from engine.simulators.exchange import Exchange
from engine.simulators.faults import Faults
from engine.simulators.futu.app import make_app
from engine.simulators.futu.desk import Pace
from engine.simulators.futu.keys import EXAMPLE_TOKEN, Key, a_key
from engine.simulators.futu.ledger import FutuAccount
from engine.simulators.futu.limits import Statuses, Texts
from engine.simulators.futu.push import PushFaults
from engine.simulators.futu.securities import DEFAULT_SECURITIES, Security
from engine.simulators.futu.state import read_state
from engine.simulators.futu.venue import AnswerFaults, FutuVenue

DEFAULT_ACCOUNTS = (
    FutuAccount(acc_id=1800123, environment="simulate", markets=(1,), sim_acc_type=1),
    FutuAccount(
        acc_id=1800124,
        environment="simulate",
        markets=(2,),
        kind="margin",
        cash={"USD": 1_000_000.0},
        sim_acc_type=1,
    ),
    FutuAccount(acc_id=1800125, environment="simulate", markets=(3,), cash={"CNH": 1_000_000.0}, sim_acc_type=1),
    FutuAccount(
        acc_id=281756400000000123,
        environment="real",
        markets=(1, 2, 4),
        kind="margin",
        cash={"HKD": 1_000_000.0, "USD": 1_000_000.0, "CNH": 1_000_000.0},
        card_num="1001000000001234",
        uni_card_num="1001000000009999",
        security_firm=1,
        acc_role=1,
    ),
)
"""Ids of the contract's examples, where there are any."""


class FutuSimulator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A copy of the gateway (contracts/futu.md), strict as current builds are.

    Without keys (``keys = ()`` and no ``keys_path``) it runs in legacy mode.
    """

    seed: int | None = None
    """Of prices, ids and partial fills; None draws it from the run's entropy."""
    securities: tuple[Security, ...] = DEFAULT_SECURITIES
    accounts: tuple[FutuAccount, ...] = DEFAULT_ACCOUNTS
    keys: tuple[Key, ...] = (a_key(EXAMPLE_TOKEN),)
    keys_path: str | None = None
    """A keys.json to read instead of ``keys``."""
    machine: str = "simulator"
    trade_password_md5: str = "0123456789abcdef0123456789abcdef"  # noqa: S105
    otp: str | None = None
    """The second factor of an unlock; None asks for none."""
    user_id: int = 100001
    timezone: str = "Asia/Hong_Kong"
    """The daemon's own, for hours_window."""
    always_open: bool = False
    """Every market trades round the clock, with an auction each five minutes: for demos."""
    tick_seconds: float = 1.0
    """Distance of the steps of Hong Kong, US and mainland boards."""
    volatility: float = 1.0
    """Factor on every step of those boards."""
    pace: Pace = Pace()
    answer_ms: int = 0
    """How long the answer to a trade write takes after it was done: longer than ``pace.submit_ms``, and pushes come
    before the answer."""
    query_lag_ms: int = 0
    """How far reads without refresh_cache lag behind."""
    ready_ms: int = 500
    """Until data of a fresh subscription is there."""
    pacing: bool = True
    """Whether the backend's frequency limits hold."""
    subscription_quota: int = 300
    kline_quota: int = 100
    """Distinct securities of history k-lines in 30 days."""
    strict_fields: bool = True
    limit_statuses: Statuses = "modern"
    limit_texts: Texts = "full"
    account_ids: Literal["number", "text"] = "number"
    error_codes: Literal["number", "text"] = "number"
    simulate_fees: bool = False
    simulate_fill_push: bool = False
    """Push 2218 for simulate accounts too: the official service does not."""
    simulate_cancel_all: bool = True
    queue_max: int = 1000
    """Frames that may wait for a slow reader; then the oldest is lost."""
    faults: Faults = Faults()
    push: PushFaults = PushFaults()
    answers: AnswerFaults = AnswerFaults()
    state_path: str | None = None
    """A JSON file rewritten after each change of the books; a later start with it goes on where this one ended, at the
    prices of then. None: accounts, orders and prices begin anew with the process."""

    def __post_init__(self) -> None:
        if not self.tick_seconds > 0 or DAY_NS % round(self.tick_seconds * SECOND_NS):
            raise ValueError(f"tick_seconds must divide a day, as 1 does, not {self.tick_seconds}")
        if len({security.key for security in self.securities}) < len(self.securities):
            raise ValueError("two of the securities have the same market and code; give each its own")
        if len({account.acc_id for account in self.accounts}) < len(self.accounts):
            raise ValueError("two of the accounts have the same acc_id; give each its own")
        if self.queue_max < 1:
            raise ValueError(f"queue_max must be at least 1, not {self.queue_max}")

    def exchange(self, clock: Clock, entropy: Entropy) -> Exchange:
        """The default virtual market's: this face adds its own boards to whatever market it stands over."""
        from engine.simulators.virtual_market import VirtualMarketSimulator

        state = read_state(self.state_path, clock.now_ns)
        if state is None:
            return VirtualMarketSimulator(seed=self.seed).exchange(clock, entropy)
        market = VirtualMarketSimulator(seed=state.market_seed)
        # To walk again all the way from the origin is worth it only where somebody trades what walked there.
        shared = any(security.listing for security in self.securities)
        return market.exchange(clock, entropy, since=(state.origin_ns, state.interventions) if shared else None)

    def app(self, clock: Clock, entropy: Entropy, *, exchange: Exchange | None = None) -> Starlette:
        """The face. ``app.state.venue`` is the running ``FutuVenue``, its ``ledger`` the oracle.

        Args:
            exchange: a market shared with other faces; None makes one.

        Raises:
            ConfigError: keys file, state file, accounts or securities do not fit.
        """
        market = self.exchange(clock, entropy) if exchange is None else exchange
        return make_app(FutuVenue(self, clock, entropy, market))
