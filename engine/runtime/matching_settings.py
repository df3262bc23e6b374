"""``[matching]``: the fill model, and the slippage and latency around it.

[matching]
model = "volume_share"
share = 0.1
slippage = { model = "bps", bps = 2 }
latency = { order = "50ms", cancel = "50ms" }
"""

from collections.abc import Mapping
from typing import Any

from engine.domain.errors import ConfigError
from engine.matching import FILL_MODELS, SLIPPAGES, FillModel, Friction, Latency, Slippage
from engine.matching.fill_model import ReadsBooks, ReadsQuotes
from engine.runtime.settings_reading import convert, near


def fill_model_of(table: Mapping[str, Any], where: str, name: str | None = None) -> FillModel:
    """The model a table describes, with what is around it.

    Args:
        name: which model, where the table does not say.

    Raises:
        ConfigError: no such model, or a setting it does not have.
    """
    settings = dict(table)
    named = settings.pop("model", name or "next_open")
    if not isinstance(named, str) or named not in FILL_MODELS:
        raise ConfigError(f"{where} model: there is no fill model {named!r}{near(str(named), FILL_MODELS)}")
    slippage, latency = settings.pop("slippage", None), settings.pop("latency", None)
    model: FillModel = convert(settings, FILL_MODELS[named], where, ours=["model", "slippage", "latency"])
    if slippage is None and latency is None:
        return model
    return Friction(
        model=model,
        slippage=None if slippage is None else _slippage(slippage, where),
        latency=None if latency is None else convert(latency, Latency, f"{where} latency"),
    )


def _slippage(table: Any, where: str) -> Slippage:
    settings = dict(table) if isinstance(table, Mapping) else {"model": table}
    name = settings.pop("model", None)
    if not isinstance(name, str) or name not in SLIPPAGES:
        raise ConfigError(f"{where} slippage: there is no slippage model {name!r}{near(str(name), SLIPPAGES)}")
    slippage: Slippage = convert(settings, SLIPPAGES[name], f"{where} slippage", ours=["model"])
    return slippage


def refuse_unless_bars_fill(model: FillModel) -> None:
    """
    Raises:
        ConfigError: the model fills nothing on bars, and the run has bars alone.
    """
    inner = model.model if isinstance(model, Friction) else model
    if isinstance(inner, ReadsQuotes | ReadsBooks):
        name = next(name for name, kind in FILL_MODELS.items() if isinstance(inner, kind))
        raise ConfigError(
            f"fill model {name} fills from quotes or books, and this run has bars alone: nothing would ever fill; "
            "take next_open, touch, path or volume_share"
        )


def refuse_unless_quotes_fill(model: FillModel) -> None:
    """
    Raises:
        ConfigError: the model fills from bars, and the run is one over quotes.
    """
    inner = model.model if isinstance(model, Friction) else model
    if not isinstance(inner, ReadsQuotes | ReadsBooks):
        name = next((name for name, kind in FILL_MODELS.items() if isinstance(inner, kind)), type(inner).__name__)
        raise ConfigError(f"fill model {name} fills from bars, and this run fills from quotes: take quote or book_walk")
