"""The sets of parameters that are tried: ranges and choices, held to each parameter's own type and bounds."""

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.params import fill_parameters, parameters_of
from engine.runtime.backtest_result import StrategySpec
from engine.runtime.settings_reading import near
from engine.runtime.strategies import load_strategy

Parameters = dict[str, Any]
"""One set: name as the user wrote it -> value."""
VALUES_MAX = 1_000_000
_DRAWS_MAX, _SHUFFLED_MAX = 200, 100_000


class Dimension(Struct, frozen=True, kw_only=True):
    """One parameter that is varied: ``values`` where they can be listed, else all numbers from ``low`` to ``high``."""

    name: str
    owners: tuple[str, ...]
    """The strategies that take it."""
    field: str
    """What they call it."""
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def is_number(self) -> bool:
        return not self.values or not any(isinstance(value, bool | str) or value is None for value in self.values)

    def draw(self, chance: Random) -> Any:
        if self.values:
            return self.values[chance.randrange(len(self.values))]
        if self.log:
            return math.exp(chance.uniform(math.log(self.low), math.log(self.high)))
        return chance.uniform(self.low, self.high)


class Space(Struct, frozen=True, kw_only=True):
    dimensions: tuple[Dimension, ...]

    @property
    def size(self) -> int | None:
        """How many sets there are; None: without end."""
        if any(not dimension.values for dimension in self.dimensions):
            return None
        return math.prod(len(dimension.values) for dimension in self.dimensions)

    def at(self, place: int) -> Parameters:
        """The set of that number; the last dimension runs fastest."""
        found = {}
        for dimension in reversed(self.dimensions):
            place, within = divmod(place, len(dimension.values))
            found[dimension.name] = dimension.values[within]
        return {dimension.name: found[dimension.name] for dimension in self.dimensions}

    def draw(self, chance: Random, count: int) -> list[Parameters]:
        """So many sets, no two equal; fewer if there are fewer."""
        size = self.size
        if size is not None and size <= _SHUFFLED_MAX:
            # All of them are shuffled, so that fewer sets are the first of more.
            return [self.at(place) for place in chance.sample(range(size), size)[:count]]
        found: dict[str, Parameters] = {}
        for _ in range(count * _DRAWS_MAX):
            if len(found) >= count:
                break
            drawn = {dimension.name: dimension.draw(chance) for dimension in self.dimensions}
            found.setdefault(key_of(drawn), drawn)
        return list(found.values())

    def given_to(self, parameters: Parameters, strategy: str) -> dict[str, Any]:
        """The values of a set that one strategy takes, by its own names."""
        return {d.field: parameters[d.name] for d in self.dimensions if strategy in d.owners}


def key_of(parameters: Mapping[str, Any]) -> str:
    """The same text for the same set."""
    return msgspec.json.encode(parameters, order="deterministic").decode()


def space_of(specs: Sequence[StrategySpec], ranges: Mapping[str, str], choices: Mapping[str, Sequence[Any]]) -> Space:
    """Ranges as ``low:high:step``, ``low:high`` or ``low:high:log`` (an empty end is the parameter's own bound), and
    lists of values (empty: all that the parameter's type has).

    Raises:
        ConfigError: no strategy has such a parameter, or the values do not fit it; one sentence.
    """
    dimensions = []
    for name, text in ranges.items():
        owners = _owners(specs, f"--range {name}", name)
        if name in choices:
            raise ConfigError(f"--range {name}: it has a --choice too; write one of them")
        dimensions.append(_range(f"--range {name}={text}", name, owners, text))
    for name, values in choices.items():
        owners = _owners(specs, f"--choice {name}", name)
        dimensions.append(_choice(f"--choice {name}", name, owners, values))
    taken: dict[tuple[str, str], str] = {}
    for one in dimensions:
        for owner in one.owners:
            other = taken.setdefault((owner, one.field), one.name)
            if other != one.name:
                raise ConfigError(f"{other} and {one.name} are both {one.field} of {owner}; write one of them")
    if not dimensions:
        known = ", ".join(dict.fromkeys(f for spec in specs for f in _fields(spec))) or "none"
        raise ConfigError(f"nothing to vary; add --range NAME=LOW:HIGH:STEP or --choice NAME=A,B (parameters: {known})")
    return Space(dimensions=tuple(dimensions))


def _fields(spec: StrategySpec) -> tuple[str, ...]:
    return parameters_of(load_strategy(spec.path)).__struct_fields__


def _owners(specs: Sequence[StrategySpec], option: str, name: str) -> list[StrategySpec]:
    """``fast`` goes to every strategy that has it, ``sma_cross.fast`` to one."""
    owner, dot, field = name.rpartition(".")
    some = [spec for spec in specs if not dot or spec.name == owner]
    if not some:
        raise ConfigError(f"{option}: there is no strategy {owner!r}{near(owner, [spec.name for spec in specs])}")
    found = [spec for spec in some if field in _fields(spec)]
    if not found:
        every = dict.fromkeys(known for spec in some for known in _fields(spec))
        raise ConfigError(f"{option}: no strategy has such a parameter{near(field, every)}")
    return found


