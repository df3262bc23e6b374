"""Settings of the simulated AmazingData platform: they are the simulator."""

from msgspec import Struct
from starlette.applications import Starlette

from engine.clock import Clock
from engine.entropy import Entropy
from engine.simulators.amazingdata.app import make_app
from engine.simulators.amazingdata.forms import Forms
from engine.simulators.amazingdata.platform import AmazingData, User
from engine.simulators.amazingdata.tasks import TaskFailure
from engine.simulators.exchange import Exchange
from engine.simulators.faults import Faults
from engine.simulators.virtual_market import VirtualMarketSimulator


class AmazingDataSimulator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A copy of the AmazingData platform (contracts/amazingdata.md), answering in the main form of each example."""

    seed: int | None = None
    """Of the market, where no other face brings one; None draws it from the run's entropy."""
    users: tuple[User, ...] = (User(),)
    token_seconds: int = 86_400
    forms: Forms = Forms()
    codes_max: int = 50
    """Codes one K-line or finance call takes."""
    more_stocks: int = 0
    """Made-up shares besides the ten of the examples; the real list has more than 5000."""
    gaps: float = 0.01
    """Share of the past days that the cache lacks of a code, until a task fills them."""
    holes: float = 0.0
    """Share of the past days of which up to half an hour of minutes is lacking, until everything is cached anew."""
    suspensions: float = 0.0
    """Share of the past days on which a code does not trade."""
    broken_codes: tuple[str, ...] = ()
    """Codes the SDK gives nothing for: errors of detection and tasks."""
    first_task: int = 1
    task_ms_per_code: int = 200
    task_error_rate: float = 0.0
    """Chance that a code of a task is not got; the task completes with ``error_count``."""
    task_failure_rate: float = 0.0
    """Chance that a task fails on its way."""
    task_failures: tuple[TaskFailure, ...] = ()
    detect_ms_per_code: int = 2
    """How long a detection takes; it answers when done."""
    sdk_password: str | None = None
    """The one password the vendor takes from a configuration; None: any."""
    faults: Faults = Faults()

    def __post_init__(self) -> None:
        for name in ("gaps", "holes", "suspensions", "task_error_rate", "task_failure_rate"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share, 0 to 1, not {getattr(self, name)}")
        for name in ("token_seconds", "codes_max", "first_task"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if min(self.task_ms_per_code, self.detect_ms_per_code) < 0:
            raise ValueError("task_ms_per_code and detect_ms_per_code must be 0 or more")
        if not 0 <= self.more_stocks <= 5000:
            raise ValueError(f"more_stocks must be 0 to 5000, not {self.more_stocks}")

    def exchange(self, clock: Clock, entropy: Entropy) -> Exchange:
        """The default virtual market's, with this seed; the platform's own instruments need no listing in it."""
        return VirtualMarketSimulator(seed=self.seed).exchange(clock, entropy)

    def app(self, clock: Clock, entropy: Entropy, *, exchange: Exchange | None = None) -> Starlette:
        """The HTTP face under ``/api/v1``. ``app.state.platform`` is the running ``AmazingData``.

        Raises:
            ConfigError: the clock shows a day past the calendar's end.
        """
        market = self.exchange(clock, entropy) if exchange is None else exchange
        return make_app(AmazingData(self, clock, entropy, market))
