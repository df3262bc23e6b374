"""``data detect``, ``fill``, ``tasks`` and ``sdk``: the vendor's own cache, and the logins of the SDK behind it."""

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

from engine.control.cli_call import open_gateway
from engine.control.cli_process import environment
from engine.control.options import read_day
from engine.control.printing import for_progress, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.gateways.amazingdata.adapter import AmazingDataGateway
    from engine.gateways.amazingdata.client import Scope
    from engine.gateways.amazingdata.messages import Task

T = TypeVar("T")
First = Annotated[str, typer.Option("--from", help="First day, as 20240101. 开始日期。")]
Last = Annotated[str, typer.Option("--to", help="Last day, included. 结束日期。")]
Type = Annotated[str, typer.Option("--type", help="stock or future. 品种类型。")]
Contracts = Annotated[str, typer.Option(help="Of futures: all or main. 合约。")]
Source = Annotated[str, typer.Option(help="The gateway. 数据源。")]
Config = Annotated[Path | None, typer.Option(help="Take [gateway.<source>] from this config.")]
BaseUrl = Annotated[str | None, typer.Option(help="Its address, as http://127.0.0.1:8000/api/v1.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
SDK_PASSWORD = "SLUICE_AD_SDK_PASSWORD"  # noqa: S105 - the name of a variable
NAME = "amazingdata"

sdk_app = typer.Typer(help="Logins of the SDK behind the service. SDK 配置。", no_args_is_help=True)


def detect(
    first: First,
    last: Last,
    type_: Type = "stock",
    contracts: Contracts = "all",
    source: Source = NAME,
    config: Config = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """What the vendor's cache lacks. 检测缺失。"""
    scope = _scope(type_, contracts, first, last)
    found = _ask(source, config, base_url, lambda gateway: gateway.client.detect_missing(scope))
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    typer.echo(
        f"{found.status}: {found.complete_count:,} of {found.total_count:,} codes complete, {found.missing_count:,} "
        f"lack days, {found.error_count:,} failed"
    )
    if found.missing_codes:
        typer.echo(" ".join(found.missing_codes[:20]) + (" ..." if len(found.missing_codes) > 20 else ""))


def fill(
    first: First,
    last: Last,
    type_: Type = "stock",
    contracts: Contracts = "all",
    everything: Annotated[bool, typer.Option("--all", help="Cache everything, not only what lacks.")] = False,
    source: Source = NAME,
    config: Config = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Let the vendor fill its cache, and wait for it. 补齐缺失。"""
    scope = _scope(type_, contracts, first, last)
    with _task_progress() as progress:
        found = _ask(
            source,
            config,
            base_url,
            lambda gateway: gateway.tasks.run("cache-all-missing" if everything else "fill-missing", scope, progress),
        )
    if as_json:
        print_json({"task": None if found is None else msgspec.to_builtins(found)})
    elif found is None:
        typer.echo("nothing is missing")
    else:
        typer.echo(f"task {found.id} {found.status}: {found.success_count:,} filled, {found.error_count:,} failed")
    raise typer.Exit(1 if found is not None and found.error_count else 0)


def tasks(
    number: Annotated[int | None, typer.Argument(help="One task; none: list them. 任务号。")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is over. 等待完成。")] = False,
    page: Annotated[int, typer.Option(help="Page of the list.", min=1)] = 1,
    page_size: Annotated[int, typer.Option(help="Tasks on a page.", min=1)] = 20,
    source: Source = NAME,
    config: Config = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Tasks of the vendor's cache. 缓存任务。"""
    if number is None:
        listed = _ask(source, config, base_url, lambda gateway: gateway.client.tasks(page, page_size))
        if as_json:
            print_json(msgspec.to_builtins(listed))
        for task in () if as_json else listed.items:
            typer.echo(_line(task))
        return
    with _task_progress() as progress:
        one = _ask(
            source,
            config,
            base_url,
            lambda gateway: gateway.tasks.wait(number, progress) if wait else gateway.client.task(number),
        )
    if one is None:
        raise ConfigError(f"there is no task {number}; list them with: data tasks")
    if as_json:
        print_json({"task": msgspec.to_builtins(one)})
    else:
        typer.echo(_line(one))


@sdk_app.command("list")
def sdk_list(source: Source = NAME, config: Config = None, base_url: BaseUrl = None, as_json: Json = False) -> None:
    """The logins there are. 列出配置。"""
    found = _ask(source, config, base_url, lambda gateway: gateway.client.sdk_configs())
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    for row in found.items:
        typer.echo(f"{row.id:4} {row.name} {row.username}@{row.host}:{row.port}{' default' if row.is_default else ''}")


@sdk_app.command("create")
def sdk_create(
    name: Annotated[str, typer.Option(help="A name for it. 名称。")],
    username: Annotated[str, typer.Option(help="The SDK's user. 用户名。")],
    host: Annotated[str, typer.Option(help="The SDK's server. 服务器。")],
    port: Annotated[int, typer.Option(help="Its port.")] = 8600,
    local_path: Annotated[str, typer.Option(help="Where the service keeps its cache.")] = "",
    default: Annotated[bool, typer.Option("--default", help="Make it the default.")] = False,
    source: Source = NAME,
    config: Config = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Add a login; its password comes from the environment variable SLUICE_AD_SDK_PASSWORD. 新增配置。"""
    password = environment().get(SDK_PASSWORD, "")
    if not password:
        raise ConfigError(f"the SDK's password is not set; put it into the environment variable {SDK_PASSWORD}")
    made = _ask(
        source,
        config,
        base_url,
        lambda gateway: gateway.client.create_sdk_config(
            name, username, password, host, port=port, local_path=local_path, is_default=default
        ),
    )
    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        typer.echo(f"login {made.id} is there; try it with: data sdk test {made.id}")


@sdk_app.command("test")
def sdk_test(
    number: Annotated[int, typer.Argument(help="The login's number. 编号。")],
    source: Source = NAME,
    config: Config = None,
    base_url: BaseUrl = None,
    as_json: Json = False,
) -> None:
    """Try a login; takes up to a minute. 测试连接。"""
    found = _ask(source, config, base_url, lambda gateway: gateway.client.test_sdk_config(number))
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        took = "" if found.response_time is None else f" ({found.response_time:.2f} s)"
        typer.echo(f"{'good' if found.success else 'failed'}: {found.message}{took}")
    raise typer.Exit(0 if found.success else 1)


async def fill_vendors_cache(gateway: Any, instruments: Sequence[str], first: date, last: date) -> bool:
    """Let the vendor fill its cache for the kinds these instruments are of; whether anything was done.

    Raises:
        ConfigError: the gateway's vendor has no cache. GatewayError: a task failed, with the server's words.
    """
    from engine.gateways.amazingdata.adapter import AmazingDataGateway
    from engine.gateways.amazingdata.client import Scope
    from engine.gateways.amazingdata.periods import is_future

    if not isinstance(gateway, AmazingDataGateway):
        raise ConfigError("--fill: this source has no cache to fill; leave it out")
    filled = False
    with _task_progress() as progress:
        for future in sorted({is_future(name) for name in instruments}):
            scope = Scope(security_type="future" if future else "stock", start=first, end=last)
            filled |= await gateway.tasks.run("fill-missing", scope, progress) is not None
    return filled


def _ask(
    source: str, config: Path | None, base_url: str | None, ask: "Callable[[AmazingDataGateway], Awaitable[T]]"
) -> T:
    import anyio

    from engine.gateways.amazingdata.adapter import AmazingDataGateway

    opened = open_gateway(source, config, base_url)
    if not isinstance(opened, AmazingDataGateway):
        raise ConfigError(f"--source {source}: has no cache of its own; use {NAME}")
    gateway: AmazingDataGateway = opened

    async def run() -> T:
        try:
            return await ask(gateway)
        finally:
            await gateway.close()

    return anyio.run(run)


def _scope(type_: str, contracts: str, first: str, last: str) -> "Scope":
    from engine.gateways.amazingdata.client import Scope

    table: dict[str, Any] = {
        "security_type": type_,
        "contract_type": contracts,
        "start": read_day("--from", first),
        "end": read_day("--to", last),
    }
    try:
        return msgspec.convert(table, Scope)
    except msgspec.ValidationError as why:
        raise ConfigError(f"--type takes stock or future, --contracts all or main: {why}") from why


def _line(task: "Task") -> str:
    why = f": {task.error_message}" if task.error_message else ""
    kind = task.task_type or ""
    return (
        f"{task.id:6} {task.status:10} {task.share:4.0%} {kind} {task.success_count:,} of {task.total_count:,}, "
        f"{task.error_count:,} failed{why}"
    )


@contextlib.contextmanager
def _task_progress() -> "Iterator[Callable[[Task], None]]":
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=for_progress(), transient=True) as shown:
        bar = shown.add_task("waiting", total=1.0)
        yield lambda task: shown.update(bar, description=f"task {task.id} {task.status}", completed=task.share)
