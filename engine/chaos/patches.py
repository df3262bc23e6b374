"""What libraries reach for behind our back, led to the simulation for the length of one run.

=====================================  ============================================================================
time.monotonic, time, perf_counter     httpcore (keep-alive), uvicorn (date header), httpx (elapsed); and the _ns forms
time.sleep                             refused: it would block the loop
os.urandom (secrets, uuid4, ...)       websockets' keys and masks, multipart boundaries
random's own generator                 websockets' back-off, uvicorn's pings; seeded, and put back afterwards
anyio's CancelScope                    gets a number as its hash: scopes are kept in sets, and sets are cancelled in
                                       their order, which by memory address differs from process to process
uvicorn's protocols                    likewise, for the set it closes on shutdown
httpcore's look at an idle socket      asks the simulated socket, and not for encryption, which is not simulated
threading.Thread.start                 refused; so is what anyio.to_thread would start
uvicorn's signal handlers              not installed: a crashed server would never put the old ones back
LiveClock's defaults                   were bound to the real functions when the class was made
sniffio's guess                        told: it would ask for the running task at each of anyio's checkpoints
anyio's states of tasks                a table of its own: killed tasks never leave it, and what it holds holds them
garbage collection                     off: async generators and forgotten tasks would end at a moment that depends on
                                       how much was allocated before
=====================================  ============================================================================
"""

import contextlib
import gc
import itertools
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import anyio._backends._asyncio as anyio_backend
import httpcore._backends.anyio as httpcore_anyio
import sniffio
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from engine.chaos.machine import NotSimulated
from engine.chaos.streams import SimSocket
from engine.clock import LiveClock

NUMBERED = (H11Protocol, HttpToolsProtocol, WebSocketsSansIOProtocol)
"""Library classes whose instances are kept in sets that are iterated."""


@contextlib.contextmanager
def patched(seconds: Callable[[], float], wall_ns: Callable[[], int], rng: random.Random) -> Iterator[None]:
    """Lead time and chance to the simulation inside the ``with`` block, and put everything back.

    Args:
        seconds: the loop's time.
        wall_ns: the wall clock that goes with it.
        rng: a stream of its own for what libraries draw.
    """
    with contextlib.ExitStack() as stack:
        _patch_time(stack, seconds, wall_ns)
        _patch_chance(stack, rng)
        _patch_order(stack)
        _patch(stack, anyio_backend, "_task_states", WeakKeyDictionary())
        _patch(stack, httpcore_anyio.AnyIOStream, "get_extra_info", _told_of)
        stack.callback(setattr, sniffio.thread_local, "name", sniffio.thread_local.name)
        sniffio.thread_local.name = "asyncio"
        _patch(stack, threading.Thread, "start", _no_thread)
        _patch(stack, uvicorn.Server, "capture_signals", _no_signals)
        if gc.isenabled():
            gc.disable()
            stack.callback(gc.enable)
        yield


def _patch(stack: contextlib.ExitStack, owner: Any, name: str, value: Any) -> None:
    before = owner.__dict__[name]
    setattr(owner, name, value)
    stack.callback(setattr, owner, name, before)


def _patch_time(stack: contextlib.ExitStack, seconds: Callable[[], float], wall_ns: Callable[[], int]) -> None:
    def monotonic_ns() -> int:
        return round(seconds() * 1e9)

    def wall_seconds() -> float:
        return wall_ns() / 1e9

    def sleep(duration: float) -> None:
        raise NotSimulated(f"time.sleep({duration}) in the simulation: it blocks the loop")

    for name in ("monotonic", "perf_counter"):
        _patch(stack, time, name, seconds)
        _patch(stack, time, f"{name}_ns", monotonic_ns)
    _patch(stack, time, "time", wall_seconds)
    _patch(stack, time, "time_ns", wall_ns)
    _patch(stack, time, "sleep", sleep)
    defaults: dict[str, Any] = LiveClock.__init__.__kwdefaults__ or {}
    before = dict(defaults)
    defaults.update(monotonic_ns=monotonic_ns, wall_ns=wall_ns)
    stack.callback(defaults.update, before)


def _patch_chance(stack: contextlib.ExitStack, rng: random.Random) -> None:
    _patch(stack, os, "urandom", rng.randbytes)
    _patch(stack, random, "_urandom", rng.randbytes)  # what SystemRandom, and so ``secrets``, draws from
    stack.callback(random.setstate, random.getstate())
    random.seed(rng.getrandbits(64))


def _patch_order(stack: contextlib.ExitStack) -> None:
    numbers = itertools.count(1)

    plain = anyio_backend.CancelScope.__init__

    class NumberedScope(anyio_backend.CancelScope):
        __slots__ = ("_number",)

        def __init__(self, deadline: float = math.inf, shield: bool = False) -> None:
            plain(self, deadline, shield)
            self._number = next(numbers)

        def __hash__(self) -> int:
            return self._number

    def number(self: Any) -> int:
        # Numbered when it is first put into a set: the same moment in every process.
        found: int = self.__dict__.setdefault("_chaos_number", 0) or next(numbers)
        self.__dict__["_chaos_number"] = found
        return found

    _patch(stack, anyio_backend, "CancelScope", NumberedScope)
    for numbered in NUMBERED:
        stack.callback(delattr, numbered, "__hash__")
        numbered.__hash__ = number  # type: ignore[method-assign]


def _told_of(stream: Any, info: str) -> Any:
    """What httpcore asks of a stream, thrice a request: anyio would make a table of everything each time."""
    sock = stream._stream._raw_socket
    if info == "is_readable":
        return sock.readable() if isinstance(sock, SimSocket) else True
    found = {"client_addr": "getsockname", "server_addr": "getpeername"}.get(info)
    return sock if info == "socket" else getattr(sock, found)() if found else None


def _no_thread(thread: threading.Thread) -> None:
    raise NotSimulated(f"a thread ({thread.name}) in the simulation: its timing can not be repeated")


@contextlib.contextmanager
def _no_signals(_server: uvicorn.Server) -> Iterator[None]:
    yield
