"""Byte streams in memory: two transports, and between them one pipe each way with latency, order and faults.

What is kept of TCP: bytes of one direction arrive in order and come in pieces as they were written; a receive window
of 64 KiB and back-pressure behind it; half close; FIN against RST; a peer that has gone answers with RST; what was
sent before a crash still arrives. What is left out: loss and reordering (TCP hides them), TLS, urgent data.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any

from engine.chaos.faults import ConnectionFault, FaultKind
from engine.chaos.lives import is_dead
from engine.chaos.loop import VirtualLoop

WINDOW_BYTES = 65536
"""What the two kernels hold for a sender before ``write`` starts to buffer in the transport."""

_GAP_SECONDS = 1e-6
_FIN = object()
_RST = object()


class SimSocket:
    """The little of a socket that libraries ask of ``get_extra_info("socket")``."""

    family = 2
    type = 1
    proto = 6

    def __init__(self, endpoint: "Endpoint", own: tuple[str, int], peer: tuple[str, int]) -> None:
        self._endpoint = endpoint
        self._own = own
        self._peer = peer

    def getsockname(self) -> tuple[str, int]:
        return self._own

    def getpeername(self) -> tuple[str, int]:
        return self._peer

    def setsockopt(self, *_args: Any) -> None:
        """Options change nothing here."""

    def getsockopt(self, *_args: Any) -> int:
        return 0

    def fileno(self) -> int:
        return -1

    def readable(self) -> bool:
        """Whether ``recv`` would return at once: bytes, an end or an error have arrived."""
        return self._endpoint.readable()


class Pipe:
    """One direction of a connection."""

    def __init__(self, loop: VirtualLoop, latency: Callable[[], float], kernel: Context) -> None:
        self._loop = loop
        self._latency = latency
        self._kernel = kernel
        self._queue: deque[tuple[float, Any]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._last_at = 0.0
        self.source: Endpoint
        self.sink: Endpoint
        self.unread = 0
        self.silent = False
        """What is put on the way from now on vanishes, and nobody is told."""
        self.seconds_per_byte = 0.0
        self.extra_delay = 0.0

    def push(self, item: Any) -> None:
        """Put bytes, FIN or RST on the way."""
        if self.silent:
            return
        size = len(item) if isinstance(item, bytes) else 0
        self.unread += size
        # A pipe may be slowed in mid-flight, never overtaken.
        at = max(self._last_at + _GAP_SECONDS, self._loop.now + self._latency() + self.extra_delay)
        if size and self.seconds_per_byte:
            for index in range(size):
                at += self.seconds_per_byte
                self._queue.append((at, item[index : index + 1]))
        else:
            self._queue.append((at, item))
        self._last_at = at
        self.arm()

    def arm(self) -> None:
        """See to it that the head of the queue is delivered when it is due and wanted."""
        if self._timer is None and self._queue:
            at = max(self._queue[0][0], self._loop.now)
            # A closed end is the kernel's: it answers even when the process behind it is dead.
            context = self._kernel if self.sink.closed else self.sink.context
            self._timer = self._loop.call_at(at, self._deliver, context=context)

    def hand_to_kernel(self) -> None:
        """The sink has closed: what arrives from now on is the kernel's to answer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.arm()

    def arrived(self) -> list[Any]:
        """What waits to be read by a sink that is not reading."""
        now = self._loop.now
        return [item for at, item in self._queue if at <= now]

    def clear(self) -> None:
        """Forget what is on the way."""
        self._queue.clear()
        self.unread = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _deliver(self) -> None:
        self._timer = None
        # A closed sink still takes what arrives: the answer to bytes is a reset.
        while self._queue and self._queue[0][0] <= self._loop.now and (self.sink.reading or self.sink.closed):
            item = self._queue.popleft()[1]
            if isinstance(item, bytes):
                self.unread -= len(item)
                self.sink.take(item)
                self.source.drained()
            elif item is _FIN:
                self.sink.take_end()
            else:
                self.clear()
                self.sink.lose(ConnectionResetError(104, "Connection reset by peer"))
        if self._queue and self._queue[0][0] > self._loop.now:
            self.arm()


