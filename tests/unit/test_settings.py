"""The config file is read strictly, and every mistake in it is one sentence with its place and its mend."""

from decimal import Decimal
from pathlib import Path

import pytest

from engine.domain.errors import ConfigError
from engine.domain.ids import AccountId
from engine.gateways.futu.adapter import Futu
from engine.gateways.stream.adapter import Stream
from engine.gateways.virtual_market.adapter import VirtualMarket
from engine.markets.virtual import Virtual
from engine.matching.volume_share import VolumeShare
from engine.runtime.live_settings import armed, live_spec, open_journal
from engine.runtime.settings import load_settings
from tests.cli_builders import CONFIG, ROOT, a_config


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_a_good_config_is_read_with_its_defaults(tmp_path: Path) -> None:
    """What is left out has the default the tables name."""
    settings = load_settings(a_config(tmp_path))
    assert settings.run.seed == 3
    assert settings.data_dir == Path("runs/trial")
    assert settings.journal_path == Path("runs/trial/journal.sqlite3")
    assert settings.risk_profile == "paper"
    assert settings.clock.speed == 1.0
    assert settings.start_ns is None
    (row,) = settings.strategies
    assert row.account == "one"
    assert row.spec.parameters == {"fast": 5, "slow": 30, "size": 100}
    made = row.spec.make()
    assert made.fast == 5  # type: ignore[attr-defined]


def test_a_gateway_is_told_whose_account_it_trades(tmp_path: Path) -> None:
    """The account's table names the gateway once; nobody writes the id twice."""
    gateway = load_settings(a_config(tmp_path)).gateways["game"]
    assert gateway.kind == "virtual_market"
    assert isinstance(gateway.settings, VirtualMarket)
    assert gateway.settings.account == "one"


def test_rule_books_limits_and_fill_model_take_their_settings(tmp_path: Path) -> None:
    """Tables of a market, a limit and the matching end up in their structs."""
    extra = """
[markets.virtual]
lock_minutes = 5

[risk]
profile = "backtest"

[risk.max_order_quantity]
quantity = 7

[matching]
model = "volume_share"
share = 0.25
"""
    settings = load_settings(a_config(tmp_path, CONFIG + extra))
    book = settings.books["virtual"]
    assert isinstance(book, Virtual)
    assert book.lock_minutes == 5
    assert settings.risk_profile == "backtest"
    assert settings.fill_model == VolumeShare(share=0.25)
    assert [getattr(limit, "quantity", None) for limit in settings.limits if limit.name == "max_order_quantity"] == [7]


def test_the_clock_starts_where_the_config_says(tmp_path: Path) -> None:
    """``start`` and ``anchor`` carry their offset; 2026-03-02 07:55 in China is 23:55 UTC the day before."""
    clock = '[clock]\nspeed = 60.0\nstart = "2026-03-02T07:55:00+08:00"\nanchor = "2026-01-01T00:00:00Z"\n'
    settings = load_settings(a_config(tmp_path, CONFIG + clock))
    assert settings.start_ns == 1_772_409_300 * 10**9
    assert settings.anchor_ns == 1_767_225_600 * 10**9


