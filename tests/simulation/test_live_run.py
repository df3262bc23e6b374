"""The live run over real sockets, against a market that misbehaves on request."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio

from engine import Fill, OrderEvent, Quote, Strategy
from engine.domain.commands import CancelOrder
from engine.domain.events import KillLevel, OrderSubmitted
from engine.domain.ids import ClientOrderId, InstrumentId
from engine.domain.order import OrderState
from engine.journal.memory import MemoryJournal
from engine.journal.sqlite import SqliteJournal
from engine.runtime.live import LiveRun
from engine.runtime.reconciling import accept
from engine.simulators.faults import Fault, Trigger
from tests.core_builders import a_command
from tests.live_builders import ACCOUNT, a_trading_place, trade_until

STOCK = InstrumentId("CY.VSM")


class BuysOnce(Strategy):
    """Buys 100 on the first quote of a run in which it holds nothing."""

    def on_start(self) -> None:
        self.heard: list[OrderState] = []
        self.filled = 0

    def on_quote(self, quote: Quote) -> None:
        if not self.position(quote.instrument) and not self.working_orders() and not self.heard:
            self.buy(quote.instrument, 100)

    def on_order(self, event: OrderEvent) -> None:  # type: ignore[override]
        self.heard.append(event.state)

    def on_fill(self, fill: Fill) -> None:
        self.filled += fill.quantity


class BuysAtALimit(BuysOnce):
    """Offers ten percent more than the market asks, so that the limit is touched at once."""

    def on_quote(self, quote: Quote) -> None:
        if not self.heard and not self.working_orders() and not self.filled:
            self.buy(quote.instrument, 100, quote.ask * 1.01)


def heard(run: object, name: str) -> list[OrderState]:
    return run.core.runner.seats[name].strategy.heard  # type: ignore[attr-defined, no-any-return]


async def test_an_order_is_filled_over_http_and_our_book_equals_the_venues(tmp_path: Path) -> None:
    """After a run our positions and cash are the venue's, to the coin."""
    async with a_trading_place() as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        await trade_until(run, lambda: bool(place.fills))
        book = run.core.portfolio.accounts[ACCOUNT]
        assert [(t.side, t.quantity) for t in place.trades()] == [("buy", 100)]
        assert book.positions[STOCK].quantity == 100
        assert book.cash["COIN"] == place.ledger.coins(place.user.login)
        assert book.available_cash("COIN") == book.cash["COIN"]


async def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(tmp_path: Path) -> None:
    """Booked, answer dropped: UNKNOWN, then filled by the evidence of the position; one trade at the venue."""
    async with a_trading_place(faults=[Trigger(call=1, route="trade", fault=Fault.DROP_AFTER)]) as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        await trade_until(run, lambda: bool(place.fills))
        assert len(place.trades()) == 1
        assert heard(run, "BuysOnce")[0] is OrderState.UNKNOWN
        assert [f.quantity for f in place.fills] == [100]
        assert run.core.portfolio.accounts[ACCOUNT].cash["COIN"] == place.ledger.coins(place.user.login)


async def test_an_order_that_never_arrived_is_proven_absent_by_two_readings(tmp_path: Path) -> None:
    """Dropped before booking: UNKNOWN until two readings after the longest lag show no trace, then NOT_PLACED."""
    async with a_trading_place(faults=[Trigger(call=1, route="trade", fault=Fault.DROP_BEFORE)]) as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        await trade_until(run, lambda: OrderState.NOT_PLACED in heard(run, "BuysOnce"))
        assert heard(run, "BuysOnce") == [OrderState.UNKNOWN, OrderState.NOT_PLACED]
        assert place.trades() == []
        assert run.core.portfolio.accounts[ACCOUNT].available_cash("COIN") == Decimal(1_000_000)


async def test_a_throttled_order_ends_rejected(tmp_path: Path) -> None:
    """The limiter's own 429 proves that nothing was done."""
    async with a_trading_place(faults=[Trigger(call=1, route="trade", fault=Fault.THROTTLED)]) as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        await trade_until(run, lambda: bool(heard(run, "BuysOnce")))
        assert heard(run, "BuysOnce") == [OrderState.REJECTED]
        assert place.trades() == []


