"""kill -9 of a trading engine at random moments, again and again over one journal, while its market lives on."""

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.crash.points import Trial
from tests.crash.processes import Nursery, until
from tests.crash.story import Left, last_seq, records_of

ROUND_THE_CLOCK = {"hours": (0, 24), "tick_minutes": 1.0, "speed": 600.0}
RECORDS_MAX = 12
"""How many records an engine may write at most before it is killed; an order's whole life is about five."""
LATER_SECONDS = 0.03
PATIENCE_SECONDS = 3.0
"""Where it has nothing to write: the market may be closed."""
STARTING_SECONDS = 0.3
"""How long one of five lives at most in all: those die while they start or recover."""


class Killed(Struct, kw_only=True):
    """What came of it."""

    kills: int
    ended_before: int
    """Engines that had ended by themselves when the kill came: none may."""
    orders: int
    sent: int
    lost: int
    doubled: int
    other: list[str]
    records: int
    seconds: float

    @property
    def kills_a_second(self) -> float:
        return self.kills / self.seconds


def killed_at_random(
    nursery: Nursery,
    folder: Path,
    kills: int,
    seed: int,
    *,
    broker: str = "virtual_market",
    heard: Callable[[int], None] = lambda _number: None,
    seconds_max: float = float("inf"),
) -> Killed:
    """Kill ``kills`` engines, or as many as ``seconds_max`` has room for; let a last one settle and end in order; then
    the venue's books judge.
    """
    draw = random.Random(seed)
    settings: dict[str, Any] = ROUND_THE_CLOCK if broker == "virtual_market" else {}
    trial = Trial(nursery, broker, folder, **settings)
    ended = 0
    with trial.venue.served():
        began = time.monotonic()
        done = 0
        while done < kills and time.monotonic() - began < seconds_max:
            before = last_seq(trial.journal)
            engine = trial.start()
            if draw.random() < 0.2:
                time.sleep(draw.uniform(0.0, STARTING_SECONDS))
            else:
                aim = before + draw.randint(1, RECORDS_MAX)
                with contextlib.suppress(AssertionError):
                    until(lambda aim=aim: last_seq(trial.journal) >= aim, "records", PATIENCE_SECONDS)
                time.sleep(draw.uniform(0.0, LATER_SECONDS))
            ending = engine.kill()
            if ending.killed is None:
                ended += 1
                trial.found.append(f"engine {done} ended by itself: {ending}")
            done += 1
            heard(done)
        seconds = time.monotonic() - began
        trial.goes_on(0.5)
        trial.judge()
    left = Left(records_of(trial.journal))
    lost = [text for text in trial.found if text.startswith("lost")]
    doubled = [text for text in trial.found if "duplicated" in text or text.startswith("I5")]
    return Killed(
        kills=done,
        ended_before=ended,
        orders=len(left.intents),
        sent=sum(left.sent.values()),
        lost=len(lost),
        doubled=len(doubled),
        other=[text for text in trial.found if text not in lost and text not in doubled] + lost + doubled,
        records=len(left.records),
        seconds=round(seconds, 1),
    )


def main() -> int:
    """``python -m tests.crash.random_kills --kills 1000``"""
    import argparse
    import json
    import sys
    import tempfile

    import msgspec

    from tests.crash.processes import a_nursery

    asked = argparse.ArgumentParser(description=main.__doc__)
    asked.add_argument("--kills", type=int, default=1000)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--broker", default="virtual_market")
    asked.add_argument("--seconds", type=float, default=float("inf"), help="stop killing after so many")
    asked.add_argument("--keep", type=Path)
    given = asked.parse_args()

    def heard(number: int) -> None:
        if number % 20 == 0:
            print(f"{number} of {given.kills} kills", file=sys.stderr, flush=True)

    with a_nursery() as nursery, tempfile.TemporaryDirectory() as place:
        folder = given.keep or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        found = killed_at_random(
            nursery, folder, given.kills, given.seed, broker=given.broker, heard=heard, seconds_max=given.seconds
        )
    print(json.dumps({**msgspec.to_builtins(found), "kills_a_second": round(found.kills_a_second, 2)}, indent=1))
    return 1 if found.other else 0


if __name__ == "__main__":
    raise SystemExit(main())
