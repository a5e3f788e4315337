"""The numbers that commit 1073922 tells of survival and of scores, by the functions of this checkout, and nothing else: what `evaluation.py --same-numbers` measures.

`python benchmarks/same_numbers.py survival PREDICTIONS CASES EVIDENCE OUT`
`python benchmarks/same_numbers.py metrics PREDICTIONS CASES BASELINES OUT`

Same cases, groups, cuts, strata, covariates and resamples. Where a definition has changed since (a curve began where its own group has ten at risk,
a restricted mean at day 0, a median was the first time at or below one half), it is done here in the earlier way, from the parts that are in use today.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.artefacts import read_table
from oncoraft.covariates import clinical_covariates
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.provenance import write_json
from oncoraft.planning.config import Survival
from oncoraft.predictions import read_predictions
from oncoraft.survival.adjusted import log_odds, ratio_of, subjects_of
from oncoraft.survival.analysis import names_of, too_small
from oncoraft.survival.assumptions import DAYS_PER_MONTH
from oncoraft.survival.cox import cox, fit_cox
from oncoraft.survival.curves import Curve, kaplan_meier
from oncoraft.survival.endpoints import observe
from oncoraft.survival.groups import first_use, frame_of, low_score
from oncoraft.survival.inputs import finite, read_cases, read_followup
from oncoraft.survival.proportional import proportional_hazards
from oncoraft.survival.records import curve_rows, joined_curves
from oncoraft.survival.restricted_mean import Difference, restricted_mean
from oncoraft.survival.risk_sets import Array, Subjects, at_risk, false_discovery, log_rank
from oncoraft.survival.tails import chi_squared

CASES = ["case_id", "patient_id", "cancer_type", "regimen", "regimen_name", "index_day", "setting", "line_of_therapy", "drug_class"]
EVIDENCE = ["case_id", "field", "value", "days_before_index", "order"]
SMALLEST_RISK_SET, SMALLEST_SHARE, EVENTS_PER_COVARIATE = 10, 0.02, 5


def curve_of(part: Subjects) -> Curve:
    """The curve from the first death on at which ten are at risk."""
    days = np.unique(part.exit[part.event])
    enough = np.flatnonzero(at_risk(part, days) >= SMALLEST_RISK_SET)
    start = float(np.nextafter(days[enough[0]], 0)) if len(enough) else np.inf
    return replace(kaplan_meier(part, (start, np.inf)), start=0.0)


def horizon_records(parts: dict[str, Subjects], curves: dict[str, Curve], horizons: tuple[int, ...]) -> list[dict[str, Any]]:
    """Survival and the difference of restricted means at each horizon."""
    records = []
    for horizon in horizons:
        days = horizon * DAYS_PER_MONTH
        found = None
        if min(int(at_risk(part, np.array([days]))[0]) for part in parts.values()) >= SMALLEST_RISK_SET:
            (one, its_error), (other, other_error) = (restricted_mean(curves[name], days) for name in ("high", "low"))
            spread = float(np.hypot(its_error, other_error))
            found = Difference(one - other, spread) if spread > 0 else None
        values = (found.estimate, *found.interval) if found else (None, None, None)
        names = ("restricted_mean_difference", "restricted_mean_lower", "restricted_mean_upper")
        record = {"months": horizon} | {name: curve.at(days) for name, curve in curves.items()}
        record |= {name: None if value is None else value / DAYS_PER_MONTH for name, value in zip(names, values)}
        records.append(record | {"restricted_mean_p": found.p if found else None})
    return records


def raw_record(subjects: Subjects, low: Array, fold: Array, horizons: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Ratio, log-rank test, naive ratio, assumptions, sizes, medians, numbers at risk, survival and restricted means."""
    ratio, (chi2, p) = cox(subjects, low, fold), log_rank(subjects, low, fold)
    hazards = proportional_hazards(subjects, low, fold, found=ratio) if ratio else None
    entry = cox(subjects, subjects.entry / DAYS_PER_MONTH, fold) if np.ptp(subjects.entry) > 0 else None
    parts = {"high": subjects.where(~low), "low": subjects.where(low)}
    curves = {name: curve_of(part) for name, part in parts.items()}
    months = [6 * step for step in range(int(subjects.exit.max() / DAYS_PER_MONTH // 6) + 1)][:21]
    naive = ratio_of("naive_", cox(subjects.without_delayed_entry(), low, fold))
    record = {"delayed_entry_cases": int(np.sum(subjects.entry > 0)), **ratio_of("", ratio), "log_rank_chi2": finite(chi2)}
    record |= {"log_rank_p": finite(p), "q": None} | {name: value for name, value in naive.items() if name != "naive_p"}
    record |= {"proportional_hazards_p": hazards[1] if hazards else None, "entry_time_hazard_ratio": entry.ratio if entry else None}
    record |= {"entry_time_p": entry.p if entry else None, "at_risk": {"months": months}}
    for name, part in parts.items():
        reached = np.flatnonzero(curves[name].survival <= 0.5 + 1e-12)
        record |= {f"n_{name}": len(part), f"events_{name}": int(part.event.sum())}
        record[f"median_months_{name}"] = float(curves[name].times[reached[0]]) / DAYS_PER_MONTH if len(reached) else None
        record["at_risk"][name] = at_risk(part, np.array(months) * DAYS_PER_MONTH).tolist()
    return record | {"survival_at": horizon_records(parts, curves, horizons)}, curves


def earlier_design(group: pd.DataFrame) -> dict[str, Array]:
    """The eight columns that the adjusted model of 1073922 may hold, those that hardly vary or repeat another left out."""
    columns = {
        "age_decades": group["age"].fillna(group["age"].median()) / 10,
        "is_male": group["sex"].eq("Male"),
        "is_stage_iv": group["stage"].str.contains("IV|4", regex=True),
        "stage_unknown": group["stage"].eq("unknown"),
        "later_line": group["line"] >= 2,
        "third_line": group["line"] >= 3,
        "ecog_2_or_more": group["ecog"] >= 2,
        "ecog_unknown": group["ecog"].isna(),
    }
    kept: dict[str, Array] = {}
    for name, column in ((name, column.to_numpy(float)) for name, column in columns.items()):
        varies = np.std(column) > 0 if name == "age_decades" else SMALLEST_SHARE <= column.mean() <= 1 - SMALLEST_SHARE
        if varies and not any(np.array_equal(column, other) for other in kept.values()):
            kept[name] = column
    return kept


def adjusted_record(group: pd.DataFrame, subjects: Subjects, fold: Array) -> dict[str, Any]:
    """The ratio of a standard deviation of the log odds beside the covariates, and the likelihood-ratio test of the score."""
    table, odds, events = earlier_design(group), log_odds(group["score"].to_numpy()), int(subjects.event.sum())
    empty: dict[str, Any] = dict(ratio_of("adjusted_", None))
    empty |= {"likelihood_ratio_chi2": None, "likelihood_ratio_p": None, "adjusted_for": []}
    if events < EVENTS_PER_COVARIATE * (len(table) + 1):
        return empty | {"not_adjusted": f"{events} events for {len(table) + 1} covariates"}
    if not odds.std() > 0:
        return empty | {"not_adjusted": "all scores are equal"}
    x = np.column_stack([*table.values(), -odds / odds.std()])
    base, full = fit_cox(subjects, x[:, :-1], list(table), fold), fit_cox(subjects, x, [*table, "low_score"], fold)
    chi2 = max(0.0, 2 * (full.log_likelihood - base.log_likelihood))
    told = {"likelihood_ratio_chi2": chi2, "likelihood_ratio_p": chi_squared(chi2), "adjusted_for": list(table), "not_adjusted": None}
    return ratio_of("adjusted_", full.hazard_ratio("low_score")) | told


def analyse(frame: pd.DataFrame, by: list[str], settings: Survival) -> tuple[list[dict[str, Any]], list[dict[str, Any]], pd.DataFrame]:
    """Records shown and skipped, and curves, of every group."""
    used, shown, skipped, curves = first_use(frame, by), [], [], []
    of_type = dict(list(used.groupby("cancer_type")))
    for _, group in used.groupby(by, sort=True):
        subjects, fold, names = subjects_of(group), group["fold"].to_numpy(), names_of(group, by)
        low = low_score(group, of_type[group["cancer_type"].iloc[0]], used)
        record = names | {"cases": len(group), "patients": group["patient_id"].nunique(), "events": int(subjects.event.sum())}
        if reason := too_small(group, [low, ~low], settings, "a score group"):
            skipped.append(record | {"reason": reason})
            continue
        found, own = raw_record(subjects, low, fold, tuple(settings.horizons_months))
        is_tested = record["events"] >= settings.minimum_events and found["log_rank_p"] is not None
        shown.append(record | found | adjusted_record(group, subjects, fold) | {"is_tested": is_tested})
        curves.append(curve_rows(own, **names))
    tested = [record for record in shown if record["is_tested"]]
    for record, q in zip(tested, false_discovery(np.array([record["log_rank_p"] for record in tested]))):
        record["q"] = float(q)
    shown.sort(key=lambda record: (-record["events"], record["cancer_type"], record["regimen"]))
    return shown, skipped, joined_curves(curves)


def survival(predictions: Path, folder: Path, evidence: Path, out: Path) -> None:
    """survival.json, regimens.csv and curves.parquet."""
    cases = read_cases(folder / "cases.parquet", CASES[:6], ["setting", "line_of_therapy", "line_overall", "drug_class"])
    frame = frame_of(read_predictions(predictions, cases), clinical_covariates(cases, read_table(evidence, EVIDENCE, ["case_id", "order"])))
    observed, _ = observe(frame, read_followup(folder / "followup.parquet", "os"), "index")
    settings = Survival()
    regimens, skipped, curves = analyse(observed, ["cancer_type", "regimen"], settings)
    types, _, of_types = analyse(observed, ["cancer_type"], settings)
    write_json(out / "survival.json", {"regimens": regimens, "skipped": skipped, "cancer_types": types})
    flat = [{name: value for name, value in row.items() if name not in ("at_risk", "survival_at")} for row in regimens]
    write_csv(out / "regimens.csv", pd.DataFrame(flat))
    joined_curves([curves, of_types]).to_parquet(out / "curves.parquet", index=False)


def main() -> None:
    """One stage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("metrics", "survival"))
    parser.add_argument("files", type=Path, nargs=3, metavar="FILE")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.stage == "survival":
        survival(*given.files, given.out)
    else:
        from same_scores import metrics  # what survival does not need

        metrics(*given.files, given.out)


if __name__ == "__main__":
    main()
