"""Balance and tables. What could not be read looks like nothing there, with code 200 (contracts/ht.md 3)."""

from collections.abc import Awaitable, Callable

from engine.simulators.huatai import window
from engine.simulators.huatai.quirks import AT_TABLE, HuataiQuirk
from engine.simulators.huatai.tables import Sheet, parsed
from engine.simulators.huatai.venue import Call, HuataiVenue
from engine.simulators.huatai.wire import Reply

DONE = "查询成功"
COPIED = 0.75
"""How far a table's pause has come when its rows are copied."""


class QueryRoutes:
    def __init__(self, venue: HuataiVenue) -> None:
        self._venue = venue

    def handlers(self) -> dict[str, Callable[[Call], Awaitable[Reply]]]:
        return {
            "balance": self.balance,
            "position": self.position,
            "today-entrusts": self.today_entrusts,
            "today-trades": self.today_trades,
            "cancel-entrusts": self.cancel_entrusts,
        }

    async def balance(self, call: Call) -> Reply:
        """``{}`` without a client, zeros where the labels can not be read."""
        venue = self._venue
        venue.meddle()
        async with venue.window.turn() as turn:
            await turn.wait(window.BALANCE_S)
            if not venue.window.up:
                return Reply(200, DONE, {})
            funds = venue.statements.funds(venue.clock.now_ns)
            unreadable = not venue.window.labels_readable or venue.window.popup is not None
            if venue.quirks.happens(HuataiQuirk.ZERO_BALANCE) or unreadable:
                funds = dict.fromkeys(funds, 0.0)
            return Reply(200, DONE, funds)

    async def position(self, call: Call) -> Reply:
        return await self._table(self._venue.statements.positions)

    async def today_entrusts(self, call: Call) -> Reply:
        return await self._table(self._venue.statements.orders)

    async def today_trades(self, call: Call) -> Reply:
        return await self._table(self._venue.statements.trades)

    async def cancel_entrusts(self, call: Call) -> Reply:
        return await self._table(self._venue.statements.live_orders, window.CANCEL_LIST_S)

    async def _table(self, copy: Callable[[int], Sheet], pause_s: float = window.TABLE_S) -> Reply:
        venue = self._venue
        venue.meddle()
        async with venue.window.turn() as turn:
            await turn.wait(pause_s, COPIED)
            sheet = self._quirky(copy(venue.clock.now_ns))
            rows = parsed(sheet, venue.settings.cells) if venue.window_readable else []
            await turn.wait(pause_s, 1 - COPIED)
            return Reply(200, DONE, rows)

    def _quirky(self, sheet: Sheet) -> Sheet:
        match self._venue.quirks.happens(*AT_TABLE):
            case HuataiQuirk.EMPTY_TABLE:
                sheet.rows.clear()
            case HuataiQuirk.SHORT_ROW if sheet.rows:
                sheet.rows[-1].pop()
            case HuataiQuirk.REPEATED_ROWS:
                sheet.rows += sheet.rows[-2:]
        return sheet
