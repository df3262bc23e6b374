"""The stages of ``router_builders``: one for each venue with an order side, its simulator made to do as it is told."""

from decimal import Decimal
from typing import Any

from engine.chaos import desktop_scenario, easyths_scenario, futu_scenario, scenario
from engine.chaos.desktop_scenario import HELD, LOT, SHARES, DesktopHangar
from engine.chaos.easyths_scenario import EasythsHangar
from engine.chaos.faults import AnswerLoss, PushRate
from engine.chaos.futu_scenario import FutuHangar
from engine.chaos.huatai_scenario import HuataiHangar
from engine.chaos.scenario import LOCK_MINUTES, STOCKS, MarketHangar
from engine.clock import Clock
from engine.domain.commands import Side
from engine.domain.ids import AccountId
from engine.domain.money import exact
from engine.entropy import Entropy
from engine.gateways.easyths.adapter import Easyths
from engine.gateways.futu.adapter import Futu
from engine.gateways.huatai.adapter import Huatai
from engine.gateways.surroundings import Surroundings
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.ports import Gateway
from engine.simulators.counter import CounterAccount, CounterPace, EntrustStatus, Opening
from engine.simulators.easyths import EasythsSimulator
from engine.simulators.futu import AnswerFaults, FutuAccount, FutuSimulator, PushFaults
from engine.simulators.futu.desk import Pace
from engine.simulators.futu.ledger import LONG
from engine.simulators.futu.trade_routes import TradeRoutes
from engine.simulators.huatai import HuataiSimulator
from engine.simulators.virtual_market import VirtualMarketSimulator
from engine.simulators.virtual_market.tokens import Tokens
from engine.simulators.virtual_market.venue import User
from tests.router_builders import Account, Stage, Theirs


class VirtualMarketStage(Stage, MarketHangar):
    """Market orders alone, filled in their answer; no order list."""

    settings, simulator = VirtualMarket, VirtualMarketSimulator
    account_id: AccountId = scenario.ACCOUNT
    code = STOCKS[0].code
    starts = ("2024-03-05T09:57:00+08:00",)

    def market(self) -> Any:
        simulator = VirtualMarketSimulator(
            seed=self.world.seed,
            lock_minutes=LOCK_MINUTES,
            stocks=STOCKS,
            history_days=1,
            users=(User(coins=self.cash),),
            faults=self.faults,
            **self.plan.more,
        )
        self.user = simulator.users[0]
        return simulator.app(self.clock, Entropy(self.world.seed))

    def open(self, clock: Clock, entropy: Entropy) -> Gateway:
        environ = {"SLUICE_VM_USER": self.user.login, "SLUICE_VM_PASSWORD": self.user.password}
        gateway: Gateway = VirtualMarket(
            base_url=f"http://127.0.0.1:{self.port}",
            account=self.account_id,
            lock=f"{LOCK_MINUTES}m",
            poll="40s",
            account_poll=self.plan.account_poll,
        ).open(Surroundings(clock=clock, entropy=entropy, environ=environ))
        return gateway

    def is_order(self, path: str) -> bool:
        return path.startswith("/api/v1/trade/")

    def lose_session(self) -> None:
        """Nothing revokes a token here; another secret ends them all."""
        self.venue.tokens = Tokens("another", 14.0)

    def person_buys(self, lots: int) -> None:
        self.venue.ledger.buy(self.user.login, STOCKS[0].code, lots, self.clock.now_ns, 0)

    def gift(self, lots: int) -> None:
        """Bought by somebody: what the venue lists nowhere is from nowhere."""
        self.person_buys(lots)

    def worth_slack(self, filled: int) -> Decimal:
        """What was filled without an answer is told by whole coins."""
        return Decimal(1)

    @property
    def scenario_holds(self) -> bool:
        return self.plan.person is None and self.plan.gift is None

    def theirs(self) -> Account:
        ledger, orders = self.venue.ledger, []
        for trade in ledger.trades(self.user.login):
            owners = self.witness.owners.get(trade.request, ())
            orders.append(
                Theirs(
                    client_id=owners[0].client_id if owners else "",
                    instrument=f"{trade.code}.VSM",
                    quantity=trade.quantity,
                    filled=trade.quantity,
                    value=trade.price * trade.quantity,
                    live=False,
                    filled_ns=trade.ts_ns,
                )
            )
        positions = {f"{code}.VSM": n for code, n in ledger.holdings(self.user.login).items() if n}
        return Account(positions=positions, cash=Decimal(ledger.coins(self.user.login)), orders=orders)