BAD = {
    "unknown table": ("[runn]\nname = 'x'\n", ["'runn'", "did you mean run?"]),
    "unknown key": ("[clock]\nsped = 2.0\n", ["[clock]", "'sped'", "did you mean speed?"]),
    "wrong type": ("[clock]\nspeed = 'fast'\n", ["[clock] speed", "expected float, got str"]),
    "out of range": ("[clock]\nspeed = 0.0\n", ["[clock] speed", "> 0"]),
    "naive time": ("[clock]\nstart = '2026-03-02T07:55:00'\n", ["[clock] start", "no time zone"]),
    "no time": ("[clock]\nstart = 'soon'\n", ["[clock] start", "2026-03-02T07:55:00+08:00"]),
    "journal kind": ("[journal]\nkind = 'paper'\n", ["[journal] kind", "'paper'"]),
    "unknown market": ("[markets.virtul]\nlock_minutes = 1\n", ["[markets.virtul]", "did you mean virtual?"]),
    "unknown market key": ("[markets.virtual]\nlock = 1\n", ["[markets.virtual]", "'lock'", "lock_minutes"]),
    "unknown rule": ("[risk.max_ordr_value]\nvalue = 1\n", ["config", "max_ordr_value", "max_order_value"]),
    "unknown rule key": ("[risk.cash]\nfaktor = '1'\n", ["[risk.cash] faktor", "factor"]),
    "unknown profile": ("[risk]\nprofile = 'brave'\n", ["[risk] profile", "'brave'", "paper"]),
    "unknown fill model": ("[matching]\nmodel = 'nxt_open'\n", ["[matching] model", "did you mean next_open?"]),
    "unknown fill key": ("[matching]\nmodel = 'volume_share'\nshar = 0.1\n", ["[matching]", "'shar'", "share"]),
    "fill setting": ("[matching]\nmodel = 'volume_share'\nshare = 2.0\n", ["[matching]", "at most 1"]),
    "unknown gateway kind": ("[gateway.x]\nkind = 'streem'\n", ["[gateway.x]", "'streem'", "did you mean stream?"]),
    "unknown gateway key": ("[gateway.stream]\nurll = 'x'\n", ["[gateway.stream]", "'urll'", "did you mean url?"]),
    "account without gateway": ("[[account]]\nid = 'two'\n", ["[[account]] number 2", "'gateway' is missing"]),
    "account, unknown gateway": ("[[account]]\nid = 'two'\ngateway = 'gam'\n", ["[gateway.gam]", "did you mean game?"]),
    "account, no id": ("[[account]]\ngateway = 'game'\n", ["[[account]] number 2", "'id' is missing"]),
    "account twice": ("[[account]]\nid = 'one'\ngateway = 'game'\n", ["number 2", "'one' is taken"]),
    "two accounts, one gateway": ("[[account]]\nid = 'two'\ngateway = 'game'\n", ["[gateway.game]", "one", "two"]),
    "cash below 0": ("[[account]]\nid = 'two'\ngateway = 'game'\ncash = '-1'\n", ["number 2", "cash -1"]),
    "strategy, no account": (
        "[[strategy]]\nname = 'b'\nclass = 'strategies.sma_cross:SmaCross'\naccount = 'oen'\n",
        ["[[strategy]] number 2", "'oen'", "did you mean one?"],
    ),
    "strategy twice": ("[[strategy]]\nname = 'sma'\nclass = 'strategies.sma_cross:SmaCross'\n", ["'sma' is taken"]),
    "strategy, no class": ("[[strategy]]\nname = 'b'\n", ["[[strategy]] number 2", "'class' is missing"]),
    "strategy, unknown class": (
        "[[strategy]]\nname = 'b'\nclass = 'strategies.sma_cross:Sma'\n", ["number 2", "no class Sma", "SmaCross"],
    ),
    "strategy, unknown instrument": (
        "[[strategy]]\nname = 'b'\nclass = 'strategies.sma_cross:SmaCross'\ninstruments = ['CX.VSM']\n",
        ["number 2", "'CX.VSM'", "did you mean CY.VSM"],
    ),
    "strategy, market without rules": (
        "[[strategy]]\nname = 'b'\nclass = 'strategies.sma_cross:SmaCross'\ninstruments = ['XX.YY']\n",
        ["XX.YY", "atlantis", "no rule book"],
    ),
    "strategy, unknown parameter": (
        "[[strategy]]\nname = 'b'\nclass = 'strategies.sma_cross:SmaCross'\nparams = { fats = 3 }\n",
        ["number 2", "'fats'", "fast"],
    ),
    "strategy, ill-typed parameter": (
        "[[strategy]]\nname = 'b'\nclass = 'strategies.sma_cross:SmaCross'\nparams = { fast = 'x' }\n",
        ["number 2", "parameter fast", "int"],
    ),
    "data key": ("[[data]]\nfile = 'x'\ninstrument = 'y'\nlabel = 'mid'\n", ["[[data]] number 1, label"]),
    "broken TOML": ("[run\n", ["is no TOML", "line"]),
}  # fmt: skip


