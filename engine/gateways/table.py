"""What the settings of every gateway, its ``[gateway.<name>]`` table, read in the same way."""

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.domain.timestamps import duration_ns


class GatewayTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Durations and time zones are written as words; one that is none is refused by the name of its key."""

    if TYPE_CHECKING:
        name: str

    def span_ns(self, key: str) -> int:
        """Nanoseconds of a duration. Raises: ConfigError: it is none."""
        try:
            return duration_ns(getattr(self, key))
        except ValueError as error:
            raise ConfigError(f"gateway {self.name}: {key}: {error}") from error

    def refuse_unknown_zone(self, zone: str) -> None:
        """Raises: ConfigError: no such time zone."""
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ConfigError(f"gateway {self.name}: timezone {zone!r} is not known") from error
