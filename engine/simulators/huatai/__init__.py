"""The HT server, as contracts/ht.md describes it: HTTP over a desktop client whose dialogs hide what was done."""

from engine.simulators.huatai.quirks import HuataiQuirk
from engine.simulators.huatai.settings import HuataiSimulator, as_documented
from engine.simulators.huatai.venue import HuataiVenue

__all__ = ["HuataiQuirk", "HuataiSimulator", "HuataiVenue", "as_documented"]
