"""The gateway of the plain stream: market data only, over one socket that makes itself again."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import to_builtins

from engine.domain.errors import BadMessage, ConfigError, NotSent, Refused
from engine.domain.ids import InstrumentId
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, BarRevision, DataKind, FeedState, FeedStatus, MarketData, Quote, Trade
from engine.domain.timestamps import duration_ns
from engine.gateways.stream import messages as m
from engine.gateways.surroundings import Surroundings
from engine.gateways.table import GatewayTable
from engine.net.polling import LinkState
from engine.net.rest import checked_base_url
from engine.net.websocket import SocketLoop
from engine.ports import MarketFeed, OrderRouter, Publish


class Stream(GatewayTable, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings. ``stale``: silence, heartbeats included, after which the socket is made again."""

    url: str = "ws://127.0.0.1:8801/stream"
    name: str = "stream"
    stale: str = "15s"
    instruments: tuple[str, ...] = ()
    """Ids that may be subscribed; empty: any."""
    market: str = "free"
    """Key into the rule books, for the instruments it lists."""
    insecure_lan: bool = False

    def open(self, surroundings: Surroundings) -> "StreamGateway":
        """The gateway, not yet connected.

        Raises:
            ConfigError: a setting that can not be used.
        """
        return StreamGateway(self, surroundings)


class StreamFeed:
    """``MarketFeed`` of one stream."""

    def __init__(self, settings: Stream, surroundings: Surroundings) -> None:
        self._settings = settings
        self._around = surroundings
        self._url = checked_base_url(settings.url, insecure_lan=settings.insecure_lan, schemes=("ws", "wss"))
        self._stale_ns = settings.span_ns("stale")
        self._wanted: dict[tuple[DataKind, str], dict[InstrumentId, None]] = {}
        self._last_bar: dict[tuple[InstrumentId, int], Bar] = {}
        self._publish: Publish | None = None
        self._loop: SocketLoop | None = None
        self.late = 0
        """Bars dropped because a newer one of their instrument was already published."""

    @property
    def pace_ns(self) -> int:
        return 0

    def subscribe(self, instrument: InstrumentId, kind: DataKind, interval_ns: int) -> None:
        """Ask for data; one that is asked for while the socket is open goes out with the next connect or ``refresh``.

        Raises:
            ConfigError: no such instrument or kind, or bars without an interval.
        """
        if kind not in m.KINDS:
            raise ConfigError(f"{self._settings.name}: has quotes, trades and bars, no {kind} data")
        if self._settings.instruments and instrument not in self._settings.instruments:
            raise ConfigError(f"{self._settings.name}: {instrument} is not among its instruments")
        if kind is DataKind.BAR and interval_ns <= 0:
            raise ConfigError(f"{self._settings.name}: bars of {instrument} need an interval, as in '5m'")
        interval = _interval_text(interval_ns) if kind is DataKind.BAR else ""
        self._wanted.setdefault((kind, interval), {})[instrument] = None

    async def refresh(self) -> None:
        """Send the whole set again on the open socket; asking twice changes nothing there."""
        if self._loop is not None:
            for frame in self._greeting():
                await self._loop.send(frame)

    async def run(self, publish: Publish) -> None:
        self._publish = publish
        self._loop = SocketLoop(
            self._url,
            self._around.clock,
            self._around.entropy.stream(f"gateway/{self._settings.name}"),
            greeting=self._greeting,
            on_message=self._take,
            on_state=self._tell,
            on_bad=self._quarantine,
            stale_ns=self._stale_ns,
            keepalive=m.PING,
            keepalive_ns=self._stale_ns // 3,
        )
        try:
            await self._loop.run()
        finally:
            self._loop = None

    @property
    def bad_messages(self) -> int:
        return 0 if self._loop is None else self._loop.bad_messages

    def subscriptions(self) -> list[dict[str, Any]]:
        """What is asked for, as plain values."""
        return [
            {"kind": kind.value, "interval": interval, "instruments": list(ids)}
            for (kind, interval), ids in self._wanted.items()
        ]

    def _greeting(self) -> Iterable[str]:
        return [m.subscribe_to_wire(kind, ids, interval) for (kind, interval), ids in self._wanted.items()]

    def _take(self, frame: str | bytes) -> None:
        read = m.frame_from_wire(frame)
        if isinstance(read, m.ErrorFrame):
            self._around.note("feed.error", {"feed": self._settings.name, "message": read.message[:500]})
            return
        event = m.event_from_wire(read)
        if event is not None and self._publish is not None and self._asked_for(event):
            if isinstance(event, Bar):
                self._bar(event, self._publish)
            else:
                self._publish(event)

    def _asked_for(self, event: MarketData) -> bool:
        """A stream that sends what nobody asked for is not let through."""
        match event:
            case Quote():
                key = (DataKind.QUOTE, "")
            case Trade():
                key = (DataKind.TRADE, "")
            case Bar():
                key = (DataKind.BAR, _interval_text(event.interval_ns))
            case _:
                return False
        return event.instrument in self._wanted.get(key, {})

    def _bar(self, bar: Bar, publish: Publish) -> None:
        """Bars go out once and in order; a resubscription may repeat the last one, and a changed one is a revision."""
        last = self._last_bar.get((bar.instrument, bar.interval_ns))
        if last is None or bar.ts_ns > last.ts_ns:
            self._last_bar[bar.instrument, bar.interval_ns] = bar
            publish(bar)
        elif bar.ts_ns < last.ts_ns:
            self.late += 1
        elif bar != last:
            self._last_bar[bar.instrument, bar.interval_ns] = bar
            publish(BarRevision(feed=self._settings.name, old=last, new=bar))

    def _quarantine(self, error: BadMessage) -> None:
        fields = {"feed": self._settings.name, "error": error.message[:500], "body": error.body[:500].hex()}
        self._around.note("feed.bad_message", fields)

    def _tell(self, state: LinkState, reason: str) -> None:
        if self._publish is not None:
            now = self._around.clock.now_ns
            name = self._settings.name
            self._publish(FeedStatus(feed=name, state=FeedState(state.value), ts_ns=now, reason=reason))


