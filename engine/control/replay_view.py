"""A recording and its replay in words, tables and plain values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from engine.domain.timestamps import format_time
from engine.journal.chain import DECODER
from engine.runtime.recorded import Recording
from engine.runtime.rerun import Decision
from engine.runtime.verifying import Difference, Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

BUCKETS = 20
CELL_MAX = 70
COUNTED = {"OrderSubmitted": "orders", "OrderDenied": "denied", "OrderReport": "evidence", "LatchSet": "latches"}
"""Records that have a column in the timeline."""

# --- without --verify ------------------------------------------------------------------------------------------------


def summary_of(recording: Recording, journal: Sequence[bytes]) -> dict[str, Any]:
    """What went in and what came out, counted, and when."""
    header = recording.header
    inputs: Counter[str] = Counter()
    commands: Counter[str] = Counter()
    moments: list[tuple[int, str]] = []
    end_seq, last_ns = header.seq, header.ts_ns
    for turn in recording.turns():
        inputs[turn.name] += 1
        commands.update(name for _, name, _ in turn.commands)
        last_ns, end_seq = turn.ts_ns, min(turn.end_seq, len(journal) + 1)
        moments.append((turn.ts_ns, "inputs"))
        names = [_record_name(journal[seq - 1]) for seq in range(turn.seq, end_seq)]
        moments += [(turn.ts_ns, COUNTED[name]) for name in names if name in COUNTED]
    records = Counter(_record_name(body) for body in journal[header.seq - 1 : end_seq - 1])
    return {
        "run": header.run,
        "mode": header.mode,
        "from": format_time(header.ts_ns),
        "to": format_time(last_ns),
        "first_record": header.seq,
        "last_record": end_seq - 1,
        "bytes": recording.tape.size,
        "ended": recording.end is not None and bool(recording.end.digest),
        "torn_bytes": recording.tape.torn,
        "inputs": dict(inputs.most_common()),
        "commands": dict(commands.most_common()),
        "records": dict(records.most_common()),
        "timeline": _timeline(moments, header.ts_ns, last_ns),
    }


def _record_name(body: bytes) -> str:
    return type(DECODER.decode(body)).__name__


def _timeline(moments: Sequence[tuple[int, str]], first_ns: int, last_ns: int) -> list[dict[str, Any]]:
    step_ns = max(1, -(-(last_ns - first_ns + 1) // BUCKETS))
    counts: list[Counter[str]] = [Counter() for _ in range(BUCKETS)]
    for ts_ns, what in moments:
        counts[min(BUCKETS - 1, max(0, (ts_ns - first_ns) // step_ns))][what] += 1
    return [
        {"from": format_time(first_ns + number * step_ns), **{n: found[n] for n in ("inputs", *COUNTED.values())}}
        for number, found in enumerate(counts)
    ]


def show_summary(told: Mapping[str, Any], console: "Console") -> None:
    """Three counts side by side, then the timeline."""
    from rich.table import Table

    state = "ended in order" if told["ended"] else "ends before its run did"
    console.print(f"{told['run']}  {told['mode']}  {told['from']} to {told['to']}  {state}", highlight=False)
    counts = Table("inputs / 输入", "", "commands / 指令", "", "records / 记录", "")
    columns = [[(name, str(n)) for name, n in told[key].items()] for key in ("inputs", "commands", "records")]
    for number in range(max(map(len, columns))):
        cells = [column[number] if number < len(column) else ("", "") for column in columns]
        counts.add_row(*(text for cell in cells for text in cell))
    console.print(counts)
    timeline = Table("from / 时间", "inputs", *COUNTED.values())
    for row in told["timeline"]:
        timeline.add_row(*(str(value) if value else "" for value in row.values()))
    console.print(timeline)


# --- with --verify ---------------------------------------------------------------------------------------------------


def outcome_as_json(recording: Recording, outcome: Outcome) -> dict[str, Any]:
    """Everything ``show_outcome`` says, as plain values."""
    return {
        "identical": outcome.identical,
        "run": recording.header.run,
        "inputs": outcome.inputs,
        "decisions": outcome.decisions,
        "digest": outcome.digest,
        "replayed_digest": outcome.replayed_digest,
        "complete": outcome.complete,
        "unverified_records": outcome.unverified,
        "changed": list(outcome.changed),
        "notes": list(outcome.notes),
        "difference": None if outcome.difference is None else _difference_as_json(outcome.difference),
    }


def _difference_as_json(difference: Difference) -> dict[str, Any]:
    fields = both_sides(difference)
    return {
        "turn": difference.turn,
        "time": format_time(difference.ts_ns),
        "ts_ns": difference.ts_ns,
        "input": {"name": difference.input_name, **difference.input},
        "text": difference.text or sentence(difference),
        "recorded": _as_json(difference.recorded),
        "replayed": _as_json(difference.replayed),
        "fields": [name for name, then, now in fields if then != now],
    }


def _as_json(decision: Decision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    seq = decision.seq if decision.is_record else None
    return {"kind": decision.name, "seq": seq, **msgspec.to_builtins(decision.value)}


def both_sides(difference: Difference) -> list[tuple[str, str, str]]:
    """(field, recorded, replayed), every field of either side; nested ones with dots."""
    then, now = _flat(_as_json(difference.recorded)), _flat(_as_json(difference.replayed))
    return [(name, then.get(name, ""), now.get(name, "")) for name in dict.fromkeys([*then, *now])]


def _flat(value: Any, place: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        found: dict[str, str] = {}
        for name, inner in value.items():
            found |= _flat(inner, f"{place}.{name}" if place else str(name))
        return found
    return {} if value is None else {place: str(value)}


def sentence(difference: Difference) -> str:
    """The difference in one line."""
    then, now = difference.recorded, difference.replayed
    if difference.text:
        return difference.text
    if now is None:
        return f"then it decided {_named(then)}, now nothing"
    if then is None:
        return f"then it decided nothing, now {_named(now)}"
    if then.name != now.name:
        return f"then it decided {_named(then)}, now {_named(now)}"
    names = [name for name, one, other in both_sides(difference) if one != other]
    return f"{_named(then)} differs in {', '.join(names)}"


def _named(decision: Decision | None) -> str:
    if decision is None:
        return "nothing"
    return f"{decision.name} (record {decision.seq})" if decision.is_record else decision.name


def show_outcome(recording: Recording, outcome: Outcome, console: "Console") -> None:
    """One line if all is the same; else the input, and both sides of what came of it."""
    for text in outcome.changed:
        console.print(f"changed since / 录制后已改动: {text}", highlight=False, markup=False)
    for text in outcome.notes:
        console.print(f"note / 注意: {text}", highlight=False, markup=False)
    if outcome.unverified:
        left = f"{outcome.unverified} records were journaled after the recording ends; they were not verified"
        console.print(f"note / 注意: {left}", highlight=False)
    if outcome.identical:
        console.print(
            f"identical / 完全一致: {outcome.inputs} inputs, {outcome.decisions} decisions, digest {outcome.digest}",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
        return
    difference = outcome.difference
    if difference is None:
        console.print(
            f"no decision differs over {outcome.inputs} inputs, but what was configured does: digest {outcome.digest} "
            f"then, {outcome.replayed_digest} now",
            soft_wrap=True, highlight=False,
        )  # fmt: skip
        return
    console.print(
        f"different / 不一致: after {outcome.decisions} decisions that agree, {sentence(difference)}",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    console.print(f"input {difference.turn} at {format_time(difference.ts_ns)} UTC: {difference.input_name}")
    for name, text in _flat(difference.input).items():
        console.print(f"    {name}: {_cell(text)}", highlight=False, markup=False)
    console.print(_sides(difference))


def _sides(difference: Difference) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "field / 字段", "recorded / 当时", "replayed / 现在")
    for name, then, now in both_sides(difference):
        differs = then != now
        table.add_row(
            "≠" if differs else "", name, escape(_cell(then)), escape(_cell(now)), style="bold" if differs else "dim"
        )
    return table


def _cell(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CELL_MAX else f"{line[: CELL_MAX - 1]}…"
