"""Whether an order may leave at all: readiness, environment, instruments of today, the end of a session."""

from typing import Any

import pytest

from engine.domain.account import Environment
from engine.domain.commands import SubmitOrder
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument, InstrumentKind
from engine.domain.timestamps import parse_time
from engine.markets.china_a import ChinaA
from engine.markets.virtual import Virtual
from engine.portfolio import Portfolio
from engine.risk import RiskView
from tests.risk_builders import ACCOUNT, GAME, INSTRUMENT, a_checker, a_view, an_order, answer

SHARE = InstrumentId("600519.SH")


def a_mainland_view(name: str = "贵州茅台") -> RiskView:
    """One account that holds yuan, one mainland share."""
    instruments = {SHARE: Instrument(id=SHARE, kind=InstrumentKind.STOCK, market="china_a", lot=100, name=name)}
    portfolio = Portfolio(instruments, lambda _name, bought_ns: bought_ns)
    portfolio.open_account(ACCOUNT, "CNY", a_view().portfolio.accounts[ACCOUNT].cash["CNY"])
    return RiskView(portfolio, instruments, {"china_a": ChinaA()})


def a_share_order() -> SubmitOrder:
    return an_order(instrument=SHARE)


# --- not_ready -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "denied"),
    [
        ("all", True), ("all loop", True), ("account:paper", True), ("account:paper session", True),
        ("symbol:600000.SH feed", True), ("strategy:sma", True), ("account:paperless", False),
        ("account:other session", False), ("symbol:600000", False),
    ],
)  # fmt: skip
def test_what_is_not_ready_denies_its_scope(scope: str, denied: bool) -> None:
    """The first word is the scope, as a latch's; what follows is its writer's."""
    view = a_view()
    checker = a_checker(view, "not_ready")
    assert answer(checker, an_order()) is None
    view.readiness.block(scope, "the loop lags")
    assert answer(checker, an_order()) == (("NOT_READY", "not ready: the loop lags") if denied else None)
    view.readiness.clear(scope)
    assert answer(checker, an_order()) is None


def test_one_reason_does_not_clear_another() -> None:
    """Two writers block one account; it is ready when both have cleared."""
    view = a_view()
    checker = a_checker(view, "not_ready")
    view.readiness.block("account:paper session", "logging in")
    view.readiness.block("account:paper reconciliation", "reading")
    view.readiness.clear("account:paper session")
    assert answer(checker, an_order()) == ("NOT_READY", "not ready: reading")
    view.readiness.clear("account:paper reconciliation")
    assert answer(checker, an_order()) is None


def test_a_journal_that_fails_denies() -> None:
    """It is asked at every order."""
    view, healthy = a_view(), [True]
    view.readiness.journal = lambda: healthy[0]
    checker = a_checker(view, "not_ready")
    assert answer(checker, an_order()) is None
    healthy[0] = False
    assert answer(checker, an_order()) == ("NOT_READY", "not ready: the journal can not be written")


# --- environment -----------------------------------------------------------------------------------------------------

REAL, SIMULATED = Environment.REAL, Environment.SIMULATED


@pytest.mark.parametrize(
    ("settings", "proven", "armed", "words"),
    [
        ({}, None, False, ""),
        ({}, SIMULATED, False, ""),
        ({}, REAL, False, "account paper trades real money, and the run was not started with --arm"),
        ({"live": True}, SIMULATED, True, "account paper is not on the allow-list ([risk.environment] accounts)"),
        ({"live": True, "accounts": {"paper": "simulated"}}, None, False, ""),
        ({"accounts": {"paper": "simulated"}}, REAL, True, "account paper is proven real, but config says simulated"),
        ({"accounts": {"paper": "real"}}, SIMULATED, True, "account paper is proven simulated, but config says real"),
        (
            {"live": True, "accounts": {"paper": "real"}},
            None,
            False,
            "account paper trades real money, and the run was not started with --arm",
        ),
        ({"live": True, "accounts": {"paper": "real"}}, REAL, True, ""),
    ],
)
def test_whose_money_it_is(settings: dict[str, Any], proven: Environment | None, armed: bool, words: str) -> None:
    """Real money needs the list, the venue's word where it has one, and a person's; paper needs none but no real."""
    view = a_view()
    view.armed = armed
    if proven is not None:
        view.environments[ACCOUNT] = proven
    assert answer(a_checker(view, "environment", **settings), an_order()) == (("ENV", words) if words else None)


