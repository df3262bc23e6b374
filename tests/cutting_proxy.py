"""A TCP proxy between the engine and a real server that cuts the line at a byte, or forwards nothing any more."""

import contextlib
import socket
import threading
from typing import Literal

Way = Literal["asked", "answered"]
"""Bytes to the server, bytes from it."""


class CuttingProxy:
    """Listens on 127.0.0.1; every connection goes to the server's port. Threads, so that a blocked caller is served."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.accepted = 0
        """Connections so far."""
        self.cut = threading.Event()
        """Set when the line was cut."""
        self._lock = threading.Lock()
        self._left: dict[Way, int | None] = {"asked": None, "answered": None}
        self._silent = False
        self._refusing = False
        self._lines: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, way: Way, count: int) -> None:
        """Let ``count`` more bytes through that way, then end both sides; once."""
        self.cut.clear()
        with self._lock:
            self._left[way] = count

    def black_hole(self) -> None:
        """Take everything, forward nothing, end nothing: also on new connections."""
        self._silent = True

    def refuse(self) -> None:
        """End every line and every new one at once."""
        self._refusing = True
        self.drop()

    def heal(self) -> None:
        """As a network should be, from now on; lines that went silent are ended."""
        if self._silent:
            self.drop()
        self._silent = self._refusing = False

    def drop(self) -> None:
        """End every line."""
        with self._lock:
            lines, self._lines = self._lines, []
        for ends in lines:
            for end in ends:
                _end(end)

    def close(self) -> None:
        _end(self._listener)
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._refusing:
                _end(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.server_port))
            except OSError:
                _end(near)
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._lines.append((near, far))
            threading.Thread(target=self._pump, args=("asked", near, far), daemon=True).start()
            threading.Thread(target=self._pump, args=("answered", far, near), daemon=True).start()

    def _pump(self, way: Way, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._silent:
                    continue
                with self._lock:
                    left = self._left[way]
                    if left is not None:
                        data, self._left[way] = data[:left], left - len(data[:left])
                    over = left is not None and len(data) == left
                    if over:
                        self._left[way] = None
                if data:
                    sink.sendall(data)
                if over:
                    self.cut.set()
                    break
        for end in (source, sink):
            _end(end)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
