"""Minute bars of any past day of any instrument, made from a seed and kept nowhere.

A day depends on seed, path and date alone: not on when the process started, nor on what was asked before. Closes are
noise on ten scales of time, from a day to about two years (value noise, as terrain is made), so a day's close is found
without walking there; within a day a bridge leads from open to close. Chance comes from a counter-based mixer
(splitmix64: Steele, Lea, Flood, OOPSLA 2014), which needs no state and works on whole columns.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

SCALES = 10
"""Noise from one day up to 2^9 days."""
GAP_SHARE = 0.3
"""Deviation of the open from the close before, as a share of the day's volatility."""
BAND = 0.0995
"""No price further than this from the close before: just inside the 10 % of most A shares."""

_SCALE = np.arange(SCALES, dtype=np.int64)[:, None]
_WIDTH = 1 << _SCALE
_HEIGHT = np.array([2.0 ** (scale / 2) for scale in range(SCALES)])[:, None]
_STEP = np.uint64(0x9E3779B97F4A7C15)
_LANE = np.uint64(0xD1B54A32D192ED03)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_LOW_21 = np.uint64((1 << 21) - 1)


class Path(Struct, frozen=True, kw_only=True):
    """How one instrument moves.

    ``name`` chooses the chance (two contracts on one name move together), ``price`` is the level all days vary
    around, ``volatility`` a day's standard deviation (a fraction), ``volume`` a usual day's, ``lot`` its smallest step,
    ``minutes`` the length of a trading day, ``multiplier`` the currency value of one point of one unit.
    """

    name: str
    price: float
    volatility: float = 0.016
    tick: float = 0.01
    volume: float = 30_000_000.0
    lot: int = 10
    minutes: int = 240
    multiplier: float = 1.0
    band: float = BAND


class Minutes(NamedTuple):
    """Columns of shape (days, minutes of a day); ``volume`` holds whole numbers, ``amount`` is in currency."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: NDArray[np.int64]
    amount: Floats

    def daily(self) -> "Minutes":
        """The same days as one bar each, shape (days, 1)."""
        return self.merged(self.close.shape[1])

    def merged(self, count: int) -> "Minutes":
        """Each ``count`` minutes of a day as one bar; the last of a day may hold fewer."""
        starts = np.arange(0, self.close.shape[1], count)
        ends = np.append(starts[1:], self.close.shape[1]) - 1
        return Minutes(
            self.open[:, starts],
            np.maximum.reduceat(self.high, starts, axis=1),
            np.minimum.reduceat(self.low, starts, axis=1),
            self.close[:, ends],
            np.add.reduceat(self.volume, starts, axis=1),
            np.asarray(np.round(np.add.reduceat(self.amount, starts, axis=1), 2), dtype=np.float64),
        )


def key_of(seed: int, name: str) -> int:
    """The key of a stream, from a seed and its name."""
    return int.from_bytes(hashlib.sha256(f"{seed}/past/{name}".encode()).digest()[:8], "big")


def uniform(key: int, days: Sequence[int] | NDArray[Any], lane: int = 0) -> Floats:
    """One number in [0, 1) a day."""
    return _unit(_words(key, np.asarray(days, dtype=np.int64), lane))


def _unit(words: Words) -> Floats:
    return np.asarray((words >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def closes(path: Path, seed: int, days: Sequence[int] | NDArray[Any]) -> Floats:
    """Closing prices of days (proleptic ordinals), on the tick; a day without trading has one too."""
    key, ordinals = key_of(seed, path.name), np.asarray(days, dtype=np.int64)
    cells, rests = ordinals >> _SCALE, (ordinals & (_WIDTH - 1)) / _WIDTH
    left, right = _unit(_words(key, np.stack([cells, cells + 1]), _SCALE + 1))
    level = np.zeros(ordinals.shape)
    # One after the other, from small to large: another order would round in another way.
    for part in _HEIGHT * (2 * (left + (right - left) * rests) - 1):
        level += part
    # A day's difference of all scales together has 2/sqrt(3) as its deviation.
    return on_tick(path.price * np.exp(level * path.volatility * 3**0.5 / 2), path.tick)


def minutes(path: Path, seed: int, days: Sequence[int], previous: Sequence[int]) -> Minutes:
    """The minutes of trading days, given each one's trading day before."""
    key, ordinals, count = key_of(seed, path.name), np.asarray(days, dtype=np.int64), path.minutes
    last, before = closes(path, seed, ordinals), closes(path, seed, previous)
    first = before * np.exp(GAP_SHARE * path.volatility * 3**0.5 * (2 * uniform(key, ordinals, 20) - 1))
    words = _words(key, ordinals[:, None] * 512 + np.arange(count), 30)
    steps = np.cumsum(_bell(words), axis=1)
    way = np.arange(1, count + 1) / count
    bridge = (steps - steps[:, -1:] * way) * (path.volatility * 0.7 / count**0.5)
    levels = np.log(first)[:, None] + np.log(last / first)[:, None] * way + bridge
    lowest = on_tick(before * (1 - path.band) + path.tick / 2, path.tick)[:, None]
    highest = on_tick(before * (1 + path.band) - path.tick / 2, path.tick)[:, None]
    close = np.clip(on_tick(np.exp(levels), path.tick), lowest, highest)
    opened = np.clip(on_tick(first, path.tick)[:, None], lowest, highest)
    opened = np.concatenate([opened, close[:, :-1]], axis=1)
    up, down = (words & np.uint64(3)) == 0, ((words >> np.uint64(2)) & np.uint64(3)) == 0
    high = np.minimum(on_tick(np.maximum(opened, close) + path.tick * up, path.tick), highest)
    low = np.maximum(on_tick(np.minimum(opened, close) - path.tick * down, path.tick), lowest)
    volume = _volumes(path, key, ordinals, words)
    amount = np.round(volume * (opened + close) / 2 * path.multiplier, 2)
    return Minutes(opened, np.maximum(high, close), np.minimum(low, close), close, volume, amount)


