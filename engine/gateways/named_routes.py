"""Endpoints by name, for ``sluice call`` and ``ctx.query``: key=value texts in, plain JSON values out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError

C = TypeVar("C")
A = TypeVar("A", bound="Args")


class Args:
    """The texts given, read as what an endpoint wants; a gateway adds readers for words of its own."""

    def __init__(self, route: str, texts: Mapping[str, str]) -> None:
        self._route = route
        self._texts = texts

    def text(self, name: str, default: str = "") -> str:
        return self._texts.get(name, default)

    def whole(self, name: str, default: int = 0) -> int:
        """Raises: ConfigError: it is no whole number."""
        given = self._texts.get(name)
        if given is None:
            return default
        try:
            return int(given)
        except ValueError:
            raise ConfigError(f"{self._route}: {name}={given!r} is no whole number") from None


class Route(Struct, Generic[C, A], frozen=True, kw_only=True):
    """``needs`` must be given, ``takes`` may be. ``changes``: something is different at the server afterwards."""

    path: str = ""
    """Method and path, as the vendor's document writes them."""
    text: str
    run: Callable[[C, A], Awaitable[Any]]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    changes: bool = False

    @property
    def line(self) -> str:
        words = [f"{name}=..." for name in self.needs] + [f"[{name}=...]" for name in self.takes]
        return f"{self.text}; {' '.join(words)}" if words else self.text


async def call_named(
    routes: Mapping[str, Route[C, A]], read: type[A], client: C, gateway: str, route: str, args: Mapping[str, str]
) -> Any:
    """See ``Gateway.call``.

    Raises:
        ConfigError: no such route, an argument missing or not known. GatewayError: as the call fails.
    """
    found = routes.get(route)
    if found is None:
        raise ConfigError(f"{gateway}: no route {route!r}; it has {', '.join(routes)}")
    missing = [name for name in found.needs if not args.get(name)]
    strange = [name for name in args if name not in (*found.needs, *found.takes)]
    if missing or strange:
        what = f"{missing[0]} is missing" if missing else f"{strange[0]} is not known"
        raise ConfigError(f"{gateway} {route}: {what}; it takes {found.line}")
    return msgspec.to_builtins(await found.run(client, read(route, args)))
