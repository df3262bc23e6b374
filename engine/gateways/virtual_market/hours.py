"""When the game market ticks: every five minutes, 08:00 to 23:55 server time, each calendar day (contract 4)."""

from datetime import timedelta

from msgspec import Struct

from engine.domain.timestamps import datetime_from_ns, ns_from_datetime
from engine.gateways.virtual_market.messages import BAR_NS


class Hours(Struct, frozen=True):
    """Whole hours of the server's zone; ``close_hour`` 24 is midnight."""

    timezone: str = "Asia/Shanghai"
    open_hour: int = 8
    close_hour: int = 24

    def is_open(self, ts_ns: int) -> bool:
        return self.open_hour <= datetime_from_ns(ts_ns, self.timezone).hour < self.close_hour

    def last_tick_ns(self, ts_ns: int) -> int:
        """The newest mark at or before ``ts_ns`` at which prices moved."""
        mark = ts_ns // BAR_NS * BAR_NS
        if self.is_open(mark):
            return mark
        local = datetime_from_ns(mark, self.timezone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        if local.hour < self.open_hour:
            midnight -= timedelta(days=1)
        return ns_from_datetime(midnight + timedelta(hours=self.close_hour)) - BAR_NS