def _dimension(option: str, name: str, owners: Sequence[StrategySpec], tried: Sequence[Any], **more: Any) -> Dimension:
    """Each value is given to each owner once, so that its type and bounds are the parameter's own."""
    field = name.rpartition(".")[2]
    for spec in owners:
        for value in tried:
            try:
                fill_parameters(load_strategy(spec.path), {field: value})
            except ConfigError as why:
                raise ConfigError(f"{option}: {value} does not fit: {why}") from why
    return Dimension(name=name, field=field, owners=tuple(spec.name for spec in owners), **more)


def _type_of(spec: StrategySpec, field: str) -> Any:
    shape = msgspec.inspect.type_info(parameters_of(load_strategy(spec.path)))
    assert isinstance(shape, msgspec.inspect.StructType)
    kind: Any = next(known.type for known in shape.fields if known.name == field)
    while isinstance(kind, msgspec.inspect.Metadata):
        kind = kind.type
    return kind


def _range(option: str, name: str, owners: Sequence[StrategySpec], text: str) -> Dimension:
    kind = _type_of(owners[0], name.rpartition(".")[2])
    whole = isinstance(kind, msgspec.inspect.IntType)
    if not whole and not isinstance(kind, msgspec.inspect.FloatType):
        raise ConfigError(f"{option}: the parameter is no number; write its values, as in --choice {name}=A,B")
    parts = [part.strip() for part in text.split(":")]
    if len(parts) not in {2, 3}:
        raise ConfigError(f"{option}: write --range {name}=LOW:HIGH:STEP, as in --range {name}=5:50:5")
    low = _number(option, parts[0], kind.ge if kind.ge is not None else None, "low end")
    high = _number(option, parts[1], kind.le if kind.le is not None else None, "high end")
    if high < low:
        raise ConfigError(f"{option}: the low end {low} is above the high end {high}; swap them")
    log = parts[2:] == ["log"]
    step = None if log or len(parts) == 2 or not parts[2] else _number(option, parts[2], None, "step")
    if step is not None and step <= 0:
        raise ConfigError(f"{option}: a step is above 0")
    if log and low <= 0:
        raise ConfigError(f"{option}: a log scale starts above 0")
    if whole and (odd := [n for n in (low, high, step) if n is not None and n != n.to_integral_value()]):
        raise ConfigError(f"{option}: {odd[0]} is no whole number, and the parameter takes whole numbers alone")
    if step is None and (not whole or log):
        ends = [int(end) if whole else float(end) for end in (low, high)]
        if whole:
            raise ConfigError(f"{option}: a log scale is for parameters that are no whole numbers; write a step")
        return _dimension(option, name, owners, ends, low=float(low), high=float(high), log=log)
    stride = step or Decimal(1)
    count = int((high - low) / stride) + 1
    if count > VALUES_MAX:
        raise ConfigError(f"{option}: {count:,} values are more than {VALUES_MAX:,}; write a larger step")
    values = tuple(int(low + n * stride) if whole else float(low + n * stride) for n in range(count))
    return _dimension(option, name, owners, (values[0], values[-1]), values=values)


def _number(option: str, text: str, own: float | None, what: str) -> Decimal:
    if not text and own is None:
        raise ConfigError(f"{option}: the parameter has no bound of its own for the {what}; write a number")
    try:
        number = Decimal(text if text else str(own))
    except InvalidOperation:
        raise ConfigError(f"{option}: the {what} {text!r} is no number") from None
    if not number.is_finite():
        raise ConfigError(f"{option}: the {what} {text!r} is no number")
    return number


def _choice(option: str, name: str, owners: Sequence[StrategySpec], values: Sequence[Any]) -> Dimension:
    kind = _type_of(owners[0], name.rpartition(".")[2])
    if not values:
        if isinstance(kind, msgspec.inspect.BoolType):
            values = (True, False)
        elif isinstance(kind, msgspec.inspect.LiteralType):
            values = tuple(kind.values)
        else:
            raise ConfigError(f"{option}: write its values, as in {option}=A,B")
    field = name.rpartition(".")[2]
    _dimension(option, name, owners, values)
    # As the parameter's own type has them: 5 and not "5".
    read = [fill_parameters(load_strategy(owners[0].path), {field: value})[field] for value in values]
    plain = tuple(dict.fromkeys(msgspec.to_builtins(value) for value in read))
    return Dimension(name=name, field=field, owners=tuple(spec.name for spec in owners), values=plain)


def listed(space: Space) -> Iterator[Parameters]:
    """Every set of a space that has an end."""
    for place in range(space.size or 0):
        yield space.at(place)
