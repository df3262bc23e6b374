"""``run.py chaos``: fly many seeds, say what broke, and how to see it again."""

import argparse
import sys
from typing import Any

import anyio
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from engine.chaos.faults import Schedule, schedule_from_json, schedule_to_json
from engine.chaos.fleet import SCENARIOS, Finding, Tally, fly_all, shrunk, work
from engine.chaos.matrix import rows_fired
from engine.clock import stopwatch_seconds

GATEWAYS = tuple(SCENARIOS)
SHRINK_SEEDS = 2
"""So many of the failing seeds are shrunk; each costs up to ``SHRINK_RUNS`` flights."""
SHRINK_RUNS = 60
SHOWN_SEEDS = 10


def main(argv: list[str]) -> int:
    """Exit code: 0 every promise held; 1 something was found, or nothing was checked; 2 a wrong argument."""
    try:
        asked = _parser().parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    if asked.worker:
        work(asked.worker, asked.gateway)
        return 0
    if asked.verbose or asked.schedule:
        return _one_by_one(asked)
    seeds = range(asked.first_seed, asked.first_seed + asked.seeds)
    fleet = {"jobs": asked.jobs, "twice_every": asked.twice_every, "gateway": asked.gateway}
    tally = Tally()
    began = stopwatch_seconds()
    err = Console(stderr=True)
    columns = (
        TextColumn("flights"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[broken]}"),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("", total=asked.seeds, broken="")

        def heard(finding: Finding) -> None:
            tally.add(finding)
            progress.update(bar, completed=len(tally.findings), broken=f"{len(tally.failed_seeds)} broken")

        anyio.run(lambda: fly_all(seeds, **fleet, heard=heard))
    report = _report(asked.gateway, tally, stopwatch_seconds() - began)
    _explain(tally, err, asked)
    if asked.json:
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    else:
        _show(report)
    return 0 if _is_clean(report) else 1


def _progress(console: Console) -> Progress:
    broken = TextColumn("{task.fields[broken]}")
    columns = (TextColumn("flights"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), broken)
    return Progress(*columns, console=console, transient=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description="Fly the whole engine through faults in virtual time.")
    parser.add_argument("--seeds", type=_count, default=50, help="how many flights (50)")
    parser.add_argument("--first-seed", type=int, default=1, help="the first of them (1)")
    parser.add_argument("--gateway", choices=GATEWAYS, default=GATEWAYS[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--jobs", type=_count, default=2, help="processes at a time (2)")
    parser.add_argument("--twice-every", type=int, default=10, help="each so many-th seed is flown twice (10); 0: none")
    parser.add_argument("--verbose", action="store_true", help="fly here, one by one, and print what happened")
    parser.add_argument("--schedule", default="", help="JSON of the faults to play instead of the seed's own")
    parser.add_argument("--no-shrink", action="store_true", help="do not look for the smallest failing schedule")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _one_by_one(asked: argparse.Namespace) -> int:
    schedule: Schedule | None = schedule_from_json(asked.schedule) if asked.schedule else None
    out, broken = Console(soft_wrap=True, highlight=False, markup=False), 0
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        outcome, flight = SCENARIOS[asked.gateway].flown(seed, schedule)
        for line in outcome.lines if asked.verbose else ():
            out.print(line)
        out.print(f"seed {seed}  digest {outcome.digest[:16]}  checked {dict(flight.checked)}  fired {outcome.fired}")
        for text in flight.accusations:
            out.print(f"BROKEN {text}")
        broken += bool(flight.accusations)
    return 1 if broken else 0


def _report(gateway: str, tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "gateway": gateway,
        "seeds": len(tally.findings),
        "hurt": tally.hurt,
        "lost": tally.count("lost"),
        "duplicated": tally.count("duplicated"),
        "limit_breaches": tally.count("breach"),
        "hung": tally.count("hung"),
        "other": tally.other,
        "digests_equal": not tally.unequal,
        "digests_compared": tally.compared,
        "failed_seeds": tally.failed_seeds,
        "crashes": tally.crashes,
        "checked": dict(sorted(tally.checked.items())),
        "faults_fired": dict(sorted(tally.fired.items())),
        "rows": rows_fired(tally.fired),
        "cpu_seconds_a_flight": round(tally.cpu_seconds / max(1, len(tally.findings)), 2),
        "schedules_a_minute": round(tally.hurt / seconds * 60, 1) if seconds else 0,
    }


def _is_clean(report: dict[str, Any]) -> bool:
    """Nothing found, and something looked at: a run that checked nothing has failed."""
    looked = report["checked"].get("trades", 0) and report["hurt"]
    return bool(looked) and not report["failed_seeds"]


def _explain(tally: Tally, err: Console, asked: argparse.Namespace) -> None:
    for number, seed in enumerate(tally.failed_seeds[:SHOWN_SEEDS]):
        finding = tally.findings[seed]
        for text in finding.accusations:
            err.print(f"seed {seed}: {text}", soft_wrap=True, highlight=False, markup=False)
        if seed in tally.unequal:
            err.print(f"seed {seed}: two processes gave two digests", highlight=False)
        command = f"python run.py chaos --seeds 1 --first-seed {seed} --gateway {asked.gateway} --verbose"
        err.print(f"  again: {command}", soft_wrap=True, highlight=False, markup=False)
        if seed not in tally.unequal and not asked.no_shrink and number < SHRINK_SEEDS:
            _print_shrunk(seed, err, asked.gateway, command)


def _print_shrunk(seed: int, err: Console, gateway: str, command: str) -> None:
    """The smallest schedule that still fails, as a command."""
    try:
        text = schedule_to_json(shrunk(seed, SHRINK_RUNS, gateway)).decode()
    except ValueError:
        err.print("  it holds when flown alone", soft_wrap=True, highlight=False)
        return
    err.print(f"  smallest: {command} --schedule '{text}'", soft_wrap=True, highlight=False, markup=False)


def _show(report: dict[str, Any]) -> None:
    table = Table(title="chaos", show_header=False)
    for name, value in report.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        table.add_row(name, shown)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
