"""The simulated venue and its fill models, one a file."""

from engine.matching.fill_model import FillModel
from engine.matching.next_open import NextOpen
from engine.matching.touch import Touch
from engine.matching.volume_share import VolumeShare

FILL_MODELS: dict[str, type[FillModel]] = {"next_open": NextOpen, "touch": Touch, "volume_share": VolumeShare}
