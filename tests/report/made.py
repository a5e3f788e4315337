"""A results folder as the steps write it, small and made from numbers alone, whose names a test may choose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

CATEGORIES = ("CR", "PR", "SD", "PD", "NED", "NE")


def metric(predictor: str, name: str, scope: str, estimate: float | None, **more: Any) -> dict[str, Any]:
    """One record of metrics.json."""
    base = {"predictor": predictor, "reference": None, "label": "strict", "metric": name, "scope": scope, "group": None}
    spread = {"lower": None, "upper": None} if estimate is None else {"lower": estimate - 0.1, "upper": estimate + 0.1}
    return base | spread | {"estimate": estimate, "n": 100, "events": 30, "patients": 90, "method": "", "flags": ""} | more


def metrics(cancer_type: str) -> list[dict[str, Any]]:
    """Of a model and two baselines."""
    rows = [metric(name, "auroc", "mean_of_folds", 0.7) for name in ("model", "regimen_prior", "oracle")]
    rows += [metric("model", "auroc_difference", "mean_of_folds", 0.05, reference=name) for name in ("regimen_prior", "oracle")]
    rows += [metric("model", "auroc_within_regimen_difference", "mean_of_folds", 0.02, reference="regimen_prior")]
    rows += [metric("model", "auroc", "cancer_type", 0.7, group=cancer_type), metric("model", "auroc", "fold", 0.7, group="0")]
    rows += [metric("model", "auroc", "subgroup", None, group=f"drug class: {cancer_type}", events=None, n=4, flags="suppressed")]
    return [*rows, metric("model", "calibration_slope", "as_delivered", 0.8), metric("model", "calibration_slope", "recalibrated", 1.0)]


def regimen(name: str, cancer_type: str, **more: Any) -> dict[str, Any]:
    """One record of survival.json."""
    ratios = ("adjusted_hazard_ratio", "adjusted_per_sd_hazard_ratio", "hazard_ratio", "naive_hazard_ratio", "published_hazard_ratio")
    ratios += ("entry_adjusted_hazard_ratio", "restricted_hazard_ratio", "within_extent_hazard_ratio")
    made: dict[str, Any] = {}
    for ratio in ratios:
        stem = ratio.removesuffix("hazard_ratio")
        made |= {ratio: 1.5, f"{stem}lower": 0.9, f"{stem}upper": 2.5}
    for group, count in (("high", 40), ("low", 35)):
        made |= {f"n_{group}": count, f"events_{group}": 20, f"median_months_{group}": 9.0, f"curve_to_months_{group}": 20.0}
        made |= {f"median_months_{group}_lower": 7.0, f"median_months_{group}_upper": None}
    made |= {"regimen": "r", "regimen_name": name, "cancer_type": cancer_type, "cases": 75, "patients": 75, "events": 40, "is_tested": True}
    made |= {"is_underpowered": True, "published_p": 0.04}
    made |= {
        "q": 0.04,
        "likelihood_ratio_p": 0.01,
        "log_rank_p": 0.2,
        "not_adjusted": None,
        "no_ratio": None,
        "adjusted_for": ["age_decades"],
    }
    made |= {"proportional_hazards_p": 0.01, "entry_time_p": 0.5, "entry_time_note": None, "delayed_entry_cases": 30, "censored_share": 0.4}
    made |= {
        "hazard_ratio_by_period": [{"from_months": 0.0, "to_months": None, "events": 40, "hazard_ratio": 1.2, "lower": 1.0, "upper": 2.0}]
    }
    made |= {
        "survival_at": [],
        "concordance_clinical": 0.6,
        "concordance_with_score": 0.65,
        "restricted_cases": 45,
        "curve_from_months": 2.0,
    }
    made |= {"median_follow_up_months": 30.0, "at_risk": {"months": [0, 6, 12, 18], "high": [12, 30, 20, 10], "low": [11, 25, 15, 3]}}
    made["comparators"] = [{"predictor": "disease_extent", "hazard_ratio": 2.0, "lower": 1.1, "upper": 3.0}]
    return made | more


def curves(cancer_type: str) -> pd.DataFrame:
    """Curves of the regimen, down to three at risk."""
    parts = []
    for group in ("high", "low"):
        columns = {
            "months": [3.0, 9.0, 18.0],
            "survival": [0.9, 0.5, 0.4],
            "lower": 0.3,
            "upper": 0.9,
            "adjusted_survival": [0.88, 0.55, 0.5],
            "at_risk": [30, 15, 3],
        }
        parts.append(pd.DataFrame(columns).assign(score_group=group, event_count=1, regimen="r", cancer_type=cancer_type))
    return pd.concat(parts, ignore_index=True)


def flow(drug_class: str, cancer_type: str) -> dict[str, Any]:
    """flow.json of 130 cases."""
    counts = {"CR": 12, "PR": 18, "SD": 30, "PD": 40, "NED": 3, "NE": 27}
    start = {
        "name": "patients in the study",
        "patients": 110,
        "cases": None,
        "excluded_patients": None,
        "excluded_cases": None,
        "reason": "",
    }
    gone = {
        "excluded_patients": 10,
        "excluded_cases": None,
        "reason": "none",
        "reasons": [{"reason": drug_class, "patients": 10, "cases": None}],
    }
    level = {"characteristic": "Stage", "level": "4", "unit": "cases", "n": 4, "of": 130, "share": 4 / 130}
    days = {"lower_quartile": 30.0, "median": 40.0, "upper_quartile": 50.0}
    scans = {"cases": 130, "no_scan": 30, "one_scan": 40, "two_scans": 57, "more_scans": 3, "days_to_first": days, "reads": 200}
    balance = {"drug_class": drug_class, "cases": 130, **counts, "evaluable": 100, "responders": 30}
    flags = {"contradicted": 0, "local_treatment": 4, "surgery": 2, "radiation": 2, "immortal": 1}
    fold = {"design": "kfold", "fold": 0, "patients": 90}
    return {
        "definition": "strict",
        "steps": [start, start | gone | {"name": "with a regimen", "patients": 100, "cases": 130}],
        "labels": {"strict": counts},
        "by_cancer_type": [{"cancer_type": cancer_type, "patients": 100, "cases": 130, "evaluable": 100, "responders": 30}],
        "table_one": [level | {"cancer_type": one} for one in ("all", cancer_type)],
        "label_balance": [balance],
        "label_flags": [{"category": name, "cases": counts[name], **flags} for name in CATEGORIES],
        "scans": [scans | {"cancer_type": "all", "indeterminate_reads": 20, "only_indeterminate": 2}],
        "agreement": [{"first": "oncoraft", "second": "strict", "both_evaluable": 90, "agree": 90, "share": 1.0, "kappa": 1.0}],
        "strict_against_published": {"CR": {"CR": 10, "PR": 2}, "PR": {"PR": 18}},
        "published_rule": {"responders": 60, "responders_never_imaged": 30},
        "folds": [fold],
    }


def experiment(home: Path, strategy: str, regimen_name: str, cancer_type: str) -> Path:
    """An experiment's metrics, survival and predictions."""
    run = home / "tiny" / strategy / "kfold"
    for folder in (run / "metrics", run / "survival"):
        folder.mkdir(parents=True)
    (run / "metrics" / "metrics.json").write_text(json.dumps(metrics(cancer_type)))
    sentence = "Does the model beat the best baseline on the same evidence (regimen_prior)? By AUROC overall: not shown."
    (run / "metrics" / "verdict.json").write_text(json.dumps({"best_baseline": "regimen_prior", "beats": {}, "sentence": sentence}))
    frames = {
        "roc": {"predictor": "model", "fold": 0, "false_positive_rate": [0.0, 1.0], "true_positive_rate": [0.0, 1.0]},
        "calibration": {"predictor": "model", "bin": [0, 1], "probability": [0.2, 0.6], "observed": [0.1, 0.5], "n": 50, "responders": [5, 25]},
        "decision": {"predictor": "model", "threshold": [0.1], "net_benefit": 0.2, "treat_all": 0.1, "treat_none": 0.0, "lower": 0.1, "upper": 0.3},
        "definitions": {"predictor": "model", "label": ["strict"], "estimate": 0.7, "lower": 0.6, "upper": 0.8, "n": 100, "events": 30, "patients": 90},
        "comparability": {"predictor": "model", "rule": ["fixed at 0.5"], "lowest_threshold": 0.5, "highest_threshold": 0.5, "measure": "f1", "estimate": 0.4, "lower": 0.3, "upper": 0.5, "n": 100, "events": 30, "flags": "interval of the 90 of 100 resamples that have a value"},
        "distribution": {"predictor": "model", "lower_edge": [0.0, 0.5], "upper_edge": [0.5, 1.0], "responders": [10, 20], "others": [50, 20]},
    }  # fmt: skip
    for name, columns in frames.items():
        pd.DataFrame(columns).to_csv(run / "metrics" / f"{name}.csv", index=False)
    told = {"regimens": [regimen(regimen_name, cancer_type)], "cancer_types": [], "statement": "Prognostic.", "direction": "Low to high."}
    told["skipped"] = [{"regimen_name": regimen_name, "cancer_type": cancer_type, "cases": 4, "events": 1, "reason": "fewer than 5 events"}]
    told["counts"] = {"attempted": 2, "shown": 1, "tested": 1, "skipped": 1, "cases": 79, "cases_analysed": 79, "events_analysed": 30}
    told["settings"] = {"horizons_months": [12], "alpha": 0.05, "minimum_events": 20, "powered_events": 128}
    told["summary"] = {"adjusted": None, "adjusted_per_sd": None, "raw": None}
    told |= {"endpoint": "overall_survival", "anchor": "index", "further_endpoints": []}
    level = {"kind": "sex", "cases": 60, "events": 30, "adjusted_per_sd_hazard_ratio": 1.4, "adjusted_per_sd_lower": 0.8}
    level |= {"adjusted_per_sd_upper": 2.2, "adjusted_per_sd_p": 0.2, "not_adjusted": None, "heterogeneity_p": None}
    nothing = dict.fromkeys(("adjusted_per_sd_hazard_ratio", "adjusted_per_sd_lower", "adjusted_per_sd_upper", "adjusted_per_sd_p"))
    few = level | nothing | {"level": "male", "cases": 15, "events": 4, "not_adjusted": "fewer than 20 events"}
    told["subgroups"] = [level | {"level": cancer_type}, few]
    (run / "survival" / "survival.json").write_text(json.dumps(told))
    curves(cancer_type).to_parquet(run / "survival" / "curves.parquet")
    (run / "predictions.jsonl").write_text(json.dumps({"rationale": regimen_name}) + "\n")
    return run


