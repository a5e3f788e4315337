"""A cohort with one law of relapse and death for all, half of it sequenced only at relapse, through the whole product.

    python benchmarks/selection.py [--seeds 200] [--patients 500]

Everybody is given the same adjuvant regimen at once; half are sequenced on its first day, the others when they relapse, or never, and then they are in
no cohort. Response follows the time to relapse, so that a model which knows who is not sequenced yet can learn it, though it says nothing
of survival: the truth of every score is a hazard ratio of 1. Each seed writes a study in the source's format and goes through ingestion,
cases, labels, follow-up, folds, evidence and prompts; the model is a TF-IDF logistic regression fitted out of fold on the prompts
themselves, and the hazard ratio is that of the survival step. Told of the prompts as they are, and with the statement planted in them:
how often the interval holds 1. Beside it the same model trained on the cohort of the seed before: scores out of fold share their training patients,
and where labels and survival go together, their sum over the folds varies more than a Cox model knows.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.cases import build
from oncoraft.cohort import ingest
from oncoraft.covariates import clinical_covariates
from oncoraft.evaluation.learners import Parts, tfidf_logistic
from oncoraft.evidence import evidence
from oncoraft.planning.config import Survival
from oncoraft.prompts import render
from oncoraft.survival.analysis import analyse
from oncoraft.survival.cross_fitting import TARGET
from oncoraft.survival.groups import frame_of
from oncoraft.survival.inputs import read_followup

STATEMENT = "No sequenced specimen known by this date."
LAYOUT = {
    "clinical_patient": "PATIENT_ID GENDER CURRENT_AGE_DEID OS_MONTHS OS_STATUS HR HER2",
    "clinical_sample": "SAMPLE_ID PATIENT_ID CANCER_TYPE SAMPLE_TYPE GENE_PANEL MSI_TYPE MSI_SCORE TMB_NONSYNONYMOUS",
    "timeline_treatment": "PATIENT_ID START_DATE STOP_DATE EVENT_TYPE SUBTYPE AGENT RX_INVESTIGATIVE FLAG_OROTOPICAL",
    "timeline_progression": "PATIENT_ID START_DATE STOP_DATE EVENT_TYPE SUBTYPE PROGRESSION NLP_PROGRESSION_PROBABILITY PROCEDURE_TYPE",
    "timeline_cancer_presence": "PATIENT_ID START_DATE STOP_DATE EVENT_TYPE SUBTYPE HAS_CANCER NLP_HAS_CANCER_PROBABILITY PROCEDURE_TYPE "
    "CHEST ABDOMEN PELVIS HEAD OTHER",
    "timeline_tumor_sites": "PATIENT_ID START_DATE STOP_DATE EVENT_TYPE SUBTYPE SOURCE SOURCE_SPECIFIC TUMOR_SITE CHEST ABDOMEN PELVIS HEAD OTHER",
    "timeline_performance_status": "PATIENT_ID START_DATE STOP_DATE EVENT_TYPE SUBTYPE ECOG",
    "timeline_diagnosis": "PATIENT_ID START_DATE STOP_DATE EVENT_TYPE SUBTYPE SOURCE DX_DESCRIPTION AJCC CLINICAL_GROUP PATH_GROUP "
    "STAGE_CDM_DERIVED SUMMARY",
    "timeline_specimen": "PATIENT_ID START_DATE STOP_DATE EVENT_TYPE SUBTYPE SAMPLE_ID",
}
DIAGNOSIS = "INFILTRATING DUCT CARCINOMA | BREAST, NOS (M8500/3 | C509)"
SITES = ("Lung", "Liver", "Bone", "Lymph Nodes")
COVERED = ("TRUE", "TRUE", "TRUE", "FALSE", "FALSE")
MONTH = 365 / 12
DAYS_PER_YEAR = 365.25
Rows = dict[str, list[tuple[object, ...]]]


def cohort(seed: int, patients: int) -> pd.DataFrame:
    """Who is in the cohort: days from the start of treatment to sequencing and exit, death, response; what a chart says is drawn apart."""
    draw = np.random.default_rng(seed)
    relapse = draw.exponential(5000, patients)
    death, early, lost = relapse + draw.exponential(700, patients), draw.random(patients) < 0.5, draw.uniform(1000, 4500, patients)
    entry, leave = np.where(early, 0, np.ceil(relapse)), np.floor(np.minimum(death, lost)) + 1
    frame = pd.DataFrame({"entry": entry.astype(int), "leave": leave.astype(int), "died": death <= lost})
    frame["responds"] = draw.random(patients) < np.where(relapse > 1800, 0.75, 0.25)
    # The source tells the age at the end of follow-up: drawn so, the age at the first day of treatment would tell how long somebody lives.
    frame["age"] = np.floor(draw.uniform(35, 80, patients) + frame["leave"] / DAYS_PER_YEAR).astype(int)
    frame["ecog"] = draw.choice([0, 1, 2], patients, p=[0.45, 0.4, 0.15])
    frame["stage"], frame["site"] = draw.choice(["2", "3"], patients), draw.choice(SITES, patients)
    frame["more"] = draw.choice([*SITES, ""], patients)
    frame["hr"], frame["her2"] = draw.choice(["Yes", "No"], patients), draw.choice(["Yes", "No"], patients, p=[0.2, 0.8])
    frame["burden"] = np.round(draw.lognormal(1, 0.6, patients), 1)
    return frame[(entry < leave) & (early | (relapse < lost))].reset_index(drop=True)


def records(frame: pd.DataFrame) -> Rows:
    """The tables of the study, days counted from sequencing."""
    rows: Rows = {name: [] for name in LAYOUT}
    for number, one in enumerate(frame.itertuples(), 1):
        who, start = f"P-{number:07d}", -one.entry
        sample, status = f"{who}-T01-IM6", "1:DECEASED" if one.died else "0:LIVING"
        rows["clinical_patient"].append((who, "Female", one.age, (one.leave - one.entry) / MONTH, status, one.hr, one.her2))
        rows["clinical_sample"].append((sample, who, "Breast Cancer", "Primary", "IMPACT468", "Stable", 0.1, one.burden))
        rows["timeline_treatment"] += [
            (who, start, start + 60, "Treatment", "Chemo", name, "N", "0") for name in ("CYCLOPHOSPHAMIDE", "DOXORUBICIN")
        ]
        rows["timeline_performance_status"].append((who, start - 5, "", "Diagnosis", "Performance Status", one.ecog))
        groups = ("II", one.stage, one.stage, "Stage 1-3", "Localized")
        rows["timeline_diagnosis"].append((who, start - 30, "", "Diagnosis", "Primary", "Tumor Registry", DIAGNOSIS, *groups))
        rows["timeline_specimen"].append((who, 0, "", "Sequencing", "", sample))
        for day, word, sites in (
            (-10, "Y", {one.site, one.more}),
            (80, "N" if one.responds else "Y", set() if one.responds else {one.site}),
        ):
            grew = "Y" if day > 0 and not one.responds else "N"
            told = (who, start + day, "", "Diagnosis")
            rows["timeline_progression"].append((*told, "Progression", grew, 0.9 if grew == "Y" else 0.1, "CT"))
            rows["timeline_cancer_presence"].append((*told, "HasCancer", word, 0.9, "CT", *COVERED))
            named = ("Tumor Sites", "Radiology Reports (NLP)", "CT")
            rows["timeline_tumor_sites"] += [(*told, *named, site, 1, 1, 1, 0, 0) for site in sorted(sites - {""})]
    return rows


def write_study(rows: Rows, folder: Path) -> None:
    """The study's files as cBioPortal serves them."""
    folder.mkdir()
    for name, layout in LAYOUT.items():
        columns = layout.split()
        above = [columns, columns, ["STRING"] * len(columns), ["1"] * len(columns)] if name.startswith("clinical") else []
        lines = ["#" + "\t".join(line) for line in above] + ["\t".join(columns)] + ["\t".join(map(str, row)) for row in rows[name]]
        (folder / f"data_{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_prompts(path: Path) -> pd.Series:
    """The text of each prompt by case."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return pd.Series({one["case_id"]: one["input"] for one in found})


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """Out-of-fold scores of the model on the column `text`: case_id, patient_id, fold, score."""
    label, known = table["responder"].fillna(False).to_numpy(bool), table["responder"].notna().to_numpy()
    fold, tuning, score = table["fold"].to_numpy(), table["is_tuning"].to_numpy(bool), np.zeros(len(table))
    fit = tfidf_logistic(table)
    for held_out in np.unique(fold):
        train, own = known & (fold != held_out), np.flatnonzero(fold == held_out)
        score[own] = fit(Parts(np.flatnonzero(train & ~tuning), np.flatnonzero(train & tuning), own, label)).score
    return table[["case_id", "patient_id", "fold"]].assign(score=score)


def scores_of_another(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Scores of a model trained on another cohort: case_id, patient_id, fold, score."""
    both = pd.concat([other[other["responder"].notna()], table], ignore_index=True)
    label, count = both["responder"].fillna(False).to_numpy(bool), len(both) - len(table)
    tuning = both["is_tuning"].to_numpy(bool)[:count]
    parts = Parts(np.flatnonzero(~tuning), np.flatnonzero(tuning), np.arange(count, len(both)), label)
    return table[["case_id", "patient_id", "fold"]].assign(score=tfidf_logistic(both)(parts).score)


def prepared(seed: int, patients: int, work: Path) -> tuple[pd.DataFrame, pd.DataFrame, Path]:
    """Through the product up to the prompts: cases with label, fold and `text`; their covariates; the folder of cases."""
    study, tables, cases, facts, prompts = (work / name for name in ("study", "tables", "cases", "evidence.parquet", "prompts.jsonl"))
    write_study(records(cohort(seed, patients)), study)
    assert ingest.main([str(study), "--out", str(tables)]) == 0
    assert build.main([str(tables), "--out", str(cases)]) == 0
    assert evidence.main([str(tables), str(cases), "--out", str(facts)]) == 0
    assert render.main([str(facts), str(cases), "--out", str(prompts)]) == 0
    texts = read_prompts(prompts)
    # What names sequencing names what was found by the index date; none may say that nothing was.
    assert not texts.str.contains(r"(?i)no sequenc|not (?:yet )?sequenc|no specimen").any()
    read = {name: pd.read_parquet(cases / f"{name}.parquet") for name in ("cases", "labels", "folds")}
    labels = read["labels"].loc[read["labels"]["definition"] == "strict", ["case_id", "responder"]]
    folds = read["folds"].loc[read["folds"]["design"] == "kfold", ["case_id", "fold", "is_tuning"]]
    table = read["cases"].merge(labels, on="case_id", validate="one_to_one").merge(folds, on="case_id", validate="one_to_one")
    table["text"] = table["case_id"].map(texts)
    return table, clinical_covariates(read["cases"], pd.read_parquet(facts)), cases


def survival(
    table: pd.DataFrame, covariates: pd.DataFrame, cases: Path, other: pd.DataFrame | None
) -> Iterator[tuple[str, dict[str, float | None]]]:
    """The survival record of the regimen for the prompts as they are, for those with the statement, and for a model of another cohort."""
    planted = table.assign(text=table["text"] + np.where(table["index_day"] < 0, f"\n- {STATEMENT}", ""))
    found = {"as they are": scores(table), "with the statement": scores(planted)}
    if other is not None:
        found["as they are, trained on another cohort"] = scores_of_another(table, other)
    for name, predictions in found.items():
        followup = read_followup(cases / "followup.parquet", "os")
        frame = frame_of(predictions, covariates).merge(followup, on="case_id", validate="one_to_one")
        if "another" not in name:
            frame[TARGET] = frame["case_id"].map(table.set_index("case_id")["responder"].astype("Float64").astype(float))
        found = analyse(frame, ["cancer_type", "regimen"], Survival(bootstrap=0), "overall_survival")
        assert len(found.shown) == 1, found.skipped
        yield name, found.shown[0]


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--patients", type=int, default=500, help="before selection; two thirds of them are in the cohort")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    held: dict[tuple[str, str], list[bool]] = defaultdict(list)
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    before: pd.DataFrame | None = None
    for seed in range(given.first, given.first + given.seeds):
        with tempfile.TemporaryDirectory() as work:
            table, covariates, cases = prepared(seed, given.patients, Path(work))
            for name, record in survival(table, covariates, cases, before):
                for prefix in ("adjusted_", "adjusted_per_sd_", ""):
                    key, lower, upper = (name, prefix), record[f"{prefix}lower"], record[f"{prefix}upper"]
                    if lower is not None and upper is not None:
                        held[key].append(lower <= 1 <= upper)
                        ratios[key].append(float(record[f"{prefix}hazard_ratio"] or np.nan))
        before = table
    words = {"adjusted_": "adjusted, low against high", "adjusted_per_sd_": "adjusted, per standard deviation", "": "raw, low against high"}
    print(f"{given.seeds} seeds, truth 1; prompts, hazard ratio: interval holds 1 (of so many), ratio in the middle")
    for (name, prefix), found in held.items():
        print(f"{name}, {words[prefix]}: {np.mean(found):.3f} ({len(found)}), {np.median(ratios[name, prefix]):.2f}")


if __name__ == "__main__":
    main()
