"""Order types and execution algorithms the engine plays itself, where the venue does not."""

from engine.algos.held_limit import HeldLimits

ALGOS: dict[str, type] = {"held_limit": HeldLimits}
