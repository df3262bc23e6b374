"""The network of the simulation: listening ports, connects, and which connection meets which fault.

Everything is on 127.0.0.1; a port is a whole machine. Connections are made of ``streams``.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from typing import Any

from engine.chaos.faults import ConnectionFault, Fault, FaultKind, PortFault, fault_name
from engine.chaos.lives import LIFE, Life, current_life, is_dead
from engine.chaos.loop import VirtualLoop
from engine.chaos.streams import Connection

HOST = "127.0.0.1"
LATENCY_SECONDS = (0.0002, 0.003)
"""One way, drawn evenly for each piece; order within a direction is kept."""
CONNECT_TIMEOUT_SECONDS = 127.0
"""When Linux gives up on a connect that nobody answers (tcp_syn_retries = 6, ip-sysctl documentation)."""


class ListeningSocket:
    """What a server shows for ``server.sockets``."""

    def __init__(self, port: int) -> None:
        self._port = port

    def getsockname(self) -> tuple[str, int]:
        return HOST, self._port


class SimServer(asyncio.AbstractServer):
    """A listening port: asyncio's server object, without the sockets."""

    def __init__(self, network: "Network", factory: Callable[[], asyncio.BaseProtocol], port: int) -> None:
        self._network = network
        self.factory = factory
        self.port = port
        self.context = copy_context()
        self.sockets: Sequence[ListeningSocket] = (ListeningSocket(port),)

    def close(self) -> None:
        self._network.unlisten(self)

    def is_serving(self) -> bool:
        return self._network.serving(self)

    async def start_serving(self) -> None:
        """It serves from the start."""

    async def serve_forever(self) -> None:
        await asyncio.get_running_loop().create_future()

    async def wait_closed(self) -> None:
        """Connections that are open do not hold it back (as before Python 3.12)."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._network.loop

    async def __aenter__(self) -> "SimServer":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self.close()


class Network:
    """Ports and connections of one run.

    Args:
        latency: the seeded stream of delays.
        faults: the schedule; what is not the network's is left alone.
        seam: told of each connect, read and write before it happens; False: the process died right there.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        latency: random.Random,
        faults: Sequence[Fault] = (),
        seam: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        self.loop = loop
        self.fired: Counter[str] = Counter()
        self.connections: list[Connection] = []
        self._latency = latency
        self._seam = seam
        self._kernel = Context()
        self._listeners: dict[int, SimServer] = {}
        self._down: dict[int, int] = {}
        self._connects: Counter[int] = Counter()
        self._next_port = 40000
        self._planned = [fault for fault in faults if isinstance(fault, ConnectionFault)]
        self._timers = [
            loop.call_later(fault.at_seconds, self._take_down, fault, context=self._kernel)
            for fault in faults
            if isinstance(fault, PortFault)
        ]

    # What the loop calls.

    async def connect(self, factory: Callable[[], asyncio.BaseProtocol], host: str, port: int) -> Any:
        """Connect as ``loop.create_connection`` does.

        Raises:
            ConnectionRefusedError: nobody listens there. TimeoutError: nobody answered.
        """
        number = self._connects[port]
        self._connects[port] += 1
        faults = [fault for fault in self._planned if (fault.port, fault.connection) == (port, number)]
        alive = self._seam("connect")
        await asyncio.sleep(self.delay() + self.delay())
        if not alive:
            await self.loop.create_future()
        for fault in [fault for fault in faults if fault.kind.connects]:
            self.note(fault)
            if fault.kind is FaultKind.REFUSE:
                raise ConnectionRefusedError(111, f"Connect call failed ('{host}', {port})")
            await asyncio.sleep(CONNECT_TIMEOUT_SECONDS)
            raise TimeoutError(110, f"Connect call failed ('{host}', {port})")
        listener = self._listeners.get(port)
        if listener is None or port in self._down:
            raise ConnectionRefusedError(111, f"Connect call failed ('{host}', {port})")
        return self._join(factory, listener, faults)

    def _join(
        self, factory: Callable[[], asyncio.BaseProtocol], listener: SimServer, faults: list[ConnectionFault]
    ) -> Any:
        connection = Connection(
            self.loop,
            self.delay,
            ((HOST, self._free_port()), (HOST, listener.port)),
            (copy_context(), listener.context.copy(), self._kernel),
            faults,
            self.note,
            self._seam,
            self.connections.remove,
        )
        self.connections.append(connection)

        def accept() -> None:
            connection.server.protocol = listener.factory()
            connection.server.protocol.connection_made(connection.server)

        self.loop.call_soon(accept, context=connection.server.context)
        protocol = connection.client.protocol = factory()
        protocol.connection_made(connection.client)
        return connection.client, protocol

    def listen(self, factory: Callable[[], asyncio.BaseProtocol], port: int) -> SimServer:
        """Listen as ``loop.create_server`` does; port 0 takes a free one.

        Raises:
            OSError: the port is taken.
        """
        if port in self._listeners:
            raise OSError(98, f"error while attempting to bind on address ('{HOST}', {port}): address already in use")
        server = SimServer(self, factory, port or self._free_port())
        if not is_dead(None):
            self._listeners[server.port] = server
            life = current_life()
            if life is not None:
                life.on_death.append(server.close)
        return server

    def unlisten(self, server: SimServer) -> None:
        """Stop listening; connections that are open stay."""
        if self.serving(server):
            del self._listeners[server.port]

    def serving(self, server: SimServer) -> bool:
        return self._listeners.get(server.port) is server

    # What scenarios call.

    def drop_port(self, port: int) -> None:
        """Reset every connection to a port and refuse new ones until ``restore_port``."""
        self._down[port] = self._down.get(port, 0) + 1
        for connection in self.connections_to(port):
            connection.cut()

    def restore_port(self, port: int) -> None:
        """Undo one ``drop_port``."""
        left = self._down.pop(port, 0) - 1
        if left > 0:
            self._down[port] = left

    def connects_to(self, port: int) -> int:
        """How often somebody tried to connect to a port."""
        return self._connects[port]

    def connections_to(self, port: int) -> list[Connection]:
        """The open connections to a port, oldest first."""
        return [connection for connection in self.connections if connection.port == port]

    def heal(self) -> None:
        """No planned fault strikes from now on and every port is up; connections that are broken stay broken."""
        self._planned.clear()
        for timer in self._timers:
            timer.cancel()
        self._down.clear()
        for connection in self.connections:
            connection.spare()

    def note(self, fault: Fault) -> None:
        """Count a fault that happened."""
        self.fired[fault_name(fault)] += 1

    def bury(self, life: Life) -> None:
        """Close what a killed process had open, as its kernel would."""
        for connection in list(self.connections):
            for endpoint in (connection.client, connection.server):
                if endpoint.context.get(LIFE) is life:
                    endpoint.vanish()

    def delay(self) -> float:
        return self._latency.uniform(*LATENCY_SECONDS)

    def _take_down(self, fault: PortFault) -> None:
        self.note(fault)
        self.drop_port(fault.port)
        self._timers.append(self.loop.call_later(fault.seconds, self.restore_port, fault.port, context=self._kernel))

    def _free_port(self) -> int:
        self._next_port += 1
        return self._next_port
