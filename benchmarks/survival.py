"""Survival: a Cox fit against lifelines, and the bootstrap of fifty regimens; ratios in one run.

    python benchmarks/survival.py [--regimens 50] [--resamples 1000] [--rows 570] [--processes 2]

A fit has seven covariates, five strata, delayed entry and tied days. The bootstrap resamples patients and estimates, in each resample, the
hazard ratio, the ratio adjusted for ten covariates, the difference of restricted means and the concordance.
"""

from __future__ import annotations

import argparse
import time
import warnings
from multiprocessing import Pool

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter

from oncoraft.survival.bootstrap import Groups, bootstrap_record, patient_weights
from oncoraft.survival.cox import fit_cox
from oncoraft.survival.risk_sets import Array, Subjects

TARGET_RATIO, TARGET_SECONDS = 100, 45.0
FITS = 20


def regimen(seed: int, rows: int, covariates: int) -> tuple[Subjects, Array, Array, Array]:
    """Follow-up in whole days, covariates (half of them flags), score and fold of one regimen."""
    draw = np.random.default_rng(seed)
    x, score = draw.normal(size=(rows, covariates)), draw.normal(size=rows)
    x[:, covariates // 2 :] = x[:, covariates // 2 :] > 0.5
    entry = np.where(draw.random(rows) < 0.4, np.ceil(draw.uniform(0, 300, rows)), 0)
    death, lost = draw.exponential(800 / np.exp(0.3 * x[:, 0] - 0.4 * score)), draw.uniform(200, 1500, rows)
    return Subjects(entry, entry + np.ceil(np.minimum(death, lost)), death <= lost), x, score, np.arange(rows) % 5


def fit_ratio(rows: int) -> tuple[float, float]:
    """Milliseconds of processor time a fit: ours and lifelines'."""
    subjects, x, _, fold = regimen(1, rows, 7)
    names = [f"x{place}" for place in range(7)]
    table = pd.DataFrame(x, columns=names).assign(entry=subjects.entry, exit=subjects.exit, event=subjects.event, fold=fold)
    # What a first call alone costs is nobody's speed.
    fit_cox(subjects, x, names, fold)
    CoxPHFitter().fit(table.iloc[:100], "exit", "event", entry_col="entry", strata=["fold"])
    start = time.process_time()
    for _ in range(FITS):
        found = fit_cox(subjects, x, names, fold)
    own = (time.process_time() - start) / FITS
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = CoxPHFitter().fit(table, "exit", "event", entry_col="entry", strata=["fold"])
    theirs = time.process_time() - start
    assert np.allclose(found.coefficients, other.params_, atol=1e-4)
    return 1000 * own, 1000 * theirs


def one_bootstrap(arguments: tuple[int, int, int]) -> float:
    """Processor seconds of the bootstrap of one regimen."""
    seed, rows, resamples = arguments
    start = time.process_time()
    subjects, x, score, fold = regimen(seed, rows, 10)
    low = score < np.median(score)
    weights = patient_weights(np.arange(rows), resamples, np.random.default_rng(seed))
    bootstrap_record(subjects, -score, x, Groups(low, fold, 2 * fold + (subjects.entry > 0), 365.0), weights)
    return time.process_time() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regimens", type=int, default=50)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=570)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    for rows in (300, 1000, 6000):
        own, theirs = fit_ratio(rows)
        print(f"Cox, {rows} rows, 7 covariates: {own:.2f} ms, lifelines {theirs:.0f} ms: {theirs / own:.0f} times (aim {TARGET_RATIO})")
    start = time.perf_counter()
    with Pool(given.processes) as pool:
        seconds = sum(pool.imap_unordered(one_bootstrap, [(seed, given.rows, given.resamples) for seed in range(given.regimens)]))
    wall = time.perf_counter() - start
    print(
        f"bootstrap, {given.regimens} regimens of {given.rows} rows x {given.resamples}: {wall:.1f} s on {given.processes} processes, "
        f"{seconds:.1f} s of processor time (aim {TARGET_SECONDS:.0f} s on two cores)"
    )


if __name__ == "__main__":
    main()
