"""Does the score separate overall survival within a regimen? `oncoraft survival predictions.jsonl CASES evidence.parquet ...`

Per cancer type and regimen, the patient's first use of it. Score groups are cut, for each fold, at the median of the scores of
the other folds' cases of that regimen: out-of-fold scores of the patients that trained the fold's model. The fold's own cases
do not enter their own cut. With fewer than 50 such cases the median is that of the cancer type, and with fewer than 50 of
those, as where a cancer type is a fold, that of all cases; in a design with one held-out fold the cut is 0.5. Groups of all
folds are pooled and the fold is a stratum of every test. The hazard ratio is of the low-score group against the high-score
group: above 1, low scores die sooner.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.covariates import clinical_covariates
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.config import Survival
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.predictions import read_predictions
from oncoraft.survival.adjusted import gain
from oncoraft.survival.cox import HazardRatio, cox, proportional_hazards
from oncoraft.survival.restricted_mean import restricted_mean_difference
from oncoraft.survival.risk_sets import Curve, Subjects, at_risk, false_discovery, kaplan_meier, log_rank

log = logging.getLogger("oncoraft")
DAYS_PER_MONTH = 30.4375
SMALLEST_CUT_SAMPLE = 50
SMALLEST_RISK_SET = 10
FIXED_CUT = 0.5
STATEMENT = (
    "These groups are prognostic within a regimen: they say who lives longer among those who received it. They do not say who "
    "gains from it rather than from another; that needs patients who did not receive it and a test of interaction."
)


def frame_of(predictions: pd.DataFrame, cases: pd.DataFrame, followup: pd.DataFrame) -> pd.DataFrame:
    """Held-out scores with overall survival and the covariates of `cases`, one row a case that has follow-up."""
    survival = followup[followup["endpoint"] == "os"]
    return predictions.merge(cases.drop(columns="patient_id"), on="case_id").merge(survival.drop(columns="endpoint"), on="case_id")


def first_use(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The earliest case of each patient in each group."""
    return frame.sort_values(["index_day", "case_id"]).drop_duplicates(["patient_id", *by])


def low_score(group: pd.DataFrame, *wider: pd.DataFrame) -> np.ndarray:
    """Whether each case's score is below the cut of its fold.

    Args:
        group: cases of one regimen.
        wider: cases of its cancer type, then all cases; for folds whose other folds have too few.
    """
    low = np.zeros(len(group), dtype=bool)
    fold, score = group["fold"].to_numpy(), group["score"].to_numpy()
    for held_out in np.unique(fold):
        others = [cases.loc[cases["fold"] != held_out, "score"].to_numpy() for cases in (group, *wider)]
        enough = next((scores for scores in others if len(scores) >= SMALLEST_CUT_SAMPLE), others[-1])
        # A design with one held-out fold has no other scores; a cut from its own would be chosen by the patients it is tried on.
        cut = np.median(enough) if len(enough) else FIXED_CUT
        low[fold == held_out] = score[fold == held_out] < cut
    return low


def ratio_of(prefix: str, found: HazardRatio | None) -> dict[str, float | None]:
    """A hazard ratio as record fields."""
    lower, upper = found.interval if found else (None, None)
    return {f"{prefix}hazard_ratio": found.ratio if found else None, f"{prefix}lower": lower, f"{prefix}upper": upper}


def horizon_records(subjects: Subjects, low: np.ndarray, curves: dict[str, Curve], months: Sequence[int]) -> list[dict[str, Any]]:
    """Survival of both groups and the difference of their restricted means (high less low, months) at each horizon."""
    records = []
    for horizon in months:
        days = horizon * DAYS_PER_MONTH
        record: dict[str, Any] = {"months": horizon, **{name: curve.at(days) for name, curve in curves.items()}}
        found = restricted_mean_difference(subjects, ~low, days, SMALLEST_RISK_SET)
        lower, upper = found.interval if found else (None, None)
        values = (found.estimate if found else None, lower, upper)
        names = ("restricted_mean_difference", "restricted_mean_lower", "restricted_mean_upper")
        record |= {name: None if value is None else value / DAYS_PER_MONTH for name, value in zip(names, values)}
        records.append(record | {"restricted_mean_p": found.p if found else None})
    return records


def assumption_records(subjects: Subjects, low: np.ndarray, fold: np.ndarray) -> dict[str, float | None]:
    """Checks of what the hazard ratio assumes: proportional hazards, and entry that tells nothing of the hazard (per month)."""
    hazards = proportional_hazards(subjects, low, fold)
    entry = cox(subjects, subjects.entry / DAYS_PER_MONTH, fold) if np.ptp(subjects.entry) > 0 else None
    return {
        "proportional_hazards_p": hazards[1] if hazards else None,
        "entry_time_hazard_ratio": entry.ratio if entry else None,
        "entry_time_p": entry.p if entry else None,
    }


