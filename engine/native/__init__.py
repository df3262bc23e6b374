"""What is also there compiled, where the machine that installed the engine has a C compiler.

Nothing needs it: each of these does what a way in Python does, to the same bits, only sooner. What was made of another
source than lies beside it (a checkout was updated and not installed again) is left alone.
"""

from importlib import import_module
from typing import Any

from engine.native.sources import digest


def _compiled() -> tuple[Any, Any, Any, Any, str]:
    try:
        parts = [import_module(f"engine.native.{name}") for name in ("short_way", "columns", "bars")]
    except ImportError:
        return None, None, None, None, "not compiled: install again (pip install -e .) where there is a C compiler"
    if {part.SOURCE for part in parts} != {digest()}:
        return None, None, None, None, "compiled from another source: install again (pip install -e .)"
    return parts[0].Way, parts[0].Hand, parts[1], parts[2].Bars, ""


Way, Hand, columns, Bars, why_not = _compiled()
"""``short_way.Way`` and ``Hand``, the module ``columns``, ``bars.Bars``, and why they are None where they are."""
