"""The running platform: everything a request may touch, put together once."""

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from engine.clock import Clock
from engine.domain.timestamps import SECOND_NS
from engine.entropy import Entropy
from engine.simulators.amazingdata import messages
from engine.simulators.amazingdata.bars import Bars
from engine.simulators.amazingdata.configs import SdkConfig, SdkConfigs
from engine.simulators.amazingdata.coverage import Coverage
from engine.simulators.amazingdata.finance import Statements
from engine.simulators.amazingdata.messages import Failure
from engine.simulators.amazingdata.tasks import Tasks
from engine.simulators.amazingdata.tokens import Tokens
from engine.simulators.amazingdata.universe import Universe
from engine.simulators.china import day_of, days
from engine.simulators.exchange import Exchange
from engine.simulators.faults import Answer, FaultPlan, http_date

if TYPE_CHECKING:
    from engine.simulators.amazingdata.settings import AmazingDataSimulator

BASE = "/api/v1"
SDK_TIMEOUT_NS = 10_020_000_000
"""How long a test of a configuration takes that fails (example: 10.02 s)."""


class User(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may log in; the default is the one of the vendor's page. Only ``admin`` may make and test configurations."""

    username: str = "admin"
    password: str = "admin123"  # noqa: S105
    email: str | None = "admin@example.com"
    role: str = "admin"
    is_active: bool = True


class AmazingData:
    """One platform in memory.

    ``coverage`` says what the cache lacks, ``tasks`` what is under way, ``faults`` which faults fired.
    """

    def __init__(self, settings: "AmazingDataSimulator", clock: Clock, entropy: Entropy, exchange: Exchange) -> None:
        self.settings = settings
        self.clock = clock
        self.exchange = exchange
        self.days = days()
        self.faults = FaultPlan(settings.faults, entropy, "amazingdata/faults")
        self.requests = 0
        self.universe = Universe(self.days, settings.more_stocks)
        self.coverage = Coverage(
            exchange.seed, gaps=settings.gaps, holes=settings.holes, suspensions=settings.suspensions
        )
        self.bars = Bars(exchange, self.days, self.universe, self.coverage, settings.forms)
        self.tasks = Tasks(
            self.bars,
            self.universe,
            self.coverage,
            entropy,
            broken=settings.broken_codes,
            failures=settings.task_failures,
            failure_rate=settings.task_failure_rate,
            error_rate=settings.task_error_rate,
            code_ms=settings.task_ms_per_code,
            first=settings.first_task,
        )
        self.statements = Statements(settings.forms)
        self.configs = SdkConfigs()
        self.tokens = Tokens(entropy.token("amazingdata/secret", 64), settings.token_seconds)
        self._entropy = entropy
        self.now_ns()

    def now_ns(self) -> int:
        """The time, with market and tasks caught up to it.

        Raises:
            ConfigError: the calendar ends before it.
        """
        now_ns = self.clock.now_ns
        self.days.at_or_after(day_of(now_ns))
        self.exchange.advance(now_ns)
        self.tasks.settle(now_ns)
        return now_ns

    def log_in(self, username: str, password: str) -> dict[str, Any]:
        """A token.

        Raises:
            Failure: unknown, wrong, or not active.
        """
        for number, user in enumerate(self.settings.users, 1):
            if (user.username, user.password) == (username, password):
                if not user.is_active:
                    raise Failure(403, messages.FORBIDDEN)
                token = self.tokens.issue(number, username, self.clock.now_ns)
                return {"access_token": token, "token_type": "bearer", "expires_in": self.tokens.seconds}
        raise Failure(401, messages.BAD_LOGIN)

    def user(self, token: str | None) -> tuple[int, User]:
        """Whose token it is.

        Raises:
            Failure: none, not ours, or over.
        """
        number = None if token is None else self.tokens.user_id(token, self.clock.now_ns)
        if number is None:
            raise Failure(401, messages.BAD_TOKEN)
        return number, self.settings.users[number - 1]

    async def test_sdk(self, config: SdkConfig) -> dict[str, Any]:
        """Try a login at the data vendor; one that fails is a good answer too."""
        wrong = self.settings.sdk_password is not None and config.password != self.settings.sdk_password
        took_ns = self._entropy.stream("amazingdata/sdk").randrange(500, 2000) * 1_000_000
        text = messages.SDK_CONNECTED
        if wrong or not self.tasks.sdk_up:
            took_ns = SDK_TIMEOUT_NS
            text = messages.SDK_BAD_LOGIN if wrong else messages.SDK_TIMEOUT
        await self.clock.sleep(took_ns)
        good = text == messages.SDK_CONNECTED
        return {"success": good, "message": text, "response_time": took_ns / SECOND_NS}

    def lose_sdk(self) -> None:
        """The platform's login at its vendor is gone: tasks fail, detection and codes answer 500."""
        self.tasks.lose_sdk(self.clock.now_ns)

    def regain_sdk(self) -> None:
        self.tasks.sdk_up = True

    def need_sdk(self) -> None:
        """Raises:
        Failure: the platform is not logged in at its vendor.
        """
        if not self.tasks.sdk_up:
            raise Failure(500, messages.SDK_DOWN)

    # Wording, for the faulty edge

    def route_class(self, path: str) -> str:
        """``auth``, ``configs``, ``base``, ``stock``, ``future``, ``cache``, ``finance``, else ``page``."""
        name = path.removeprefix(f"{BASE}/").partition("/")[0] if path.startswith(f"{BASE}/") else ""
        return name if name in {"auth", "configs", "base", "stock", "future", "cache", "finance"} else "page"

    def throttled(self) -> Answer:
        """The page knows no 429; a proxy before it may."""
        return Answer.of(429, messages.JSON_TYPE, messages.encode({"detail": "Too Many Requests"}))

    def broken(self, path: str) -> Answer:
        return self.settings.forms.fault(messages.SDK_DOWN, messages.encode)

    def stamp(self) -> tuple[tuple[bytes, bytes], ...]:
        return (b"date", http_date(self.clock.now_ns)), (b"server", b"uvicorn")

    def next_request(self) -> int:
        self.requests += 1
        return self.requests
