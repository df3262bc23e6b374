"""The soak's figures: ``python -m tests.soak [--events N] [--orders N] [--days N] [--json]``.

A bar on standard error shows the days; the figures go to standard output. Exit code 1 if anything was left behind or
the memory's slope is above its bar.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from tests.soak.soak import START_NS, Log, Soak, slope, soaked
from tests.soak.tape import Plan
from tests.soak.test_soak import SLOPE_MAX, WARM_UP_EVENTS


def figures(log: Log) -> dict[str, Any]:
    """What the bars speak of; sizes in MiB."""
    warm = [sample for sample in log.samples if sample.events > WARM_UP_EVENTS] or log.samples
    return {
        "virtual_days": round(log.virtual_days, 1),
        "events": log.events,
        "orders": log.orders,
        "fills": log.fills,
        "cancels": log.cancels,
        "runs": log.runs,
        "cpu_minutes": round(log.cpu_seconds / 60, 2),
        "rss_mib_warm": round(warm[0].rss_mib, 1),
        "rss_mib_last": round(warm[-1].rss_mib, 1),
        "slope_mib_a_million": round(slope(warm), 3),
        "fds": log.fds,
        "tasks_most": log.most["tasks"],
        "timers_most": log.most["timers"],
        "orders_in_memory_most": log.most["orders"],
        "wal_mib_most": round(log.most["wal bytes"] / 2**20, 2),
        "records": log.records,
        "journal_mib": round(log.sizes[-1][1] / 2**20, 2),
        "compactions": len(log.sizes),
        "complaints": log.complaints,
    }


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.split("\n")[0])
    full = Plan(start_ns=START_NS)
    for name in ("days", "events", "orders"):
        asked.add_argument(f"--{name}", type=int, default=getattr(full, name))
    asked.add_argument("--json", action="store_true", help="one JSON object")
    said = asked.parse_args()
    plan = msgspec.structs.replace(full, days=said.days, events=said.events, orders=said.orders)
    # No thread of the bar's own: its time would be the simulation's.
    columns = (TextColumn("days"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(*columns, console=Console(stderr=True), auto_refresh=False) as bar,
        tempfile.TemporaryDirectory() as place,
    ):
        task = bar.add_task("days", total=plan.days)

        def each_night(soak: Soak) -> None:
            bar.update(task, completed=soak.tape.day, refresh=True)

        told = figures(soaked(plan, Path(place), each_night))
    if said.json:
        print(json.dumps(told))
    else:
        for name, value in told.items():
            print(f"{name:24}{value}")
    return 1 if told["complaints"] or told["slope_mib_a_million"] > SLOPE_MAX else 0


if __name__ == "__main__":
    sys.exit(main())
