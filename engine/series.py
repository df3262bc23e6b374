"""What a strategy writes in ``on_start``: series of numbers, and conditions on them.

They are nodes of a ``Stream`` (``declared.py``), which works them out; here is only how they are joined.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from engine.domain.errors import ConfigError
from engine.domain.market import Bar
from engine.indicators import INDICATORS
from engine.indicators.cross import TIE, Cross
from engine.indicators.indicator import NAN

FIELDS = ("open", "high", "low", "close", "volume")


class Stream(Protocol):
    """All that is declared about the same bars."""

    bar: Bar | None
    row: Callable[[], int] | None
    fields: dict[str, "Field"]
    triggers: "list[tuple[Condition, Callable[[Bar], Any]]]"

    def indicator(
        self, name: str, inputs: "Sequence[Series]", settings: tuple[Any, ...], named: dict[str, Any], kind: Any
    ) -> "list[Series]": ...

    def reckoned(self, function: Callable[[Any, Any], Any], one: "Series", other: "Series") -> "Series": ...

    def condition(
        self, function: Callable[[Any, Any], Any], one: "Node", other: "Node", needs: "Series | None"
    ) -> "Condition": ...


class Node:
    """Something that has a value at each bar of one stream."""

    __slots__ = ("column", "now", "stream")

    def __init__(self, stream: Stream | None, now: Any) -> None:
        self.stream = stream
        self.now = now
        """Its value at the latest bar that was taken."""
        self.column: Any = None
        """Its values at the bars being worked out as columns."""

    @property
    def value(self) -> Any:
        """At the latest bar the strategy could know of: NaN, or False, before there are enough bars."""
        if self.stream is None or self.stream.row is None:
            return self.now
        row = self.stream.row()
        return self.column[row].item() if row >= 0 else self.now

    def __bool__(self) -> bool:
        raise ConfigError("a declaration is neither true nor false: join conditions with & | ~, and read .value")


class Series(Node):
    """Numbers. Any indicator that takes a series is a method of it: ``bars.close.sma(10)``."""

    __slots__ = ()
    now: float

    def crosses_above(self, other: "Series | float", tie: float = TIE) -> "Condition":
        """Where it was below and is above now; differences of at most ``tie`` are neither."""
        return _compare(self._cross(other, tie), operator.gt, 0.0)

    def crosses_below(self, other: "Series | float", tie: float = TIE) -> "Condition":
        """Where it was above and is below now; differences of at most ``tie`` are neither."""
        return _compare(self._cross(other, tie), operator.lt, 0.0)

    def _cross(self, other: "Series | float", tie: float) -> "Series":
        stream = _stream_of(self, other)
        return stream.indicator("cross", [self, as_series(other)], (tie,), {}, Cross)[0]

    def correlation(self, other: "Series", period: int) -> "Series":
        """``INDICATORS["correlation"]`` of the two."""
        stream = _stream_of(self, other)
        return stream.indicator("correlation", [self, other], (period,), {}, INDICATORS["correlation"])[0]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        kind = INDICATORS.get(name)
        if kind is None or kind.inputs != ("value",):
            takers = ", ".join(sorted(n for n, k in INDICATORS.items() if k.inputs == ("value",)))
            raise AttributeError(f"there is no indicator {name!r} of a series; there are: {takers}")

        def declare(*settings: Any, **named: Any) -> Any:
            found = _stream_of(self).indicator(name, [self], settings, named, kind)
            return found[0] if len(found) == 1 else Outputs(kind.outputs, found)

        return declare

    def __gt__(self, other: "Series | float") -> "Condition":
        return _compare(self, operator.gt, other)

    def __ge__(self, other: "Series | float") -> "Condition":
        return _compare(self, operator.ge, other)

    def __lt__(self, other: "Series | float") -> "Condition":
        return _compare(self, operator.lt, other)

    def __le__(self, other: "Series | float") -> "Condition":
        return _compare(self, operator.le, other)

    def __add__(self, other: "Series | float") -> "Series":
        return _reckon(operator.add, self, other)

    def __radd__(self, other: float) -> "Series":
        return _reckon(operator.add, other, self)

    def __sub__(self, other: "Series | float") -> "Series":
        return _reckon(operator.sub, self, other)

    def __rsub__(self, other: float) -> "Series":
        return _reckon(operator.sub, other, self)

    def __mul__(self, other: "Series | float") -> "Series":
        return _reckon(operator.mul, self, other)

    def __rmul__(self, other: float) -> "Series":
        return _reckon(operator.mul, other, self)

    def __truediv__(self, other: "Series | float") -> "Series":
        return _reckon(_quotient, self, other)

    def __rtruediv__(self, other: float) -> "Series":
        return _reckon(_quotient, other, self)


class Condition(Node):
    """Holds or not at each bar. A comparison with what is not known yet does not hold.

    It remembers nothing, so bar by bar it is worked out only when somebody asks.
    """

    __slots__ = ("holds", "needs")

    def __init__(self, stream: Stream | None, holds: Callable[[], bool], needs: Series | None = None) -> None:
        super().__init__(stream, False)
        self.holds = holds
        """Whether it does at the latest bar that was taken."""
        self.needs = needs
        """A series that is other than 0 wherever this holds, and hardly anywhere else."""

    @property
    def value(self) -> bool:
        stream = self.stream
        if stream is None or (stream.row is None and stream.bar is not None):
            return self.holds()
        return bool(super().value)

    def __and__(self, other: "Condition") -> "Condition":
        return _join(operator.and_, self, other)

    def __or__(self, other: "Condition") -> "Condition":
        return _join(operator.or_, self, other)

    def __invert__(self) -> "Condition":
        return _join(operator.xor, self, _TRUE)


class Outputs:
    """The series of an indicator that has several, each an attribute: ``bars.close.bollinger(20).upper``."""

    def __init__(self, names: tuple[str, ...], found: list[Series]) -> None:
        self.__dict__.update(zip(names, found, strict=True))

    def __getattr__(self, name: str) -> Series:
        raise AttributeError(f"it has no {name!r}; it has: {', '.join(self.__dict__)}")


class BarSeries:
    """The bars of one instrument: ``open high low close volume`` are series, indicators of whole bars its methods."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.open, self.high, self.low, self.close, self.volume = (stream.fields[name] for name in FIELDS)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        kind = INDICATORS.get(name)
        if kind is None or "value" in kind.inputs:
            takers = ", ".join(sorted(n for n, k in INDICATORS.items() if "value" not in k.inputs))
            raise AttributeError(f"there is no indicator {name!r} of bars; there are: {takers}")

        def declare(*settings: Any, **named: Any) -> Any:
            inputs = [self.stream.fields[field] for field in kind.inputs]
            found = self.stream.indicator(name, inputs, settings, named, kind)
            return found[0] if len(found) == 1 else Outputs(kind.outputs, found)

        return declare


