"""``data fetch`` and ``data statements``: from a gateway into the catalog."""

import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.control.cli_call import open_gateway
from engine.control.options import read_day
from engine.control.printing import complain, for_progress, print_json
from engine.domain.errors import ConfigError, GatewayError
from engine.domain.ids import InstrumentId

if TYPE_CHECKING:
    from engine.data.calendar import MarketCalendar
    from engine.data.calendar_days import KnownDays
    from engine.data.fetch import Fetched, HistorySource, Progress, Wish
    from engine.ports import Gateway

Source = Annotated[str, typer.Option(help="A gateway that has history, as amazingdata. 数据源。")]
Codes = Annotated[str, typer.Option(help="As 600000.SH,000001.SZ. 代码。")]
First = Annotated[str, typer.Option("--from", help="First day, as 20240101. 开始日期。")]
Last = Annotated[str, typer.Option("--to", help="Last day, included. 结束日期。")]
Folder = Annotated[Path, typer.Option("--catalog", help="The catalog's folder. 数据目录。")]
Config = Annotated[Path | None, typer.Option(help="Take [gateway.<source>] from this config.")]
BaseUrl = Annotated[str | None, typer.Option(help="Its address, as http://127.0.0.1:8000/api/v1.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
CATALOG = Path("catalog")
GAPS_SHOWN = 10


def fetch(
    first: First,
    last: Last,
    source: Source = "amazingdata",
    codes: Codes = "",
    type_: Annotated[str, typer.Option("--type", help="All codes of a list, as EXTRA_ETF, instead. 品种类型。")] = "",
    period: Annotated[str, typer.Option(help="daily, min1, min5 ... or 1d, 1m, 5m. 周期。")] = "daily",
    catalog: Folder = CATALOG,
    calendar: Annotated[Path | None, typer.Option(help="File of days that go before the calendar's.")] = None,
    fill: Annotated[bool, typer.Option("--fill", help="Let the vendor fill its cache where bars lack. 补齐。")] = False,
    again: Annotated[bool, typer.Option("--again", help="Ask for days that are complete, too. 重新下载。")] = False,
    config: Config = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Fill the catalog; started again it goes on where it was. 下载行情。"""
    import anyio

    from engine.clock import LiveClock, stopwatch_seconds
    from engine.data.fetch import Wish

    span = _span(first, last)
    opened = open_gateway(source, config, base_url)
    history = _history_of(source, opened)
    interval_ns = interval_of_period(period)
    named = _named(codes, type_)
    began = stopwatch_seconds()

    async def run() -> "tuple[Wish, Fetched]":
        async with _closing(opened):
            await opened.connect()
            wish = Wish(
                instruments=tuple(named or await _of_type(opened, source, type_)),
                interval_ns=interval_ns,
                first=span[0],
                last=span[1],
                now_ns=LiveClock().now_ns,
                again=again,
            )
            return wish, await _fill(opened, history, wish, catalog, calendar, vendor=fill)

    wish, done = anyio.run(run)
    told = _told(source, catalog, period, wish, done, stopwatch_seconds() - began)
    if as_json:
        print_json(told)
    else:
        typer.echo(
            f"{told['bars']:,} bars of {told['instruments']} instruments ({told['new']:,} new, {told['changed']:,} "
            f"changed) in {told['seconds']} s, {told['bars_per_second']:,} bars/s; {told['missing']:,} bars missing"
        )
    _complain_of(done)
    raise typer.Exit(1 if done.failed else 0)


def statements(
    codes: Codes,
    first: First,
    last: Last,
    source: Source = "amazingdata",
    catalog: Folder = CATALOG,
    config: Config = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Fetch financial statements of these reporting periods, by the day they were announced. 财务报表。"""
    import anyio

    from engine.data.fundamentals import filing_of, write_filings
    from engine.gateways.amazingdata.adapter import AmazingDataGateway
    from engine.gateways.amazingdata.statements import STATEMENTS

    span = _span(first, last)
    opened = open_gateway(source, config, base_url)
    if not isinstance(opened, AmazingDataGateway):
        raise ConfigError(f"--source {source}: has no financial statements; use amazingdata")
    names = _listed(codes)
    rows: list[Any] = []
    left_out = 0

    async def run() -> None:
        nonlocal left_out
        async with _closing(opened):
            for statement in STATEMENTS:
                found = await opened.statements(statement, names, *span)
                rows.extend(found.rows)
                left_out += found.undated

    anyio.run(run)
    changed = write_filings(catalog, [filing_of(row) for row in rows])
    told = {"catalog": str(catalog), "instruments": len(names), "filings": len(rows), "changed": changed,
            "undated": left_out}  # fmt: skip
    if as_json:
        print_json(told)
    else:
        typer.echo(
            f"{len(rows)} filings of {len(names)} instruments, {changed} new or changed, {left_out} without a day"
        )


def interval_of_period(text: str) -> int:
    """``min5`` and ``daily`` as AmazingData writes them, or ``5m`` and ``1d``, in nanoseconds.

    Raises:
        ConfigError: neither.
    """
    from engine.data.manifest import interval_of
    from engine.gateways.amazingdata.periods import INTERVALS

    return INTERVALS[text] if text in INTERVALS else interval_of(text)


async def _fill(
    gateway: "Gateway",
    source: "HistorySource",
    wish: "Wish",
    folder: Path,
    override_file: Path | None,
    *,
    vendor: bool,
) -> "Fetched":
    from engine.control.cli_data_server import fill_vendors_cache
    from engine.data.catalog import Catalog
    from engine.data.fetch import Fetch, merged

    calendars = await _calendars(gateway, wish, override_file)
    with Catalog(folder, writing=True) as catalog, _progress() as progress:
        done = await Fetch(source, catalog, wish, calendars, progress=progress).run()
        if not vendor or not done.gaps or not await fill_vendors_cache(gateway, list(done.gaps), wish.first, wish.last):
            return done
        rest = await Fetch(source, catalog, wish, calendars, progress=progress).run()
        return merged(done, rest)


async def _calendars(
    gateway: "Gateway", wish: "Wish", override_file: Path | None
) -> "dict[InstrumentId, MarketCalendar | None]":
    """A calendar an instrument: the source's days, where it has any, over exchange_calendars, under the file's."""
    from engine.data.calendar import calendar_of
    from engine.data.calendar_days import known_days

    ask = getattr(gateway, "trading_days", None)
    by_venue: dict[str, KnownDays | None] = {}
    found = {}
    for instrument in wish.instruments:
        venue = instrument.rpartition(".")[2]
        if venue not in by_venue:
            by_venue[venue] = None
            if ask is not None:
                try:
                    days = await ask(instrument, wish.first, wish.last)
                    by_venue[venue] = known_days(wish.first, wish.last, days)
                except GatewayError as error:
                    complain(f"the source's calendar of {venue} can not be read: {error.message}")
        found[instrument] = calendar_of(instrument, known=by_venue[venue], override_file=override_file)
    return found


def _named(codes: str, type_: str) -> list[InstrumentId]:
    if bool(codes) == bool(type_):
        raise ConfigError("say what to fetch: --codes 600000.SH,000001.SZ, or --type EXTRA_ETF")
    return _listed(codes) if codes else []


async def _of_type(gateway: "Gateway", source: str, type_: str) -> list[InstrumentId]:
    if "codes" not in gateway.routes():
        raise ConfigError(f"--type: {source} has no lists of codes; name them with --codes")
    listed = await gateway.call("codes", {"security_type": type_})
    return [InstrumentId(str(code)) for code in listed]


def _listed(codes: str) -> list[InstrumentId]:
    names = list(dict.fromkeys(InstrumentId(code.strip()) for code in codes.split(",") if code.strip()))
    wrong = [name for name in names if not name.rpartition(".")[0]]
    if wrong or not names:
        raise ConfigError(f"--codes {codes!r}: write code, dot and venue, as in 600000.SH,000001.SZ")
    return names


def _span(first: str, last: str) -> tuple[date, date]:
    span = read_day("--from", first), read_day("--to", last)
    if span[1] < span[0]:
        raise ConfigError(f"--to {last} is before --from {first}; swap them")
    return span


def _history_of(name: str, gateway: Any) -> "HistorySource":
    """The gateway as a source, or the part of it that is one."""
    for place in (gateway, gateway.feed):
        found = getattr(place, "history", None)
        if found is not None and {"from_ns", "to_ns"} <= set(inspect.signature(found).parameters):
            source: HistorySource = place
            return source
    raise ConfigError(f"--source {name}: this gateway has no history by dates; use amazingdata")


@contextlib.asynccontextmanager
async def _closing(gateway: "Gateway") -> AsyncIterator[None]:
    try:
        yield
    finally:
        await gateway.close()


@contextlib.contextmanager
def _progress() -> "Iterator[Callable[[Progress], None]]":
    """A bar on stderr with the rate and the time left, where a person can see it."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from engine.clock import stopwatch_seconds

    columns = (
        BarColumn(), MofNCompleteColumn(), TextColumn("days"), TextColumn("{task.fields[bars]:,} bars"),
        TextColumn("{task.fields[rate]:,.0f}/s"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    began = stopwatch_seconds()
    with Bars(*columns, console=for_progress(), transient=True) as shown:
        task = shown.add_task("", total=None, bars=0, rate=0.0)

        def tell(now: "Progress") -> None:
            rate = now.bars / max(stopwatch_seconds() - began, 1e-9)
            shown.update(task, completed=now.done, total=now.total, bars=now.bars, rate=rate)

        yield tell


def _told(source: str, catalog: Path, period: str, wish: "Wish", done: "Fetched", seconds: float) -> dict[str, Any]:
    return {
        "source": source,
        "catalog": str(catalog),
        "period": period,
        "instruments": len(wish.instruments),
        "asked": done.asked,
        "days": done.days,
        "bars": done.bars,
        "new": done.new,
        "changed": done.changed,
        "missing": sum(sum(days.values()) for days in done.gaps.values()),
        "gaps": done.gaps,
        "failed": done.failed,
        "seconds": round(seconds, 3),
        "bars_per_second": round(done.bars / seconds) if seconds > 0 else 0,
    }


def _complain_of(done: "Fetched") -> None:
    shown: Sequence[tuple[str, dict[str, int]]] = list(done.gaps.items())[:GAPS_SHOWN]
    for instrument, days in shown:
        some = ", ".join(f"{day} ({count})" for day, count in list(days.items())[:5])
        complain(f"{instrument}: {sum(days.values()):,} bars missing on {len(days)} days: {some}")
    if len(done.gaps) > len(shown):
        complain(f"and {len(done.gaps) - len(shown)} more instruments; --json lists them")
    for instrument, why in list(done.failed.items())[:GAPS_SHOWN]:
        complain(f"{instrument}: not fetched: {why}")
