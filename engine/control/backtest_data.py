"""Which files of bars and quotes a backtest reads: from the command line, a catalog, or the config."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.control.options import read_day
from engine.data.catalog_source import catalog_path
from engine.data.manifest import interval_of
from engine.data.quote_catalog import quotes_path
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.control.backtest_plan import Asked
    from engine.runtime.settings import Settings

Files = tuple[dict[str, Any], ...]
"""Arguments of ``open_bars`` or ``open_quotes``, a file each."""


def data_of(asked: "Asked", settings: "Settings | None") -> tuple[Files, Files]:
    """(bars, quotes).

    Raises:
        ConfigError: nothing is named, or it does not go together.
    """
    if asked.catalog is not None:
        return _of_catalog(asked, asked.catalog)
    if asked.first is not None or asked.last is not None or asked.adjust is not None:
        raise ConfigError("--from, --to and --adjust go with --catalog; add --catalog DIR")
    if not asked.data and not asked.quotes and not asked.instruments and settings is not None and settings.data:
        return _of_config(asked, settings)
    if not asked.data and not asked.quotes:
        raise ConfigError("no data to run on; add --data FILE --instrument ID, as in --instrument 000001.SH")
    _refuse_unless_paired(asked)
    label, names = asked.label or "end", iter(asked.instruments)
    bars = [
        {"path": Path(file), "instrument": next(names), "tz": asked.tz, "label": label, "interval": asked.interval}
        for file in asked.data
    ]
    quotes = [{"path": Path(file), "instrument": next(names), "tz": asked.tz} for file in asked.quotes]
    return tuple(bars), _apart(quotes)


def _refuse_unless_paired(asked: "Asked") -> None:
    if len(asked.data) + len(asked.quotes) == len(asked.instruments):
        return
    if not asked.quotes:
        raise ConfigError(
            f"{len(asked.data)} --data and {len(asked.instruments)} --instrument were given; "
            "write one --instrument for each --data, in the same order"
        )
    raise ConfigError(
        f"{len(asked.data)} --data, {len(asked.quotes)} --quotes and {len(asked.instruments)} --instrument were given; "
        "write one --instrument for each --data, then one for each --quotes, in the same order"
    )


def _of_config(asked: "Asked", settings: "Settings") -> tuple[Files, Files]:
    bars, quotes = [], []
    for row in settings.data:
        file: dict[str, Any] = {
            "path": settings.path.parent / row.file,
            "instrument": row.instrument,
            "tz": asked.tz or row.tz,
        }
        if row.kind == "quotes":
            quotes.append(file)
        else:
            bars.append({**file, "label": asked.label or row.label, "interval": asked.interval or row.interval})
    return tuple(bars), _apart(quotes)


def _of_catalog(asked: "Asked", catalog: Path) -> tuple[Files, Files]:
    if asked.data or asked.quotes or not asked.instruments or asked.interval is None:
        raise ConfigError("--catalog takes --instrument ID and --interval 1m (or quotes), and no --data or --quotes")
    first = read_day("--from", asked.first) if asked.first is not None else None
    last = read_day("--to", asked.last) if asked.last is not None else None
    interval_ns = interval_of(asked.interval)
    if not interval_ns:
        if asked.adjust:
            raise ConfigError("--adjust goes with bars: quotes are as they were; leave it out")
        quotes = [
            {"path": quotes_path(catalog, name, first, last), "instrument": name, "tz": None}
            for name in asked.instruments
        ]
        return (), _apart(quotes)
    return tuple(
        {"path": catalog_path(catalog, name, interval_ns, first, last, asked.adjust or ""), "instrument": name}
        for name in asked.instruments
    ), ()


def _apart(quotes: Sequence[dict[str, Any]]) -> Files:
    """
    Raises:
        ConfigError: two files of quotes of one instrument.
    """
    names = [row["instrument"] for row in quotes]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"two files of quotes of {twice[0]}: import both into a catalog, or join them to one")
    return tuple(quotes)
