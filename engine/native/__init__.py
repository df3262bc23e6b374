"""What is also there compiled, where the machine that installed the engine has a C compiler.

Nothing needs it: each of these does what a way in Python does, to the same bytes, only sooner. One that was made of
another source than lies beside it (a checkout was updated and not installed again) is left alone.
"""

from typing import Any

from engine.native.sources import digest

Way: Any = None
"""``short_way.c``; None where it is not compiled."""

try:
    from engine.native import short_way as _short_way  # type: ignore[attr-defined, unused-ignore]
except ImportError:
    why_not = "it was not compiled: install again (pip install -e .) where there is a C compiler"
else:
    why_not = ""
    if digest() == _short_way.SOURCE:
        Way = _short_way.Way
    else:
        why_not = "it was compiled from another source: install again (pip install -e .)"

__all__ = ["Way", "why_not"]
