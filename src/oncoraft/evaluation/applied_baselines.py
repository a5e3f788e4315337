"""`oncoraft apply-baselines`: the baselines, fitted on one cohort's training folds, score another cohort's cases.

As the language models are applied: the fit of every fold, unchanged, and the mean of their scores. Nothing of the second cohort is
learned from, neither labels nor which words are frequent.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.evaluation.baselines import NO_SCORE, features, oracle, predict
from oncoraft.evaluation.evidence_features import evidence_matrix
from oncoraft.evaluation.reading import read_folds, read_labels
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.config import Baselines
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
HERE, AWAY = "first ", "second "  # before case ids: two cohorts may number their patients alike
EXAMPLE = """example:
  oncoraft apply-baselines --first msk/cases msk/prompts/evidence.parquet --second bpc/cases bpc/prompts/evidence.parquet --out predictions.parquet"""


def table_of(cases: Path, evidence: Path, definition: str, design: str, prefix: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Covariates, text, fold, is_tuning and responder of a cohort's cases, and its evidence; case ids begin with the prefix."""
    frame, told = pd.read_parquet(cases / "cases.parquet"), pd.read_parquet(evidence)
    folds = read_folds(cases, design)
    labels = read_labels(cases, definition)[["case_id", "responder"]]
    table = features(frame, told).merge(folds[["case_id", "fold", "is_tuning"]], on="case_id", validate="one_to_one")
    table = table.merge(labels, on="case_id", how="left", validate="one_to_one")
    return table.assign(case_id=prefix + table["case_id"]), told.assign(case_id=prefix + told["case_id"])


def applied(
    first: tuple[pd.DataFrame, pd.DataFrame], second: tuple[pd.DataFrame, pd.DataFrame], settings: Baselines
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Scores of the second cohort's cases, the mean of the folds' fits: case_id, fold (the case's part), predictor, score; what was chosen.

    Args:
        first: from `table_of`, with labels that train.
        second: likewise; its labels are not looked at.
        settings: which baselines.
    """
    home, away = first[0], second[0].drop(columns="responder").assign(fold_of_case=second[0]["fold"])
    evidence = pd.concat([first[1], second[1]], ignore_index=True)
    parts, chosen = [], dict[str, Any]()
    for fold in sorted(k for k in home["fold"].unique() if k >= 0):
        # Fold -1 only ever trains, and 0 is what is scored.
        train = home[home["fold"] != fold].assign(fold=-1)
        table = pd.concat([train.drop(columns="responder"), away.assign(fold=0, is_tuning=False)], ignore_index=True)
        table["responder"] = pd.array([*train["responder"], *[pd.NA] * len(away)], dtype="boolean")
        found, how = predict(
            table, evidence_matrix(table["case_id"], evidence), settings.predictors, settings.prior_strength, settings.seed
        )
        parts.append(found)
        chosen |= {name.replace("fold 0", f"fold {fold}"): value for name, value in how.items()}
    scores = pd.concat(parts, ignore_index=True)
    if scores.empty:
        return pd.DataFrame(NO_SCORE), chosen
    mean = scores.groupby(["predictor", "case_id"], as_index=False)["score"].mean()
    mean = mean.merge(away[["case_id", "fold_of_case"]], on="case_id", validate="many_to_one").rename(columns={"fold_of_case": "fold"})
    mean["case_id"] = mean["case_id"].str.removeprefix(AWAY)
    return mean[list(NO_SCORE)], chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit on one cohort, score another, write."""
    parser = step_parser("apply-baselines", EXAMPLE)
    for name, what in (("first", "the cohort that baselines are fitted on"), ("second", "the cohort that they score")):
        parser.add_argument(f"--{name}", type=Path, nargs=2, required=True, metavar=("CASES", "EVIDENCE"), help=what)
    parser.add_argument("--design", default="kfold", help="cross-validation design of the first")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="truth of the second cohort's twin: adds the oracle")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet file to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("apply-baselines", given)
    definition = blocks["labels"].definition
    first = table_of(given.first[0], given.first[1], definition, given.design, HERE)
    second = table_of(given.second[0], given.second[1], definition, given.design, AWAY)
    found, chosen = applied(first, second, blocks["baselines"])
    counts: dict[str, Any] = {"cases": len(second[0]), "training_cases": int(first[0]["responder"].notna().sum()), "chosen": chosen}
    inputs = [
        path
        for cases, evidence in (given.first, given.second)
        for path in (evidence, *(cases / f"{name}.parquet" for name in ("cases", "labels", "folds")))
    ]
    if given.truth is not None:
        cases = second[0].assign(case_id=second[0]["case_id"].str.removeprefix(AWAY))
        known = oracle(cases, pd.read_parquet(given.truth)).merge(cases[["case_id", "fold"]], on="case_id").assign(predictor="oracle")
        counts["without_truth"] = len(cases) - len(known)
        found = pd.concat([found, known[found.columns]], ignore_index=True)
        inputs.append(given.truth)
    found = found.sort_values(["predictor", "case_id"], ignore_index=True)
    assert np.isfinite(found["score"]).all()
    record = given.out.with_name("manifest.json")
    with publishing(given.out, record, step=("apply-baselines", "baselines")) as (out, note):
        found.to_parquet(out, index=False)
        settings = settings_record(given, blocks)
        write_json(
            note, manifest("apply-baselines", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record)
        )
    log.info("apply-baselines: %d cases scored by fits on %d", counts["cases"], counts["training_cases"])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
