"""The running virtual market: everything a request may touch, put together once."""

from typing import TYPE_CHECKING

from msgspec import Struct

from engine.clock import Clock
from engine.entropy import Entropy
from engine.simulators.exchange import Exchange
from engine.simulators.faults import Answer, FaultPlan, http_date
from engine.simulators.state_file import write_state_file
from engine.simulators.virtual_market import messages
from engine.simulators.virtual_market.ledger import Ledger, Wealth
from engine.simulators.virtual_market.limits import RateLimiter, rule_of
from engine.simulators.virtual_market.logins import Login, Logins
from engine.simulators.virtual_market.state import State, read_state
from engine.simulators.virtual_market.tokens import Tokens

if TYPE_CHECKING:
    from engine.simulators.virtual_market.settings import VirtualMarketSimulator

TOO_MANY = messages.encode({"error": "Too Many Requests", "message": "Rate limit exceeded."})
SERVER = b"Python/3.11 aiohttp/3.9.5"


class User(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account that exists from the start; the default is the one of the vendor's page."""

    login: str = "TimeXingjian"
    password: str = "your_password"  # noqa: S105
    chat_id: str = "1481273488"
    coins: int = 1_000_000
    name: str = ""
    """``user_name`` of the portfolio; the login name where it is empty."""
    company_assets: int | float = 0
    bank_deposits: float = 0.0
    bank_loans: float = 0.0


class VirtualMarket:
    """One virtual market in memory.

    ``ledger`` is the oracle, ``faults`` says which faults fired, ``limiter.refused`` how many calls were.
    """

    def __init__(self, settings: "VirtualMarketSimulator", clock: Clock, entropy: Entropy, exchange: Exchange) -> None:
        self.settings = settings
        self.clock = clock
        self.exchange = exchange
        self.timezone = settings.timezone
        self.faults = FaultPlan(settings.faults, entropy, "virtual_market/faults")
        self.limiter = RateLimiter(settings.rate_limits, settings.exempt)
        self.logins = Logins(entropy)
        self.ledger = Ledger(exchange, lock_minutes=settings.lock_minutes, booked=self.save)
        state = read_state(settings.state_path, clock.now_ns)
        self.requests = state.requests if state is not None else 0
        self._secret = state.secret if state is not None else entropy.token("virtual_market/secret", 64)
        self.tokens = Tokens(self._secret, settings.token_days)
        for user in settings.users:
            self.logins.add(user.login, user.password, user.chat_id)
        if state is not None:
            self.logins.by_name |= {login.name: login for login in state.logins}
            exchange.accounts |= {account.user: account for account in state.accounts}
        for user in settings.users:
            wealth = Wealth(user.name or user.login, user.company_assets, user.bank_deposits, user.bank_loans)
            self.ledger.open_account(user.chat_id, user.login, user.coins, wealth)
        for login in self.logins.by_name.values():
            self._admit(login)
        self.save()

    def now_ns(self) -> int:
        """The time, with the market caught up to it."""
        now_ns = self.clock.now_ns
        self.exchange.advance(now_ns)
        return now_ns

    def confirm(self, code: str, chat_id: str) -> bool:
        """What the chat robot does with a verification code: the account exists from then on, with 0 coins."""
        login = self.logins.confirm(code, chat_id, self.clock.now_ns)
        if login is None:
            return False
        self._admit(login)
        self.save()
        return True

    def restart(self) -> None:
        """Play a restart of the server within a slot (contracts/virtual_market.md 4)."""
        self.exchange.restart(self.clock.now_ns)

    def save(self) -> None:
        path = self.settings.state_path
        if path is None:
            return
        state = State(
            seed=self.exchange.seed,
            origin_ns=self.exchange.origin_ns,
            saved_ns=self.clock.now_ns,
            secret=self._secret,
            requests=self.requests,
            interventions=self.exchange.interventions,
            logins=list(self.logins.by_name.values()),
            accounts=list(self.exchange.accounts.values()),
        )
        write_state_file(path, state)

    # Wording, for the faulty edge

    def route_class(self, path: str) -> str:
        """``auth``, ``trade``, ``details``, else ``quote``, ``kline``, ``portfolio``, ``ranking`` or ``page``."""
        rule = rule_of(path)
        if rule is None:
            return "page"
        if rule.name != "general":
            return rule.name
        for name in ("portfolio", "ranking", "kline"):
            if f"/{name}" in path:
                return name
        return "quote"

    def throttled(self) -> Answer:
        return Answer.of(429, messages.JSON_TYPE, TOO_MANY)

    def broken(self, path: str) -> Answer:
        if path == "/api/v1/portfolio":
            return Answer.of(500, messages.JSON_TYPE, messages.encode({"error": messages.PORTFOLIO_ERROR}))
        return Answer.of(500, messages.TEXT_TYPE, messages.INTERNAL_TEXT.encode())

    def stamp(self) -> tuple[tuple[bytes, bytes], ...]:
        return (b"date", http_date(self.clock.now_ns)), (b"server", SERVER)

    def next_request(self) -> int:
        self.requests += 1
        return self.requests

    def _admit(self, login: Login) -> None:
        if login.chat_id not in self.ledger.known():
            self.ledger.open_account(login.chat_id, login.name, 0, Wealth(login.name, 0, 0.0, 0.0))
