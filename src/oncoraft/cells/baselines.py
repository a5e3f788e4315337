"""Held-out cases scored without a language model: `oncoraft cell-baselines DIR --expression F --design D --out predictions.parquet`.

Everything is fitted inside the training fold: which genes vary, their scale, the signature, the priors. Whoever is held out by a design
that does not leak has no case in training, so that his own mean is not known there and the mean of all stands in.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from oncoraft.artefacts import read_table
from oncoraft.cells.edge import cell_parser, cell_settings
from oncoraft.cells.expression import log_normalised, read_expression, variable_genes
from oncoraft.cells.tables import parts_of_fold, read_cases, read_folds, read_genes
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.config import LEAKING, CellStudy
from oncoraft.planning.edge import run, settings_record

log = logging.getLogger("oncoraft")
SHRINKAGE = (1e-4, 1e-3, 1e-2, 1e-1)  # scikit-learn's C on standardised genes; chosen by loss on held-out donors of the training fold
INNER_FOLDS = 3
SIGNATURE_GENES = 25  # each way: those that differ most between sensitive and resistant donors' means
TREES, DEPTH, RATE = 100, 3, 0.1


def regression(values: np.ndarray, label: np.ndarray, donor: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, float]:
    """Probability by a penalised logistic regression, and the shrinkage chosen on donors inside the training fold."""
    best = SHRINKAGE[1]
    losses = np.zeros(len(SHRINKAGE))
    inner = 0
    for train, tune in GroupKFold(INNER_FOLDS).split(values, groups=donor) if len(set(donor)) >= INNER_FOLDS else ():
        if len(set(label[train])) == 2 and len(set(label[tune])) == 2:
            inner += 1
            for k, shrinkage in enumerate(SHRINKAGE):
                model = LogisticRegression(C=shrinkage, max_iter=300).fit(values[train], label[train])
                losses[k] += log_loss(label[tune], model.predict_proba(values[tune])[:, 1], labels=[False, True])
    if inner:
        best = SHRINKAGE[int(losses.argmin())]
    return LogisticRegression(C=best, max_iter=300).fit(values, label).predict_proba(held)[:, 1], best


def boosted(values: np.ndarray, label: np.ndarray, held: np.ndarray, seed: int) -> np.ndarray:
    """Probability by boosted trees (Friedman 2001, histogram form)."""
    model = HistGradientBoostingClassifier(
        max_iter=TREES, max_depth=DEPTH, learning_rate=RATE, max_features=0.3, early_stopping=False, random_state=seed
    )
    return np.asarray(model.fit(values, label).predict_proba(held)[:, 1])


def signature(values: np.ndarray, label: np.ndarray, donor: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Mean of the genes that are higher in sensitive donors less mean of those that are lower, on standardised genes.

    Donors are compared, a mean each: as many cells as one has, he is one person.
    """
    names, code = np.unique(donor, return_inverse=True)
    indicator = sparse.csr_matrix((np.ones(len(code)), (code, np.arange(len(code)))), shape=(len(names), len(code)))
    size = np.asarray(indicator.sum(axis=1))
    means = (indicator @ values) / size
    responds = (indicator @ label.astype(float)) / size.ravel() >= 0.5
    if responds.all() or not responds.any():
        return np.zeros(len(held))
    up, down = means[responds], means[~responds]
    spread = np.sqrt(up.var(axis=0) / len(up) + down.var(axis=0) / len(down)) + 1e-6
    difference = (up.mean(axis=0) - down.mean(axis=0)) / spread
    order = np.argsort(difference, kind="stable")
    most = min(SIGNATURE_GENES, len(order) // 2)
    return np.asarray(held[:, order[::-1][:most]].mean(axis=1) - held[:, order[:most]].mean(axis=1))


def mean_by(level: np.ndarray, label: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Mean label of the training cases of the same level; the mean of all where there are none."""
    means = pd.Series(label.astype(float)).groupby(level).mean()
    return pd.Series(held).map(means).fillna(label.mean()).to_numpy(float)


def of_fold(
    cases: pd.DataFrame, counts: sparse.csr_matrix, sides: tuple[np.ndarray, np.ndarray], study: CellStudy, seed: int
) -> tuple[pd.DataFrame, float]:
    """Scores of the held-out cases of one fold, and the shrinkage of the regression."""
    train, held = sides
    label = cases["responder"].to_numpy(bool)[train]
    donor, data_set = (cases[name].to_numpy(object) for name in ("patient_id", "data_set"))
    genes = variable_genes(counts[train], study.variable_genes)
    scaler = StandardScaler()
    values = scaler.fit_transform(log_normalised(counts[train])[:, genes].toarray())
    asked = scaler.transform(log_normalised(counts[held])[:, genes].toarray())
    probability, shrinkage = regression(values, label, donor[train], asked)
    found = {
        "case_id": cases["case_id"].to_numpy()[held],
        "logistic_regression": probability,
        "boosted_trees": boosted(values, label, asked, seed),
        "signature": signature(values, label, donor[train], asked),
        "donor_mean": mean_by(donor[train], label, donor[held]),
        "data_set_prior": mean_by(data_set[train], label, data_set[held]),
    }
    return pd.DataFrame(found), shrinkage


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit and score every fold of one design."""
    parser = cell_parser(
        "cell-baselines",
        "example:\n  oncoraft cell-baselines cells/lung --expression expression.npz --design pooled_by_donor --out baselines.parquet --config config/cells.yaml",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with cases.parquet, genes.txt and folds.parquet")
    parser.add_argument("--expression", type=Path, required=True, metavar="FILE", help="expression.npz of these cases")
    parser.add_argument("--design", required=True, help="design of the folds")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="truth.parquet of a twin: adds its oracles")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet to write")
    given = parser.parse_args(arguments)
    blocks = cell_settings("cell-baselines", given)
    study = blocks["cell_study"]
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="cell-baselines")
    cases, folds = read_cases(given.folder), read_folds(given.folder, given.design)
    counts = read_expression(given.expression, cases, read_genes(given.folder))
    parts, shrinkages = [], []
    for fold in range(study.designs.get(given.design, 0)):
        sides = parts_of_fold(cases, folds, fold, given.design == LEAKING)
        scores, shrinkage = of_fold(cases, counts, sides, study, stable_seed(study.seed, given.design, fold))
        parts.append(scores.assign(fold=np.int16(fold)))
        shrinkages.append(shrinkage)
    if not parts:
        raise InputError(f"expected one of {', '.join(study.designs)} (cells.designs)", column="--design", found=given.design)
    joined = pd.concat(parts, ignore_index=True).sort_values("case_id", ignore_index=True)
    if given.truth is not None and study.unit == "cell":
        truth = read_table(given.truth, ("case_id", "oracle", "oracle_of_expression"), key=("case_id",))
        joined = joined.merge(truth, on="case_id", how="left", validate="one_to_one")
    with publishing(given.out, record, step="cell-baselines") as (out, note):
        joined.to_parquet(out, index=False)
        inputs = [
            given.expression,
            *(given.folder / name for name in ("cases.parquet", "genes.txt", "folds.parquet")),
            *([given.truth] if given.truth else []),
        ]
        told = {"cases": len(joined), "folds": len(parts), "shrinkage": shrinkages}
        settings = settings_record(given, blocks)
        write_json(note, manifest("cell-baselines", inputs=inputs, outputs={given.out: out}, settings=settings, counts=told, beside=record))
    log.info("cell-baselines: %s", told)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
