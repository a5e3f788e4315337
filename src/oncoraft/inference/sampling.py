"""Drawing tokens: each case from a stream of its own, so that its text does not depend on who shares its batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from oncoraft.foundation.stable import stable_seed


def uniforms(seed: int, case_ids: Sequence[str], count: int) -> torch.Tensor:
    """Uniform draws in [0, 1), (cases, count), float64: row i depends on the seed and on case i alone."""
    draws = [np.random.default_rng(stable_seed(seed, "rationale", case_id)).random(count) for case_id in case_ids]
    return torch.from_numpy(np.stack(draws)) if draws else torch.empty((0, count), dtype=torch.float64)


def draw(logits: torch.Tensor, uniform: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """One token a row, by inversion: no random state on the device, nothing shared between rows.

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
    if top_p >= 1:
        # The nucleus is the whole vocabulary: any order serves inversion, and sorting is what a draw costs.
        total = torch.softmax(logits / temperature, dim=-1).double().cumsum(dim=-1)
        place = torch.searchsorted(total, uniform.to(total)[:, None] * total[:, -1:], right=True)
        return place.clamp(max=logits.shape[-1] - 1)[:, 0]
    probability, token = torch.sort(torch.softmax(logits / temperature, dim=-1), dim=-1, descending=True, stable=True)
    # float64, as the draws are: over a large vocabulary fp32 rounding would move the border of the nucleus.
    total = probability.double().cumsum(dim=-1)
    inside = total - probability < top_p  # the token that crosses the border is still inside
    mass = torch.where(inside, total, 0.0).amax(dim=-1)
    # Half-open intervals, as the draws lie in [0, 1).
    place = torch.searchsorted(total, (uniform.to(total) * mass)[:, None], right=True)
    place = place.clamp(max=inside.sum(dim=-1, keepdim=True) - 1)  # rounding may point one past the nucleus
    return token.gather(1, place)[:, 0]
