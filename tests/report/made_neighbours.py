"""Results that only some runs have: a second cohort, a text task, an aligned strategy, single cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd


def record(metric: str, predictor: str, scope: str, estimate: float, n: int = 300, events: int = 90) -> dict[str, Any]:
    interval = {"lower": estimate - 0.05, "upper": estimate + 0.05}
    return {
        "metric": metric,
        "predictor": predictor,
        "scope": scope,
        "estimate": estimate,
        **interval,
        "n": n,
        "events": events,
        "patients": 150,
    }


def compared_labels() -> dict[str, Any]:
    """labels.json of a cohort whose scans people have read."""
    known = {"lower": 0.6, "upper": 0.9, "n": 96, "patients": 80, "flags": "interval of the 180 of 200 resamples that have a value"}
    definition = {"scope": "second cohort", "definition": "strict"}
    agreement = [definition | {"measure": name, "estimate": 0.75} | known for name in ("agreement", "kappa")]
    agreement.append(definition | {"definition": "oncoraft", "measure": "agreement", "estimate": 0.5} | known)
    cells = {("PD", "PD"): 50, ("PR", "PR"): 30, ("PD", "PR"): 16, ("NE", "NE"): 4}
    comparison = {
        "scope": "second cohort",
        "counts": {"strict": {"cases": 100, "patients": 82, "both": 96, "rule_only": 0, "curated_only": 0, "neither": 4}},
        "agreement": agreement,
        "confusion": [definition | {"rule": rule, "curated": people, "cases": n} for (rule, people), n in cells.items()],
        "auroc": [
            definition | {"run": "tiny/raft", "under": name, "estimate": 0.7} | known for name in ("rule", "curated", "rule less curated")
        ],
    }
    return {"label": "strict", "readings": {"stable": 100}, "not_compared": None, "comparisons": [comparison], "alignment": None}


def second(folder: Path) -> Path:
    """external.json of a run in a second cohort `bpc`, with the accounts of that cohort, beside the first one `msk`, both in a folder."""
    run = folder / "bpc" / "tiny" / "raft" / "kfold"
    (run / "external").mkdir(parents=True)
    records = [
        *(record("auroc", name, "home", 0.71) for name in ("regimen_prior", "model")),
        *(record("auroc", name, "away", 0.66) for name in ("regimen_prior", "model")),
        *(record("auroc_drop", name, "home less away", 0.05) for name in ("regimen_prior", "model")),
        record("auroc", "model", "away, model of fold 0", 0.64),
        record("brier", "model", "before recalibration", 0.21, 200, 60),
        record("brier", "model", "after recalibration", 0.19, 200, 60),
    ]
    names = {"home": "msk", "away": "bpc", "model": "tiny", "strategy": "raft", "design": "kfold"}
    (run / "external" / "external.json").write_text(json.dumps({**names, "label": "strict", "records": records, "not_recalibrated": None}))
    cohort = folder / "bpc"
    left = [{"reason": "the patient is in both cohorts", "patients": 60}, {"reason": "on the given list", "patients": 4}]
    (cohort / "overlap").mkdir()
    (cohort / "overlap" / "overlap.json").write_text(json.dumps({"patients": 400, "kept": 336, "left_out": left}))
    labels = cohort / "label_validity" / "kfold"
    labels.mkdir(parents=True)
    (labels / "labels.json").write_text(json.dumps(compared_labels()))
    header = "field,section,status,how,empty_sources,cases_with,cases\n"
    for name, count in (("bpc", 0), ("msk", 50)):
        (folder / name / "mapping").mkdir(parents=True)
        status = "absent" if name == "bpc" else "mapped"
        (folder / name / "mapping" / "mapping.csv").write_text(f"{header}ecog,patient,{status},no such table,,{count},100\n")
    return run / "external" / "external.json"


def cell(model: str, strategy: str, estimate: float | None, rank: int | None, **more: Any) -> dict[str, Any]:
    """A cell of the grid."""
    lower, upper = (None, None) if estimate is None else (estimate - 0.05, estimate + 0.05)
    upper_rank, first = (None, None) if rank is None else (rank + 1.0, 0.5)
    ranked = {"rank": rank, "mean_rank": rank, "rank_lower": rank, "rank_upper": upper_rank, "first": first}
    counts = {"n": 300, "events": 90, "patients": 150, "cohort_cases": 300, "is_ranked": rank is not None}
    named = {"model": model, "strategy": strategy, "cohort": "msk", "design": "kfold", "training_hours": 0.25, "scoring_hours": None}
    return named | {"estimate": estimate, "lower": lower, "upper": upper, "flags": ""} | counts | ranked | more


def gridded(home: Path) -> None:
    """The grid of a cohort: two cells with a rank, one that does not cover it, one without a score."""
    cells = [
        cell("tiny", "raft", 0.7, 1),
        cell("baseline", "regimen_prior", 0.62, 2),
        cell("tiny", "linear-probe", 0.6, None, n=12, events=4, patients=7),
        cell("tiny", "zero", None, None, cohort="bpc"),
    ]
    (home / "grid").mkdir(parents=True)
    (home / "grid" / "grid.json").write_text(json.dumps({"label": "strict", "resamples": 200, "cells": cells}))


def scored(home: Path, law: float | None = None) -> None:
    """The scores of a text task of a cohort; of a twin with what its law is worth."""
    folder = home / "tiny/tasks/icd10/scores"
    folder.mkdir(parents=True)
    known = {"lower": 0.5, "upper": 0.9, "n": 40, "patients": 30, "unread": 3}
    records = [
        {"answerer": who, "measure": name, "estimate": 0.7} | known
        for who in ("base", "tuned", "tfidf")
        for name in ("code", "read", "f1_macro")
    ]
    if law is not None:
        records.append({"answerer": "oracle", "measure": "code", "estimate": law} | known)
        records += [{"answerer": who, "measure": "share of the law", "estimate": 0.7 / law} | known for who in ("base", "tuned", "tfidf")]
    (folder / "metrics.json").write_text(
        json.dumps({"task": "icd10", "title": "ICD-10 code", "headline": "code", "note": "Words decide.", "records": records})
    )
    test = {
        "first": "tuned",
        "second": "base",
        "measure": "code",
        "difference": 0.7,
        "lower": 0.5,
        "upper": 0.9,
        "cases": 40,
        "patients": 30,
    }
    test |= {"test": "sign test", "zeros": 2, "positive": 27, "negative": 1, "statistic": 400.0, "p": 1e-7, "method": "exact"}
    pd.DataFrame([test]).to_csv(folder / "tests.csv", index=False)
    rows = [
        {"class": name, "precision": 0.9, "recall": 0.8, "f1": 0.85, "support": n, "answered": n, "answerer": who}
        for who in ("base", "tuned")
        for name, n in (("C34.1", 36), ("nan", 4))
    ]
    pd.DataFrame(rows).to_csv(folder / "classes.csv", index=False)


def aligned(run: Path) -> None:
    """What alignment left of a run: rewards before and after, the head's refit, the best-rewarded answers."""
    names = ("reward", "factual", "no_outcome")
    known = {"cases": 300, "n": 300, "patients": 266, "before": 0.81, "after": 0.88, "difference": 0.07, "lower": 0.04, "upper": 0.1}
    pd.DataFrame([{"reward": name} | known for name in names]).to_csv(run / "rewards.csv", index=False)
    told = {"cases": 900, "starting_auroc": 0.71, "unrefitted_auroc": 0.69, "refitted_auroc": 0.71}
    told |= {"unrefitted_mean_difference": 0.04, "refitted_mean_difference": 0.01}
    (run / "fold-0").mkdir(exist_ok=True)
    (run / "fold-0" / "alignment.json").write_text(json.dumps({"method": "grpo", "score_head": told}))
    (run / "best_rewarded.jsonl").write_text(
        json.dumps({"case_id": "a", "reward": 0.97, "rationale": "Overall a benefit is likely."}) + "\n"
    )


