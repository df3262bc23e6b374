"""API keys: the records of keys.json, and what a token may do (contracts/futu.md 7.1)."""

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.domain.errors import ConfigError
from engine.domain.timestamps import parse_time
from engine.simulators.futu.envelope import BOUND_TOKEN, EXPIRED_TOKEN, INVALID_TOKEN, MISSING_TOKEN, Denied

SCOPES = frozenset({"qot:read", "acc:read", "trade:simulate", "trade:real", "trade:unlock", "admin", "metrics:read"})
TRADE_SCOPES = frozenset({"trade:simulate", "trade:real", "trade:unlock"})
EXAMPLE_TOKEN = "fc_0123456789abcdef0123456789abcdef"  # noqa: S105
"""The token of the contract's examples; the default key answers to it."""


class Limits(Struct, frozen=True, kw_only=True):
    """None is no limit. Values in the order's own currency."""

    allowed_markets: tuple[str, ...] | None = None
    allowed_symbols: tuple[str, ...] | None = None
    allowed_trd_sides: tuple[str, ...] | None = None
    max_order_value: float | None = None
    max_daily_value: float | None = None
    hours_window: str | None = None
    max_orders_per_minute: int | None = None
    allowed_acc_ids: tuple[int, ...] | None = None
    allowed_card_nums: tuple[str, ...] | None = None


class Key(Struct, frozen=True, kw_only=True):
    """One record of keys.json; ``hash`` is the SHA-256 of the token in hex."""

    id: str
    hash: str
    scopes: tuple[str, ...] = ()
    limits: Limits = Limits()
    allowed_machines: tuple[str, ...] | None = None
    """None: any; an empty list freezes the key."""
    created_at: str | None = None
    expires_at: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        strangers = sorted(set(self.scopes) - SCOPES)
        if strangers:
            raise ValueError(f"key {self.id} has the scope {strangers[0]}; there are {', '.join(sorted(SCOPES))}")

    @property
    def metric_id(self) -> str:
        """As metrics print it: ``kh_`` and 8 hex digits."""
        return f"kh_{hashlib.sha256(self.id.encode()).hexdigest()[:8]}"

    def allows_account(self, acc_id: int, card_num: str | None = None) -> bool:
        ids, cards = self.limits.allowed_acc_ids, self.limits.allowed_card_nums
        return (ids is None or acc_id in ids) and (cards is None or card_num in cards)


class KeysFile(Struct, frozen=True, kw_only=True):
    version: int
    keys: tuple[Key, ...]


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def a_key(token: str, *scopes: str, key_id: str = "default", limits: Limits | None = None) -> Key:
    """A record for a token known in clear; without scopes it has all but admin."""
    granted = scopes or tuple(sorted(SCOPES - {"admin"}))
    return Key(id=key_id, hash=hash_of(token), scopes=granted, limits=limits or Limits())


def read_keys(path: str) -> tuple[Key, ...]:
    """The records of a keys file.

    Raises:
        ConfigError: it can not be read, or is of another form.
    """
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=KeysFile).keys
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{path} is no keys file of the gateway ({problem}); mend it or name another") from None


class KeyRing:
    """Which key a token belongs to. ``machine`` is the name this gateway believes to run on."""

    def __init__(self, keys: tuple[Key, ...], machine: str) -> None:
        self._by_hash = {key.hash.removeprefix("sha256:").lower(): key for key in keys}
        self._machine = machine

    def __bool__(self) -> bool:
        """False: no keys file, the legacy mode."""
        return bool(self._by_hash)

    def bearer(self, header: str | None, now_ns: int) -> Key:
        """The key of an ``Authorization`` header; the scheme's case does not matter.

        Raises:
            Denied: 401.
        """
        scheme, _, token = (header or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Denied(401, MISSING_TOKEN)
        return self.key(token.strip(), now_ns)

    def key(self, token: str, now_ns: int) -> Key:
        """Raises:
        Denied: 401.
        """
        key = self._by_hash.get(hash_of(token))
        if key is None:
            raise Denied(401, INVALID_TOKEN)
        if key.expires_at is not None and now_ns >= parse_time(key.expires_at, "UTC"):
            raise Denied(401, EXPIRED_TOKEN)
        if key.allowed_machines is not None and self._machine not in key.allowed_machines:
            raise Denied(401, BOUND_TOKEN)
        return key
