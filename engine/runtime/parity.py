"""Two journals of one strategy held against each other: which decision is the first that differs, and why.

Decisions are laid beside each other strategy by strategy, in the order they were made. Client ids and account names
may differ, and times within a tolerance.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from engine.domain.events import JournalRecord
from engine.domain.evidence import TERMINAL
from engine.domain.ids import ClientOrderId
from engine.domain.money import ZERO
from engine.domain.timestamps import SECOND_NS
from engine.runtime.decisions import ORDER, Decision, decisions_of
from engine.runtime.parity_settings import SettingDifference, matching_differences
from engine.runtime.report_reading import Reading

TOLERANCE_NS = SECOND_NS
LOOK_MAX = 200
"""How many decisions further a partner is looked for."""
KINDS = (
    "missing in A", "missing in B", "instrument", "side", "quantity", "type", "price", "terms", "time", "denied", "end",
    "filled quantity", "fill price",
)  # fmt: skip
"""Ways in which two decisions differ, in the order in which they are told."""
_NAMED = ("instrument", "side", "quantity", "type", "price")
_TIMES = ("expires_ns",)


class Deed(Struct, frozen=True, kw_only=True):
    """One decision and what became of it, as one journal has it."""

    decision: Decision
    state: str = ""
    """Of an order: its state at the end of the journal."""
    filled: int = 0
    average: Decimal = ZERO
    """Price of what is filled; 0 where nothing is."""


class Difference(Struct, frozen=True, kw_only=True):
    """Two decisions that belong together and differ, or one without a partner."""

    strategy: str
    number: int
    """Of this strategy's decisions, counted from 1 in the longer row."""
    at_ns: int
    kinds: tuple[str, ...]
    a: Deed | None
    b: Deed | None
    why: str


class Parity(Struct, frozen=True, kw_only=True):
    differences: tuple[Difference, ...]
    compared: int
    """Pairs of decisions."""
    decisions: tuple[int, int]
    outside: tuple[int, int]
    """Decisions left out, as made outside the time that both journals cover."""
    strategies: tuple[tuple[str, str], ...]
    """Which strategy of A was held against which of B."""
    settings: tuple[SettingDifference, ...] = ()
    """Where what filled their orders was set up otherwise: no difference of decisions, but often why there is one."""

    @property
    def same(self) -> bool:
        return not self.differences

    @property
    def first(self) -> Difference | None:
        return self.differences[0] if self.differences else None

    @property
    def counts(self) -> dict[str, int]:
        """How many decisions differ in each way; one may in several."""
        counted = Counter(kind for difference in self.differences for kind in difference.kinds)
        return {kind: counted[kind] for kind in KINDS if counted[kind]}


class Rule(Struct, frozen=True, kw_only=True):
    """What may differ."""

    tolerance_ns: int = TOLERANCE_NS
    fills: bool = True
    """Whether what became of an order is compared: its end, and what filled at which price."""
    price_tolerance: Decimal = ZERO
    """Of fill prices, in money a unit. What was asked for is compared exactly."""
    overlap: bool = False
    """Compare only decisions made while both were running."""


Records = Sequence[tuple[int, JournalRecord]]


def compare_journals(a: Records, b: Records, rule: Rule | None = None) -> Parity:
    """Lay two journals beside each other; see the module."""
    rule = rule or Rule()
    rows = [_sides(records) for records in (a, b)]
    whole = [len(row) for row in rows]
    if rule.overlap:
        rows = _overlapping(a, b, rows, rule.tolerance_ns)
    pairs = _strategies(rows[0], rows[1])
    found: list[Difference] = []
    compared = 0
    for ours, theirs in pairs:
        left = [side for side in rows[0] if side.decision.strategy == ours]
        right = [side for side in rows[1] if side.decision.strategy == theirs]
        for number, (one, other) in enumerate(align(left, right, rule.tolerance_ns), 1):
            compared += one is not None and other is not None
            difference = _difference(ours or theirs, number, one, other, rule)
            if difference is not None:
                found.append(difference)
    found.sort(key=lambda difference: difference.at_ns)
    return Parity(
        differences=tuple(found),
        compared=compared,
        decisions=(len(rows[0]), len(rows[1])),
        outside=(whole[0] - len(rows[0]), whole[1] - len(rows[1])),
        strategies=tuple(pairs),
        settings=matching_differences(a, b),
    )


def _sides(records: Records) -> list[Deed]:
    reading = Reading(records)
    filled: dict[str, int] = {}
    value: dict[str, Decimal] = {}
    for done in reading.executions:
        filled[done.client_id] = filled.get(done.client_id, 0) + abs(done.quantity)
        value[done.client_id] = value.get(done.client_id, ZERO) + abs(done.value)
    sides = []
    for decision in decisions_of(records):
        if decision.kind != ORDER or decision.denied:
            sides.append(Deed(decision=decision))
            continue
        name = decision.client_id
        quantity = filled.get(name, 0)
        state = reading.state_of(ClientOrderId(name))
        sides.append(
            Deed(
                decision=decision,
                state="" if state is None else state.value if state in TERMINAL else "open",
                filled=quantity,
                average=value[name] / quantity if quantity else ZERO,
            )
        )
    return sides


def _overlapping(a: Records, b: Records, rows: list[list[Deed]], tolerance_ns: int) -> list[list[Deed]]:
    spans = [[record.ts_ns for _, record in records] for records in (a, b)]
    if not all(spans):
        return rows
    first_ns, last_ns = max(min(span) for span in spans), min(max(span) for span in spans)
    kept = range(first_ns - tolerance_ns, last_ns + tolerance_ns + 1)
    return [[side for side in row if side.decision.ts_ns in kept] for row in rows]


