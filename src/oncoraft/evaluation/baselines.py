"""Baselines on the same folds: `oncoraft baselines CASES evidence.parquet --design D [--truth truth.parquet] --out predictions.parquet`.

`regimen_prior`: the training folds' response rate of cancer type and regimen, shrunk to the cancer type's rate (of the regimen alone where
the type is new). `clinical_logistic`: logistic regression on demography, stage, setting, line, ECOG, drug class and the disease at
index. `evidence_logistic` and `gradient_boosting`: a penalised logistic regression and boosted trees on all that the evidence says, typed field by
field. `tfidf_logistic`: logistic regression on the words of the evidence, as a reader without understanding. `oracle` (twin only): the
true probability. The fitted ones see what the language model sees and no more: evaluable cases of the other folds, tuned on the tuning
patients of those, and of each case the evidence at its index date.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from oncoraft.artefacts import read_table
from oncoraft.covariates import COVARIATES, clinical_covariates, covariate_report
from oncoraft.evaluation.evidence_features import EvidenceMatrix, matrix_of_ranges
from oncoraft.evaluation.learners import (
    Fitted,
    Learner,
    Parts,
    clinical_logistic,
    evidence_logistic,
    gradient_boosting,
    tfidf_logistic,
)
from oncoraft.evaluation.reading import read_folds
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.ranges import RangedTable, patient_ranges
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
NEAREST_DAYS = 3
READ = ("case_id", "order", "field", "value", "text", "days_before_index")  # and kind, where the evidence declares it
NO_EVIDENCE = pd.DataFrame({name: pd.Series(dtype=object) for name in READ}).astype({"order": "int32", "days_before_index": "Int32"})
# The columns of a table without a score, of the types that scores have.
NO_SCORE = {
    "case_id": pd.Series(dtype=str),
    "fold": pd.Series(dtype=int),
    "predictor": pd.Series(dtype=str),
    "score": pd.Series(dtype=float),
}


def open_evidence(path: Path) -> RangedTable:
    """Those columns of evidence.parquet that are read here, open; errors as `RangedTable`."""
    found = RangedTable(path, "case_id", READ)
    return RangedTable(path, "case_id", (*READ, "kind")) if "kind" in found.file.schema_arrow.names else found


def features(cases: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Clinical covariates of each case at its index date, and the text of its evidence."""
    joined = clinical_covariates(cases, evidence)
    words = evidence.sort_values(["case_id", "order"]).groupby("case_id")["text"].agg(" ".join)
    return joined.assign(text=joined["case_id"].map(words).fillna(""))


def in_ranges(evidence: RangedTable, cases: pd.DataFrame) -> Callable[[], Iterator[pd.DataFrame]]:
    """Evidence of the cases, a patient range at a time, from its beginning at each call."""
    ranges = patient_ranges(pa.array(cases["case_id"], pa.string()), pa.array(cases["patient_id"], pa.string()))
    return lambda: (evidence.rows(one.case_ids) for one in ranges)


