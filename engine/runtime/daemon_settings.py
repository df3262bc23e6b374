"""``[daemon]``, ``[notices]`` and ``[secrets]`` of a config: what a run left alone needs besides trading."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from engine.domain.timestamps import duration_ns, parse_time

Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hours and minutes, as ``18:30``."""


class FetchTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[daemon.fetch]``: bars of the day into a catalog, after the close."""

    source: str = ""
    """A key of ``[gateway.*]`` that has history, as amazingdata; empty: nothing is fetched."""
    catalog: str = "catalog"
    instruments: tuple[str, ...] = ()
    """Default: those of the strategies, as far as the source has them."""
    periods: tuple[str, ...] = ("daily",)
    days: Annotated[int, Meta(ge=1, le=60)] = 5
    """So many days back are looked at each time: what is missing is asked for."""


class DaemonTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[daemon]``. Durations of ``drain`` and ``patience`` are real time, the others the run's own clock."""

    drain: str = "30s"
    """How long a stop may take to bring what is under way to an end."""
    patience: str = "30s"
    """How long the start waits for a gateway that does not answer before it goes on with the others."""
    save: str = "1m"
    """How often strategies are asked for their state."""
    pre_open: str = "30m"
    """How long before an opening the check is."""
    after_close: str = "30m"
    """How long behind a close the day's work is."""
    compact: str = "15m"
    """How long behind that work the journal is compacted, if every market is closed and stays so for ``quiet``."""
    quiet: str = "45m"
    summary: Clock | None = None
    """When the day's summary is sent, in ``timezone``; None: with the work after each market's close."""
    timezone: str = "Asia/Shanghai"
    backups: Annotated[int, Meta(ge=1, le=1000)] = 30
    """Copies of the journal that are kept."""
    clock_skew: str = "1s"
    """The most a server's clock may differ before an opening."""
    disk_mib: Annotated[int, Meta(ge=1)] = 1024
    """The least room before an opening."""
    fetch: FetchTable = FetchTable()
    simulators: Literal["own", "elsewhere"] = "elsewhere"
    """``own``: the daemon serves the systems of ``[simulator.*]`` itself, at the addresses of the gateways."""
    host: str = "127.0.0.1"
    """Where its own simulators listen."""
    start: str = ""
    """With its own simulators: what the clock shows when the data directory is new, as 2026-03-02T09:00:00+08:00; it
    goes on from there, over restarts. Empty: now."""

    def __post_init__(self) -> None:
        for text in (
            self.drain, self.patience, self.save, self.pre_open, self.after_close, self.compact, self.quiet,
            self.clock_skew,
        ):  # fmt: skip
            duration_ns(text)
        if self.start and self.simulators != "own":
            raise ValueError('start is of simulators = "own"; others have a clock of their own')
        if self.start:
            parse_time(self.start)


class NoticesTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[notices]``: how people are told; each ``[notices.to.<name>]`` is a channel, ``kind`` says which."""

    to: dict[str, dict[str, Any]] = {}
    least: Literal["info", "warning", "critical"] = "warning"
    """What a channel takes that says nothing else."""
    per_hour: Annotated[int, Meta(ge=1, le=10_000)] = 30
    """Messages a channel is sent within an hour; what is more is counted and told in one. A kill is always sent."""
    repeat: str = "1h"
    """The same thing is not said again within this."""
    quiet_from: Clock | None = None
    quiet_to: Clock | None = None
    """Between the two, in ``timezone``, only what is critical is sent; the rest is told afterwards, in one message."""
    timezone: str = "Asia/Shanghai"
    private_hosts: tuple[str, ...] = ()
    """Hosts of the private network that may be called; all others must have public addresses (RELIABILITY 6, SSRF)."""
    daily: bool = True
    """Whether the day's summary is sent."""

    def __post_init__(self) -> None:
        duration_ns(self.repeat)
        if (self.quiet_from is None) is not (self.quiet_to is None):
            raise ValueError("quiet_from and quiet_to go together; give both or neither")


class Unattended(Struct, frozen=True, kw_only=True):
    """The part of a config that is about running alone; the document has these tables besides its own."""

    daemon: DaemonTable = DaemonTable()
    notices: NoticesTable = NoticesTable()
    secrets: dict[str, str] = {}
    """Environment variable -> where its value is instead: ``env:OTHER``, ``file:/path`` or ``keyring:service/user``."""
