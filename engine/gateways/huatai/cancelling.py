"""Withdrawing one order, by the number the server happens to compare, and proven by the tables (contracts/ht.md 3.2).

No answer to a cancel tells what was cancelled: a success comes as a failure, with the number of the cancel itself. So
after every request the list of what can be cancelled is read again, and then the list of the day.
"""

from collections.abc import Sequence

from msgspec import Struct

from engine.domain.errors import BadMessage, OutcomeUnknown, Refused
from engine.domain.evidence import Evidence
from engine.gateways.huatai import texts
from engine.gateways.huatai.client import HuataiClient
from engine.gateways.huatai.evidence import state_of
from engine.gateways.huatai.tables import OrderLine, Reader
from engine.net.rate_limit import Priority


class Withdrawal(Struct, frozen=True, kw_only=True):
    """How an order stands after we asked for its withdrawal.

    ``listed``: it can still be cancelled, as the client shows it. ``words``: the server's last ones, if it was asked.
    """

    line: OrderLine
    state: Evidence
    cum: int
    listed: bool
    words: str
    as_of_ns: int

    @property
    def pending(self) -> bool:
        return self.state is Evidence.WORKING and "待撤" in self.line.word

    @property
    def refused(self) -> bool:
        """Provably nothing was done: the server found no such order, and it is still there."""
        return self.state is Evidence.WORKING and self.listed and texts.cancel_not_found(self.words)


class Canceller:
    def __init__(self, client: HuataiClient, reader: Reader) -> None:
        self._client = client
        self._reader = reader

    async def withdraw(self, wanted: OrderLine) -> Withdrawal:
        """Ask until the order is gone from the list, or every number it has was tried; then look at the day's list.

        Raises:
            OutcomeUnknown: the day's list does not show it. NotSent, Refused, BadMessage: as the calls fail.
        """
        others = listed = await self._listed()
        line = _same(wanted, listed)
        if line is None:
            # That list may be unreadable, which looks like an empty one, or have the other one of the two numbers.
            today = await self._of_today()
            line = _same(wanted, today)
            wanted, others = line or wanted, listed + today
        words = ""
        for number in _attempts(line, others) if line is not None else ():
            answered = True
            try:
                words = (await self._client.cancel_entrust(number)).words
            except (OutcomeUnknown, BadMessage) as error:
                # It may have been done: the tables tell.
                words, answered = error.message, False
            listed = await self._listed()
            if not answered or _same(wanted, listed) is None or not texts.cancel_not_found(words):
                break
        return await self._outcome(wanted, _same(wanted, listed) is not None, words)

    async def withdraw_all(self) -> list[Withdrawal | str]:
        """Every order in the list, one by one; the reason where one's outcome is not known.

        Raises:
            GatewayError: the list could not be read.
        """
        done: list[Withdrawal | str] = []
        for line in await self._listed():
            try:
                done.append(await self.withdraw(line))
            except (OutcomeUnknown, BadMessage, Refused) as error:
                done.append(error.message)
        return done

    async def _outcome(self, wanted: OrderLine, listed: bool, words: str) -> Withdrawal:
        reply = await self._client.today_entrusts(Priority.ORDER)
        line = _same(wanted, self._reader.orders(reply))
        if line is None:
            raise OutcomeUnknown(f"cancel of {'/'.join(wanted.numbers)}: today-entrusts does not show it; {words}")
        state, cum = state_of(line, None)
        return Withdrawal(line=line, state=state, cum=cum, listed=listed, words=words, as_of_ns=reply.began_ns)

    async def _listed(self) -> tuple[OrderLine, ...]:
        return self._reader.orders(await self._client.cancel_entrusts(Priority.ORDER))

    async def _of_today(self) -> tuple[OrderLine, ...]:
        """Those of the day that have not ended."""
        lines = self._reader.orders(await self._client.today_entrusts(Priority.ORDER))
        return tuple(line for line in lines if state_of(line, None)[0] in (Evidence.WORKING, Evidence.AMBIGUOUS))


def _same(wanted: OrderLine, lines: Sequence[OrderLine]) -> OrderLine | None:
    """The row of the same order. The numbers of the one wanted may be of either column; one of them on a row of another
    quantity is not it."""
    mine = [
        line
        for line in lines
        if (line.instrument, line.quantity) == (wanted.instrument, wanted.quantity)
        and set(line.numbers) & set(wanted.numbers)
    ]
    return mine[0] if len(mine) == 1 else None


def _attempts(line: OrderLine, lines: Sequence[OrderLine]) -> list[str | int]:
    """What to send, in order: the number the current layers compare, then the other one, as text and as a number.

    A number that is also another order's, whatever its column, is never sent.
    """
    first = line.entrust or line.contract
    other = line.contract if line.entrust else line.entrust
    wanted: list[str | int] = [first]
    for number in (other or first,):
        wanted += [number, int(number)] if number.isdigit() else [number]
    strange = {number for each in lines if not _is_copy(each, line) for number in each.numbers}
    return list(dict.fromkeys(number for number in wanted if str(number) not in strange))


def _is_copy(row: OrderLine, line: OrderLine) -> bool:
    """Whether two rows, of whichever list, are one order: by the column both have, not by a number in two columns."""
    if row.instrument != line.instrument:
        return False
    if row.contract and line.contract:
        return row.contract == line.contract
    if row.entrust and line.entrust:
        return row.entrust == line.entrust
    return bool(set(row.numbers) & set(line.numbers))