class FutuStage(Stage, FutuHangar):
    """A real account: fills are pushed, fees charged, trading unlocked first."""

    settings, simulator = Futu, FutuSimulator
    account_id = futu_scenario.ACCOUNT
    code = futu_scenario.SECURITIES[0].exchange_code
    starts: Any = ("2026-03-03T10:00:00+08:00",)
    real = True

    def market(self) -> Any:
        self.timers: list[Any] = []
        account = FutuAccount(
            acc_id=futu_scenario.ACC_ID,
            environment="real" if self.real else "simulate",
            markets=(1,),
            cash={"HKD": float(self.cash)},
            sim_acc_type=None if self.real else 1,
        )
        rates = [fault for fault in self.world.schedule if isinstance(fault, PushRate)]
        losses = [fault for fault in self.world.schedule if isinstance(fault, AnswerLoss)]
        push = PushFaults(chances={rate.kind: rate.chance for rate in rates}, only="trade")
        settings: dict[str, Any] = {
            "tick_seconds": self.plan.tick_seconds or 5.0,
            "pace": Pace(partial=self.plan.partial),
        }
        settings |= self.plan.more
        return FutuSimulator(
            seed=self.world.seed,
            securities=futu_scenario.SECURITIES,
            accounts=(account,),
            faults=self.faults,
            push=push,
            answers=AnswerFaults(script={loss.call: loss.kind for loss in losses}),
            **settings,
        ).app(self.clock, Entropy(self.world.seed))

    def is_order(self, path: str) -> bool:
        return path == "/api/order"

    def is_cancel(self, path: str) -> bool:
        return path == "/api/modify-order"

    def lose_session(self) -> None:
        """The daemon's log-in to its backend, and our connection for pushes with it."""
        self.venue.set_connected(False)
        self.venue.pusher.cut_all()

    def session_back(self) -> None:
        self.venue.set_connected(True)

    def person_buys(self, lots: int) -> None:
        security = futu_scenario.SECURITIES[0]
        price = self.venue.desk.views[security.key].bid * 0.97 // 1
        body = {
            "header": {"trd_env": int(self.real), "acc_id": futu_scenario.ACC_ID, "trd_market": 1},
            "trd_side": 1,
            "order_type": 1 if self.plan.person_rests else 2,
            "code": security.code,
            "qty": float(lots * security.lot),
            "price": price,
            "sec_market": 1,
        }
        TradeRoutes(self.venue).order(None, body, self.venue.now_ns())

    def gift(self, lots: int) -> None:
        security = futu_scenario.SECURITIES[0]
        self.venue.ledger.book(futu_scenario.ACC_ID).holding(security, LONG).quantity += lots * security.lot

    @property
    def scenario_holds(self) -> bool:
        return (
            self.plan.person is None
            and self.plan.gift is None
            and not any(order.live for order in self.theirs().orders)
        )

    def theirs(self) -> Account:
        ledger, acc_id = self.venue.ledger, futu_scenario.ACC_ID
        orders = [
            Theirs(
                client_id=order.remark or "",
                instrument=f"{order.security.code}.HK",
                quantity=order.quantity,
                filled=order.filled,
                value=order.value,
                live=not order.is_final,
                filled_ns=max((f.ts_ns for f in ledger.fills(acc_id) if f.order is order), default=0),
            )
            for order in ledger.orders(acc_id)
        ]
        positions = {f"{symbol[3:]}.HK": n for symbol, n in ledger.positions(acc_id).items()}
        return Account(positions=positions, cash=ledger.cash(acc_id)["HKD"], orders=orders)


class SimulatedFutuStage(FutuStage):
    """A simulate account: its fills must be worked out from orders' totals, and it charges no fees."""

    real = False