@pytest.mark.parametrize(("reported", "denied"), [(False, True), (True, False)])
def test_real_a_shares_need_the_report_of_programme_trading(reported: bool, denied: bool) -> None:
    """Simulated ones, and other markets, need none."""
    view = a_mainland_view()
    view.armed = True
    settings = {"accounts": {"paper": "real"}, "programme_trading_reported": reported}
    said = ("ENV", "programme trading of A shares is not reported ([risk.environment])")
    assert answer(a_checker(view, "environment", **settings), a_share_order()) == (said if denied else None)
    simulated = {"accounts": {"paper": "simulated"}}
    assert answer(a_checker(view, "environment", **simulated), a_share_order()) is None


# --- restricted ------------------------------------------------------------------------------------------------------


def test_a_restricted_symbol_is_denied() -> None:
    """By config, or by what the runtime found today; others pass."""
    view = a_view()
    checker = a_checker(view, "restricted", symbols=["600000.SH"])
    assert answer(checker, an_order()) == ("INSTRUMENT", "symbol 600000.SH is restricted by config")
    assert answer(checker, an_order(instrument=GAME)) is None
    view.unfit[GAME] = "suspended"
    words = "symbol CY.VSM can not be traded today: suspended"
    assert answer(checker, an_order(instrument=GAME)) == ("INSTRUMENT", words)


@pytest.mark.parametrize(("name", "special"), [("贵州茅台", False), ("ST茅台", True), ("*ST茅台", True)])
def test_special_treatment_is_denied_unless_allowed(name: str, special: bool) -> None:
    """By the name, of mainland shares."""
    view = a_mainland_view(name)
    said = ("INSTRUMENT", f"symbol 600519.SH {name} is under special treatment") if special else None
    assert answer(a_checker(view, "restricted"), a_share_order()) == said
    assert answer(a_checker(view, "restricted", special_treatment=True), a_share_order()) is None


# --- session_end -----------------------------------------------------------------------------------------------------

LATE = ("SESSION", "too late: the market pauses or closes within 60s")
FIXED = ("SESSION", "the exchange acts on no cancel now: an order could not be withdrawn")


@pytest.mark.parametrize(
    ("moment", "said", "allowed"),
    [
        ("09:16:00", None, None), ("09:20:00", FIXED, None), ("10:00:00", None, None), ("11:28:59", None, None),
        ("11:29:01", LATE, LATE), ("13:00:00", None, None), ("14:56:59", None, None), ("14:57:00", FIXED, None),
        ("14:59:30", FIXED, None),
    ],
)  # fmt: skip
def test_nothing_new_before_a_pause_or_where_nothing_is_cancelled(
    moment: str, said: tuple[str, str] | None, allowed: tuple[str, str] | None
) -> None:
    """The mainland's day; ``no_cancel = allow`` lets orders into both auctions."""
    now_ns = parse_time(f"2026-03-02 {moment}+08:00")
    view = a_mainland_view()
    assert answer(a_checker(view, "session_end"), a_share_order(), now_ns) == said
    assert answer(a_checker(view, "session_end", no_cancel="allow"), a_share_order(), now_ns) == allowed


def test_the_game_closes_at_midnight() -> None:
    """A market without a rule on cancels has its last minute all the same; a shorter margin is a shorter minute."""
    view = a_view()
    late_ns = parse_time("2026-03-02 23:59:30+08:00")
    assert isinstance(view.books["virtual"], Virtual)
    assert answer(a_checker(view, "session_end"), an_order(instrument=GAME), late_ns) == LATE
    assert answer(a_checker(view, "session_end", margin="10s"), an_order(instrument=GAME), late_ns) is None
    assert answer(a_checker(view, "session_end"), an_order(instrument=INSTRUMENT), late_ns) is None