async def test_a_limit_order_is_held_until_the_market_touches_it(tmp_path: Path) -> None:
    """The venue knows market orders only: the engine holds a limit, and lets it go at its price."""
    async with a_trading_place() as place:
        run = place.run([BuysAtALimit], tmp_path / "journal.sqlite3")
        await trade_until(run, lambda: bool(place.fills))
        assert len(place.trades()) == 1
        assert run.held.held == {}


async def test_a_latched_account_sends_nothing(tmp_path: Path) -> None:
    """After a halt no new order leaves, and the strategy is told why."""
    async with a_trading_place() as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        run.core.manager.latch(KillLevel.HALT, "all", "test", "operator")
        await trade_until(run, lambda: bool(place.denied))
        assert place.denied[0].code == "KILLED"
        assert place.trades() == []


class CancelsMeanwhile:
    """A journal; while the first intent is on its way to the disk, a person cancels the order."""

    def __init__(self, run: LiveRun) -> None:
        self._run = run
        self._journal = run.journal
        self.canceled: list[ClientOrderId] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def durable(self, seq: int) -> None:
        for order in list(self._run.core.manager.working.values()):
            if order.state is OrderState.QUEUED and not self.canceled:
                self.canceled.append(order.request.client_id)
                command = CancelOrder(client_id=order.request.client_id, ts_ns=self._run.clock.now_ns, who="person")
                self._run.core.manager.on_cancel(command)
        await self._journal.durable(seq)


async def test_an_order_cancelled_while_its_intent_is_written_does_not_leave(tmp_path: Path) -> None:
    """It was still queued: it ends withdrawn, and the venue never hears of it."""
    async with a_trading_place() as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        box = run.boxes[ACCOUNT]
        meanwhile = CancelsMeanwhile(run)
        box._journal = meanwhile
        await trade_until(run, lambda: bool(meanwhile.canceled) and box.idle)
        assert heard(run, "BuysOnce")[-1] is OrderState.CANCELED
        assert place.trades() == []


async def test_a_restart_replays_to_the_same_book_and_sends_nothing_again(tmp_path: Path) -> None:
    """A second run over the journal holds what the first bought, and its client ids go on counting."""
    journal = tmp_path / "journal.sqlite3"
    async with a_trading_place() as place:
        first = place.run([BuysOnce], journal)
        await trade_until(first, lambda: bool(place.fills))
        second = place.run([BuysOnce], journal)
        await trade_until(second, lambda: True)
        ours, theirs = first.core.portfolio.accounts[ACCOUNT], second.core.portfolio.accounts[ACCOUNT]
        assert theirs.positions[STOCK].quantity == ours.positions[STOCK].quantity == 100
        assert theirs.cash == ours.cash
        assert second.core.manager.orders_made == {"BuysOnce": 1}
        assert len(place.trades()) == 1


async def test_an_operators_latch_survives_a_restart(tmp_path: Path) -> None:
    """Only people clear a latch; a restart does not."""
    journal = tmp_path / "journal.sqlite3"
    async with a_trading_place() as place:
        first = place.run([BuysOnce], journal)
        first.core.manager.latch(KillLevel.HALT, "all", "test", "operator")
        await trade_until(first, lambda: True)
        second = place.run([BuysOnce], journal)
        await trade_until(second, lambda: bool(place.denied))
        assert place.trades() == []


