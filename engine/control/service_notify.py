"""Telling the service manager how we are: systemd's notification protocol (sd_notify(3)), one datagram a message."""

import contextlib
import socket
from collections.abc import Mapping

from engine.clock import LiveClock
from engine.domain.timestamps import SECOND_NS


class ServiceNotify:
    """Says nothing where nobody listens (``NOTIFY_SOCKET`` is not set)."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # An abstract socket is written with an at sign, and named with a zero byte.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        micros = environ.get("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(micros) / 1e6 if micros.isdigit() else 0.0
        """The manager ends us when it hears nothing for so long; 0: it does not."""

    def say(self, text: str) -> bool:
        """``READY=1``, ``STOPPING=1``, ``WATCHDOG=1``, ``STATUS=...``; False: nobody heard it."""
        if not self._address:
            return False
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.sendto(text.encode(), self._address)
            return True
        return False

    async def beat(self) -> None:
        """Until cancelled: a sign of life from the loop itself, twice within the manager's patience."""
        if not self._address or not self.watchdog_seconds:
            return
        clock = LiveClock()
        while True:
            self.say("WATCHDOG=1")
            await clock.sleep(round(self.watchdog_seconds / 2 * SECOND_NS))
