"""``[control]`` of a config: where the control API listens, and how much it takes (RELIABILITY 6)."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

FOLDER = "control"
"""Under the data directory: the tokens, the first token, the address of the API that runs."""


class ControlTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without the table there is no API. Nothing secret is in it: tokens are in a file of their own, as hashes."""

    bind: str = "127.0.0.1"
    """An address of this machine. Any but loopback needs TLS and a token."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8710
    """0 takes a free one; the address is written to ``<data_dir>/control/address.json``."""
    tls_cert: str = ""
    tls_key: str = ""
    """PEM files."""
    hosts: tuple[str, ...] = ()
    """Names by which browsers reach it, besides addresses and ``localhost``; any other ``Host`` is refused."""
    tokens: str = ""
    """The file of token hashes; default ``<data_dir>/control/tokens.json``."""
    requests_per_second: Annotated[float, Meta(gt=0, le=10_000)] = 10.0
    """For each token; twice as many at once."""
    connections: Annotated[int, Meta(ge=4, le=4_096)] = 128
    streams: Annotated[int, Meta(ge=1, le=1_024)] = 64
    """Event streams open at once."""


def token_file(table: ControlTable, data_dir: Path) -> Path:
    """Where the hashes of tokens are kept."""
    return Path(table.tokens) if table.tokens else data_dir / FOLDER / "tokens.json"