class DesktopStage(Stage, DesktopHangar):
    """A broker's client over the counter."""

    account_id = desktop_scenario.ACCOUNT
    code = SHARES[0]
    starts: Any = ("2026-03-03T10:00:00+08:00",)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.by_hand = self.plan.person is not None or self.plan.gift is not None

    @property
    def account(self) -> CounterAccount:
        holdings = tuple(Opening(code=code, quantity=HELD, price=Decimal(10)) for code in SHARES)
        return CounterAccount(cash=Decimal(self.cash), holdings=holdings)

    @property
    def pace(self) -> CounterPace:
        return CounterPace(partial=self.plan.partial)

    def is_order(self, path: str) -> bool:
        return path in self.order_paths

    def lose_session(self) -> None:
        self.lose_client()

    def session_back(self) -> None:
        self.client_back()

    def person_buys(self, lots: int) -> None:
        now_ns = self.present_ns()
        beside = Decimal("-0.2") if self.plan.person_rests else Decimal("0.05")
        price = exact(self.venue.exchange.quote(SHARES[0], now_ns).ask) + beside
        self.counter.place(SHARES[0], Side.BUY, lots * LOT, price.quantize(Decimal("0.01")), now_ns, source="manual")

    def gift(self, lots: int) -> None:
        self.counter.books.lots[SHARES[0]].quantity += lots * LOT

    def theirs(self) -> Account:
        now_ns, orders = self.present_ns(), []
        deals = self.counter.deals(now_ns)
        for entrust in self.counter.entrusts(now_ns):
            owners = self.witness.owners.get(entrust.request, ()) if entrust.source == "client" else ()
            if entrust.status is EntrustStatus.REJECTED and not entrust.filled:
                continue
            orders.append(
                Theirs(
                    client_id=owners[0].client_id if owners else "",
                    instrument=entrust.code,
                    quantity=entrust.quantity,
                    filled=entrust.filled,
                    value=entrust.value,
                    live=not entrust.is_final,
                    filled_ns=max((deal.ts_ns for deal in deals if deal.entrust is entrust), default=0),
                )
            )
        positions = {row.code: row.quantity for row in self.counter.holdings(now_ns) if row.quantity}
        return Account(positions=positions, cash=self.counter.funds(now_ns).cash, orders=orders)


class EasythsStage(DesktopStage, EasythsHangar):
    """The queue of operations. It has no session; the client behind it can be lost."""

    settings, simulator = Easyths, EasythsSimulator
    lead_seconds = 19.0
    generation: Any = "new"

    def market(self) -> Any:
        settings: dict[str, Any] = {"tick_seconds": self.plan.tick_seconds or 3.0} | self.plan.more
        return EasythsSimulator(
            seed=self.world.seed,
            generation=self.generation,
            api_key=easyths_scenario.KEY,
            account=self.account,
            counter=self.pace,
            quirk_script=self.script(),
            faults=self.faults,
            **settings,
        ).app(self.clock, Entropy(self.world.seed))

    def is_cancel(self, path: str) -> bool:
        return path.endswith("/order_cancel")

    def worth_slack(self, filled: int) -> Decimal:
        """Average prices come with three decimals, and are all there is."""
        return filled * Decimal("0.0005")


class OldEasythsStage(EasythsStage):
    """The release line before 1.7: another reply format, and no status that can be read."""

    generation = "old"


class HuataiStage(DesktopStage, HuataiHangar):
    """The window server with automatic login, the newest layer, and a client that shows results."""

    settings, simulator = Huatai, HuataiSimulator
    lead_seconds = 36.0

    def market(self) -> Any:
        settings: dict[str, Any] = {"tick_seconds": self.plan.tick_seconds or 3.0, "dialogs": "result"} | self.plan.more
        return HuataiSimulator(
            seed=self.world.seed, account=self.account, pace=self.pace, quirk_script=self.script(), faults=self.faults,
            **settings,
        ).app(self.clock, Entropy(self.world.seed))  # fmt: skip

    def is_cancel(self, path: str) -> bool:
        return path.endswith("/cancel-entrust")

    def lose_session(self) -> None:
        """Every session ends, the automatic one too, which the server never renews (contracts/ht.md 2)."""
        self.venue.sessions.clear()

    def session_back(self) -> None:
        """We have to connect anew."""


STAGES: dict[str, type[Stage]] = {
    "virtual_market": VirtualMarketStage,
    "futu": FutuStage,
    "futu simulated": SimulatedFutuStage,
    "easyths": EasythsStage,
    "old easyths": OldEasythsStage,
    "huatai": HuataiStage,
}
"""Name in tests -> stage."""