def _strategies(a: Sequence[Deed], b: Sequence[Deed]) -> list[tuple[str, str]]:
    """By name; one strategy a side is compared whatever it is called."""
    ours = list(dict.fromkeys(side.decision.strategy for side in a))
    theirs = list(dict.fromkeys(side.decision.strategy for side in b))
    if len(ours) == 1 and len(theirs) == 1:
        return [(ours[0], theirs[0])]
    return [(name, name) for name in dict.fromkeys((*ours, *theirs))]


def align(a: Sequence[Deed], b: Sequence[Deed], tolerance_ns: int) -> Iterable[tuple[Deed | None, Deed | None]]:
    """Pairs in order. A decision without a partner stands alone, so that one missing order does not shift the rest."""
    i = j = 0
    while i < len(a) and j < len(b):
        one, other = a[i], b[j]
        near = abs(one.decision.ts_ns - other.decision.ts_ns) <= tolerance_ns
        alike = _key(one) == _key(other)
        if near and alike:
            yield one, other
            i, j = i + 1, j + 1
            continue
        later_b = _partner(one, b, j + 1, tolerance_ns)
        later_a = _partner(other, a, i + 1, tolerance_ns)
        if later_b and (not later_a or later_b - j <= later_a - i):
            yield from ((None, side) for side in b[j:later_b])
            j = later_b
        elif later_a:
            yield from ((side, None) for side in a[i:later_a])
            i = later_a
        elif alike or (near and one.decision.kind == other.decision.kind):
            yield one, other
            i, j = i + 1, j + 1
        elif one.decision.ts_ns <= other.decision.ts_ns:
            yield one, None
            i += 1
        else:
            yield None, other
            j += 1
    yield from ((side, None) for side in a[i:])
    yield from ((None, side) for side in b[j:])


def _key(side: Deed) -> tuple[Any, ...]:
    terms = side.decision.terms
    return side.decision.kind, terms.get("instrument"), terms.get("side"), terms.get("action")


def _partner(side: Deed, others: Sequence[Deed], start: int, tolerance_ns: int) -> int:
    """The place of a decision of the same key at the same time; 0: there is none."""
    at_ns, key = side.decision.ts_ns, _key(side)
    for place in range(start, min(len(others), start + LOOK_MAX)):
        apart_ns = others[place].decision.ts_ns - at_ns
        if apart_ns > tolerance_ns:
            return 0
        if apart_ns >= -tolerance_ns and _key(others[place]) == key:
            return place
    return 0


def _difference(strategy: str, number: int, a: Deed | None, b: Deed | None, rule: Rule) -> Difference | None:
    if a is None or b is None:
        one = a or b
        assert one is not None
        kinds, why = (["missing in A"] if a is None else ["missing in B"]), "no such decision on the other side"
        if one.decision.denied:
            why = f"{why}; on this side it was denied: {one.decision.denied}: {one.decision.reason}"
        at_ns = one.decision.ts_ns
    else:
        told = [*_terms(a.decision, b.decision, rule), *(_ends(a, b, rule) if rule.fills else ())]
        if not told:
            return None
        kinds, why = list(dict.fromkeys(kind for kind, _ in told)), "; ".join(text for _, text in told)
        at_ns = min(a.decision.ts_ns, b.decision.ts_ns)
    return Difference(strategy=strategy, number=number, at_ns=at_ns, kinds=tuple(kinds), a=a, b=b, why=why)


def _terms(a: Decision, b: Decision, rule: Rule) -> Iterable[tuple[str, str]]:
    """What was asked for, when, and whether our own checks let it pass."""
    for name in dict.fromkeys((*_NAMED, *a.terms, *b.terms)):
        one, other = a.terms.get(name), b.terms.get(name)
        if _equal(name, one, other, rule.tolerance_ns):
            continue
        yield name if name in _NAMED else "terms", f"{name} {_word(one)} in A, {_word(other)} in B"
    apart_ns = b.ts_ns - a.ts_ns
    if abs(apart_ns) > rule.tolerance_ns:
        yield "time", f"B decided {abs(apart_ns) / SECOND_NS:.3f} s {'later' if apart_ns > 0 else 'earlier'}"
    if a.denied != b.denied:
        for name, side in (("A", a), ("B", b)):
            if side.denied:
                yield "denied", f"denied in {name}: {side.denied}: {side.reason}"


def _equal(name: str, a: Any, b: Any, tolerance_ns: int) -> bool:
    if a == b:
        return True
    if name in _TIMES:
        return isinstance(a, int) and isinstance(b, int) and abs(a - b) <= tolerance_ns
    if name.endswith(("price", "trail", "trail_limit")) and a is not None and b is not None:
        return Decimal(str(a)) == Decimal(str(b))
    return False


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def _ends(a: Deed, b: Deed, rule: Rule) -> Iterable[tuple[str, str]]:
    """What became of an order that both sides let pass."""
    if a.decision.kind != ORDER or b.decision.kind != ORDER or a.decision.denied or b.decision.denied:
        return
    if a.state != b.state:
        yield "end", f"ended {a.state or 'open'} in A, {b.state or 'open'} in B"
    if a.filled != b.filled:
        yield "filled quantity", f"filled {a.filled} in A, {b.filled} in B"
    if a.filled and b.filled and abs(a.average - b.average) > rule.price_tolerance:
        yield "fill price", f"filled at {_price(a.average)} in A, {_price(b.average)} in B"


def _price(value: Decimal) -> str:
    return f"{value.normalize():f}" if len(value.as_tuple().digits) < 12 else f"{value:.6f}"