@pytest.mark.parametrize(("extra", "words"), BAD.values(), ids=BAD.keys())
def test_a_mistake_is_one_sentence_with_file_place_and_mend(tmp_path: Path, extra: str, words: list[str]) -> None:
    """Nothing is guessed and nothing is ignored."""
    path = a_config(tmp_path, f"{CONFIG}\n{extra}")
    with pytest.raises(ConfigError) as raised:
        load_settings(path)
    sentence = str(raised.value)
    assert "\n" not in sentence
    assert sentence.startswith(f"config {path}")
    for word in words:
        assert word in sentence, sentence


@pytest.mark.parametrize("key", ["password", "token", "api_token", "secret", "api_key", "Access-Token"])
def test_a_secret_in_a_config_is_refused(tmp_path: Path, key: str) -> None:
    """Configs are committed and shown; the sentence names the environment and never the value."""
    path = a_config(tmp_path, f'{CONFIG}\n[gateway.stream]\n{key} = "hunter2"\n')
    with pytest.raises(ConfigError, match="environment") as raised:
        load_settings(path)
    assert f"gateway.stream.{key}" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_names_of_environment_variables_and_simulated_users_are_no_secrets(tmp_path: Path) -> None:
    """``password_env`` holds a name; the simulator's users are made up."""
    text = CONFIG.replace('base_url = "', 'password_env = "MY_PASSWORD"\nbase_url = "')
    extra = '[simulator.virtual_market]\nusers = [{ login = "a", password = "b" }]\n'
    settings = load_settings(a_config(tmp_path, text + extra))
    assert settings.gateways["game"].settings.password_env == "MY_PASSWORD"
    assert settings.simulators["virtual_market"]["users"] == [{"login": "a", "password": "b"}]


def test_a_file_that_is_not_there_or_not_utf_8_is_named(tmp_path: Path) -> None:
    """Missing, a folder, and bytes that are no UTF-8."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file"):
        load_settings(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="can not be opened"):
        load_settings(tmp_path)
    path = a_config(tmp_path)
    path.write_bytes(b'[run]\nname = "\xff"\n')
    with pytest.raises(ConfigError, match="is not UTF-8 at byte 14"):
        load_settings(path)


def test_a_missing_instruments_file_is_named(tmp_path: Path) -> None:
    """The path is taken from the config's own folder."""
    path = a_config(tmp_path, f"{CONFIG}\n[instruments]\nfile = 'others.toml'\n")
    with pytest.raises(ConfigError, match=r"others\.toml: there is no such file"):
        load_settings(path)


def test_the_config_hash_follows_the_content_and_not_the_layout(tmp_path: Path) -> None:
    """Comments and order change nothing; a value does."""
    plain = load_settings(a_config(tmp_path)).config_hash
    assert load_settings(a_config(tmp_path, f"# remark\n{CONFIG}")).config_hash == plain
    assert load_settings(a_config(tmp_path, CONFIG.replace("seed = 3", "seed = 4"))).config_hash != plain


def test_live_profile_wants_real_time_and_a_list_of_symbols(tmp_path: Path) -> None:
    """Real money on a fast clock is refused; so is live trading without its list."""
    live = CONFIG.replace("seed = 3", 'profile = "live"')
    with pytest.raises(ConfigError, match=r"\[risk.allowed_symbols\] symbols"):
        load_settings(a_config(tmp_path, live))
    listed = f'{live}\n[risk.allowed_symbols]\nsymbols = ["CY.VSM"]\n'
    assert live_spec(load_settings(a_config(tmp_path, listed))).mode == "live"
    fast = load_settings(a_config(tmp_path, f"{listed}\n[clock]\nspeed = 2.0\n"))
    with pytest.raises(ConfigError, match="real time"):
        live_spec(fast)


