"""The score group of a new case in its regimen, cut as the run's survival was, and the curves of that group."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup

from oncoraft.page.standing import Standing
from oncoraft.planning.config import Survival
from oncoraft.report.collect import read_json
from oncoraft.report.survival_figures import kaplan_meier
from oncoraft.report.survival_tables import guarded
from oncoraft.report.tables import records
from oncoraft.survival.endpoints import CODES, observe
from oncoraft.survival.groups import first_use, low_score, score_groups
from oncoraft.survival.inputs import read_followup

NEW = "the case that is asked about"


def score_group(used: pd.DataFrame, regimen: str, cancer_type: str, fold: int, score: float, by: Any) -> str:
    """`high` or `low`: the group of a score that a fold's model gave, among the first uses of a regimen.

    Args:
        used: case_id, cancer_type, regimen, fold and score of the cases that were cut.
        by: setting `survival.groups`.
    """
    new = pd.DataFrame([{"case_id": NEW, "cancer_type": cancer_type, "regimen": regimen, "fold": fold, "score": score}])
    # The cut of a fold is made of the others' scores, so that the new case does not move it.
    every = pd.concat([used[["case_id", "cancer_type", "regimen", "fold", "score"]], new], ignore_index=True)
    of_type = every[every["cancer_type"] == cancer_type]
    group = of_type[of_type["regimen"] == regimen]
    is_halves = isinstance(by, str) or len(by) > 1
    low = low_score(group, of_type, every) if is_halves else score_groups(group, by=by) == 0
    return "low" if bool(low[(group["case_id"] == NEW).to_numpy()][0]) else "high"


def curves_of(standing: Standing, regimen: str, cancer_type: str, score: float) -> dict[str, Any]:
    """The case's score group, the curves of its regimen's groups and what they say; `figure` is None, with `reason`, where there are none."""
    path = standing.run / "survival" / "survival.json"
    told = read_json(path)
    if told is None:
        return {"group": None, "figure": None, "reason": "This run has no survival analysis."}
    record = next((one for one in told["regimens"] if (one["regimen"], one["cancer_type"]) == (regimen, cancer_type)), None)
    if record is None:
        skipped = next((one for one in told["skipped"] if (one["regimen"], one["cancer_type"]) == (regimen, cancer_type)), None)
        why = f": {skipped['reason']}" if skipped else ""
        return {"group": None, "figure": None, "reason": f"The run has no curves of this regimen{why}."}
    settings = Survival(**told["settings"])
    endpoint, anchor = told["endpoint"], told["anchor"]
    followup = read_followup(standing.study.root / "cases" / "followup.parquet", CODES[endpoint])
    used = first_use(observe(standing.heldout, followup, anchor).frame, ["cancer_type", "regimen"])
    group = score_group(used, regimen, cancer_type, standing.number, score, settings.groups)
    frame = pd.read_parquet(path.with_name("curves.parquet"))
    guard = standing.study.guard
    mine = guard.curves(frame[(frame["regimen"] == regimen) & (frame["cancer_type"] == cancer_type)])
    if mine.empty:
        return {"group": group, "figure": None, "reason": "Too few are at risk in a group for a curve."}
    (shown,) = guarded([record], guard)
    canvas, said = kaplan_meier(record, [*records(mine)], shown, guard, endpoint, anchor)
    figure: Markup = canvas.svg(f"Kaplan–Meier curves, {record['regimen_name']}, {record['cancer_type']}, {said}")
    return {"group": group, "figure": figure, "said": said, "reason": "", "statement": told.get("statement", "")}
