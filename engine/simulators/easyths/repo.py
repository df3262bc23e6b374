"""Reverse repos: money lent for some days against government bonds, on the client's own page (contract 3 and 5).

The counter's books know shares alone, so the loans are kept here; what they tie up is taken from the counter's cash and
comes back with interest. An order for one lies open for some seconds, then it is filled whole. Rates are made up for
each day; there is no fee.
"""

from decimal import ROUND_HALF_UP, Decimal
from random import Random

from msgspec import Struct

from engine.domain.money import CENT, ZERO
from engine.domain.timestamps import SECOND_NS
from engine.simulators.china import day_of, days
from engine.simulators.chronicle import mixed
from engine.simulators.counter import Counter
from engine.simulators.easyths.catalog import MARKETS, TERMS

CODES = {
    "上海": ("204001", "204002", "204003", "204004", "204007"),
    "深圳": ("131810", "131811", "131800", "131809", "131801"),
}
NAMES = {"上海": "GC", "深圳": "R-"}
UNIT = 100
"""Yuan of one unit of an order."""
FILLS_NS = (2 * SECOND_NS, 20 * SECOND_NS)
NUMBER_FIRST = 5_000_000_000
_YEAR = 365


class Repo(Struct, frozen=True):
    """One row of the page."""

    market: str
    term: str
    code: str

    @property
    def days(self) -> int:
        return int(self.term.removesuffix("天期"))

    @property
    def name(self) -> str:
        return f"{NAMES[self.market]}{self.days:03d}"


REPOS = tuple(Repo(market, term, CODES[market][place]) for place, term in enumerate(TERMS) for market in MARKETS)
"""In the order of the page, the first of them selected when it opens."""


class Loan(Struct, kw_only=True):
    """One order to lend; ``rate`` is in percent a year."""

    number: int
    repo: Repo
    amount: int
    rate: Decimal
    ts_ns: int
    fills_ns: int
    day: int
    due_day: int
    """Trading day (ordinal) on which the money is back."""
    request: int
    repaid: bool = False

    @property
    def quantity(self) -> int:
        return self.amount // UNIT

    def filled(self, now_ns: int) -> bool:
        return now_ns >= self.fills_ns

    @property
    def interest(self) -> Decimal:
        lent = Decimal(self.amount) * self.rate / 100 * self.repo.days / _YEAR
        return lent.quantize(CENT, ROUND_HALF_UP)


class RepoDesk:
    """Every loan of the account, in the order they were made; ``selected`` is the row that was chosen last."""

    def __init__(self, counter: Counter, draw: Random) -> None:
        self.loans: list[Loan] = []
        self.selected = REPOS[0]
        self._counter = counter
        self._draw = draw

    def take_up(self, loans: list[Loan], selected: Repo) -> None:
        """Go on with the loans of an earlier life."""
        self.loans, self.selected = loans, selected
        for _ in loans:
            self._draw.randint(*FILLS_NS)

    def rate(self, repo: Repo, now_ns: int) -> Decimal:
        """Percent a year, of a day: steps of 0.005 between 1 and 4."""
        steps = mixed(self._counter.seed, day_of(now_ns), int(repo.code)) % 600
        return Decimal("1.000") + steps * Decimal("0.005")

    def available(self, now_ns: int) -> Decimal:
        return self._counter.funds(now_ns).available

    def lend(self, repo: Repo, amount: int, now_ns: int, request: int) -> Loan | None:
        """Enter an order to lend; None out of hours, when no order is taken."""
        self._counter.advance(now_ns)
        if self._counter.rules.takes_from_ns(now_ns) is None:
            return None
        self._counter.books.cash -= amount
        day = self._counter.day(now_ns)
        loan = Loan(
            number=NUMBER_FIRST + mixed(self._counter.seed, 17, len(self.loans)) % 1_000_000_000,
            repo=repo,
            amount=amount,
            rate=self.rate(repo, now_ns),
            ts_ns=now_ns,
            fills_ns=now_ns + self._draw.randint(*FILLS_NS),
            day=day,
            due_day=days().at_or_after(day + repo.days),
            request=request,
        )
        self.loans.append(loan)
        self._counter.books.changed = True
        return loan

    def settle(self, now_ns: int) -> None:
        """Bring back what is due."""
        today = day_of(now_ns)
        for loan in self.loans:
            if not loan.repaid and loan.due_day <= today:
                loan.repaid = True
                self._counter.books.changed = True
                self._counter.books.cash += loan.amount + loan.interest

    def ordered(self, now_ns: int) -> Decimal:
        """Money in orders that are not filled yet."""
        return sum((Decimal(loan.amount) for loan in self.loans if not loan.filled(now_ns)), ZERO)

    def outstanding(self) -> Decimal:
        """Money that is not back."""
        return sum((Decimal(loan.amount) for loan in self.loans if not loan.repaid), ZERO)