async def test_a_manual_trade_that_no_list_shows_latches_the_account_until_it_is_accepted(tmp_path: Path) -> None:
    """Shares nobody can explain: no new order until a person accepts them; then they are EXTERNAL."""
    async with a_trading_place() as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        bought = False

        def done() -> bool:
            nonlocal bought
            if place.fills and not bought:
                place.ledger.buy(place.user.chat_id, "DL", 30, place.clock.now_ns, 0)
                bought = True
            return any("DL.VSM" in alert.text for alert in place.alerts)

        await trade_until(run, done)
        assert run.core.view.latches[f"account:{ACCOUNT}"].who == "reconciliation"
        assert run.core.portfolio.account_quantity(ACCOUNT, InstrumentId("DL.VSM")) == 0
        again = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        await trade_until(again, lambda: True)
        assert again.core.view.latches[f"account:{ACCOUNT}"].level is KillLevel.HALT
        third = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        accepted: list[object] = []

        def accepts() -> bool:
            accepted.extend(accept(third.core, ACCOUNT, "tester", "bought by hand"))
            return True

        await trade_until(third, accepts)
        assert len(accepted) == 2
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        await trade_until(run, lambda: True)
        assert not run.core.view.latches
        book = run.core.portfolio.accounts[ACCOUNT]
        assert book.positions[InstrumentId("DL.VSM")].quantity == 30
        assert run.core.portfolio.strategy_quantity("BuysOnce", InstrumentId("DL.VSM")) == 0  # type: ignore[arg-type]
        assert book.cash["COIN"] == place.ledger.coins(place.user.login)


async def test_what_is_found_at_the_very_end_is_still_decided(tmp_path: Path) -> None:
    """What one reading of a stop found, the next one confirms; what nothing explains is latched for the next run."""
    async with a_trading_place() as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        seeker = run.seekers[ACCOUNT]
        look, settle, looks = seeker.look, seeker.settle, -1

        async def settled(deadline_ns: int) -> bool:
            nonlocal looks
            done = await settle(deadline_ns)
            looks = 0 if run.stop_reason else -1
            return done

        async def late() -> Any:
            nonlocal looks
            looks += looks >= 0
            if looks == 2:
                place.ledger.buy(place.user.chat_id, "DL", 30, place.clock.now_ns, 0)
            return await look()

        # Nobody looks but the stop itself, whose second look finds what was bought a moment before.
        seeker.settle, seeker.look, seeker.run = settled, late, anyio.sleep_forever  # type: ignore[method-assign]
        await trade_until(run, lambda: bool(place.fills))
        held = {row.what: row.missing for row in run.core.reconciler.findings[ACCOUNT]}
        assert held["DL.VSM"] == 30
        assert held["COIN"] == place.ledger.coins(place.user.login) - run.core.portfolio.accounts[ACCOUNT].cash["COIN"]
        assert run.core.view.latches[f"account:{ACCOUNT}"].who == "reconciliation"


async def test_the_journal_tells_intent_send_and_outcome_in_that_order(tmp_path: Path) -> None:
    """INTENT before SEND before the outcome, each a row (RELIABILITY 3.1)."""
    async with a_trading_place() as place:
        run = place.run([BuysOnce], tmp_path / "journal.sqlite3")
        await trade_until(run, lambda: bool(place.fills))
    journal = SqliteJournal(tmp_path / "journal.sqlite3", inline=True)
    kinds = [type(record).__name__ for _, record in journal.records()]
    journal.close()
    steps = [kind for kind in kinds if kind in ("OrderSubmitted", "OrderSent", "OrderReport")]
    assert steps[:4] == ["OrderSubmitted", "OrderSent", "OrderReport", "OrderReport"]


async def test_a_start_takes_its_journal_in_record_by_record(monkeypatch: Any) -> None:
    """A year of records is never in memory at once: each is relived before the next is read (RELIABILITY 7)."""
    journal, known, records = MemoryJournal(), [], MemoryJournal.records
    for number in range(1, 5):
        order = a_command(number, account=ACCOUNT)
        journal.append(OrderSubmitted(order=order, ts_ns=number, reserved_cash=Decimal(0)))
    async with a_trading_place() as place:
        run = place.run([], journal)

        def watched(self: MemoryJournal) -> Any:
            for row in records(self):
                known.append(len(run.core.manager.orders))
                yield row

        monkeypatch.setattr(MemoryJournal, "records", watched)
        assert run._recover() is False
    assert known[:4] == [0, 1, 2, 3]
