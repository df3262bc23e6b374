"""The HT client in flight: see ``desktop_scenario``. Servers A and B, layers and dialogs are drawn for each seed."""

from collections.abc import Mapping
from typing import Any, ClassVar

from engine.chaos.desktop_scenario import DesktopHangar, Scenario
from engine.clock import Clock
from engine.entropy import Entropy
from engine.gateways.huatai.adapter import Huatai
from engine.gateways.surroundings import Surroundings
from engine.ports import Gateway
from engine.simulators.faults import Faults
from engine.simulators.huatai import HuataiSimulator
from engine.simulators.huatai.quirks import HuataiQuirk

PORT = 5000
USER, PASSWORD, COMM_PASSWORD = "12345678", "your_trade_pwd", "your_comm_pwd"


class HuataiHangar(DesktopHangar):
    """What outlives the engine's lives here."""

    port = PORT
    gateway = "huatai"
    order_paths = frozenset(f"/api/trader/{name}" for name in ("buy", "sell", "market-buy", "market-sell"))
    quirks = tuple(quirk.value for quirk in HuataiQuirk)
    routes = ("*", "order", "cancel", "query", "session")

    hurry = 1.0
    """Factor on the pauses of the client's automation."""
    board: ClassVar[Mapping[str, Any]] = {}
    """What is listed, and how often it moves, where it is not the simulator's own."""

    def market(self) -> Any:
        draw = self.world.entropy.stream("chaos/huatai")
        server: Any = draw.choice(("A", "A", "B"))
        layer: Any = draw.choice(("G3", "G3", "G1"))
        dialogs: Any = draw.choice(("confirm", "result", "none"))
        return HuataiSimulator(
            seed=self.world.seed,
            server=server,
            layer=layer,
            dialogs=dialogs,
            same_numbers=draw.random() < 0.3,
            tools=True,
            pauses=self.hurry,
            **{"tick_seconds": 3.0, **self.board},
            session_minutes=draw.choice((30.0, 8.0)),
            account=self.account,
            pace=self.pace,
            quirk_script=self.script(),
            faults=Faults(script=self.server_share()),
        ).app(self.clock, Entropy(self.world.seed), exchange=self.shared_exchange())

    def lose_client(self) -> None:
        self.venue.window.end()

    def client_back(self) -> None:
        self.venue.window.up = True
        self.venue.close_popup()

    def open(self, clock: Clock, entropy: Entropy) -> Gateway:
        environ = {"SLUICE_HT_USER": USER, "SLUICE_HT_PASSWORD": PASSWORD, "SLUICE_HT_COMM_PASSWORD": COMM_PASSWORD}
        gateway: Any = Huatai(
            base_url=f"http://127.0.0.1:{self.port}", account=self.account_name, instruments=self.shares, **self.polls
        ).open(Surroundings(clock=clock, entropy=entropy, environ=environ))
        found: Gateway = gateway
        return found


SCENARIO = Scenario(HuataiHangar)