def on_tick(prices: Floats, tick: float) -> Floats:
    """Prices on the grid of a tick, at least one tick."""
    return np.asarray(np.round(np.maximum(np.round(prices / tick), 1) * tick, 4))


def _volumes(path: Path, key: int, days: NDArray[np.int64], words: Words) -> NDArray[np.int64]:
    """More at the open and the close than at noon, and a day's worth that varies by days."""
    count = path.minutes
    place = (np.arange(count) / (count - 1) - 0.5) * 2
    shape = (0.6 + 1.2 * place**4) * (0.3 + 1.4 * ((words >> np.uint64(40)) & np.uint64(1023)).astype(float) / 1023)
    day = path.volume * np.exp(0.8 * (uniform(key, days, 21) - 0.5))
    raw = day[:, None] * shape / shape.sum(axis=1, keepdims=True)
    return np.asarray(np.maximum(np.round(raw / path.lot), 1) * path.lot, dtype=np.int64)


def _words(key: int, numbers: NDArray[np.int64], lane: int | NDArray[np.int64]) -> Words:
    """A word each; ``lane`` is one for all of them, or an array of them."""
    if isinstance(lane, int):
        offset: Any = np.uint64((key + lane * int(_LANE)) & (2**64 - 1))
    else:
        offset = np.uint64(key) + lane.astype(np.uint64) * _LANE
    word = numbers.astype(np.uint64) * _STEP + offset
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    return np.asarray(word ^ (word >> np.uint64(31)))


def _bell(words: Words) -> Floats:
    """Three uniforms of each word as one number of mean 0 and deviation 1."""
    total = (words & _LOW_21) + ((words >> np.uint64(21)) & _LOW_21) + (words >> np.uint64(43))
    return np.asarray((total.astype(np.float64) / 2**21 - 1.5) * 2)
