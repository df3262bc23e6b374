"""The EasyTHS server, a window automation with an HTTP face, as contracts/easyths.md describes the real one."""

from engine.simulators.easyths.quirks import Quirk
from engine.simulators.easyths.settings import DEFAULT_ACCOUNT, EasythsSimulator
from engine.simulators.easyths.venue import EasythsVenue

__all__ = ["DEFAULT_ACCOUNT", "EasythsSimulator", "EasythsVenue", "Quirk"]
