"""Numbers that depend on names, not on order, machine or process: for folds, caps, shards and seeds."""

from __future__ import annotations

import hashlib

BELOW_ONE = 1 - 2.0**-53


def stable_fraction(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but `parts`: the same on every machine and for every order of rows."""
    # With a separator that no name holds: ("a", "bc") and ("ab", "c") are two things.
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8")).digest()
    # The topmost 64-bit numbers round to 1.0 as floats; a fold or a seed drawn from 1.0 would lie beyond the last.
    return min(int.from_bytes(digest[:8], "big") / 2**64, BELOW_ONE)


def stable_seed(*parts: object) -> int:
    """A seed below 2**32 derived from `parts`, e.g. the configured seed, the step and the fold."""
    return int(stable_fraction(*parts) * 2**32)
