"""What a person sees of a live run."""

from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from engine.control.live_screen import picture, summary_table
from engine.control.live_session import Session
from engine.domain.commands import Side
from engine.domain.events import Fill
from engine.domain.ids import AccountId, ClientOrderId, InstrumentId, StrategyId
from engine.domain.market import Quote
from engine.runtime.settings import load_settings
from tests.cli_builders import CONFIG, ROOT, a_config

CY = InstrumentId("CY.VSM")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.chdir(ROOT)
    settings = load_settings(a_config(tmp_path, f'{CONFIG}\n[journal]\nkind = "memory"\n'))
    environ = {"SLUICE_VM_USER": "somebody", "SLUICE_VM_PASSWORD": "something"}
    return Session(settings, environ=environ, note=lambda _text, _fields: None)


def drawn(session: Session) -> str:
    console = Console(width=120, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as seen:
        console.print(picture(session))
    return seen.get()


def test_the_picture_shows_prices_positions_and_profit(session: Session) -> None:
    """100 bought at 37, marked at 38.5: 150 up; cash is what is left."""
    portfolio = session.run.core.portfolio
    now_ns = session.clock.now_ns
    portfolio.open_account(AccountId("one"), "COIN", Decimal(10_000))
    assert " - " in drawn(session)
    portfolio.on_fill(
        Fill(
            account=AccountId("one"), strategy=StrategyId("sma"), client_id=ClientOrderId("sma-1"), instrument=CY,
            side=Side.BUY, quantity=100, price=Decimal(37), fee=Decimal(0), ts_ns=now_ns, fill_id="1",
        )
    )  # fmt: skip
    portfolio.on_quote(Quote(CY, now_ns, 38.5, 38.5))
    text = drawn(session)
    for word in ("CY.VSM", "38.50", "37.00", "+150.00", "6,300.00", "10,150.00", "orders 0  fills 0  denied 0"):
        assert word in text, text


def test_the_summary_has_a_row_a_gateway(session: Session) -> None:
    """The figures of a run in which nothing happened."""
    console = Console(width=120)
    with console.capture() as seen:
        console.print(summary_table(session.figures()))
    assert "game" in seen.get()
    assert "0.00" in seen.get()
