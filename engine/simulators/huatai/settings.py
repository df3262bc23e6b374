"""Settings of the simulated HT server: they are the simulator."""

from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct
from starlette.applications import Starlette

from engine.clock import Clock
from engine.domain.timestamps import DAY_NS, SECOND_NS
from engine.entropy import Entropy
from engine.simulators.china import TIMEZONE
from engine.simulators.counter import DEFAULT_SHARES, CounterAccount, CounterPace, Opening, Share
from engine.simulators.exchange import Exchange
from engine.simulators.faults import Faults
from engine.simulators.huatai.app import make_app
from engine.simulators.huatai.dialogs import CancelStyle, Layer, NumberName, Style
from engine.simulators.huatai.state import read_state
from engine.simulators.huatai.statements import NewShare
from engine.simulators.huatai.tables import Cells, Columns
from engine.simulators.huatai.venue import HuataiVenue
from engine.simulators.quirks import QuirkTrigger

DEFAULT_ACCOUNT = CounterAccount(
    user="12345678",
    cash=Decimal(1_000_000),
    holdings=(
        Opening(code="600000.SH", quantity=2000, price=Decimal("6.5")),
        Opening(code="000001.SZ", quantity=1500, price=Decimal("9.8")),
        Opening(code="510300.SH", quantity=10_000, price=Decimal("3.4")),
    ),
)


class HuataiSimulator(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A copy of the HT server and its client (contracts/ht.md).

    Defaults are the server with automatic login, the newest layer, and a client that asks before it sends;
    ``as_documented`` is what the vendor's page shows.
    """

    seed: int | None = None
    """Of prices and fills; None draws it from the run's entropy."""
    server: Literal["A", "B"] = "A"
    """A logs in by itself; B is the older one, with the tool routes."""
    automatic: bool = True
    """Whether A's configuration has user and passwords, so that it logs in at its start."""
    tools: bool | None = None
    """Whether wait, check-pop-dialog and close-pop-dialog are offered; None: as the server does, by B alone."""
    password: str = "your_trade_pwd"  # noqa: S105
    exe_path: str = "C:\\htzqzyb2\\xiadan.exe"
    window_title: str = "网上股票交易系统5.0"
    layer: Layer = "G3"
    dialogs: Style = "confirm"
    number_name: NumberName = "合同编号"
    """Which number the result dialog prints."""
    cancel_style: CancelStyle = "confirm"
    cancel_all_confirms: bool = True
    """The client asks before it cancels all; the server closes the question, and nothing is cancelled."""
    entrust_first: int = 101
    """The day's first 委托编号. The newest layer matches none below 100, so that such orders can not be cancelled."""
    same_numbers: bool = False
    """合同编号 is 委托编号 again."""
    new_shares: tuple[NewShare, ...] = ()
    """What auto-ipo finds."""
    http_codes: bool = False
    """The HTTP status is the code, as the document reads; real servers say 200."""
    columns: Columns = "client"
    cells: Cells = "guessed"
    separators: bool = True
    """Amounts of the tables with thousand separators."""
    times: Literal["colons", "digits"] = "colons"
    """Times of the tables: ``09:35:20``, or ``093520``, which arrives as 93520."""
    deal_numbers: tuple[Literal["成交编号", "合同编号", "委托编号"], ...] = ("合同编号", "成交编号")
    """Numbers today's trades show in the client's columns."""
    frozen_cash: bool = False
    """Whether the balance has 冻结资金."""
    table_failure: bool = False
    """No table can be read: all are empty."""
    label_failure: bool = False
    """No label can be read: the balance is all zeros."""
    client_lost: bool = False
    """The client has ended before the first call; a login starts it."""
    session_minutes: float = 30.0
    """Idle time after which a session expires."""
    pauses: float = 1.0
    """Factor on the automation's pauses, which go by the simulator's clock; 0: none."""
    lock: bool = False
    """One request at a time in the window. No real server has it."""
    timezone: str = TIMEZONE
    tick_seconds: float = 60.0
    """Distance of the price steps, where this face opens the mainland's board."""
    shares: tuple[Share, ...] = DEFAULT_SHARES
    account: CounterAccount = DEFAULT_ACCOUNT
    """``user`` is the login's."""
    pace: CounterPace = CounterPace()
    quirks: dict[str, float] = {}
    """Quirk -> chance on each of its occasions."""
    quirk_script: tuple[QuirkTrigger, ...] = ()
    faults: Faults = Faults()
    state_path: str | None = None
    """A JSON file rewritten after each change of the account; a later start with it goes on with that account. The
    server's sessions are lost in between, as the real one's are."""

    def __post_init__(self) -> None:
        if not self.session_minutes > 0:
            raise ValueError(f"session_minutes must be above 0, not {self.session_minutes}")
        if not self.pauses >= 0:
            raise ValueError(f"pauses is a factor, 0 or more, not {self.pauses}")

        if not self.tick_seconds > 0 or DAY_NS % round(self.tick_seconds * SECOND_NS):
            raise ValueError(f"tick_seconds must divide a day, as 60 does, not {self.tick_seconds}")
        if self.entrust_first < 1:
            raise ValueError(f"entrust_first is the day's first number, 1 or more, not {self.entrust_first}")

    @property
    def logs_in(self) -> bool:
        """Whether a start of the server logs in by itself."""
        return self.server == "A" and self.automatic

    @property
    def has_tools(self) -> bool:
        return self.server == "B" if self.tools is None else self.tools

    def exchange(self, clock: Clock, entropy: Entropy) -> Exchange:
        """The default virtual market's: this face adds its own board to whatever market it stands over.

        Raises:
            ConfigError: the state file can not be used.
        """
        from engine.simulators.virtual_market import VirtualMarketSimulator

        state = read_state(self, clock.now_ns)
        seed = self.seed if state is None else state.counter.market_seed
        return VirtualMarketSimulator(seed=seed).exchange(clock, entropy)

    def app(self, clock: Clock, entropy: Entropy, *, exchange: Exchange | None = None) -> Starlette:
        """The face. ``app.state.venue`` is the running ``HuataiVenue``, its ``counter`` the oracle.

        Args:
            exchange: a market shared with other faces; None makes one.

        Raises:
            ConfigError: account or shares do not fit, or the state file can not be used.
        """
        market = self.exchange(clock, entropy) if exchange is None else exchange
        return make_app(HuataiVenue(self, clock, entropy, market))


def as_documented(**settings: Any) -> HuataiSimulator:
    """The server as the vendor's page tells it: its columns, its replies with code 200, its tool routes, and an HTTP
    status that is the code."""
    page: dict[str, Any] = {
        "layer": "document",
        "columns": "document",
        "cells": "document",
        "tools": True,
        "http_codes": True,
        "separators": False,
    }
    return HuataiSimulator(**(page | settings))