def results(home: Path, regimen_name: str, cancer_type: str, drug_class: str) -> Path:
    """A cohort's results folder of one experiment."""
    experiment(home, "raft", regimen_name, cancer_type)
    cohort(home, cancer_type, drug_class)
    return home


def cohort(home: Path, cancer_type: str, drug_class: str) -> None:
    """What an experiment stands on: cases, folds, source tables."""
    for folder in (home / "cases", home / "tables"):
        folder.mkdir(parents=True)
    (home / "cases" / "flow.json").write_text(json.dumps(flow(drug_class, cancer_type)))
    ledger = {key: [5] for key in ("rows_read", "rows_kept", "rows_refused", "rows_duplicate")}
    pd.DataFrame({"table": [drug_class], "status": "read"} | ledger).to_parquet(home / "tables" / "ledger.parquet")
    folds = [{"case_id": f"P{k}_+0", "patient_id": f"P{k}", "design": "kfold", "fold": k % 2, "is_tuning": False} for k in range(90)]
    pd.DataFrame(folds).to_parquet(home / "cases" / "folds.parquet")


def large(home: Path, runs: int = 3, regimens: int = 50) -> Path:
    """A cohort's results folder of several experiments, each with as many regimens as a large cohort shows."""
    cohort(home, "Breast Cancer", "Chemo")
    steps = pd.DataFrame({"months": [k / 2 for k in range(4, 124)], "survival": [0.99**k for k in range(120)]})
    for place in range(runs):
        run = experiment(home, f"strategy{place}", "Paclitaxel", "Breast Cancer")
        told = json.loads((run / "survival" / "survival.json").read_text())
        cancers = [f"{name} Cancer" for name in ("Breast", "Colorectal", "Non-Small Cell Lung", "Pancreatic", "Prostate")]
        told["regimens"] = [
            regimen(f"Drug{k} + Another{k}", cancers[k % 5], regimen=f"r{k}", adjusted_hazard_ratio=0.6 + k / 40) for k in range(regimens)
        ]
        told["counts"] |= {"attempted": regimens + 1, "shown": regimens, "tested": regimens}
        pooled = {"regimens": regimens, "hazard_ratio": 1.1, "lower": 0.9, "upper": 1.4, "prediction_lower": 0.7, "prediction_upper": 1.8}
        told["summary"]["adjusted"] = pooled | {"method": "random effects"}
        (run / "survival" / "survival.json").write_text(json.dumps(told))
        parts = [
            steps.assign(lower=0.2, upper=0.9, at_risk=30, event_count=1, score_group=group, regimen=f"r{k}", cancer_type=cancers[k % 5])
            for k in range(regimens)
            for group in ("high", "low")
        ]
        pd.concat(parts, ignore_index=True).to_parquet(run / "survival" / "curves.parquet")
    return home
