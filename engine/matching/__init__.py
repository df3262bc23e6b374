"""The simulated venue and its fill models, one a file."""

from engine.matching.at_quote import AtQuote
from engine.matching.book_walk import BookWalk
from engine.matching.fill_model import FillModel
from engine.matching.friction import Friction, Latency
from engine.matching.next_open import NextOpen
from engine.matching.path import Path
from engine.matching.slippage import SLIPPAGES, BasisPoints, Slippage, SquareRoot, Ticks
from engine.matching.touch import Touch
from engine.matching.volume_share import VolumeShare

__all__ = [
    "FILL_MODELS", "SLIPPAGES", "AtQuote", "BasisPoints", "BookWalk", "FillModel", "Friction", "Latency", "NextOpen",
    "Path", "Slippage", "SquareRoot", "Ticks", "Touch", "VolumeShare",
]  # fmt: skip

FILL_MODELS: dict[str, type[FillModel]] = {
    "next_open": NextOpen,
    "touch": Touch,
    "path": Path,
    "quote": AtQuote,
    "book_walk": BookWalk,
    "volume_share": VolumeShare,
}
