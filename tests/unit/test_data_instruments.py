"""The instruments file, and what stands in for an instrument nobody described."""

from decimal import Decimal
from pathlib import Path

import pytest

from engine.data import derived_instrument, read_instruments
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument, InstrumentKind

OURS = Path(__file__).parents[2] / "config/instruments.toml"


def test_our_own_file_is_sound_and_tells_an_index_from_a_bank() -> None:
    """000001 is an index in Shanghai, on the market without rules, and a bank in Shenzhen, in lots of 100."""
    known = read_instruments(OURS)
    index, bank, game = (known[InstrumentId(i)] for i in ("000001.SH", "000001.SZ", "CY.VSM"))
    assert (index.kind, index.market, index.lot) == (InstrumentKind.INDEX, "free", 1)
    assert (bank.kind, bank.market, bank.lot) == (InstrumentKind.STOCK, "china_a", 100)
    assert (game.kind, game.market, game.currency) == (InstrumentKind.GAME, "virtual", "COIN")
    assert known[InstrumentId("510300.SH")].tick == Decimal("0.001")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[instrument."A.SH"]\nlott = 100', "unknown field"),
        ('[instrument."A.SH"]\nlot = "many"', "key lot"),
        ('[instrument."A.SH"]\nkind = "rocket"', "rocket"),
        ('[instrument."A.SH"]\ntick = "0"', "tick 0 is not above 0"),
        ('[instrument."A.SH"]\nlot = 0', "lot and multiplier"),
        ('[instrument."A.SH"]\nmarket = "moon"', "there is no market 'moon'; markets are free, virtual"),
        ("[instrument.600000]", "the name is no id"),
        ("[instruments.x]", "unknown key 'instruments'"),
        ('instrument = "x"', "is no table"),
        ('[instrument."A.SH"]\nlot = = 1', "is no TOML"),
        ('[instrument."A.SH"]\nlot = 1\nlot = 2', "is no TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """File, instrument and key, in one sentence."""
    path = tmp_path / "instruments.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_instruments(path, markets={"free", "virtual"})
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    """As for any other file."""
    with pytest.raises(ConfigError, match="no such file"):
        read_instruments(tmp_path / "none.toml")
    (tmp_path / "raw.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_instruments(tmp_path / "raw.toml")


def test_an_unknown_instrument_is_a_plain_one_on_the_free_market() -> None:
    """So that a backtest needs no file; what is in the file goes first; text that is no id is refused."""
    plain = derived_instrument("XYZ.US")
    assert (plain.market, plain.lot, plain.currency) == ("free", 1, "USD")
    known = Instrument(id=InstrumentId("XYZ.US"), lot=7)
    assert derived_instrument("XYZ.US", {known.id: known}) is known
    with pytest.raises(ConfigError, match="is no id"):
        derived_instrument("600000")
