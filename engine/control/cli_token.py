"""``token create``, ``token list``, ``token revoke``: who may use the control API of a config."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.control.printing import complain, for_people, print_json
from engine.domain.errors import ConfigError

if TYPE_CHECKING:
    from engine.control.api.tokens import TokenStore

token_app = typer.Typer(
    help="Tokens of the control API: create, list, revoke. 控制接口令牌。", no_args_is_help=True, rich_markup_mode=None
)
Config = Annotated[Path, typer.Option(help="The config the engine is started with. 配置文件。")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout. 输出一个 JSON 对象。")]
DAY_NS = 24 * 3600 * 10**9


@token_app.command()
def create(
    config: Config,
    name: Annotated[str, typer.Option(help="Yours, to tell them apart. 名称。")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="read, trade, risk:set, risk:reset, admin; may be given several times. 权限。"),
    ] = None,
    days: Annotated[float, typer.Option(help="How long it opens; 0: for ever. 有效天数。", min=0)] = 90,
    as_json: AsJson = False,
) -> None:
    """Make a token; it is shown once and never again. 新建令牌，只显示一次。"""
    from engine.clock import LiveClock
    from engine.control.api.scopes import Scope

    wanted = scope or ["read"]
    for word in wanted:
        if word not in list(Scope):
            raise ConfigError(f"--scope {word}: there is none; scopes are {', '.join(Scope)}")
    if len(name) > 64 or not name.isprintable():
        raise ConfigError("--name: at most 64 printable characters")
    now_ns = LiveClock().now_ns
    expires_ns = now_ns + round(days * DAY_NS) if days else 0
    text = _store(config).create(name, [Scope(word) for word in wanted], now_ns=now_ns, expires_ns=expires_ns)
    if as_json:
        print_json({"token": text, "id": text.split("_")[1], "name": name, "scopes": wanted})
    else:
        typer.echo(text)
        complain("keep it well: only its hash is kept here")


@token_app.command("list")
def list_tokens(config: Config, as_json: AsJson = False) -> None:
    """Tokens with their scopes and ends, without the secrets. 列出令牌。"""
    from rich.table import Table

    from engine.clock import LiveClock
    from engine.control.api.shapes import iso

    now_ns = LiveClock().now_ns
    rows = [
        {
            "id": token.id,
            "name": token.name,
            "scopes": [str(one) for one in token.scopes],
            "created": iso(token.created_ns),
            "expires": iso(token.expires_ns) if token.expires_ns else None,
            "state": "revoked" if token.revoked_ns else "expired" if token.over(now_ns) else "open",
        }
        for token in _store(config).all()
    ]
    if as_json:
        print_json({"tokens": rows})
        return
    table = Table("id", "name", "scopes", "created", "expires", "state")
    for row in rows:
        table.add_row(*(", ".join(v) if isinstance(v, list) else str(v or "-") for v in row.values()))
    for_people().print(table)


@token_app.command()
def revoke(
    token: Annotated[str, typer.Argument(help="Its id, as list shows it. 令牌编号。")],
    config: Config,
    as_json: AsJson = False,
) -> None:
    """Close a token at once, also of an engine that runs. 立即吊销令牌。"""
    from engine.clock import LiveClock

    closed = _store(config).revoke(token, now_ns=LiveClock().now_ns)
    if closed is None:
        raise ConfigError(f"there is no token {token!r}; look at: token list")
    if as_json:
        print_json({"id": closed.id, "name": closed.name, "state": "revoked"})
    else:
        typer.echo(f"{closed.id} is revoked")


def _store(config: Path) -> "TokenStore":
    from engine.control.api.tokens import TokenStore
    from engine.runtime.control_table import ControlTable, token_file
    from engine.runtime.settings import load_settings

    settings = load_settings(config)
    return TokenStore(token_file(settings.safety.control or ControlTable(), settings.data_dir))