class Endpoint(asyncio.Transport):
    """One end of a connection: an asyncio transport whose wire is a ``Pipe`` each way."""

    def __init__(
        self, loop: VirtualLoop, inbound: Pipe, outbound: Pipe, own: tuple[str, int], peer: tuple[str, int],
        context: Context,
    ) -> None:  # fmt: skip
        super().__init__({"socket": SimSocket(self, own, peer), "sockname": own, "peername": peer})
        self._loop = loop
        self._inbound = inbound
        self._outbound = outbound
        inbound.sink = outbound.source = self
        self.context = context
        self.protocol: asyncio.BaseProtocol
        self.connection: Connection
        self._high, self._low = WINDOW_BYTES, WINDOW_BYTES // 4
        self._writing_paused = False
        self._wants_data = True
        self._end_read = False
        self._end_sent = False
        self._closing = False
        self.closed = False

    # What protocols and libraries call.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._wants_data and not self._closing

    def pause_reading(self) -> None:
        self._wants_data = False

    def resume_reading(self) -> None:
        if not self._wants_data and not self._closing:
            self._wants_data = True
            self._inbound.arm()

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return max(0, self._outbound.unread - WINDOW_BYTES)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = (WINDOW_BYTES if low is None else 4 * low) if high is None else high
        self._low = self._high // 4 if low is None else low
        self._watch_buffer()

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        if not data or self._closing or is_dead(None):
            return
        if self._end_sent:
            raise RuntimeError("Cannot call write() after write_eof()")
        if _RST in self._inbound.arrived():
            self.lose(ConnectionResetError(104, "Connection reset by peer"))
        elif self.connection.seam("write"):
            self.connection.send(self, bytes(data))
            self._watch_buffer()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        if not self._end_sent and not self._closing:
            self._end_sent = True
            self._outbound.push(_FIN)

    def close(self) -> None:
        if self._closing or is_dead(None):
            return
        self._closing = True
        if self.get_write_buffer_size() == 0:
            self._finish(None)

    def abort(self) -> None:
        if not self.closed and not is_dead(None):
            self._closing = True
            self._finish(None)

    # What the pipes call.

    @property
    def reading(self) -> bool:
        return self._wants_data and not self._closing and not self._end_read

    def readable(self) -> bool:
        return self.closed or self._end_read or bool(self._inbound.arrived())

    def take(self, data: bytes) -> None:
        """Bytes arrive."""
        if self.closed:
            self._outbound.push(_RST)
            return
        if not self.connection.seam("read"):
            return
        if isinstance(self.protocol, asyncio.BufferedProtocol):
            while data:
                buffer = memoryview(self.protocol.get_buffer(len(data)))
                count = min(len(buffer), len(data))
                buffer[:count] = data[:count]
                self.protocol.buffer_updated(count)
                data = data[count:]
        elif isinstance(self.protocol, asyncio.Protocol):
            self.protocol.data_received(data)

    def take_end(self) -> None:
        """The peer sends no more."""
        if self.closed:
            return
        self._end_read = True
        stay_open = self.protocol.eof_received()  # type: ignore[attr-defined]
        if not stay_open:
            self.close()

    def drained(self) -> None:
        """The peer took some of what was sent."""
        self._watch_buffer()
        if self._closing and not self.closed and self.get_write_buffer_size() == 0:
            self._finish(None)

    def lose(self, error: Exception | None) -> None:
        """The connection breaks under this end."""
        if not self.closed:
            self._closing = True
            self._end_sent = True
            self._finish(error, silent=True)

    def vanish(self) -> None:
        """The process behind this end is gone: its kernel closes the connection."""
        if not self.closed:
            self._closing = True
            self._finish(None)

    def _finish(self, error: Exception | None, *, silent: bool = False) -> None:
        self.closed = True
        if not silent and not self._end_sent:
            # Linux answers unread bytes with a reset, a clean end with FIN.
            unread = any(isinstance(item, bytes) for item in self._inbound.arrived())
            self._outbound.push(_RST if unread else _FIN)
        self._end_sent = True
        self._loop.call_soon(self.protocol.connection_lost, error, context=self.context)
        self._inbound.hand_to_kernel()
        self.connection.endpoint_closed()

    def _watch_buffer(self) -> None:
        size = self.get_write_buffer_size()
        if size > self._high and not self._writing_paused:
            self._writing_paused = True
            self.protocol.pause_writing()
        elif self._writing_paused and size <= self._low:
            self._writing_paused = False
            self._loop.call_soon(self.protocol.resume_writing, context=self.context)


