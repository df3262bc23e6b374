"""The SDK configurations: logins of the platform at its data vendor."""

from typing import Any

from msgspec import Struct

from engine.simulators.amazingdata.messages import NAME_TAKEN, NO_CONFIG, Failure
from engine.simulators.amazingdata.tasks import local_text

PORT = 8600
LOCAL_PATH = "./amazing_data_cache/"


class SdkConfig(Struct, kw_only=True, forbid_unknown_fields=True):
    """One login; the answers leave the password out."""

    name: str
    username: str
    password: str
    host: str
    port: int = PORT
    local_path: str = LOCAL_PATH
    is_default: bool = False
    created_ns: int = 0

    def row(self, number: int) -> dict[str, Any]:
        return {
            "id": number,
            "name": self.name,
            "username": self.username,
            "host": self.host,
            "port": self.port,
            "local_path": self.local_path,
            "is_default": self.is_default,
            "is_active": True,
            "created_at": local_text(self.created_ns),
            "updated_at": local_text(self.created_ns),
        }


class SdkConfigs:
    """Configurations in the order they were made; ids count from 1, at most one is the default."""

    def __init__(self) -> None:
        self._rows: list[SdkConfig] = []

    def rows(self) -> list[dict[str, Any]]:
        return [config.row(number) for number, config in enumerate(self._rows, 1)]

    def add(self, config: SdkConfig) -> dict[str, Any]:
        """Keep a configuration.

        Raises:
            Failure: the name is taken.
        """
        if any(other.name == config.name for other in self._rows):
            raise Failure(400, NAME_TAKEN)
        if config.is_default:
            for other in self._rows:
                other.is_default = False
        self._rows.append(config)
        return config.row(len(self._rows))

    def find(self, number: int) -> SdkConfig:
        """A configuration by its id.

        Raises:
            Failure: there is none.
        """
        if not 1 <= number <= len(self._rows):
            raise Failure(404, NO_CONFIG)
        return self._rows[number - 1]
