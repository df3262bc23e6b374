"""The Futu gateway, as contracts/futu.md describes the daemon: REST on 41 routes, push on ``/ws``."""

from engine.simulators.futu.keys import EXAMPLE_TOKEN, Key, Limits, a_key
from engine.simulators.futu.ledger import FutuAccount, Ledger, Opening
from engine.simulators.futu.push import PushFault, PushFaults, PushTrigger
from engine.simulators.futu.securities import DEFAULT_SECURITIES, Security
from engine.simulators.futu.settings import DEFAULT_ACCOUNTS, FutuSimulator
from engine.simulators.futu.venue import AnswerFault, AnswerFaults, FutuVenue

__all__ = [
    "DEFAULT_ACCOUNTS",
    "DEFAULT_SECURITIES",
    "EXAMPLE_TOKEN",
    "AnswerFault",
    "AnswerFaults",
    "FutuAccount",
    "FutuSimulator",
    "FutuVenue",
    "Key",
    "Ledger",
    "Limits",
    "Opening",
    "PushFault",
    "PushFaults",
    "PushTrigger",
    "Security",
    "a_key",
]