def celled(home: Path) -> Path:
    """A single-cell cohort: two designs with a model and baselines, folds, map and marker genes; its folder."""
    folder = home / "cells" / "lung"
    known = {"reference": None, "group": None, "n": 120, "events": 50, "donors": 24, "method": "", "flags": ""}

    def row(name: str, metric: str, scope: str, value: float | None, **more: Any) -> dict[str, Any]:
        ends = {"lower": None, "upper": None} if value is None else {"lower": value - 0.05, "upper": value + 0.05}
        return {"predictor": name, "metric": metric, "scope": scope, "estimate": value, **ends, **known, **more}

    for design, lift in (("pooled_by_donor", 0.0), ("pooled_by_cell", 0.15)):
        records = []
        for name in ("logistic_regression", "data_set_prior", "signature", "tiny/raft"):
            records += [row(name, "auroc", "mean_of_folds", 0.7 + lift), row(name, "auprc", "mean_of_folds", 0.6)]
            records += [] if name == "signature" else [row(name, "f1", "mean_of_folds", 0.6)]
            records.append(row(name, "auroc_difference", "mean_of_folds", 0.1, reference="data_set_prior"))
            records += [
                row(name, "auroc", "tissue", 0.7, group=level, n=n, events=n // 2) for level, n in (("blood", 112), ("lymph node", 8))
            ]
        (folder / design / "scores").mkdir(parents=True)
        told = {"design": design, "leaks": lift > 0, "unit": "cell", "models": ["tiny/raft"], "records": records}
        (folder / design / "scores" / "metrics.json").write_text(json.dumps(told))
    genes = [{"file": "lung.h5ad", "columns": 900, "summed": 1, "not_in_every_file": 0, "kept": 899}]
    steps = [("cells in the files", 130), ("no donor", -6), ("fewer genes than minimum_genes", -4), ("cells analysed", 120)]
    flow = {"unit": "cell", "steps": [{"step": step, "cells": cells} for step, cells in steps], "genes": genes}
    fold = {
        "held_out": "fold 0",
        "training_cases": 80,
        "training_donors": 16,
        "heldout_cases": 40,
        "heldout_donors": 8,
        "donors_on_both_sides": 0,
    }
    (folder / "cases").mkdir()
    (folder / "cases" / "flow.json").write_text(json.dumps(flow))
    (folder / "cases" / "folds.json").write_text(json.dumps({"pooled_by_donor": {"leaks": False, "folds": [fold]}}))
    (folder / "expression").mkdir()
    points = pd.DataFrame({"case_id": [f"c{k}" for k in range(12)], "patient_id": [f"p{k % 4}" for k in range(12)]})
    points = points.assign(data_set="lung", responder=[k % 2 == 0 for k in range(12)], pc1=range(12), pc2=[k * k for k in range(12)])
    points.to_csv(folder / "expression" / "map.csv", index=False)
    run = home / "tiny" / "cells" / "lung" / "raft" / "pooled_by_donor"
    run.mkdir(parents=True)
    rows = [
        {"gene": name, "change": value, "lower": value - 0.1, "upper": value + 0.1, "cases": 40, "donors": 4}
        for name, value in (("TP53", -0.4), ("NAN", 0.2))
    ]
    pd.DataFrame(rows).to_csv(run / "markers.csv", index=False)
    return folder