def test_a_live_specification_holds_accounts_and_strategies(tmp_path: Path) -> None:
    """The strategies go with their accounts, their parameters as plain values."""
    spec = live_spec(load_settings(a_config(tmp_path)), mode="demo")
    assert spec.mode == "demo"
    assert [(a.id, a.gateway, a.currency) for a in spec.accounts] == [("one", "game", "COIN")]
    assert [(account, s.name) for account, s in spec.strategies] == [(AccountId("one"), "sma")]


def test_the_journal_is_opened_where_the_config_says(tmp_path: Path) -> None:
    """SQLite in the named place, or memory."""
    place = tmp_path / "deep" / "j.sqlite3"
    settings = load_settings(a_config(tmp_path, f'{CONFIG}\n[journal]\npath = "{place}"\n'))
    journal = open_journal(settings)
    journal.close()
    assert place.is_file()
    memory = load_settings(a_config(tmp_path, f'{CONFIG}\n[journal]\nkind = "memory"\n'))
    assert open_journal(memory).next_seq == 1


def test_a_backtest_config_needs_no_gateway(tmp_path: Path) -> None:
    """Its account is the simulated venue's, with the cash it begins with."""
    text = """
[run]
profile = "backtest"

[[account]]
id = "paper_money"
cash = "250000.50"
"""
    settings = load_settings(a_config(tmp_path, text))
    assert settings.accounts[AccountId("paper_money")].cash == Decimal("250000.50")
    with pytest.raises(ConfigError, match="does not trade live"):
        live_spec(settings)


def test_rates_are_read_and_checked(tmp_path: Path) -> None:
    """By pair and day, as the books take them; what is no rate is named with its place."""
    good = load_settings(a_config(tmp_path, CONFIG + '[rates.USD_HKD]\n2026-11-01 = 7.78\n2026-12-01 = "7.79"\n'))
    assert good.rates == {"USD_HKD": {"2026-11-01": Decimal("7.78"), "2026-12-01": Decimal("7.79")}}
    assert live_spec(good).rates == good.rates
    with pytest.raises(ConfigError, match=r"\[rates\]: 'USDHKD' is no pair; write it as USD_HKD"):
        load_settings(a_config(tmp_path, CONFIG + "[rates.USDHKD]\n2026-11-01 = 7.78\n"))


def test_live_trading_keeps_the_exchanges_hours(tmp_path: Path) -> None:
    """Round the clock is for simulators."""
    extra = '[markets.hong_kong]\nhours = "always"\n'
    assert load_settings(a_config(tmp_path, CONFIG + extra)).books["hong_kong"].is_open(0)
    path = a_config(tmp_path, CONFIG + extra + '[risk.allowed_symbols]\nsymbols = ["CY.VSM"]\n')
    path.write_text(path.read_text(encoding="utf-8").replace("[run]", '[run]\nprofile = "live"'), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\[markets.hong_kong\] hours: profile live keeps the exchange's hours"):
        load_settings(path)


def test_real_money_needs_the_word_of_whoever_starts_the_run() -> None:
    """``armed = true`` in a config is not enough: only ``--arm`` arms a gateway; one without the key stays as it is."""
    real = Futu(account="mine", acc_id="281756", environment="real", armed=True)
    assert armed(real, arm=False).armed is False
    assert armed(real, arm=True).armed is True
    stream = Stream()
    assert armed(stream, arm=True) is stream


def test_two_runs_of_one_config_never_make_the_same_order_ids(tmp_path: Path) -> None:
    """Each start has a tag of its own, so that a fresh journal can not take an older one's orders for its own."""
    settings = load_settings(a_config(tmp_path))
    assert live_spec(settings).run_tag != live_spec(settings).run_tag
