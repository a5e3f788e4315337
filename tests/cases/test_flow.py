"""The flow counts every patient and case once, and its comparisons are right on tables small enough to count by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oncoraft.cases import build, flow, flow_reading
from oncoraft.cases.flow_comparisons import against_published, agreement, fold_tables, kappa, published_rule
from oncoraft.cases.regions import REGIONS
from oncoraft.foundation.errors import InputError


def study(folder: Path) -> Path:
    """Five patients: a is treated twice, b dies unseen, c has only a bone agent, d has no treatment, e no specimen."""
    people = list("abcde")
    patient = pd.DataFrame({"patient_id": people, "os_days": [400, 30, 400, 400, 400], "is_deceased": [False, True, False, False, False]})
    for column in ("gender", "race", "stage_highest_recorded", "smoking_predictions_3_classes", "os_status"):
        patient[column] = "Unknown"
    patient = patient.assign(current_age_deid=[50, 60, 70, 80, None], prior_med_to_msk="No prior medications")
    specimen = pd.DataFrame({"patient_id": people[:4], "start_day": 0, "sample_id": [f"{who}-T01-IM6" for who in people[:4]]})
    sample = specimen[["sample_id"]].assign(cancer_type=["Breast Cancer", "Breast Cancer", "Prostate Cancer", "Prostate Cancer"])
    treatment = [("a", 0, 40, "CAPECITABINE"), ("a", 100, 150, "ERIBULIN"), ("b", 0, 10, "PACLITAXEL"), ("c", 0, 0, "ZOLEDRONIC ACID")]
    treatment.append(("e", 0, 30, "GEMCITABINE"))
    rows = pd.DataFrame(treatment, columns=["patient_id", "start_day", "stop_day", "agent"]).assign(
        subtype="Chemo", source_line=range(2, 7)
    )
    progression = pd.DataFrame(
        {
            "patient_id": "a",
            "start_day": [40, 60, 150],
            "progression": ["N", "Y", "Indeterminate"],
            "nlp_progression_probability": [0.1, 0.9, 0.5],
        }
    )
    tables = {
        "clinical_patient": patient,
        "clinical_sample": sample.assign(gene_panel="IMPACT468"),
        "timeline_specimen": specimen,
        "timeline_treatment": rows,
        "timeline_progression": progression,
        "timeline_cancer_presence": pd.DataFrame(
            {"patient_id": ["a"], "start_day": [-5], "has_cancer": ["Y"], "procedure_type": "CT", **dict.fromkeys(REGIONS)}
        ),
        "timeline_tumor_sites": pd.DataFrame({"patient_id": ["a", "a"], "start_day": [-5, 40], "tumor_site": ["Liver", "Liver"]}),
    }
    for name, frame in tables.items():
        frame.to_parquet(folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict:
    tables, out = study(tmp_path_factory.mktemp("tables")), tmp_path_factory.mktemp("cases")
    assert build.main([str(tables), "--out", str(out), "--settings", json.dumps({"folds": {"folds": 2, "seed": 8}})]) == 0
    return json.loads((out / "flow.json").read_text())


def test_every_step_says_how_many_are_left_and_why_the_others_are_not(found: dict) -> None:
    steps = [(step["name"], step["patients"], step["cases"], step["excluded_patients"], step["excluded_cases"]) for step in found["steps"]]
    assert steps == [
        ("patients in the study", 5, None, None, None),
        ("with a treatment recorded", 4, None, 1, None),
        ("with an anticancer regimen", 2, 3, 2, None),
        ("with follow-up at risk", 2, 3, 0, 0),
        ("evaluable for response (strict)", 2, 2, 0, 1),
    ]
    assert found["steps"][2]["reasons"] == [
        {"reason": "only supportive agents, tracers, other indications or agents set aside", "patients": 1, "cases": None},
        {"reason": "no sequenced specimen with a cancer type", "patients": 1, "cases": None},
    ]
    assert found["steps"][4]["reasons"] == [{"reason": "only indeterminate scans in the window", "patients": 1, "cases": 1}]
    assert found["treatment_rows"]["supportive_rows"] == 1


def test_label_balance_and_scans_are_counted_per_class_and_type(found: dict) -> None:
    (row,) = found["label_balance"]
    assert (row["drug_class"], row["cases"], row["SD"], row["PD"], row["NE"]) == ("Chemo", 3, 1, 1, 1)
    assert (row["evaluable"], row["responders"], row["responder_share"]) == (2, 0, 0.0)
    scans = {row["cancer_type"]: row for row in found["scans"]}
    assert scans["all"]["reads"] == 3, "days 40 and 60 of the first regimen, day 50 of the second"
    assert (scans["all"]["no_scan"], scans["all"]["two_scans"], scans["all"]["only_indeterminate"]) == (2, 1, 1)
    assert scans["all"]["indeterminate_share"] == pytest.approx(1 / 3)
    assert scans["all"]["days_to_first"] == {"lower_quartile": 40.0, "median": 40.0, "upper_quartile": 40.0}


def test_the_table_of_characteristics_counts_treated_patients(found: dict) -> None:
    age = next(row for row in found["table_one"] if row["characteristic"].startswith("Age") and row["cancer_type"] == "all")
    assert (age["n"], age["of"], age["median"]) == (2, 2, 55.0)
    lines = {
        row["level"]: row["n"]
        for row in found["table_one"]
        if row["characteristic"] == "Line of therapy in its setting" and row["cancer_type"] == "all"
    }
    assert lines == {"1": 2, "2": 1}


def test_kappa_is_that_of_the_textbook() -> None:
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: observed 0.7, by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5, kappa 0.2 / 0.5.
    first = np.repeat([True, True, False, False], [20, 5, 10, 15])
    second = np.repeat([True, False, True, False], [20, 5, 10, 15])
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa(np.array([True, True]), np.array([True, True])) is None
    assert kappa(np.array([]), np.array([])) is None


def labels(**answers: list) -> pd.DataFrame:
    parts = [pd.DataFrame({"case_id": range(len(said)), "definition": name, "responder": said}) for name, said in answers.items()]
    return pd.concat(parts).astype({"responder": "boolean"})


def test_definitions_are_compared_on_the_cases_that_both_can_judge() -> None:
    (row,) = agreement(labels(one=[True, True, False, None], two=[True, False, None, False]))
    assert (row["first"], row["second"], row["both_evaluable"], row["agree"], row["share"]) == ("one", "two", 2, 1, 0.5)


def test_responders_of_the_published_rule_who_were_never_imaged_are_counted() -> None:
    rows = pd.DataFrame(
        {
            "case_id": [1, 2, 3, 1, 2, 3],
            "definition": ["oncoraft"] * 3 + ["strict"] * 3,
            "category": ["PR", "CR", "SD", "NE", "PD", "SD"],
            "scan_days": [[], [40], [], [], [40], []],
        }
    )
    assert published_rule(rows) == {
        "responders": 2,
        "responders_never_imaged": 1,
        "share_never_imaged": 0.5,
        "responders_not_evaluable": 1,
        "responders_progressed": 1,
    }
    assert against_published(rows) == {"NE": {"PR": 1}, "PD": {"CR": 1}, "SD": {"SD": 1}}


def test_fold_balance_is_the_largest_distance_from_the_whole() -> None:
    cases = pd.DataFrame({"case_id": range(5), "patient_id": list("abcde"), "cancer_type": ["X", "X", "Y", "Y", "Y"]})
    folds = pd.DataFrame({"case_id": range(4), "patient_id": list("abcd"), "design": "kfold", "fold": [0, 0, 0, 1], "is_tuning": False})
    chosen = labels(strict=[True, False, None, True])[["case_id", "responder"]]
    rows, balance = fold_tables(folds, cases, chosen)
    assert [row["responder_share"] for row in rows] == [0.5, 1.0]
    assert rows[1]["cancer_types"] == {"X": 0.0, "Y": 1.0}
    (one,) = balance
    assert one["largest_cancer_type_deviation"] == pytest.approx(0.5), "fold 1 is all Y, of all folds half is"
    assert one["largest_responder_deviation"] == pytest.approx(1 - 2 / 3)
    assert (one["cases_in_no_part"], one["patients_in_no_part"]) == (1, 1)


def test_folds_are_counted_alike_in_whatever_order_and_batches_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path)
    cases = tmp_path / "cases"
    settings = json.dumps({"folds": {"folds": 2, "seed": 8, "designs": ["kfold", "kfold_stratified"]}})
    assert build.main([str(tmp_path), "--out", str(cases), "--settings", settings]) == 0
    before = json.loads((cases / "flow.json").read_text())
    assert sum(row["cases"] for row in before["folds"]) == 6, "three cases in each of two designs"
    rows = pd.read_parquet(cases / "folds.parquet")
    strangers = pd.DataFrame({"case_id": ["0", "z", None], "patient_id": "z", "design": "kfold", "fold": 0, "is_tuning": True})
    mixed = pd.concat([strangers, rows, strangers]).sample(frac=1, random_state=4).astype({"fold": rows["fold"].dtype, "is_tuning": bool})
    mixed.to_parquet(cases / "folds.parquet", index=False)
    monkeypatch.setattr(flow_reading, "ROWS", 2)
    assert flow.main([str(tmp_path), str(cases)]) == 0
    assert json.loads((cases / "flow.json").read_text()) == before


def test_a_missing_table_or_column_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    study(tmp_path)
    (tmp_path / "timeline_specimen.parquet").unlink()
    with pytest.raises(InputError, match=r"timeline_specimen\.parquet: expected a table written by `oncoraft ingest`"):
        build.main([str(tmp_path), "--out", str(tmp_path / "cases")])
    pd.DataFrame({"patient_id": ["a"], "start_day": [0]}).to_parquet(tmp_path / "timeline_specimen.parquet")
    with pytest.raises(InputError, match=r"timeline_specimen\.parquet, column sample_id: expected this column"):
        build.main([str(tmp_path), "--out", str(tmp_path / "cases")])
    (tmp_path / "timeline_specimen.parquet").write_text("patient_id\tstart_day\n")
    with pytest.raises(InputError, match=r"timeline_specimen\.parquet: expected a Parquet table"):
        build.main([str(tmp_path), "--out", str(tmp_path / "cases")])
    assert not (tmp_path / "cases").exists()
