"""What recording costs a live run: ``python -m benchmarks.recording [--events N] [--json]``.

Publishes quotes on a bus with one subscriber: the bus alone, the bus of turns with nobody writing them down, and with a
recorder. CPU time, so that a busy machine says the same: ``row`` is what each event waits for, ``bytes`` what the loop
does for a thousand events at once, ``write`` what the writer's thread does.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from engine.bus import Bus
from engine.clock import LiveClock, cpu_seconds
from engine.domain.ids import InstrumentId
from engine.domain.market import Quote
from engine.journal.memory import MemoryJournal
from engine.journal.tape import TapeWriter
from engine.runtime.recording import FLUSH_ROWS, Recorder
from engine.runtime.turns import Turns

START_NS = 1_700_000_000_000_000_000


def quotes(count: int) -> list[Quote]:
    names = [InstrumentId(f"60{number:04d}.SH") for number in range(50)]
    return [
        Quote(names[n % 50], START_NS + n * 1_000_000, 10 + n % 97 / 100, 10.01 + n % 97 / 100, n % 7, 3.0)
        for n in range(count)
    ]


def published(bus: Bus, events: list[Quote]) -> float:
    began = cpu_seconds()
    for event in events:
        bus.publish(event)
    return cpu_seconds() - began


def recorded(events: list[Quote], path: Path) -> tuple[float, float, float, int]:
    """CPU seconds in publish, of making bytes, of compressing and writing them; bytes on disk."""
    clock = LiveClock()
    recorder = Recorder(path.parent)
    turns = Turns(clock, recorder)
    run: Any = SimpleNamespace(turns=turns, journal=MemoryJournal(), clock=clock)
    recorder._tape, recorder._run = TapeWriter(path), run
    turns.witness = recorder
    turns.bus.subscribe(Quote, lambda _event: None)
    inside = packed = written = 0.0
    for start in range(0, len(events), FLUSH_ROWS):
        inside += published(turns.bus, events[start : start + FLUSH_ROWS])
        began = cpu_seconds()
        body = recorder._pack()
        packed += cpu_seconds() - began
        began = cpu_seconds()
        recorder._put(body)
        written += cpu_seconds() - began
    recorder.end(run)
    return inside, packed, written, path.stat().st_size


def measure(count: int) -> dict[str, float]:
    events = quotes(count)
    plain, turns = Bus(), Turns(LiveClock())
    for bus in (plain, turns.bus):
        bus.subscribe(Quote, lambda _event: None)
    bare = min(published(plain, events) for _ in range(3))
    quiet = min(published(turns.bus, events) for _ in range(3))
    with tempfile.TemporaryDirectory() as name:
        inside, packed, written, size = recorded(events, Path(name) / "run.rec")
    micro = 1e6 / count
    return {
        "events": count,
        "bus_us": round(bare * micro, 3),
        "turn_us": round((quiet - bare) * micro, 3),
        "row_us": round((inside - quiet) * micro, 3),
        "bytes_us": round(packed * micro, 3),
        "write_us": round(written * micro, 3),
        "bytes_an_event": round(size / count, 1),
    }


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args(argv)
    told = measure(asked.events)
    if asked.json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        for name, value in told.items():
            sys.stdout.write(f"{name:16} {value:g}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