ROUTES = {
    "subscriptions": "what is subscribed now",
    "refresh": "send the subscriptions again on the open socket",
}


class StreamGateway:
    """See ``Gateway``; it has no orders."""

    def __init__(self, settings: Stream, surroundings: Surroundings) -> None:
        self.name = settings.name
        self._feed = StreamFeed(settings, surroundings)
        self.feed: MarketFeed | None = self._feed
        self.router: OrderRouter | None = None
        self._settings = settings

    async def connect(self) -> None:
        """Nothing to prove: there is no login, and ``run`` makes the socket as often as it must."""

    async def run(self, publish: Publish) -> None:
        await self._feed.run(publish)

    async def instruments(self) -> Sequence[Instrument]:
        return [Instrument(id=InstrumentId(name), market=self._settings.market) for name in self._settings.instruments]

    def routes(self) -> Mapping[str, str]:
        return ROUTES

    def reads(self) -> frozenset[str]:
        return frozenset({"subscriptions"})

    async def call(self, route: str, args: Mapping[str, str]) -> Any:
        """See ``Gateway.call``.

        Raises:
            ConfigError: no such route, or an argument: they take none. Refused: the socket is not open.
        """
        if route not in ROUTES or args:
            raise ConfigError(f"{self.name}: no route {route!r} with these arguments; it has {', '.join(ROUTES)}")
        if route == "refresh":
            try:
                await self._feed.refresh()
            except NotSent as error:
                raise Refused(error.message) from error
        return to_builtins(self._feed.subscriptions())

    async def close(self) -> None:
        """The socket ends with ``run``."""


def _interval_text(interval_ns: int) -> str:
    """``5m`` for five minutes: the largest unit that divides it."""
    for unit in ("w", "d", "h", "m", "s"):
        span = duration_ns(f"1{unit}")
        if interval_ns % span == 0:
            return f"{interval_ns // span}{unit}"
    return f"{interval_ns // 1_000_000}ms"
