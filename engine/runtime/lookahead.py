"""Whether a strategy knew what it could not know: run again in other futures, it must decide the same before them.

At several instants the data is cut off, and goes on another way (``lookahead_data.py``); every decision made up to
the instant is held against the same run over the data as they are. Half of the instants are moments at which the
strategy decided something, so that a look one bar ahead is seen; the others are spread over the data.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from engine.domain.errors import ConfigError
from engine.domain.timestamps import day_of
from engine.runtime.decisions import Decision
from engine.runtime.lookahead_data import CHANGED, CUT, Future

INSTANTS = 6
AGAIN = "again"
FUTURES = ((CUT, 1), (CHANGED, 1), (CHANGED, -1))
"""At each instant: nothing follows; a walk; the same walk upside down, for those that mind one direction alone."""


class Made(Struct, kw_only=True, omit_defaults=True):
    """One run of the strategy, as its own process tells it."""

    decisions: list[Decision] = []
    opened: list[str] = []
    """Data files the strategy opened itself, each with file and line of who did."""
    error: str = ""
    """Why the run could not be made, or not to its end."""
    bars: int = 0


class Finding(Struct, frozen=True, kw_only=True):
    """The first decision up to an instant that is another one in another future."""

    how: str
    """``cut``, ``changed``; ``again``: the same data, so chance or the clock of the wall decided."""
    after_ns: int
    """The future began after this instant."""
    strategy: str
    at_ns: int
    full: Decision | None
    """With the data as they are; None: no such decision."""
    other: Decision | None
    ahead_bars: int
    """Bars between the decision and the future that changed it, at least; 0: the very next one."""
    same_day: bool
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "how": self.how,
            "after_ns": self.after_ns,
            "strategy": self.strategy,
            "at_ns": self.at_ns,
            "full": None if self.full is None else self.full.text(),
            "other": None if self.other is None else self.other.text(),
            "ahead_bars": self.ahead_bars,
            "note": self.note,
        }


class Verdict(Struct, frozen=True, kw_only=True):
    findings: tuple[Finding, ...]
    instants: tuple[int, ...]
    decisions: int
    """Made in the run over the data as they are."""
    compared: int
    """Of these, up to the last instant."""
    runs: int
    opened: tuple[str, ...]
    hints: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not self.findings


Play = Callable[[Future | None], Made]
"""One run in a fresh process; None: the data as they are."""


def look_ahead(
    play: Play,
    times: NDArray[np.int64],
    steps: dict[str, float],
    *,
    tz: str,
    instants: int = INSTANTS,
    seed: int = 0,
    from_ns: int = 0,
    done: Callable[[int, int], None] = lambda _done, _of: None,
) -> Verdict:
    """Run, cut, change, compare.

    Args:
        times: ends of all bars, rising, each once.
        steps: see ``Future``.
        from_ns: the first instant that may be taken: each instrument has bars by then.
        done: told how many runs of how many are made.

    Raises:
        ConfigError: there is nothing to compare in this data, or the run over it fails.
    """
    usable = times[:-1][times[:-1] >= from_ns]
    if not len(usable):
        raise ConfigError(
            "lookahead needs an instant at which every instrument has some bars and one has more to come; "
            "give it longer files, or instruments whose times overlap"
        )
    total = 2 + len(FUTURES) * min(instants, len(usable))
    full = play(None)
    if full.error:
        raise ConfigError(f"the run over the data as they are fails: {full.error}")
    done(1, total)
    again = play(None)
    done(2, total)
    last_ns = int(times[-1])
    findings = [_finding(AGAIN, last_ns, full, again, times, tz)]
    chosen = choose_instants(usable, full.decisions, instants)
    runs, total = 2, 2 + len(FUTURES) * len(chosen)
    if findings[0] is None:
        for after_ns in chosen:
            for how, sign in FUTURES:
                made = play(Future(how=how, after_ns=after_ns, seed=seed, sign=sign, steps=steps))
                findings.append(_finding(how, after_ns, full, made, times, tz))
                runs += 1
                done(runs, total)
    found = tuple(finding for finding in findings if finding is not None)
    opened = tuple(dict.fromkeys(full.opened))
    latest_ns = max(chosen)
    return Verdict(
        findings=found,
        instants=tuple(chosen),
        decisions=len(full.decisions),
        compared=sum(1 for d in full.decisions if d.ts_ns <= latest_ns),
        runs=runs,
        opened=opened,
        hints=hints_of(found, opened),
    )


def choose_instants(usable: NDArray[np.int64], decisions: Sequence[Decision], count: int) -> list[int]:
    """Ends of bars: half the last before a decision, evenly among those, the rest evenly; rising, each once."""
    moments = np.array([d.ts_ns for d in decisions if usable[0] <= d.ts_ns <= usable[-1]], np.int64)
    decided = np.unique(usable[np.searchsorted(usable, moments, "right") - 1])
    at_decisions = min((count + 1) // 2, len(decided))
    chosen = {int(decided[(2 * i + 1) * len(decided) // (2 * at_decisions)]) for i in range(at_decisions)}
    spread = count - len(chosen)
    chosen |= {int(usable[(i + 1) * len(usable) // (spread + 1) - (len(usable) > 1)]) for i in range(spread)}
    return sorted(chosen)


def _finding(how: str, after_ns: int, full: Made, other: Made, times: NDArray[np.int64], tz: str) -> Finding | None:
    """The first difference up to the instant; a run that failed is one if anything was decided by then.

    Where data follows, the time before the next bar's end belongs to it: timers fire in it.
    """
    following = times[np.searchsorted(times, after_ns, "right") :]
    until_ns = int(following[0]) - 1 if how == CHANGED and len(following) else after_ns
    for before, now in zip_longest(_until(full.decisions, until_ns), _until(other.decisions, until_ns)):
        if before is not None and now is not None and before.said == now.said:
            continue
        earlier = min((d for d in (before, now) if d is not None), key=lambda d: d.ts_ns)
        reach = int(np.searchsorted(times, after_ns, "right") - np.searchsorted(times, earlier.ts_ns, "right"))
        return Finding(
            how=how,
            after_ns=after_ns,
            strategy=earlier.strategy,
            at_ns=earlier.ts_ns,
            full=before,
            other=now,
            ahead_bars=max(0, reach),
            same_day=day_of(earlier.ts_ns, tz) == day_of(after_ns, tz),
            note=other.error,
        )
    return None


def _until(decisions: Iterable[Decision], ts_ns: int) -> list[Decision]:
    return [decision for decision in decisions if decision.ts_ns <= ts_ns]


WHOLE = (
    "figures of the whole data (mean, deviation, a rank, a normalisation), or a model fitted or trained on all of it: "
    "fit on what came before each decision. 用全部数据做标准化或训练模型"
)
DAY_END = (
    "a value of the day's end (its high, low, close, volume) used before the day is over, or a window centred on the "
    "bar: use what has been seen of the day so far. 当日未结束就用了全天的最高、最低或收盘，或居中窗口"
)
NEXT = (
    "the next bar's values: shift(-1), an index one too far, a bar's close before its end (its label is its start): "
    "shift the other way. 用了下一根K线，或在K线结束前就用它的收盘价"
)
END_ONLY = (
    "only where the data ends matters, not what its prices are: the number of rows, the last date, a loop to the end. "
    "结果取决于数据何时结束"
)
CHANCE = (
    "the same data gives another run: chance without a seed, the time of day, the order of a set, a file it writes and "
    "reads again; take chance from a seed first, then look again. 同样的数据两次结果不同：未固定随机种子或依赖系统时间"
)


def hints_of(findings: Sequence[Finding], opened: Sequence[str]) -> tuple[str, ...]:
    """The likeliest kind of look-ahead first, by how far before the future the changed decisions were made."""
    if not findings:
        return ()
    if findings[0].how == AGAIN:
        return (CHANCE,)
    hints = [f"it opens the data itself: {where}. 策略自己读了整个数据文件" for where in opened]
    furthest = max(findings, key=lambda finding: finding.ahead_bars)
    if all(finding.how == CUT for finding in findings):
        hints.append(END_ONLY)
    if furthest.ahead_bars == 0:
        return (*hints, NEXT, DAY_END, WHOLE)
    if all(finding.same_day for finding in findings):
        return (*hints, DAY_END, NEXT, WHOLE)
    return (*hints, WHOLE, DAY_END, NEXT)
