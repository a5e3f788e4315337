"""Drawing tokens: each case from a stream of its own, so that its text does not depend on who shares its batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from oncoraft.foundation.stable import stable_seed

FIRST = 128  # likeliest tokens that are looked at first; nearly every nucleus of a trained model lies among them
ROUNDING = 1e-9  # far above what a float64 sum over a vocabulary errs by; rows this near the border are looked at whole


def uniforms(seed: int, case_ids: Sequence[str], count: int) -> torch.Tensor:
    """Uniform draws in [0, 1), (cases, count), float64: row i depends on the seed and on case i alone."""
    draws = [np.random.default_rng(stable_seed(seed, "rationale", case_id)).random(count) for case_id in case_ids]
    return torch.from_numpy(np.stack(draws)) if draws else torch.empty((0, count), dtype=torch.float64)


def draw(logits: torch.Tensor, uniform: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """One token a row, by inversion: no random state on the device, nothing shared between rows.

    Tokens stand in the order of their probability, equals in that of their ids. The vocabulary is put in order only for the rows whose
    nucleus goes beyond the `FIRST` likeliest tokens; the token is the same.

    Args:
        logits: (rows, vocabulary), fp32.
        uniform: (rows,) in [0, 1), float64.
        temperature: 0 takes the likeliest token.
        top_p: the nucleus is the smallest set of likeliest tokens whose probability reaches this.

    Returns:
        token ids, (rows,).
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    probability = torch.softmax(logits / temperature, dim=-1)
    if top_p >= 1:
        return _of_all(probability, uniform)
    uniform = uniform.to(probability.device, torch.float64)
    value, rank, is_wide = _drawn(_likeliest(probability, FIRST), uniform, top_p)
    if logits.shape[-1] > FIRST and bool(is_wide.any()):
        wide = is_wide.nonzero()[:, 0]
        value[wide], rank[wide], _ = _drawn(_likeliest(probability[wide], logits.shape[-1]), uniform[wide], top_p)
    return _token(probability, value, rank)


def draw_first(logits: torch.Tensor, uniform: torch.Tensor, temperature: float, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """What `draw` gives where the `FIRST` likeliest tokens suffice, and the rows, (rows,), where they do not: no device is asked for it.

    Args:
        logits, uniform, temperature, top_p: as of `draw`, on one device.
    """
    if temperature == 0 or top_p >= 1 or logits.shape[-1] <= FIRST:
        return draw(logits, uniform, temperature, top_p), torch.zeros_like(uniform, dtype=torch.bool)
    probability = torch.softmax(logits / temperature, dim=-1)
    value, rank, is_wide = _drawn(_likeliest(probability, FIRST), uniform, top_p)
    return _token(probability, value, rank), is_wide


def _of_all(probability: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Tokens drawn where the nucleus is the whole vocabulary: any order serves inversion, and sorting is what a draw costs."""
    total = probability.double().cumsum(dim=-1)
    place = torch.searchsorted(total, uniform.to(total)[:, None] * total[:, -1:], right=True)
    return place.clamp(max=probability.shape[-1] - 1)[:, 0]


def _token(probability: torch.Tensor, value: torch.Tensor, rank: torch.Tensor) -> torch.Tensor:
    """Ids of the tokens of these probabilities, (rows, 1), before which so many of the same stand, (rows, 1)."""
    # Of tokens of one probability that of the smallest id comes first: a stable order, which no selection of the likeliest promises.
    alike = (probability == value).cumsum(dim=-1, dtype=torch.int32)
    return torch.searchsorted(alike, rank.to(torch.int32), right=True)[:, 0]


def _likeliest(probability: torch.Tensor, count: int) -> torch.Tensor:
    """The largest probabilities of each row, (rows, at most `count`), in descending order."""
    count, width = min(count, probability.shape[-1]), probability.shape[-1]
    if probability.device.type != "cpu":
        return torch.topk(probability, count, dim=-1).values if count < width else torch.sort(probability, dim=-1, descending=True).values
    # NumPy's sort of values alone takes a twentieth of torch's, which carries the ids along.
    known = probability.numpy()
    known = np.partition(known, width - count, axis=-1)[:, width - count :] if count < width else known.copy()
    known.sort(axis=-1)
    return torch.from_numpy(known).flip(-1)


def _drawn(ordered: torch.Tensor, uniform: torch.Tensor, top_p: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What is drawn from the likeliest probabilities of each row, (rows, count), descending.

    Returns:
        (rows, 1) probability of the token, (rows, 1) how many of the same come before it, and (rows,) whether the nucleus may go on
        beyond what was given, so that the others say nothing.
    """
    # float64, as the draws are: over a large vocabulary fp32 rounding would move the border of the nucleus.
    total = ordered.double().cumsum(dim=-1)
    inside = total - ordered < top_p  # the token that crosses the border is still inside
    mass = torch.where(inside, total, 0.0).amax(dim=-1)
    # Half-open intervals, as the draws lie in [0, 1).
    place = torch.searchsorted(total, (uniform * mass)[:, None], right=True)
    place = place.clamp(max=inside.sum(dim=-1, keepdim=True) - 1)  # rounding may point one past the nucleus
    value = ordered.gather(1, place)
    before = (ordered > value).sum(dim=-1, keepdim=True)
    return value, place - before, ~(total[:, -1] > top_p + ROUNDING)