def group_record(subjects: Subjects, low: np.ndarray, fold: np.ndarray, settings: Survival) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Estimates of one regimen and the curves of its two groups."""
    ratio = cox(subjects, low, fold)
    chi2, p = log_rank(subjects, low, fold)
    curves = {name: kaplan_meier(subjects.where(mask), SMALLEST_RISK_SET) for name, mask in (("high", ~low), ("low", low))}
    months = [6 * step for step in range(int(subjects.exit.max() / DAYS_PER_MONTH // 6) + 1)][:21]
    days = np.array(months) * DAYS_PER_MONTH
    record: dict[str, Any] = {
        "delayed_entry_cases": int(np.sum(subjects.entry > 0)),
        **ratio_of("", ratio),
        "wald_p": ratio.p if ratio else None,
        "log_rank_chi2": None if np.isnan(chi2) else chi2,
        "log_rank_p": None if np.isnan(p) else p,
        "q": None,
        **ratio_of("naive_", cox(subjects.without_delayed_entry(), low, fold)),
        **assumption_records(subjects, low, fold),
        "at_risk": {"months": months},
        "survival_at": horizon_records(subjects, low, curves, settings.horizons_months),
    }
    for name, mask in (("high", ~low), ("low", low)):
        part, median = subjects.where(mask), curves[name].median()
        record |= {f"n_{name}": int(mask.sum()), f"events_{name}": int(part.event.sum())}
        record[f"median_months_{name}"] = None if median is None else median / DAYS_PER_MONTH
        record["at_risk"][name] = at_risk(part, days).tolist()
    return record, curves


def curve_rows(curves: dict[str, Curve], **names: str) -> pd.DataFrame:
    """Curves as rows, in months."""
    parts = [
        pd.DataFrame(
            {
                "score_group": group,
                "months": curve.times / DAYS_PER_MONTH,
                "survival": curve.survival,
                "lower": curve.lower,
                "upper": curve.upper,
                "at_risk": curve.at_risk,
                "event_count": curve.events,
            }
        )
        for group, curve in curves.items()
    ]
    return pd.concat(parts).assign(**names)


def analyse(frame: pd.DataFrame, by: list[str], settings: Survival) -> tuple[list[dict[str, Any]], list[dict[str, Any]], pd.DataFrame]:
    """Records of the groups that are shown, the skipped ones with their reason, and the curves."""
    used = first_use(frame, by)
    shown, skipped, curves = [], [], []
    for _, group in used.groupby(by, sort=True):
        wider = used[used["cancer_type"] == group["cancer_type"].iloc[0]]
        subjects = Subjects(*(group[column].to_numpy() for column in ("entry_days", "exit_days", "event")))
        names = {key: str(group[key].iloc[0]) if key in by or key == "regimen_name" else "all" for key in ("regimen", "cancer_type")}
        names["regimen_name"] = str(group["regimen_name"].iloc[0]) if "regimen" in by else "All regimens"
        record: dict[str, Any] = {
            **names,
            "cases": len(group),
            "patients": group["patient_id"].nunique(),
            "events": int(subjects.event.sum()),
        }
        low = low_score(group, wider, used)
        smallest = min(int(low.sum()), int((~low).sum()))
        if record["events"] < settings.minimum_events_shown:
            skipped.append({**record, "reason": f"fewer than {settings.minimum_events_shown} events"})
        elif smallest < settings.minimum_group:
            skipped.append({**record, "reason": f"a score group has {smallest} cases, fewer than {settings.minimum_group}"})
        else:
            found, own = group_record(subjects, low, group["fold"].to_numpy(), settings)
            shown.append(
                record
                | found
                | gain(group)
                | {"is_tested": record["events"] >= settings.minimum_events and found["log_rank_p"] is not None}
            )
            curves.append(curve_rows(own, **names))
    tested = [record for record in shown if record["is_tested"]]
    for record, q in zip(tested, false_discovery(np.array([record["log_rank_p"] for record in tested]))):
        record["q"] = float(q)
    shown.sort(key=lambda record: (-record["events"], record["cancer_type"], record["regimen"]))
    return shown, skipped, pd.concat(curves) if curves else pd.DataFrame()


def main(arguments: Sequence[str] | None = None) -> int:
    """Stratify and write."""
    parser = step_parser("survival", "example:\n  oncoraft survival predictions.jsonl cases evidence.parquet --design kfold --out survival")
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="predictions.jsonl")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases and follow-up")
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE", help="evidence.parquet: the covariates that the score is adjusted for")
    parser.add_argument("--design", default="kfold", help="cross-validation design")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("survival", given)
    settings = blocks["survival"]
    cases, followup = pd.read_parquet(given.cases / "cases.parquet"), pd.read_parquet(given.cases / "followup.parquet")
    predictions = read_predictions(given.predictions, cases)
    cases = clinical_covariates(cases, pd.read_parquet(given.evidence))
    frame = frame_of(predictions[["case_id", "patient_id", "fold", "score"]], cases, followup)
    shown, skipped, curves = analyse(frame, ["cancer_type", "regimen"], settings)
    by_cancer, _, cancer_curves = analyse(frame, ["cancer_type"], settings)
    tested = sum(record["is_tested"] for record in shown)
    counts = {"attempted": len(shown) + len(skipped), "shown": len(shown), "tested": tested, "skipped": len(skipped)}
    counts |= {"cases": len(frame), "cases_without_follow_up": len(predictions) - len(frame)}
    result = {"settings": settings.model_dump(mode="json"), "counts": counts, "regimens": shown, "skipped": skipped}
    result |= {"cancer_types": by_cancer, "statement": STATEMENT}
    files = [given.out / name for name in ("survival.json", "regimens.csv", "curves.parquet", "manifest.json")]
    with publishing(*files, step="survival", home=given.out) as (table, regimens, curve_file, note):
        write_json(table, json.loads(json.dumps(result)))
        write_csv(regimens, pd.DataFrame(shown).drop(columns=["at_risk", "survival_at"], errors="ignore"))
        pd.concat([curves, cancer_curves]).reset_index(drop=True).to_parquet(curve_file, index=False)
        inputs = [given.predictions, given.cases / "cases.parquet", given.cases / "followup.parquet", given.evidence]
        outputs = dict(zip(files[:3], (table, regimens, curve_file)))
        settings_now = settings_record(given, blocks)
        write_json(note, manifest("survival", inputs=inputs, outputs=outputs, settings=settings_now, counts=counts, beside=files[3]))
    log.info("survival: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
