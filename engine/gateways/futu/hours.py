"""When data should be coming: the trading hours of each place, and what the gateway itself says of its markets.

Sessions as of 2026-11: Hong Kong 09:30-12:00, 13:00-16:00; New York 09:30-16:00; Shanghai and Shenzhen 09:30-11:30,
13:00-15:00. Holidays are not known here: the gateway's own market state says those.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.domain.timestamps import datetime_from_ns, ns_from_datetime
from engine.gateways.futu.codes import BY_SUFFIX, OPEN_STATES, Place

_SESSIONS: dict[str, tuple[tuple[time, time], ...]] = {
    "HK": ((time(9, 30), time(12)), (time(13), time(16))),
    "US": ((time(9, 30), time(16)),),
    "SH": ((time(9, 30), time(11, 30)), (time(13), time(15))),
    "SZ": ((time(9, 30), time(11, 30)), (time(13), time(15))),
}
_DAY_ENDS = {"HK": time(16, 10), "US": time(16), "SH": time(15), "SZ": time(15), "SG": time(17), "JP": time(15, 30)}
"""The last price of a day is known then, closing auction included."""


class MarketHours:
    """Expects data where the clock and the gateway's last word both say open."""

    def __init__(self) -> None:
        self.states: dict[str, int] = {}
        """Suffix -> the last QotMarketState heard."""

    def is_open(self, suffix: str, ts_ns: int) -> bool:
        place = BY_SUFFIX[suffix]
        state = self.states.get(suffix)
        if state is not None and state not in OPEN_STATES:
            return False
        local = datetime_from_ns(ts_ns, place.timezone)
        if local.weekday() >= 5:
            return False
        return any(start <= local.time() < end for start, end in _SESSIONS.get(suffix, ()))


def day_end_ns(place: Place, day_label: str) -> int:
    """When the daily bar stamped with this day is complete; bars of ours are labelled by their end.

    Raises:
        ValueError: no day.
    """
    day = datetime.fromisoformat(day_label.strip()[:10])
    return ns_from_datetime(datetime.combine(day, _DAY_ENDS[place.suffix], ZoneInfo(place.timezone)))


def local_text(ts_ns: int, place: Place) -> str:
    """``YYYY-MM-DD HH:MM:SS`` of the market, as filters want it."""
    moment = datetime_from_ns(ts_ns, place.timezone)
    if moment.microsecond:
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
