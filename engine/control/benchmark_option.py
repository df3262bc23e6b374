"""``--benchmark``: an instrument of the run's data, or a file of prices."""

from collections.abc import Iterable
from pathlib import Path

from engine.data.headers import zone_of
from engine.data.prices import PriceSeries, read_prices
from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId

Asked = InstrumentId | PriceSeries | None


def read_benchmark(text: str | None, instruments: Iterable[str], tz: str) -> Asked:
    """What ``text`` names: an id among ``instruments``, ``FILE``, or ``NAME=FILE``.

    Args:
        tz: zone of times without one, where the name's venue has none.

    Raises:
        ConfigError: neither an instrument of the run nor a file.
        DataError: the file can not be used.
    """
    if text is None:
        return None
    known = list(instruments)
    if text in known:
        return InstrumentId(text)
    name, equals, place = text.rpartition("=")
    path = Path(place if equals else text)
    if not path.is_file():
        raise ConfigError(
            f"--benchmark {text}: it is no instrument of the run ({', '.join(known) or 'it names none'}) and no file; "
            "give one of them, a file of prices, or NAME=FILE"
        )
    name = name or path.name.partition(".")[0]
    return read_prices(path, name, zone_of(name) or tz)
