"""An event loop without a machine under it: no file descriptors, threads, subprocesses or resolver.

Asking for one is an error that says so, because a run that touches the machine can not be repeated. What an ordinary
TCP client or server asks for goes to the simulated network.
"""

import ipaddress
import socket
from asyncio import base_events
from typing import Any, NoReturn

from engine.domain.errors import SluiceError


class NotSimulated(SluiceError):
    """Something reached for the machine: a thread, a socket, a name server, a subprocess."""


def refuse(what: str) -> NoReturn:
    raise NotSimulated(f"{what} in the simulation: what touches the machine can not be repeated from a seed")


class MachinelessLoop(base_events.BaseEventLoop):
    """What a selector loop does with file descriptors, led to ``network`` or refused."""

    network: Any
    """The ``Network`` of the run; set once, before the run."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        self._only_plain_tcp(host, port, kwargs)
        return await self.network.connect(protocol_factory, host, port)

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        self._only_plain_tcp("127.0.0.1" if host in (None, "") else host, 0 if port is None else port, kwargs)
        return self.network.listen(protocol_factory, 0 if port is None else port)

    @staticmethod
    def _only_plain_tcp(host: Any, port: Any, kwargs: dict[str, Any]) -> None:
        if kwargs.get("ssl"):
            refuse("TLS")
        if kwargs.get("sock") is not None or not isinstance(port, int):
            refuse("a ready-made socket")
        _ip_literal(host)

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's own word
        proto: int = 0,
        flags: int = 0,
    ) -> list[tuple[Any, Any, int, str, Any]]:
        address = _ip_literal(host)
        kind = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        where = (str(address), port or 0, 0, 0) if address.version == 6 else (str(address), port or 0)
        return [(kind, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where)]

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        refuse(f"a thread (for {getattr(func, '__qualname__', func)})")

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        refuse("watching a file descriptor")

    def add_writer(self, fd: Any, callback: Any, *args: Any) -> NoReturn:  # type: ignore[override]
        refuse("watching a file descriptor")

    async def create_datagram_endpoint(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> NoReturn:
        refuse("a datagram socket")

    async def create_unix_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> NoReturn:
        refuse("a Unix socket")

    async def create_unix_server(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> NoReturn:
        refuse("a Unix socket")

    async def subprocess_exec(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> NoReturn:
        refuse("a subprocess")

    async def subprocess_shell(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> NoReturn:
        refuse("a subprocess")

    def _write_to_self(self) -> None:
        pass

    def _process_events(self, event_list: Any) -> None:
        pass


def _ip_literal(host: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        refuse(f"looking up the host name {host!r} (use 127.0.0.1)")
