"""The AmazingData platform, as contracts/amazingdata.md describes it."""

from engine.simulators.amazingdata.forms import Forms
from engine.simulators.amazingdata.platform import AmazingData, User
from engine.simulators.amazingdata.settings import AmazingDataSimulator
from engine.simulators.amazingdata.tasks import TaskFailure

__all__ = ["AmazingData", "AmazingDataSimulator", "Forms", "TaskFailure", "User"]