class Field(Series):
    """A field of the bar itself: nothing to work out."""

    __slots__ = ("name",)

    def __init__(self, stream: Stream, name: str) -> None:
        super().__init__(stream, NAN)
        self.name = name

    @property
    def value(self) -> float:
        stream = self.stream
        assert stream is not None
        if stream.row is not None:
            return float(super().value)
        return NAN if stream.bar is None else float(getattr(stream.bar, self.name))


def as_series(value: Series | float) -> Series:
    return value if isinstance(value, Series) else Series(None, float(value))


def _stream_of(*nodes: Any) -> Stream:
    found = {id(n.stream): n.stream for n in nodes if isinstance(n, Node) and n.stream is not None}
    if len(found) != 1:
        raise ConfigError("a declaration joins series of the same bars: one instrument, one length of bar")
    (stream,) = found.values()
    return stream


def _reckon(function: Callable[[Any, Any], Any], one: Series | float, other: Series | float) -> Series:
    return _stream_of(one, other).reckoned(function, as_series(one), as_series(other))


def _compare(one: Series, function: Callable[[Any, Any], Any], other: Series | float) -> Condition:
    needs = one if isinstance(other, float) and other == 0 and function in {operator.gt, operator.lt} else None
    return _stream_of(one, other).condition(function, one, as_series(other), needs)


def _join(function: Callable[[Any, Any], Any], one: Condition, other: Condition) -> Condition:
    needs = None
    if function is operator.and_:
        needs = other.needs if one.needs is None else one.needs
    return _stream_of(one, other).condition(function, one, other, needs)


def _quotient(one: Any, other: Any) -> Any:
    """``one / other``; not known where that is a division by nothing."""
    if isinstance(one, float) and isinstance(other, float):
        return one / other if other else NAN
    count = len(other) if isinstance(one, float) else len(one)
    found = np.full(count, NAN)
    np.divide(one, other, out=found, where=np.not_equal(other, 0))
    return found


_TRUE = Condition(None, lambda: True)
