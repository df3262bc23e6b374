"""What a channel is given to open itself: where secrets are, and which hosts may be called."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from engine.clock import LiveClock
from engine.control.notices.posting import Poster, Resolve
from engine.domain.secret import Secret
from engine.runtime.secret_sources import resolve


def _now_ns() -> int:
    return LiveClock().now_ns


class Reaching(Struct, frozen=True, kw_only=True):
    """Of one channel; ``where``: its place in the config, for sentences."""

    environ: Mapping[str, str]
    where: str
    private: Sequence[str] = ()
    resolver: Resolve | None = None
    now_ns: Callable[[], int] = _now_ns
    """For the dates of mails."""

    def secret(self, reference: str, key: str) -> Secret:
        """Raises: ConfigError: it is not where the config says."""
        return resolve(reference, self.environ, f"{self.where} {key}")

    def poster(self, reference: str) -> Poster:
        """To the address a reference names. Raises: ConfigError."""
        return self.poster_to(self.secret(reference, "url"))

    def poster_to(self, address: Secret) -> Poster:
        """Raises: ConfigError: the address can not be used."""
        return Poster(address, self.where, private=self.private, resolve=self.resolver)
