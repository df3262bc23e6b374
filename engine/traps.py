"""Named places where a test can make the engine die (RELIABILITY 3.3).

``passed`` is called at each of them and does nothing. A test that wants a process killed there puts a function of its
own in its place, in that process; nothing in the engine does, and no config or environment can. None of the places is
on the way of market data or of a replay.
"""

from collections.abc import AsyncIterator, Callable

POINTS = {
    "C3": "the send marker is durable, no byte has left",
    "C4": "half of a request's body is written",
    "C5": "a request is written, its answer not read",
    "C6": "the answer to an order is read, nothing of it told",
    "C11": "a cancel is durable, not sent",
    "C12": "the answer to a cancel is read, nothing of it told",
    "C13": "the answer to a replacement is read, nothing of it told",
    "C14": "a row of a reconciliation was handed to the journal",
    "C16": "compaction: the new file is written, not in its place",
    "C16b": "compaction: the old file is set aside, the new one not in its place",
    "C16c": "compaction: the new file is in its place",
    "C17": "a migration is done, not committed",
    "C21": "a session was renewed, nothing of it kept",
    "C25": "a recovery is about to look for evidence",
}
"""Those of the 28 points that need a place in the code; the journal's records show the others."""


def nobody(_point: str, _path: str = "") -> None:
    """What is called where no test waits; ``path`` says of which request C4 and C5 are."""


passed: Callable[..., None] = nobody


async def in_halves(body: bytes, path: str) -> AsyncIterator[bytes]:
    """The body of a request in two writes, with C4 between them and C5 behind."""
    half = len(body) // 2
    yield body[:half]
    passed("C4", path)
    yield body[half:]
    passed("C5", path)
