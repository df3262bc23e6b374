"""Who asks, and how often: bearer tokens, failed logins by address, requests by token (RELIABILITY 6)."""

import hmac
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import TypeVar

from engine.clock import Clock, LiveClock, stopwatch_seconds
from engine.control.api.problems import Problem
from engine.control.api.scopes import Scope
from engine.control.api.tokens import Token, TokenStore, digest_of, split

FAILURES_MAX = 5
"""Failed logins of one address within ``FAILURES_SECONDS``; then it waits ``LOCKED_SECONDS``."""
FAILURES_SECONDS = 60.0
LOCKED_SECONDS = 60.0
ADDRESSES_MAX = 1_024
"""Addresses and tokens that are remembered at once; the one that was silent longest is forgotten."""
BURST = 2.0
"""Seconds' worth of requests a token may make at once."""
_NOBODY = "0" * 64
K = TypeVar("K")
V = TypeVar("V")


class Caller:
    """Who made a request."""

    __slots__ = ("address", "token")

    def __init__(self, token: Token, address: str) -> None:
        self.token = token
        self.address = address

    @property
    def who(self) -> str:
        """As the journal names him."""
        name = f" ({self.token.name})" if self.token.name else ""
        return f"token {self.token.id}{name} at {self.address}"


class Access:
    """One an API. Time is this machine's: a run's clock may show another day, and another speed."""

    def __init__(
        self,
        tokens: TokenStore,
        requests_per_second: float,
        *,
        wall: Clock | None = None,
        seconds: Callable[[], float] = stopwatch_seconds,
    ) -> None:
        self.tokens = tokens
        self._rate = requests_per_second
        self._wall = wall or LiveClock()
        self._seconds = seconds
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._locked: OrderedDict[str, float] = OrderedDict()
        """Address -> when it may try again."""
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        """(token id, address) that logged in before: noise from an address must not lock its owner out."""
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Token id -> what is left, and when that was."""

    def admit(self, header: str, address: str, scope: Scope) -> Caller:
        """The caller of a request that is in order.

        Args:
            header: ``Authorization``, empty if there is none.

        Raises:
            Problem: 401 without a good token, 403 without the scope, 429 too often.
        """
        token = self._known(header, address)
        self._pace(token)
        if not token.allows(scope):
            have = ", ".join(token.scopes)
            raise Problem(403, "scope", f"this needs the scope {scope}; the token has {have}")
        return Caller(token, address)

    def _known(self, header: str, address: str) -> Token:
        kind, _, text = header.partition(" ")
        name, secret = split(text.strip()) if kind.lower() == "bearer" else ("", "")
        seen = (name, address) in self._seen
        wait = self._locked.get(address, 0.0) - self._seconds()
        if wait > 0 and not seen:
            raise Problem(
                429, "locked", "too many failed logins from this address", headers={"retry-after": f"{wait:.0f}"}
            )
        if not name:
            # Nothing was tried: a page that has not logged in yet is no attack.
            raise _unknown("a token is missing: send Authorization: Bearer sluice_...")
        token = self.tokens.find(name)
        kept = _NOBODY if token is None else token.sha256
        proven = hmac.compare_digest(digest_of(secret).encode(), kept.encode())
        if token is None or not proven:
            self._failed(address)
            raise _unknown("this token is not known")
        if token.over(self._wall.now_ns):
            raise _unknown(f"this token is {'revoked' if token.revoked_ns else 'expired'}")
        _remember(self._seen, (name, address), None)
        return token

    def _failed(self, address: str) -> None:
        now = self._seconds()
        failures = self._failures.get(address) or deque(maxlen=FAILURES_MAX)
        failures.append(now)
        _remember(self._failures, address, failures)
        if len(failures) == FAILURES_MAX and now - failures[0] <= FAILURES_SECONDS:
            failures.clear()
            _remember(self._locked, address, now + LOCKED_SECONDS)

    def _pace(self, token: Token) -> None:
        now, most = self._seconds(), max(1.0, self._rate * BURST)
        left, then = self._buckets.get(token.id, (most, now))
        left = min(most, left + (now - then) * self._rate)
        if left < 1.0:
            _remember(self._buckets, token.id, (left, now))
            wait = (1.0 - left) / self._rate
            raise Problem(
                429,
                "rate",
                f"more than {self._rate:g} requests a second of this token",
                headers={"retry-after": f"{max(1, round(wait))}"},
            )
        _remember(self._buckets, token.id, (left - 1.0, now))


def _unknown(text: str) -> Problem:
    return Problem(401, "token", text, headers={"www-authenticate": 'Bearer realm="sluice"'})


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > ADDRESSES_MAX:
        known.popitem(last=False)