class Connection:
    """Two endpoints and the faults that are planned for them.

    An *exchange* is a question and its answer: it begins with the first bytes the client writes after the server has
    written. Byte counts of a fault start where its exchange starts.

    Args:
        addresses: of the client and the server.
        contexts: that callbacks run in: the client's, the server's, and the kernel's, which outlives both.
        faults: this connection's own, taken from the list as they fire.
        fired: told of each fault that happened.
        seam: called with "read" or "write" before it happens; False: the process died right there.
        ended: called once both ends are closed.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        latency: Callable[[], float],
        addresses: tuple[tuple[str, int], tuple[str, int]],
        contexts: tuple[Context, Context, Context],
        faults: list[ConnectionFault],
        fired: Callable[[ConnectionFault], None],
        seam: Callable[[str], bool],
        ended: Callable[["Connection"], None],
    ) -> None:
        self.up, self.down = Pipe(loop, latency, contexts[2]), Pipe(loop, latency, contexts[2])
        self.client = Endpoint(loop, self.down, self.up, addresses[0], addresses[1], contexts[0])
        self.server = Endpoint(loop, self.up, self.down, addresses[1], addresses[0], contexts[1])
        self.client.connection = self.server.connection = self
        self.port = addresses[1][1]
        self.seam = seam
        self._ended = ended
        self._faults = faults
        self._fired = fired
        self._exchange = -1
        self._server_spoke = True
        self._counts = [0, 0]

    def send(self, source: Endpoint, data: bytes) -> None:
        """Carry bytes from one end, as far as the faults let them."""
        asking = source is self.client
        if asking and self._server_spoke:
            self._exchange += 1
            self._counts = [0, 0]
        self._server_spoke = not asking
        pipe = self.up if asking else self.down
        side = 0 if asking else 1
        for fault in self._faults:
            if fault.exchange == self._exchange and fault.kind.asks == asking:
                room = fault.after_bytes - self._counts[side]
                if room < len(data) or fault.kind is FaultKind.DELAY:
                    self._faults.remove(fault)
                    self._fired(fault)
                    self._strike(fault, pipe, data[: max(0, room)], data[max(0, room) :])
                    return
        self._counts[side] += len(data)
        pipe.push(data)

    def _strike(self, fault: ConnectionFault, pipe: Pipe, head: bytes, tail: bytes) -> None:
        kind = fault.kind
        if kind is FaultKind.DELAY:
            pipe.extra_delay = fault.seconds
            pipe.push(head + tail)
            pipe.extra_delay = 0.0
            return
        if head:
            pipe.push(head)
        if kind in {FaultKind.CUT_REQUEST, FaultKind.CUT_ANSWER}:
            self.cut()
        elif kind is FaultKind.TRUNCATE_ANSWER:
            pipe.push(_FIN)
            pipe.source.lose(None)
        elif kind is FaultKind.SLOW_ANSWER:
            pipe.seconds_per_byte = fault.seconds
            pipe.push(tail)
        else:  # stalls and black holes: what was sent before may still arrive, nothing after it
            pipe.silent = True
            if kind is FaultKind.BLACK_HOLE:
                self.down.silent = True

    def cut(self) -> None:
        """Reset both ends; bytes already on the way arrive first."""
        for pipe in (self.up, self.down):
            pipe.push(_RST)
            pipe.silent = True

    def spare(self) -> None:
        """No planned fault strikes any more."""
        self._faults.clear()

    def endpoint_closed(self) -> None:
        """One end is over; when both are, so is the connection."""
        if self.client.closed and self.server.closed:
            self._ended(self)
