"""Label definitions against the twin's true responses: `oncoraft label-truth CASES --truth truth.parquet`.

Only a twin knows the truth. Each case is matched to the regimen that the twin started on the nearest day, at most three days away.
For every definition: agreement with the true response, and how much the definition's noise costs: the AUROC of the true
probability against the response as drawn, less that against the label, on the same cases. No model can do better on that label.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from oncoraft.cases.flow_comparisons import kappa
from oncoraft.cases.flow_tables import CATEGORIES, share
from oncoraft.cases.tables import read_tables
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
NEAREST_DAYS = 3
TRUTH_COLUMNS = ["patient_id", "start_day", "probability", "response"]


def match(cases: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Cases with the truth of their regimen: case_id, probability, response; a regimen is matched to its nearest case alone."""
    left = cases[["case_id", "patient_id", "index_day"]].astype({"index_day": "int64"}).sort_values(["index_day", "case_id"])
    right = truth[TRUTH_COLUMNS].astype({"start_day": "int64"}).sort_values(["start_day", "patient_id"])
    # merge_asof wants both sides sorted by the day alone, and days of one type.
    found = pd.merge_asof(
        left, right, left_on="index_day", right_on="start_day", by="patient_id", direction="nearest", tolerance=NEAREST_DAYS
    ).dropna(subset=["response"])
    found["apart"] = (found["index_day"] - found["start_day"]).abs()
    return found.sort_values(["apart", "case_id"]).drop_duplicates(["patient_id", "start_day"])[["case_id", "probability", "response"]]


def auroc(score: pd.Series, positive: pd.Series) -> float | None:
    """Probability that a positive case scores above a negative one, ties one half; None of one class."""
    return float(roc_auc_score(positive, score)) if positive.nunique() == 2 else None


def compare(labels: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """One definition against the truth, on the matched cases.

    Args:
        labels: case_id, category, responder, disease_control of one definition.
        truth: case_id, probability, response.

    The true answer is CR or PR; for `disease_control` anything but PD.
    """
    name = labels["definition"].iloc[0]
    joined = truth.merge(labels, on="case_id", validate="one_to_one")
    joined["true"] = joined["response"] != "PD" if name == "disease_control" else joined["response"].isin(["CR", "PR"])
    judged, rest = joined[joined["responder"].notna()], joined[joined["responder"].isna()]
    said, true = judged["responder"].astype(bool), judged["true"]
    best, reached = auroc(judged["probability"], true), auroc(judged["probability"], said)
    table = pd.crosstab(joined["response"], joined["category"]).reindex(columns=list(CATEGORIES), fill_value=0)
    return {
        "definition": name,
        "evaluable": len(judged),
        "responders": int(said.sum()),
        "agreement": share(int((said == true).sum()), len(judged)),
        "kappa": kappa(np.asarray(said), np.asarray(true)),
        "sensitivity": share(int((said & true).sum()), int(true.sum())),
        "specificity": share(int((~said & ~true).sum()), int((~true).sum())),
        "positive_predictive_value": share(int((said & true).sum()), int(said.sum())),
        "auroc_truth_true_response": best,
        "auroc_truth_label": reached,
        "auroc_lost": None if best is None or reached is None else best - reached,
        "response_share_evaluable": share(int(true.sum()), len(judged)),
        "response_share_not_evaluable": share(int(rest["true"].sum()), len(rest)),
        "categories": {str(row): {str(column): int(n) for column, n in found.items()} for row, found in table.to_dict("index").items()},
    }


def label_truth(cases: pd.DataFrame, labels: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """All definitions against the truth.

    Raises:
        InputError: no case matches a true regimen.
    """
    found = match(cases, truth)
    if found.empty:
        raise InputError("expected the truth of the twin that these cases come from: no case starts within three days of a regimen in it")
    definitions = [compare(part, found) for _, part in labels.groupby("definition", sort=True)]
    return {"cases": len(cases), "matched": len(found), "unmatched": len(cases) - len(found), "definitions": definitions}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read cases, labels and truth, write the comparison."""
    parser = step_parser(
        "label-truth",
        "in:  cases.parquet, labels.parquet; the twin's truth.parquet\n"
        "out: label_truth.json (docs/artefacts.md): what every definition gets right, and the AUROC that its noise costs\n\n"
        "example:\n  oncoraft label-truth cases --truth truth.parquet",
    )
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases and labels; label_truth.json is written beside them")
    parser.add_argument("--truth", type=Path, required=True, metavar="FILE", help="truth.parquet, written by `oncoraft twin --truth`")
    given = parser.parse_args(arguments)
    blocks = read_settings("label-truth", given)
    wanted = {"cases": ["case_id", "patient_id", "index_day"], "labels": ["case_id", "definition", "category", "responder"]}
    parts = read_tables(given.cases, wanted, wanted)
    if not given.truth.is_file():
        raise InputError("expected the truth that `oncoraft twin --truth` writes", file=given.truth)
    truth = read_tables(given.truth.parent, [given.truth.stem], {given.truth.stem: TRUTH_COLUMNS})[given.truth.stem]
    result = label_truth(parts["cases"], parts["labels"], truth)
    final, record = given.cases / "label_truth.json", given.cases / "label_truth.json.manifest.json"
    with publishing(final, record, step="label-truth") as (out, note):
        write_json(out, result)
        inputs = [given.cases / "cases.parquet", given.cases / "labels.parquet", given.truth]
        counts = {name: result[name] for name in ("cases", "matched", "unmatched")}
        settings = settings_record(given, blocks)
        write_json(note, manifest("label-truth", inputs=inputs, outputs={final: out}, settings=settings, counts=counts, beside=record))
    log.info("label-truth: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
