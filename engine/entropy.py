"""The only place that draws random numbers, so that one seed repeats a run."""

import hashlib
import random
import secrets


class Entropy:
    """Named streams from one seed: drawing from one never moves another.

    Args:
        seed: any integer; ``None`` takes one from the operating system.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = secrets.randbits(63) if seed is None else seed
        self._streams: dict[str, random.Random] = {}

    def stream(self, name: str) -> random.Random:
        """The stream of that name; the same name gives the same stream, further along."""
        found = self._streams.get(name)
        if found is None:
            digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
            found = self._streams[name] = random.Random(int.from_bytes(digest[:8], "big"))
        return found

    def token(self, name: str, length: int = 16) -> str:
        """Hex text of ``length`` characters, for ids that must not collide between runs."""
        return f"{self.stream(name).getrandbits(4 * length):0{length}x}"


def secret_text(size: int = 32) -> str:
    """A new secret of ``size`` random bytes from the operating system, as text for URLs; no seed repeats it."""
    return secrets.token_urlsafe(size)
