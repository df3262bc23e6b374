"""Every route by name, for ``sluice call`` and ``ctx.query``: key=value texts in, plain JSON values out."""

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.domain.errors import ConfigError
from engine.domain.ids import InstrumentId
from engine.gateways.futu import orders
from engine.gateways.futu import routes as r
from engine.gateways.futu.client import FutuClient, body_of
from engine.gateways.futu.feed import security_to_wire
from engine.gateways.futu.pacing import BY_HAND

TEXTS = {"health": "whether the gateway and its backend live", "metrics": "the gateway's own counters"}
_SECURITY_KEYS = ("security", "plate", "owner")


def lines() -> dict[str, str]:
    """Route name -> what it does and takes. ``header`` and ``packet_id`` are filled in where they are left out."""
    return {name: r.line_of(route) for name, route in r.ROUTES.items()} | TEXTS


def reads() -> frozenset[str]:
    """The routes that change nothing."""
    return frozenset(name for name, route in r.ROUTES.items() if not route.changes) | frozenset(TEXTS)


async def call(
    client: FutuClient,
    name: str,
    args: Mapping[str, str],
    *,
    gateway: str,
    account: orders.Account | None,
    packets: orders.Packets,
) -> Any:
    """Call one route. Values are JSON, or texts; securities may be written as ids: ``security=00700.HK``,
    ``security_list=00700.HK,AAPL.US``; ``trd_market`` alone makes the header of the proven account.

    Raises:
        ConfigError: no such route, or an argument it can not read. GatewayError: as the call fails.
    """
    if name in r.TEXT_ROUTES:
        return await client.text(name)
    route = r.ROUTES.get(name)
    if route is None:
        raise ConfigError(f"{gateway}: no route {name!r}; it has {', '.join([*r.ROUTES, *TEXTS])}")
    fields = route.ask.__struct_fields__
    given = {key: _value(key, text) for key, text in args.items()}
    if "header" in fields and "header" not in given and account is not None:
        market = given.get("trd_market") if "trd_market" in fields else given.pop("trd_market", None)
        given["header"] = msgspec.to_builtins(account.header(int(market or min(account.markets, default=1))))
    if "packet_id" in fields and "packet_id" not in given:
        given["packet_id"] = msgspec.to_builtins(packets.next())
    try:
        question = msgspec.convert(given, route.ask, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{gateway} {name}: {error}; it takes {r.line_of(route)}") from error
    if route.scope == "trade":
        answer = await client.write(route, body_of(route, question), priority=BY_HAND)
    else:
        answer = await client.ask(route, question)
    return msgspec.to_builtins(answer, enc_hook=str)


def _value(key: str, text: str) -> Any:
    if key in (*_SECURITY_KEYS, "security_list") and not text.lstrip().startswith(("{", "[")):
        found = [msgspec.to_builtins(security_to_wire(InstrumentId(part.strip()))) for part in text.split(",")]
        return found if key == "security_list" else found[0]
    if not text.lstrip().startswith(("{", "[")):
        # Numbers and truths are read by the field's own type: a code or a password of digits stays a text.
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return text
