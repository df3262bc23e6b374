"""What ``RUN_START`` says of a backtest: which bytes it ran over, and what else decides its outcome."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.markets import MARKETS
from engine.markets.rulebook import RuleBook
from engine.matching import FILL_MODELS, SLIPPAGES, FillModel, Friction
from engine.ports import StatementTable


def data_rows(
    sources: Sequence[Any], statements: StatementTable | None, action_files: Iterable[dict[str, Any]]
) -> tuple[dict[str, Any], ...]:
    """A row a file of bars or quotes, then statements, then the files of corporate actions."""
    rows = [_row(source) for source in sources]
    if statements is not None:
        rows.append({"path": "statements", "sha256": statements.sha256()})
    rows += action_files
    return tuple(rows)


def run_settings(
    sources: Sequence[Any],
    model: FillModel,
    instruments: Mapping[InstrumentId, Instrument],
    books: Mapping[str, RuleBook],
) -> dict[str, Any]:
    """The fill model, and of the instruments there is data of: what they are, and their rule books' settings."""
    used = [instruments[name] for name in dict.fromkeys(source.instrument for source in sources)]
    markets = sorted({instrument.market for instrument in used} & books.keys())
    return {
        "fill_model": fill_model_row(model),
        "instruments": [_plain(instrument) for instrument in used],
        "markets": {name: _plain(books[name]) for name in markets if type(books[name]) in MARKETS.values()},
    }


def fill_model_row(model: FillModel) -> dict[str, Any]:
    """A fill model as ``[matching]`` of a config would name it."""
    if isinstance(model, Friction):
        around: dict[str, Any] = {}
        if model.slippage is not None:
            around["slippage"] = {"model": _name(model.slippage, SLIPPAGES), **_plain(model.slippage)}
        if model.latency is not None:
            around["latency"] = _plain(model.latency)
        return {**fill_model_row(model.model), **around}
    return {"model": _name(model, FILL_MODELS), **_plain(model)}


def instruments_of_run(settings: Mapping[str, Any]) -> dict[InstrumentId, Instrument]:
    """The instruments as the run defined them; empty for a journal that does not say.

    Raises:
        msgspec.ValidationError: it is not what ``run_settings`` made.
    """
    found = msgspec.convert(list(settings.get("instruments", ())), list[Instrument])
    return {instrument.id: instrument for instrument in found}


def books_of_run(settings: Mapping[str, Any]) -> dict[str, RuleBook]:
    """The rule books as the run had them; those of markets this program does not know are left out."""
    rows = settings.get("markets", {})
    return {name: msgspec.convert(row, MARKETS[name]) for name, row in rows.items() if name in MARKETS}


def _name(thing: object, registry: Mapping[str, type[Any]]) -> str:
    return next((name for name, kind in registry.items() if type(thing) is kind), type(thing).__name__)


def _plain(thing: object) -> dict[str, Any]:
    made = msgspec.to_builtins(thing) if isinstance(thing, msgspec.Struct) else {}
    return made if isinstance(made, dict) else {}


def _row(source: Any) -> dict[str, Any]:
    row = {"path": str(source.path), "sha256": source.sha256(), "instrument": source.instrument}
    interval_ns = getattr(source, "interval_ns", None)
    if interval_ns is None:
        return {**row, "kind": "quotes", "tz": source.tz}
    return {**row, "interval_ns": interval_ns, "tz": source.tz, "label": source.label}
