"""Random numbers that depend on nothing but the seed, the patient, what is drawn and which repetition of it.

A number is a hash of these (the finaliser of SplitMix64, Steele et al., OOPSLA 2014), so a patient is the same whoever is made
beside it, in whatever order and in however many processes, and whole columns are drawn at once.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Keys = NDArray[np.uint64]
STEP = np.uint64(0x9E3779B97F4A7C15)


def mix(words: Keys) -> Keys:
    """Scramble 64-bit words, one to one."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def patient_keys(seed: int, numbers: Integers) -> Keys:
    """One key a patient, from the seed and the patient's number."""
    start = mix(np.array([seed], dtype=np.uint64) + STEP)
    return mix(mix(numbers.astype(np.uint64) * STEP + start) ^ start)


class Draws:
    """Independent draws for each of `n` keys; the same name gives the same numbers again.

    Args:
        keys: 64-bit words, shape (n,).
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    def __getitem__(self, rows: Integers | Booleans) -> Draws:
        """The draws of some keys."""
        return Draws(self.keys[rows])

    def repeat(self, rows: Integers, place: Integers, name: str) -> Draws:
        """Draws of records: the `place`-th record called `name` of each key in `rows`."""
        return Draws(mix(mix(self.keys[rows] ^ _word(name)) + (place.astype(np.uint64) + np.uint64(1)) * STEP))

    def uniform(self, name: str, low: ArrayLike = 0.0, high: ArrayLike = 1.0) -> Floats:
        """Uniform in (low, high), shape (n,)."""
        words = mix(mix(self.keys ^ _word(name)) + STEP)
        # 53 bits and half a step: never 0, whose logarithm is taken, and never 1.
        share = ((words >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
        return np.asarray(low) + share * (np.asarray(high) - np.asarray(low))

    def chance(self, name: str, probability: ArrayLike) -> Booleans:
        """True with a probability, scalar or shape (n,)."""
        return np.less(self.uniform(name), np.asarray(probability, dtype=np.float64))

    def whole(self, name: str, low: ArrayLike, high: ArrayLike) -> Integers:
        """Whole numbers from low to high, both included."""
        return np.floor(self.uniform(name, low, np.asarray(high) + 1.0)).astype(np.int64)

    def normal(self, name: str, mean: ArrayLike = 0.0, deviation: ArrayLike = 1.0) -> Floats:
        """Normal deviates."""
        return np.asarray(mean) + np.asarray(deviation) * ndtri(self.uniform(name))

    def lognormal(self, name: str, median: ArrayLike, sigma: ArrayLike) -> Floats:
        """Log-normal deviates by their median."""
        return np.asarray(median) * np.exp(self.normal(name, 0.0, sigma))

    def exponential(self, name: str, mean: ArrayLike) -> Floats:
        """Exponential deviates."""
        return -np.log(self.uniform(name)) * np.asarray(mean)

    def choice(self, name: str, weights: ArrayLike) -> Integers:
        """Which of k, by weights of shape (k,) or (n, k); a row's weights need not sum to 1."""
        table = np.asarray(weights, dtype=np.float64)
        if table.ndim == 1:
            edges = np.cumsum(table) / table.sum()
            # Rounding may leave the last edge below 1.
            return np.minimum(np.searchsorted(edges, self.uniform(name), side="right"), len(table) - 1)
        sums = np.cumsum(table, axis=1)
        return np.minimum((sums <= (self.uniform(name) * sums[:, -1])[:, None]).sum(axis=1), table.shape[1] - 1)

    def words(self, name: str, words: tuple[str, ...] | list[str], weights: ArrayLike) -> NDArray[np.object_]:
        """One of some words each."""
        return np.array(words, dtype=object)[self.choice(name, weights)]


def _word(name: str) -> np.uint64:
    # Not `hash`, which differs from run to run for texts.
    return np.uint64((zlib.crc32(name.encode()) << 32) | zlib.adler32(name.encode()))


def expand(counts: Integers) -> tuple[Integers, Integers]:
    """Rows of records: for counts (2, 0, 1) the owners (0, 0, 2) and the places (0, 1, 0)."""
    owners = np.repeat(np.arange(len(counts)), counts)
    firsts = np.cumsum(counts) - counts
    return owners, np.arange(len(owners)) - firsts[owners]
