"""What is also there compiled, where the machine that installed the engine has a C compiler.

Nothing needs it: each of these does what a way in Python does, to the same bytes, only sooner.
"""

from typing import Any

try:
    from engine.native import short_way as _short_way
except ImportError:  # Not compiled here.
    Way: Any = None
else:
    Way = _short_way.Way

__all__ = ["Way"]
