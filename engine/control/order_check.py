"""One order shown to every limit, over a small book of the asker's own."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from engine.clock import LiveClock
from engine.control.backtest_plan import INSTRUMENTS_FILE
from engine.control.limit_words import EFFECT_WORDS, LIMIT_WORDS
from engine.control.options import read_amount, read_moment, read_table
from engine.data.instruments import derived_instrument, read_instruments
from engine.domain.account import Environment
from engine.domain.commands import OrderType, Side, SubmitOrder
from engine.domain.errors import ConfigError
from engine.domain.events import PositionAdjusted
from engine.domain.ids import EXTERNAL, AccountId, ClientOrderId, StrategyId
from engine.domain.instrument import Instrument
from engine.domain.market import Quote
from engine.markets import MARKETS
from engine.markets.rulebook import RuleBook
from engine.matching.venue import SHEET
from engine.portfolio import Portfolio
from engine.risk.checker import RiskChecker
from engine.risk.environment import ProvenEnvironment
from engine.risk.profiles import limits_for
from engine.risk.view import RiskView
from engine.risk.what_if import WhatIf, what_if
from engine.runtime.settings_reading import near

ACCOUNT = AccountId("check")


class Question(Struct, frozen=True, kw_only=True):
    """The command line of ``check order`` as it was typed."""

    instrument: str
    side: str
    quantity: int
    price: str | None = None
    config: Path | None = None
    profile: str | None = None
    risk: Sequence[str] = ()
    at: str | None = None
    cash: str = "1000000"
    position: int = 0
    mark: str | None = None
    previous_close: str | None = None
    market: str | None = None
    instruments_file: Path | None = None


def judge(question: Question) -> WhatIf:
    """Every limit's verdict, in order, and the effects. Rates and daily values start empty; the venue can do what the
    simulated one can, and is taken for reconciled, armed, and of the environment that config says.

    Raises:
        ConfigError: one sentence with the option and the mend.
    """
    if question.side not in list(Side):
        raise ConfigError(f"--side {question.side}: there is no such side{near(question.side, list(Side))}")
    instrument, books, profile, rules = _world(question)
    price = None if question.price is None else read_amount("--price", question.price)
    now_ns = _moment(question, books[instrument.market])
    order = SubmitOrder(
        client_id=ClientOrderId("check-1"),
        account=ACCOUNT,
        strategy=StrategyId("check"),
        instrument=instrument.id,
        side=Side(question.side),
        quantity=question.quantity,
        ts_ns=now_ns,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        price=price,
    )
    limits = limits_for(profile, rules)
    said = next((limit.accounts for limit in limits if isinstance(limit, ProvenEnvironment)), {})
    account = next(iter(said), ACCOUNT)
    view = _view(question, instrument, books, price, now_ns, account)
    view.armed = Environment.REAL in said.values()
    return what_if(RiskChecker(limits, view), msgspec.structs.replace(order, account=account), now_ns)


def _world(question: Question) -> tuple[Instrument, dict[str, RuleBook], str, dict[str, Any]]:
    """The instrument, the rule books, the profile and its rules."""
    books: dict[str, RuleBook] = {name: kind() for name, kind in MARKETS.items()}
    profile, rules = question.profile or "paper", dict[str, Any]()
    known = read_instruments(INSTRUMENTS_FILE) if INSTRUMENTS_FILE.is_file() else {}
    if question.config is not None:
        from engine.runtime.settings import load_settings

        settings = load_settings(question.config)
        books, known, rules = dict(settings.books), dict(settings.instruments), dict(settings.risk)
        profile = question.profile or settings.risk_profile
    if question.instruments_file is not None:
        known = read_instruments(question.instruments_file)
    for name, table in read_table("--risk-set", question.risk).items():
        if not isinstance(table, dict):
            raise ConfigError(f"--risk-set {name}: write rule.key=value, as in --risk-set max_position.quantity=100")
        rules[name] = {**rules.get(name, {}), **table}
    instrument = derived_instrument(question.instrument, known)
    if question.market is not None:
        instrument = msgspec.structs.replace(instrument, market=question.market)
    if instrument.market not in books:
        mend = near(instrument.market, books)
        raise ConfigError(f"{instrument.id}: there is no rule book for market {instrument.market}{mend} (--market)")
    return instrument, books, profile, rules


def _moment(question: Question, book: RuleBook) -> int:
    return LiveClock().now_ns if question.at is None else read_moment("--at", question.at, book.timezone)


def _view(
    question: Question,
    instrument: Instrument,
    books: dict[str, RuleBook],
    price: Decimal | None,
    now_ns: int,
    account: AccountId,
) -> RiskView:
    portfolio = Portfolio({instrument.id: instrument}, lambda _instrument, bought_ns: bought_ns)
    portfolio.open_account(account, instrument.currency, read_amount("--cash", question.cash))
    mark = price if question.mark is None else read_amount("--mark", question.mark)
    if mark is not None:
        portfolio.on_quote(Quote(instrument.id, now_ns, float(mark), float(mark)))
    if question.position:
        portfolio.on_adjusted(
            PositionAdjusted(
                account=account,
                strategy=EXTERNAL,
                instrument=instrument.id,
                ts_ns=now_ns,
                quantity=question.position,
                reason="given",
            )
        )
    view = RiskView(portfolio, {instrument.id: instrument}, books)
    view.capabilities[account] = SHEET
    if question.previous_close is not None:
        view.previous_close[instrument.id] = float(read_amount("--previous-close", question.previous_close))
    return view


def show(answer: WhatIf) -> list[Any]:
    """The checks with their figures, and the effects, as tables for people."""
    from rich.table import Table
    from rich.text import Text

    checks = Table("limit 风控项", "asks 检查内容", "verdict 结论", "figures 数值", "reason 原因")
    for verdict in answer.checks:
        word = Text("pass 通过", "green") if verdict.passed else Text("DENY 拒绝", "bold red")
        asks = "\n".join(LIMIT_WORDS.get(verdict.check, ("", "")))
        checks.add_row(Text(verdict.check), Text(asks), word, Text(verdict.figures), Text(verdict.reason))
    if answer.effects is None:
        return [checks]
    effects = Table("effect 影响", "")
    for name, (english, chinese) in EFFECT_WORDS.items():
        value = getattr(answer.effects, name)
        said = "not known 未知" if value is None else str(value)
        if isinstance(value, bool):
            said = "yes 是" if value else "no 否"
        effects.add_row(Text(f"{english} {chinese}"), Text(said))
    return [checks, effects]
