"""EasyTHS in flight: see ``desktop_scenario``. Every third flight is over the older generation of the server."""

from collections.abc import Mapping
from typing import Any, ClassVar

from engine.chaos.desktop_scenario import DesktopHangar, Scenario
from engine.clock import Clock
from engine.entropy import Entropy
from engine.gateways.easyths.adapter import Easyths
from engine.gateways.surroundings import Surroundings
from engine.ports import Gateway
from engine.simulators.easyths import EasythsSimulator
from engine.simulators.easyths.quirks import Quirk
from engine.simulators.faults import Faults

PORT = 7648
KEY = "chaos"
NOT_FLOWN = frozenset(
    {
        Quirk.CONDITION_NOT_SET,
        Quirk.CONDITION_WINDOW_FAILED,
        Quirk.REPO_WINDOW_FAILED,
        Quirk.REPO_WRONG_ROW,
        Quirk.CAPTCHA_SOLVED,
    }
)
"""Of instructions, which the flight's strategies do not give; and one that is only slow."""


class EasythsHangar(DesktopHangar):
    """What outlives the engine's lives here."""

    port = PORT
    gateway = "easyths"
    order_paths = frozenset(f"/api/v1/operations/{name}" for name in ("buy", "sell", "market_buy", "market_sell"))
    quirks = tuple(quirk.value for quirk in Quirk if quirk not in NOT_FLOWN)
    routes = ("*", "order", "query", "status")

    hurry = 1.0
    """Factor on the pauses of the client's automation."""
    board: ClassVar[Mapping[str, Any]] = {}
    """What is listed, and how often it moves, where it is not the simulator's own."""

    @property
    def generation(self) -> Any:
        return "old" if self.world.seed % 3 == 0 else "new"

    def market(self) -> Any:
        self.lists_ended = self.world.entropy.stream("chaos/history").random() < 0.85
        return EasythsSimulator(
            seed=self.world.seed,
            generation=self.generation,
            api_key=KEY,
            account=self.account,
            counter=self.pace,
            pace=self.hurry,
            **self.board,
            history=self.lists_ended,
            quirk_script=self.script(),
            faults=Faults(script=self.server_share()),
        ).app(self.clock, Entropy(self.world.seed), exchange=self.shared_exchange())

    def present_ns(self) -> int:
        now_ns: int = self.venue.now_ns()
        return now_ns

    def lose_client(self) -> None:
        self.venue.client_lost = True

    def client_back(self) -> None:
        self.venue.client_lost = False

    def open(self, clock: Clock, entropy: Entropy) -> Gateway:
        gateway: Any = Easyths(
            base_url=f"http://127.0.0.1:{self.port}", account=self.account_name, instruments=self.shares, **self.polls
        ).open(Surroundings(clock=clock, entropy=entropy, environ={"API_KEY": KEY}))
        found: Gateway = gateway
        return found


SCENARIO = Scenario(EasythsHangar)