def features_of_ranges(cases: pd.DataFrame, ranges: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """As `features`, of evidence that comes some cases at a time."""
    cases = cases.reset_index(drop=True)
    parts = (features(cases[cases["case_id"].isin(evidence["case_id"].unique())], evidence) for evidence in ranges)
    found = pd.concat([part for part in parts if len(part)] or [features(cases.head(0), NO_EVIDENCE)])
    silent = cases[~cases["case_id"].isin(found["case_id"])]
    return (pd.concat([found, features(silent, NO_EVIDENCE)]) if len(silent) else found).sort_index()


def regimen_prior(train: pd.DataFrame, held_out: pd.DataFrame, strength: float) -> pd.Series:
    """Response rate of cancer type x regimen in training, shrunk by `strength` cases towards the cancer type's rate.

    A cancer type that nobody in training has takes the regimen's rate in the others, shrunk towards the rate of all.
    """
    overall = train["responder"].mean()
    elsewhere = train.groupby("regimen")["responder"].agg(["sum", "size"]).reindex(held_out["regimen"]).fillna(0.0).set_axis(held_out.index)
    unseen = (elsewhere["sum"] + strength * overall) / (elsewhere["size"] + strength)
    by_type = train.groupby("cancer_type")["responder"].mean()
    by_regimen = train.groupby(["cancer_type", "regimen"])["responder"].agg(["sum", "size"])
    base = held_out["cancer_type"].map(by_type).fillna(unseen)
    keys = pd.MultiIndex.from_frame(held_out[["cancer_type", "regimen"]])
    counts = by_regimen.reindex(keys).fillna(0.0).set_axis(held_out.index)
    return (counts["sum"] + strength * base) / (counts["size"] + strength)


def oracle(cases: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """The true probability of each case's regimen, matched by patient and start within three days."""
    left = cases[["case_id", "patient_id", "index_day"]].astype({"index_day": "int64"}).sort_values(["index_day", "case_id"])
    right = truth[["patient_id", "start_day", "probability"]].astype({"start_day": "int64"}).sort_values("start_day")
    # merge_asof wants both sides sorted by the day alone, and days of one type.
    found = pd.merge_asof(
        left, right, left_on="index_day", right_on="start_day", by="patient_id", direction="nearest", tolerance=NEAREST_DAYS
    )
    return found[["case_id", "probability"]].dropna().rename(columns={"probability": "score"})


def predict(
    table: pd.DataFrame, evidence: EvidenceMatrix, predictors: Sequence[str], strength: float, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Held-out predictions of the fitted baselines: case_id, fold, predictor, score; and what was chosen in each fold.

    Args:
        table: covariates and text with fold, is_tuning and responder (null where not evaluable), one row a case.
        evidence: features of the same cases, in the same order.
        predictors: which baselines.
        strength: shrinkage of the regimen prior, in cases.
        seed: of the boosted trees.

    A fold whose training cases are of one class has no row, and says so in what was chosen.
    """
    learners: dict[str, Callable[[], Learner]] = {
        "clinical_logistic": lambda: clinical_logistic(table),
        "evidence_logistic": lambda: evidence_logistic(table, evidence),
        "gradient_boosting": lambda: gradient_boosting(table, evidence, seed),
        "tfidf_logistic": lambda: tfidf_logistic(table),
        "regimen_prior": lambda: (
            lambda parts: Fitted(regimen_prior(labelled.iloc[parts.train], table.iloc[parts.held_out], strength).to_numpy(), {})
        ),
    }
    labelled = table.assign(responder=table["responder"].fillna(False).astype(bool))
    evaluable, fold, is_tuning = (table[name].to_numpy() for name in ("responder", "fold", "is_tuning"))
    evaluable, label = pd.notna(evaluable), labelled["responder"].to_numpy()
    rows, chosen = [pd.DataFrame(NO_SCORE)], dict[str, Any]()
    for name in predictors:
        learner = learners[name]()
        # Fold -1 of a design only ever trains.
        for held_out in sorted(k for k in np.unique(fold) if k >= 0):
            others = evaluable & (fold != held_out)
            train, tuning = np.flatnonzero(others & ~is_tuning), np.flatnonzero(others & is_tuning)
            parts = Parts(train, tuning, np.flatnonzero(fold == held_out), label)
            if len(np.unique(label[parts.train])) < 2:
                # Nothing can be learned from one class: the fold goes without this score, told, and the other steps go on.
                chosen[f"{name}, fold {held_out}"] = {"not_fitted": f"one class only among {len(parts.train)} training cases"}
                continue
            score, chosen[f"{name}, fold {held_out}"] = learner(parts)
            case_id = table["case_id"].to_numpy()[parts.held_out]
            rows.append(pd.DataFrame({"case_id": case_id, "fold": held_out, "predictor": name, "score": score}))
    return pd.concat(rows, ignore_index=True), chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, predict, write."""
    parser = step_parser(
        "baselines", "example:\n  oncoraft baselines cases evidence.parquet --design kfold --out baselines/kfold/predictions.parquet"
    )
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases, labels and folds")
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE", help="evidence.parquet")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="truth of the twin: adds the oracle")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet file to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("baselines", given)
    cases = read_table(given.cases / "cases.parquet", ["case_id", "patient_id", "cancer_type", "regimen"], ["case_id"], whole=True)
    definition = blocks["labels"].definition
    labels = read_table(
        given.cases / "labels.parquet", ["case_id", "definition", "responder"], ["case_id"], [("definition", "==", definition)]
    )
    if labels.empty and len(cases):
        raise InputError(f"expected labels of definition {definition!r}", file=given.cases / "labels.parquet", column="definition")
    folds = read_folds(given.cases, given.design, is_any=len(cases) > 0)
    ranges = in_ranges(open_evidence(given.evidence), cases)
    table = features_of_ranges(cases, ranges()).merge(folds[["case_id", "fold", "is_tuning"]], on="case_id", validate="one_to_one")
    table = table.merge(labels[["case_id", "responder"]], on="case_id", how="left", validate="one_to_one")
    block = blocks["baselines"]
    found, chosen = predict(table, matrix_of_ranges(table["case_id"], ranges), block.predictors, block.prior_strength, block.seed)
    counts = {"cases": len(table), "evaluable": int(table["responder"].notna().sum()), "chosen": chosen}
    counts |= {"covariates": covariate_report(table, COVARIATES)}
    inputs = [given.evidence, *(given.cases / f"{name}.parquet" for name in ("cases", "labels", "folds"))]
    if given.truth is not None:
        known = (
            oracle(table, pd.read_parquet(given.truth))
            .merge(table[["case_id", "fold"]], on="case_id", validate="one_to_one")
            .assign(predictor="oracle")
        )
        counts["without_truth"] = len(table) - len(known)
        found = pd.concat([found, known[found.columns]], ignore_index=True)
        inputs.append(given.truth)
    found = found.sort_values(["predictor", "case_id"], ignore_index=True)
    record = given.out.with_name("manifest.json")
    with publishing(given.out, record, step="baselines") as (out, note):
        found.to_parquet(out, index=False)
        settings = settings_record(given, blocks)
        write_json(note, manifest("baselines", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("baselines: %d of %d cases evaluable, %s", counts["evaluable"], len(table), ", ".join(block.predictors))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
