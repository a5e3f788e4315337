"""Scores that have trained one another: coverage and power of the hazard ratio with and without the variance that this adds.

    python benchmarks/cross_fitting.py [--seeds 400] [--cases 300]

A ridge regression on 60 features predicts, out of fold, a label that goes together with survival ("alive at 0.7", a share of the labels turned
round). Without an effect the features are noise, and the truth of the score's hazard ratio is 1. With one, they carry a linear predictor that
multiplies the hazard by 0.6 a standard deviation: told is how often the score is told apart. Last, a score from elsewhere that no case
trained, with a ratio of 0.6: there the factor is not needed, and what it costs is told.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from oncoraft.survival.cox import HazardRatio, fit_cox
from oncoraft.survival.cross_fitting import TARGET, variance_inflation, widened
from oncoraft.survival.risk_sets import Array, Subjects

FEATURES, FOLDS, TURNED, TRUTH = 60, 5, (0.0, 0.2, 0.4), 0.6


def out_of_fold(x: Array, label: Array, fold: Array) -> Array:
    """Scores of a ridge regression, of each fold by the others."""
    score, products = np.zeros(len(label)), x @ x.T
    for held_out in range(FOLDS):
        train, own = fold != held_out, fold == held_out
        inner = products[np.ix_(train, train)] + len(label) * np.eye(train.sum())
        score[own] = products[np.ix_(own, train)] @ np.linalg.solve(inner, label[train] - label[train].mean())
    return score


def one(seed: int, cases: int, turned: float, effect: float, is_trained_here: bool) -> tuple[HazardRatio, float]:
    """The ratio of a standard deviation of the score, and the factor of its variance."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(cases, FEATURES))
    own = x @ np.full(FEATURES, FEATURES**-0.5)
    death, lost = draw.exponential(1 / np.exp(effect * own)), draw.uniform(0.5, 3, cases)
    label = ((death > 0.7) ^ (draw.random(cases) < turned)).astype(float)
    fold = np.arange(cases) % FOLDS
    score = out_of_fold(x, label, fold) if is_trained_here else own
    subjects = Subjects(np.zeros(cases), np.minimum(death, lost), death <= lost)
    residuals = fit_cox(subjects, np.zeros((cases, 0)), [], fold).residuals
    factor = variance_inflation(pd.DataFrame({TARGET: label, "fold": fold}), residuals, fold)
    found = fit_cox(subjects, score / score.std(), ["score"], fold).hazard_ratio("score")
    assert factor is not None
    assert found is not None
    return found, factor


def told(name: str, seeds: int, cases: int, turned: float, effect: float, is_trained_here: bool, truth: float) -> None:
    """Print how often the interval holds the truth and is clear of 1, as the Cox model has it and with the factor."""
    found = [one(seed, cases, turned, effect, is_trained_here) for seed in range(seeds)]
    parts = []
    for words, pairs in (("as it is", [(ratio, None) for ratio, _ in found]), ("with the factor", found)):
        limits = [wide.interval for ratio, factor in pairs if (wide := widened(ratio, factor))]
        held = np.mean([lower <= truth <= upper for lower, upper in limits])
        clear = np.mean([not lower <= 1 <= upper for lower, upper in limits])
        parts.append(f"{words} holds {truth:.2f} in {held:.3f}, clear of 1 in {clear:.3f}")
    print(
        f"{name}, {turned:.0%} of the labels turned round, factor {np.mean([factor for _, factor in found]):.2f}: {'; '.join(parts)}",
        flush=True,
    )


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--cases", type=int, default=300)
    given = parser.parse_args()
    for turned in TURNED:
        told("noise, out of fold", given.seeds, given.cases, turned, 0.0, True, 1.0)
    for turned in TURNED:
        told("a true effect, out of fold", given.seeds, given.cases, turned, float(np.log(TRUTH)), True, 1.0)
    for turned in TURNED:
        told("a score from elsewhere", given.seeds, given.cases, turned, float(np.log(TRUTH)), False, TRUTH)


if __name__ == "__main__":
    main()
